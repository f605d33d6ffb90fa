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
    if hasattr(_evwsgi, "on_ready"):
        _evwsgi.on_ready(callback)
        callback = _nothing
    setattr(sys, _STREAM, _UntilBackend(getattr(sys, _STREAM), callback))


def _nothing():
    pass


class _UntilBackend(object):
    """Stands in for the stream that `run` writes to until `run` has named libev's backend there.

    It is the first thing that `run` writes, the only one that is lost, and the sign that its
    settings are good and its loop is made: the callback is called then.

    It has no `fileno`, lest the core ask a pipe that nobody reads whether the line may be written.
    """

    def __init__(self, stream, callback):
        self._stream = stream
        self._callback = callback

    def write(self, text):
        if text.endswith(" as event backend\n"):
            setattr(sys, _STREAM, self._stream)
            self._callback()
        elif self._stream is not None:
            self._stream.write(text)

    def flush(self):
        if self._stream is not None and getattr(sys, _STREAM) is self:
            self._stream.flush()
