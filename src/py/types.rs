//! Native classes: a Rust value inside a Python object.
//!
//! A class is a Rust type that implements [`Class`]; its methods take `&Instance<Self>`, so a value
//! that changes does so through cells. Instances are made only by [`ClassObject::instantiate`]
//! (or by calling the class, where [`Class::NEW`] says how), and the classes cannot be derived from.
//!
//! Invariant: `Instance::value` is initialised from the moment the object can be seen by anyone
//! until `tp_dealloc` drops it.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ops::Deref;

use super::call::Arguments;
use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::module::{MAX_ENTRIES, definition, entries, guarded, returned, sentinel};
use super::object::{Object, Owned};
use super::raised::{Raised, Result};

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
type Vector = ffi::vectorcallfunc;
#[cfg(any(feature = "python2", feature = "abi3"))]
type Vector = ();

/// An instance of a native class.
#[repr(C)]
pub struct Instance<T> {
    base: ffi::PyObject,
    vector: Vector,
    value: T,
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

/// A native class, made.
pub struct ClassObject<T: Class> {
    class: Owned,
    _of: PhantomData<T>,
}

impl<T: Class> ClassObject<T> {
    /// Makes the class; once, when the module is imported.
    pub fn new(gil: Gil<'_>) -> Result<Self> {
        assert!(
            T::METHODS.len() <= MAX_ENTRIES,
            "a class has at most {MAX_ENTRIES} methods"
        );
        let mut methods: Vec<_> = T::METHODS
            .iter()
            .zip(entries!(method, T))
            .map(|(method, entry)| definition(method.name, method.doc, entry))
            .collect();
        methods.push(sentinel());
        let class = make_class::<T>(gil, Vec::leak(methods).as_mut_ptr())?;
        Ok(ClassObject {
            class,
            _of: PhantomData,
        })
    }

    /// The class as an object.
    pub fn object(&self) -> &Object {
        &self.class
    }

    /// A new instance around `value`.
    pub fn instantiate(&self, _: Gil<'_>, value: T) -> Result<Owned> {
        // SAFETY: the class was made by `make_class::<T>`.
        unsafe { new_instance(self.class.as_ptr().cast(), value) }
    }

    /// `object` as an instance of this class, if it is one.
    pub fn instance<'a>(&self, object: &'a Object) -> Option<&'a Instance<T>> {
        // SAFETY: the classes cannot be derived from, so one of this type has our layout.
        object
            .type_is(&self.class)
            .then(|| unsafe { &*object.as_ptr().cast::<Instance<T>>() })
    }
}

/// # Safety
/// `class` was made by `make_class::<T>`, the lock is held.
unsafe fn new_instance<T: Class>(class: *mut ffi::PyTypeObject, value: T) -> Result<Owned> {
    // SAFETY: the caller's; the allocation has the size the class names, `Instance<T>`'s. Its
    // fields behind the base are written before anyone else can see the object.
    unsafe {
        #[cfg(feature = "python2")]
        let object = Owned::new_reference(ffi::_PyObject_New(class))?;
        #[cfg(feature = "python3")]
        let object = Owned::new_reference(ffi::PyType_GenericAlloc(class, 0))?;
        let instance = object.as_ptr().cast::<Instance<T>>();
        #[cfg(all(feature = "python3", not(feature = "abi3")))]
        (&raw mut (*instance).vector).write(vector::<T>);
        (&raw mut (*instance).value).write(value);
        Ok(object)
    }
}

/// The instance behind a pointer that the interpreter passes to one of its class's slots.
///
/// # Safety
/// `object` is a live instance of `T`'s class.
unsafe fn instance<'a, T>(object: *mut ffi::PyObject) -> &'a Instance<T> {
    // SAFETY: the caller's.
    unsafe { &*object.cast::<Instance<T>>() }
}

unsafe extern "C" fn method<T: Class, const I: usize>(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: this is `T::METHODS[I]`'s entry, called as `call_entry` wants it.
    unsafe { call_entry(T::METHODS[I].call, this, args, keywords) }
}

unsafe extern "C" fn call<T: Class>(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let call = T::CALL.expect("the slot is only filled where there is one");
    // SAFETY: `tp_call` has the same contract as a method with keywords.
    unsafe { call_entry(call, this, args, keywords) }
}

