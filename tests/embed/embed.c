/*
 * A program that embeds Python with Fapws' core as a built-in module: what include/evwsgi.h is for.
 *
 * It registers `_evwsgi`, runs each Python text given as an argument in an interpreter of its own, one
 * after the other, and prints the version that the core gives to C. tests/python/packaging/test_embed.py compiles it against each Python and the
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
    int failed = 0;
    int text;

    if (argc < 2) {
        fprintf(stderr, "usage: %s PYTHON-TEXT...\n", argv[0]);
        return 2;
    }
    if (PyImport_AppendInittab("_evwsgi", ENTRY) != 0)
        return 3;
    for (text = 1; text < argc; text++) {
        Py_Initialize();
        failed |= PyRun_SimpleString(argv[text]) != 0;
        Py_Finalize();
    }
    printf("evwsgi_version %s\n", evwsgi_version());
    return failed;
}
