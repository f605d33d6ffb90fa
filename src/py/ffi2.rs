//! Python 2.7's C-API, as far as this crate uses it, under the names `pyo3-ffi` uses.
//!
//! The ABI of 2.7 is frozen. Symbols that Python 2.6 has too are preferred; none of the Unicode
//! functions is named, since their symbols change with the width the interpreter was built with.

#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    missing_docs
)]

use std::ffi::{c_char, c_double, c_int, c_long, c_longlong, c_uint, c_void};
use std::sync::OnceLock;

pub type Py_ssize_t = isize;

#[repr(C)]
pub struct PyObject {
    pub ob_refcnt: Py_ssize_t,
    pub ob_type: *mut PyTypeObject,
}

/// The beginning of the struct of Include/funcobject.h.
#[repr(C)]
pub struct PyFunctionObject {
    pub ob_base: PyObject,
    pub func_code: *mut PyObject,
}

#[repr(C)]
pub struct PyInterpreterState {
    _opaque: [u8; 0],
}

/// The beginning of `struct _ts` of Include/pystate.h.
#[repr(C)]
pub struct PyThreadState {
    pub next: *mut PyThreadState,
    pub interp: *mut PyInterpreterState,
}

pub type PyCFunction = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
pub type destructor = unsafe extern "C" fn(*mut PyObject);
pub type ternaryfunc =
    unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject;
pub type getattrofunc = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
pub type setattrofunc = unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> c_int;
pub type unaryfunc = unsafe extern "C" fn(*mut PyObject) -> *mut PyObject;
pub type visitproc = unsafe extern "C" fn(*mut PyObject, *mut c_void) -> c_int;
pub type traverseproc = unsafe extern "C" fn(*mut PyObject, visitproc, *mut c_void) -> c_int;
pub type inquiry = unsafe extern "C" fn(*mut PyObject) -> c_int;
pub type newfunc =
    unsafe extern "C" fn(*mut PyTypeObject, *mut PyObject, *mut PyObject) -> *mut PyObject;

#[repr(C)]
pub struct PyMethodDef {
    pub ml_name: *const c_char,
    pub ml_meth: Option<PyCFunction>,
    pub ml_flags: c_int,
    pub ml_doc: *const c_char,
}

/// `struct _typeobject` of Include/object.h; slots that are never filled are plain pointers.
#[repr(C)]
pub struct PyTypeObject {
    pub ob_refcnt: Py_ssize_t,
    pub ob_type: *mut PyTypeObject,
    pub ob_size: Py_ssize_t,
    pub tp_name: *const c_char,
    pub tp_basicsize: Py_ssize_t,
    pub tp_itemsize: Py_ssize_t,
    pub tp_dealloc: Option<destructor>,
    pub tp_print: *mut c_void,
    pub tp_getattr: *mut c_void,
    pub tp_setattr: *mut c_void,
    pub tp_compare: *mut c_void,
    pub tp_repr: *mut c_void,
    pub tp_as_number: *mut c_void,
    pub tp_as_sequence: *mut c_void,
    pub tp_as_mapping: *mut c_void,
    pub tp_hash: *mut c_void,
    pub tp_call: Option<ternaryfunc>,
    pub tp_str: *mut c_void,
    pub tp_getattro: Option<getattrofunc>,
    pub tp_setattro: Option<setattrofunc>,
    pub tp_as_buffer: *mut c_void,
    pub tp_flags: c_long,
    pub tp_doc: *const c_char,
    pub tp_traverse: Option<traverseproc>,
    pub tp_clear: Option<inquiry>,
    pub tp_richcompare: *mut c_void,
    pub tp_weaklistoffset: Py_ssize_t,
    pub tp_iter: Option<unaryfunc>,
    pub tp_iternext: Option<unaryfunc>,
    pub tp_methods: *mut PyMethodDef,
    pub tp_members: *mut c_void,
    pub tp_getset: *mut c_void,
    pub tp_base: *mut PyTypeObject,
    pub tp_dict: *mut PyObject,
    pub tp_descr_get: *mut c_void,
    pub tp_descr_set: *mut c_void,
    pub tp_dictoffset: Py_ssize_t,
    pub tp_init: *mut c_void,
    pub tp_alloc: *mut c_void,
    pub tp_new: Option<newfunc>,
    pub tp_free: *mut c_void,
    pub tp_is_gc: *mut c_void,
    pub tp_bases: *mut PyObject,
    pub tp_mro: *mut PyObject,
    pub tp_cache: *mut PyObject,
    pub tp_subclasses: *mut PyObject,
    pub tp_weaklist: *mut PyObject,
    pub tp_del: *mut c_void,
    pub tp_version_tag: c_uint,
}

