//! How a run ends: signals, the delay before it, the graceful end, what is still open.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::console;
use crate::py::{Exception, Gil};
use crate::scoreboard::{self, Word};
use crate::server::accept::accept_next;
use crate::server::connection::close::{is_idle, shorten_idle};
use crate::server::connection::state::{Event, Stage};
use crate::server::connection::work::Connection;
use crate::server::connection::write::flush;
use crate::server::listener::Acceptor;
use crate::server::turn::Turn;
use crate::sys::signal;

use crate::server::run::Run;

/// More than the kernel's queue of a listener holds: later clients are no longer ours.
const LONGEST_BACKLOG: usize = 65536;

impl Run {
    pub(super) fn signalled(&self, gil: Gil<'_>, turn: &Turn, number: i32) {
        if number == libc::SIGPIPE {
            return console::print_line(gil, "SIGPIPE encountered !!!! We ignore it.");
        }
        // As a master's second signal it is no farewell.
        let is_farewell = !self.reactor.is_draining() && !signal::parent_insists();
        if number == libc::SIGINT && is_farewell {
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
    pub(super) fn end_later(&self, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        let delay = reactor.ctx.config.shutdown_delay;
        if delay <= 0.0 || reactor.is_draining() {
            self.drain(gil, turn);
        } else if !reactor.drains_at.is_set() {
            reactor.drains_at.set(&reactor.clock, delay);
            scoreboard::set(Word::Draining, 1);
        }
    }

    /// Ends gracefully: accepts no more, closes what is idle, lets the rest finish.
    pub(super) fn drain(&self, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        if reactor.draining.get() {
            if signal::insists().is_some() {
                reactor.stop();
            }
            return;
        }
        // Those clients have read that they may go on.
        self.write_batch(gil, turn);
        signal::count_beginning();
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
    pub(super) fn drain_listener(&self, gil: Gil<'_>, acceptor: &Rc<Acceptor>) {
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

    pub(super) fn stop_if_drained(&self) {
        let lingers = |connection: &Rc<Connection>| {
            connection.peek(|work| work.state.stage()) == Some(Stage::Discard)
        };
        if self.table.all(lingers) && !self.reactor.ctx.taken.have_last_words() {
            self.reactor.stop();
            self.reactor.waker.wake();
        }
    }

    /// Closes what is still open, and gives the exception that `run` is to raise.
    pub(super) fn finish(&self, gil: Gil<'_>, turn: &Turn) -> Option<Exception> {
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
        self.reactor.ctx.taken.close_ended(gil);
        let exit = self.reactor.ctx.exit.take();
        self.reactor.raised.take().or(exit)
    }

    /// Writes the lines that are left.
    pub(super) fn finish_log(&self, gil: Gil<'_>) {
        if self.reactor.log.is_some() {
            self.watch.lines.flush();
            self.count_lost_lines(gil);
            self.lost_lines.set((self.lost_lines.get().0, 0));
            self.report_lost_lines(gil);
        }
    }
}
