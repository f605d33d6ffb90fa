//! Listening sockets: TCP, unix, abstract unix, and ones that were opened elsewhere.
//!
//! Owns the rules of taking an address over: a TCP port at once after its last server (connections in
//! TIME_WAIT do not count), a unix path when no server listens on it. Accepts nothing.
//!
//! Invariant: a unix socket's file is removed only by the process that bound it and only while the
//! path still leads to that very file, never under a newer server's feet.

use super::accept::{self, Accepted};
use super::{file, option};
use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
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
    /// The unix path is taken by something else, or the adopted descriptor is no stream socket.
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

    /// Listens on a unix socket's path. A first byte of NUL makes it a name of Linux's abstract name
    /// space, in which further NULs are characters like others. A socket file that no server
    /// listens on is replaced. It is not removed afterwards: it may be a successor's by then.
    ///
    /// # Errors
    /// `Live`, `NotASocket`, `PathTooLong`, `Socket`, `Bind`, `Listen`.
    pub fn unix(path: &[u8]) -> Result<Listener, ListenError> {
        if path.first() == Some(&0) {
            if cfg!(not(any(target_os = "linux", target_os = "android"))) {
                return Err(ListenError::Bind(io::ErrorKind::Unsupported.into()));
            }
            let fd = bound_unix(&UnixAddress::new(path)?)?;
            listen(&fd)?;
            return Ok(Listener::own(fd));
        }
        let address = UnixAddress::new(path)?;
        let path = Path::new(OsStr::from_bytes(path));
        let fd = match fs::symlink_metadata(path) {
            Err(_) => listening_unix(&address)?,
            Ok(about) if !about.file_type().is_socket() => return Err(ListenError::NotASocket),
            Ok(_) if address.is_live()? => return Err(ListenError::Live),
            Ok(_) => replace(path, &address)?,
        };
        Ok(Listener::own(fd))
    }

    fn own(fd: OwnedFd) -> Listener {
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

fn listen(fd: &OwnedFd) -> Result<(), ListenError> {
    set_backlog(fd.as_raw_fd(), BACKLOG).map_err(ListenError::Listen)
}

fn set_backlog(fd: RawFd, most: usize) -> io::Result<()> {
    let most = c_int::try_from(most.min(BACKLOG)).unwrap_or(c_int::MAX);
    // SAFETY: numbers only, which the kernel checks.
    unsafe { syscall!(listen(fd, most)) }.map(|_: c_int| ())
}

/// A new stream socket of `family`: non-blocking, closed on exec.
fn socket(family: c_int, protocol: c_int) -> Result<OwnedFd, ListenError> {
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

struct UnixAddress {
    raw: libc::sockaddr_un,
    size: libc::socklen_t,
}

impl UnixAddress {
    fn new(path: &[u8]) -> Result<UnixAddress, ListenError> {
        // SAFETY: all zeros is a valid, empty address.
        let mut raw: libc::sockaddr_un = unsafe { mem::zeroed() };
        raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
        let is_abstract = path.first() == Some(&0);
        // An abstract name is ended by its length, a path by a NUL.
        let length = path.len() + usize::from(!is_abstract);
        if length > raw.sun_path.len() {
            return Err(ListenError::PathTooLong);
        }
        // An empty path would make Linux invent a name.
        if path.is_empty() || !is_abstract && path.contains(&0) {
            return Err(ListenError::Bind(io::ErrorKind::InvalidInput.into()));
        }
        for (to, from) in raw.sun_path.iter_mut().zip(path) {
            *to = *from as libc::c_char;
        }
        let size = mem::offset_of!(libc::sockaddr_un, sun_path) + length;
        Ok(UnixAddress {
            raw,
            size: size as libc::socklen_t,
        })
    }

    fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.raw).cast()
    }

    /// Whether a server is there. A full queue (`EAGAIN`, as the socket does not block) is one too,
    /// and so is one that cannot be probed, which is not ours to replace.
    fn is_live(&self) -> Result<bool, ListenError> {
        let probe = socket(libc::AF_UNIX, 0)?;
        // SAFETY: a valid address and its length. Not repeated when interrupted: it does not wait.
        let result = unsafe { libc::connect(probe.as_raw_fd(), self.as_ptr(), self.size) };
        let refused = io::Error::last_os_error().raw_os_error() == Some(libc::ECONNREFUSED);
        Ok(result == 0 || !refused)
    }
}

fn bound_unix(address: &UnixAddress) -> Result<OwnedFd, ListenError> {
    let fd = socket(libc::AF_UNIX, 0)?;
    // SAFETY: a valid address and its length.
    unsafe { syscall!(bind(fd.as_raw_fd(), address.as_ptr(), address.size)) }
        .map_err(ListenError::Bind)?;
    Ok(fd)
}

fn listening_unix(address: &UnixAddress) -> Result<OwnedFd, ListenError> {
    let fd = bound_unix(address)?;
    listen(&fd)?;
    Ok(fd)
}

