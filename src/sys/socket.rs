//! A connected socket with its owners.
//!
//! A connection and whatever may write for it later (the sink of `write()`, the monitor) share one
//! [`Socket`]; the descriptor is closed when the last of them is gone, so that its number never
//! outlives its owner and no bytes reach another client.
//!
//! A program can close a descriptor that is not its own (`os.close`, `os.closerange`). Its number then
//! comes back from the next `accept`: the old owner is [disowned](Socket::disown), since closing it
//! would close the new one's.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Weak};

use super::stream::{self, Flow};

/// A share in a connected, non-blocking socket.
#[derive(Clone)]
pub struct Socket(Arc<Descriptor>);

/// The number, or -1 once it belongs to somebody else.
struct Descriptor(AtomicI32);

/// A socket that others own, to be [disowned](Socket::disown) wherever its shares are.
pub struct Handle(Weak<Descriptor>);

impl Handle {
    /// Disowns the socket, if this is its number. Whether that was so.
    pub fn disown(&self, number: RawFd) -> bool {
        let swapped = self.0.upgrade().map(|descriptor| {
            descriptor
                .0
                .compare_exchange(number, -1, Ordering::Relaxed, Ordering::Relaxed)
        });
        matches!(swapped, Some(Ok(_)))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let number = *self.0.get_mut();
        if number >= 0 {
            // SAFETY: `new` took the descriptor from its only owner, and `disown` did not run.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
}

impl Socket {
    /// The first share in `socket`.
    pub fn new(socket: OwnedFd) -> Socket {
        Socket(Arc::new(Descriptor(AtomicI32::new(socket.into_raw_fd()))))
    }

    /// One that is closed already: every transfer fails with `EBADF`.
    pub fn closed() -> Socket {
        Socket(Arc::new(Descriptor(AtomicI32::new(-1))))
    }

    /// The descriptor, for as long as this share is kept; `None` after [`Socket::disown`].
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let number = self.number();
        // SAFETY: it is open until the last share is dropped, and this one is borrowed. (Where a program closes
        // a number that is not its own, the calls that use it fail: see above.)
        (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
    }

    /// Its number, to be shown or compared; -1 after [`Socket::disown`].
    pub fn number(&self) -> RawFd {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Somebody else closed it, and the number is another descriptor's by now: it is not closed here,
    /// and every transfer fails with `EBADF`.
    pub fn disown(&self) {
        self.0.0.store(-1, Ordering::Relaxed);
    }

    /// What disowns it without keeping it open.
    pub fn handle(&self) -> Handle {
        Handle(Arc::downgrade(&self.0))
    }

    /// What came of a transfer. A number that is no socket's any more is somebody else's, or will be: a program
    /// closed it, and it is not closed here.
    fn judged<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK))
        {
            self.disown();
        }
        result
    }

    /// Takes the descriptor out of every share; `None` where nobody has it any more. From now on every
    /// transfer here fails with `EBADF`.
    pub fn release(&self) -> Option<OwnedFd> {
        let number = self.0.0.swap(-1, Ordering::Relaxed);
        // SAFETY: `new` took the descriptor from its only owner, and the number is out of the shares.
        (number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
    }

    /// Whether there are other shares.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// See [`stream::read`].
    pub fn read(&self, buffer: &mut Vec<u8>, max: usize) -> io::Result<Flow> {
        self.judged(stream::read(self.number(), buffer, max))
    }

    /// See [`stream::read_into`].
    pub fn read_into<'m>(
        &self,
        room: &'m mut [MaybeUninit<u8>],
        behind: &mut Vec<u8>,
    ) -> io::Result<(Flow, &'m [u8])> {
        self.judged(stream::read_into(self.number(), room, behind))
    }

    /// Whether the peer sends no more, and nothing of it is left to be read.
    pub fn has_ended(&self) -> bool {
        stream::has_ended(self.number())
    }

    /// See [`stream::is_input_over`].
    pub fn is_input_over(&self) -> bool {
        stream::is_input_over(self.number())
    }

    /// See [`stream::write`].
    pub fn write(&self, bytes: &[u8], more: bool) -> io::Result<Flow> {
        self.judged(stream::write(self.number(), bytes, more))
    }

