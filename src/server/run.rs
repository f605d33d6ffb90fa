//! One `run`: set up, the turns of the loop, the tick, the graceful end.
//!
//! The thread that holds the loop goes round in [`Run::hold`]: it works off what is ready, writes what
//! the turn has made ready, and polls. Everything that calls Python is called from there, outside of
//! libev.

#![forbid(unsafe_code)]

use std::rc::Rc;
use std::sync::Arc;

use crate::app::child;
use crate::app::console;
use crate::app::context::AppContext;
use crate::config::Config;
use crate::ev::{Loop, Timer, guarded};
use crate::http::error::HttpError;
use crate::py::{Exception, Gil, Raised, Result, threads};
use crate::server::accept::accept_next;
use crate::server::batch::Turn;
use crate::server::connection::body;
use crate::server::connection::close::{TimedOut, is_idle, shorten_idle, timed_out};
use crate::server::connection::drive::{Driven, drive};
use crate::server::connection::reject::reject_now;
use crate::server::connection::state::{Event, Stage};
use crate::server::connection::work::{Connection, Work};
use crate::server::connection::write::{Flushed, flush, flush_now};
use crate::server::listener::Acceptor;
use crate::server::monitor::{Monitor, Watch};
use crate::server::reactor::Reactor;
use crate::server::ready::{Id, Ready, ReadyList};
use crate::server::registry::registry;
use crate::server::signals::Signals;
use crate::server::stats::count;
use crate::server::table::Table;
use crate::server::timeouts::PERIOD;
use crate::sys::fork;

/// Connections accepted before others come.
const ACCEPT_QUANTUM: usize = 64;

/// More than the kernel's queue of a listener holds: later clients are no longer ours.
const LONGEST_BACKLOG: usize = 65536;

/// Bytes of long bodies that go to files at one tick, behind which everybody waits.
const SPILL_BUDGET: u64 = 8 << 20;

/// One run.
pub struct Run {
    reactor: Rc<Reactor>,
    table: Table,
    acceptors: Vec<Rc<Acceptor>>,
    turn: Turn,
    watch: Arc<Watch>,
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
    let reactor = Reactor::new(
        lp,
        AppContext::new(dialect, config, base, flush_now),
        ready.clone(),
    );
    reactor.ctx.update_clock(lp.now() as i64);
    let watch = Arc::<Watch>::default();
    let run = Run {
        reactor: reactor.clone(),
        table: Table::default(),
        acceptors,
        turn: Turn::new(ready, watch.clone()),
        watch,
    };
    registry.set_reactor(Some(reactor));
    threads::serving(gil, || run.turns(gil));
    let ending = run.finish(gil);
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
    threads::release();
}

impl Run {
    /// Runs the loop with its watchers; everything is as it was when it returns.
    fn turns(&self, gil: Gil<'_>) {
        let (lp, ready) = (self.reactor.lp, &self.reactor.ready);
        let registry = registry(gil);
        let signals = Signals::watch(lp, ready);
        let ticks = ready.clone();
        let ticker = Timer::new(move || ticks.push(Ready::Tick));
        ticker.start(lp, PERIOD, PERIOD);
        registry.timers.start_all(lp, ready);
        self.accept_again();
        lp.on_wait(before_wait, threads::acquire);
        let monitor = Monitor::start(&self.watch);
        self.hold(gil);
        drop(monitor);
        for acceptor in &self.acceptors {
            acceptor.pause();
        }
        registry.timers.stop_all();
        drop((ticker, signals));
    }

    /// Goes round until the run is stopped.
    fn hold(&self, gil: Gil<'_>) {
        let reactor = &self.reactor;
        let registry = registry(gil);
        loop {
            while let Some(ready) = reactor.ready.pop() {
                self.work_off(gil, ready);
            }
            // A child that was forked wherever it was has copies of the parent's responses.
            drop(child::exit_if_forked(gil, Ok(())));
            self.write_batch(gil);
            count(&registry.stats.bytes_out, self.watch.outbox.take_sent());
            if reactor.stopped.get() {
                return;
            }
            if registry.deferred.queued() == 0 {
                self.watch.begin_wait();
                reactor.lp.poll(true);
                self.watch.begin_turn();
            } else {
                reactor.lp.poll(false);
                self.watch.begin_turn();
                if reactor.ready.is_empty() {
                    self.run_deferred(gil);
                }
            }
            reactor.ready.order();
            reactor.ctx.update_clock(reactor.lp.now() as i64);
            if let Err(raised) = child::exit_if_forked(gil, Raised::check_signals(gil)) {
                reactor.fail(Exception::take(gil, raised));
            }
        }
    }

    /// Works off one thing that is ready; a panic ends at most a connection.
    fn work_off(&self, gil: Gil<'_>, ready: Ready) {
        guarded(|| match ready {
            Ready::Connection(id) => {
                if let Some(connection) = self.table.get(id) {
                    self.drive(gil, &connection);
                }
            }
            Ready::Listener(index) => self.accept(gil, index),
            Ready::Timer(index) => {
                self.watch.enter();
                let fired = registry(gil).timers.fire(gil, index);
                self.watch.leave();
                self.called_back(gil, fired);
            }
            Ready::Signal(number) => self.signalled(gil, number),
            Ready::Tick => self.tick(gil),
        });
    }

