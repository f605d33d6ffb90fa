//! What a native class is made of, and its instances: a Rust value inside a Python object.
//!
//! Invariant: `Instance::value` is initialised from the moment the object can be seen by anyone
//! until `tp_dealloc` drops it.
//!
//! Python calls methods, and drops the last reference, in any thread: a value need not be `Send`, as every
//! thread that comes to it holds the interpreter's lock, which orders what they do. What must not change
//! threads even so (thread-locals, what belongs to the loop's owner) has no place in a value.

use std::ffi::CStr;
use std::ops::Deref;

use super::call::Arguments;
use super::collect::Owns;
use super::ffi;
use super::gil::Gil;
#[cfg(doc)]
use super::module::MAX_ENTRIES;
use super::object::{Object, Owned};
use super::raised::Result;

/// One method of a native class.
pub struct Method<T: 'static> {
    /// Its name in Python.
    pub name: &'static CStr,
    /// Its docstring.
    pub doc: &'static CStr,
    /// What it does.
    pub call: Call<T>,
}

/// What the iteration of an instance gives next.
pub type Next<T> = fn(Gil<'_>, &Instance<T>) -> Result<Option<Owned>>;

/// Looks an attribute up.
pub type Get<T> = fn(Gil<'_>, &Instance<T>, &Object) -> Result<Owned>;

/// Sets an attribute.
pub type Set<T> = fn(Gil<'_>, &Instance<T>, &Object, &Object) -> Result<()>;

/// Makes the value of a new instance.
pub type New<T> = fn(Gil<'_>, &Arguments<'_>) -> Result<T>;

/// A method, or the call of an instance.
pub type Call<T> = fn(Gil<'_>, &Instance<T>, &Arguments<'_>) -> Result<Owned>;

/// What a native class is made of.
pub trait Class: Sized + 'static {
    /// The dotted name, `module.Class`.
    const NAME: &'static CStr;
    /// The docstring.
    const DOC: &'static CStr;
    /// At most [`MAX_ENTRIES`] methods.
    const METHODS: &'static [Method<Self>];
    /// What references an instance owns.
    const OWNS: Owns<Self>;
    /// What calling an instance does, where it can be called.
    const CALL: Option<Call<Self>> = None;
    /// The next item (`None` at the end), where instances are their own iterators.
    const NEXT: Option<Next<Self>> = None;
    /// What an attribute is that the class does not have.
    const GET: Option<Get<Self>> = None;
    /// What setting an attribute does.
    const SET: Option<Set<Self>> = None;
    /// What calling the class makes, where programs may.
    const NEW: Option<New<Self>> = None;
}

#[cfg(all(feature = "python3", not(feature = "abi3")))]
pub(super) type Vector = ffi::vectorcallfunc;
#[cfg(any(feature = "python2", feature = "abi3"))]
pub(super) type Vector = ();

/// An instance of a native class.
#[repr(C)]
pub struct Instance<T> {
    base: ffi::PyObject,
    pub(super) vector: Vector,
    pub(super) value: T,
}

impl<T> Instance<T> {
    /// The instance as any object.
    pub fn object(&self) -> &Object {
        // SAFETY: an instance begins with the object's own struct, and is alive.
        unsafe { Object::borrowed((&raw const *self).cast_mut().cast()) }
    }
}

impl<T> Deref for Instance<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
