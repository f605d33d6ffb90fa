//! One `run`: set up, the turns of the loop, the tick, the graceful end.
//!
//! The thread that holds the loop goes round in [`Run::hold`]: it works off what is ready, writes what
//! the turn has made ready, and polls. Everything that calls Python is called from there, outside of
//! libev.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::access_log::settings::AccessLogSettings;
use crate::app::child;
use crate::app::console;
use crate::app::context::AppContext;
use crate::app::logged::Logged;
use crate::config::Config;
use crate::ev::{Loop, Timer, Wake, guarded};
use crate::http::error::HttpError;
use crate::py::spawn::start_thread;
use crate::py::{Exception, Gil, Kind, Raised, Result, threads};
use crate::scoreboard::{self, Word};
use crate::server::accept::accept_next;
use crate::server::batch::Turn;
use crate::server::connection::body;
use crate::server::connection::close::{TimedOut, is_idle, shorten_idle, timed_out};
use crate::server::connection::drive::{Driven, drive};
use crate::server::connection::reject::reject_now;
use crate::server::connection::state::{Event, Stage};
use crate::server::connection::work::{Connection, Work};
use crate::server::connection::write::{Flushed, flush, flush_now};
use crate::server::crew::Crew;
use crate::server::listener::Acceptor;
use crate::server::log::AccessLog;
use crate::server::monitor::{Monitor, Watch};
use crate::server::reactor::Reactor;
use crate::server::ready::{Id, Ready, ReadyList};
use crate::server::registry::registry;
use crate::server::signals::Signals;
use crate::server::stats::count;
use crate::server::table::Table;
use crate::server::timeouts::PERIOD;
use crate::sys::{clock, fork, signal};

/// Connections accepted before others come.
const ACCEPT_QUANTUM: usize = 64;

/// More than the kernel's queue of a listener holds: later clients are no longer ours.
const LONGEST_BACKLOG: usize = 65536;

/// Bytes of long bodies that go to files at one tick, behind which everybody waits.
const SPILL_BUDGET: u64 = 8 << 20;

/// Ticks between two reports of lines that were lost.
const TICKS_BETWEEN_REPORTS: u32 = 40;

/// How long the main thread is spare before it looks whether a signal came.
const SIGNALS: Duration = Duration::from_millis(500);

/// How long another thread is spare before it ends.
const IDLE: Duration = Duration::from_secs(30);

/// A thread that has the interpreter's lock as soon, in microseconds, took over from a call that waits.
const LOCK_WAIT: u64 = 4_000;

/// One run.
pub struct Run {
    reactor: Rc<Reactor>,
    table: Table,
    acceptors: Vec<Rc<Acceptor>>,
    crew: Rc<Crew>,
    watch: Arc<Watch>,
    /// The monitor's look when the bytes that it sent were counted last.
    counted: Cell<Option<u64>>,
    /// Lines of the access log that were lost and not reported yet, and ticks until they may be.
    lost_lines: Cell<(u64, u32)>,
}

/// Serves until a signal ends it.
pub fn serve(gil: Gil<'_>) -> Result<()> {
    let registry = registry(gil);
    if registry.reactor().is_some() {
        return Err(registry.error(gil, "run() is serving already"));
    }
    if !registry.listeners.can_listen() {
        return Err(registry.error(gil, "start() must be called before run()"));
    }
    let Some(base) = registry.base() else {
        return Err(registry.error(gil, "Base module not set"));
    };
    let dialect = registry.dialect(gil)?;
    let config = Config::read(gil, &base.config, dialect)?;
    if config.threads > 1 && !dialect.may_have_threads() {
        let message = "config.threads above 1 needs the standard dialect and Python 3";
        return Err(Raised::new(gil, Kind::ValueError, message));
    }
    let log = AccessLogSettings::read(gil, &base.config)?;
    let lp = match Loop::default_loop() {
        Ok(lp) => lp,
        Err(error) => return Err(registry.error(gil, &error.to_string())),
    };
    threads::prepare(gil);
    fork::mark();
    console::print_line(gil, &format!("Using {} as event backend", lp.backend()));
    let ready = Rc::new(ReadyList::default());
    let opened = registry.listeners.open(&ready, config.tcp_defer_accept);
    let acceptors = match opened {
        Ok(acceptors) => acceptors,
        Err(error) => return Err(registry.error(gil, &error.to_string())),
    };
    let wake = Wake::new(|| ());
    let watch = Arc::<Watch>::default();
    let longest_line = config.max_request_line;
    let log = log
        .map(|settings| AccessLog::open(gil, settings, longest_line, &watch))
        .transpose()?;
    let mut ctx = AppContext::new(dialect, config, base, flush_now);
    if let Some(log) = &log {
        ctx.logged = Logged::new(gil, log.variables(), log.wants_response_head())?;
        log.begin_turn(lp.now() as i64);
    }
    let reactor = Reactor::new(lp, ctx, log, ready.clone(), wake.waker());
    reactor.ctx.update_clock(lp.now() as i64);
    let crew = Crew::new(reactor.ctx.config.threads, ready, watch.clone());
    let run = Rc::new(Run {
        reactor: reactor.clone(),
        table: Table::default(),
        acceptors,
        crew: crew.clone(),
        watch,
        counted: Cell::new(None),
        lost_lines: Cell::new((0, 0)),
    });
    registry.set_reactor(Some(reactor));
    scoreboard::begin_run(crew.limit as u64);
    let turn = Turn::new(crew);
    threads::serving(gil, || run.turns(gil, &turn, wake));
    scoreboard::end_run();
    let ending = run.finish(gil, &turn);
    run.finish_log(gil);
    registry.set_reactor(None);
    match ending {
        Some(exception) => Err(exception.restore(gil)),
        None => Ok(()),
    }
}

