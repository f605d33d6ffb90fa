import datetime
import http.client as httplib
import string
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from http.cookies import CookieError as CookieError
from http.cookies import SimpleCookie as SimpleCookie
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from fapws import config

__all__ = [
    "CookieError",
    "Environ",
    "SimpleCookie",
    "Start_response",
    "config",
    "datetime",
    "get_status",
    "httplib",
    "parse_cookies",
    "redirectStdErr",
    "split_len",
    "string",
    "supported_HTTP_command",
    "sys",
    "time",
    "traceback",
]

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
_S = TypeVar("_S", bound=Sequence[Any])

supported_HTTP_command: list[str]

class Environ(dict[str, Any]):
    __fapws_native__: ClassVar[bool]
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def update_headers(self, data: dict[str, Any]) -> None: ...
    def update_uri(self, data: dict[str, Any]) -> None: ...
    def update_from_request(self, data: dict[str, Any]) -> None: ...

class Start_response:
    __fapws_native__: ClassVar[bool]
    status_code: str
    status_reasons: str
    response_headers: dict[str, str]
    exc_info: _ExcInfo | None
    cookies: SimpleCookie | None
    sent: bool
    def __init__(self) -> None: ...
    def __call__(
        self,
        status: str,
        response_headers: Iterable[tuple[object, object]],
        exc_info: _ExcInfo | None = None,
    ) -> None: ...
    def add_header(self, key: object, val: object) -> None: ...
    def set_cookie(
        self,
        key: str,
        value: Any = "",
        max_age: float | str | None = None,
        expires: str | datetime.datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool | None = None,
    ) -> None: ...
    def delete_cookie(self, key: str) -> None: ...

def redirectStdErr() -> None: ...
def get_status(code: int) -> str: ...
def split_len(seq: _S, length: int) -> list[_S]: ...
def parse_cookies(environ: dict[str, Any]) -> SimpleCookie | None: ...
