//! Taking one connection from a listening socket.
//!
//! Decides what every error of accept(2): whether the queue is empty, this one connection was
//! lost, or the process can take no more. Decides nothing about what to do then.

use super::peer::Peer;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// What came of one try.
#[derive(Debug)]
pub enum Accepted {
    /// A connection: non-blocking, closed on exec.
    Client(OwnedFd, Peer),
    /// Nobody is waiting.
    Empty,
    /// The connection died in the queue; the next may be well.
    Retry,
    /// No descriptor or memory is left (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`). The client stays
    /// in the queue, so the listener stays readable: retrying at once would spin.
    Exhausted(io::Error),
}

/// Takes the next connection.
///
/// # Errors
/// Those of accept(2) that concern the listener itself: `EBADF`, `EINVAL`, `ENOTSOCK`, ...
pub fn accept(listener: RawFd) -> io::Result<Accepted> {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    match take(listener, &mut address) {
        Ok(client) => {
            // SAFETY: zeros are a valid address, and the kernel wrote over a part of them.
            let address = unsafe { address.assume_init() };
            Ok(Accepted::Client(client, Peer::from_storage(&address)))
        }
        Err(error) => judge(error),
    }
}

fn judge(error: io::Error) -> io::Result<Accepted> {
    let code = error.raw_os_error().unwrap_or(0);
    match code {
        _ if error.kind() == io::ErrorKind::WouldBlock => Ok(Accepted::Empty),
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => {
            Ok(Accepted::Exhausted(error))
        }
        _ if concerns_one_connection(code) => Ok(Accepted::Retry),
        _ => Err(error),
    }
}

/// Linux hands the new connection's pending network errors over as accept's own: "treat them like
/// EAGAIN by retrying", says accept(2).
fn concerns_one_connection(code: i32) -> bool {
    #[cfg(target_os = "linux")]
    if code == libc::ENONET {
        return true;
    }
    matches!(
        code,
        libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENOPROTOOPT
            | libc::EOPNOTSUPP
    )
}

#[cfg(not(target_vendor = "apple"))]
fn take(listener: RawFd, address: &mut MaybeUninit<libc::sockaddr_storage>) -> io::Result<OwnedFd> {
    let mut size = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes at most `size` bytes to `address`; the new descriptor is ours alone.
    unsafe {
        let to = address.as_mut_ptr().cast();
        let client = syscall!(accept4(listener, to, &raw mut size, flags))?;
        Ok(OwnedFd::from_raw_fd(client))
    }
}

/// Without accept4 the flags are set after the fact, and SIGPIPE is turned off by the socket.
#[cfg(target_vendor = "apple")]
fn take(listener: RawFd, address: &mut MaybeUninit<libc::sockaddr_storage>) -> io::Result<OwnedFd> {
    let mut size = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: as with accept4.
    let client = unsafe {
        let to = address.as_mut_ptr().cast();
        OwnedFd::from_raw_fd(syscall!(accept(listener, to, &raw mut size))?)
    };
    use std::os::fd::AsRawFd;
    super::option::set_nonblocking_cloexec(client.as_raw_fd())?;
    super::option::set(client.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NOSIGPIPE, 1)?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixListener;

    fn flag(fd: RawFd, command: i32, flag: i32) -> bool {
        // SAFETY: asks for numbers.
        (unsafe { libc::fcntl(fd, command) }) & flag != 0
    }

    #[test]
    fn clients_come_with_their_address_until_the_queue_is_empty() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        assert!(matches!(accept(listener.as_raw_fd()), Ok(Accepted::Empty)));

        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let Ok(Accepted::Client(client, peer)) = accept(listener.as_raw_fd()) else {
            panic!("no client");
        };
        assert_eq!(peer, Peer::Inet(near.local_addr().unwrap()));
        assert!(flag(client.as_raw_fd(), libc::F_GETFL, libc::O_NONBLOCK));
        assert!(flag(client.as_raw_fd(), libc::F_GETFD, libc::FD_CLOEXEC));
        assert!(matches!(accept(listener.as_raw_fd()), Ok(Accepted::Empty)));
    }

    #[test]
    fn a_unix_client_is_one_without_address() {
        let path = std::env::temp_dir().join(format!("fapws-accept-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let _near = std::os::unix::net::UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let accepted = accept(listener.as_raw_fd());
        assert!(
            matches!(accepted, Ok(Accepted::Client(_, Peer::Unix))),
            "{accepted:?}"
        );
    }

    #[test]
    fn a_descriptor_that_cannot_listen_is_an_error() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(
            accept(one.as_raw_fd()).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
        assert_eq!(accept(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn every_error_has_its_verdict() {
        let verdict = |code| judge(io::Error::from_raw_os_error(code));
        assert!(matches!(verdict(libc::EAGAIN), Ok(Accepted::Empty)));
        for code in [
            libc::ECONNABORTED,
            libc::EPROTO,
            libc::ENETDOWN,
            libc::EHOSTUNREACH,
        ] {
            assert!(matches!(verdict(code), Ok(Accepted::Retry)), "{code}");
        }
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert!(
                matches!(verdict(code), Ok(Accepted::Exhausted(_))),
                "{code}"
            );
        }
        assert!(verdict(libc::ENOTSOCK).is_err());
    }
}
