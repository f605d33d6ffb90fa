from collections.abc import Callable
from typing import Any

def serve(
    application: Callable[[Any, Any], Any],
    global_conf: dict[str, str] | None = ...,
    host: str = ...,
    port: str | int = ...,
    **settings: str,
) -> None: ...
