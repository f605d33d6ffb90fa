//! Waking the loop from another thread.
//!
//! libev has one function that any thread may call: `ev_async_send`. It sets a flag in the watcher and
//! one in the loop, both made for this (`EV_ATOMIC_T` and memory fences), and writes to the loop's
//! event descriptor if the loop is about to wait or waits. Several sends before the loop looks are one
//! event.
//!
//! # Why a `Waker` is sound
//!
//! A [`Waker`] touches the loop and the watcher's struct. The default loop lives as long as the
//! process. The struct has an `Arc` of its own, which every `Waker` shares: it is neither moved nor
//! freed while there is one, also when the [`Wake`] is stopped or gone. `ev_async_send` to a watcher
//! that is not active sets its flag, which the loop does not look at, and wakes the loop once for
//! nothing. It never follows the struct's `data` pointer, which only the loop's thread does, for a
//! watcher that is active.
//!
//! In a child of a fork a send wakes the child's own loop, once that was made anew, and before that it
//! may wake the parent's for nothing.

use super::default_loop::{Loop, raw};
use super::ffi::{self, EvAsync, EvLoop};
use super::watcher::{Boxed, Kind, Place, stoppable};
use std::sync::Arc;

// SAFETY: `EvAsync` begins with its `Base`, and `ev_async_stop` is as `Kind` wants it.
unsafe impl Kind for EvAsync {
    const STOP: unsafe extern "C" fn(*mut EvLoop, *mut EvAsync) = ffi::ev_async_stop;
}

// SAFETY: the struct is plain memory; the thread that drops the last share frees it, when libev has
// it no more: `Boxed` stops the watcher before it gives its own share up.
unsafe impl Send for Place<EvAsync> {}
// SAFETY: through a share a thread does nothing but `ev_async_send`, which libev allows for any thread.
unsafe impl Sync for Place<EvAsync> {}

/// Calls a closure on the loop's thread when a [`Waker`] says so.
pub struct Wake(Boxed<EvAsync>);

impl Wake {
    /// A watcher that is not started.
    pub fn new(callback: impl Fn() + 'static) -> Wake {
        Wake(Boxed::new(|base| EvAsync { base, sent: 0 }, callback))
    }

    /// Starts it; nothing if it is started.
    pub fn start(&self, lp: Loop) {
        // SAFETY: `alter` holds the loop, and its box keeps the watcher in place; an active one is left alone.
        unsafe {
            self.0
                .alter(lp, |lp, watcher| ffi::ev_async_start(lp, watcher))
        }
    }

    /// What wakes it from any thread. Before `start` and after `stop` that does nothing.
    pub fn waker(&self) -> Waker {
        Waker(self.0.place())
    }
}

stoppable!(Wake);

/// Wakes the loop for its [`Wake`], from any thread, without a lock.
#[derive(Clone)]
pub struct Waker(Arc<Place<EvAsync>>);

impl Waker {
    /// The watcher's callback is called soon, once for all calls before that.
    pub fn wake(&self) {
        let lp = raw();
        if !lp.is_null() {
            // SAFETY: the loop lives as long as the process, the struct as long as `self`; see the
            // essay above for what libev does with them.
            unsafe { ffi::ev_async_send(lp, self.0.get()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Timer;
    use super::super::test_support::{alone, settle};
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    #[test]
    fn another_thread_ends_the_wait() {
        let (_turn, lp) = alone();
        let wake = Wake::new(move || lp.stop());
        wake.start(lp);
        for _ in 0..10 {
            let waker = wake.waker();
            let other = thread::spawn(move || waker.wake());
            lp.run(); // nothing else would end it
            other.join().unwrap();
        }
        assert!(wake.is_active());
        wake.stop();
    }

    #[test]
    fn wakes_before_the_loop_looks_are_one_event() {
        let (_turn, lp) = alone();
        let count = Rc::new(Cell::new(0));
        let mine = Rc::clone(&count);
        let wake = Wake::new(move || mine.set(mine.get() + 1));
        wake.start(lp);
        let waker = wake.waker();
        for _ in 0..5 {
            waker.wake();
        }
        settle(lp);
        settle(lp);
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn a_waker_outlives_its_watcher() {
        let (_turn, lp) = alone();
        let count = Rc::new(Cell::new(0));
        let mine = Rc::clone(&count);
        let wake = Wake::new(move || mine.set(mine.get() + 1));
        let waker = wake.waker();
        waker.wake(); // not started
        wake.start(lp);
        waker.wake();
        wake.stop();
        waker.wake();
        settle(lp);
        drop(wake);
        thread::spawn(move || {
            waker.wake();
            drop(waker);
        })
        .join()
        .unwrap();
        settle(lp);
        assert_eq!((count.get(), Rc::strong_count(&count)), (0, 1));
    }

    #[test]
    fn threads_may_wake_while_it_is_started_and_stopped() {
        let (_turn, lp) = alone();
        let end = Arc::new(AtomicBool::new(false));
        let wake = Wake::new(|| ());
        let others = [(); 3].map(|()| {
            let (waker, end) = (wake.waker(), Arc::clone(&end));
            thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    waker.wake();
                }
            })
        });
        for _ in 0..200 {
            wake.start(lp);
            let timer = Timer::new(move || lp.stop());
            timer.start(lp, 0.0, 0.0);
            lp.run();
            wake.stop();
        }
        end.store(true, Ordering::Relaxed);
        for other in others {
            other.join().unwrap();
        }
    }
}
