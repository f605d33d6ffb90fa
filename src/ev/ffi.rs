//! libev's structs and functions, as C declares them.
//!
//! Holds no logic. `shim.c` mirrors every struct of this file and asserts, when the crate is
//! built, that size, alignment and each field's place are those of `ev.h`.

use std::ffi::{c_double, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::ptr;

#[repr(C)]
pub struct EvLoop {
    opaque: [u8; 0],
    not_send: PhantomData<*mut ()>,
}

pub type Callback<W> = unsafe extern "C" fn(*mut EvLoop, *mut W, c_int);

/// What every watcher begins with; `W` is the whole watcher.
#[repr(C)]
pub struct Base<W> {
    pub active: c_int,
    pub pending: c_int,
    pub priority: c_int,
    pub data: *mut c_void,
    pub cb: Option<Callback<W>>,
}

impl<W> Base<W> {
    /// What `ev_init` writes: at rest, priority 0.
    pub const fn new(cb: Callback<W>) -> Base<W> {
        Base {
            active: 0,
            pending: 0,
            priority: 0,
            data: ptr::null_mut(),
            cb: Some(cb),
        }
    }
}

#[repr(C)]
pub struct EvIo {
    pub base: Base<EvIo>,
    pub next: *mut c_void,
    pub fd: c_int,
    pub events: c_int,
}

#[repr(C)]
pub struct EvTimer {
    pub base: Base<EvTimer>,
    pub at: c_double,
    pub repeat: c_double,
}

#[repr(C)]
pub struct EvSignal {
    pub base: Base<EvSignal>,
    pub next: *mut c_void,
    pub signum: c_int,
}

#[repr(C)]
pub struct EvIdle {
    pub base: Base<EvIdle>,
}

#[repr(C)]
pub struct EvCheck {
    pub base: Base<EvCheck>,
}

#[repr(C)]
pub struct EvPrepare {
    pub base: Base<EvPrepare>,
}

#[repr(C)]
pub struct EvAsync {
    pub base: Base<EvAsync>,
    /// A `sig_atomic_t` that libev's `ev_async_send` sets from any thread; nothing here looks at it.
    pub sent: c_int,
}

pub const EV_READ: c_int = 1;
pub const EV_WRITE: c_int = 2;

pub const EVFLAG_NOENV: c_uint = 0x0100_0000;
pub const EVFLAG_SIGNALFD: c_uint = 0x0020_0000;

pub const EVRUN_NOWAIT: c_int = 1;
pub const EVRUN_ONCE: c_int = 2;
pub const EVBREAK_ALL: c_int = 2;

unsafe extern "C" {
    pub fn ev_version_major() -> c_int;
    pub fn ev_version_minor() -> c_int;

    pub fn ev_set_syserr_cb(callback: Option<unsafe extern "C" fn(what: *const std::ffi::c_char)>);
    pub fn ev_default_loop(flags: c_uint) -> *mut EvLoop;
    pub fn ev_loop_fork(lp: *mut EvLoop);
    pub fn ev_backend(lp: *mut EvLoop) -> c_uint;
    pub fn ev_run(lp: *mut EvLoop, flags: c_int) -> c_int;
    pub fn ev_break(lp: *mut EvLoop, how: c_int);
    pub fn ev_pending_count(lp: *mut EvLoop) -> c_uint;
    pub fn ev_now(lp: *mut EvLoop) -> c_double;
    pub fn ev_now_update(lp: *mut EvLoop);
    pub fn ev_set_loop_release_cb(
        lp: *mut EvLoop,
        release: Option<unsafe extern "C" fn(*mut EvLoop)>,
        acquire: Option<unsafe extern "C" fn(*mut EvLoop)>,
    );

    pub fn ev_io_start(lp: *mut EvLoop, io: *mut EvIo);
    pub fn ev_io_stop(lp: *mut EvLoop, io: *mut EvIo);
    pub fn ev_timer_start(lp: *mut EvLoop, timer: *mut EvTimer);
    pub fn ev_timer_stop(lp: *mut EvLoop, timer: *mut EvTimer);
    pub fn ev_signal_start(lp: *mut EvLoop, signal: *mut EvSignal);
    pub fn ev_signal_stop(lp: *mut EvLoop, signal: *mut EvSignal);
    pub fn ev_idle_start(lp: *mut EvLoop, idle: *mut EvIdle);
    pub fn ev_idle_stop(lp: *mut EvLoop, idle: *mut EvIdle);
    pub fn ev_prepare_start(lp: *mut EvLoop, prepare: *mut EvPrepare);
    pub fn ev_prepare_stop(lp: *mut EvLoop, prepare: *mut EvPrepare);
    pub fn ev_check_start(lp: *mut EvLoop, check: *mut EvCheck);
    pub fn ev_check_stop(lp: *mut EvLoop, check: *mut EvCheck);
    pub fn ev_async_start(lp: *mut EvLoop, watcher: *mut EvAsync);
    pub fn ev_async_stop(lp: *mut EvLoop, watcher: *mut EvAsync);
    pub fn ev_async_send(lp: *mut EvLoop, watcher: *mut EvAsync);

    // shim.c
    pub fn fapws_ev_is_active(watcher: *const c_void) -> c_int;
    pub fn fapws_ev_io_set(io: *mut EvIo, fd: c_int, events: c_int);
    pub fn fapws_ev_io_modify(io: *mut EvIo, events: c_int);
    pub fn fapws_ev_timer_set(timer: *mut EvTimer, after: c_double, repeat: c_double);
}
