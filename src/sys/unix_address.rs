//! The address of a unix socket: a path, or a name of Linux's abstract name space; who is there.

use super::listener::{ListenError, socket};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};

/// Where a unix socket listens.
pub(super) struct UnixAddress {
    raw: libc::sockaddr_un,
    size: libc::socklen_t,
}

impl UnixAddress {
    /// That of a path or, after a first byte of NUL, of an abstract name.
    pub(super) fn new(path: &[u8]) -> Result<UnixAddress, ListenError> {
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

    /// No server listens there any more. One with a full queue does (`EAGAIN`, as the probe does not
    /// block); one that cannot be probed is not ours to replace.
    pub(super) fn expect_nobody(&self) -> Result<(), ListenError> {
        let probe = socket(libc::AF_UNIX, 0)?;
        match self.connect(&probe) {
            Ok(()) => Err(ListenError::Live),
            Err(error) => match error.raw_os_error() {
                Some(libc::ECONNREFUSED) => Ok(()),
                Some(libc::EAGAIN) => Err(ListenError::Live),
                _ => Err(ListenError::Bind(error)),
            },
        }
    }

    /// Connects a non-blocking socket to the server that is here.
    pub(super) fn connect(&self, client: &OwnedFd) -> io::Result<()> {
        // SAFETY: a valid address and its length.
        unsafe { syscall!(connect(client.as_raw_fd(), self.as_ptr(), self.size)) }
            .map(|_: libc::c_int| ())
    }

    /// A new socket that is bound here.
    pub(super) fn bind(&self) -> Result<OwnedFd, ListenError> {
        let fd = socket(libc::AF_UNIX, 0)?;
        // SAFETY: a valid address and its length.
        unsafe { syscall!(bind(fd.as_raw_fd(), self.as_ptr(), self.size)) }
            .map_err(ListenError::Bind)?;
        Ok(fd)
    }
}
