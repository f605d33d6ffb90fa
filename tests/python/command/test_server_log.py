"""The server's own lines: their form, their level, and the journal's."""

import os
import re
import signal
import subprocess

import pytest
from command import HEAD, log_lines, write
from support.process import clean_environment, wait_until

pytestmark = pytest.mark.wire


def test_the_form_of_a_line(run_command):
    command = run_command("hello:app")
    text = f"serving hello:app on http://127.0.0.1:{command.address[1]}"
    command.wait_for_output(text, "stderr")
    assert re.fullmatch(f"{HEAD}{re.escape(text)}\n", command.stderr)
    assert log_lines(command.stderr) == [(command.pid, "INFO", text)]


ZONES = [("UTC0", "+0000"), ("EAST-5:30", "+0530"), ("WEST3", "-0300")]


@pytest.mark.parametrize("zone, offset", ZONES)
def test_the_zone_of_a_line(run_command, zone, offset):
    command = run_command("hello:app", env={"TZ": zone})
    command.wait_for_output("serving", "stderr")
    assert f" {offset}] [{command.pid}] [INFO] " in command.stderr


@pytest.mark.parametrize("how", ["option", "gunicorn", "environment", "file"])
def test_the_least_level(run_command, home, how):
    (home / "settings.py").write_text("loglevel = 'WARNING'\n")
    words = {"option": ["--log-level", "warning"], "gunicorn": ["--log-level=WARNING"],
             "file": ["--config", "settings.py"]}.get(how, [])
    env = {"FAPWS_LOG_LEVEL": "warning"} if how == "environment" else {}
    command = run_command("hello:app", *words, env=env)
    command.wait_for_workers(1)
    command.send_signal(signal.SIGTTIN)
    command.wait_for_workers(2)
    write(home, hello="def (")
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("SyntaxError", "stderr")
    levels = {level for _, level, _ in log_lines(command.stderr)}
    assert levels and "INFO" not in levels


def test_what_a_worker_says_has_its_process(run_command, home):
    command = run_command("hello:app")
    before = command.wait_for_workers(1)
    write(home, hello="import nothing_of_the_kind\n")
    command.send_signal(signal.SIGHUP)
    command.wait_for_output("importing hello failed", "stderr")
    (pid,) = {pid for pid, level, _ in log_lines(command.stderr) if level == "ERROR"}
    assert pid not in before | {command.pid}


def test_the_journal_knows_time_and_process(interpreter, home, tmp_path):
    """sd-daemon(3): a priority begins each line where stderr is the journal's stream."""
    (home / "settings.py").write_text("spam = 3\n")
    write(home, hello="def (")
    with open(tmp_path / "journal", "wb") as journal:
        status = os.fstat(journal.fileno())
        env = clean_environment({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        command = [interpreter.python, "-m", "fapws", "hello:app", "--bind", "127.0.0.1:0"]
        command += ["--config", "settings.py"]
        process = subprocess.run(command, cwd=home, env=env, stderr=journal, check=False)
    assert process.returncode == 1
    lines = (tmp_path / "journal").read_text().splitlines()
    assert lines[0].startswith("<4>settings.py: not settings, ignored: spam")
    assert all(re.match("<[34]>", line) for line in lines)
    assert any("SyntaxError" in line for line in lines)


def test_a_stream_that_is_not_the_journal(run_command):
    command = run_command("hello:app", env={"JOURNAL_STREAM": "8:12345"})
    wait_until(lambda: log_lines(command.stderr), "a line")
