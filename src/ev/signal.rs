//! Signals, handled in the loop and not in the signal handler.
//!
//! libev keeps the handler for itself while a watcher is active and sets the default action when the
//! last one stops; who wants the handler of before back saves it (`sys::signal::Disposition`).

use super::Loop;
use super::ffi::{self, EvLoop, EvSignal};
use super::watcher::{Boxed, Kind};
use std::ffi::c_int;
use std::ptr;

// SAFETY: `EvSignal` begins with its `Base`, and `ev_signal_stop` is as `Kind` wants it.
unsafe impl Kind for EvSignal {
    const STOP: unsafe extern "C" fn(*mut EvLoop, *mut EvSignal) = ffi::ev_signal_stop;
}

/// Calls a closure for a signal, once for any number that arrived together.
pub struct Signal(Boxed<EvSignal>);

impl Signal {
    /// A watcher for `signum` that is not started.
    ///
    /// # Panics
    /// If there is no such signal.
    pub fn new(signum: c_int, callback: impl Fn() + 'static) -> Signal {
        assert!((1..=64).contains(&signum), "no signal: {signum}");
        Signal(Boxed::new(
            |base| EvSignal {
                base,
                next: ptr::null_mut(),
                signum,
            },
            callback,
        ))
    }

    /// Takes the signal over from whatever handled it.
    pub fn start(&self, lp: Loop) {
        // SAFETY: starts (nothing when active); `new` checked the number, as libev asserts it.
        unsafe {
            self.0
                .alter(lp, |lp, signal| ffi::ev_signal_start(lp, signal))
        }
    }

    /// Stops it; nothing if it is stopped.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether the signal comes here.
    pub fn is_active(&self) -> bool {
        self.0.is_active()
    }
}
