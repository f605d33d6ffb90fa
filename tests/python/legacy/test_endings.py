"""How a server ends, and what does not end it: signals, `sys.exit`, exceptions, anywhere."""

import signal

import pytest

pytestmark = pytest.mark.each_major

PLACES = ["callback", "iterator", "timer", "deferred"]


def wish(program, name):
    """The answer to a wish, as far as it came."""
    return program.exchange(b"GET /wish/" + name.encode() + b" HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("name", "words"), [("sigint", ["Bye.", "the end"]), ("sigterm", ["the end"])]
)
def test_a_signal_from_within_ends_run(start_any, place, name, words):
    program = start_any("endings.py", place)
    wish(program, name)
    outcome = program.wait().check()
    assert outcome.stdout.splitlines()[2:] == words
    assert program.of_kind("returned")[0]["answer"] == "None"


@pytest.mark.parametrize(("number", "words"), [(signal.SIGINT, ["Bye.", "the end"]),
                                               (signal.SIGTERM, ["the end"])])  # fmt: skip
def test_a_signal_from_outside_ends_run(start_any, number, words):
    program = start_any("endings.py", "callback")
    assert wish(program, "nothing").endswith(b"\r\n\r\nwish")
    outcome = program.stop(number).check()
    assert outcome.stdout.splitlines()[2:] == words


@pytest.mark.parametrize("place", ["callback", "iterator"])
@pytest.mark.parametrize("name", ["sigint", "sigterm"])
def test_an_answer_under_way_is_sent_to_its_end(start_ours, place, name):
    # The original closes it where it stands.
    program = start_ours("endings.py", place)
    assert wish(program, name).endswith(b"\r\n\r\nwish")
    program.wait().check()


EXITS = pytest.mark.parametrize(
    ("name", "code", "text", "last_word"),
    [
        ("exit", 0, "None", ""),
        ("exit3", 3, "3", ""),
        ("exit_text", 1, "a last word", "a last word\n"),
    ],
)


@pytest.mark.parametrize("place", ["timer", "deferred"])
@EXITS
def test_sys_exit_ends_the_process_with_its_code(start_any, place, name, code, text, last_word):
    program = start_any("endings.py", place)
    wish(program, name)
    outcome = program.wait()
    assert outcome.returncode == code, outcome.transcript
    assert outcome.stderr == last_word
    assert "the end" not in outcome.stdout


@EXITS
def test_sys_exit_in_a_callback_is_raised_by_run_after_the_client_got_its_page(
    start_ours, name, code, text, last_word
):
    # The original exits on the spot, and the client gets nothing.
    program = start_ours("endings.py", "callback")
    assert wish(program, name).startswith(b"HTTP/1.0 500 Not found\r\n")
    outcome = program.wait()
    assert outcome.returncode == code, outcome.transcript
    assert outcome.stderr.endswith(last_word)
    (raised,) = program.of_kind("raised")
    assert (raised["error"], raised["text"]) == ("SystemExit", text.replace("None", ""))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["keyboard_interrupt", "error"])
def test_an_exception_ends_nothing(start_any, place, name):
    program = start_any("endings.py", place)
    wish(program, name)
    for _ in range(3):
        assert wish(program, "nothing").endswith(b"\r\n\r\nwish")
    assert program.of_kind("raised") == program.of_kind("returned") == []


def test_a_handler_that_raises_on_an_idle_server(start_ours):
    program = start_ours("endings.py", "callback")
    program.send_signal(signal.SIGUSR1)
    outcome = program.wait()
    assert outcome.returncode == 1
    assert outcome.stderr.rstrip().endswith("RuntimeError: from the handler")


@pytest.mark.parametrize("place", ["timer", "deferred"])
def test_an_exception_of_a_timer_or_a_deferred_call_is_told_on_stderr(start_any, place):
    program = start_any("endings.py", place)
    wish(program, "error")
    program.wait_for_output("ValueError: wished", stream="stderr")
    assert program.stderr.startswith("Traceback (most recent call last):\n")
