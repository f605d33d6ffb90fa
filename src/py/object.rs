//! The lock token, owned and borrowed references, and what can be asked of any object.
//!
//! Invariant: an [`Owned`] holds exactly one reference, and exists only on a thread that holds the
//! interpreter lock; an `&Object` points to an object that somebody keeps alive for its lifetime.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use super::error::{Raised, Result};
use super::ffi;

/// Proof that this thread holds the interpreter lock for `'g`.
#[derive(Clone, Copy)]
pub struct Gil<'g>(PhantomData<(&'g (), *mut ())>);

impl Gil<'_> {
    /// # Safety
    /// The calling thread holds the interpreter lock, and holds it for the whole lifetime that
    /// the caller gives to the token (but for calls into Python, which give it back on return).
    pub(crate) unsafe fn assume_held() -> Self {
        Gil(PhantomData)
    }
}

/// A value that belongs to the interpreter lock: whoever has a [`Gil`] may look at it.
pub struct GilCell<T>(T);

// SAFETY: `get` asks for the lock's token, so two threads never look at the same time, and the
// lock's own mutex orders what one wrote before what the next reads.
unsafe impl<T> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    /// Wraps `value`; usable in a `static`.
    pub const fn new(value: T) -> Self {
        GilCell(value)
    }

    /// The value, for as long as the lock is held.
    pub fn get<'g>(&'g self, _: Gil<'g>) -> &'g T {
        &self.0
    }
}

/// Any Python object, behind a borrowed reference `&Object`.
#[repr(transparent)]
pub struct Object(UnsafeCell<ffi::PyObject>);

impl Object {
    /// # Safety
    /// `pointer` is a live object that stays alive for `'a`, and the lock is held.
    pub(crate) unsafe fn borrowed<'a>(pointer: *mut ffi::PyObject) -> &'a Object {
        // SAFETY: the caller's; the cast is sound because `Object` is transparent over the
        // interpreter's own struct, in a cell because the interpreter writes to it.
        unsafe { &*pointer.cast::<Object>() }
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.get()
    }

    /// A reference of our own to this object.
    pub fn own(&self, _: Gil<'_>) -> Owned {
        // SAFETY: `self` is alive and the lock is held; the new reference is what `Owned` holds.
        unsafe {
            ffi::Py_INCREF(self.as_ptr());
            Owned(NonNull::new_unchecked(self.as_ptr()))
        }
    }

    /// `self is other`.
    pub fn is(&self, other: &Object) -> bool {
        std::ptr::eq(self, other)
    }

    /// `self is None`.
    pub fn is_none(&self) -> bool {
        // SAFETY: the singleton's address is constant.
        self.as_ptr() == unsafe { ffi::Py_None() }
    }

    /// `self is True`.
    pub fn is_true(&self) -> bool {
        // SAFETY: the singleton's address is constant.
        self.as_ptr() == unsafe { ffi::Py_True() }
    }

    /// `self is False`.
    pub fn is_false(&self) -> bool {
        // SAFETY: the singleton's address is constant.
        self.as_ptr() == unsafe { ffi::Py_False() }
    }

    /// Whether the type is exactly `class`.
    pub fn type_is(&self, class: &Object) -> bool {
        // SAFETY: `self` is alive, and every object has a type.
        unsafe { ffi::Py_TYPE(self.as_ptr()).cast() == class.as_ptr() }
    }

    /// The type, borrowed from the object.
    pub fn class(&self) -> &Object {
        // SAFETY: an object keeps its type alive.
        unsafe { Object::borrowed(ffi::Py_TYPE(self.as_ptr()).cast()) }
    }