    /// See [`stream::write_vectored`].
    pub fn write_vectored(&self, slices: &[IoSlice<'_>], more: bool) -> io::Result<Flow> {
        self.judged(stream::write_vectored(self.number(), slices, more))
    }

    /// See [`stream::sendfile`], which writes to what is no socket as well, unlike all other transfers: so that
    /// is asked before.
    pub fn send_file(
        &self,
        file: BorrowedFd<'_>,
        offset: &mut u64,
        count: usize,
    ) -> io::Result<Flow> {
        use std::os::fd::AsRawFd;
        self.judged(stream::expect_socket(self.number()))?;
        stream::sendfile(self.number(), file.as_raw_fd(), offset, count)
    }

    /// See [`stream::shutdown_write`].
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.judged(stream::shutdown_write(self.number()))
    }

    /// See [`stream::acknowledge_now`].
    pub fn acknowledge_now(&self) {
        stream::acknowledge_now(self.number());
    }

    /// See [`stream::unacknowledged`].
    pub fn unacknowledged(&self) -> io::Result<usize> {
        stream::unacknowledged(self.number())
    }

    /// See [`stream::reset_on_close`].
    pub fn reset_on_close(&self) -> io::Result<()> {
        stream::reset_on_close(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_last_share_closes_it() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let socket = Socket::new(near.into());
        let share = socket.clone();
        assert!(share.is_shared());
        drop(socket);
        assert_eq!(share.write(b"x", false).unwrap(), Flow::Done(1));
        drop(share);
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"x");
    }

    #[test]
    fn what_was_released_is_its_new_owners() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let socket = Socket::new(near.into());
        let share = socket.clone();
        let released = socket.release().unwrap();
        assert!(share.release().is_none() && share.write(b"x", false).is_err());
        drop((socket, share));
        let again = Socket::new(released);
        assert_eq!(again.write(b"y", false).unwrap(), Flow::Done(1));
        drop(again);
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"y");
    }

    #[test]
    fn what_is_no_socket_any_more_is_not_closed() {
        let (near, _far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let socket = Socket::new(near.into());
        let file = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: numbers only: the socket is closed, and its number becomes the file's.
        assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), number) }, number);
        assert!(socket.write(b"x", false).is_err());
        assert_eq!(socket.number(), -1);
        drop(socket);
        // SAFETY: nobody else owns it by now.
        let still = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(number) });
        assert!(still.metadata().is_ok());
    }

    #[test]
    fn a_file_is_not_sent_into_another_file() {
        let (near, _far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let socket = Socket::new(near.into());
        let path = std::env::temp_dir().join(format!("fapws-into-{}", std::process::id()));
        std::fs::write(&path, "precious").unwrap();
        let precious = std::fs::File::options().write(true).open(&path).unwrap();
        let source = std::fs::File::open("/proc/self/exe").or_else(|_| std::fs::File::open(&path));
        // SAFETY: numbers only: the socket is closed, and its number becomes the file's.
        assert_eq!(unsafe { libc::dup2(precious.as_raw_fd(), number) }, number);
        let sent = socket.send_file(source.unwrap().as_fd(), &mut 0, 4096);
        let error = sent.unwrap_err().raw_os_error();
        assert_eq!((error, socket.number()), (Some(libc::ENOTSOCK), -1));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
        // SAFETY: nobody else owns it by now.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }

    #[test]
    fn a_handle_disowns_every_share_of_its_number() {
        let (near, _far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let socket = Socket::new(near.into());
        let (handle, share) = (socket.handle(), socket.clone());
        assert!(!handle.disown(number + 1));
        assert!(handle.disown(number) && !handle.disown(number));
        assert_eq!(share.number(), -1);
        drop((socket, share));
        assert!(!handle.disown(number));
        // SAFETY: nobody else owns it by now.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }

    #[test]
    fn what_was_disowned_is_neither_written_nor_closed() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let near = OwnedFd::from(near);
        let number = near.as_raw_fd();
        let socket = Socket::new(near);
        socket.disown();
        assert!(socket.write(b"x", false).is_err());
        drop(socket);
        // SAFETY: nobody closed it, and nobody owns it.
        let still = Socket::new(unsafe { OwnedFd::from_raw_fd(number) });
        assert_eq!(still.write(b"y", false).unwrap(), Flow::Done(1));
        drop(still);
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"y");
    }
}