/// Puts a listening socket in the place of a stale file. It is bound under a name of its own and
/// moved over, so that a client finds the old file or the new server, never nothing. (The kernel
/// goes on to show the first name, in `ss` for one.)
fn replace(path: &Path, address: &UnixAddress) -> Result<OwnedFd, ListenError> {
    let beside = path.with_file_name(format!(".fapws-{}", std::process::id()));
    let Ok(temporary) = UnixAddress::new(beside.as_os_str().as_bytes()) else {
        // Only the longest paths have no room for it. The moment without a file costs nobody more
        // than the refusal it gets until now.
        fs::remove_file(path).map_err(ListenError::Bind)?;
        return listening_unix(address);
    };
    let _ = fs::remove_file(&beside); // left by a process of the same number that was killed here
    let fd = listening_unix(&temporary)?;
    if let Err(error) = fs::rename(&beside, path) {
        let _ = fs::remove_file(&beside);
        return Err(ListenError::Bind(error));
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    fn address_of(listener: &Listener) -> SocketAddr {
        let socket = TcpListener::from(listener.fd.try_clone().unwrap());
        socket.local_addr().unwrap()
    }

    fn option(listener: &Listener, level: c_int, name: c_int) -> c_int {
        option::get(listener.as_raw_fd(), level, name).unwrap()
    }

    /// Accepts one client and sends it a byte.
    fn greet(listener: &Listener) {
        use super::super::accept::{Accepted, accept};
        let Accepted::Client(client, _) = accept(listener.as_raw_fd()).unwrap() else {
            panic!("no client");
        };
        std::fs::File::from(client).write_all(b"!").unwrap();
    }

    /// A folder of its own for each test, removed at its end.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("fapws-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn socket(&self) -> std::path::PathBuf {
            self.0.join("socket")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn unix(path: &Path) -> Result<Listener, ListenError> {
        Listener::unix(path.as_os_str().as_bytes())
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
        let folder = Folder::new("defer");
        assert!(
            unix(&folder.socket())
                .unwrap()
                .set_defer_accept(true)
                .is_err()
        );
    }

    #[test]
    fn a_unix_socket_is_found_by_its_path() {
        let folder = Folder::new("path");
        let listener = unix(&folder.socket()).unwrap();
        let mut client = UnixStream::connect(folder.socket()).unwrap();
        greet(&listener);
        client.read_exact(&mut [0]).unwrap();
    }

    #[test]
    fn a_live_socket_stays_even_with_a_full_queue() {
        let folder = Folder::new("live");
        let _server = UnixListener::bind(folder.socket()).unwrap();
        assert!(matches!(unix(&folder.socket()), Err(ListenError::Live)));

        let narrow = folder.0.join("narrow");
        let address = UnixAddress::new(narrow.as_os_str().as_bytes()).unwrap();
        let server = bound_unix(&address).unwrap();
        // SAFETY: numbers only, which the kernel checks.
        assert_eq!(unsafe { libc::listen(server.as_raw_fd(), 0) }, 0);
        let clients = [(); 8].map(|()| {
            let client = socket(libc::AF_UNIX, 0).unwrap();
            // SAFETY: a valid address and its length.
            unsafe { libc::connect(client.as_raw_fd(), address.as_ptr(), address.size) };
            client
        });
        assert!(matches!(unix(&narrow), Err(ListenError::Live)));
        drop(clients);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_leaves_nothing_beside() {
        let folder = Folder::new("stale");
        drop(UnixListener::bind(folder.socket()).unwrap());
        assert!(UnixStream::connect(folder.socket()).is_err());
        let listener = unix(&folder.socket()).unwrap();
        let mut client = UnixStream::connect(folder.socket()).unwrap();
        greet(&listener);
        client.read_exact(&mut [0]).unwrap();
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn a_stale_socket_with_the_longest_path_is_replaced_too() {
        let folder = Folder::new("long");
        let room = UnixAddress::new(b"x").unwrap().raw.sun_path.len() - 1;
        let deep = folder
            .0
            .join("d".repeat(room - folder.0.as_os_str().len() - 3));
        fs::create_dir(&deep).unwrap();
        let path = deep.join("s");
        assert_eq!(path.as_os_str().len(), room);
        drop(unix(&path).unwrap());
        let _listener = unix(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        assert!(matches!(
            unix(&deep.join("so")),
            Err(ListenError::PathTooLong)
        ));
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = Folder::new("file");
        fs::write(folder.socket(), "precious").unwrap();
        assert!(matches!(
            unix(&folder.socket()),
            Err(ListenError::NotASocket)
        ));
        assert_eq!(fs::read_to_string(folder.socket()).unwrap(), "precious");
        assert!(matches!(unix(&folder.0), Err(ListenError::NotASocket)));
    }

    #[test]
    fn paths_that_cannot_be_are_rejected() {
        assert!(matches!(Listener::unix(b""), Err(ListenError::Bind(_))));
        assert!(matches!(
            Listener::unix(b"/tmp/a\0b"),
            Err(ListenError::Bind(_))
        ));
        assert!(matches!(
            Listener::unix(b"/nonexistent/socket"),
            Err(ListenError::Bind(_))
        ));
        assert!(matches!(
            Listener::unix(&[b'x'; 200]),
            Err(ListenError::PathTooLong)
        ));
        assert!(matches!(
            Listener::unix(&[0; 200]),
            Err(ListenError::PathTooLong)
        ));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_abstract_name_may_hold_further_nuls() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("fapws\0{}\0", std::process::id());
        let listener = Listener::unix(format!("\0{name}").as_bytes()).unwrap();
        let whole = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        UnixStream::connect_addr(&whole).unwrap();
        let short = name.trim_end_matches('\0');
        let short = std::os::unix::net::SocketAddr::from_abstract_name(short).unwrap();
        assert!(UnixStream::connect_addr(&short).is_err());
        assert!(matches!(
            Listener::unix(format!("\0{name}").as_bytes()),
            Err(ListenError::Bind(error)) if error.kind() == io::ErrorKind::AddrInUse
        ));
        drop(listener);
    }

    #[test]
    fn the_file_stays_for_the_next_server() {
        let folder = Folder::new("stays");
        drop(unix(&folder.socket()).unwrap());
        assert!(folder.socket().exists());
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
