//! Owned and borrowed references, and what can be learnt of any object without running Python code
//! (but for the destructor that the end of an [`Owned`] may run).
//!
//! Invariant: an [`Owned`] holds exactly one reference, and exists only on a thread that holds the
//! interpreter lock; an `&Object` points to an object that somebody keeps alive for its lifetime.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use super::ffi;
use super::gil::{Gil, NotSend};
use super::raised::{Raised, Result};
use super::release::release;

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
            Owned::of(NonNull::new_unchecked(self.as_ptr()))
        }
    }

    /// `self is other`.
    pub fn is(&self, other: &Object) -> bool {
        std::ptr::eq(self, other)
    }

    /// `self is None`.
    pub fn is_none(&self) -> bool {
        // SAFETY: only the address of the interpreter's singleton, which lives as long as it.
        self.as_ptr() == unsafe { ffi::Py_None() }
    }

    /// `self is True`.
    pub fn is_true(&self) -> bool {
        // SAFETY: only the address of the interpreter's singleton, which lives as long as it.
        self.as_ptr() == unsafe { ffi::Py_True() }
    }

    /// `self is False`.
    pub fn is_false(&self) -> bool {
        // SAFETY: only the address of the interpreter's singleton, which lives as long as it.
        self.as_ptr() == unsafe { ffi::Py_False() }
    }

    /// Whether the type is exactly `class`.
    pub fn type_is(&self, class: &Object) -> bool {
        // SAFETY: `self` is alive, and every object has a type.
        unsafe { ffi::Py_TYPE(self.as_ptr()).cast() == class.as_ptr() }
    }

    /// The type. Owned, as Python code can give the object another (`object.__class__ = other`).
    pub fn class(&self, gil: Gil<'_>) -> Owned {
        // SAFETY: an object keeps its type alive; nothing runs before it is owned.
        unsafe { Object::borrowed(ffi::Py_TYPE(self.as_ptr()).cast()) }.own(gil)
    }

    /// `callable(self)`.
    pub fn is_callable(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyCallable_Check(self.as_ptr()) != 0 }
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
}

/// A reference that is ours; dropped, it is released. It stays on its thread, which holds the lock:
/// what is to be seen by a thread that may not hold it is a [`Kept`](super::Kept).
#[repr(transparent)]
pub struct Owned(NonNull<ffi::PyObject>, PhantomData<NotSend>);

impl Owned {
    fn of(pointer: NonNull<ffi::PyObject>) -> Owned {
        Owned(pointer, PhantomData)
    }

    /// Takes what a C-API call returned as a new reference; null means that it raised.
    ///
    /// # Safety
    /// `pointer` is null with an exception set, or a reference that the caller gives away.
    pub(crate) unsafe fn new_reference(pointer: *mut ffi::PyObject) -> Result<Owned> {
        match NonNull::new(pointer) {
            Some(pointer) => Ok(Owned::of(pointer)),
            // SAFETY: the caller's, that an exception is set.
            None => Err(unsafe { Raised::assume() }),
        }
    }

    /// The same for a call of which null is no exception.
    ///
    /// # Safety
    /// `pointer` is null, or a reference that the caller gives away.
    pub(super) unsafe fn new_or_null(pointer: *mut ffi::PyObject) -> Option<Owned> {
        NonNull::new(pointer).map(Owned::of)
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

    /// Hands the reference over, to a call that steals it or to the interpreter.
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
        // SAFETY: the reference is ours, and an `Owned` lives only where the lock is held, unless the
        // interpreter ends.
        unsafe { release(self.0) }
    }
}

/// Fails to compile where `T` is `Send`: two implementations then fit.
trait NeverSend<Marker> {
    const IS_KEPT: () = ();
}
impl<T: ?Sized> NeverSend<()> for T {}
impl<T: ?Sized + Send> NeverSend<u8> for T {}

const _: [(); 4] = [
    <Gil<'static> as NeverSend<_>>::IS_KEPT,
    <Owned as NeverSend<_>>::IS_KEPT,
    <&Object as NeverSend<_>>::IS_KEPT,
    <super::gil::GilCell<Owned> as NeverSend<_>>::IS_KEPT,
];
