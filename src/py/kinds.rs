//! The built-in exception classes that the module raises or looks for, and raising them.

use std::ffi::CString;

use super::ffi;
use super::gil::Gil;
use super::object::Object;
use super::raised::{Raised, Result};

/// A built-in exception class.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "each is the Python exception of the same name")]
pub enum Kind {
    AssertionError,
    AttributeError,
    BaseException,
    Exception,
    ImportError,
    IndexError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    SystemError,
    SystemExit,
    TypeError,
    ValueError,
}

impl Kind {
    pub(super) fn class(self) -> &'static Object {
        // SAFETY: the interpreter's own statics: the built-in exceptions live as long as it, in whose
        // call we are.
        unsafe {
            Object::borrowed(match self {
                Kind::AssertionError => ffi::PyExc_AssertionError,
                Kind::AttributeError => ffi::PyExc_AttributeError,
                Kind::BaseException => ffi::PyExc_BaseException,
                Kind::Exception => ffi::PyExc_Exception,
                Kind::ImportError => ffi::PyExc_ImportError,
                Kind::IndexError => ffi::PyExc_IndexError,
                Kind::MemoryError => ffi::PyExc_MemoryError,
                Kind::OSError => ffi::PyExc_OSError,
                Kind::OverflowError => ffi::PyExc_OverflowError,
                Kind::RuntimeError => ffi::PyExc_RuntimeError,
                Kind::SystemError => ffi::PyExc_SystemError,
                Kind::SystemExit => ffi::PyExc_SystemExit,
                Kind::TypeError => ffi::PyExc_TypeError,
                Kind::ValueError => ffi::PyExc_ValueError,
            })
        }
    }
}

impl Raised {
    /// Sets `kind(message)`.
    pub fn new(gil: Gil<'_>, kind: Kind, message: &str) -> Raised {
        Raised::of_class(gil, kind.class(), message)
    }

    /// Sets `class(message)` for an exception class of the module's own.
    pub fn of_class(_: Gil<'_>, class: &Object, message: &str) -> Raised {
        let message = CString::new(message.replace('\0', "\\0")).unwrap_or_default();
        // SAFETY: the class is alive (borrowed), the text ends in NUL, the lock is held (the token).
        // The call sets an exception whatever happens: that one, or what prevented it.
        unsafe {
            ffi::PyErr_SetString(class.as_ptr(), message.as_ptr());
            Raised::assume()
        }
    }

    /// Sets a `MemoryError`.
    pub fn no_memory(_: Gil<'_>) -> Raised {
        // SAFETY: the lock is held (the token); the call sets an exception.
        unsafe {
            ffi::PyErr_NoMemory();
            Raised::assume()
        }
    }

    /// Clears an exception of this kind; returns any other.
    pub fn unless(self, gil: Gil<'_>, kind: Kind) -> Result<()> {
        // SAFETY: an exception is set (`self`), so both are live exception classes; the lock is held.
        let matches = unsafe {
            ffi::PyErr_GivenExceptionMatches(ffi::PyErr_Occurred(), kind.class().as_ptr())
        };
        if matches == 0 {
            return Err(self);
        }
        self.clear(gil);
        Ok(())
    }
}
