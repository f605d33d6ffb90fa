//! Answers that are ready, held until the turn of the loop ends and then written one after the other.
//!
//! A write wakes its client, which on the same machine begins to run at once, and leaves the processor
//! full of the kernel's code and data. Where many requests are ready together and each takes little
//! time, that is dearer than what is answered: a Flask hello costs a quarter less when the answers of a
//! turn are written behind its last request. At the end of a turn, which for a single request is at
//! once, everything is written.
//!
//! What is ready waits for nothing slow, as far as that can be known before: behind a request that took
//! its time everything is written, and for a while after a really slow one nobody is held ([`Pace`]).

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::ev::{Loop, guarded};
use crate::py::Gil;
use crate::queue::WriteQueue;
use crate::server::conn::{Connection, Phase, Replying};
use crate::server::deliver::{Outcome, finish, go_on, write};
use crate::server::io;
use crate::server::serve::{Work, work};

/// How many answers are held at most.
pub const MOST: usize = 32;

/// How long the first of them is held at most; what runs then is not interrupted.
const PATIENCE: Duration = Duration::from_millis(2);

/// A request that took longer gains nothing by company: its answer is written at once.
const QUICK: Duration = Duration::from_micros(500);

/// A request that took longer shows that others may.
const SLOW: Duration = Duration::from_millis(5);

/// How many answers after a slow one are written at once.
const WARY: u32 = 1000;

/// The answers that are held.
#[derive(Default)]
pub struct Gathered {
    held: RefCell<Vec<(Rc<Connection>, Held)>>,
    /// When the first of them was ready.
    since: Cell<Option<Instant>>,
    /// How many are being written; what comes meanwhile is written behind them.
    writing: Cell<usize>,
    pace: Pace,
}

/// What is held of a connection.
pub(super) enum Held {
    /// Answers, and what comes after them.
    Answers(Outcome),
    /// A part of an answer: the next is asked for when it is written.
    Part(Box<Replying>),
}

impl Held {
    fn out(&mut self) -> &mut WriteQueue {
        match self {
            Held::Answers(outcome) => &mut outcome.out,
            Held::Part(replying) => &mut replying.out,
        }
    }
}

impl Gathered {
    /// The loop begins to work on what is ready.
    pub fn begin_turn(&self) {
        self.pace.begin(Instant::now());
    }

    /// An application was called, for an answer or a part of one. How long that took, and whether
    /// what is ready should wait: that it may, and that there is anything to wait for.
    pub fn lap(&self, gil: Gil<'_>, lp: Loop) -> (Duration, bool) {
        let (took, may_wait) = self.pace.lap(Instant::now());
        if !may_wait {
            self.flush(gil);
        }
        (took, may_wait && self.has_company(lp))
    }

    fn has_company(&self, lp: Loop) -> bool {
        match self.writing.get() {
            0 => lp.pending() > 0 || !self.held.borrow().is_empty(),
            1 => !self.held.borrow().is_empty(),
            _ => true,
        }
    }

    /// A connection's requests were answered: finishes now, or when the turn ends. What is to be
    /// done next for the connection.
    pub(super) fn conclude(
        &self,
        gil: Gil<'_>,
        connection: &Rc<Connection>,
        outcome: Outcome,
    ) -> Work {
        let (_, waits) = self.lap(gil, connection.run.lp);
        if waits && outcome.can_be_held() {
            self.hold(gil, connection, Held::Answers(outcome));
            return Work::Done;
        }
        finish(gil, connection, outcome)
    }

    /// Holds what is ready.
    pub(super) fn hold(&self, gil: Gil<'_>, connection: &Rc<Connection>, ready: Held) {
        connection.enter(Phase::Answered);
        let count = {
            let mut held = self.held.borrow_mut();
            held.push((connection.clone(), ready));
            held.len()
        };
        if self.writing.get() > 0 {
            return;
        }
        let now = self.pace.last.get();
        let since = self.since.get().or(now);
        self.since.set(since);
        let late = now
            .zip(since)
            .is_some_and(|(now, since)| now - since > PATIENCE);
        if count >= MOST || late {
            self.write(gil);
        }
    }

