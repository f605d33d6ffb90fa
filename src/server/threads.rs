//! What a thread of the run does: it holds the loop, goes on with responses of its own, calls for
//! requests that wait for a thread, or is spare.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::app::child;
use crate::app::console;
use crate::app::interruption;
use crate::py::spawn::start_thread;
use crate::py::{Exception, Gil, Raised, threads};
use crate::server::connection::state::Event;
use crate::server::crew::Queued;
use crate::server::seats::Seat;
use crate::server::turn::Turn;
use crate::sys::clock;

use crate::server::run::Run;
use crate::server::wait::{after_wait, before_wait_with_threads, wake_in_wait};

/// How long the main thread is spare before it looks whether a signal came.
const SIGNALS: Duration = Duration::from_millis(500);

/// How long another thread is spare before it ends.
const IDLE: Duration = Duration::from_secs(30);

/// A thread that has the interpreter's lock as soon, in microseconds, took over from a call that waits.
const LOCK_WAIT: u64 = 4_000;

/// A client of a request that stood in the queue for as long, in microseconds, may have left.
const LONG_QUEUED: u64 = 1_000;

/// How often, and how far apart, a thread looks whether a spare that it woke has the loop.
const LOOKS_AT_LOOP: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

/// What a thread is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// To be spare.
    None,
    /// A request of the queue.
    Queue,
}

/// The place of a thread in the run, as long as there is the thread.
struct Place {
    run: Rc<Run>,
    turn: Turn,
}

impl Drop for Place {
    fn drop(&mut self) {
        let crew = &self.run.crew;
        crew.has_come(&self.turn.seat);
        crew.started.set(crew.started.get() - 1);
        self.run.watch.seats.remove(&self.turn.seat);
    }
}

impl Run {
    /// What a thread of the run does until the run is over: it holds the loop, goes on with responses of
    /// its own, calls for requests that wait for a thread, or is spare.
    pub(super) fn serve(self: &Rc<Self>, gil: Gil<'_>, turn: &Turn) {
        let is_main = turn.seat.number == 0;
        self.crew.has_come(&turn.seat);
        while !self.crew.ended.get() {
            // In a forked child nobody holds the loop, or sets it free.
            child::leave_if_forked(gil);
            if turn.holds_loop() || turn.take_loop() {
                self.hold(gil, turn);
                if self.reactor.stopped.get() && turn.holds_loop() {
                    self.crew.end();
                    self.reactor.ctx.taken.shut_down(gil);
                    return;
                }
                continue;
            }
            if let Some(id) = self.crew.receive(turn.seat.number) {
                self.leave_queue_to_holder();
                self.drive_id(gil, turn, id);
                continue;
            }
            if !self.leaves_queue_to_spares(turn)
                && let Some(queued) = self.crew.dequeue()
            {
                self.leave_queue_to_holder();
                self.call_queued(gil, turn, &queued);
                continue;
            }
            if self.crew.allows_quick_call() {
                // It is the holder's.
                self.reactor.wake_if_waiting();
            }
            if !self.be_spare(gil, turn, is_main) && !is_main && !turn.has_streams() {
                return;
            }
        }
    }

    /// This thread may enter a call that lasts: if nobody comes for what is queued then, the holder of the loop
    /// looks.
    fn leave_queue_to_holder(&self) {
        if self.crew.leaves_unattended() {
            self.reactor.wake_if_waiting();
        }
    }

    /// A thread that has responses to go on with is the last to be given a call: whether others come for the
    /// queue.
    fn leaves_queue_to_spares(&self, turn: &Turn) -> bool {
        if !turn.has_streams() {
            return false;
        }
        for seat in self.watch.seats.take_spares(self.crew.unattended(), false) {
            self.crew.expect(&seat);
            seat.parker.unpark();
        }
        self.crew.unattended() == 0
    }

    /// Waits for something to do. False when nothing came for long, and another one waits as well.
    pub(super) fn be_spare(&self, gil: Gil<'_>, turn: &Turn, is_main: bool) -> bool {
        if !self.watch.seats.become_spare(&turn.seat, &self.watch.baton) {
            return true;
        }
        let (seat, crew) = (turn.seat.clone(), &self.crew);
        if crew.has_mail(seat.number) || crew.ended.get() {
            self.watch.seats.stop_being_spare(&turn.seat);
            return true;
        }
        // Handlers of Python's signals run in the main thread only.
        let patience = if is_main { SIGNALS } else { IDLE };
        let woken = threads::without_lock(gil, move || {
            let woken = seat.parker.park_for(patience);
            (woken, clock::monotonic_micros())
        });
        let waited_for_lock = clock::monotonic_micros() - woken.1;
        crew.has_come(&turn.seat);
        if self.watch.baton.is_free() {
            // It takes the loop.
            crew.taken_quickly.set(waited_for_lock < LOCK_WAIT);
        }
        let may_end = self.watch.seats.leave_spares(&turn.seat) && !woken.0;
        if is_main && let Err(raised) = child::exit_if_forked(gil, Raised::check_signals(gil)) {
            self.reactor.fail(Exception::take(gil, raised));
            self.reactor.waker.wake();
        }
        !may_end
    }

