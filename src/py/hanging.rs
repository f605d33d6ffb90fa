//! Calls that may run Python code, for a thread that the interpreter may end in the middle of one.
//!
//! When Python ends, other threads of its may still run: daemons. As soon as one asks for the interpreter's
//! lock, which any Python code does now and then, CPython before 3.14 calls `pthread_exit` on it: its frames
//! are unwound, ours among them, and that aborts the process. So each call into the interpreter
//! that may run Python code, or waits for the lock, is made from a frame that stops the unwinding: the thread sleeps there until
//! the process ends, which is what CPython does itself from 3.14 on. It holds no lock by then.
//!
//! What makes an object that the collector knows is one of them, up to Python 3.11: the collector runs destructors.
//!
//! Functions of this file replace those of `pyo3-ffi` of the same names, which are declared as if
//! nothing could unwind out of them. They cost nothing but the entry in the unwinder's table.

#![allow(non_snake_case, reason = "the names are CPython's")]
#![allow(
    clippy::missing_safety_doc,
    reason = "what each asks for is in CPython's reference"
)]

use std::ffi::{c_char, c_double, c_int, c_longlong};

use pyo3_ffi::{Py_ssize_t, PyObject, PyThreadState, PyType_Spec, PyTypeObject};

/// Sleeps until the process ends, should a frame be unwound.
struct Hang;

impl Drop for Hang {
    fn drop(&mut self) {
        loop {
            // SAFETY: waits for a signal, whose handler runs as in any thread.
            unsafe { libc::pause() };
        }
    }
}

