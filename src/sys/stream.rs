//! Bytes through a connected, non-blocking socket, and files into it.
//!
//! Decides what every error of the transfer calls: wait, or the peer is gone, or a real
//! fault. No call here raises SIGPIPE; sendfile(2), which has no flag for it, is called with the signal
//! blocked.
//!
//! Invariant: `Done(0)` is only the result of an empty request (no room, no bytes) or, for
//! [`sendfile`], a file that ended; a stream's end is [`Flow::Closed`].

use super::option;
#[cfg(target_os = "linux")]
use super::signal::Blocked;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

#[cfg(not(target_vendor = "apple"))]
const QUIET: libc::c_int = libc::MSG_NOSIGNAL;
/// Apple has SO_NOSIGPIPE in its place, set at the accept.
#[cfg(target_vendor = "apple")]
const QUIET: libc::c_int = 0;

#[cfg(target_os = "linux")]
const MORE: libc::c_int = libc::MSG_MORE;
#[cfg(not(target_os = "linux"))]
const MORE: libc::c_int = 0;

/// sendmsg(2) rejects more slices at once; POSIX's `IOV_MAX` is this everywhere.
const MAX_SLICES: usize = 1024;

/// What came of one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// So many bytes went through, maybe fewer than were to.
    Done(usize),
    /// The socket would block: wait until it is ready.
    Blocked,
    /// Reading: the peer sends no more, or is gone. Writing: it is gone.
    Closed,
}

/// Appends up to `max` bytes to `buffer`, within the capacity that it has to spare.
///
/// # Errors
/// Those of recv(2) that are no verdict on the peer: `EBADF`, `ENOTSOCK`, `ENOMEM`, ...
pub fn read(fd: RawFd, buffer: &mut Vec<u8>, max: usize) -> io::Result<Flow> {
    let room = buffer.spare_capacity_mut();
    let room_size = room.len().min(max);
    // SAFETY: `room` is this much memory of ours, which need not be initialised to be written.
    let flow = unsafe { receive(fd, room.as_mut_ptr().cast(), room_size) }?;
    if let Flow::Done(count) = flow {
        // SAFETY: the kernel wrote `count` bytes, not more than there was room for.
        unsafe { buffer.set_len(buffer.len() + count) };
    }
    Ok(flow)
}

/// Fills `room`, and appends what comes behind that to `behind`, within the capacity that it has to
/// spare. Also returns what was read into `room`.
///
/// # Errors
/// As of [`read`].
pub fn read_into<'m>(
    fd: RawFd,
    room: &'m mut [MaybeUninit<u8>],
    behind: &mut Vec<u8>,
) -> io::Result<(Flow, &'m [u8])> {
    let spare = behind.spare_capacity_mut();
    let mut slices = [
        libc::iovec {
            iov_base: room.as_mut_ptr().cast(),
            iov_len: room.len(),
        },
        libc::iovec {
            iov_base: spare.as_mut_ptr().cast(),
            iov_len: spare.len(),
        },
    ];
    // SAFETY: all zeros is a valid, empty message; the type has private padding on some systems.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = slices.as_mut_ptr();
    message.msg_iovlen = slices.len() as _;
    // SAFETY: the kernel writes into the two slices, each as long as it says, which need not be
    // initialised for that.
    let flow = flow(unsafe { syscall!(recvmsg(fd, &raw mut message, 0)) })?;
    let Flow::Done(received) = flow else {
        return Ok((flow, &[]));
    };
    let filled = received.min(room.len());
    // SAFETY: the kernel filled the first slice, then the second, with `received` bytes in all.
    let read = unsafe {
        behind.set_len(behind.len() + received - filled);
        std::slice::from_raw_parts(room.as_ptr().cast(), filled)
    };
    let flow = if received == 0 { Flow::Closed } else { flow };
    Ok((flow, read))
}

/// # Safety
/// `room_size` bytes at `room` may be written.
unsafe fn receive(fd: RawFd, room: *mut u8, room_size: usize) -> io::Result<Flow> {
    if room_size == 0 {
        return Ok(Flow::Done(0));
    }
    // SAFETY: the kernel writes no more than `room_size` bytes, which the caller allows.
    match flow(unsafe { syscall!(recv(fd, room.cast(), room_size, 0)) })? {
        Flow::Done(0) => Ok(Flow::Closed),
        flow => Ok(flow),
    }
}

