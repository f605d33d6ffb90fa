"""Every call into CPython that may run Python code is one of `src/py/hanging.rs`.

CPython before 3.14 ends a thread that asks for the interpreter's lock when the interpreter ends, by
unwinding it, which a Rust frame must stop. So a function of the C-API that is called here either
stands there, or below with the reason why no Python code runs in it.
"""

import re

from support import ROOT

PY = ROOT / "src" / "py"

#: What each group of functions is, and why it needs no frame of ours.
HARMLESS = {
    "reads a field or a type, or is a macro": """
        Py_TYPE Py_SIZE Py_REFCNT Py_INCREF Py_None Py_True Py_False Py_Ellipsis PyVectorcall_NARGS
        PyType_Check PyUnicode_Check PyTuple_Check PyList_Check PyLong_Check PyDict_Check
        PyBytes_Check
        PyIter_Check PyCallable_Check PyNumber_Check PyUnicode_KIND PyUnicode_GET_LENGTH
        PyUnicode_READY PyUnicode_1BYTE_DATA PyBytes_AS_STRING PyBytes_AsString
        PyBytes_AsStringAndSize
        PyDict_Next PyDict_Size PyList_GetItem PyList_Size PyTuple_GetItem PyTuple_Size
        PyErr_Occurred PyErr_Fetch PyGILState_Check PyInterpreterState_Get PyInterpreterState_GetID
        PyModuleDef_Init""",
    "compares classes or strings by itself": "PyErr_GivenExceptionMatches PyUnicode_Compare",
    "makes what the collector does not know": """
        PyBytes_FromStringAndSize PyUnicode_New PyUnicode_DecodeLatin1 PyUnicode_InternFromString
        PyLong_FromLongLong PyFloat_FromDouble""",
    "stores into what is new, or at the end": "PyTuple_SetItem PyList_SetItem PyList_Append",
    "frees memory, in which nothing is left": "PyObject_Free PyObject_GC_Del PyObject_GC_UnTrack",
    "marks a dict, or sets an exception": "PyDict_Watch PyDict_AddWatcher",
    "gives the lock up, and waits for nothing": "PyEval_SaveThread",
    "is Python 2's, which unwinds no thread": """
        PyString_InternFromString PyInt_FromLong PyBuffer_FromObject PyObject_AsReadBuffer
        PyFile_AsFile PyInstance_NewRaw _PyObject_New _PyObject_GC_New PyObject_GC_Track
        PyType_Ready PyEval_InitThreads Py_InitModule4_64 PyInterpreterState_Head
        PyInterpreterState_Next PyThreadState_Get""",
}

KNOWN = {name for names in HARMLESS.values() for name in names.split()}


def called():
    """(name, file) of every function of the C-API that a file of src/py calls."""
    for path in PY.glob("*.rs"):
        if path.name in ("hanging.rs", "ffi.rs", "ffi2.rs"):
            continue
        text = re.sub(r"//[^\n]*", "", path.read_text())
        for name in re.findall(r"\bffi::(_?Py\w+)\s*\(", text):
            yield name, path.name


def hanging():
    text = (PY / "hanging.rs").read_text()
    return set(re.findall(r"fn (_?Py\w+)\(", text))


def test_each_stops_the_unwinding_or_runs_no_python_code():
    stopped, names = hanging(), set(called())
    assert len(names) > 80, "the pattern finds nothing"
    loose = sorted(f"{name} ({file})" for name, file in names if name not in stopped | KNOWN)
    assert loose == []


def test_none_is_listed_that_nothing_calls():
    names = {name for name, _ in called()}
    # By other names: macros and the functions in their place.
    text = "".join(path.read_text() for path in PY.glob("*.rs"))
    assert sorted(name for name in KNOWN - names if name not in text) == []


def test_those_that_stop_it_are_the_ones_that_are_called():
    exported = (PY / "ffi.rs").read_text()
    for name in hanging() - {"_Py_Dealloc", "Py_DecRef", "PyObject_VectorcallDict"}:
        assert re.search(rf"\b{name}\b", exported), f"{name} of pyo3-ffi is called"
