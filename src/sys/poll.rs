//! Whether a descriptor takes a write.

use std::os::fd::RawFd;

/// A pipe that takes anything takes this many bytes at once (POSIX).
pub const PIPE_BUF: usize = libc::PIPE_BUF;

/// Whether a write would not block: there is room, or an error to be reported.
pub fn writable_now(fd: RawFd) -> bool {
    writable_in(fd, 0)
}

/// Whether a write would be taken: there is room, and somebody to read it. Where nobody does, a write would raise
/// SIGPIPE, whose default a program may have put back.
pub fn takes_now(fd: RawFd) -> bool {
    let events = events_in(fd, 0);
    events & libc::POLLOUT != 0 && events & (libc::POLLERR | libc::POLLHUP) == 0
}

/// Waits until a write would not block, for so many milliseconds at most.
pub fn writable_in(fd: RawFd, milliseconds: i32) -> bool {
    events_in(fd, milliseconds) != 0
}

fn events_in(fd: RawFd, milliseconds: i32) -> libc::c_short {
    let mut entry = libc::pollfd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one entry, which the kernel reads and writes.
    match unsafe { syscall!(poll(&raw mut entry, 1, milliseconds)) } {
        Ok(_) => entry.revents,
        Err(_) => 0,
    }
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
        assert!(takes_now(near.as_raw_fd()));
        while near.write(&[0; 4096]).is_ok() {}
        assert!(!writable_now(near.as_raw_fd()) && !takes_now(near.as_raw_fd()));
        drop(far);
        assert!(writable_now(near.as_raw_fd()) && !takes_now(near.as_raw_fd()));
    }

    #[test]
    fn a_pipe_takes_nothing_when_its_reader_is_gone() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(takes_now(writer.as_raw_fd()));
        drop(reader);
        assert!(!takes_now(writer.as_raw_fd()));
    }
}
