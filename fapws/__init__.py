"""The Fast Asynchronous Python Web Server.

This package holds the server's core, the extension module `fapws._evwsgi`, the object that the core
asks for everything that is policy, `fapws.base`, its settings, `fapws.config`, and applications and
decorators for common needs, `fapws.contrib`. Nothing is imported here, so that each can be
used, or replaced, alone.
"""
