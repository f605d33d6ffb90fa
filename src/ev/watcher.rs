//! What timers, signals and phase watchers share: libev's struct and a closure in one `Rc`.
//!
//! Owns the pinning of a boxed watcher. Knows no watcher type: each says through [`Kind`] how libev
//! starts and stops it.
//!
//! Invariant: `retained` is true exactly while the watcher may be in libev's tables; `data` is the
//! address of the `State` around the watcher, which outlives that time: the [`Boxed`] that owns it
//! stops the watcher when dropped.

use super::default_loop::{Loop, raw};
use super::ffi::{self, Base, EvLoop};
use super::ownership::{self, LoopGuard};
use super::panics::guarded;
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_int;
use std::rc::Rc;
use std::sync::Arc;

/// One of libev's watcher structs.
///
/// # Safety
/// The struct is `repr(C)` and begins with a `Base<Self>`; `stop` takes it out of libev's tables and
/// drops a pending event.
pub unsafe trait Kind: Sized + 'static {
    const STOP: unsafe extern "C" fn(*mut EvLoop, *mut Self);
}

/// A watcher with its closure; inactive until started, stopped when dropped.
pub struct Boxed<W: Kind> {
    state: Rc<State<W>>,
}

/// libev's struct, at an address of its own. libev alone reads and writes it while it is active.
pub struct Place<W>(UnsafeCell<W>);

impl<W> Place<W> {
    /// The struct's address, for libev.
    pub fn get(&self) -> *mut W {
        self.0.get()
    }
}

struct State<W: Kind> {
    // Apart, as a `Waker` of another thread keeps it too.
    watcher: Arc<Place<W>>,
    retained: Cell<bool>,
    callback: Box<dyn Fn()>,
}

impl<W: Kind> Boxed<W> {
    /// `build` completes the struct around its common part.
    pub fn new(build: impl FnOnce(Base<W>) -> W, callback: impl Fn() + 'static) -> Boxed<W> {
        let state = Rc::new(State {
            watcher: Arc::new(Place(UnsafeCell::new(build(Base::new(fire::<W>))))),
            retained: Cell::new(false),
            callback: Box::new(callback),
        });
        let base: *mut Base<W> = state.watcher.get().cast();
        // SAFETY: `Kind` promises the common part at the front; no one else knows the struct yet.
        unsafe { (*base).data = Rc::as_ptr(&state).cast_mut().cast() };
        Boxed { state }
    }

    /// The struct. It stays in its place while this is held, even after the watcher's own end.
    pub fn place(&self) -> Arc<Place<W>> {
        Arc::clone(&self.state.watcher)
    }

    /// Calls `action` with the loop and the watcher, then keeps account of what came of it.
    ///
    /// # Safety
    /// `action` does nothing but set the watcher's parameters, stop and start it.
    ///
    /// # Panics
    /// If the loop is in use by another thread.
    pub unsafe fn alter(&self, _lp: Loop, action: impl FnOnce(*mut EvLoop, *mut W)) {
        let guard = LoopGuard::new();
        action(raw(), self.state.watcher.get());
        if !self.is_active() {
            self.state.release();
        } else if !self.state.retained.replace(true) {
            guard.retain();
        }
    }

    pub fn stop(&self) {
        if self.state.retained.get() {
            // SAFETY: a retained watcher was started (`alter`), so the loop exists, and is held for it by the
            // thread that started it, or by those that take turns (`ownership`): as the type is not `Send`,
            // this is that thread, or one of those with their lock.
            unsafe { W::STOP(raw(), self.state.watcher.get()) };
            self.state.release();
        }
    }

    pub fn is_active(&self) -> bool {
        self.state.is_active()
    }
}

impl<W: Kind> State<W> {
    fn is_active(&self) -> bool {
        // SAFETY: the struct is initialised, and begins with the common part.
        unsafe { ffi::fapws_ev_is_active(self.watcher.get().cast()) != 0 }
    }

    fn release(&self) {
        if self.retained.replace(false) {
            ownership::leave();
        }
    }
}

impl<W: Kind> Drop for Boxed<W> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What every boxed watcher can do, for a tuple struct around a [`Boxed`].
macro_rules! stoppable {
    ($name:ident) => {
        impl $name {
            /// Stops it, and drops an event that is not handled yet; nothing if it is stopped.
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
pub(super) use stoppable;

unsafe extern "C" fn fire<W: Kind>(_: *mut EvLoop, watcher: *mut W, _: c_int) {
    let base: *mut Base<W> = watcher.cast();
    // SAFETY: libev calls for a watcher that was started and not stopped since, so the `Boxed` that
    // holds the state exists; the callback adds a reference of its own, in case it drops that.
    let state: Rc<State<W>> = unsafe {
        let data: *const State<W> = (*base).data.cast_const().cast();
        Rc::increment_strong_count(data);
        Rc::from_raw(data)
    };
    if !state.is_active() {
        state.release(); // a timer that fires once is stopped by libev
    }
    guarded(|| (state.callback)());
    guarded(move || drop(state));
}
