from collections.abc import Callable
from typing import Any

_Application = Callable[[Any, Any], Any]

class Gzip:
    def __call__(self, f: _Application) -> _Application: ...
