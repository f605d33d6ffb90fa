from collections.abc import Callable
from typing import Any, BinaryIO

class CGIApplication:
    script: str
    dirname: str
    cgi_environ: dict[str, str]
    def __init__(self, script: str) -> None: ...
    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> BinaryIO: ...
