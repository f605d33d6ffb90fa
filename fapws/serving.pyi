from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

def serve(
    app: Callable[..., Any],
    bind: str | Iterable[str] = ...,
    threads: int = ...,
    **others: Any,
) -> None: ...

class Server:
    addresses: list[tuple[str, int] | str]
    log: Any
    def __init__(
        self,
        app: Callable[..., Any],
        bind: str | Iterable[str] = ...,
        threads: int = ...,
        **others: Any,
    ) -> None: ...
    @property
    def address(self) -> tuple[str, int] | str | None: ...
    def start(self) -> Server: ...
    def run(self) -> None: ...
    def stop(self) -> None: ...
    def __enter__(self) -> Server: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...
