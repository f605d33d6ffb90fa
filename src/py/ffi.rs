//! The C-API under one set of names, whichever Python this is built for.

#[cfg(feature = "python2")]
pub use super::ffi2::*;
#[cfg(feature = "python3")]
pub use pyo3_ffi::*;

// By name, which puts them before those of the same names above. From 3.14 on the interpreter ends no
// thread.
#[cfg(all(feature = "python3", not(any(Py_3_13, feature = "abi3"))))]
pub use super::hanging::_PyObject_LookupAttr as PyObject_GetOptionalAttr;
#[cfg(all(Py_3_13, not(Py_3_14), not(feature = "abi3")))]
pub use super::hanging::PyObject_GetOptionalAttr;
#[cfg(all(feature = "python3", not(Py_3_14), not(feature = "abi3")))]
pub use super::hanging::PyObject_Vectorcall;
#[cfg(all(feature = "python3", any(not(Py_3_14), feature = "abi3")))]
pub use super::hanging::{
    Py_DECREF, PyBytes_FromObject, PyDict_Clear, PyDict_Copy, PyDict_DelItem, PyDict_GetItem,
    PyDict_New, PyDict_SetItem, PyDict_Update, PyErr_CheckSignals, PyErr_Clear, PyErr_NewException,
    PyErr_NoMemory, PyErr_NormalizeException, PyErr_Restore, PyErr_SetString, PyEval_RestoreThread,
    PyFloat_AsDouble, PyImport_ImportModule, PyIter_Next, PyList_New, PyLong_AsLongLong,
    PyMemoryView_FromObject, PyModule_AddObject, PyNumber_InPlaceOr, PyNumber_Or, PyObject_DelItem,
    PyObject_GenericGetAttr, PyObject_GetAttr, PyObject_GetItem, PyObject_GetIter, PyObject_Repr,
    PyObject_RichCompare, PyObject_RichCompareBool, PyObject_SetAttr, PyObject_SetItem,
    PyObject_Str, PySequence_Contains, PySys_GetObject, PyTuple_New, PyType_FromSpec,
    PyType_FromSpecWithBases, PyType_GenericAlloc, PyUnicode_AsEncodedString,
    PyUnicode_AsUTF8String, PyUnicode_DecodeUTF8,
};
#[cfg(all(feature = "python3", feature = "abi3"))]
pub use super::hanging::{PyObject_Call, PyUnicode_AsLatin1String};