/// # Safety
/// Called by the interpreter: `this` is a live instance of `T`'s class, `args` a live tuple,
/// `keywords` null or a live dict, and the lock is held.
unsafe fn call_entry<T>(
    call: Call<T>,
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the caller's.
    let (gil, this, args, keywords) = unsafe {
        let keywords = (!keywords.is_null()).then(|| Object::borrowed(keywords));
        (
            Gil::assume_held(),
            instance::<T>(this),
            Object::borrowed(args),
            keywords,
        )
    };
    let arguments = Arguments::from_tuple(gil, args, keywords);
    returned(guarded(gil, || call(gil, this, &arguments)))
}

#[cfg(all(feature = "python3", not(feature = "abi3")))]
unsafe extern "C" fn vector<T: Class>(
    this: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: PEP 590: `args` has the positional arguments, then one for each name in `names`, a
    // tuple or null; all alive, and the lock is held.
    let (gil, this, positional, all, names) = unsafe {
        let names = (!names.is_null()).then(|| Object::borrowed(names));
        let positional = ffi::PyVectorcall_NARGS(count as _) as usize;
        let total = positional + names.map_or(0, Object::tuple_len);
        let all: &[&Object] = if total == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(args.cast(), total)
        };
        (
            Gil::assume_held(),
            instance::<T>(this),
            positional,
            all,
            names,
        )
    };
    let call = T::CALL.expect("only a class with a call has a vectorcall offset");
    let arguments = Arguments::from_vector(all, positional, names);
    returned(guarded(gil, || call(gil, this, &arguments)))
}

unsafe extern "C" fn dealloc<T: Class>(this: *mut ffi::PyObject) {
    // SAFETY: the last reference is gone, so the value is dropped once and nobody looks at the
    // memory again; a heap type's instance holds a reference to its type (bpo-35810).
    unsafe {
        let value = &raw mut (*this.cast::<Instance<T>>()).value;
        // A panic in a destructor must not cross into C; the value is gone either way.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            std::ptr::drop_in_place(value);
        }));
        #[cfg(feature = "python3")]
        let class = ffi::Py_TYPE(this);
        ffi::PyObject_Free(this.cast::<c_void>());
        #[cfg(feature = "python3")]
        ffi::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: `tp_iter` gets a live object and returns a new reference to it.
    unsafe { ffi::Py_INCREF(this) };
    this
}

unsafe extern "C" fn next<T: Class>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let next = T::NEXT.expect("the slot is only filled where there is one");
    // SAFETY: `tp_iternext` gets a live instance, with the lock held.
    let (gil, this) = unsafe { (Gil::assume_held(), instance::<T>(this)) };
    // Null without an exception is the end.
    match guarded(gil, || next(gil, this)) {
        Ok(Some(item)) => item.into_ptr(),
        Ok(None) | Err(_) => std::ptr::null_mut(),
    }
}

unsafe extern "C" fn get<T: Class>(
    this: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let get = T::GET.expect("the slot is only filled where there is one");
    // SAFETY: `tp_getattro` gets a live instance and a live name, with the lock held.
    let (gil, found, this, name) = unsafe {
        let found = Owned::new_reference(ffi::PyObject_GenericGetAttr(this, name));
        (
            Gil::assume_held(),
            found,
            instance::<T>(this),
            Object::borrowed(name),
        )
    };
    returned(match found {
        Ok(value) => Ok(value),
        Err(raised) => raised
            .unless(gil, Kind::AttributeError)
            .and_then(|()| guarded(gil, || get(gil, this, name))),
    })
}

unsafe extern "C" fn set<T: Class>(
    this: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    let set = T::SET.expect("the slot is only filled where there is one");
    // SAFETY: `tp_setattro` gets a live instance, a live name, and null (to delete) or a live
    // value, with the lock held.
    let (gil, this, name, value) = unsafe {
        let value = (!value.is_null()).then(|| Object::borrowed(value));
        (
            Gil::assume_held(),
            instance::<T>(this),
            Object::borrowed(name),
            value,
        )
    };
    let done = guarded(gil, || match value {
        Some(value) => set(gil, this, name, value),
        None => Err(Raised::new(
            gil,
            Kind::AttributeError,
            "the attribute cannot be deleted",
        )),
    });
    if done.is_ok() { 0 } else { -1 }
}

