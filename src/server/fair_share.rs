//! A fair share of the kept connections for each worker.
//!
//! The kernel wakes every worker that waits when a client connects, and the first to come takes it: the
//! first of several workers would have most of the connections that are opened at once, and keep them. So
//! one that has more than its share leaves a client to one that has fewer and is in no call, for some
//! milliseconds. While the others are busy it takes it at once.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;

use crate::ev::{Loop, Timer};
use crate::scoreboard::siblings;
use crate::server::ready::{Ready, ReadyList};
use crate::sys::clock::monotonic_micros;

/// Seconds until a client that was left to others is looked for again.
const PAUSE: f64 = 0.001;

/// Microseconds for which a client is left to others that accept nobody.
const PATIENCE: u64 = 10_000;

/// Clients who are taken without looking once the others did not come, at the first time. While they
/// do not come, since one is stopped, it doubles.
const GRANTED: u64 = 4;

/// A pause that is older than this has no client who still waits for its end.
const FORGOTTEN: u64 = 10 * 1_000;

/// What a worker knows of its siblings.
pub struct FairShare {
    /// Ends a pause.
    timer: Timer,
    /// Since when clients are left to others who accept nobody, in microseconds; 0: none is.
    since: Cell<u64>,
    /// When the last one was.
    last: Cell<u64>,
    /// What the others had accepted then.
    accepted: Cell<u64>,
    /// How many are taken without looking.
    granted: Cell<u64>,
    /// What was granted last.
    last_grant: Cell<u64>,
}

impl FairShare {
    /// For a run that works `ready` off.
    pub fn new(ready: &Rc<ReadyList>) -> FairShare {
        let ready = ready.clone();
        FairShare {
            timer: Timer::new(move || ready.push(Ready::AcceptAgain)),
            since: Cell::default(),
            last: Cell::default(),
            accepted: Cell::default(),
            granted: Cell::default(),
            last_grant: Cell::default(),
        }
    }

    /// Whether a client who waits is left to others, by a worker with `own` connections. Listeners are
    /// then to be paused, until [`Ready::AcceptAgain`].
    pub fn declines(&self, lp: Loop, own: u64) -> bool {
        let (mut workers, mut total, mut accepted, mut one_is_free) = (1, own, 0u64, false);
        for sibling in siblings() {
            workers += 1;
            total += sibling.connections;
            accepted = accepted.wrapping_add(sibling.accepted);
            one_is_free |= sibling.is_free && sibling.connections < own;
        }
        if !one_is_free || own * workers <= total {
            self.since.set(0);
            return false;
        }
        let declines = self.has_patience(monotonic_micros(), accepted);
        if declines {
            self.timer.start(lp, PAUSE, 0.0);
        }
        declines
    }

    /// Whether the others may still come, who have accepted so many.
    fn has_patience(&self, now: u64, accepted: u64) -> bool {
        if let Some(left) = self.granted.get().checked_sub(1) {
            self.granted.set(left);
            return false;
        }
        let goes_on = self.accepted.replace(accepted) != accepted;
        let is_new = now.saturating_sub(self.last.replace(now)) > FORGOTTEN;
        if goes_on {
            self.last_grant.set(0);
        }
        if self.since.get() == 0 || goes_on || is_new {
            self.since.set(now);
        }
        if now - self.since.get() < PATIENCE {
            return true;
        }
        self.since.set(0);
        let grant = GRANTED.max(self.last_grant.get().saturating_mul(2));
        self.last_grant.set(grant);
        self.granted.set(grant - 1);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_where_nobody_comes() {
        let share = FairShare::new(&Rc::default());
        let start = 1_000_000;
        let mut now = start;
        for grant in [GRANTED, 2 * GRANTED, 4 * GRANTED] {
            for step in 0..10 {
                assert!(share.has_patience(now + step * 1_000, 7), "{step}");
            }
            now += 10_000;
            for _ in 0..grant {
                assert!(!share.has_patience(now, 7));
            }
        }
        for step in 0..10 {
            assert!(share.has_patience(now + step * 1_000, 8), "they come again");
        }
        let taken = (0..).take_while(|_| !share.has_patience(now + 10_000, 8));
        assert_eq!(taken.count() as u64, GRANTED);
    }

    #[test]
    fn patience_begins_anew_where_others_accept_or_nobody_waited() {
        let share = FairShare::new(&Rc::default());
        for step in 1..30 {
            assert!(share.has_patience(step * 9_000, step), "they come: {step}");
        }
        for step in 1..30 {
            let now = 1_000_000 + step * (FORGOTTEN + 1);
            assert!(share.has_patience(now, 30), "another client: {step}");
        }
    }
}
