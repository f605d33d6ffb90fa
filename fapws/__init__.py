"""The Fast Asynchronous Python Web Server.

    fapws.serve(app, bind="127.0.0.1:8000")

serves a WSGI application in this process; `fapws.Server` serves it in a thread of its own. The
package also has the core, the extension module `fapws._evwsgi`; the module whose classes and
functions the core calls, `fapws.base`; the core's settings, `fapws.config`; the command
(`python -m fapws --help`); and applications and decorators for common needs, `fapws.contrib`.

Importing the package imports none of them, so each can be used, or replaced, alone.
"""

import sys

#: The distribution's, as in Cargo.toml. `fapws.config.SERVER_IDENT` is what clients see.
__version__ = "1.0.0"

if sys.version_info[0] == 2:

    def serve(app, *arguments, **settings):
        """See fapws.serving.serve."""
        from fapws import serving

        serving.serve(app, *arguments, **settings)

    def Server(app, *arguments, **settings):
        """See fapws.serving.Server."""
        from fapws import serving

        return serving.Server(app, *arguments, **settings)

else:

    def __getattr__(name):
        # PEP 562
        if name in ("serve", "Server"):
            from fapws import serving

            return getattr(serving, name)
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