unsafe extern "C" fn new<T: Class>(
    class: *mut ffi::PyTypeObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: `tp_new` gets a live tuple and null or a live dict, with the lock held.
    let (gil, args, keywords) = unsafe {
        let keywords = (!keywords.is_null()).then(|| Object::borrowed(keywords));
        (Gil::assume_held(), Object::borrowed(args), keywords)
    };
    returned(guarded(gil, || match T::NEW {
        // SAFETY: the class cannot be derived from, so `class` is `T`'s own.
        Some(new) => new(gil, &Arguments::from_tuple(gil, args, keywords))
            .and_then(|value| unsafe { new_instance(class, value) }),
        None => Err(Raised::new(
            gil,
            Kind::TypeError,
            "only the server makes instances",
        )),
    }))
}

#[cfg(feature = "python3")]
fn make_class<T: Class>(_: Gil<'_>, methods: *mut ffi::PyMethodDef) -> Result<Owned> {
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = vec![
        slot(ffi::Py_tp_dealloc, dealloc::<T> as *mut c_void),
        slot(ffi::Py_tp_new, new::<T> as *mut c_void),
        slot(ffi::Py_tp_methods, methods.cast()),
        slot(ffi::Py_tp_doc, T::DOC.as_ptr().cast_mut().cast()),
    ];
    #[allow(unused_mut, reason = "vectorcall is not in the limited API of 3.9")]
    let mut flags = ffi::Py_TPFLAGS_DEFAULT;
    if T::CALL.is_some() {
        slots.push(slot(ffi::Py_tp_call, call::<T> as *mut c_void));
        #[cfg(not(feature = "abi3"))]
        {
            flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
            let members = vec![
                ffi::PyMemberDef {
                    name: c"__vectorcalloffset__".as_ptr(),
                    type_code: ffi::Py_T_PYSSIZET,
                    offset: std::mem::offset_of!(Instance<T>, vector) as _,
                    flags: ffi::Py_READONLY,
                    doc: std::ptr::null(),
                },
                // SAFETY: all-zero is the end mark that the C-API documents.
                unsafe { std::mem::zeroed() },
            ];
            slots.push(slot(
                ffi::Py_tp_members,
                Vec::leak(members).as_mut_ptr().cast(),
            ));
        }
    }
    if T::NEXT.is_some() {
        slots.push(slot(ffi::Py_tp_iter, iterate as *mut c_void));
        slots.push(slot(ffi::Py_tp_iternext, next::<T> as *mut c_void));
    }
    if T::GET.is_some() {
        slots.push(slot(ffi::Py_tp_getattro, get::<T> as *mut c_void));
    }
    if T::SET.is_some() {
        slots.push(slot(ffi::Py_tp_setattro, set::<T> as *mut c_void));
    }
    slots.push(slot(0, std::ptr::null_mut()));
    let mut spec = ffi::PyType_Spec {
        name: T::NAME.as_ptr(),
        basicsize: size_of::<Instance<T>>() as c_int,
        itemsize: 0,
        flags: flags as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec is whole and its slots have the signatures that their names ask for; the
    // interpreter copies it, and what it keeps pointers to (names, methods, members) lives for ever.
    unsafe { Owned::new_reference(ffi::PyType_FromSpec(&mut spec)) }
}

#[cfg(feature = "python2")]
fn make_class<T: Class>(_: Gil<'_>, methods: *mut ffi::PyMethodDef) -> Result<Owned> {
    // SAFETY: all-zero is a valid type that leaves each slot to be inherited.
    let class: &mut ffi::PyTypeObject = Box::leak(Box::new(unsafe { std::mem::zeroed() }));
    class.ob_refcnt = 1;
    class.ob_type = &raw mut ffi::PyType_Type;
    class.tp_name = T::NAME.as_ptr();
    class.tp_doc = T::DOC.as_ptr();
    class.tp_basicsize = size_of::<Instance<T>>() as ffi::Py_ssize_t;
    class.tp_flags = ffi::Py_TPFLAGS_DEFAULT;
    class.tp_methods = methods;
    class.tp_dealloc = Some(dealloc::<T>);
    class.tp_new = Some(new::<T>);
    class.tp_call = T::CALL.map(|_| call::<T> as ffi::ternaryfunc);
    class.tp_iter = T::NEXT.map(|_| iterate as ffi::unaryfunc);
    class.tp_iternext = T::NEXT.map(|_| next::<T> as ffi::unaryfunc);
    class.tp_getattro = T::GET.map(|_| get::<T> as ffi::getattrofunc);
    class.tp_setattro = T::SET.map(|_| set::<T> as ffi::setattrofunc);
    // SAFETY: the type is whole and lives for ever; its one reference becomes ours.
    unsafe {
        super::raised::check(ffi::PyType_Ready(class))?;
        Owned::new_reference((&raw mut *class).cast())
    }
}
