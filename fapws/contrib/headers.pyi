from collections.abc import Callable
from typing import Any

def redirect(
    start_response: Callable[..., Any], location: str, permanent: object = None
) -> list[bytes]: ...
