//! The interpreter lock around the event loop.
//!
//! While a thread serves, it holds the lock but for the moments in which the loop waits: the loop
//! calls [`release`] before it polls and [`acquire`] after. Between them no code of ours runs on
//! this thread; that is what lets [`in_callback`] say that the lock is held.

use std::cell::Cell;

use super::ffi;
use super::gil::Gil;
use super::release::{is_without_lock, mark_without_lock};

thread_local! {
    static SERVING: Cell<bool> = const { Cell::new(false) };
    static RELEASED: Cell<*mut ffi::PyThreadState> = const { Cell::new(std::ptr::null_mut()) };
}

/// Runs `body`, during which the loop's callbacks on this thread may use [`in_callback`].
pub fn serving<R>(_: Gil<'_>, body: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            SERVING.set(false);
        }
    }
    SERVING.set(true);
    let _reset = Reset;
    body()
}

/// Releases the lock for the wait; other threads run.
pub fn release() {
    if SERVING.get() {
        mark_without_lock(true);
        // SAFETY: a serving thread holds the lock here: it took it in `serving` or `acquire`.
        RELEASED.set(unsafe { ffi::PyEval_SaveThread() });
    }
}

/// Takes the lock again after the wait.
pub fn acquire() {
    let state = RELEASED.replace(std::ptr::null_mut());
    if !state.is_null() {
        // SAFETY: the state is this thread's own, from `release`.
        unsafe { ffi::PyEval_RestoreThread(state) };
        mark_without_lock(false);
    }
}

/// Runs `wait` without the lock, on any thread that holds it; other threads run meanwhile. `wait`
/// can capture nothing of the interpreter's, no object and no token: they are not `Send`. Each thread's state is its own, so any
/// number of threads may wait so at a time.
pub fn without_lock<R>(_: Gil<'_>, wait: impl FnOnce() -> R + Send) -> R {
    /// Takes the lock when `wait` is over, a panic of it included.
    struct Restore(*mut ffi::PyThreadState, bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the state is this thread's own, from the call below.
            unsafe { ffi::PyEval_RestoreThread(self.0) }
            mark_without_lock(self.1);
        }
    }
    let before = mark_without_lock(true);
    // SAFETY: the lock is held, as the token says.
    let _restore = Restore(unsafe { ffi::PyEval_SaveThread() }, before);
    wait()
}

/// Runs a callback of the loop.
///
/// # Panics
/// Where the loop does not serve on this thread: the lock would not be held.
pub fn in_callback<R>(callback: impl FnOnce(Gil<'_>) -> R) -> R {
    assert!(
        SERVING.get() && RELEASED.get().is_null(),
        "a loop callback outside of run()"
    );
    // SAFETY: this thread is in `serving`, not between `release` and `acquire`: the lock is held,
    // and stays so until the callback returned to the loop.
    callback(unsafe { Gil::assume_held() })
}

/// Makes sure that the lock exists: on Python 2 a program without threads has none.
pub fn prepare(_: Gil<'_>) {
    #[cfg(feature = "python2")]
    // SAFETY: called with the interpreter running, from its own thread; idempotent.
    unsafe {
        ffi::PyEval_InitThreads()
    }
}

/// Whether this thread is the one that serves.
pub fn is_serving() -> bool {
    SERVING.get()
}

/// This thread is none of Python's, and never holds the lock.
pub fn mark_native() {
    mark_without_lock(true);
}

/// Whether this thread is native, or does not hold the lock just now.
pub fn is_native() -> bool {
    is_without_lock()
}
