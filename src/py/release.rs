//! When references are released.
//!
//! The end of a reference can be the end of an object, and that runs Python code: a destructor, which
//! may call anything of ours. So none may end while a [`Hold`] is alive, which is while an instance of a native
//! class is half gone: references are queued, and released when the last hold ends. That also keeps a long chain
//! of objects that free one another off the stack.
//!
//! There is none at nearly every drop, which asks one word. That a thread without the lock drops no reference is
//! held by types: `Owned` is not `Send`, `without_lock` takes a closure that is, and a [`Kept`](super::Kept)
//! looks at the thread's mark. When the interpreter ends, a thread that has no lock any more sleeps in a frame
//! of ours and drops nothing (`hanging`).
//!
//! Invariant: `REASONS` is the number of holds. `HOLDS`, `DRAINS` and `QUEUE` belong to the interpreter's lock.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::ffi;
use super::gil::{Gil, GilCell};

static REASONS: AtomicU32 = AtomicU32::new(0);
static HOLDS: GilCell<Cell<u32>> = GilCell::new(Cell::new(0));
static DRAINS: GilCell<Cell<u32>> = GilCell::new(Cell::new(0));
static QUEUE: GilCell<RefCell<Vec<NonNull<ffi::PyObject>>>> =
    GilCell::new(RefCell::new(Vec::new()));

/// How deep a destructor that drains the queue may itself be called from one: each level needs some
/// stack. What is deeper is left to the levels above.
const MAX_DRAINS: u32 = 16;

thread_local!(static WITHOUT_LOCK: Cell<bool> = const { Cell::new(false) });

/// Releases a reference now, or later, or never.
///
/// # Safety
/// The reference is the caller's, who does not use it any more. The thread holds the lock, or is marked as one
/// without it.
#[inline]
pub(super) unsafe fn release(object: NonNull<ffi::PyObject>) {
    if REASONS.load(Ordering::Relaxed) == 0 {
        // SAFETY: the interpreter runs, so the thread holds the lock; the reference is the caller's.
        unsafe { ffi::Py_DECREF(object.as_ptr()) }
    } else {
        // SAFETY: the caller's.
        unsafe { release_with_care(object) }
    }
}

/// # Safety
/// That of [`release`].
#[cold]
unsafe fn release_with_care(object: NonNull<ffi::PyObject>) {
    if !holds_lock() {
        return;
    }
    // SAFETY: `holds_lock` says so, and nothing since gave the lock up.
    let gil = unsafe { Gil::assume_held() };
    if HOLDS.get(gil).get() > 0 {
        let mut queue = QUEUE.get(gil).borrow_mut();
        if queue.try_reserve(1).is_ok() {
            queue.push(object); // without memory it is leaked
        }
    } else {
        // SAFETY: the lock is held, and the reference is ours.
        unsafe { ffi::Py_DECREF(object.as_ptr()) }
    }
}

/// While it is alive, no reference of this process's is released, so that no destructor runs.
pub(super) struct Hold<'g>(Gil<'g>);

impl<'g> Hold<'g> {
    pub(super) fn new(gil: Gil<'g>) -> Hold<'g> {
        REASONS.fetch_add(1, Ordering::Relaxed);
        HOLDS.get(gil).update(|holds| holds + 1);
        Hold(gil)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let gil = self.0;
        let holds = HOLDS.get(gil);
        holds.update(|holds| holds - 1);
        REASONS.fetch_sub(1, Ordering::Relaxed);
        if holds.get() == 0 && !QUEUE.get(gil).borrow().is_empty() {
            drain(gil);
        }
    }
}

#[cold]
fn drain(gil: Gil<'_>) {
    let drains = DRAINS.get(gil);
    if drains.get() >= MAX_DRAINS {
        return;
    }
    drains.update(|drains| drains + 1);
    loop {
        let next = QUEUE.get(gil).borrow_mut().pop();
        let Some(object) = next else { break };
        // SAFETY: the lock is held; the queue owns the reference that was popped, and nothing of ours is
        // borrowed while the destructor runs.
        unsafe { ffi::Py_DECREF(object.as_ptr()) }
    }
    drains.update(|drains| drains - 1);
}

/// Whether the calling thread holds the lock, as far as is known: Python 2 and the stable
/// ABI do not say.
fn holds_lock() -> bool {
    #[cfg(all(feature = "python3", not(feature = "abi3")))]
    // SAFETY: may be called at any time, by any thread.
    if unsafe { ffi::PyGILState_Check() } == 0 {
        return false;
    }
    !WITHOUT_LOCK.get()
}

/// Marks the calling thread as one without the lock, or not. Returns what it was.
pub(super) fn mark_without_lock(marked: bool) -> bool {
    WITHOUT_LOCK.replace(marked)
}

/// Whether the calling thread is marked so.
pub(super) fn is_without_lock() -> bool {
    WITHOUT_LOCK.get()
}