/// The loop is about to wait. A child that the program forked, wherever that was, does not come this
/// far: it would take the parent's events.
fn before_wait() {
    if fork::is_child() {
        threads::in_callback(|gil| drop(child::exit_if_forked(gil, Ok(()))));
    }
    scoreboard::end_turn();
    threads::release();
}

/// The loop has waited. That it is at work shows before it has the lock, which a thread of the program
/// may not give up.
fn after_wait() {
    scoreboard::begin_turn();
    threads::acquire();
}

/// Calls what `on_ready` set: the server listens, and is about to poll for the first time.
fn report_ready(gil: Gil<'_>) -> Result<()> {
    let on_ready = &registry(gil).on_ready;
    let callback = on_ready.borrow().as_ref().map(|each| each.own(gil));
    match callback {
        Some(callback) => callback.call(gil, &[]).map(drop),
        None => Ok(()),
    }
}

impl Run {
    /// Runs the loop with its watchers; everything is as it was when it returns.
    fn turns(self: &Rc<Self>, gil: Gil<'_>, turn: &Turn, wake: Wake) {
        let (lp, ready) = (self.reactor.lp, &self.reactor.ready);
        let registry = registry(gil);
        let signals = Signals::watch(lp, ready);
        let ticks = ready.clone();
        let ticker = Timer::new(move || ticks.push(Ready::Tick));
        ticker.start(lp, PERIOD, PERIOD);
        registry.timers.start_all(lp, ready);
        self.accept_again();
        lp.on_wait(before_wait, after_wait);
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
        drop((ticker, signals, wake));
        lp.take_turns(false);
    }

    /// What a thread of the run does until the run is over: it holds the loop, goes on with responses of
    /// its own, calls for requests that wait for a thread, or is spare.
    fn serve(self: &Rc<Self>, gil: Gil<'_>, turn: &Turn) {
        let is_main = turn.seat.number == 0;
        while !self.crew.ended.get() {
            if turn.holds_loop() || turn.take_loop() {
                self.hold(gil, turn);
                if self.reactor.stopped.get() && turn.holds_loop() {
                    self.crew.end();
                    return;
                }
                continue;
            }
            if let Some(id) = self.crew.receive(turn.seat.number) {
                self.drive_id(gil, turn, id);
                continue;
            }
            if let Some(id) = self.crew.dequeue() {
                self.call_queued(gil, turn, id);
                continue;
            }
            if !self.be_spare(gil, turn, is_main) && !is_main {
                return;
            }
        }
    }

    /// Waits for something to do. False when nothing came for long.
    fn be_spare(&self, gil: Gil<'_>, turn: &Turn, is_main: bool) -> bool {
        if !self.watch.become_spare(&turn.seat) {
            return true;
        }
        let (seat, crew) = (turn.seat.clone(), &self.crew);
        if crew.has_mail(seat.number) || crew.ended.get() {
            self.watch.stop_being_spare(&turn.seat);
            return true;
        }
        // Handlers of Python's signals run in the main thread only.
        let patience = if is_main { SIGNALS } else { IDLE };
        let woken = threads::without_lock(gil, move || {
            let woken = seat.parker.park_for(patience);
            (woken, clock::monotonic_micros())
        });
        let waited_for_lock = clock::monotonic_micros() - woken.1;
        crew.taken_quickly.set(waited_for_lock < LOCK_WAIT);
        self.watch.stop_being_spare(&turn.seat);
        if is_main && let Err(raised) = child::exit_if_forked(gil, Raised::check_signals(gil)) {
            self.reactor.fail(Exception::take(gil, raised));
            self.reactor.waker.wake();
        }
        woken.0
    }

