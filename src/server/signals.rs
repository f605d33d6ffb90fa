//! Signals while the loop runs: SIGINT and SIGTERM end it, SIGPIPE never does, and a handler of the
//! program's own for any other signal runs soon after it.
//!
//! Invariant: what was in force before `run` is in force again after it.

#![forbid(unsafe_code)]

use crate::ev::{Loop, Signal};
use crate::py::{Gil, threads};
use crate::sys::signal::Disposition;

/// The two signals that end `run`, with their watchers, and what to put back.
///
/// The watchers come first, so that they are dropped first: libev leaves the default disposition
/// behind, over which the saved one is put.
pub struct Signals {
    _watchers: [Signal; 2],
    _saved: Vec<Disposition>,
}

impl Signals {
    /// Watches; `end` is called with the number of a signal that came.
    pub fn watch(lp: Loop, end: fn(Gil<'_>, i32)) -> Signals {
        let saved = [
            Disposition::save(libc::SIGINT),
            Disposition::save(libc::SIGTERM),
            Disposition::ignore_if_default(libc::SIGPIPE),
        ];
        let watchers = [libc::SIGINT, libc::SIGTERM].map(|number| {
            let watcher = Signal::new(number, move || threads::in_callback(|gil| end(gil, number)));
            watcher.start(lp);
            watcher
        });
        // One that cannot be saved was no signal of this system.
        Signals {
            _watchers: watchers,
            _saved: saved.into_iter().flatten().collect(),
        }
    }
}
