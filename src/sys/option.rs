//! Socket options and descriptor flags, as far as listeners and streams need them.

use std::io;
use std::os::fd::RawFd;

use libc::c_int;

/// Sets an option to a C value: an `int` for most, a struct for some.
pub fn set<V: Copy>(fd: RawFd, level: c_int, name: c_int, value: V) -> io::Result<()> {
    let size = size_of::<V>() as libc::socklen_t;
    // SAFETY: the kernel reads `size` bytes of `value`, which lives through the call.
    unsafe { syscall!(setsockopt(fd, level, name, (&raw const value).cast(), size)) }?;
    Ok(())
}

/// Reads an option whose value is an `int`.
pub fn get(fd: RawFd, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut size = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes to `value` and the length to `size`.
    unsafe {
        syscall!(getsockopt(
            fd,
            level,
            name,
            (&raw mut value).cast(),
            &raw mut size
        ))?;
    }
    Ok(value)
}

/// Makes a descriptor from elsewhere like those made here: non-blocking, closed on exec.
pub fn set_nonblocking_cloexec(fd: RawFd) -> io::Result<()> {
    // SAFETY: these commands take and give plain numbers.
    unsafe {
        let status = syscall!(fcntl(fd, libc::F_GETFL))?;
        syscall!(fcntl(fd, libc::F_SETFL, status | libc::O_NONBLOCK))?;
        let flags = syscall!(fcntl(fd, libc::F_GETFD))?;
        syscall!(fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC))?;
    }
    Ok(())
}