macro_rules! hanging {
    ($($(#[$when:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        $(#[$when])*
        #[inline]
        pub unsafe fn $name($($argument: $type),*) $(-> $result)? {
            mod raw {
                #[allow(unused_imports, reason = "not every signature names all of them")]
                use super::*;
                unsafe extern "C-unwind" {
                    pub fn $name($($argument: $type),*) $(-> $result)?;
                }
            }
            let hang = Hang;
            // SAFETY: the caller's, who knows what CPython's reference asks for.
            let result = unsafe { raw::$name($($argument),*) };
            std::mem::forget(hang);
            result
        }
    )*};
}

hanging! {
    fn PyObject_GetAttr(object: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    fn PyObject_GenericGetAttr(object: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    fn PyObject_SetAttr(object: *mut PyObject, name: *mut PyObject, value: *mut PyObject) -> c_int;
    fn PyObject_Str(object: *mut PyObject) -> *mut PyObject;
    fn PyObject_GetIter(object: *mut PyObject) -> *mut PyObject;
    fn PyIter_Next(object: *mut PyObject) -> *mut PyObject;
    fn PyObject_Repr(object: *mut PyObject) -> *mut PyObject;
    fn PyObject_RichCompare(a: *mut PyObject, b: *mut PyObject, how: c_int) -> *mut PyObject;
    fn PyObject_GetItem(object: *mut PyObject, key: *mut PyObject) -> *mut PyObject;
    fn PyObject_SetItem(object: *mut PyObject, key: *mut PyObject, item: *mut PyObject) -> c_int;
    fn PyObject_DelItem(object: *mut PyObject, key: *mut PyObject) -> c_int;
    fn PyNumber_Or(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject;
    fn PyNumber_InPlaceOr(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject;
    fn PyObject_RichCompareBool(a: *mut PyObject, b: *mut PyObject, how: c_int) -> c_int;
    fn PySequence_Contains(object: *mut PyObject, item: *mut PyObject) -> c_int;
    #[cfg(feature = "abi3")]
    fn PyObject_Call(
        callable: *mut PyObject,
        arguments: *mut PyObject,
        keywords: *mut PyObject
    ) -> *mut PyObject;
    #[cfg(all(Py_3_11, not(feature = "abi3")))]
    fn PyObject_Vectorcall(
        callable: *mut PyObject,
        arguments: *const *mut PyObject,
        count: usize,
        names: *mut PyObject
    ) -> *mut PyObject;
    #[cfg(not(any(Py_3_11, feature = "abi3")))]
    fn PyObject_VectorcallDict(
        callable: *mut PyObject,
        arguments: *const *mut PyObject,
        count: usize,
        keywords: *mut PyObject
    ) -> *mut PyObject;
    #[cfg(all(Py_3_13, not(feature = "abi3")))]
    fn PyObject_GetOptionalAttr(
        object: *mut PyObject,
        name: *mut PyObject,
        value: *mut *mut PyObject
    ) -> c_int;
    #[cfg(not(any(Py_3_13, feature = "abi3")))]
    fn _PyObject_LookupAttr(
        object: *mut PyObject,
        name: *mut PyObject,
        value: *mut *mut PyObject
    ) -> c_int;
    fn PyDict_GetItem(dict: *mut PyObject, key: *mut PyObject) -> *mut PyObject;
    fn PyDict_SetItem(dict: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int;
    fn PyDict_DelItem(dict: *mut PyObject, key: *mut PyObject) -> c_int;
    fn PyDict_Update(dict: *mut PyObject, other: *mut PyObject) -> c_int;
    fn PyDict_Copy(dict: *mut PyObject) -> *mut PyObject;
    fn PyDict_New() -> *mut PyObject;
    fn PyList_New(length: Py_ssize_t) -> *mut PyObject;
    fn PyTuple_New(length: Py_ssize_t) -> *mut PyObject;
    fn PyLong_AsLongLong(object: *mut PyObject) -> c_longlong;
    fn PyFloat_AsDouble(object: *mut PyObject) -> c_double;
    fn PyMemoryView_FromObject(object: *mut PyObject) -> *mut PyObject;
    fn PyBytes_FromObject(object: *mut PyObject) -> *mut PyObject;
    fn PyUnicode_AsEncodedString(
        text: *mut PyObject,
        codec: *const c_char,
        errors: *const c_char
    ) -> *mut PyObject;
    fn PyImport_ImportModule(name: *const c_char) -> *mut PyObject;
    fn PyErr_SetString(class: *mut PyObject, message: *const c_char);
    fn PyErr_NormalizeException(
        class: *mut *mut PyObject,
        value: *mut *mut PyObject,
        traceback: *mut *mut PyObject
    );
    fn PyErr_Restore(class: *mut PyObject, value: *mut PyObject, traceback: *mut PyObject);
    fn PyErr_Clear();
    fn PyErr_CheckSignals() -> c_int;
    fn PyErr_NoMemory() -> *mut PyObject;
    fn PyErr_NewException(
        name: *const c_char,
        base: *mut PyObject,
        dict: *mut PyObject
    ) -> *mut PyObject;
    fn PyType_GenericAlloc(class: *mut PyTypeObject, items: Py_ssize_t) -> *mut PyObject;
    fn PyType_FromSpec(spec: *mut PyType_Spec) -> *mut PyObject;
    fn PyType_FromSpecWithBases(spec: *mut PyType_Spec, bases: *mut PyObject) -> *mut PyObject;
    fn PyModule_AddObject(module: *mut PyObject, name: *const c_char, value: *mut PyObject) -> c_int;
    fn PySys_GetObject(name: *const c_char) -> *mut PyObject;
    fn PyDict_Clear(dict: *mut PyObject);
    fn PyUnicode_AsUTF8String(text: *mut PyObject) -> *mut PyObject;
    #[cfg(feature = "abi3")]
    fn PyUnicode_AsLatin1String(text: *mut PyObject) -> *mut PyObject;
    fn PyUnicode_DecodeUTF8(
        bytes: *const c_char,
        length: Py_ssize_t,
        errors: *const c_char
    ) -> *mut PyObject;
    fn PyEval_RestoreThread(state: *mut PyThreadState);
    #[cfg(feature = "abi3")]
    fn Py_DecRef(object: *mut PyObject);
    #[cfg(not(feature = "abi3"))]
    fn _Py_Dealloc(object: *mut PyObject);
}

/// `PyObject_Vectorcall` is not exported before 3.11; without keywords the two are the same.
#[cfg(not(any(Py_3_11, feature = "abi3")))]
#[inline]
pub unsafe fn PyObject_Vectorcall(
    callable: *mut PyObject,
    arguments: *const *mut PyObject,
    count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    debug_assert!(names.is_null());
    // SAFETY: the caller's.
    unsafe { PyObject_VectorcallDict(callable, arguments, count, names) }
}

#[cfg(feature = "abi3")]
#[inline]
pub unsafe fn Py_DECREF(object: *mut PyObject) {
    // SAFETY: the caller's.
    unsafe { Py_DecRef(object) }
}

/// As CPython's header has it: from 3.12 on there are objects whose count does not change.
#[cfg(not(feature = "abi3"))]
#[inline]
pub unsafe fn Py_DECREF(object: *mut PyObject) {
    // SAFETY: the caller's, that it owns a reference and holds the lock.
    unsafe {
        #[cfg(Py_3_12)]
        let count = &mut (*object).ob_refcnt.ob_refcnt;
        #[cfg(not(Py_3_12))]
        let count = &mut (*object).ob_refcnt;
        #[cfg(Py_3_12)]
        if (*count as i32) < 0 || cfg!(target_pointer_width = "32") && *count >= isize::MAX >> 1 {
            return;
        }
        *count -= 1;
        if *count == 0 {
            _Py_Dealloc(object);
        }
    }
}
