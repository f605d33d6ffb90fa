//! The threads of a run: who waits in a call, who is spare, what waits for whom.
//!
//! The loop is a baton ([`super::baton`]). Its holder polls, reads, calls and writes; an application
//! that is quick never leaves it. When a call turns out slow the monitor sets the loop free and wakes a
//! spare thread; where a call is expected to be slow its own thread does that first. A thread whose call
//! returned finishes the response by itself, takes the loop if it is free, and is spare else.
//!
//! Up to [`Crew::limit`] threads wait in calls while one more serves what is quick. Where its call turns
//! out slow too, yet another holds the loop and calls nobody.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::app::console;
use crate::py::Gil;
use crate::py::out::Stream;
use crate::scoreboard::{self, Word};
use crate::server::expectation::Expectation;
use crate::server::monitor::{Seat, Watch};
use crate::server::ready::{Id, Ready, ReadyList};
use crate::server::thread_limit::ThreadLimit;
use crate::server_log::ServerLog;
use crate::sys::clock;

/// What the threads of a run share, behind the interpreter's lock.
pub struct Crew {
    /// How many threads may wait in calls (`config.threads`).
    pub limit: usize,
    /// Whether calls in flight are published, so that slow ones are seen.
    pub looks_for_slow_calls: bool,
    /// What is ready for the holder of the loop.
    pub ready: Rc<ReadyList>,
    /// What the monitor sees.
    pub watch: Arc<Watch>,
    /// The connections of which responses stand in the loop's outbox, in its order.
    pub batch: RefCell<Vec<Id>>,
    /// Which requests are expected to wait.
    pub expectation: Expectation,
    /// Threads in calls, the holder included.
    pub calling: Cell<usize>,
    /// Threads there are.
    pub started: Cell<usize>,
    /// A timer's callback or a deferred call is being made: there is one at a time.
    pub calls_back: Cell<bool>,
    /// Timers that became ready meanwhile.
    late_timers: RefCell<Vec<usize>>,
    /// The run is over.
    pub ended: Cell<bool>,
    /// Requests that wait for a thread, in order of arrival.
    queue: RefCell<VecDeque<Id>>,
    /// Connections whose response belongs to a thread, by its seat's number.
    inboxes: RefCell<Vec<VecDeque<Id>>>,
    /// The log said that all threads are busy.
    pub said_busy: Cell<bool>,
    /// The thread that took the loop last had the interpreter's lock at once: the call gave it away.
    pub taken_quickly: Cell<bool>,
    /// Whether more threads can be started.
    pub thread_limit: ThreadLimit,
}

impl Crew {
    /// The threads of a run in which up to `limit` applications wait.
    pub fn new(
        limit: usize,
        ready: Rc<ReadyList>,
        watch: Arc<Watch>,
        looks_for_slow_calls: bool,
    ) -> Rc<Crew> {
        Rc::new(Crew {
            limit,
            looks_for_slow_calls,
            ready,
            watch,
            batch: RefCell::default(),
            expectation: Expectation::default(),
            calling: Cell::new(0),
            started: Cell::new(0),
            calls_back: Cell::new(false),
            late_timers: RefCell::default(),
            ended: Cell::new(false),
            queue: RefCell::default(),
            inboxes: RefCell::default(),
            said_busy: Cell::new(false),
            taken_quickly: Cell::new(false),
            thread_limit: ThreadLimit::default(),
        })
    }

    /// A thread enters a call, or leaves it.
    pub fn count_calling(&self, more: isize) {
        let calling = self.calling.get().saturating_add_signed(more);
        self.calling.set(calling);
        scoreboard::set(Word::BusyThreads, calling as u64);
        if self.is_threaded() {
            self.publish_busy(calling);
        }
    }

    /// Whether every thread is in a call, for the master.
    #[inline(never)]
    fn publish_busy(&self, calling: usize) {
        let all = calling >= self.limit && scoreboard::hold_threads(calling);
        scoreboard::set_all_busy(all);
    }

    /// Whether there is more than one thread.
    pub fn is_threaded(&self) -> bool {
        self.limit > 1
    }

    /// A seat for one more thread.
    pub fn take_seat(&self) -> Arc<Seat> {
        self.started.set(self.started.get() + 1);
        let seat = self.watch.add_seat();
        let mut inboxes = self.inboxes.borrow_mut();
        while inboxes.len() <= seat.number {
            inboxes.push(VecDeque::new());
        }
        seat
    }

    /// Whether another thread is to be made: none is spare, and one may be needed.
    pub fn wants_thread(&self) -> bool {
        self.is_threaded()
            && self.started.get() < self.limit + 2
            && !self.watch.has_spare()
            && self.thread_limit.allows_attempt(clock::monotonic_micros)
    }

    /// A request has to wait for a thread. The log says once that there are too few.
    pub fn enqueue(&self, gil: Gil<'_>, id: Id) {
        if self.calling.get() >= self.limit && !self.said_busy.replace(true) {
            let line = format!(
                "all threads busy: {} calls wait, and more would",
                self.limit
            );
            let line = ServerLog::of_stderr().warning(line.as_bytes());
            console::write(gil, Stream::Stderr, &line);
        }
        self.queue.borrow_mut().push_back(id);
        scoreboard::set(Word::Queued, self.queued() as u64);
    }

    /// The request that waits longest, if a thread may be given to it.
    pub fn dequeue(&self) -> Option<Id> {
        if self.calling.get() >= self.limit {
            return None;
        }
        let next = self.queue.borrow_mut().pop_front();
        scoreboard::set(Word::Queued, self.queued() as u64);
        next
    }

    /// Requests that wait for a thread.
    pub fn queued(&self) -> usize {
        self.queue.borrow().len()
    }

    /// A connection goes on in the thread that called its application.
    pub fn send_to(&self, number: usize, id: Id) {
        if let Some(inbox) = self.inboxes.borrow_mut().get_mut(number) {
            inbox.push_back(id);
        }
        self.watch.unpark(number);
    }

    /// What goes on in the thread of this seat.
    pub fn receive(&self, number: usize) -> Option<Id> {
        self.inboxes.borrow_mut().get_mut(number)?.pop_front()
    }

    /// The thread of this seat holds the loop and is about to poll: what goes on in it is ready, like all else.
    pub fn receive_as_holder(&self, number: usize) {
        while let Some(id) = self.receive(number) {
            self.ready.push(Ready::Connection(id));
        }
    }

    /// Whether something does.
    pub fn has_mail(&self, number: usize) -> bool {
        let inboxes = self.inboxes.borrow();
        inboxes.get(number).is_some_and(|inbox| !inbox.is_empty())
    }

    /// A timer is ready while another callback is being made: it fires when that is over, once.
    pub fn delay_timer(&self, index: usize) {
        let mut late = self.late_timers.borrow_mut();
        if !late.contains(&index) {
            late.push(index);
        }
    }

    /// The callback is over.
    pub fn stop_calling_back(&self) {
        self.calls_back.set(false);
        for index in self.late_timers.take() {
            self.ready.push(Ready::Timer(index));
        }
    }

    /// The run is over: every thread is to see it.
    pub fn end(&self) {
        self.ended.set(true);
        self.watch.unpark_all();
    }
}
