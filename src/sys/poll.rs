//! Whether a descriptor takes a write.

use std::os::fd::RawFd;

/// A pipe that takes anything takes this many bytes at once (POSIX).
pub const PIPE_BUF: usize = libc::PIPE_BUF;

/// Whether a write would not block: there is room, or an error to be reported.
pub fn writable_now(fd: RawFd) -> bool {
    writable_in(fd, 0)
}

/// Waits for that, for so many milliseconds at most.
pub fn writable_in(fd: RawFd, milliseconds: i32) -> bool {
    let mut entry = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one entry, which the kernel reads and writes.
    let count = unsafe { syscall!(poll(&raw mut entry, 1, milliseconds)) };
    count.is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_stream_is_writable_until_it_is_full_and_when_its_peer_is_gone() {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        assert!(writable_now(near.as_raw_fd()));
        while near.write(&[0; 4096]).is_ok() {}
        assert!(!writable_now(near.as_raw_fd()));
        drop(far);
        assert!(writable_now(near.as_raw_fd()));
    }
}