/// Whether the peer sends no more, and nothing of it is left to be read.
pub fn has_ended(fd: RawFd) -> bool {
    let mut byte = 0u8;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: the kernel writes at most one byte, to where `byte` is.
    let peeked = unsafe { syscall!(recv(fd, (&raw mut byte).cast(), 1, flags)) };
    match peeked {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// Whether the peer sends no more, whatever of it is left to be read.
pub fn is_input_over(fd: RawFd) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let mut entry = libc::pollfd {
            fd,
            events: libc::POLLRDHUP,
            revents: 0,
        };
        // SAFETY: one entry, which the kernel reads and writes. Nothing waits.
        unsafe { syscall!(poll(&raw mut entry, 1, 0)) }.is_ok_and(|count| count > 0)
    }
    // Elsewhere only the last of what is left shows it.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    has_ended(fd)
}

/// Writes some of `bytes`. With `more`, the kernel keeps a last partial segment back, for at most
/// 200 ms, as another write or the stream's end follows at once.
///
/// # Errors
/// Those of send(2) that are no verdict on the peer: `EBADF`, `ENOTSOCK`, `ENOMEM`, ...
pub fn write(fd: RawFd, bytes: &[u8], more: bool) -> io::Result<Flow> {
    // SAFETY: the kernel reads the slice, no more.
    flow(unsafe { syscall!(send(fd, bytes.as_ptr().cast(), bytes.len(), flags(more))) })
}

fn flags(more: bool) -> libc::c_int {
    if more { QUIET | MORE } else { QUIET }
}

