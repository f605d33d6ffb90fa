"""Interpreters beside the main one are rejected, whichever imports the module first."""

import os
import sys

from case import Case, evwsgi, main

CODE = """
import sys
sys.path[:] = %r
try:
    import fapws._evwsgi
    said = "imported"
except ImportError as error:
    said = str(error)
with open(%r, "w") as out:
    out.write(said)
"""


def interpreters():
    """The module that makes interpreters; None on Python 2."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return __import__(name)
        except ImportError:
            pass
    return None


class Interpreters(Case):
    def test_another_one_cannot_import_it(self):
        module = interpreters()
        if module is None:
            self.skipTest("this Python makes no interpreters from Python")
        for kind in [("legacy",), ()]:
            try:
                interpreter = module.create(*kind)
            except TypeError:  # before 3.13
                interpreter = module.create()
            path = os.path.join(self.folder, "said")
            module.run_string(interpreter, CODE % (sys.path, path))
            with open(path) as said:
                self.assertIn("interpreter", said.read())
            module.destroy(interpreter)
        self.assertTrue(issubclass(evwsgi.error, Exception))


if __name__ == "__main__":
    main()
