//! The seats of a run: one for each of its threads, and which of the threads are spare.
//!
//! Owns the two lists, and what other threads may know of a thread: where its bytes stand, where it waits, which
//! call it is in. Who holds the loop is the baton's ([`super::baton`]); how many threads are needed is the
//! demand's ([`super::demand`]).
//!
//! Invariant: a thread that takes a spare off the list wakes it, and a spare that has waited for long ends only if
//! it still is on the list, and not the last one there. So a loop that is set free finds a taker or a spare.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::outbox::Outbox;
use crate::server::baton::Baton;
use crate::server::slow_calls::Slot;
use crate::sys::park::Parker;

/// A thread of the run, as the others see it.
#[derive(Default)]
pub struct Seat {
    /// Its number, from 0 on.
    pub number: usize,
    /// What it has ready while it is in a call.
    pub outbox: Arc<Outbox>,
    /// Where it waits when it is spare.
    pub parker: Parker,
    /// The call that it is in, where slow ones are looked for.
    pub call: Slot,
    /// It was woken or made for the queue, and has not come yet.
    pub is_coming: AtomicBool,
    /// Responses that it has begun and not ended.
    pub streams: AtomicUsize,
}

impl Seat {
    /// Whether there are responses that it has begun and not ended.
    pub fn has_streams(&self) -> bool {
        self.streams.load(Ordering::Relaxed) > 0
    }
}

/// All seats, and the spare ones.
#[derive(Default)]
pub struct Seats {
    all: Mutex<Vec<Arc<Seat>>>,
    /// Those whose threads wait for something to do, the last one to be woken first.
    spares: Mutex<Vec<Arc<Seat>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is changed by single calls, which do not panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seats {
    /// All of them; none comes or goes meanwhile.
    pub fn all(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        lock(&self.all)
    }

    /// A seat for one more thread.
    pub fn add(&self) -> Arc<Seat> {
        let mut all = self.all();
        let taken = |number: &usize| all.iter().any(|seat| seat.number == *number);
        let seat = Arc::new(Seat {
            number: (0..).find(|number| !taken(number)).unwrap_or(0),
            ..Seat::default()
        });
        all.push(seat.clone());
        seat
    }

    /// A thread ends.
    pub fn remove(&self, seat: &Arc<Seat>) {
        self.all().retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// Wakes the thread of a seat.
    pub fn unpark(&self, number: usize) {
        if let Some(seat) = self.all().iter().find(|seat| seat.number == number) {
            seat.parker.unpark();
        }
    }

    /// Wakes every thread.
    pub fn unpark_all(&self) {
        for seat in &*self.all() {
            seat.parker.unpark();
        }
    }

    /// Becomes spare, unless the loop is free: the two are one step, so that the thread that sets it free finds
    /// either a taker or a spare.
    pub fn become_spare(&self, seat: &Arc<Seat>, baton: &Baton) -> bool {
        let mut spares = lock(&self.spares);
        if baton.is_free() {
            return false;
        }
        spares.push(seat.clone());
        true
    }

    /// Is spare no more.
    pub fn stop_being_spare(&self, seat: &Arc<Seat>) {
        lock(&self.spares).retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// Is spare no more, having waited for long, and may end: unless another thread woke it meanwhile, which
    /// counts on it, or it is the last one, as a loop that is set free has to find a taker.
    pub fn leave_spares(&self, seat: &Arc<Seat>) -> bool {
        let mut spares = lock(&self.spares);
        let before = spares.len();
        spares.retain(|other| !Arc::ptr_eq(other, seat));
        spares.len() < before && !spares.is_empty()
    }

    /// Whether a thread waits for something to do.
    pub fn has_spare(&self) -> bool {
        !lock(&self.spares).is_empty()
    }

    /// Wakes the thread that became spare last.
    pub fn wake_spare(&self) {
        if let Some(spare) = lock(&self.spares).pop() {
            spare.parker.unpark();
        }
    }

    /// Takes up to so many spare threads, the last ones first, to be woken: those that have no response to go on
    /// with, or any.
    pub fn take_spares(&self, count: usize, may_have_streams: bool) -> Vec<Arc<Seat>> {
        let mut spares = lock(&self.spares);
        let mut taken = Vec::new();
        let mut at = spares.len();
        while taken.len() < count && at > 0 {
            at -= 1;
            if may_have_streams || !spares[at].has_streams() {
                taken.push(spares.remove(at));
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seats: &[Arc<Seat>]) -> Vec<usize> {
        seats.iter().map(|seat| seat.number).collect()
    }

    /// Four spares, the second of which has a response to go on with.
    fn four() -> Seats {
        let (seats, baton) = (Seats::default(), Baton::default());
        for _ in 0..4 {
            assert!(seats.become_spare(&seats.add(), &baton));
        }
        seats.all()[1].streams.store(1, Ordering::Relaxed);
        seats
    }

    #[test]
    fn a_seat_has_the_first_number_that_is_free() {
        let seats = Seats::default();
        let all = [seats.add(), seats.add(), seats.add()];
        assert_eq!(numbers(&all), [0, 1, 2]);
        seats.remove(&all[1]);
        assert_eq!(seats.add().number, 1);
        assert_eq!(seats.add().number, 3);
    }

    #[test]
    fn no_more_spares_are_taken_than_are_needed_and_the_last_ones_first() {
        let seats = four();
        assert!(seats.take_spares(0, true).is_empty());
        assert_eq!(numbers(&seats.take_spares(2, false)), [3, 2]);
        assert_eq!(numbers(&seats.take_spares(2, false)), [0]);
        assert!(seats.has_spare() && seats.take_spares(1, false).is_empty());
        assert_eq!(numbers(&seats.take_spares(1, true)), [1]);
        assert!(!seats.has_spare() && seats.take_spares(1, true).is_empty());
    }

    #[test]
    fn nobody_is_spare_while_the_loop_is_free() {
        let (seats, baton) = (Seats::default(), Baton::default());
        baton.release();
        assert!(!seats.become_spare(&seats.add(), &baton) && !seats.has_spare());
        assert!(baton.take() && seats.become_spare(&seats.add(), &baton));
    }

    #[test]
    fn a_spare_ends_unless_it_is_the_last_or_was_taken() {
        let seats = four();
        let [first, second, third, last] = &seats.all().clone()[..] else {
            panic!("four");
        };
        assert_eq!(numbers(&seats.take_spares(1, true)), [3]);
        assert!(!seats.leave_spares(last), "it was taken");
        assert!(seats.leave_spares(third) && seats.leave_spares(first));
        assert!(!seats.leave_spares(second), "it is the last");
    }
}
