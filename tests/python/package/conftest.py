"""Keeps two folders from the driver: the interpreters under test run what is in them.

`unit` holds the package's own tests, run by `test_units.py`; `parity` holds scripts that the
original Fapws3 runs as well, run by `test_parity.py`.
"""

collect_ignore = ["unit", "parity"]
