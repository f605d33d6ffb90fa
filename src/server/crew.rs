//! The threads of a run: who waits in a call, who is spare, what waits for whom.
//!
//! The loop is a baton ([`super::baton`]). Its holder polls, reads, calls and writes; an application
//! that is quick never leaves it. When a call turns out slow the monitor sets the loop free and wakes a
//! spare thread. A call that is expected to be slow stands in a queue; spare threads are woken for the queue
//! once the holder has released the interpreter's lock for its wait, so that they find it free. A thread
//! whose call returned finishes the response by itself, takes the loop if it is free, goes on with the queue,
//! and is spare else.
//!
//! Up to [`Crew::limit`] threads wait in calls while one more serves what is quick. Where its call turns
//! out slow too, yet another holds the loop and calls nobody.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::app::console;
use crate::py::Gil;
use crate::py::out::Stream;
use crate::scoreboard::{self, Word};
use crate::server::demand::Demand;
use crate::server::expectation::Expectation;
use crate::server::monitor::Watch;
use crate::server::ready::{Id, Ready, ReadyList};
use crate::server::seats::Seat;
use crate::server::thread_limit::ThreadLimit;
use crate::server_log::ServerLog;
use crate::sys::clock;

/// What the threads of a run share, behind the interpreter's lock.
pub struct Crew {
    /// How many threads may wait in calls (`config.threads`).
    pub limit: usize,
    /// Threads in calls, requests that wait for a thread, threads that come for them.
    demand: Cell<Demand>,
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
    /// Threads there are.
    pub started: Cell<usize>,
    /// A timer's callback or a deferred call is being made: there is one at a time.
    pub calls_back: Cell<bool>,
    /// Timers that became ready meanwhile.
    late_timers: RefCell<Vec<usize>>,
    /// The run is over.
    pub ended: Cell<bool>,
    /// Requests that wait for a thread, in order of arrival.
    queue: RefCell<VecDeque<Queued>>,
    /// Connections whose response belongs to a thread, by its seat's number.
    inboxes: RefCell<Vec<VecDeque<Id>>>,
    /// The log said that all threads are busy.
    pub said_busy: Cell<bool>,
    /// The thread that took the loop last had the interpreter's lock at once: the call gave it away.
    pub taken_quickly: Cell<bool>,
    /// Whether more threads can be started.
    pub thread_limit: ThreadLimit,
}

/// A request that waits for a thread.
pub struct Queued {
    /// Its connection.
    pub id: Id,
    /// It is expected to wait.
    waits: bool,
    /// Since when, in microseconds of the monotonic clock.
    pub since: u64,
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
            demand: Cell::new(Demand::new(limit)),
            looks_for_slow_calls,
            ready,
            watch,
            batch: RefCell::default(),
            expectation: Expectation::default(),
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
        let mut demand = self.demand.get();
        let calling = demand.calling.saturating_add_signed(more);
        demand.calling = calling;
        self.demand.set(demand);
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
        let seat = self.watch.seats.add();
        let mut inboxes = self.inboxes.borrow_mut();
        while inboxes.len() <= seat.number {
            inboxes.push(VecDeque::new());
        }
        seat
    }

    /// Whether another thread is to be made: none is spare, and one may be needed.
    pub fn wants_thread(&self) -> bool {
        self.is_threaded() && !self.watch.seats.has_spare() && self.may_start_thread()
    }

    /// Whether another thread can be made.
    pub fn may_start_thread(&self) -> bool {
        self.started.get() < self.limit + 2
            && self.thread_limit.allows_attempt(clock::monotonic_micros)
    }

    /// Whether a thread is spare or can be made.
    fn can_come(&self) -> bool {
        self.watch.seats.has_spare() || self.may_start_thread()
    }

    /// Whether the holder of the loop has a request wait for another thread; `waits` if it is expected to wait.
    pub fn defers(&self, waits: bool) -> bool {
        self.demand.get().defers(waits, || self.can_come())
    }

    /// Whether the holder of the loop is to call for a request of the queue, since no other thread will.
    pub fn needs_holder(&self) -> bool {
        self.demand.get().needs_holder(|| self.can_come())
    }

    /// Requests of the queue that may be called for, and for which no thread comes.
    pub fn unattended(&self) -> usize {
        self.demand.get().unattended()
    }

    /// Whether a thread that is about to enter a call leaves such requests behind.
    pub fn leaves_unattended(&self) -> bool {
        self.demand.get().leaves_unattended()
    }

    /// A request has to wait for a thread.
    pub fn enqueue(&self, id: Id, waits: bool) {
        let since = clock::monotonic_micros();
        self.queue
            .borrow_mut()
            .push_back(Queued { id, waits, since });
        self.count_queued(if waits { 0 } else { 1 });
    }

    /// So many more of what is queued are expected to be quick.
    fn count_queued(&self, quick: isize) {
        let mut demand = self.demand.get();
        demand.queued = self.queue.borrow().len();
        demand.quick = demand.quick.saturating_add_signed(quick);
        self.demand.set(demand);
        scoreboard::set(Word::Queued, demand.queued as u64);
    }

    /// The log says once that more calls would wait than may.
    pub fn log_if_busy(&self, gil: Gil<'_>) {
        if self.demand.get().exceeds_limit() && !self.said_busy.replace(true) {
            let line = format!(
                "all threads busy: {} calls wait, and more would",
                self.limit
            );
            let line = ServerLog::of_stderr().warning(line.as_bytes());
            console::write(gil, Stream::Stderr, &line);
        }
    }

    /// This thread was woken or made for the queue.
    pub fn expect(&self, seat: &Seat) {
        seat.is_coming.store(true, Ordering::Relaxed);
        self.count_coming(1);
    }

    /// A thread has come, for the queue or for something else.
    pub fn has_come(&self, seat: &Seat) {
        if seat.is_coming.swap(false, Ordering::Relaxed) {
            self.count_coming(-1);
        }
    }

    fn count_coming(&self, more: isize) {
        let mut demand = self.demand.get();
        demand.coming = demand.coming.saturating_add_signed(more);
        self.demand.set(demand);
    }

    /// The request that waits longest, if a thread may be given to it.
    pub fn dequeue(&self) -> Option<Queued> {
        if !self.demand.get().allows_call() {
            return None;
        }
        let next = self.queue.borrow_mut().pop_front()?;
        self.count_queued(if next.waits { 0 } else { -1 });
        Some(next)
    }

    /// The same for the holder of the loop: the first that is expected to be quick.
    pub fn dequeue_quick(&self) -> Option<Queued> {
        if !self.allows_quick_call() {
            return None;
        }
        let mut queue = self.queue.borrow_mut();
        let at = queue.iter().position(|queued| !queued.waits)?;
        let next = queue.remove(at)?;
        drop(queue);
        self.count_queued(-1);
        Some(next)
    }

    /// Whether there is one.
    pub fn allows_quick_call(&self) -> bool {
        self.demand.get().allows_quick_call()
    }

    /// A connection goes on in the thread that called its application.
    pub fn send_to(&self, number: usize, id: Id) {
        if let Some(inbox) = self.inboxes.borrow_mut().get_mut(number) {
            inbox.push_back(id);
        }
        self.watch.seats.unpark(number);
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
        self.watch.seats.unpark_all();
    }
}
