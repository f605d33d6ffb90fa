/*
 * A program that embeds Python with Fapws' core as a built-in module: what include/evwsgi.h is for.
 *
 * It registers `_evwsgi`, runs each Python text given as an argument in an interpreter of its own, one
 * after the other, and prints the version that the core gives to C. A text that begins with BESIDE runs in
 * an interpreter beside that of the text before it, which goes on until then.
 * tests/python/packaging/test_embed.py compiles it against each Python and the extension module built for
 * it, with no other flags than an embedder would use.
 */

#include "evwsgi.h"

#include <stdio.h>
#include <string.h>

#define BESIDE "# beside\n"

#if PY_MAJOR_VERSION >= 3
#define ENTRY PyInit__evwsgi
#else
#define ENTRY init_evwsgi
#endif

static int is_beside(const char *text)
{
    return text != NULL && strncmp(text, BESIDE, strlen(BESIDE)) == 0;
}

static int run_beside(const char *text)
{
    PyThreadState *main_state = PyThreadState_Get();
    PyThreadState *other = Py_NewInterpreter();
    int failed = other == NULL;

    if (other != NULL) {
        failed = PyRun_SimpleString(text) != 0;
        Py_EndInterpreter(other);
    }
    PyThreadState_Swap(main_state);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    int text;

    if (argc < 2 || is_beside(argv[1])) {
        fprintf(stderr, "usage: %s PYTHON-TEXT...\n", argv[0]);
        return 2;
    }
    if (PyImport_AppendInittab("_evwsgi", ENTRY) != 0)
        return 3;
    for (text = 1; text < argc; text++) {
        Py_Initialize();
        failed |= PyRun_SimpleString(argv[text]) != 0;
        while (is_beside(argv[text + 1]))
            failed |= run_beside(argv[++text]);
        Py_Finalize();
    }
    printf("evwsgi_version %s\n", evwsgi_version());
    return failed;
}