    fn drive(&self, gil: Gil<'_>, connection: &Rc<Connection>) {
        let driven = drive(gil, &self.turn, connection);
        if self.reactor.end_requested.take() {
            self.drain(gil);
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
    fn accept(&self, gil: Gil<'_>, index: usize) {
        let Some(acceptor) = self.acceptors.get(index) else {
            return;
        };
        for _ in 0..ACCEPT_QUANTUM {
            if self.reactor.is_draining() {
                return;
            }
            match accept_next(gil, &self.reactor, &self.table, acceptor) {
                Some(connection) => self.drive(gil, &connection),
                None => return,
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

    /// Writes what the turn has made ready, and lets the connections go on; what that brings goes round
    /// by round.
    fn write_batch(&self, gil: Gil<'_>) {
        loop {
            let batch = self.turn.take();
            if batch.is_empty() {
                return;
            }
            let mut left = batch.len();
            for (id, outbound) in batch {
                self.turn.set_writing(left);
                left -= 1;
                let Some(connection) = self.table.get(id) else {
                    continue;
                };
                connection.peek(|work| {
                    work.is_batched = false;
                    work.out = outbound.queue;
                    if flush(gil, &work.socket, &mut work.out) == Flushed::Gone {
                        work.on(Event::Gone);
                    }
                });
                self.drive(gil, &connection);
            }
            self.turn.set_writing(0);
        }
    }

    fn run_deferred(&self, gil: Gil<'_>) {
        self.watch.enter();
        let result = registry(gil).deferred.run_one(gil);
        self.watch.leave();
        if let Err(raised) = child::exit_if_forked(gil, result) {
            // Before a line is printed: on Python 3 that runs Python code, which would lose it.
            let exception = Exception::take(gil, raised);
            console::print_line(gil, "ERROR!!!! Defer callback function as a problem. ");
            console::print_line(gil, "I remind that it takes always one argumet");
            self.callback_raised(gil, exception);
        }
    }

    fn called_back(&self, gil: Gil<'_>, result: Result<()>) {
        if let Err(raised) = child::exit_if_forked(gil, result) {
            self.callback_raised(gil, Exception::take(gil, raised));
        }
    }

    /// A timer's callback or a deferred call raised. In the legacy dialect `SystemExit` ends `run`,
    /// which raises it, as an application's does; anything else is reported and ends nothing.
    fn callback_raised(&self, gil: Gil<'_>, exception: Exception) {
        let ctx = &self.reactor.ctx;
        if !ctx.ends_run(gil, &exception) {
            console::log_exception(gil, &exception);
            return;
        }
        let replaced = ctx.exit.replace(Some(exception));
        drop(replaced);
        if !self.reactor.is_draining() {
            self.drain(gil);
        }
    }

    fn signalled(&self, gil: Gil<'_>, number: i32) {
        if number == libc::SIGINT && !self.reactor.is_draining() {
            console::print_line(gil, "Bye.");
        }
        self.drain(gil);
    }

    /// A quarter of a second has passed.
    fn tick(&self, gil: Gil<'_>) {
        let reactor = &self.reactor;
        self.write_batch(gil);
        reactor.clock.tick();
        let due = self
            .table
            .select(|connection| connection.deadline.is_past(&reactor.clock));
        for connection in due {
            let outcome = connection.peek(|work| timed_out(gil, &connection, work));
            if outcome == Some(TimedOut::Drive) {
                self.drive(gil, &connection);
            }
        }
        reactor.pool.trim();
        let mut budget = SPILL_BUDGET;
        self.retry(gil, reactor.pooled_bodies.take(), |connection| {
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
        self.retry(gil, reactor.awaiting_descriptor.take(), |connection| {
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
        if reactor.is_draining() && reactor.patience.is_past(&reactor.clock) {
            reactor.stop();
        }
        self.accept_again();
    }

    fn retry<'a>(
        &self,
        gil: Gil<'_>,
        ids: Vec<Id>,
        mut look: impl FnMut(&Rc<Connection>) -> Retry<'a>,
    ) {
        for id in ids {
            let Some(connection) = self.table.get(id) else {
                continue;
            };
            match look(&connection) {
                Retry::Later(list) => list.borrow_mut().push(id),
                Retry::Drive => self.drive(gil, &connection),
                Retry::Done => {}
            }
        }
    }

    /// Ends gracefully: accepts no more, closes what is idle, lets the rest finish.
    fn drain(&self, gil: Gil<'_>) {
        let reactor = &self.reactor;
        if reactor.draining.get() {
            reactor.stop();
            return;
        }
        // Those clients have read that they may go on.
        self.write_batch(gil);
        reactor.draining.set(true);
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
        }
    }

    /// Closes what is still open, and gives the exception that `run` is to raise.
    fn finish(&self, gil: Gil<'_>) -> Option<Exception> {
        for connection in self.table.select(|_| true) {
            connection.peek(|work| {
                flush(gil, &work.socket, &mut work.out);
                work.on(Event::Gone);
            });
            self.drive(gil, &connection);
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
