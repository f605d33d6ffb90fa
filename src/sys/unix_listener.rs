//! Listening sockets with a path, or an abstract name (unix(7)).
//!
//! Owns the rules of taking a path over: a socket's file is replaced when no server listens on it, without a
//! moment in which there is none.
//!
//! Invariant: a file on which a server listens, or that is no socket, stays as it is.

use super::listener::{ListenError, Listener, listen};
use super::unix_address::UnixAddress;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, lchown};
use std::path::Path;

/// Who may connect by a socket's file. What is `None` is as for any file that the process makes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Rights {
    /// The file's mode.
    pub mode: Option<u32>,
    /// Its owner.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
}

/// Listens on a unix socket's path. A first byte of NUL makes it a name of Linux's abstract name
/// space, in which further NULs are characters like others, and which has no rights. A socket file that no server
/// listens on is replaced. It is not removed afterwards: it may be a successor's by then.
///
/// Of several servers that come for one path at once it leads to one that listens, and those that
/// it led to before are reached no more.
///
/// # Errors
/// `Live`, `Occupied`, `PathTooLong`, `Socket`, `Bind` (the rights included), `Listen`.
pub fn listen_unix(path: &[u8], rights: Rights) -> Result<Listener, ListenError> {
    if path.first() == Some(&0) {
        if cfg!(not(any(target_os = "linux", target_os = "android"))) {
            return Err(ListenError::Bind(io::ErrorKind::Unsupported.into()));
        }
        let fd = UnixAddress::new(path)?.bind()?;
        listen(&fd)?;
        return Ok(Listener::own(fd));
    }
    let address = UnixAddress::new(path)?;
    let path = Path::new(OsStr::from_bytes(path));
    let fd = match fs::symlink_metadata(path) {
        Err(_) => listen_at(path, &address, rights)?,
        Ok(about) if !about.file_type().is_socket() => return Err(ListenError::Occupied),
        Ok(_) => {
            address.expect_nobody()?;
            replace(path, &address, rights)?
        }
    };
    Ok(Listener::own(fd))
}

/// Makes the socket's file, and listens; nobody reaches it before it has its rights.
fn listen_at(path: &Path, address: &UnixAddress, rights: Rights) -> Result<OwnedFd, ListenError> {
    let fd = rights.bind(path, address)?;
    listen(&fd)?;
    Ok(fd)
}

impl Rights {
    fn bind(self, path: &Path, address: &UnixAddress) -> Result<OwnedFd, ListenError> {
        if (self.mode, self.uid, self.gid) == (None, None, None) {
            return address.bind();
        }
        // SAFETY: numbers only. Files that other threads make meanwhile are nobody else's, too.
        let before = unsafe { libc::umask(0o177) };
        let bound = address.bind();
        // SAFETY: as above.
        unsafe { libc::umask(before) };
        let fd = bound?;
        self.set(path, before as u32).map_err(|error| {
            let _ = fs::remove_file(path);
            ListenError::Bind(error)
        })?;
        Ok(fd)
    }

    fn set(self, path: &Path, umask: u32) -> io::Result<()> {
        if (self.uid, self.gid) != (None, None) {
            lchown(path, self.uid, self.gid)?;
        }
        let mode = self.mode.unwrap_or(0o777 & !umask);
        fs::set_permissions(path, Permissions::from_mode(mode))
    }
}

