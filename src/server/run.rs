//! The turns of the loop of one `run`, which [`super::serve`] sets up.
//!
//! The thread that holds the loop goes round in [`Run::hold`]: it works off what is ready, writes what
//! the turn has made ready, and polls. Everything that calls Python is called from there, outside of
//! libev.

#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::app::child;
use crate::app::console;
use crate::app::interruption;
use crate::ev::{Timer, Wake, guarded};
use crate::py::{Exception, Gil, Raised, Result};
use crate::server::accept::accept_next;
use crate::server::connection::drive::{Driven, drive};
use crate::server::connection::state::{Event, Stage};
use crate::server::connection::work::Connection;
use crate::server::connection::write::{Flushed, flush};
use crate::server::crew::Crew;
use crate::server::fair_share::FairShare;
use crate::server::listener::Acceptor;
use crate::server::monitor::{Monitor, Watch};
use crate::server::reactor::Reactor;
use crate::server::ready::{Id, Ready};
use crate::server::registry::registry;
use crate::server::signals::Signals;
use crate::server::slow_calls::Called;
use crate::server::stats::count;
use crate::server::table::Table;
use crate::server::timeouts::PERIOD;
use crate::server::turn::Turn;
use crate::server::wait::{after_wait, before_wait, before_wait_with_threads, wake_now};

/// Connections accepted before others come.
const ACCEPT_QUANTUM: usize = 64;

/// One run.
pub struct Run {
    pub(super) reactor: Rc<Reactor>,
    pub(super) table: Table,
    pub(super) acceptors: Vec<Rc<Acceptor>>,
    pub(super) crew: Rc<Crew>,
    pub(super) watch: Arc<Watch>,
    /// Whom it leaves to other workers.
    pub(super) fair_share: FairShare,
    /// What it does about signals.
    pub(super) signals: OnceCell<Signals>,
    /// The monitor's look when the bytes that it sent were counted last.
    pub(super) counted: Cell<Option<u64>>,
    /// Lines of the access log that were lost and not reported yet, and ticks until they may be.
    pub(super) lost_lines: Cell<(u64, u32)>,
}

/// Calls what `on_ready` set: the server listens, and is about to poll for the first time.
pub(super) fn report_ready(gil: Gil<'_>) -> Result<()> {
    let on_ready = &registry(gil).on_ready;
    let callback = on_ready.borrow().as_ref().map(|each| each.own(gil));
    match callback {
        Some(callback) => callback.call(gil, &[]).map(drop),
        None => Ok(()),
    }
}

impl Run {
    /// Runs the loop with its watchers; everything is as it was when it returns.
    pub(super) fn turns(self: &Rc<Self>, gil: Gil<'_>, turn: &Turn, wake: Wake) {
        let (lp, ready) = (self.reactor.lp, &self.reactor.ready);
        let registry = registry(gil);
        let signals = match Signals::take(gil, lp, ready, self.reactor.ctx.dialect) {
            Ok(signals) => self.signals.get_or_init(|| signals),
            Err(raised) => {
                self.reactor.fail(Exception::take(gil, raised));
                return;
            }
        };
        let ticks = ready.clone();
        let ticker = Timer::new(move || ticks.push(Ready::Tick));
        ticker.start(lp, PERIOD, PERIOD);
        registry.timers.start_all(lp, ready);
        self.accept_again();
        if self.crew.is_threaded() {
            lp.on_wait(before_wait_with_threads, after_wait);
        } else {
            lp.on_wait(before_wait, after_wait);
        }
        wake.start(lp);
        if self.crew.is_threaded() {
            lp.take_turns(true);
            self.watch.hand_over_slow_calls();
        }
        let monitor = Monitor::start(&self.watch);
        turn.begin_holding();
        match child::exit_if_forked(gil, report_ready(gil)) {
            Ok(()) => self.serve(gil, turn),
            Err(raised) => self.reactor.fail(Exception::take(gil, raised)),
        }
        drop(monitor);
        for acceptor in &self.acceptors {
            acceptor.pause();
        }
        registry.timers.stop_all();
        drop((ticker, wake));
        lp.take_turns(false);
        if let Err(raised) = signals.restore(gil) {
            self.reactor.fail(Exception::take(gil, raised));
        }
    }

