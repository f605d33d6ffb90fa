//! What is left of an open file.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// The part of a regular file from its current position to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSpan {
    /// The position, in bytes from the start.
    pub offset: u64,
    /// Bytes from there to the end; 0 if the position is past it.
    pub remaining: u64,
}

impl FileSpan {
    /// The span of `fd`; `None` if it is no regular file (a pipe, a socket, a device).
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
        if about.st_mode & libc::S_IFMT != libc::S_IFREG {
            return Ok(None);
        }
        // SAFETY: numbers only.
        let offset = unsafe { syscall!(lseek(fd, 0, libc::SEEK_CUR)) }? as u64;
        Ok(Some(FileSpan {
            offset,
            remaining: (about.st_size as u64).saturating_sub(offset),
        }))
    }
}
