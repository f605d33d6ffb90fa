from collections.abc import Mapping
from typing import Any

def is_standard(environ: Mapping[str, Any]) -> bool: ...
