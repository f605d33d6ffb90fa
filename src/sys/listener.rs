//! Listening sockets: TCP, and ones that were opened elsewhere; those with a path are opened by
//! [`super::unix_listener`].
//!
//! Owns the rule of taking a TCP port over: at once after its last server (connections in TIME_WAIT do not
//! count). Accepts nothing.

use super::accept::{self, Accepted};
use super::{file, option};
use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::c_int;

/// Connections that may wait to be accepted: as many as the kernel's own limit (`somaxconn`) lets. More
/// than 16 bits is too much for old kernels.
const BACKLOG: usize = 65535;

/// A non-blocking listening socket, closed on exec, inherited over fork.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    /// The socket's own identity, whatever becomes of its number.
    inode: u64,
}

/// Why there is no listener.
#[derive(Debug)]
pub enum ListenError {
    /// The host or port has no address; in the resolver's words.
    Resolve(String),
    /// No socket of the address's family can be made.
    Socket(io::Error),
    /// No address can be bound; the reason of the last that was tried.
    Bind(io::Error),
    /// The bound socket cannot listen.
    Listen(io::Error),
    /// A server listens on that unix socket.
    Live,
    /// The unix path is taken by something else.
    Occupied,
    /// The adopted descriptor is no stream socket.
    NotASocket,
    /// The unix path does not fit an address (107 bytes on Linux).
    PathTooLong,
    /// The program closed the socket's descriptor, this number.
    Closed(RawFd),
}

impl fmt::Display for ListenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Resolve(reason) => write!(out, "getaddrinfo: {reason}"),
            ListenError::Socket(error) => write!(out, "socket: {error}"),
            ListenError::Bind(error) => write!(out, "bind: {error}"),
            ListenError::Listen(error) => write!(out, "listen: {error}"),
            ListenError::Live => out.write_str("a server is listening on this unix socket"),
            ListenError::Occupied => out.write_str("the file exists and is not a socket"),
            ListenError::NotASocket => out.write_str("not a stream socket"),
            ListenError::PathTooLong => out.write_str("the path of the unix socket is too long"),
            ListenError::Closed(number) => {
                write!(
                    out,
                    "the program closed descriptor {number}, a listening socket"
                )
            }
        }
    }
}

impl std::error::Error for ListenError {}

