//! Signals while the loop runs: SIGINT and SIGTERM end it, SIGPIPE never does, and a handler of the
//! program's own for any other signal runs soon after it.
//!
//! Invariant: what was in force before `run` is in force again after it.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::dialect::Dialect;
use crate::ev::{Loop, Signal};
use crate::server::ready::{Ready, ReadyList};
use crate::sys::signal::{self, Disposition};

/// The signals of `run`, with their watchers, and what to put back.
///
/// The watchers come first, so that they are dropped first: libev leaves the default disposition
/// behind, over which the saved one is put.
pub struct Signals {
    _watchers: Vec<Signal>,
    _saved: Vec<Disposition>,
}

impl Signals {
    /// Watches; a signal that came is put on `ready`.
    pub fn watch(lp: Loop, ready: &Rc<ReadyList>, dialect: Dialect) -> Signals {
        let pipe = Disposition::ignore_if_default(libc::SIGPIPE);
        let mut watched = vec![libc::SIGINT, libc::SIGTERM];
        if dialect.reports_sigpipe() && pipe.as_ref().is_ok_and(|before| !before.is_handler()) {
            watched.push(libc::SIGPIPE);
        }
        let saved = [
            Disposition::save(libc::SIGINT),
            Disposition::save(libc::SIGTERM),
            pipe,
        ];
        let watch = |number| {
            let ready = ready.clone();
            let watcher = Signal::new(number, move || ready.push(Ready::Signal(number)));
            watcher.start(lp);
            watcher
        };
        let watchers = watched.into_iter().map(watch).collect();
        // Over libev's handlers: the monitor sees a second signal while an application hangs.
        signal::count_from_now();
        let _ = signal::count();
        // One that cannot be saved was no signal of this system.
        Signals {
            _watchers: watchers,
            _saved: saved.into_iter().flatten().collect(),
        }
    }
}
