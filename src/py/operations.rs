//! The object protocol: comparing, attributes, `str`, iteration. Each may run Python code, and so
//! anything.

use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::object::{Object, Owned};
use super::raised::{Raised, Result, check, check_bool};

impl Object {
    /// `self == other`.
    pub fn equals(&self, _: Gil<'_>, other: &Object) -> Result<bool> {
        // SAFETY: both are alive (borrowed) and the lock is held (the token); -1 means raised.
        unsafe {
            check_bool(ffi::PyObject_RichCompareBool(
                self.as_ptr(),
                other.as_ptr(),
                ffi::Py_EQ as _,
            ))
        }
    }

    /// `item in self`.
    pub fn contains(&self, _: Gil<'_>, item: &Object) -> Result<bool> {
        // SAFETY: the borrows keep both alive, the token says that the lock is held.
        unsafe { check_bool(ffi::PySequence_Contains(self.as_ptr(), item.as_ptr())) }
    }

    /// `self.name`.
    pub fn attr(&self, _: Gil<'_>, name: &Object) -> Result<Owned> {
        // SAFETY: the borrows keep both alive, the token says that the lock is held; the result is a new reference.
        unsafe { Owned::new_reference(ffi::PyObject_GetAttr(self.as_ptr(), name.as_ptr())) }
    }

    /// `getattr(self, name, None)`, distinct from an attribute that is `None`.
    pub fn optional_attr(&self, gil: Gil<'_>, name: &Object) -> Result<Option<Owned>> {
        #[cfg(any(feature = "python2", feature = "abi3"))]
        return match self.attr(gil, name) {
            Ok(value) => Ok(Some(value)),
            Err(raised) => raised.unless(gil, Kind::AttributeError).map(|()| None),
        };
        // The interpreter's own way makes no exception that nobody looks at.
        #[cfg(not(any(feature = "python2", feature = "abi3")))]
        {
            let _ = gil;
            let mut value = std::ptr::null_mut();
            // SAFETY: the borrows keep both alive, the token says that the lock is held; -1 means raised, else `value` is null or a
            // new reference.
            unsafe {
                check_bool(ffi::PyObject_GetOptionalAttr(
                    self.as_ptr(),
                    name.as_ptr(),
                    &mut value,
                ))?;
                Ok(Owned::new_or_null(value))
            }
        }
    }

    /// `self.name = value`.
    pub fn set_attr(&self, _: Gil<'_>, name: &Object, value: &Object) -> Result<()> {
        // SAFETY: the borrows keep all three alive, the token says that the lock is held.
        unsafe {
            check(ffi::PyObject_SetAttr(
                self.as_ptr(),
                name.as_ptr(),
                value.as_ptr(),
            ))
        }
    }

    /// `str(self)`.
    pub fn str(&self, _: Gil<'_>) -> Result<Owned> {
        // SAFETY: `self` is alive and the lock is held; the result is a new reference.
        unsafe { Owned::new_reference(ffi::PyObject_Str(self.as_ptr())) }
    }

    /// `iter(self)`.
    pub fn iterate(&self, _: Gil<'_>) -> Result<Owned> {
        // SAFETY: `self` is alive and the lock is held; the result is a new reference.
        unsafe { Owned::new_reference(ffi::PyObject_GetIter(self.as_ptr())) }
    }

    /// `next(self)`, `None` at the end; a `TypeError` for what is no iterator.
    pub fn next(&self, gil: Gil<'_>) -> Result<Option<Owned>> {
        if !self.is_generator() && !self.is_iterator() {
            return Err(Raised::new(
                gil,
                Kind::TypeError,
                "the object is not an iterator",
            ));
        }
        // SAFETY: `self` is an iterator and the lock is held; the result is a new reference or null,
        // with an exception set unless it is the end.
        let item = unsafe { Owned::new_or_null(ffi::PyIter_Next(self.as_ptr())) };
        match item {
            Some(item) => Ok(Some(item)),
            None => match Raised::occurred(gil) {
                Some(raised) => Err(raised),
                None => Ok(None),
            },
        }
    }
}
