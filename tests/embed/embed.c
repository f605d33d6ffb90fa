/*
 * A program that embeds Python with Fapws' core as a built-in module: what include/evwsgi.h is for.
 *
 * It registers `_evwsgi`, runs the Python text given as its only argument and prints the version
 * that the core gives to C. tests/python/packaging/test_embed.py compiles it against each Python and the
 * extension module built for it, with no other flags than an embedder would use.
 */

#include "evwsgi.h"

#include <stdio.h>

#if PY_MAJOR_VERSION >= 3
#define ENTRY PyInit__evwsgi
#else
#define ENTRY init_evwsgi
#endif

int main(int argc, char **argv)
{
    int failed;

    if (argc != 2) {
        fprintf(stderr, "usage: %s PYTHON-TEXT\n", argv[0]);
        return 2;
    }
    if (PyImport_AppendInittab("_evwsgi", ENTRY) != 0)
        return 3;
    Py_Initialize();
    failed = PyRun_SimpleString(argv[1]) != 0;
    Py_Finalize();
    printf("evwsgi_version %s\n", evwsgi_version());
    return failed;
}
