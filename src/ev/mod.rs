//! libev, made safe: the default loop, I/O watchers that live in their owners, and boxed watchers
//! for timers, signals and the loop's phases. Nothing else in the crate names libev; nothing here
//! knows Python, HTTP or sockets beyond a descriptor's number.
//!
//! # Pinning
//!
//! libev keeps the address of every started watcher in its own tables and writes through it. Two
//! things must hold from start to stop: the watcher does not move, and it is not freed.
//!
//! An [`Io`] is a field of its owner (a connection), so that a connection is one allocation and an
//! event finds it without a look-up. The owner lives in an `Rc`, which never moves its value;
//! starting puts one strong reference to it into the watcher's `data` pointer, and stopping
//! takes it back. While that reference exists, safe code has no way to move the owner
//! (`Rc::get_mut` and `Rc::try_unwrap` want to be alone) nor to drop it. [`Io::start`] checks
//! by address that the watcher really lies inside the owner: a type whose `OnIo::io` hands out some
//! other watcher is stopped there by a panic.
//!
//! A callback holds a reference of its own until it returns. `stop` may thus be called from inside
//! it, and give the loop's reference back, with the owner's methods still on the stack.
//!
//! The other watchers are few. Each owns a small `Rc` with libev's struct and a closure, stops when
//! it is dropped, and is kept by its callback in the same way while that runs.
//!
//! # Whose loop it is
//!
//! libev has one default loop a process, and no locks. Our handles are neither `Send` nor `Sync`,
//! but any thread can ask for one, so `tenancy` counts what ties the loop to a thread (active
//! watchers, calls into it) and refuses the others meanwhile.
//!
//! # Waiting
//!
//! The thread that runs the loop holds the interpreter's lock all the way through a batch of events.
//! [`Loop::on_wait`] names two functions that libev calls right before and right after each poll, so
//! the lock is free while there is nothing to do and is not passed around per event.
//!
//! # Forking
//!
//! A child shares its parent's epoll (or kqueue) descriptor; waiting on it would take the parent's
//! events. `ev_loop_fork` merely notes that the kernel side must be made anew before the next poll,
//! so the child's atfork handler may call it whatever the parent was doing, a callback included.
//!
//! # Children
//!
//! Making the default loop installs libev's SIGCHLD handler, which reaps every child of the process:
//! the `wait` of Python's `subprocess` would find its child gone. The disposition of before is put
//! back at once. The same would happen through a signalfd, which is why that flag of
//! `LIBEV_FLAGS` is not passed on.

mod ffi;
mod io;
#[cfg(test)]
mod locate;
mod panics;
mod phases;
mod signal;
mod tenancy;
mod timer;
#[cfg(test)]
mod trial;
mod watcher;

pub use io::{Interest, Io, OnIo};
pub use panics::{guarded, report_panics_to};
pub use phases::{Check, Idle, Prepare};
pub use signal::Signal;
pub use timer::Timer;

use ffi::EvLoop;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use tenancy::Visit;

/// The default loop once it is made; it lives as long as the process.
static DEFAULT: AtomicPtr<EvLoop> = AtomicPtr::new(ptr::null_mut());

/// The version of the libev that is really loaded: major, minor.
pub fn version() -> (i32, i32) {
    // SAFETY: both only return a constant.
    unsafe { (ffi::ev_version_major(), ffi::ev_version_minor()) }
}

/// Why there is no loop to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopError {
    /// None of the backends that `LIBEV_FLAGS` allows works on this system.
    NoBackend,
    /// Another thread runs the loop or has watchers on it.
    OtherThread,
}

impl fmt::Display for LoopError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            LoopError::NoBackend => "libev has no usable backend (see LIBEV_FLAGS)",
            LoopError::OtherThread => "the event loop is in use by another thread",
        })
    }
}

impl std::error::Error for LoopError {}

/// libev's default loop. To have one of these is to know that the loop was made.
#[derive(Clone, Copy)]
pub struct Loop {
    not_send: PhantomData<*mut ()>,
}

impl Loop {
    /// The default loop, made by the first call with the backend that `LIBEV_FLAGS` asks for.
    pub fn default_loop() -> Result<Loop, LoopError> {
        let _visit = Visit::try_new().map_err(|_| LoopError::OtherThread)?;
        if DEFAULT.load(Ordering::Relaxed).is_null() {
            DEFAULT.store(make_default_loop()?, Ordering::Relaxed);
        }
        Ok(Loop {
            not_send: PhantomData,
        })
    }

