//! Responses that are ready, written one after the other when the turn of the loop ends.
//!
//! A write wakes its client, which on the same machine begins to run at once, and leaves the processor
//! full of the kernel's code and data. Where many requests are ready together, that is dearer than the
//! responses themselves: a Flask hello costs a quarter less when the responses of a turn are written
//! behind its last request. A request alone in its turn has its response at once.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use crate::outbox::Outbound;
use crate::queue::WriteQueue;
use crate::server::monitor::Watch;
use crate::server::ready::{Id, ReadyList};
use crate::sys::socket::Socket;

/// The turn of a thread: what it works off, and what it has ready to be written.
pub struct Turn {
    ready: Rc<ReadyList>,
    /// What the monitor sees of it.
    watch: Arc<Watch>,
    /// The connections of which responses stand in the outbox, in its order.
    batch: RefCell<Vec<Id>>,
    /// How many of the batch that is being written are still to come.
    writing: Cell<usize>,
}

impl Turn {
    /// A turn that works `ready` off.
    pub fn new(ready: Rc<ReadyList>, watch: Arc<Watch>) -> Turn {
        Turn {
            ready,
            watch,
            batch: RefCell::default(),
            writing: Cell::new(0),
        }
    }

    /// What the monitor sees of it.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Whether a response that is ready has others to be written with.
    pub fn has_company(&self) -> bool {
        !self.ready.is_empty() || !self.batch.borrow().is_empty() || self.writing.get() > 1
    }

    /// A connection has something ready.
    pub fn add(&self, id: Id, outbound: Outbound) {
        self.batch.borrow_mut().push(id);
        self.watch.outbox.put(outbound);
    }

    /// Whether a connection's responses stand in the outbox.
    pub fn holds(&self, id: Id) -> bool {
        self.batch.borrow().contains(&id)
    }

    /// Takes the connections that have something ready, with it.
    pub fn take(&self) -> Vec<(Id, Outbound)> {
        if self.batch.borrow().is_empty() {
            return Vec::new();
        }
        let outbounds = self.watch.outbox.take_all();
        self.batch.take().into_iter().zip(outbounds).collect()
    }

    /// So many of a batch are still to be written.
    pub fn set_writing(&self, count: usize) {
        self.writing.set(count);
    }

    /// Calls an application, in sight of the monitor: it sends what stands in `out` if the call takes its
    /// time.
    pub fn call<R>(&self, socket: &Socket, out: &mut WriteQueue, call: impl FnOnce() -> R) -> R {
        let parks = !out.is_empty() && !out.file_follows();
        if parks {
            let queue = std::mem::take(out);
            let outbound = Outbound::new(socket.clone(), queue);
            self.watch.outbox.put(outbound);
        }
        self.watch.enter();
        // A panic goes on when everything is as it was.
        let result = catch_unwind(AssertUnwindSafe(call));
        self.watch.leave();
        if parks && let Some(outbound) = self.watch.outbox.take_last() {
            *out = outbound.into_queue();
        }
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}