    /// Calls for a request that waited for a thread, unless its client left meanwhile.
    fn call_queued(&self, gil: Gil<'_>, turn: &Turn, id: Id) {
        let Some(connection) = self.table.get(id) else {
            return;
        };
        connection.peek(|work| {
            work.is_queued = false;
            if work.socket.has_ended() {
                work.on(Event::Gone);
            }
        });
        self.drive(gil, turn, &connection);
    }

    /// Makes a thread before it is needed.
    fn prepare_spare(self: &Rc<Self>, gil: Gil<'_>) {
        if !self.crew.wants_thread() {
            return;
        }
        let (run, number) = (self.clone(), self.crew.started.get());
        let turn = Turn::new(self.crew.clone());
        let started = start_thread(gil, &format!("fapws-{number}"), move |gil| {
            threads::serving(gil, || {
                run.reactor.lp.on_wait_here(before_wait, after_wait);
                run.serve(gil, &turn);
            });
            run.watch.remove_seat(&turn.seat);
            run.crew.started.set(run.crew.started.get() - 1);
            Ok(())
        });
        if let Err(raised) = started {
            raised.clear(gil);
            self.crew.started.set(self.crew.started.get() - 1);
            self.crew.exhausted.set(true);
            let line = "no more threads can be started: the server goes on with those it has";
            console::log_error(gil, line);
        }
    }

