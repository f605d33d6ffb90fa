//! Numbers in and out.

#[cfg(feature = "python2")]
use std::ffi::c_long;

use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::object::{Object, Owned};
use super::raised::{Raised, Result};

/// An `int` (on Python 2 an `int`, not a `long`).
pub fn int(_: Gil<'_>, value: i64) -> Result<Owned> {
    // SAFETY: the lock is held, the result is a new reference.
    unsafe {
        // What a `long` of C cannot hold, of 32 bits on some systems, is a `long` on Python 2 too.
        #[cfg(feature = "python2")]
        if size_of::<c_long>() == size_of::<i64>() || i32::try_from(value).is_ok() {
            return Owned::new_reference(ffi::PyInt_FromLong(value as c_long));
        }
        Owned::new_reference(ffi::PyLong_FromLongLong(value))
    }
}

/// An `int`, which on Python 2 is a `long`, as the original gave for descriptors.
pub fn long(_: Gil<'_>, value: i64) -> Result<Owned> {
    // SAFETY: the lock is held, the result is a new reference.
    unsafe { Owned::new_reference(ffi::PyLong_FromLongLong(value)) }
}

/// A `float`.
pub fn float(_: Gil<'_>, value: f64) -> Result<Owned> {
    // SAFETY: the lock is held, the result is a new reference.
    unsafe { Owned::new_reference(ffi::PyFloat_FromDouble(value)) }
}

impl Object {
    /// Whether it is an `int`, or on Python 2 a `long`.
    pub fn is_int(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyLong_Check(self.as_ptr()) != 0 }
    }

    /// `int(self)` for an integer; a `TypeError` for what is none, an `OverflowError` for what
    /// does not fit.
    pub fn to_int(&self, gil: Gil<'_>) -> Result<i64> {
        // SAFETY: CPython's static type, which is there from its start to its end.
        let float = unsafe { Object::borrowed((&raw mut ffi::PyFloat_Type).cast()) };
        if self.type_is(float) {
            // CPython's own functions take none either; up to 3.9 the call below would.
            let message = "integer argument expected, got float";
            return Err(Raised::new(gil, Kind::TypeError, message));
        }
        // SAFETY: the borrow keeps `self` alive, the token says that the lock is held. On Python 2 the call takes an `int` too.
        match unsafe { ffi::PyLong_AsLongLong(self.as_ptr()) } {
            -1 => Raised::occurred(gil).map_or(Ok(-1), Err),
            value => Ok(value),
        }
    }

    /// `float(self)` for a number.
    pub fn to_float(&self, gil: Gil<'_>) -> Result<f64> {
        // SAFETY: `self` is alive; the check only looks at the type.
        if unsafe { ffi::PyNumber_Check(self.as_ptr()) } == 0 {
            return Err(Raised::new(gil, Kind::TypeError, "a number is required"));
        }
        // SAFETY: the borrow keeps `self` alive, the token says that the lock is held.
        let value = unsafe { ffi::PyFloat_AsDouble(self.as_ptr()) };
        if value == -1.0 {
            return Raised::occurred(gil).map_or(Ok(value), Err);
        }
        Ok(value)
    }
}
