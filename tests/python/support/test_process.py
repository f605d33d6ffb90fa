"""The support code's own tests: programs start the same way wherever the suite was started."""

import signal
import sys

import pytest
from support.process import Process, catch_ignored_signals

IGNORED = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]

PROGRAM = f"""
import signal
for number in {[int(number) for number in IGNORED]}:
    print(signal.getsignal(number) is not signal.SIG_IGN)
"""


@pytest.fixture
def in_the_background():
    """The driver as `nohup` and `&` start it: these signals ignored."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in IGNORED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ignores_nothing(process):
    return process.wait().check().stdout.split() == ["True"] * len(IGNORED)


@pytest.mark.usefixtures("in_the_background")
def test_a_program_starts_with_the_default_dispositions(start_process):
    assert not ignores_nothing(start_process(Process, [sys.executable, "-c", PROGRAM]))
    catch_ignored_signals()
    assert ignores_nothing(start_process(Process, [sys.executable, "-c", PROGRAM]))
