from collections.abc import Callable
from typing import Any

_Application = Callable[[dict[str, Any], Callable[..., Any]], Any]

class Gzip:
    def __call__(self, f: _Application) -> _Application: ...
