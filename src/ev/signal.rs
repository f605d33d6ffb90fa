//! Signals, handled in the loop and not in the signal handler.
//!
//! libev keeps the handler for itself while a watcher is active and sets the default action when the
//! last one stops; who wants the handler of before back saves it (`sys::signal::Disposition`).

use super::default_loop::Loop;
use super::ffi::{self, EvLoop, EvSignal};
use super::watcher::{Boxed, Kind, stoppable};
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
}

stoppable!(Signal);

#[cfg(test)]
mod tests {
    use super::super::test_support::{alone, settle};
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    fn raise(signum: c_int) {
        // SAFETY: sends a signal that libev has a handler for.
        assert_eq!(unsafe { libc::kill(libc::getpid(), signum) }, 0);
    }

    #[test]
    fn a_signal_becomes_an_event() {
        let (_turn, lp) = alone();
        let count = Rc::new(Cell::new(0));
        let mine = Rc::clone(&count);
        let signal = Signal::new(libc::SIGUSR1, move || {
            mine.set(mine.get() + 1);
            lp.stop();
        });
        signal.start(lp);
        assert!(signal.is_active());
        settle(lp);
        assert_eq!(count.get(), 0);
        for expected in 1..4 {
            raise(libc::SIGUSR1);
            lp.run();
            assert_eq!(count.get(), expected);
        }
        signal.stop();
        assert!(!signal.is_active());
    }

    #[test]
    #[should_panic(expected = "no signal")]
    fn a_number_that_is_no_signal_is_rejected() {
        Signal::new(0, || ());
    }
}