pub const METH_VARARGS: c_int = 1;
pub const METH_KEYWORDS: c_int = 2;
pub const PYTHON_API_VERSION: c_int = 1013;
pub const Py_EQ: c_int = 2;

/// What `Py_TPFLAGS_DEFAULT` is for an extension module of 2.7.
pub const Py_TPFLAGS_DEFAULT: c_long =
    1 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 17;
pub const Py_TPFLAGS_HAVE_GC: c_long = 1 << 14;
const Py_TPFLAGS_INT_SUBCLASS: c_long = 1 << 23;
const Py_TPFLAGS_LONG_SUBCLASS: c_long = 1 << 24;
const Py_TPFLAGS_LIST_SUBCLASS: c_long = 1 << 25;
const Py_TPFLAGS_TUPLE_SUBCLASS: c_long = 1 << 26;
const Py_TPFLAGS_STRING_SUBCLASS: c_long = 1 << 27;
const Py_TPFLAGS_UNICODE_SUBCLASS: c_long = 1 << 28;
const Py_TPFLAGS_DICT_SUBCLASS: c_long = 1 << 29;
const Py_TPFLAGS_TYPE_SUBCLASS: c_long = 1 << 31;

unsafe extern "C" {
    pub fn Py_IncRef(object: *mut PyObject);
    pub fn Py_DecRef(object: *mut PyObject);
    pub static mut _Py_NoneStruct: PyObject;
    pub static mut _Py_TrueStruct: PyObject;
    pub static mut _Py_ZeroStruct: PyObject;

    pub fn PyObject_GetAttr(object: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    pub fn PyInstance_NewRaw(class: *mut PyObject, dict: *mut PyObject) -> *mut PyObject;
    pub static mut PyClass_Type: PyTypeObject;
    pub fn PyObject_SetAttr(object: *mut PyObject, name: *mut PyObject, v: *mut PyObject) -> c_int;
    pub fn PyObject_GenericGetAttr(object: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_Call(f: *mut PyObject, a: *mut PyObject, k: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_Str(object: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_GetIter(object: *mut PyObject) -> *mut PyObject;
    pub fn PyIter_Next(object: *mut PyObject) -> *mut PyObject;
    pub fn PyObject_RichCompareBool(a: *mut PyObject, b: *mut PyObject, op: c_int) -> c_int;
    pub fn PyCallable_Check(object: *mut PyObject) -> c_int;
    pub fn PyObject_AsReadBuffer(
        object: *mut PyObject,
        buffer: *mut *const c_void,
        length: *mut Py_ssize_t,
    ) -> c_int;
    pub fn PyObject_Free(memory: *mut c_void);
    pub fn _PyObject_GC_New(class: *mut PyTypeObject) -> *mut PyObject;
    pub fn PyObject_GC_Track(object: *mut c_void);
    pub fn PyObject_GC_UnTrack(object: *mut c_void);
    pub fn PyObject_GC_Del(object: *mut c_void);
    pub fn _PyObject_New(class: *mut PyTypeObject) -> *mut PyObject;
    pub fn PyType_Ready(class: *mut PyTypeObject) -> c_int;
    pub static mut PyType_Type: PyTypeObject;
    pub static mut PyList_Type: PyTypeObject;
    pub static mut PyTuple_Type: PyTypeObject;
    pub static mut PyDict_Type: PyTypeObject;
    pub static mut PyBaseObject_Type: PyTypeObject;
    pub static mut PyString_Type: PyTypeObject;
    pub static mut PyFile_Type: PyTypeObject;
    pub static mut PyFloat_Type: PyTypeObject;
    pub static mut PyFunction_Type: PyTypeObject;
    pub static mut PyGen_Type: PyTypeObject;
    pub static mut PyTraceBack_Type: PyTypeObject;

    pub fn PySequence_Contains(object: *mut PyObject, item: *mut PyObject) -> c_int;
    pub fn PyDict_New() -> *mut PyObject;
    pub fn PyDict_Copy(dict: *mut PyObject) -> *mut PyObject;
    pub fn PyDict_Update(dict: *mut PyObject, other: *mut PyObject) -> c_int;
    pub fn PyDict_SetItem(dict: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int;
    pub fn PyDict_DelItem(dict: *mut PyObject, key: *mut PyObject) -> c_int;
    pub fn PyDict_GetItem(dict: *mut PyObject, key: *mut PyObject) -> *mut PyObject;
    pub fn PyDict_Next(
        dict: *mut PyObject,
        position: *mut Py_ssize_t,
        key: *mut *mut PyObject,
        value: *mut *mut PyObject,
    ) -> c_int;
    pub fn PyList_New(length: Py_ssize_t) -> *mut PyObject;
    pub fn PyList_Size(list: *mut PyObject) -> Py_ssize_t;
    pub fn PyList_GetItem(list: *mut PyObject, index: Py_ssize_t) -> *mut PyObject;
    pub fn PyList_SetItem(list: *mut PyObject, index: Py_ssize_t, item: *mut PyObject) -> c_int;
    pub fn PyList_Append(list: *mut PyObject, item: *mut PyObject) -> c_int;
    pub fn PyTuple_New(length: Py_ssize_t) -> *mut PyObject;
    pub fn PyTuple_Size(tuple: *mut PyObject) -> Py_ssize_t;
    pub fn PyTuple_GetItem(tuple: *mut PyObject, index: Py_ssize_t) -> *mut PyObject;
    pub fn PyTuple_SetItem(tuple: *mut PyObject, index: Py_ssize_t, item: *mut PyObject) -> c_int;

    #[link_name = "PyString_AsString"]
    pub fn PyBytes_AsString(object: *mut PyObject) -> *mut c_char;
    #[link_name = "PyString_FromStringAndSize"]
    pub fn PyBytes_FromStringAndSize(bytes: *const c_char, length: Py_ssize_t) -> *mut PyObject;
    #[link_name = "PyString_AsStringAndSize"]
    pub fn PyBytes_AsStringAndSize(
        object: *mut PyObject,
        bytes: *mut *mut c_char,
        length: *mut Py_ssize_t,
    ) -> c_int;
    pub fn PyString_InternFromString(text: *const c_char) -> *mut PyObject;

    pub fn PyInt_FromLong(value: c_long) -> *mut PyObject;
    pub fn PyBuffer_FromObject(o: *mut PyObject, start: Py_ssize_t, n: Py_ssize_t)
    -> *mut PyObject;
    pub fn PyLong_FromLongLong(value: c_longlong) -> *mut PyObject;
    pub fn PyLong_AsLongLong(object: *mut PyObject) -> c_longlong;
    pub fn PyFloat_AsDouble(object: *mut PyObject) -> c_double;
    pub fn PyFloat_FromDouble(value: c_double) -> *mut PyObject;
    pub fn PyNumber_Check(object: *mut PyObject) -> c_int;

    pub fn PyErr_SetString(kind: *mut PyObject, message: *const c_char);
    pub fn PyErr_Occurred() -> *mut PyObject;
    pub fn PyErr_Clear();
    pub fn PyErr_Fetch(t: *mut *mut PyObject, v: *mut *mut PyObject, b: *mut *mut PyObject);
    pub fn PyErr_Restore(t: *mut PyObject, v: *mut PyObject, b: *mut PyObject);
    pub fn PyErr_NormalizeException(
        t: *mut *mut PyObject,
        v: *mut *mut PyObject,
        b: *mut *mut PyObject,
    );
    pub fn PyErr_GivenExceptionMatches(given: *mut PyObject, kind: *mut PyObject) -> c_int;
    pub fn PyErr_CheckSignals() -> c_int;
    pub fn PyErr_NoMemory() -> *mut PyObject;
    pub fn PyErr_NewException(
        name: *mut c_char,
        base: *mut PyObject,
        dict: *mut PyObject,
    ) -> *mut PyObject;
    pub static PyExc_AssertionError: *mut PyObject;
    pub static PyExc_AttributeError: *mut PyObject;
    pub static PyExc_BaseException: *mut PyObject;
    pub static PyExc_Exception: *mut PyObject;
    pub static PyExc_ImportError: *mut PyObject;
    pub static PyExc_IndexError: *mut PyObject;
    pub static PyExc_MemoryError: *mut PyObject;
    pub static PyExc_OSError: *mut PyObject;
    pub static PyExc_OverflowError: *mut PyObject;
    pub static PyExc_RuntimeError: *mut PyObject;
    pub static PyExc_SystemError: *mut PyObject;
    pub static PyExc_SystemExit: *mut PyObject;
    pub static PyExc_TypeError: *mut PyObject;
    pub static PyExc_ValueError: *mut PyObject;

    pub fn PyInterpreterState_Head() -> *mut PyInterpreterState;
    pub fn PyInterpreterState_Next(interpreter: *mut PyInterpreterState)
    -> *mut PyInterpreterState;
    pub fn PyThreadState_Get() -> *mut PyThreadState;
    pub fn PyEval_SaveThread() -> *mut PyThreadState;
    pub fn PyEval_RestoreThread(state: *mut PyThreadState);
    pub fn PyEval_InitThreads();

    pub fn PyImport_ImportModule(name: *const c_char) -> *mut PyObject;
    pub fn PyModule_AddObject(m: *mut PyObject, name: *const c_char, v: *mut PyObject) -> c_int;
    pub fn Py_InitModule4_64(
        name: *const c_char,
        methods: *mut PyMethodDef,
        doc: *const c_char,
        instance: *mut PyObject,
        version: c_int,
    ) -> *mut PyObject;
    pub fn PySys_GetObject(name: *mut c_char) -> *mut PyObject;
    pub fn PyFile_AsFile(file: *mut PyObject) -> *mut libc::FILE;
}

pub unsafe fn Py_None() -> *mut PyObject {
    &raw mut _Py_NoneStruct
}
pub unsafe fn Py_True() -> *mut PyObject {
    &raw mut _Py_TrueStruct
}
pub unsafe fn Py_False() -> *mut PyObject {
    &raw mut _Py_ZeroStruct
}
pub unsafe fn Py_INCREF(object: *mut PyObject) {
    // SAFETY: the caller's, that `object` is alive and the lock held.
    unsafe { Py_IncRef(object) }
}
pub unsafe fn Py_DECREF(object: *mut PyObject) {
    // SAFETY: the caller's, that it owns a reference and holds the lock.
    unsafe { Py_DecRef(object) }
}
pub unsafe fn Py_TYPE(object: *mut PyObject) -> *mut PyTypeObject {
    // SAFETY: the caller's, that `object` is alive.
    unsafe { (*object).ob_type }
}

/// The macro of Include/abstract.h of the running Python.
pub unsafe fn PyIter_Check(object: *mut PyObject) -> c_int {
    // SAFETY: the caller's, that `object` is alive; every object has a type.
    let (flags, next) = unsafe {
        let class = (*object).ob_type;
        ((*class).tp_flags, (*class).tp_iternext)
    };
    let iterates =
        flags & (1 << 7) != 0 && next.is_some_and(|next| next as usize != missing_next());
    c_int::from(iterates)
}

/// What a class without `next` has in its slot: `_PyObject_NextNotImplemented`. Python 2.6 leaves the
/// slot empty and lacks that function, so it is looked up, not linked. 0: there is none.
fn missing_next() -> usize {
    static ADDRESS: OnceLock<usize> = OnceLock::new();
    let name = c"_PyObject_NextNotImplemented";
    // SAFETY: `name` ends with a NUL; the address is compared, never called.
    *ADDRESS.get_or_init(|| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } as usize)
}

unsafe fn has_flag(object: *mut PyObject, flags: c_long) -> c_int {
    // SAFETY: the caller's, that `object` is alive; every object has a type.
    c_int::from(unsafe { (*(*object).ob_type).tp_flags } & flags != 0)
}

macro_rules! subclass_checks {
    ($($name:ident: $flags:expr;)*) => {$(
        pub unsafe fn $name(object: *mut PyObject) -> c_int {
            // SAFETY: the caller's, that `object` is alive.
            unsafe { has_flag(object, $flags) }
        }
    )*};
}

subclass_checks! {
    PyList_Check: Py_TPFLAGS_LIST_SUBCLASS;
    PyTuple_Check: Py_TPFLAGS_TUPLE_SUBCLASS;
    PyDict_Check: Py_TPFLAGS_DICT_SUBCLASS;
    PyBytes_Check: Py_TPFLAGS_STRING_SUBCLASS;
    PyUnicode_Check: Py_TPFLAGS_UNICODE_SUBCLASS;
    PyType_Check: Py_TPFLAGS_TYPE_SUBCLASS;
    PyLong_Check: Py_TPFLAGS_INT_SUBCLASS | Py_TPFLAGS_LONG_SUBCLASS;
}
