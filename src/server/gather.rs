//! Answers that are ready, held until the turn of the loop ends and then written one after the other.
//!
//! A write wakes its client, which on the same machine begins to run at once, and leaves the processor
//! full of the kernel's code and data. Where many requests are ready together and each takes little
//! time, that is dearer than what is answered: a Flask hello costs a quarter less when the answers of a
//! turn are written behind its last request. At the end of a turn, which for a single request is at
//! once, everything is written.
//!
//! What is ready waits for nothing slow, as far as that can be known before: a request that took its
//! time is answered at once, and so is everyone for a while after a really slow one ([`Pace`]).

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::py::Gil;
use crate::server::conn::{Connection, Phase};
use crate::server::deliver::{Outcome, finish};
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
    held: RefCell<Vec<(Rc<Connection>, Outcome)>>,
    /// When the first of them was ready.
    since: Cell<Option<Instant>>,
    /// They are being written: what comes now is written behind them.
    writing: Cell<bool>,
    pace: Pace,
}

impl Gathered {
    /// The loop begins to work on what is ready.
    pub fn begin_turn(&self) {
        self.pace.begin(Instant::now());
    }

    /// An application was called, for an answer or a part of one.
    pub fn lap(&self) -> Lap {
        self.pace.lap(Instant::now())
    }

    /// A connection's requests were answered: finishes now, or when the turn ends. What is to be
    /// done next for the connection.
    pub(super) fn conclude(
        &self,
        gil: Gil<'_>,
        connection: &Rc<Connection>,
        outcome: Outcome,
    ) -> Work {
        if self.lap().may_wait && outcome.can_be_held() {
            self.hold(gil, connection, outcome);
            return Work::Done;
        }
        finish(gil, connection, outcome)
    }

    /// Holds what is ready.
    pub(super) fn hold(&self, gil: Gil<'_>, connection: &Rc<Connection>, outcome: Outcome) {
        connection.enter(Phase::Answered);
        let count = {
            let mut held = self.held.borrow_mut();
            held.push((connection.clone(), outcome));
            held.len()
        };
        if self.writing.get() {
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

    /// Writes everything that is held, and what that brings: the parts of answers, round by round.
    pub fn write(&self, gil: Gil<'_>) {
        if self.held.borrow().is_empty() || self.writing.replace(true) {
            return;
        }
        let _writing = Writing(&self.writing);
        self.since.set(None);
        let mut round = Vec::new();
        loop {
            std::mem::swap(&mut round, &mut *self.held.borrow_mut());
            if round.is_empty() {
                break;
            }
            for (connection, outcome) in round.drain(..) {
                // Whatever closed a connection meanwhile closed its descriptor, too.
                if !matches!(&*connection.phase.borrow(), Phase::Answered) {
                    continue;
                }
                connection.enter(Phase::Busy);
                let next = finish(gil, &connection, outcome);
                work(gil, &connection, next);
            }
        }
    }
}

/// Ends with the writing, and with a panic in it.
struct Writing<'a>(&'a Cell<bool>);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// What a look at the clock tells after an application was called.
pub struct Lap {
    /// How long that took.
    pub took: Duration,
    /// Whether what is ready may wait for others.
    pub may_wait: bool,
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

    fn lap(&self, now: Instant) -> Lap {
        let began = self.last.replace(Some(now)).unwrap_or(now);
        let took = now.duration_since(began);
        if took > SLOW {
            self.wary.set(WARY);
        }
        let wary = self.wary.get();
        self.wary.set(wary.saturating_sub(1));
        Lap {
            took,
            may_wait: wary == 0 && took <= QUICK,
        }
    }
}
