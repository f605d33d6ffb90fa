"""The application that BENCH_APP names, under the one name that wsgo looks for."""

import importlib
import os

_module, _name = os.environ["BENCH_APP"].split(":")
application = getattr(importlib.import_module(_module), _name)
