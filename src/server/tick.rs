//! The tick of the coarse clock: timeouts, bodies that are late, memory that is not used.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::console;
use crate::app::interruption;
use crate::http::error::HttpError;
use crate::py::Gil;
use crate::server::connection::body;
use crate::server::connection::close::{TimedOut, timed_out};
use crate::server::connection::reject::reject_now;
use crate::server::connection::work::{Connection, Work};
use crate::server::ready::{Id, Ready};
use crate::server::registry::registry;
use crate::server::stats::count;
use crate::server::turn::Turn;
use crate::sys::memory;

use crate::server::run::Run;

/// Bytes of long bodies that go to files at one tick, behind which everybody waits.
const SPILL_BUDGET: u64 = 8 << 20;

/// Ticks between two reports of lines that were lost.
const TICKS_BETWEEN_REPORTS: u32 = 40;

impl Run {
    /// A quarter of a second has passed.
    pub(super) fn tick(&self, gil: Gil<'_>, turn: &Turn) {
        let reactor = &self.reactor;
        reactor.lp.verify();
        self.write_batch(gil, turn);
        reactor.clock.tick();
        self.report_lost_lines(gil);
        self.crew.expectation.tick();
        if let Some(signals) = self.signals.get()
            && let Err(raised) = signals.keep(gil)
        {
            interruption::ignore_failure(gil, raised);
        }
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
        let had_last_words = reactor.ctx.taken.have_last_words();
        reactor.ctx.taken.tick(gil);
        reactor.pool.trim();
        memory::refill();
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
        if reactor.is_draining() {
            if reactor.patience.is_past(&reactor.clock) {
                reactor.stop();
            }
            if had_last_words {
                self.stop_if_drained();
            }
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

    pub(super) fn count_lost_lines(&self, gil: Gil<'_>) {
        let lost = self.watch.lines.take_lost();
        if lost > 0 {
            count(&registry(gil).stats.lost_log_lines, lost);
            let (others, ticks) = self.lost_lines.get();
            self.lost_lines.set((others + lost, ticks));
        }
    }

    /// Says how many lines of the access log were lost, now and then.
    pub(super) fn report_lost_lines(&self, gil: Gil<'_>) {
        let (lost, ticks) = self.lost_lines.get();
        if lost == 0 || ticks > 0 {
            self.lost_lines.set((lost, ticks.saturating_sub(1)));
            return;
        }
        self.lost_lines.set((0, TICKS_BETWEEN_REPORTS));
        let line = format!("access log: {lost} lines are lost: it is full, or nobody reads it");
        console::log_error(gil, &line);
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