    /// What libev polls with: `select`, `poll`, `epoll`, `kqueue`, ...
    pub fn backend(self) -> &'static str {
        let _visit = Visit::new();
        // SAFETY: the loop exists (`self`) and is this thread's (`_visit`).
        match unsafe { ffi::ev_backend(raw()) } {
            0x01 => "select",
            0x02 => "poll",
            0x04 => "epoll",
            0x08 => "kqueue",
            0x10 => "devpoll",
            0x20 => "port",
            0x40 => "linuxaio",
            0x80 => "iouring",
            _ => "unknown",
        }
    }

    /// Handles events until [`Loop::stop`], or until no watcher is left.
    pub fn run(self) {
        let _visit = Visit::new();
        // SAFETY: the loop exists (`self`) and is this thread's (`_visit`) until the call returns.
        // Callbacks do not unwind: each catches its panics.
        unsafe { ffi::ev_run(raw(), 0) };
    }

    /// Makes [`Loop::run`] return once the events at hand are handled, before it waits again. Means
    /// nothing while the loop does not run.
    pub fn stop(self) {
        let _visit = Visit::new();
        // SAFETY: as in `backend`.
        unsafe { ffi::ev_break(raw(), ffi::EVBREAK_ALL) }
    }

    /// Seconds since the epoch when the loop last woke up.
    pub fn now(self) -> f64 {
        let _visit = Visit::new();
        // SAFETY: as in `backend`.
        unsafe { ffi::ev_now(raw()) }
    }

    /// Reads the clock again, for timers that are started long after the loop woke up.
    pub fn update_now(self) {
        let _visit = Visit::new();
        // SAFETY: as in `backend`.
        unsafe { ffi::ev_now_update(raw()) }
    }

    /// From now on calls `release` before each poll, blocking or not, and `acquire` after it. The
    /// last pair counts, in the thread that named it. Neither may touch the loop.
    pub fn on_wait(self, release: fn(), acquire: fn()) {
        let _visit = Visit::new();
        RELEASE.set(release);
        ACQUIRE.set(acquire);
        // SAFETY: as in `backend`; both functions fit the type and do not unwind.
        unsafe { ffi::ev_set_loop_release_cb(raw(), Some(before_wait), Some(after_wait)) }
    }
}

/// The default loop's address, for the thread that has a watcher on it or a [`Visit`].
fn raw() -> *mut EvLoop {
    DEFAULT.load(Ordering::Relaxed)
}

fn make_default_loop() -> Result<*mut EvLoop, LoopError> {
    let before = child_disposition();
    // SAFETY: the caller's visit keeps other threads out.
    let made = unsafe { ffi::ev_default_loop(flags(std::env::var("LIBEV_FLAGS").ok())) };
    if made.is_null() {
        return Err(LoopError::NoBackend);
    }
    // SAFETY: `before` is what sigaction itself filled in.
    unsafe { libc::sigaction(libc::SIGCHLD, &before, ptr::null_mut()) };
    // SAFETY: the handler does not unwind and touches nothing but two atomics and a flag of libev's.
    // It fails for want of memory only; a child is then told apart by nothing, as without it.
    unsafe { libc::pthread_atfork(None, None, Some(renew_in_child)) };
    Ok(made)
}

fn child_disposition() -> libc::sigaction {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only, into a struct of the right type, for a signal that exists; all zeros
    // (the default action) is a valid value should it fail.
    unsafe {
        libc::sigaction(libc::SIGCHLD, ptr::null(), now.as_mut_ptr());
        now.assume_init()
    }
}

/// What libev would read from the variable, less the flag that takes SIGCHLD from Python.
fn flags(variable: Option<String>) -> u32 {
    let text = variable.unwrap_or_default();
    let digits = text.trim_start().bytes().take_while(u8::is_ascii_digit);
    let asked = digits.fold(0u32, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))
    });
    (asked & !ffi::EVFLAG_SIGNALFD) | ffi::EVFLAG_NOENV
}

unsafe extern "C" fn renew_in_child() {
    let lp = raw();
    if !lp.is_null() {
        tenancy::inherit_after_fork();
        // SAFETY: the loop exists, and the child has no other thread that could use it.
        unsafe { ffi::ev_loop_fork(lp) }
    }
}

thread_local! {
    static RELEASE: Cell<fn()> = const { Cell::new(|| ()) };
    static ACQUIRE: Cell<fn()> = const { Cell::new(|| ()) };
}

unsafe extern "C" fn before_wait(_: *mut EvLoop) {
    guarded(RELEASE.get());
}

unsafe extern "C" fn after_wait(_: *mut EvLoop) {
    guarded(ACQUIRE.get());
}
