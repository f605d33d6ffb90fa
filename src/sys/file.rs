//! What is left of an open file, and a second descriptor of it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Another descriptor of the same open file, which stays open when `fd` is closed.
///
/// # Errors
/// Those of fcntl(2): `EBADF`, `EMFILE`.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: numbers only; the result is a new descriptor that nobody else has.
    unsafe {
        let copy = syscall!(fcntl(fd, libc::F_DUPFD_CLOEXEC, 0))?;
        Ok(OwnedFd::from_raw_fd(copy))
    }
}

/// How many bytes a file has.
///
/// # Errors
/// Those of fstat(2).
pub fn size(fd: RawFd) -> io::Result<u64> {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills `about` in, if it does not fail.
    let about = unsafe {
        syscall!(fstat(fd, about.as_mut_ptr()))?;
        about.assume_init()
    };
    Ok(about.st_size as u64)
}

/// What a file is known by, whatever its name: its device and its inode.
///
/// # Errors
/// Those of fstat(2).
pub fn identity(fd: RawFd) -> io::Result<(u64, u64)> {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills `about` in, if it does not fail.
    let about = unsafe {
        syscall!(fstat(fd, about.as_mut_ptr()))?;
        about.assume_init()
    };
    Ok((about.st_dev as u64, about.st_ino as u64))
}

/// The part of a regular file from its current position to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSpan {
    /// The position, in bytes from the start.
    pub offset: u64,
    /// Bytes from there to the end; 0 if the position is past it.
    pub remaining: u64,
}

impl FileSpan {
    /// The span of `fd`; `None` if it is no regular file (a pipe, a socket, a device), or one whose
    /// size is not reported, as that of files under `/proc` is not.
    ///
    /// # Errors
    /// Those of fstat(2) and lseek(2).
    pub fn of(fd: RawFd) -> io::Result<Option<FileSpan>> {
        let mut about = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the kernel fills `about` in, if it does not fail.
        let about = unsafe {
            syscall!(fstat(fd, about.as_mut_ptr()))?;
            about.assume_init()
        };
        if about.st_mode & libc::S_IFMT != libc::S_IFREG || about.st_size == 0 {
            return Ok(None);
        }
        // SAFETY: numbers only, which the kernel checks.
        let offset = unsafe { syscall!(lseek(fd, 0, libc::SEEK_CUR)) }? as u64;
        Ok(Some(FileSpan {
            offset,
            remaining: (about.st_size as u64).saturating_sub(offset),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{FileSpan, duplicate};
    use std::fs::File;
    use std::io::{Seek, SeekFrom, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn it_goes_from_the_position_to_the_end() {
        let spool = super::super::spool::Spool::new().unwrap();
        let mut file = File::from(duplicate(spool.as_raw_fd()).unwrap());
        let span = |offset, remaining| Some(FileSpan { offset, remaining });
        assert_eq!(
            FileSpan::of(file.as_raw_fd()).unwrap(),
            None,
            "size not reported"
        );
        file.write_all(b"0123456789").unwrap();
        assert_eq!(FileSpan::of(file.as_raw_fd()).unwrap(), span(10, 0));
        file.seek(SeekFrom::Start(3)).unwrap();
        assert_eq!(FileSpan::of(file.as_raw_fd()).unwrap(), span(3, 7));
        file.seek(SeekFrom::Start(30)).unwrap();
        assert_eq!(FileSpan::of(file.as_raw_fd()).unwrap(), span(30, 0));
    }

    #[test]
    fn only_regular_files_have_one() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let device = File::open("/dev/null").unwrap();
        let folder = File::open("/").unwrap();
        for fd in [socket.as_raw_fd(), device.as_raw_fd(), folder.as_raw_fd()] {
            assert_eq!(FileSpan::of(fd).unwrap(), None);
        }
        assert!(FileSpan::of(-1).is_err());
    }
}