/// Puts a listening socket in the place of a stale file. It is bound under a name of its own and
/// moved over, so that a client finds the old file or the new server, never nothing. (The kernel
/// goes on to show the first name, in `ss` for one.)
fn replace(path: &Path, address: &UnixAddress, rights: Rights) -> Result<OwnedFd, ListenError> {
    let beside = path.with_file_name(format!(".fapws-{}", std::process::id()));
    let Ok(temporary) = UnixAddress::new(beside.as_os_str().as_bytes()) else {
        // Only the longest paths have no room for it. The moment without a file costs nobody more
        // than the refusal it gets until now.
        fs::remove_file(path).map_err(ListenError::Bind)?;
        return listen_at(path, address, rights);
    };
    let _ = fs::remove_file(&beside); // left by a process of the same number that was killed here
    let fd = listen_at(&beside, &temporary, rights)?;
    if let Err(error) = fs::rename(&beside, path) {
        let _ = fs::remove_file(&beside);
        return Err(ListenError::Bind(error));
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::super::listener::socket;
    use super::super::test_support::{greet, holds_in_child};
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

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
        at(path.as_os_str().as_bytes())
    }

    fn at(path: &[u8]) -> Result<Listener, ListenError> {
        listen_unix(path, Rights::default())
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
        let server = address.bind().unwrap();
        // SAFETY: numbers only, which the kernel checks.
        assert_eq!(unsafe { libc::listen(server.as_raw_fd(), 0) }, 0);
        let clients = [(); 8].map(|()| {
            let client = socket(libc::AF_UNIX, 0).unwrap();
            let _ = address.connect(&client);
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
        let fits = |length: &usize| UnixAddress::new(&vec![b'x'; *length]).is_ok();
        let room = (1..).take_while(fits).last().unwrap();
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
        assert!(matches!(unix(&folder.socket()), Err(ListenError::Occupied)));
        assert_eq!(fs::read_to_string(folder.socket()).unwrap(), "precious");
        assert!(matches!(unix(&folder.0), Err(ListenError::Occupied)));
    }

    #[test]
    fn a_socket_of_another_kind_is_left_alone_while_it_is_open() {
        let folder = Folder::new("datagram");
        let datagrams = UnixDatagram::bind(folder.socket()).unwrap();
        let before = fs::metadata(folder.socket()).unwrap().ino();
        assert!(matches!(
            unix(&folder.socket()),
            Err(ListenError::Bind(error)) if error.raw_os_error() == Some(libc::EPROTOTYPE)
        ));
        assert_eq!(fs::metadata(folder.socket()).unwrap().ino(), before);
        drop(datagrams);
        let _listener = unix(&folder.socket()).unwrap();
        UnixStream::connect(folder.socket()).unwrap();
    }

    #[test]
    fn a_path_that_somebody_takes_after_the_look_is_left_alone() {
        let folder = Folder::new("taken");
        let other = UnixListener::bind(folder.socket()).unwrap();
        let path = folder.socket();
        let address = UnixAddress::new(path.as_os_str().as_bytes()).unwrap();
        assert!(matches!(
            listen_at(&path, &address, Rights { mode: Some(0o600), ..Rights::default() }),
            Err(ListenError::Bind(error)) if error.kind() == io::ErrorKind::AddrInUse
        ));
        let _client = UnixStream::connect(&path).unwrap();
        other.accept().unwrap();
    }

    /// In a child, as the mask is the process's.
    #[test]
    fn a_socket_has_its_rights() {
        let folder = Folder::new("rights");
        let (path, plain) = (folder.socket(), folder.0.join("plain"));
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert!(holds_in_child(|| {
            let name = path.as_os_str().as_bytes();
            let some = Rights {
                mode: Some(0o640),
                ..Rights::default()
            };
            let absent = listen_unix(name, some).is_ok() && mode(&path) == 0o640;
            let stale = listen_unix(name, some).is_ok() && mode(&path) == 0o640;
            // What is not said is as for any file.
            let group = Rights {
                gid: Some(fs::metadata(&folder.0).unwrap().gid()),
                ..Rights::default()
            };
            let own = listen_unix(name, group).is_ok() && unix(&plain).is_ok();
            absent && stale && own && mode(&path) == mode(&plain)
        }));
    }

    #[test]
    fn where_rights_cannot_be_had_nothing_changes() {
        let folder = Folder::new("no-rights");
        let path = folder.socket();
        fs::set_permissions(&folder.0, Permissions::from_mode(0o777)).unwrap();
        assert!(holds_in_child(|| {
            // SAFETY: a number only; who is not root stays who it is.
            unsafe { libc::setuid(65534) };
            let rights = Rights {
                uid: Some(0),
                ..Rights::default()
            };
            let fails = || {
                let result = listen_unix(path.as_os_str().as_bytes(), rights);
                matches!(result, Err(ListenError::Bind(error)) if error.raw_os_error() == Some(libc::EPERM))
            };
            let count = || fs::read_dir(&folder.0).unwrap().count();
            let absent = fails() && count() == 0;
            drop(unix(&path));
            let before = fs::metadata(&path).unwrap().ino();
            absent && fails() && count() == 1 && fs::metadata(&path).unwrap().ino() == before
        }));
    }

    #[test]
    fn paths_that_cannot_be_are_rejected() {
        for path in [&b""[..], b"/tmp/a\0b", b"/nonexistent/socket"] {
            assert!(matches!(at(path), Err(ListenError::Bind(_))), "{path:?}");
        }
        for path in [[b'x'; 200], [0; 200]] {
            assert!(
                matches!(at(&path), Err(ListenError::PathTooLong)),
                "{path:?}"
            );
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_abstract_name_may_hold_further_nuls() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("fapws\0{}\0", std::process::id());
        let listener = at(format!("\0{name}").as_bytes()).unwrap();
        let whole = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        UnixStream::connect_addr(&whole).unwrap();
        let short = name.trim_end_matches('\0');
        let short = std::os::unix::net::SocketAddr::from_abstract_name(short).unwrap();
        assert!(UnixStream::connect_addr(&short).is_err());
        assert!(matches!(
            at(format!("\0{name}").as_bytes()),
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
}