    /// Writes what is held, as far as the kernel takes it, and no more: no connection goes on.
    pub fn flush(&self, gil: Gil<'_>) {
        if self.held.borrow().is_empty() {
            return;
        }
        self.since.set(None);
        let mut held = self.held.take();
        for (connection, ready) in &mut held {
            flush_one(gil, connection, ready.out());
        }
        let mut since_held = self.held.borrow_mut();
        held.append(&mut since_held);
        *since_held = held;
    }

    /// Writes everything that is held, and lets the connections go on; what that brings, the parts of
    /// answers, goes round by round.
    pub fn write(&self, gil: Gil<'_>) {
        if self.writing.get() > 0 || self.held.borrow().is_empty() {
            return;
        }
        let _writing = Writing(&self.writing);
        self.since.set(None);
        let (mut round, mut parts) = (Vec::new(), Vec::new());
        loop {
            std::mem::swap(&mut round, &mut *self.held.borrow_mut());
            if round.is_empty() {
                break;
            }
            self.writing.set(round.len());
            // Everything is written before any application is asked for more.
            for (connection, ready) in round.drain(..) {
                match ready {
                    Held::Answers(outcome) => {
                        go(gil, &connection, || finish(gil, &connection, outcome));
                    }
                    Held::Part(mut replying) => {
                        flush_one(gil, &connection, &mut replying.out);
                        parts.push((connection, replying));
                    }
                }
            }
            for (connection, replying) in parts.drain(..) {
                go(gil, &connection, || go_on(gil, &connection, replying));
            }
        }
    }

    /// Forgets what is held.
    pub fn clear(&self) {
        let held = self.held.take();
        drop(held);
    }
}

/// Writes what is ready of a connection. What the kernel says of it, it says again when the
/// connection goes on.
fn flush_one(gil: Gil<'_>, connection: &Rc<Connection>, out: &mut WriteQueue) {
    if is_held(connection) {
        attempt(gil, connection, || {
            write(gil, connection, out);
        });
    }
}

/// Lets a connection go on.
fn go(gil: Gil<'_>, connection: &Rc<Connection>, on: impl FnOnce() -> Work) {
    if is_held(connection) {
        connection.enter(Phase::Busy);
        attempt(gil, connection, || work(gil, connection, on()));
    }
}

/// Whatever closed a connection meanwhile closed its descriptor, too.
fn is_held(connection: &Connection) -> bool {
    matches!(&*connection.phase.borrow(), Phase::Answered)
}

/// A panic costs one connection.
fn attempt(gil: Gil<'_>, connection: &Rc<Connection>, action: impl FnOnce()) {
    if guarded(action).is_none() {
        io::panicked(gil, connection);
    }
}

/// Ends with the writing.
struct Writing<'a>(&'a Cell<usize>);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.set(0);
    }
}

/// How long applications take of late.
#[derive(Default)]
struct Pace {
    /// When one was called last, or the turn began.
    last: Cell<Option<Instant>>,
    /// How many answers are still written at once.
    wary: Cell<u32>,
}

impl Pace {
    fn begin(&self, now: Instant) {
        self.last.set(Some(now));
    }

    /// How long it is since the last look, which is what an application took, or a little more; and
    /// whether its answer may wait for others.
    fn lap(&self, now: Instant) -> (Duration, bool) {
        let began = self.last.replace(Some(now)).unwrap_or(now);
        let took = now.duration_since(began);
        if took > SLOW {
            self.wary.set(WARY);
        }
        let wary = self.wary.get();
        self.wary.set(wary.saturating_sub(1));
        (took, wary == 0 && took <= QUICK)
    }
}
