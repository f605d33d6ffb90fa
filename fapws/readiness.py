"""When `_evwsgi.run` has begun to serve.

Owns the way to learn that. Any earlier, a master would end its old workers for new ones that cannot
serve, and a test would connect to a port that nobody has yet.
"""

import sys

from fapws import _evwsgi

#: The name in `sys` under which the core finds stdout.
_STREAM = "__stdout__" if sys.version_info[0] == 2 else "stdout"


def when_ready(callback):
    """Call `callback()` once, when the next `run` listens and is about to wait for requests.

    The line that `run` prints about its event backend is left out: stdout is the application's, and
    the access log's.
    """
    stream = _WithoutBackendLine(getattr(sys, _STREAM))

    def ready():
        _evwsgi.on_ready(None)
        if getattr(sys, _STREAM) is stream:
            setattr(sys, _STREAM, stream.stream)
        callback()

    setattr(sys, _STREAM, stream)
    _evwsgi.on_ready(ready)


class _WithoutBackendLine(object):
    """Stands in for the stream that `run` writes to, for the time until it is ready.

    It has no `fileno`, so that the core does not poll a pipe that nobody reads.
    """

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        if self.stream is not None and not text.endswith(" as event backend\n"):
            self.stream.write(text)

    def flush(self):
        if self.stream is not None:
            self.stream.flush()