/// Writes some of `slices`, one after the other, as [`write`] does.
pub fn write_vectored(fd: RawFd, slices: &[IoSlice<'_>], more: bool) -> io::Result<Flow> {
    // SAFETY: all zeros is a valid, empty message; the type has private padding on some systems.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = slices.as_ptr().cast_mut().cast();
    message.msg_iovlen = slices.len().min(MAX_SLICES) as _;
    // SAFETY: `IoSlice` is an `iovec` in memory. The kernel reads that many of them, and what they
    // point to, which is borrowed through the call.
    flow(unsafe { syscall!(sendmsg(fd, &raw const message, flags(more))) })
}

/// Whether the number is a socket's.
///
/// # Errors
/// `ENOTSOCK`, `EBADF`.
pub fn expect_socket(fd: RawFd) -> io::Result<()> {
    option::get(fd, libc::SOL_SOCKET, libc::SO_TYPE).map(drop)
}

/// Writes up to `count` bytes of the file `file`, from `offset`, and moves `offset` on. The file's
/// own position stays. `Done(0)`: the file ended.
///
/// # Errors
/// [`ErrorKind::Unsupported`]: `file` is not of a kind that can be sent so, read it instead. Others:
/// the file could not be read.
#[cfg(target_os = "linux")]
pub fn sendfile(out: RawFd, file: RawFd, offset: &mut u64, count: usize) -> io::Result<Flow> {
    let Ok(mut position) = libc::off64_t::try_from(*offset) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    // The program may have given the signal its default back, which ends the process.
    let blocked = Blocked::one(libc::SIGPIPE);
    // SAFETY: the kernel reads and writes `position`, no other memory of ours.
    let sent: io::Result<isize> =
        unsafe { syscall!(sendfile64(out, file, &raw mut position, count)) };
    if matches!(&sent, Err(error) if error.raw_os_error() == Some(libc::EPIPE)) {
        blocked.discard(libc::SIGPIPE);
    }
    drop(blocked);
    match sent {
        Err(error) if is_no_plain_file(&error) => Err(ErrorKind::Unsupported.into()),
        sent => advance(offset, flow(sent)?),
    }
}

/// Errors are those of the Linux call above.
#[cfg(not(target_os = "linux"))]
pub fn sendfile(out: RawFd, file: RawFd, offset: &mut u64, count: usize) -> io::Result<Flow> {
    sendfile_by_copy(out, file, offset, count)
}

/// What sendfile does, where the system has none of Linux's form: the BSDs' and Apple's have
/// different parameters each, and a partial success that is reported as an error.
#[cfg(any(test, not(target_os = "linux")))]
fn sendfile_by_copy(out: RawFd, file: RawFd, offset: &mut u64, count: usize) -> io::Result<Flow> {
    let Ok(position) = libc::off_t::try_from(*offset) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let mut buffer = [0u8; 16 * 1024];
    let count = count.min(buffer.len());
    // SAFETY: the kernel writes at most `count` bytes, which the buffer has.
    let got = match unsafe { syscall!(pread(file, buffer.as_mut_ptr().cast(), count, position)) } {
        Err(error) if is_no_plain_file(&error) => return Err(ErrorKind::Unsupported.into()),
        got => got? as usize,
    };
    if got == 0 {
        return Ok(Flow::Done(0));
    }
    advance(offset, write(out, &buffer[..got], false)?)
}

fn advance(offset: &mut u64, flow: Flow) -> io::Result<Flow> {
    if let Flow::Done(count) = flow {
        *offset += count as u64;
    }
    Ok(flow)
}

fn is_no_plain_file(error: &io::Error) -> bool {
    let codes = [
        libc::EINVAL,
        libc::ENOSYS,
        libc::ESPIPE,
        libc::EISDIR,
        libc::EOPNOTSUPP,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// Announces to the peer that nothing more comes, while its own bytes can still be read.
///
/// # Errors
/// `ENOTCONN` if the peer is gone already, and those of a wrong descriptor.
pub fn shutdown_write(fd: RawFd) -> io::Result<()> {
    // SAFETY: numbers only, which the kernel checks.
    unsafe { syscall!(shutdown(fd, libc::SHUT_WR)) }?;
    Ok(())
}

/// Acknowledges what was received at once. A client that sends a message in small pieces, and has
/// Nagle's algorithm on, waits with the next piece for the acknowledgement of the one before, which
/// the kernel would hold back for up to 40 ms. Linux only, and only for the moment: the kernel goes back
/// to holding back on its own.
pub fn acknowledge_now(fd: RawFd) {
    // An error on unix sockets, which acknowledge nothing.
    #[cfg(target_os = "linux")]
    let _ = option::set::<libc::c_int>(fd, libc::IPPROTO_TCP, libc::TCP_QUICKACK, 1);
    #[cfg(not(target_os = "linux"))]
    let _ = fd;
}

/// Bytes that were written and that the peer has not acknowledged, in the kernel's buffer still.
///
/// # Errors
/// `Unsupported` where the kernel does not report it, and those of a wrong descriptor.
pub fn unacknowledged(fd: RawFd) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        let mut count: libc::c_int = 0;
        // SAFETY: TIOCOUTQ (SIOCOUTQ for a socket) writes one int, to where `count` is.
        unsafe { syscall!(ioctl(fd, libc::TIOCOUTQ, &raw mut count)) }?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = fd;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Makes the coming close a reset: the peer sees an error, not an end.
///
/// # Errors
/// Those of a wrong descriptor.
pub fn reset_on_close(fd: RawFd) -> io::Result<()> {
    let at_once = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    option::set(fd, libc::SOL_SOCKET, libc::SO_LINGER, at_once)
}

fn flow(sent: io::Result<isize>) -> io::Result<Flow> {
    match sent {
        Ok(count) => Ok(Flow::Done(count as usize)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Flow::Blocked),
        Err(error) if is_peer_gone(&error) => Ok(Flow::Closed),
        Err(error) => Err(error),
    }
}

/// The ways in which a connection ends that is not closed in order: reset, given up by the kernel's
/// retransmission, or cut off by the network.
fn is_peer_gone(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EPIPE
                | libc::ECONNRESET
                | libc::ECONNABORTED
                | libc::ENOTCONN
                | libc::ESHUTDOWN
                | libc::ETIMEDOUT
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENETDOWN
                | libc::ENETRESET
                | libc::ENETUNREACH
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    fn pair() -> (UnixStream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        (near, far)
    }

    #[test]
    fn what_is_behind_the_room_is_appended() {
        let (near, mut far) = pair();
        let mut room = [MaybeUninit::uninit(); 4];
        let mut behind = Vec::with_capacity(16);
        behind.push(b'-');
        let mut read = |behind: &mut Vec<u8>, size: usize| {
            let (flow, read) = read_into(near.as_raw_fd(), &mut room[..size], behind).unwrap();
            (flow, read.to_vec())
        };
        assert_eq!(read(&mut behind, 4), (Flow::Blocked, vec![]));
        far.write_all(b"ab").unwrap();
        assert_eq!(read(&mut behind, 4), (Flow::Done(2), b"ab".to_vec()));
        far.write_all(b"cdefgh").unwrap();
        assert_eq!(read(&mut behind, 4), (Flow::Done(6), b"cdef".to_vec()));
        assert_eq!(behind, b"-gh");
        far.write_all(b"i").unwrap();
        assert_eq!(read(&mut behind, 0), (Flow::Done(1), vec![]));
        assert_eq!(behind, b"-ghi");
        drop(far);
        assert_eq!(read(&mut behind, 4), (Flow::Closed, vec![]));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_the_peer_has_not_read_is_counted() {
        let (mut near, mut far) = pair();
        assert_eq!(unacknowledged(near.as_raw_fd()).unwrap(), 0);
        near.write_all(b"0123456789").unwrap();
        // A unix socket counts the kernel's own bytes around them too.
        assert!(unacknowledged(near.as_raw_fd()).unwrap() >= 10);
        far.read_exact(&mut [0; 10]).unwrap();
        assert_eq!(unacknowledged(near.as_raw_fd()).unwrap(), 0);
    }

    #[test]
    fn reading_appends_within_the_spare_room_until_it_would_block() {
        let (near, mut far) = pair();
        let mut buffer = Vec::with_capacity(8);
        buffer.extend_from_slice(b"ab");
        assert_eq!(
            read(near.as_raw_fd(), &mut buffer, 100).unwrap(),
            Flow::Blocked
        );
        far.write_all(b"0123456789").unwrap();
        assert_eq!(
            read(near.as_raw_fd(), &mut buffer, 4).unwrap(),
            Flow::Done(4)
        );
        assert_eq!(
            read(near.as_raw_fd(), &mut buffer, 100).unwrap(),
            Flow::Done(2)
        );
        assert_eq!(
            (buffer.as_slice(), buffer.capacity()),
            (&b"ab012345"[..], 8)
        );
        assert_eq!(
            read(near.as_raw_fd(), &mut buffer, 100).unwrap(),
            Flow::Done(0),
            "no room"
        );

        buffer.clear();
        assert_eq!(
            read(near.as_raw_fd(), &mut buffer, 100).unwrap(),
            Flow::Done(4)
        );
        assert_eq!(buffer, b"6789");
        drop(far);
        buffer.clear();
        assert_eq!(
            read(near.as_raw_fd(), &mut buffer, 100).unwrap(),
            Flow::Closed
        );
    }

    #[test]
    fn writing_goes_on_until_it_would_block_and_again_when_there_is_room() {
        let (near, mut far) = pair();
        let block = [b'x'; 65536];
        let mut sent = 0;
        while let Flow::Done(count) = write(near.as_raw_fd(), &block, false).unwrap() {
            sent += count;
        }
        assert_eq!(
            write(near.as_raw_fd(), &block, false).unwrap(),
            Flow::Blocked
        );
        let mut got = vec![0; sent];
        far.read_exact(&mut got).unwrap();
        assert_eq!(
            write(near.as_raw_fd(), b"again", false).unwrap(),
            Flow::Done(5)
        );
        assert_eq!(far.read(&mut got).unwrap(), 5);
    }

    #[test]
    fn slices_go_out_in_order_and_at_most_a_thousand_or_so() {
        let (near, mut far) = pair();
        let slices = [b"head ".as_slice(), b"", b"body"].map(IoSlice::new);
        assert_eq!(
            write_vectored(near.as_raw_fd(), &slices, false).unwrap(),
            Flow::Done(9)
        );
        let mut got = [0; 9];
        far.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"head body");
        let many = [IoSlice::new(b"x"); MAX_SLICES + 1];
        let flow = write_vectored(near.as_raw_fd(), &many, false).unwrap();
        assert_eq!(flow, Flow::Done(MAX_SLICES));
    }

    #[test]
    fn a_write_with_more_to_come_is_held_back_for_the_rest() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        near.set_nodelay(true).unwrap();
        let fd = near.as_raw_fd();
        // The kernel holds back for 200 ms only, which this process may sleep through: try again.
        let was_held_back = || {
            let send = |text: &'static [u8], more| {
                let flow = write_vectored(fd, &[IoSlice::new(text)], more).unwrap();
                assert_eq!(flow, Flow::Done(text.len()));
            };
            send(b"head ", true);
            send(b"and ", true);
            far.set_nonblocking(true).unwrap();
            let held_back = far.peek(&mut [0]).is_err();
            far.set_nonblocking(false).unwrap();
            send(b"body", false);
            let mut got = [0; 13];
            (&far).read_exact(&mut got).unwrap();
            assert_eq!(&got, b"head and body");
            held_back
        };
        assert!((0..20).any(|_| was_held_back()) || MORE == 0);
    }

    #[test]
    fn a_peer_that_is_gone_is_no_error() {
        let (near, far) = pair();
        drop(far);
        let fd = near.as_raw_fd();
        assert_eq!(write(fd, b"x", false).unwrap(), Flow::Closed);
        assert_eq!(
            write_vectored(fd, &[IoSlice::new(b"x")], false).unwrap(),
            Flow::Closed
        );
        let mut spool = super::super::spool::Spool::new().unwrap();
        spool.append(b"x").unwrap();
        for send in [sendfile, sendfile_by_copy] {
            let mut offset = 0;
            let flow = send(fd, spool.as_raw_fd(), &mut offset, 1).unwrap();
            assert_eq!((flow, offset), (Flow::Closed, 0));
        }
    }

    #[test]
    fn writing_to_a_peer_that_is_gone_raises_no_signal() {
        let (near, far) = pair();
        drop(far);
        assert!(super::super::test_support::holds_in_child(|| {
            // SAFETY: the default, which Rust's start-up changed; the child has no other thread.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
            let fd = near.as_raw_fd();
            let mut spool = super::super::spool::Spool::new().unwrap();
            spool.append(b"x").unwrap();
            let flows = [
                write(fd, b"x", false).ok(),
                write_vectored(fd, &[IoSlice::new(b"x")], false).ok(),
                sendfile(fd, spool.as_raw_fd(), &mut 0, 1).ok(),
            ];
            flows == [Some(Flow::Closed); 3]
        }));
    }

    #[test]
    fn a_reset_ends_reading_as_the_end_does() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        (&near).write_all(b"unread").unwrap();
        far.peek(&mut [0]).unwrap(); // it is there
        drop(far); // with input unread: the kernel resets
        let mut buffer = Vec::with_capacity(8);
        assert_eq!(
            read(near.as_raw_fd(), &mut buffer, 8).unwrap(),
            Flow::Closed
        );
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn the_end_of_input_shows_before_what_is_left_is_read() {
        let (near, mut far) = pair();
        let fd = near.as_raw_fd();
        far.write_all(b"x").unwrap();
        assert!(!is_input_over(fd) && !has_ended(fd));
        far.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(is_input_over(fd) && !has_ended(fd));
        read(fd, &mut Vec::with_capacity(8), 8).unwrap();
        assert!(is_input_over(fd) && has_ended(fd));
    }

    #[test]
    fn after_a_shutdown_the_peer_sees_the_end_and_can_still_write() {
        let (near, mut far) = pair();
        shutdown_write(near.as_raw_fd()).unwrap();
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
        far.write_all(b"x").unwrap();
        assert_eq!(
            read(near.as_raw_fd(), &mut Vec::with_capacity(8), 8).unwrap(),
            Flow::Done(1)
        );
    }

    #[test]
    fn a_connection_that_is_reset_does_not_look_like_one_that_ended() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        reset_on_close(far.as_raw_fd()).unwrap();
        drop(far);
        let error = near.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_descriptor_of_the_wrong_kind_is_an_error() {
        let file = File::open("/dev/null").unwrap();
        let errors = [
            read(file.as_raw_fd(), &mut Vec::with_capacity(1), 1).unwrap_err(),
            write(file.as_raw_fd(), b"x", false).unwrap_err(),
            write_vectored(file.as_raw_fd(), &[IoSlice::new(b"x")], false).unwrap_err(),
            shutdown_write(file.as_raw_fd()).unwrap_err(),
        ];
        assert!(
            errors
                .iter()
                .all(|error| error.raw_os_error() == Some(libc::ENOTSOCK))
        );
    }

    #[test]
    fn both_sendfiles_send_from_the_offset_to_the_end() {
        for send in [sendfile, sendfile_by_copy] {
            let (near, mut far) = pair();
            let mut spool = super::super::spool::Spool::new().unwrap();
            spool.append(b"0123456789").unwrap();
            let (out, file, mut offset) = (near.as_raw_fd(), spool.as_raw_fd(), 3);
            assert_eq!(send(out, file, &mut offset, 4).unwrap(), Flow::Done(4));
            assert_eq!(send(out, file, &mut offset, 100).unwrap(), Flow::Done(3));
            assert_eq!(send(out, file, &mut offset, 100).unwrap(), Flow::Done(0));
            assert_eq!(offset, 10);
            let mut got = [0; 16];
            let count = far.read(&mut got).unwrap();
            assert_eq!(&got[..count], b"3456789");
        }
    }

    #[test]
    fn what_is_no_plain_file_is_to_be_read_instead() {
        let (near, other) = pair();
        let folder = File::open("/").unwrap();
        for send in [sendfile, sendfile_by_copy] {
            for file in [other.as_raw_fd(), folder.as_raw_fd()] {
                let error = send(near.as_raw_fd(), file, &mut 0, 10).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            }
        }
    }
}
