//! Around the poll: the interpreter's lock is given up, and a forked child ends.

#![forbid(unsafe_code)]

use crate::app::child;
use crate::py::threads;
use crate::scoreboard::{self};
use crate::sys::fork;

/// The loop is about to wait. A child that the program forked, wherever that was, does not come this
/// far: it would take the parent's events.
pub fn before_wait() {
    if fork::is_child() {
        threads::in_callback(|gil| drop(child::exit_if_forked(gil, Ok(()))));
    }
    scoreboard::end_turn();
    threads::release();
}

/// The loop has waited. That it is at work shows before it has the lock, which a thread of the program
/// may not give up.
pub fn after_wait() {
    scoreboard::begin_turn();
    threads::acquire();
}
