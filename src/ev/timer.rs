//! Timers, once or repeated, on the loop's monotonic clock.

use super::Loop;
use super::ffi::{self, EvLoop, EvTimer};
use super::watcher::{Boxed, Kind};

// SAFETY: `EvTimer` begins with its `Base`, and `ev_timer_stop` is as `Kind` wants it.
unsafe impl Kind for EvTimer {
    const STOP: unsafe extern "C" fn(*mut EvLoop, *mut EvTimer) = ffi::ev_timer_stop;
}

/// Calls a closure after some seconds, and again every so many.
pub struct Timer(Boxed<EvTimer>);

impl Timer {
    /// A timer that is not started.
    pub fn new(callback: impl Fn() + 'static) -> Timer {
        Timer(Boxed::new(
            |base| EvTimer {
                base,
                at: 0.0,
                repeat: 0.0,
            },
            callback,
        ))
    }

    /// Fires `after` seconds from the time the loop woke up, then every `repeat` seconds; a `repeat`
    /// of 0 is once. A started timer starts over.
    ///
    /// # Panics
    /// If a time is not a number or `repeat` is negative.
    pub fn start(&self, lp: Loop, after: f64, repeat: f64) {
        assert!(
            !after.is_nan() && repeat >= 0.0,
            "a timer of {after} s, every {repeat} s"
        );
        // SAFETY: stops, sets and starts; libev asserts no more than what is asserted above.
        unsafe {
            self.0.alter(lp, |lp, timer| {
                ffi::ev_timer_stop(lp, timer);
                ffi::fapws_ev_timer_set(timer, after, repeat);
                ffi::ev_timer_start(lp, timer);
            });
        }
    }

    /// Fires `repeat` seconds from now and so on; cheaper than `start`, for a deadline that is pushed
    /// back often. A `repeat` of 0 stops the timer.
    ///
    /// # Panics
    /// If `repeat` is not a number or negative.
    pub fn again(&self, lp: Loop, repeat: f64) {
        assert!(repeat >= 0.0, "a timer of every {repeat} s");
        // SAFETY: sets and restarts; `repeat` is what libev allows to change at any time.
        unsafe {
            self.0.alter(lp, |lp, timer| {
                (*timer).repeat = repeat;
                ffi::ev_timer_again(lp, timer);
            });
        }
    }

    /// Stops it; nothing if it is stopped.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it is going to fire.
    pub fn is_active(&self) -> bool {
        self.0.is_active()
    }
}
