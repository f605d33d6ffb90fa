//! Around the poll: the interpreter's lock is given up, and a forked child ends.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::Arc;

use crate::app::child;
use crate::py::threads;
use crate::scoreboard::{self};
use crate::server::seats::Seat;
use crate::sys::fork;

thread_local! {
    static TO_WAKE: RefCell<Vec<Arc<Seat>>> = const { RefCell::new(Vec::new()) };
}

/// The next wait of the loop in this thread wakes these threads, once the interpreter's lock is released: a
/// thread that is woken often runs at once, in the place of the one that wakes it, and would find the lock taken.
pub fn wake_in_wait(seats: Vec<Arc<Seat>>) {
    TO_WAKE.with_borrow_mut(|to_wake| to_wake.extend(seats));
}

/// Wakes those whom the wait did not: some backends of libev do not release the lock where events are there.
pub fn wake_now() {
    for seat in TO_WAKE.take() {
        seat.parker.unpark();
    }
}

/// The loop is about to wait. A child that the program forked, wherever that was, does not come this
/// far: it would take the parent's events.
pub fn before_wait() {
    if fork::is_child() {
        threads::in_callback(|gil| drop(child::exit_if_forked(gil, Ok(()))));
    }
    scoreboard::end_turn();
    threads::release();
}

/// The same in a run with threads.
pub fn before_wait_with_threads() {
    before_wait();
    wake_now();
}

/// The loop has waited. That it is at work shows before it has the lock, which a thread of the program
/// may not give up.
pub fn after_wait() {
    scoreboard::begin_turn();
    threads::acquire();
}
