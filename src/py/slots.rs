//! What the interpreter calls for an instance of a native class, and making one.

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::call::Arguments;
use super::collect::{Owns, Visitor};
use super::ffi;
use super::gil::Gil;
use super::instance::{Call, Class, Instance};
use super::kinds::Kind;
use super::module::{guarded, returned};
use super::object::{Object, Owned};
use super::raised::{Raised, Result};
use super::release::Hold;

/// # Safety
/// `class` was made by `make_class::<T>`, the lock is held.
pub(super) unsafe fn new_instance<T: Class>(
    class: *mut ffi::PyTypeObject,
    value: T,
) -> Result<Owned> {
    // SAFETY: the caller's; the allocation has the size the class names, `Instance<T>`'s. Its
    // fields behind the base are written before anyone else can see the object: on Python 3 the
    // collector knows it already, but nothing that makes it run comes in between.
    unsafe {
        #[cfg(feature = "python2")]
        let object = Owned::new_reference(match T::OWNS {
            Owns::Nothing => ffi::_PyObject_New(class),
            Owns::Objects(_) => ffi::_PyObject_GC_New(class),
        })?;
        #[cfg(feature = "python3")]
        let object = Owned::new_reference(ffi::PyType_GenericAlloc(class, 0))?;
        let instance = object.as_ptr().cast::<Instance<T>>();
        #[cfg(all(feature = "python3", not(feature = "abi3")))]
        (&raw mut (*instance).vector).write(vector::<T>);
        (&raw mut (*instance).value).write(value);
        #[cfg(feature = "python2")]
        if let Owns::Objects(_) = T::OWNS {
            ffi::PyObject_GC_Track(object.as_ptr().cast());
        }
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

pub(super) unsafe extern "C" fn method<T: Class, const I: usize>(
    this: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: this is `T::METHODS[I]`'s entry, called as `call_entry` wants it.
    unsafe { call_entry(T::METHODS[I].call, this, args, keywords) }
}

pub(super) unsafe extern "C" fn call<T: Class>(
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
pub(super) unsafe extern "C" fn vector<T: Class>(
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

pub(super) unsafe extern "C" fn dealloc<T: Class>(this: *mut ffi::PyObject) {
    // SAFETY: the last reference is gone, so the value is dropped once and nobody looks at the
    // memory again; a heap type's instance holds a reference to its type (bpo-35810). The interpreter
    // calls with the lock held.
    unsafe {
        if let Owns::Objects(_) = T::OWNS {
            ffi::PyObject_GC_UnTrack(this.cast());
        }
        // What the value refers to is released when it is gone, and not from inside here: no code of
        // the program's finds it half dropped, and a chain of instances needs no stack.
        let _hold = Hold::new(Gil::assume_held());
        let value = &raw mut (*this.cast::<Instance<T>>()).value;
        // A panic in a destructor must not cross into C; the value is gone either way.
        let _ = catch_unwind(AssertUnwindSafe(|| std::ptr::drop_in_place(value)));
        #[cfg(feature = "python3")]
        let class = ffi::Py_TYPE(this);
        match T::OWNS {
            Owns::Nothing => ffi::PyObject_Free(this.cast::<c_void>()),
            Owns::Objects(_) => ffi::PyObject_GC_Del(this.cast::<c_void>()),
        }
        #[cfg(feature = "python3")]
        ffi::Py_DECREF(class.cast());
    }
}

pub(super) unsafe extern "C" fn traverse<T: Class>(
    this: *mut ffi::PyObject,
    visit: ffi::visitproc,
    data: *mut c_void,
) -> c_int {
    // SAFETY: the collector calls with a live instance, its value initialised, and the lock held; a
    // heap type's instance owns a reference to its type (bpo-40217).
    unsafe {
        #[cfg(feature = "python2")]
        let mut result = 0;
        #[cfg(feature = "python3")]
        let mut result = visit(ffi::Py_TYPE(this).cast(), data);
        let mut visitor = Visitor::seeing(visit, data, &mut result);
        show(instance::<T>(this), &mut visitor);
        result
    }
}

pub(super) unsafe extern "C" fn clear<T: Class>(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: the collector calls with a live instance and the lock held.
    unsafe {
        let _hold = Hold::new(Gil::assume_held());
        show(instance::<T>(this), &mut Visitor::clearing());
    }
    0
}

fn show<T: Class>(this: &Instance<T>, visitor: &mut Visitor<'_>) {
    if let Owns::Objects(objects) = T::OWNS {
        // A panic must not cross into C; what was not shown is kept.
        let _ = catch_unwind(AssertUnwindSafe(|| objects(this, visitor)));
    }
}

pub(super) unsafe extern "C" fn iterate(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: `tp_iter` gets a live object and returns a new reference to it.
    unsafe { ffi::Py_INCREF(this) };
    this
}

pub(super) unsafe extern "C" fn next<T: Class>(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let next = T::NEXT.expect("the slot is only filled where there is one");
    // SAFETY: `tp_iternext` gets a live instance, with the lock held.
    let (gil, this) = unsafe { (Gil::assume_held(), instance::<T>(this)) };
    // Null without an exception is the end.
    match guarded(gil, || next(gil, this)) {
        Ok(Some(item)) => item.into_ptr(),
        Ok(None) | Err(_) => std::ptr::null_mut(),
    }
}

pub(super) unsafe extern "C" fn get<T: Class>(
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

pub(super) unsafe extern "C" fn set<T: Class>(
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

pub(super) unsafe extern "C" fn new<T: Class>(
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
