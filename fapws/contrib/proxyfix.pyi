from collections.abc import Callable, Iterable
from typing import Any

LOCAL: tuple[str, ...]

class ProxyFix:
    def __init__(
        self,
        application: Callable[[Any, Any], Any],
        trusted: Iterable[str] = ...,
        forwarded: bool = ...,
        host: bool = ...,
    ) -> None: ...
    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any: ...
