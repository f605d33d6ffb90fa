//! A fair share of the kept connections for each worker.
//!
//! The kernel wakes every worker that waits when a client connects, and whoever comes first takes it: the
//! first of several workers would have most of the connections that are opened at once, and keep them. So
//! one that has more than its share leaves a client to a worker that waits and has fewer, for some
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

/// Microseconds for which nobody is left to others once they did not come: one may be stopped.
const DISTRUST: u64 = 1_000_000;

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
    /// Until when none is.
    distrusts_until: Cell<u64>,
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
            distrusts_until: Cell::default(),
        }
    }

    /// Whether a client who waits is left to others, by a worker with `own` connections. Listeners are
    /// then to be paused, until [`Ready::AcceptAgain`].
    pub fn declines(&self, lp: Loop, own: u64) -> bool {
        let (mut workers, mut total, mut accepted, mut one_waits) = (1, own, 0u64, false);
        for sibling in siblings() {
            workers += 1;
            total += sibling.connections;
            accepted = accepted.wrapping_add(sibling.accepted);
            one_waits |= sibling.waits && sibling.connections < own;
        }
        if !one_waits || own * workers <= total {
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
        if now < self.distrusts_until.get() {
            return false;
        }
        let goes_on = self.accepted.replace(accepted) != accepted;
        let is_new = now.saturating_sub(self.last.replace(now)) > FORGOTTEN;
        if self.since.get() == 0 || goes_on || is_new {
            self.since.set(now);
        }
        if now - self.since.get() < PATIENCE {
            return true;
        }
        self.since.set(0);
        self.distrusts_until.set(now + DISTRUST);
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
        for step in 0..10 {
            assert!(share.has_patience(start + step * 1_000, 7), "{step}");
        }
        assert!(!share.has_patience(start + 10_000, 7));
        assert!(!share.has_patience(start + 11_000, 7), "once it has ended");
        assert!(share.has_patience(start + 10_000 + DISTRUST, 7));
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
