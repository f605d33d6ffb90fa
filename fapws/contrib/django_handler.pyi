from collections.abc import Callable
from typing import Any

def handler(environ: dict[str, Any], start_response: Callable[..., Any]) -> bytes: ...
def for_development(
    application: Callable[..., Any], log: Any
) -> tuple[Callable[..., Any], list[str] | tuple[()]]: ...