    /// Goes round until the run is stopped, or another thread holds the loop.
    fn hold(self: &Rc<Self>, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        let registry = registry(gil);
        loop {
            if self.crew.is_threaded() {
                self.prepare_spare(gil);
                if let Some(id) = self.crew.dequeue() {
                    self.call_queued(gil, turn, id);
                }
            }
            while let Some(ready) = reactor.ready.pop() {
                self.work_off(gil, turn, ready);
                if !turn.holds_loop() && !turn.take_loop() {
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
            if !reactor.ready.is_empty() {
                continue;
            }
            if registry.deferred.queued() == 0 {
                self.watch.begin_wait();
                reactor.lp.poll(true);
                self.watch.begin_turn();
            } else {
                reactor.lp.poll(false);
                self.watch.begin_turn();
                if reactor.ready.is_empty() {
                    self.run_deferred(gil, turn);
                    if !turn.holds_loop() && !turn.take_loop() {
                        return;
                    }
                }
            }
            reactor.ready.order();
            reactor.ctx.update_clock(reactor.lp.now() as i64);
            if let Some(log) = &reactor.log {
                log.begin_turn(reactor.lp.now() as i64);
            }
            if let Err(raised) = child::exit_if_forked(gil, Raised::check_signals(gil)) {
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
            Ready::Timer(index) => {
                let fired = turn.enter(|| registry(gil).timers.fire(gil, index));
                self.called_back(gil, turn, fired);
            }
            Ready::StartTimer(index) => registry(gil).timers.start(index),
            Ready::Stop if self.reactor.is_draining() => {}
            Ready::Stop => self.end_later(gil, turn),
            // It is looked for when nothing else is ready.
            Ready::Deferred => {}
            Ready::Signal(number) => self.signalled(gil, turn, number),
            Ready::Tick => self.tick(gil, turn),
        });
    }

    fn drive_id(&self, gil: Gil<'_>, turn: &Turn, id: Id) {
        if let Some(connection) = self.table.get(id) {
            self.drive(gil, turn, &connection);
        }
    }

    fn drive(&self, gil: Gil<'_>, turn: &Turn, connection: &Rc<Connection>) {
        let driven = drive(gil, turn, connection);
        if self.reactor.end_requested.take() {
            self.drain(gil, turn);
        }
        if driven == Driven::Closed {
            self.closed(connection);
        }
    }

    fn closed(&self, connection: &Connection) {
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
    fn accept_again(&self) {
        if self.reactor.is_draining() || !self.reactor.has_room() {
            return;
        }
        for acceptor in &self.acceptors {
            acceptor.watch(self.reactor.lp);
        }
    }

    /// Writes what the turn has made ready, and lets the connections go on.
    fn write_batch(&self, gil: Gil<'_>, turn: &Turn) {
        if !turn.has_batch() {
            return;
        }
        let batch = turn.take();
        let mut left = batch.len();
        // Everything is written before any application is asked for more.
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
        let result = turn.enter(|| registry(gil).deferred.run_one(gil));
        if let Err(raised) = child::exit_if_forked(gil, result) {
            // Before a line is printed: on Python 3 that runs Python code, which would lose it.
            let exception = Exception::take(gil, raised);
            console::print_line(gil, "ERROR!!!! Defer callback function as a problem. ");
            console::print_line(gil, "I remind that it takes always one argumet");
            self.callback_raised(gil, turn, exception);
        }
    }

    fn called_back(&self, gil: Gil<'_>, turn: &Turn, result: Result<()>) {
        if let Err(raised) = child::exit_if_forked(gil, result) {
            self.callback_raised(gil, turn, Exception::take(gil, raised));
        }
    }

    /// A timer's callback or a deferred call raised. In the legacy dialect `SystemExit` ends `run`,
    /// which raises it, as an application's does; anything else is reported and ends nothing.
    fn callback_raised(&self, gil: Gil<'_>, turn: &Turn, exception: Exception) {
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

    fn signalled(&self, gil: Gil<'_>, turn: &Turn, number: i32) {
        if number == libc::SIGINT && !self.reactor.is_draining() {
            console::print_line(gil, "Bye.");
        }
        if number == libc::SIGINT || self.reactor.drains_at.is_set() {
            self.drain(gil, turn);
        } else {
            // The second one hurries the delay, not the drain.
            if self.reactor.ctx.config.shutdown_delay > 0.0 && !self.reactor.is_draining() {
                signal::count_from_now();
            }
            self.end_later(gil, turn);
        }
    }

    /// Drains, after `shutdown_delay` seconds in which balancers notice.
    fn end_later(&self, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        let delay = reactor.ctx.config.shutdown_delay;
        if delay <= 0.0 || reactor.is_draining() {
            self.drain(gil, turn);
        } else if !reactor.drains_at.is_set() {
            reactor.drains_at.set(&reactor.clock, delay);
            scoreboard::set(Word::Draining, 1);
        }
    }

    /// A quarter of a second has passed.
    fn tick(&self, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        self.write_batch(gil, turn);
        reactor.clock.tick();
        self.report_lost_lines(gil);
        self.crew.expectation.tick();
        let due = self
            .table
            .select(|connection| connection.deadline.is_past(&reactor.clock));
        for connection in due {
            let outcome = connection.peek(|work| timed_out(gil, &connection, work));
            if outcome == Some(TimedOut::Drive) {
                reactor.ready.push(Ready::Connection(connection.id()));
            }
        }
        self.release_queues(gil);
        reactor.pool.trim();
        let mut budget = SPILL_BUDGET;
        self.retry(reactor.pooled_bodies.take(), |connection| {
            let look = connection.peek(|work| {
                body::spill_if_overdue(gil, connection, work, &mut budget)
                    .inspect_err(|&error| reject_body(gil, connection, work, error))
            });
            match look {
                Some(Ok(true)) => Retry::Later(&reactor.pooled_bodies),
                Some(Err(_)) => Retry::Drive,
                _ => Retry::Done,
            }
        });
        self.retry(reactor.awaiting_descriptor.take(), |connection| {
            let look = connection.peek(|work| {
                body::retry_spill(gil, connection, work)
                    .inspect_err(|&error| reject_body(gil, connection, work, error))
            });
            match look {
                Some(Ok(true)) => Retry::Later(&reactor.awaiting_descriptor),
                Some(_) => Retry::Drive,
                None => Retry::Done,
            }
        });
        if !reactor.is_draining() && reactor.drains_at.is_past(&reactor.clock) {
            self.drain(gil, turn);
        }
        if reactor.is_draining() && reactor.patience.is_past(&reactor.clock) {
            reactor.stop();
        }
        self.accept_again();
    }

    /// The memory of queues that were not used since the last tick serves others.
    fn release_queues(&self, gil: Gil<'_>) {
        let unused = |connection: &Rc<Connection>| {
            let look =
                |work: &mut Work| work.out.has_memory() && !std::mem::take(&mut work.was_active);
            connection.peek(look) == Some(true)
        };
        for connection in self.table.select(unused) {
            connection.peek(|work| work.give_queue_back(gil, &connection));
        }
    }

    fn retry<'a>(&self, ids: Vec<Id>, mut look: impl FnMut(&Rc<Connection>) -> Retry<'a>) {
        for id in ids {
            let Some(connection) = self.table.get(id) else {
                continue;
            };
            match look(&connection) {
                Retry::Later(list) => list.borrow_mut().push(id),
                Retry::Drive => self.reactor.ready.push(Ready::Connection(id)),
                Retry::Done => {}
            }
        }
    }

    /// Ends gracefully: accepts no more, closes what is idle, lets the rest finish.
    fn drain(&self, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        if reactor.draining.get() {
            reactor.stop();
            return;
        }
        // Those clients have read that they may go on.
        self.write_batch(gil, turn);
        reactor.draining.set(true);
        scoreboard::set(Word::Draining, 1);
        reactor
            .patience
            .set(&reactor.clock, reactor.ctx.config.graceful_timeout);
        for acceptor in &self.acceptors {
            self.drain_listener(gil, acceptor);
        }
        for connection in self.table.select(|_| true) {
            connection.peek(|work| {
                if is_idle(work) {
                    shorten_idle(&connection, work);
                }
            });
        }
        self.stop_if_drained();
    }

    /// Accepts everyone who waits at a listener, to be read when the loop says so, and closes it.
    fn drain_listener(&self, gil: Gil<'_>, acceptor: &Rc<Acceptor>) {
        for _ in 0..LONGEST_BACKLOG {
            match accept_next(gil, &self.reactor, &self.table, acceptor) {
                Some(connection) => {
                    if let Some(work) = connection.take() {
                        connection.wait(work, Some(crate::ev::Interest::READ));
                    }
                }
                None => break,
            }
        }
        acceptor.close();
    }

    fn stop_if_drained(&self) {
        let lingers = |connection: &Rc<Connection>| {
            connection.peek(|work| work.state.stage()) == Some(Stage::Discard)
        };
        if self.table.all(lingers) {
            self.reactor.stop();
            self.reactor.waker.wake();
        }
    }

    fn count_lost_lines(&self, gil: Gil<'_>) {
        let lost = self.watch.lines.take_lost();
        if lost > 0 {
            count(&registry(gil).stats.lost_log_lines, lost);
            let (others, ticks) = self.lost_lines.get();
            self.lost_lines.set((others + lost, ticks));
        }
    }

    /// Says how many lines of the access log were lost, now and then.
    fn report_lost_lines(&self, gil: Gil<'_>) {
        let (lost, ticks) = self.lost_lines.get();
        if lost == 0 || ticks > 0 {
            self.lost_lines.set((lost, ticks.saturating_sub(1)));
            return;
        }
        self.lost_lines.set((0, TICKS_BETWEEN_REPORTS));
        let line = format!("access log: {lost} lines are lost: it is full, or nobody reads it");
        console::log_error(gil, &line);
    }

    /// Writes the lines that are left.
    fn finish_log(&self, gil: Gil<'_>) {
        if self.reactor.log.is_some() {
            self.watch.lines.flush();
            self.count_lost_lines(gil);
            self.lost_lines.set((self.lost_lines.get().0, 0));
            self.report_lost_lines(gil);
        }
    }

    /// Closes what is still open, and gives the exception that `run` is to raise.
    fn finish(&self, gil: Gil<'_>, turn: &Turn) -> Option<Exception> {
        for (id, outbound) in turn.take() {
            if let Some(connection) = self.table.get(id) {
                connection.peek(|work| work.out = outbound.into_queue());
            }
        }
        for connection in self.table.select(|_| true) {
            connection.peek(|work| {
                work.is_batched = false;
                work.is_queued = false;
                work.owner = None;
                flush(gil, &work.socket, &mut work.out);
                work.on(Event::Gone);
            });
            self.drive(gil, turn, &connection);
        }
        let exit = self.reactor.ctx.exit.take();
        self.reactor.raised.take().or(exit)
    }
}

/// Rejects a message whose body cannot be kept.
fn reject_body(gil: Gil<'_>, connection: &Connection, work: &mut Work, error: HttpError) {
    let incoming = work.incoming.as_ref();
    let head_only = incoming.is_some_and(|incoming| incoming.is_head_request());
    reject_now(gil, connection, work, error, head_only);
}

/// What comes of a second look at a body.
enum Retry<'a> {
    /// Another look, at the next tick.
    Later(&'a std::cell::RefCell<Vec<Id>>),
    /// The connection goes on.
    Drive,
    /// No more.
    Done,
}