    /// `callable(self)`.
    pub fn is_callable(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyCallable_Check(self.as_ptr()) != 0 }
    }

    /// `self == other`.
    pub fn equals(&self, _: Gil<'_>, other: &Object) -> Result<bool> {
        // SAFETY: both are alive and the lock is held.
        truth(unsafe {
            ffi::PyObject_RichCompareBool(self.as_ptr(), other.as_ptr(), ffi::Py_EQ as _)
        })
    }

    /// `item in self`.
    pub fn contains(&self, _: Gil<'_>, item: &Object) -> Result<bool> {
        // SAFETY: both are alive and the lock is held.
        truth(unsafe { ffi::PySequence_Contains(self.as_ptr(), item.as_ptr()) })
    }

    /// `self.name`.
    pub fn attr(&self, _: Gil<'_>, name: &Object) -> Result<Owned> {
        // SAFETY: both are alive and the lock is held; the result is a new reference.
        unsafe { Owned::new_reference(ffi::PyObject_GetAttr(self.as_ptr(), name.as_ptr())) }
    }

    /// `getattr(self, name, None)`, told apart from an attribute that is `None`.
    pub fn optional_attr(&self, gil: Gil<'_>, name: &Object) -> Result<Option<Owned>> {
        #[cfg(any(feature = "python2", feature = "abi3"))]
        return match self.attr(gil, name) {
            Ok(value) => Ok(Some(value)),
            Err(raised) => raised
                .unless(gil, super::Kind::AttributeError)
                .map(|()| None),
        };
        // The interpreter's own way makes no exception that nobody looks at.
        #[cfg(not(any(feature = "python2", feature = "abi3")))]
        {
            let _ = gil;
            let mut value = std::ptr::null_mut();
            // SAFETY: both are alive and the lock is held; `value` becomes null or a new reference.
            truth(unsafe { get_optional_attr(self.as_ptr(), name.as_ptr(), &mut value) })?;
            Ok(NonNull::new(value).map(Owned))
        }
    }

    /// `self.name = value`.
    pub fn set_attr(&self, _: Gil<'_>, name: &Object, value: &Object) -> Result<()> {
        // SAFETY: all three are alive and the lock is held.
        done(unsafe { ffi::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), value.as_ptr()) })
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

    /// Whether it is a plain generator, which has none of the attributes of a file.
    #[cfg(not(feature = "abi3"))]
    pub fn is_generator(&self) -> bool {
        // SAFETY: the type object is the interpreter's and lives as long as it.
        self.type_is(unsafe { Object::borrowed((&raw mut ffi::PyGen_Type).cast()) })
    }

    /// The stable ABI has no name for the type.
    #[cfg(feature = "abi3")]
    pub fn is_generator(&self) -> bool {
        false
    }

    /// Whether `next` can be called.
    pub fn is_iterator(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyIter_Check(self.as_ptr()) != 0 }
    }

    /// `next(self)`, `None` at the end; a `TypeError` for what is no iterator.
    pub fn next(&self, gil: Gil<'_>) -> Result<Option<Owned>> {
        if !self.is_iterator() {
            return Err(Raised::new(
                gil,
                super::Kind::TypeError,
                "the object is no iterator",
            ));
        }
        // SAFETY: `self` is an iterator and the lock is held; the answer is a new reference or
        // null, with an exception set unless it is the end.
        let item = unsafe { ffi::PyIter_Next(self.as_ptr()) };
        match NonNull::new(item) {
            Some(item) => Ok(Some(Owned(item))),
            None => match Raised::occurred(gil) {
                Some(raised) => Err(raised),
                None => Ok(None),
            },
        }
    }
}

#[cfg(all(Py_3_13, not(feature = "abi3")))]
use ffi::PyObject_GetOptionalAttr as get_optional_attr;

#[cfg(not(any(Py_3_13, feature = "python2", feature = "abi3")))]
unsafe extern "C" {
    /// What `PyObject_GetOptionalAttr` was called before Python 3.13 made it public.
    #[link_name = "_PyObject_LookupAttr"]
    fn get_optional_attr(
        object: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
        value: *mut *mut ffi::PyObject,
    ) -> std::ffi::c_int;
}

/// A reference that is ours: dropped, it is given back.
#[repr(transparent)]
pub struct Owned(NonNull<ffi::PyObject>);

impl Owned {
    /// Takes what a C-API call returned as a new reference; null means that it raised.
    ///
    /// # Safety
    /// `pointer` is null with an exception set, or a reference that the caller gives away.
    pub(crate) unsafe fn new_reference(pointer: *mut ffi::PyObject) -> Result<Owned> {
        match NonNull::new(pointer) {
            Some(pointer) => Ok(Owned(pointer)),
            // SAFETY: the caller's, that an exception is set.
            None => Err(unsafe { Raised::assume() }),
        }
    }

    /// Whether this reference is the only one.
    pub fn is_unshared(&self) -> bool {
        // SAFETY: the object is alive; its count is only read.
        #[cfg(feature = "python2")]
        let count = unsafe { (*self.as_ptr()).ob_refcnt };
        // SAFETY: as above.
        #[cfg(feature = "python3")]
        let count = unsafe { ffi::Py_REFCNT(self.as_ptr()) };
        count == 1
    }

    /// Gives the reference away, to a call that steals it or to the interpreter.
    pub(crate) fn into_ptr(self) -> *mut ffi::PyObject {
        let pointer = self.0.as_ptr();
        std::mem::forget(self);
        pointer
    }

    /// The lock: a reference is kept only where it is held.
    pub fn gil(&self) -> Gil<'_> {
        // SAFETY: this type's invariant.
        unsafe { Gil::assume_held() }
    }

    /// `None`.
    pub fn none(gil: Gil<'_>) -> Owned {
        // SAFETY: the singleton lives as long as the interpreter.
        unsafe { Object::borrowed(ffi::Py_None()) }.own(gil)
    }

    /// `True` or `False`.
    pub fn boolean(gil: Gil<'_>, value: bool) -> Owned {
        // SAFETY: the singletons live as long as the interpreter.
        unsafe {
            Object::borrowed(if value {
                ffi::Py_True()
            } else {
                ffi::Py_False()
            })
        }
        .own(gil)
    }
}

impl Deref for Owned {
    type Target = Object;

    fn deref(&self) -> &Object {
        // SAFETY: the reference that `self` holds keeps the object alive.
        unsafe { Object::borrowed(self.0.as_ptr()) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and an `Owned` lives only where the lock is held.
        unsafe { ffi::Py_DECREF(self.0.as_ptr()) }
    }
}

/// The C-API's -1, 0, 1.
pub(super) fn truth(answer: std::ffi::c_int) -> Result<bool> {
    match answer {
        // SAFETY: -1 means that the call raised.
        -1 => Err(unsafe { Raised::assume() }),
        answer => Ok(answer != 0),
    }
}

/// The C-API's 0 for done, -1 for raised.
pub(super) fn done(answer: std::ffi::c_int) -> Result<()> {
    truth(answer).map(drop)
}
