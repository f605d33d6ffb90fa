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

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::queue::WriteQueue;
use crate::queue::segment::Segment;
use crate::sys::socket::Socket;
use crate::sys::stream::Flow;

/// What one connection has ready.
pub struct Outbound {
    /// Where it goes.
    pub socket: Socket,
    /// The bytes.
    pub queue: WriteQueue,
    /// The client is gone: the owner sees it when it writes itself.
    gone: bool,
    /// What was sent whole.
    spent: Vec<Segment>,
}

impl Outbound {
    /// Bytes for `socket`.
    pub fn new(socket: Socket, queue: WriteQueue) -> Outbound {
        Outbound {
            socket,
            queue,
            gone: false,
            spent: Vec::new(),
        }
    }

    /// What is left of the bytes.
    pub fn into_queue(self) -> WriteQueue {
        self.queue
    }

    /// Sends memory, as far as the kernel takes it; how many bytes that was.
    fn send(&mut self) -> u64 {
        let mut sent = 0;
        while !self.gone && self.queue.has_memory_first() {
            match self.queue.send_memory(&self.socket) {
                Ok(Flow::Done(count)) => {
                    sent += count as u64;
                    let spent = &mut self.spent;
                    self.queue
                        .advance_with(count, |segment| spent.push(segment));
                }
                Ok(Flow::Blocked) => break,
                Ok(Flow::Closed) | Err(_) => self.gone = true,
            }
        }
        sent
    }
}

/// What one thread has ready.
#[derive(Default)]
pub struct Outbox {
    ready: Mutex<Vec<Outbound>>,
    /// Bytes that the monitor sent and nobody counted yet.
    sent: AtomicU64,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Outbound>> {
        // A panic while it was locked left whole entries: each is changed by one call.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Adds `more` behind it. Whether the queue is short: fewer than
    /// `most` bytes, and no file.
    pub fn extend_last(&self, more: &mut WriteQueue, most: usize) -> bool {
        self.with_last(|last| {
            last.queue.append(more);
            last.queue.waiting() < most && !last.queue.file_follows()
        })
        .unwrap_or(false)
    }

    /// Bytes that the monitor sent since the last time.
    pub fn take_sent(&self) -> u64 {
        match self.sent.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.sent.swap(0, Ordering::Relaxed),
        }
    }

    /// A look of the monitor: sends what was here at the look before. Whether something was sent.
    pub fn look(&self) -> bool {
        let mut sent = 0;
        for outbound in self.lock().iter_mut() {
            if outbound.queue.see() {
                sent += outbound.send();
                if !outbound.queue.is_empty() {
                    // The kernel is full: tried again at the next look.
                    outbound.queue.see();
                }
            }
        }
        self.sent.fetch_add(sent, Ordering::Relaxed);
        sent > 0
    }

    /// Sends everything, at the end of the process.
    pub fn send_all(&self) {
        for outbound in self.lock().iter_mut() {
            outbound.send();
        }
    }
}
