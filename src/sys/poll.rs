//! Whether a descriptor is ready this instant, without waiting.

use std::os::fd::RawFd;

/// Whether a write would not block: there is room, or an error to be told.
pub fn writable_now(fd: RawFd) -> bool {
    ready_now(fd, libc::POLLOUT)
}

/// Whether a read would not block: there is data, the end, or an error to be told.
pub fn readable_now(fd: RawFd) -> bool {
    ready_now(fd, libc::POLLIN)
}

fn ready_now(fd: RawFd, events: libc::c_short) -> bool {
    let mut entry = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one entry, which the kernel reads and writes.
    let count = unsafe { syscall!(poll(&raw mut entry, 1, 0)) };
    count.is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_stream_is_readable_with_data_and_at_its_end() {
        let (mut near, far) = UnixStream::pair().unwrap();
        assert!(!readable_now(far.as_raw_fd()));
        near.write_all(b"x").unwrap();
        assert!(readable_now(far.as_raw_fd()));
        (&far).read_exact(&mut [0]).unwrap();
        assert!(!readable_now(far.as_raw_fd()));
        drop(near);
        assert!(readable_now(far.as_raw_fd()));
    }

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
