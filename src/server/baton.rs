//! The loop as a baton: who holds it, and whether the holder is in a call.
//!
//! One word says all of it, so that a hand-over is one compare-and-swap: a serial number that goes up
//! when an application is entered and when it is left, and a flag that says that the loop is free. The
//! holder enters and leaves; the monitor sets the loop free when it sees the same call twice; the first
//! thread that comes takes it.
//!
//! Invariant: of all threads that think that they hold the loop there is one. A holder believes it
//! only if [`Baton::leave`] says so, which fails once the word says that the loop is free.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// An application is inside.
const INSIDE: u64 = 1;

/// Nobody holds the loop.
const FREE: u64 = 2;

/// One step of the serial number.
const STEP: u64 = 4;

/// The word.
#[derive(Default)]
pub struct Baton(AtomicU64);

/// A call that was entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket(u64);

impl Baton {
    /// The holder enters an application.
    pub fn enter(&self) -> Ticket {
        let entered = (self.0.load(Ordering::Relaxed) & !(INSIDE | FREE)) + STEP + INSIDE;
        self.0.store(entered, Ordering::Release);
        Ticket(entered)
    }

    /// It comes back. Whether it still holds the loop; where it was set free and nobody took it yet, it
    /// does again.
    pub fn leave(&self, ticket: Ticket) -> bool {
        let left = (ticket.0 & !INSIDE) + STEP;
        let exchange = |from| {
            self.0
                .compare_exchange(from, left, Ordering::AcqRel, Ordering::Acquire)
        };
        exchange(ticket.0).is_ok() || exchange(ticket.0 | FREE).is_ok()
    }

    /// The holder, outside of a call, sets the loop free.
    pub fn release(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.0
            .store((word & !INSIDE) + STEP + FREE, Ordering::Release);
    }

    /// Takes the loop, if it is free.
    pub fn take(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        let taken = (word & !(INSIDE | FREE)) + STEP;
        word & FREE != 0
            && self
                .0
                .compare_exchange(word, taken, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Whether nobody holds the loop.
    pub fn is_free(&self) -> bool {
        self.0.load(Ordering::Acquire) & FREE != 0
    }

    /// The call that the holder is in, for the monitor.
    pub fn call(&self) -> Option<Ticket> {
        let word = self.0.load(Ordering::Acquire);
        (word & (INSIDE | FREE) == INSIDE).then_some(Ticket(word))
    }

    /// The monitor sets the loop free, if the holder is still in that call.
    pub fn hand_over(&self, seen: Ticket) -> bool {
        self.0
            .compare_exchange(seen.0, seen.0 | FREE, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn a_call_that_nobody_looks_at_keeps_the_loop() {
        let baton = Baton::default();
        let ticket = baton.enter();
        assert_eq!(baton.call(), Some(ticket));
        assert!(!baton.take());
        assert!(baton.leave(ticket));
        assert_eq!(baton.call(), None);
        assert!(!baton.is_free() && !baton.take());
    }

    #[test]
    fn a_slow_call_loses_it_to_the_first_who_comes() {
        let baton = Baton::default();
        let slow = baton.enter();
        assert!(baton.hand_over(slow));
        assert!(baton.is_free() && baton.call().is_none());
        assert!(baton.take() && !baton.take());
        assert!(!baton.leave(slow), "another thread has it");
        let next = baton.enter();
        assert_ne!(next, slow);
        assert!(!baton.hand_over(slow), "that call is over");
        assert!(baton.leave(next));
    }

    #[test]
    fn one_that_comes_back_first_keeps_it() {
        let baton = Baton::default();
        let slow = baton.enter();
        assert!(baton.hand_over(slow));
        assert!(baton.leave(slow));
        assert!(!baton.is_free() && !baton.take());
    }

    #[test]
    fn one_that_foresees_a_slow_call_sets_it_free() {
        let baton = Baton::default();
        baton.release();
        assert!(baton.is_free() && baton.call().is_none());
        assert!(baton.take());
        assert!(!baton.is_free());
    }

    /// Three threads and a monitor at random: never two holders at a time.
    #[test]
    fn there_is_never_more_than_one_holder() {
        let baton = Baton::default();
        baton.release();
        let holders = AtomicU32::new(0);
        let (turns, done) = (AtomicU32::new(0), AtomicU32::new(0));
        let serve = || {
            let mut state = 0x9e37_79b9_u32;
            let mut random = move || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 16
            };
            while turns.fetch_add(1, Ordering::Relaxed) < 60_000 {
                if !baton.take() {
                    std::thread::yield_now();
                    continue;
                }
                loop {
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                    holders.fetch_sub(1, Ordering::SeqCst);
                    if random() % 8 == 0 {
                        baton.release();
                        break;
                    }
                    let ticket = baton.enter();
                    for _ in 0..random() % 64 {
                        std::hint::spin_loop();
                    }
                    if !baton.leave(ticket) {
                        break;
                    }
                }
            }
            done.fetch_add(1, Ordering::SeqCst);
        };
        let monitor = || {
            while done.load(Ordering::SeqCst) < 3 {
                if let Some(call) = baton.call() {
                    baton.hand_over(call);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(serve);
            }
            scope.spawn(monitor);
        });
    }
}