    /// Goes round until the run is stopped, or another thread holds the loop.
    pub(super) fn hold(self: &Rc<Self>, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        let registry = registry(gil);
        loop {
            if self.crew.is_threaded() {
                self.prepare_spare(gil);
                self.call_queued_here(gil, turn);
                if !self.keeps_loop(gil, turn) {
                    return;
                }
            }
            while let Some(ready) = reactor.ready.pop() {
                child::leave_if_forked(gil);
                if ready != Ready::Tick && self.watch.is_waiting() {
                    self.watch.begin_turn();
                }
                self.work_off(gil, turn, ready);
                if !self.keeps_loop(gil, turn) {
                    return;
                }
            }
            // A child that was forked wherever it was has copies of the parent's responses.
            drop(child::exit_if_forked(gil, Ok(())));
            self.write_batch(gil, turn);
            if !turn.holds_loop() && !turn.take_loop() {
                return;
            }
            let look = self.watch.looks();
            if self.counted.replace(look) != look {
                count(&registry.stats.bytes_out, self.watch.take_sent());
                self.count_lost_lines(gil);
            }
            if reactor.log.is_some() {
                self.watch.lines.end_turn(look.is_some());
            }
            if reactor.stopped.get() {
                return;
            }
            if self.crew.is_threaded() {
                // Sent while it was spare, or while another thread held the loop.
                self.crew.receive_as_holder(turn.seat.number);
            }
            if !reactor.ready.is_empty() {
                continue;
            }
            let is_needed = self.crew.is_threaded() && {
                self.call_for_threads(gil);
                self.is_to_call_queued()
            };
            if is_needed {
                // What is ready meanwhile comes between two requests of the queue.
                reactor.poll(false);
                self.watch.begin_turn();
            } else if registry.deferred.queued() == 0 || self.crew.calls_back.get() {
                self.watch.begin_wait();
                reactor.poll(true);
                // A tick alone calls nobody, and the monitor goes on sleeping.
                if self.crew.is_threaded() || !reactor.ready.is_tick_alone() {
                    self.watch.begin_turn();
                }
            } else {
                reactor.poll(false);
                self.watch.begin_turn();
                if reactor.ready.is_empty() {
                    self.run_deferred(gil, turn);
                    if !turn.holds_loop() && !turn.take_loop() {
                        return;
                    }
                }
            }
            if self.crew.is_threaded() {
                wake_now();
            }
            reactor.ready.order();
            reactor.ctx.update_clock(reactor.lp.now() as i64);
            if let Some(log) = &reactor.log {
                log.begin_turn(reactor.lp.now() as i64);
            }
            let signalled = Raised::check_signals(gil).and_then(|()| interruption::raise(gil));
            if let Err(raised) = child::exit_if_forked(gil, signalled) {
                reactor.fail(Exception::take(gil, raised));
            }
        }
    }

    /// Works off one thing that is ready; a panic ends at most a connection.
    fn work_off(&self, gil: Gil<'_>, turn: &Turn, ready: Ready) {
        guarded(|| match ready {
            Ready::Connection(id) => {
                self.drive_id(gil, turn, id);
            }
            Ready::Listener(index) => self.accept(gil, turn, index),
            Ready::Timer(index) if self.crew.calls_back.get() => self.crew.delay_timer(index),
            Ready::Timer(index) => {
                let fired = self.call_back(gil, turn, Called::Timer, || {
                    registry(gil).timers.fire(gil, index)
                });
                self.called_back(gil, turn, fired);
            }
            Ready::StartTimer(index) => registry(gil).timers.start(index),
            Ready::Stop | Ready::Drain if self.reactor.is_draining() => {}
            Ready::Stop => self.end_later(gil, turn),
            Ready::Drain => self.drain(gil, turn),
            Ready::AcceptAgain => self.accept_again(),
            // It is looked for when nothing else is ready.
            Ready::Deferred => {}
            Ready::Signal(number) => self.signalled(gil, turn, number),
            Ready::Tick => self.tick(gil, turn),
        });
    }

    pub(super) fn drive_id(&self, gil: Gil<'_>, turn: &Turn, id: Id) {
        if let Some(connection) = self.table.get(id) {
            self.drive(gil, turn, &connection);
        }
    }

    pub(super) fn drive(&self, gil: Gil<'_>, turn: &Turn, connection: &Rc<Connection>) {
        let mut driven = drive(gil, turn, connection);
        if driven == Driven::EndsRun {
            if !self.reactor.is_draining() {
                self.drain(gil, turn);
            }
            driven = drive(gil, turn, connection);
        }
        if driven == Driven::Closed {
            self.closed(connection);
        }
    }