    /// Whether this thread holds the loop after a call, or takes it again.
    pub(super) fn keeps_loop(&self, gil: Gil<'_>, turn: &Turn) -> bool {
        if turn.makes_way() {
            self.make_way(gil);
        }
        turn.holds_loop() || turn.take_loop()
    }

    /// A spare was woken to take the loop: it has a moment in which this thread does not.
    fn make_way(&self, gil: Gil<'_>) {
        let watch = self.watch.clone();
        threads::without_lock(gil, move || {
            for _ in 0..LOOKS_AT_LOOP {
                if !watch.baton.is_free() {
                    break;
                }
                std::thread::sleep(BETWEEN_LOOKS);
            }
        });
    }

    /// Calls for a request that waited for a thread, unless its client left meanwhile.
    pub(super) fn call_queued(&self, gil: Gil<'_>, turn: &Turn, queued: &Queued) {
        let Some(connection) = self.table.get(queued.id) else {
            return;
        };
        let has_waited = clock::monotonic_micros() - queued.since >= LONG_QUEUED;
        connection.peek(|work| {
            work.is_queued = false;
            if has_waited && work.socket.has_ended() {
                work.on(Event::Gone);
            }
        });
        self.drive(gil, turn, &connection);
    }

    /// Calls for a request of the queue in the thread that holds the loop: one that is expected to be quick, or
    /// any where no other thread will.
    pub(super) fn call_queued_here(&self, gil: Gil<'_>, turn: &Turn) {
        if let Some(queued) = self.crew.dequeue_quick() {
            self.call_queued(gil, turn, &queued);
        } else if self.crew.needs_holder()
            && let Some(queued) = self.crew.dequeue()
        {
            turn.release_loop();
            self.call_queued(gil, turn, &queued);
        }
    }

    /// Whether there is one for it.
    pub(super) fn is_to_call_queued(&self) -> bool {
        self.crew.allows_quick_call() || self.crew.needs_holder()
    }

    /// Before the wait: has threads come for the queue, and makes them where there are too few.
    pub(super) fn call_for_threads(self: &Rc<Self>, gil: Gil<'_>) {
        self.crew.log_if_busy(gil);
        if self.crew.unattended() == 0 {
            return;
        }
        let mut seats = self.expect_spares(false);
        // Other threads run while one starts, and may take what is queued.
        while self.crew.unattended() > 0 && self.crew.may_start_thread() {
            self.start_thread(gil, Task::Queue);
        }
        // Those that have responses to go on with are the last.
        seats.append(&mut self.expect_spares(true));
        wake_in_wait(seats);
    }

    /// Spare threads for what is queued, to be woken.
    fn expect_spares(&self, may_have_streams: bool) -> Vec<Arc<Seat>> {
        let seats = (self.watch.seats).take_spares(self.crew.unattended(), may_have_streams);
        for seat in &seats {
            self.crew.expect(seat);
        }
        seats
    }

    /// Makes a thread before it is needed.
    pub(super) fn prepare_spare(self: &Rc<Self>, gil: Gil<'_>) {
        if self.crew.wants_thread() {
            self.start_thread(gil, Task::None);
        }
    }

    fn start_thread(self: &Rc<Self>, gil: Gil<'_>, task: Task) {
        let name = format!("fapws-{}", self.crew.started.get());
        let place = Place {
            run: self.clone(),
            turn: Turn::new(self.crew.clone()),
        };
        if task == Task::Queue {
            self.crew.expect(&place.turn.seat);
        }
        let place = Rc::new(Cell::new(Some(place)));
        let to_take = place.clone();
        let started = start_thread(gil, &name, move |gil| {
            let Some(place) = to_take.take() else {
                return Ok(());
            };
            let run = &place.run;
            threads::serving(gil, || {
                run.reactor
                    .lp
                    .on_wait_here(before_wait_with_threads, after_wait);
                run.serve(gil, &place.turn);
            });
            Ok(())
        })
        .map(drop);
        let may_begin = started.is_ok() && Rc::strong_count(&place) > 1;
        let is_interrupted =
            started.is_err_and(|raised| !interruption::ignore_failure(gil, raised));
        // A handler of a signal may raise when the thread has begun already. One that has not will find no place:
        // the program may keep the object of a thread that could not be started.
        if may_begin || place.take().is_none() {
            self.crew.thread_limit.lifted();
        } else if self.crew.thread_limit.reached(clock::monotonic_micros()) && !is_interrupted {
            let line = "no more threads can be started: the server goes on with those it has";
            console::log_error(gil, line);
        }
    }
}
