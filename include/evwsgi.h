/*
 * The C interface of Fapws, for programs that embed Python.
 *
 * Register the server's core as a built-in module before Py_Initialize:
 *
 *     #if PY_MAJOR_VERSION >= 3
 *         PyImport_AppendInittab("_evwsgi", PyInit__evwsgi);
 *     #else
 *         PyImport_AppendInittab("_evwsgi", init_evwsgi);
 *     #endif
 *
 * and link with the library built for that Python: the extension module itself is one. Only the
 * entry point of the Python whose headers are included is declared.
 *
 * Generated from src/capi.rs by `make header`; edit that.
 */

#ifndef FAPWS_EVWSGI_H
#define FAPWS_EVWSGI_H


#include <Python.h>

#if PY_MAJOR_VERSION >= 3
#define EVWSGI_PYTHON3
#else
#define EVWSGI_PYTHON2
#endif


#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of this library, a constant that ends in NUL.
 */
const char *evwsgi_version(void);

#if defined(EVWSGI_PYTHON3)
/*
 The definition of the module `_evwsgi`, for Python 3, of which the import system makes the module (PEP
 489); NULL with an exception set where there is none.

 # Safety
 The interpreter calls it, with its lock held; or `PyImport_AppendInittab` is given it.
 */
PyObject *PyInit__evwsgi(void);
#endif

#if defined(EVWSGI_PYTHON2)
/*
 Makes the module `_evwsgi`, for Python 2.7; an exception is set where it cannot.

 # Safety
 The interpreter calls it, with its lock held; or `PyImport_AppendInittab` is given it.
 */
void init_evwsgi(void);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FAPWS_EVWSGI_H */