impl Listener {
    /// Listens on the first address of `host` and `port` (a number or a service's name) that can be
    /// bound. An empty `host` is every address of this machine.
    ///
    /// # Errors
    /// `Resolve`, `Socket`, `Bind`, `Listen`. May take as long as the name's look-up.
    pub fn tcp(host: &str, port: &str) -> Result<Listener, ListenError> {
        let addresses = Addresses::look_up(host, port)?;
        let mut failure = ListenError::Bind(io::ErrorKind::AddrNotAvailable.into());
        for address in addresses.iter() {
            match bound_tcp(address) {
                Ok(fd) => {
                    listen(&fd)?;
                    return Ok(Listener::own(fd));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Owns a socket that listens.
    pub(super) fn own(fd: OwnedFd) -> Listener {
        // Of an open socket it does not fail.
        let inode = file::identity(fd.as_raw_fd()).map_or(0, |(_, inode)| inode);
        Listener { fd, inode }
    }

    /// See [`accept::accept`].
    ///
    /// # Errors
    /// Those of accept(2) that concern the listener itself.
    pub fn accept(&self) -> io::Result<Accepted> {
        accept::accept(self.fd.as_raw_fd())
    }

    /// Whether its number is still its own: a program can close a number by mistake, which another descriptor
    /// then gets.
    pub fn is_intact(&self) -> bool {
        file::identity(self.fd.as_raw_fd()).is_ok_and(|(_, inode)| inode == self.inode)
    }

    /// Leaves the number to whom it belongs by now: nothing is closed.
    pub fn disown(self) {
        let _ = self.fd.into_raw_fd();
    }

    /// Takes over a listening socket that another program opened (systemd's activation, an `fd://`
    /// address). The descriptor is this listener's from now on.
    ///
    /// # Errors
    /// `NotASocket`, `Listen` (it does not listen).
    pub fn adopt(fd: RawFd) -> Result<Listener, ListenError> {
        if option::get(fd, libc::SOL_SOCKET, libc::SO_TYPE).ok() != Some(libc::SOCK_STREAM) {
            return Err(ListenError::NotASocket);
        }
        let listens = option::get(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
        if listens.map_err(ListenError::Listen)? == 0 {
            return Err(ListenError::Listen(io::Error::from_raw_os_error(
                libc::EINVAL,
            )));
        }
        option::set_nonblocking_cloexec(fd).map_err(ListenError::Socket)?;
        // SAFETY: it is open, as the calls above found. That no one else closes it is the caller's
        // word, who passed its number to hand it over.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // An error on unix sockets, which have no such delay.
        let _ = option::set(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
        Ok(Listener::own(fd))
    }

    /// Lets this many connections wait to be accepted, as far as the kernel's own limit goes.
    ///
    /// # Errors
    /// Those of listen(2): none for a socket that listens.
    pub fn set_backlog(&self, most: usize) -> io::Result<()> {
        set_backlog(self.fd.as_raw_fd(), most)
    }

    /// Whether a connection is announced only once its first bytes are there (Linux; elsewhere
    /// nothing changes), which saves a turn of the loop for each. A client that connects and says
    /// nothing is announced some seconds later.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for a unix socket.
    pub fn set_defer_accept(&self, on: bool) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        option::set(
            self.fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            c_int::from(on), // seconds
        )?;
        #[cfg(not(target_os = "linux"))]
        let _ = on;
        Ok(())
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Has a bound socket listen.
pub(super) fn listen(fd: &OwnedFd) -> Result<(), ListenError> {
    set_backlog(fd.as_raw_fd(), BACKLOG).map_err(ListenError::Listen)
}

fn set_backlog(fd: RawFd, most: usize) -> io::Result<()> {
    let most = c_int::try_from(most.min(BACKLOG)).unwrap_or(c_int::MAX);
    // SAFETY: numbers only, which the kernel checks.
    unsafe { syscall!(listen(fd, most)) }.map(|_: c_int| ())
}

/// A new stream socket of `family`: non-blocking, closed on exec.
pub(super) fn socket(family: c_int, protocol: c_int) -> Result<OwnedFd, ListenError> {
    #[cfg(not(target_vendor = "apple"))]
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let kind = libc::SOCK_STREAM;
    // SAFETY: numbers only; the new descriptor is ours alone.
    let fd = unsafe {
        let fd = syscall!(socket(family, kind, protocol)).map_err(ListenError::Socket)?;
        OwnedFd::from_raw_fd(fd)
    };
    #[cfg(target_vendor = "apple")]
    option::set_nonblocking_cloexec(fd.as_raw_fd()).map_err(ListenError::Socket)?;
    Ok(fd)
}

fn bound_tcp(address: &libc::addrinfo) -> Result<OwnedFd, ListenError> {
    let fd = socket(address.ai_family, address.ai_protocol)?;
    let raw = fd.as_raw_fd();
    option::set(raw, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1).map_err(ListenError::Socket)?;
    // Inherited by every accepted connection: no call each.
    option::set(raw, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1).map_err(ListenError::Socket)?;
    // SAFETY: the resolver's own pointer and length, alive as long as `address` is borrowed.
    unsafe { syscall!(bind(raw, address.ai_addr, address.ai_addrlen)) }
        .map_err(ListenError::Bind)?;
    Ok(fd)
}

/// The resolver's list, freed when dropped.
struct Addresses(*mut libc::addrinfo);

impl Addresses {
    fn look_up(host: &str, port: &str) -> Result<Addresses, ListenError> {
        let c_string = |text: &str| {
            CString::new(text).map_err(|_| ListenError::Resolve("a NUL in the name".to_owned()))
        };
        let (c_host, c_port) = (c_string(host)?, c_string(port)?);
        // The C library would take the low sixteen bits of a larger number, and listen elsewhere.
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && port.parse::<u16>().is_err() {
            return Err(ListenError::Resolve(
                "port out of range (0-65535)".to_owned(),
            ));
        }
        let host = if host.is_empty() {
            ptr::null()
        } else {
            c_host.as_ptr()
        };
        // SAFETY: all zeros is a valid, empty struct.
        let mut hints: libc::addrinfo = unsafe { mem::zeroed() };
        hints.ai_family = libc::AF_UNSPEC;
        hints.ai_socktype = libc::SOCK_STREAM;
        hints.ai_flags = libc::AI_PASSIVE;
        let mut list = ptr::null_mut();
        // SAFETY: strings that end in NUL (or none), valid hints, and a place for the result.
        match unsafe { libc::getaddrinfo(host, c_port.as_ptr(), &hints, &raw mut list) } {
            0 => Ok(Addresses(list)),
            libc::EAI_SYSTEM => Err(ListenError::Resolve(io::Error::last_os_error().to_string())),
            code => {
                // SAFETY: the C library's constant string for the code.
                let reason = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
                Err(ListenError::Resolve(reason.to_string_lossy().into_owned()))
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &libc::addrinfo> {
        // SAFETY: a list of the resolver's: each pointer is null or valid until `self` is dropped.
        let first = unsafe { self.0.as_ref() };
        // SAFETY: as above.
        std::iter::successors(first, |entry| unsafe { entry.ai_next.as_ref() })
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // SAFETY: from getaddrinfo, freed once.
        unsafe { libc::freeaddrinfo(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::greet;
    use super::*;
    use std::io::Read;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    fn address_of(listener: &Listener) -> SocketAddr {
        let socket = TcpListener::from(listener.fd.try_clone().unwrap());
        socket.local_addr().unwrap()
    }

    fn option(listener: &Listener, level: c_int, name: c_int) -> c_int {
        option::get(listener.as_raw_fd(), level, name).unwrap()
    }

    #[test]
    fn tcp_listens_at_once_without_blocking_or_nagle() {
        let listener = Listener::tcp("127.0.0.1", "0").unwrap();
        let mut client = TcpStream::connect(address_of(&listener)).unwrap();
        greet(&listener);
        client.read_exact(&mut [0]).unwrap();
        assert_eq!(option(&listener, libc::IPPROTO_TCP, libc::TCP_NODELAY), 1);
        assert_ne!(option(&listener, libc::SOL_SOCKET, libc::SO_REUSEADDR), 0);
        // SAFETY: asks for numbers.
        let (status, flags) = unsafe {
            let fd = listener.as_raw_fd();
            (
                libc::fcntl(fd, libc::F_GETFL),
                libc::fcntl(fd, libc::F_GETFD),
            )
        };
        assert_ne!(status & libc::O_NONBLOCK, 0);
        assert_ne!(flags & libc::FD_CLOEXEC, 0);
    }

    #[test]
    fn hosts_are_names_or_addresses_of_either_family_and_empty_is_all() {
        assert!(
            address_of(&Listener::tcp("localhost", "0").unwrap())
                .ip()
                .is_loopback()
        );
        assert!(
            address_of(&Listener::tcp("", "0").unwrap())
                .ip()
                .is_unspecified()
        );
        match Listener::tcp("::1", "0") {
            Ok(listener) => assert_eq!(address_of(&listener).ip().to_string(), "::1"),
            Err(error) => assert!(
                TcpListener::bind("[::1]:0").is_err(),
                "this machine has IPv6, and yet: {error}"
            ),
        }
    }

    #[test]
    fn a_name_without_address_is_reported_in_the_resolvers_words() {
        for (host, port) in [("no host", "80"), ("127.0.0.1", "no port"), ("a\0b", "80")] {
            match Listener::tcp(host, port) {
                Err(ListenError::Resolve(reason)) => assert!(!reason.is_empty()),
                other => panic!("{host}:{port}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_port_in_use_is_rejected_and_free_as_soon_as_its_server_ends() {
        let first = Listener::tcp("127.0.0.1", "0").unwrap();
        let port = address_of(&first).port().to_string();
        let Err(ListenError::Bind(error)) = Listener::tcp("127.0.0.1", &port) else {
            panic!("two servers on one port");
        };
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);

        // A connection that the server closes first stays in TIME_WAIT.
        let mut client = TcpStream::connect(address_of(&first)).unwrap();
        greet(&first);
        client.read_to_end(&mut Vec::new()).unwrap();
        drop((client, first));
        Listener::tcp("127.0.0.1", &port).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn deferring_can_be_turned_on_and_off_and_is_for_tcp_only() {
        let listener = Listener::tcp("127.0.0.1", "0").unwrap();
        let seconds = || option(&listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT);
        listener.set_defer_accept(true).unwrap();
        assert!(seconds() > 0);
        listener.set_defer_accept(false).unwrap();
        assert_eq!(seconds(), 0);
        let (unix, _other) = UnixStream::pair().unwrap();
        let unix = Listener::own(unix.into());
        assert!(unix.set_defer_accept(true).is_err());
    }

    #[test]
    fn a_listener_from_elsewhere_is_taken_over() {
        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = foreign.local_addr().unwrap();
        let listener = Listener::adopt(std::os::fd::IntoRawFd::into_raw_fd(foreign)).unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        greet(&listener);
        client.read_exact(&mut [0]).unwrap();
        assert_eq!(option(&listener, libc::IPPROTO_TCP, libc::TCP_NODELAY), 1);
    }

    #[test]
    fn what_does_not_listen_is_not_taken_over() {
        let (stream, _other) = UnixStream::pair().unwrap();
        assert!(matches!(
            Listener::adopt(stream.as_raw_fd()),
            Err(ListenError::Listen(_))
        ));
        let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(matches!(
            Listener::adopt(datagram.as_raw_fd()),
            Err(ListenError::NotASocket)
        ));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(matches!(
            Listener::adopt(file.as_raw_fd()),
            Err(ListenError::NotASocket)
        ));
        assert!(matches!(Listener::adopt(-1), Err(ListenError::NotASocket)));
    }
}