    pub(super) fn closed(&self, connection: &Connection) {
        self.table.remove(connection);
        if self.reactor.is_draining() {
            self.stop_if_drained();
        } else {
            self.accept_again();
        }
    }

    /// Accepts who waits at a listener, as far as it is its turn, and reads each at once.
    fn accept(&self, gil: Gil<'_>, turn: &Turn, index: usize) {
        let Some(acceptor) = self.acceptors.get(index) else {
            return;
        };
        for _ in 0..ACCEPT_QUANTUM {
            if self.reactor.is_draining() {
                return;
            }
            if self
                .fair_share
                .declines(self.reactor.lp, self.reactor.open.get() as u64)
            {
                acceptor.pause();
                return;
            }
            match accept_next(gil, &self.reactor, &self.table, acceptor) {
                Some(connection) => self.drive(gil, turn, &connection),
                None => return,
            }
            if !turn.holds_loop() {
                return;
            }
        }
    }

    /// Lets every listener accept, as far as there is room.
    pub(super) fn accept_again(&self) {
        if self.reactor.is_draining() || !self.reactor.has_room() {
            return;
        }
        for acceptor in &self.acceptors {
            acceptor.watch(self.reactor.lp);
        }
    }

    /// Writes what the turn has made ready, and lets the connections go on.
    pub(super) fn write_batch(&self, gil: Gil<'_>, turn: &Turn) {
        if !turn.has_batch() {
            return;
        }
        let batch = turn.take();
        let mut left = batch.len();
        // Everything is written before more is pulled from any application.
        for (id, outbound) in batch {
            turn.set_writing(left);
            left -= 1;
            let Some(connection) = self.table.get(id) else {
                continue;
            };
            let is_done = connection.peek(|work| {
                work.is_batched = false;
                work.out = outbound.into_queue();
                if flush(gil, &work.socket, &mut work.out) == Flushed::Gone {
                    work.on(Event::Gone);
                }
                work.state.stage() == Stage::Head && !work.unseen
            });
            if is_done == Some(true) {
                self.drive(gil, turn, &connection);
            } else {
                // It may call an application, in which the loop may be lost.
                self.reactor.ready.push(Ready::Connection(id));
            }
        }
        turn.set_writing(0);
    }

    fn run_deferred(&self, gil: Gil<'_>, turn: &Turn) {
        let result = self.call_back(gil, turn, Called::Deferred, || {
            registry(gil).deferred.run_one(gil)
        });
        if let Err(raised) = child::exit_if_forked(gil, result) {
            // Before a line is printed: on Python 3 that runs Python code, which would lose it.
            let exception = Exception::take(gil, raised);
            console::print_line(gil, "ERROR!!!! Defer callback function as a problem. ");
            console::print_line(gil, "I remind that it takes always one argumet");
            self.callback_raised(gil, turn, exception);
        }
    }

    /// Calls what is no application. Where it loses the loop, the next callback waits for it all the same.
    fn call_back<R>(
        &self,
        gil: Gil<'_>,
        turn: &Turn,
        called: Called,
        call: impl FnOnce() -> R,
    ) -> R {
        struct CallsBack<'a>(&'a Run);
        impl Drop for CallsBack<'_> {
            fn drop(&mut self) {
                self.0.crew.stop_calling_back();
                self.0.reactor.wake_if_waiting();
            }
        }
        let called = self.crew.looks_for_slow_calls.then(|| Arc::new(called));
        self.crew.calls_back.set(true);
        let _calls_back = CallsBack(self);
        turn.enter(gil, called.as_ref(), call)
    }

    pub(super) fn called_back(&self, gil: Gil<'_>, turn: &Turn, result: Result<()>) {
        if let Err(raised) = child::exit_if_forked(gil, result) {
            self.callback_raised(gil, turn, Exception::take(gil, raised));
        }
    }

    /// A timer's callback or a deferred call raised. In the legacy dialect `SystemExit` ends `run`,
    /// which raises it, as an application's does; anything else is reported and ends nothing.
    pub(super) fn callback_raised(&self, gil: Gil<'_>, turn: &Turn, exception: Exception) {
        let ctx = &self.reactor.ctx;
        if !ctx.ends_run(gil, &exception) {
            console::log_exception(gil, &exception);
            return;
        }
        let replaced = ctx.exit.replace(Some(exception));
        drop(replaced);
        if !self.reactor.is_draining() {
            self.drain(gil, turn);
        }
    }
}
