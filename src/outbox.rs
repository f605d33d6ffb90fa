//! Bytes that are ready, where another thread may send them.
//!
//! Each thread that serves has one [`Outbox`]. While it runs Python code, what it has made ready so far
//! stands there: the responses of this turn, and what a generator or `write()` has given. PEP 3333
//! allows a server to hold such bytes back only if it will "guarantee that they will continue
//! transmission even while the application is producing its next block": the monitor, which sends what
//! is here, is that guarantee.
//!
//! The mutex is uncontended but for the monitor's looks, and never locked while Python runs. The
//! monitor sends memory only, closes nothing, and drops no Python object: what it has sent it puts
//! aside, for the owner to drop.

#![forbid(unsafe_code)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::queue::{Segment, WriteQueue};
use crate::sys::socket::Socket;
use crate::sys::stream::Flow;
use crate::transmit::send_memory;

/// What one connection has ready.
pub struct Outbound {
    /// Where it goes.
    pub socket: Socket,
    /// The bytes.
    pub queue: WriteQueue,
    /// A look of the monitor has passed since the first of them stood here.
    pub seen: bool,
    /// Bytes that the monitor sent.
    pub sent: u64,
    /// The client is gone: the owner sees it when it writes itself.
    gone: bool,
    /// What was sent whole.
    spent: Vec<Segment>,
}

impl Outbound {
    /// Bytes for `socket`.
    pub fn new(socket: Socket, queue: WriteQueue, seen: bool) -> Outbound {
        Outbound {
            socket,
            queue,
            seen,
            sent: 0,
            gone: false,
            spent: Vec::new(),
        }
    }

    /// Sends memory, as far as the kernel takes it. Whether something was sent.
    fn send(&mut self) -> bool {
        let before = self.sent;
        while !self.gone && self.queue.has_memory_first() {
            match send_memory(&self.socket, &self.queue) {
                Ok(Flow::Done(count)) => {
                    self.sent += count as u64;
                    let spent = &mut self.spent;
                    self.queue
                        .advance_with(count, |segment| spent.push(segment));
                }
                Ok(Flow::Blocked) => break,
                Ok(Flow::Closed) | Err(_) => self.gone = true,
            }
        }
        self.sent > before
    }
}

/// What one thread has ready.
#[derive(Default)]
pub struct Outbox(Mutex<Vec<Outbound>>);

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Outbound>> {
        // A panic while it was locked left whole entries: each is changed by one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what a connection has ready.
    pub fn put(&self, outbound: Outbound) {
        self.lock().push(outbound);
    }

    /// Takes back what was added last.
    pub fn take_last(&self) -> Option<Outbound> {
        self.lock().pop()
    }

    /// Takes back everything.
    pub fn take_all(&self) -> Vec<Outbound> {
        std::mem::take(&mut *self.lock())
    }

    /// Works on what was added last.
    pub fn with_last<R>(&self, work: impl FnOnce(&mut Outbound) -> R) -> Option<R> {
        self.lock().last_mut().map(work)
    }

    /// A look of the monitor: sends what was here at the look before. Whether something was sent.
    pub fn look(&self) -> bool {
        let mut sent = false;
        for outbound in self.lock().iter_mut() {
            if std::mem::replace(&mut outbound.seen, true) {
                sent |= outbound.send();
            }
        }
        sent
    }

    /// Sends everything, at the end of the process.
    pub fn send_all(&self) {
        for outbound in self.lock().iter_mut() {
            outbound.send();
        }
    }
}
