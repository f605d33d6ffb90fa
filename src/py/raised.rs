//! The mark that a Python exception is set on this thread.
//!
//! Invariant: a [`Raised`] exists only while an exception is set, so that it is either returned to the
//! interpreter, or taken ([`Exception::take`](super::Exception::take)), or cleared.

use std::ffi::c_int;

use super::ffi;
use super::gil::Gil;

/// A Python exception is set on this thread.
#[must_use = "an exception is set: return it, or take it with Exception::take"]
#[derive(Debug)]
pub struct Raised(());

/// What a call into Python gives.
pub type Result<T> = std::result::Result<T, Raised>;

impl Raised {
    /// # Safety
    /// An exception is set on this thread, and no other `Raised` stands for it.
    pub(crate) unsafe fn assume() -> Raised {
        Raised(())
    }

    /// The exception that is set, if one is.
    pub fn occurred(_: Gil<'_>) -> Option<Raised> {
        // SAFETY: the lock is held (the token); the result is borrowed and only compared.
        (!unsafe { ffi::PyErr_Occurred() }.is_null()).then_some(Raised(()))
    }

    /// Forgets the exception.
    pub fn clear(self, _: Gil<'_>) {
        // SAFETY: the token says that the lock is held.
        unsafe { ffi::PyErr_Clear() }
    }

    /// Runs handlers of signals that came (only on the main thread), as the interpreter does
    /// between two instructions.
    pub fn check_signals(_: Gil<'_>) -> Result<()> {
        // SAFETY: the lock is held (the token); the call sets an exception when it returns -1.
        unsafe { check(ffi::PyErr_CheckSignals()) }
    }
}

/// What a C-API call returned: 0 for done, -1 for raised.
///
/// # Safety
/// `returned` is what a call just returned that sets an exception with -1.
pub(super) unsafe fn check(returned: c_int) -> Result<()> {
    // SAFETY: the caller's.
    unsafe { check_bool(returned) }.map(drop)
}

/// What a C-API call returned: 1 for yes, 0 for no, -1 for raised.
///
/// # Safety
/// As for [`check`].
pub(super) unsafe fn check_bool(returned: c_int) -> Result<bool> {
    match returned {
        // SAFETY: the caller's, that -1 means that an exception is set.
        -1 => Err(unsafe { Raised::assume() }),
        returned => Ok(returned != 0),
    }
}
