//! The turn of a thread: whether it holds the loop, what it calls in sight of the monitor, and what it has ready to
//! be written together.
//!
//! A write wakes its client, which on the same machine begins to run at once, and leaves the processor
//! full of the kernel's code and data. Where many requests are ready together, that is dearer than the
//! responses themselves: a Flask hello costs a quarter less when the responses of a turn are written
//! behind its last request. A request alone in its turn has its response at once.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::app::console;
use crate::outbox::{Outbound, Outbox};
use crate::py::Gil;
use crate::py::out::Stream;
use crate::queue::WriteQueue;
use crate::server::crew::Crew;
use crate::server::monitor::Watch;
use crate::server::ready::Id;
use crate::server::seats::Seat;
use crate::server::slow_calls::{Call, Called};
use crate::sys::socket::Socket;

/// The turn of a thread.
pub struct Turn {
    /// The threads of the run.
    pub crew: Rc<Crew>,
    /// This one's.
    pub seat: Arc<Seat>,
    /// Whether this thread holds the loop.
    holds: Cell<bool>,
    /// How many of the batch that is being written are still to come.
    writing: Cell<usize>,
    /// A spare was woken to take the loop.
    makes_way: Cell<bool>,
}

/// The thread that a response belongs to: it goes on there, since databases' connections belong to threads.
pub struct Owner(Arc<Seat>);

impl Owner {
    /// The number of its seat.
    pub fn number(&self) -> usize {
        self.0.number
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turn {
    /// The turn of a thread that does not hold the loop.
    pub fn new(crew: Rc<Crew>) -> Turn {
        let seat = crew.take_seat();
        Turn {
            crew,
            seat,
            holds: Cell::new(false),
            writing: Cell::new(0),
            makes_way: Cell::new(false),
        }
    }

    /// This thread has begun a response, which it is to end.
    pub fn own_stream(&self) -> Owner {
        self.seat.streams.fetch_add(1, Ordering::Relaxed);
        Owner(self.seat.clone())
    }

    /// Whether there are such responses.
    pub fn has_streams(&self) -> bool {
        self.seat.has_streams()
    }

    /// Whether another thread is to make the next call: in this one a response would wait for it, and
    /// another one is free.
    pub fn is_to_make_way(&self) -> bool {
        self.holds.get() && self.has_streams() && self.watch().seats.has_spare()
    }

    /// Sets the loop free for that thread.
    pub fn make_way(&self) {
        self.release_loop();
        self.makes_way.set(true);
    }

    /// Whether that is so; true once.
    pub fn makes_way(&self) -> bool {
        self.makes_way.take()
    }

    /// What the monitor sees.
    pub fn watch(&self) -> &Watch {
        &self.crew.watch
    }

    /// Where the bytes stand that are ready while this thread is in a call.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.seat.outbox
    }

    /// Whether this thread holds the loop.
    pub fn holds_loop(&self) -> bool {
        self.holds.get()
    }

    /// The run begins, in this thread.
    pub fn begin_holding(&self) {
        self.holds.set(true);
    }

    /// Takes the loop, if it is free.
    pub fn take_loop(&self) -> bool {
        if self.watch().baton.take() {
            self.holds.set(true);
        }
        self.holds.get()
    }

    /// Sets the loop free, and wakes a thread for it.
    pub fn release_loop(&self) {
        self.holds.set(false);
        self.watch().baton.release();
        self.watch().seats.wake_spare();
    }

    /// Whether a response that is ready has others to be written with. Where the loop has little to do
    /// writing them together gains nothing, and the monitor would have to be woken for them.
    pub fn has_company(&self) -> bool {
        self.holds.get()
            && !self.watch().is_lazy()
            && (!self.crew.ready.is_empty()
                || !self.crew.batch.borrow().is_empty()
                || self.writing.get() > 1)
    }

    /// A connection has something ready.
    pub fn add(&self, id: Id, outbound: Outbound) {
        self.crew.batch.borrow_mut().push(id);
        self.watch().batch.put(outbound);
        self.watch().rouse_monitor();
    }

    /// Whether a connection has something ready.
    pub fn has_batch(&self) -> bool {
        !self.crew.batch.borrow().is_empty()
    }

    /// Takes the connections that have something ready, with it.
    pub fn take(&self) -> Vec<(Id, Outbound)> {
        let outbounds = self.watch().batch.take_all();
        self.crew.batch.take().into_iter().zip(outbounds).collect()
    }

    /// So many of a batch are still to be written.
    pub fn set_writing(&self, count: usize) {
        self.writing.set(count);
    }

    /// Calls an application, in sight of the monitor; `called` is what is called, where slow calls are
    /// looked for. Another thread may hold the loop when it returns.
    pub fn enter<R>(
        &self,
        gil: Gil<'_>,
        called: Option<&Arc<Called>>,
        call: impl FnOnce() -> R,
    ) -> R {
        let crew = &*self.crew;
        let published = called.map(|called| crew.watch.begin_call(&self.seat, called));
        let ticket = self.holds.get().then(|| crew.watch.baton.enter());
        crew.count_calling(1);
        // A panic goes on when everything is as it was.
        let result = catch_unwind(AssertUnwindSafe(call));
        crew.count_calling(-1);
        if let Some(ticket) = ticket
            && !crew.watch.baton.leave(ticket)
        {
            self.holds.set(false);
        }
        self.end_published(gil, published);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Releases what runs `close()` of an application, in sight of those who look for slow calls. The loop
    /// stays with this thread.
    pub fn release<T>(&self, gil: Gil<'_>, called: Option<&Arc<Called>>, done: Option<T>) {
        let Some(done) = done else { return };
        let published = called.map(|called| self.watch().begin_call(&self.seat, called));
        drop(done);
        self.end_published(gil, published);
    }

    fn end_published(&self, gil: Gil<'_>, published: Option<Arc<Call>>) {
        if let Some(published) = published
            && let Some(line) = self.watch().end_call(&self.seat, &published)
        {
            console::write(gil, Stream::Stderr, &line);
        }
    }

    /// Has what is ready for `socket` stand in the outbox during `work`, in which applications are called: the
    /// monitor sends it if one takes its time.
    pub fn publish<R>(
        &self,
        socket: &Socket,
        out: &mut WriteQueue,
        work: impl FnOnce(&Outbox) -> R,
    ) -> R {
        let queue = std::mem::take(out);
        self.outbox().put(Outbound::new(socket.clone(), queue));
        let result = catch_unwind(AssertUnwindSafe(|| work(self.outbox())));
        if let Some(outbound) = self.outbox().take_last() {
            *out = outbound.into_queue();
        }
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}
