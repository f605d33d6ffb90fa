//! Watchers for the phases of the loop's turn: before the poll, after it, and when it found nothing.

use super::Loop;
use super::ffi::{self, EvCheck, EvIdle, EvLoop, EvPrepare};
use super::watcher::{Boxed, Kind};

macro_rules! phase_watcher {
    ($(#[$about:meta])* $name:ident, $raw:ident, $start:ident, $stop:ident) => {
        // SAFETY: the struct begins with its `Base`, and the function is as `Kind` wants it.
        unsafe impl Kind for $raw {
            const STOP: unsafe extern "C" fn(*mut EvLoop, *mut $raw) = ffi::$stop;
        }

        $(#[$about])*
        pub struct $name(Boxed<$raw>);

        impl $name {
            /// A watcher that is not started.
            pub fn new(callback: impl Fn() + 'static) -> $name {
                $name(Boxed::new(|base| $raw { base }, callback))
            }

            /// Starts it; nothing if it is started.
            pub fn start(&self, lp: Loop) {
                // SAFETY: starts (nothing when active).
                unsafe { self.0.alter(lp, |lp, watcher| ffi::$start(lp, watcher)) }
            }

            /// Stops it; nothing if it is stopped.
            pub fn stop(&self) {
                self.0.stop();
            }

            /// Whether it is started.
            pub fn is_active(&self) -> bool {
                self.0.is_active()
            }
        }
    };
}

phase_watcher! {
    /// Calls a closure each time the loop is about to poll.
    Prepare, EvPrepare, ev_prepare_start, ev_prepare_stop
}

phase_watcher! {
    /// Calls a closure each time the loop has polled, before the events are handled.
    Check, EvCheck, ev_check_start, ev_check_stop
}

phase_watcher! {
    /// Calls a closure whenever no I/O, timer or signal is pending; the loop does not block meanwhile.
    Idle, EvIdle, ev_idle_start, ev_idle_stop
}
