"""`fapws.serve` and `fapws.Server`: a server in the process that calls."""

import signal
import textwrap

import pytest
from support.process import Process
from support.server import Listening

PRELUDE = """
    from __future__ import print_function
    import os, socket, sys, threading, time
    import fapws
    from fapws import config

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [("hello " + environ["PATH_INFO"]).encode("ascii")]

    def get(address, path="/"):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        client = socket.socket(family)
        client.connect(address)
        head = "GET %s HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n" % path
        client.sendall(head.encode("ascii"))
        data = b""
        while True:
            piece = client.recv(4096)
            if not piece:
                client.close()
                return data
            data += piece
"""


@pytest.fixture
def run(interpreter, tmp_path):
    """`run(source)`: what a program prints that begins as PRELUDE does; it must end with code 0."""

    def run(source):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(source))
        process = Process([interpreter.python, path], tmp_path / "run")
        return process.start().wait().check()

    return run


def test_a_server_as_a_context_manager(run):
    outcome = run("""
        for round in range(3):
            with fapws.Server(app, bind="127.0.0.1:0") as server:
                host, port = server.address
                assert host == "127.0.0.1" and port > 0
                assert get(server.address, "/%d" % round).endswith(b"hello /%d" % round)
            try:
                socket.create_connection(server.address)
            except socket.error:
                print("closed")
    """)
    assert (outcome.stdout, outcome.stderr) == ("closed\n" * 3, "")


@pytest.mark.parametrize("forks", [False, True])
def test_other_processes_are_those_that_were_forked(run, forks):
    outcome = run("""
        forks = %s

        def shows(environ, start_response):
            start_response("200 OK", [])
            return [str(environ["wsgi.multiprocess"]).encode("ascii")]

        import fapws._evwsgi
        if forks and not os.fork():
            os._exit(0)
        with fapws.Server(shows, bind="127.0.0.1:0") as server:
            print(get(server.address).split()[-1].decode())
    """ % forks)
    assert outcome.stdout == "%s\n" % forks


def test_a_server_stopped_from_another_thread_finishes_what_is_in_flight(run):
    outcome = run("""
        entered = threading.Event()

        def slow(environ, start_response):
            entered.set()
            time.sleep(0.5)
            return app(environ, start_response)

        server = fapws.Server(slow, bind="127.0.0.1:0").start()
        seen = []
        client = threading.Thread(target=lambda: seen.append(get(server.address)))
        client.start()
        entered.wait(60)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        stopper.join()
        client.join()
        server.stop()
        print(seen[0].split()[1].decode())
    """)
    assert outcome.stdout == "200\n"


def test_settings_are_in_force_while_it_serves(run):
    run("""
        config.max_request_line = 77
        mine = {"max_request_line": 50, "SERVER_IDENT": "mine/1.00"}
        with fapws.Server(app, bind="127.0.0.1:0", **mine) as s:
            assert b" 414 " in get(s.address, "/" + "a" * 60)
            assert b"Server: mine/1.00" in get(s.address)
        assert config.max_request_line == 77 and config.SERVER_IDENT.startswith("fapws3/")
        with fapws.Server(app, bind="127.0.0.1:0") as s:
            assert b" 200 " in get(s.address, "/" + "a" * 30)
            assert b"Server: fapws3/" in get(s.address)
    """)


def test_several_addresses_and_a_unix_socket(run):
    run("""
        with fapws.Server(app, bind=["unix:a.sock", "127.0.0.1:0"]) as server:
            assert server.address == "a.sock", server.addresses
            assert b" 200 " in get("a.sock") and b" 200 " in get(server.addresses[1])
        assert not os.path.exists("a.sock")
    """)


def test_what_is_wrong_is_raised_where_it_was_said(run):
    run("""
        def raised(kind, words, call, *arguments, **settings):
            try:
                call(*arguments, **settings)
            except kind as error:
                assert words in str(error), error
            else:
                raise AssertionError(words)

        taken = socket.socket()
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        bind = "127.0.0.1:%d" % taken.getsockname()[1]
        from fapws.listening import AddressError
        for call in (fapws.serve, lambda *a, **s: fapws.Server(*a, **s).start()):
            raised(TypeError, "callable", call, 3)
            raised(ValueError, "did you mean header_timeout", call, app, header_timout=3)
            raised(ValueError, "header_timeout must be a number", call, app, header_timeout="x")
            raised(ValueError, "workers needs a master", call, app, workers=3)
            raised(AddressError, "already in use", call, app, bind=bind)
        first = fapws.Server(app, bind="127.0.0.1:0").start()
        second = fapws.Server(app, bind="127.0.0.1:0")
        raised(RuntimeError, "already runs in this process", second.start)
        assert b" 200 " in get(first.address)
        first.stop()
    """)


def test_signals_are_the_programs(run):
    outcome = run("""
        import signal
        terminated = []
        signal.signal(signal.SIGTERM, lambda number, frame: terminated.append(number))
        for round in range(2):
            with fapws.Server(app, bind="127.0.0.1:0") as server:
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(60)
                except KeyboardInterrupt:
                    print("interrupted")
                os.kill(os.getpid(), signal.SIGTERM)
                assert b" 200 " in get(server.address)
        assert len(terminated) == 2
    """)
    assert outcome.stdout == "interrupted\n" * 2


def test_threads(run, interpreter):
    if interpreter.major == 2:
        pytest.skip("Python 2 has one thread")
    run("""
        met = [threading.Event(), threading.Event()]

        def meeting(environ, start_response):
            number = int(environ["PATH_INFO"][1:])
            met[number].set()
            assert met[1 - number].wait(50)
            return app(environ, start_response)

        with fapws.Server(meeting, bind="127.0.0.1:0", threads=2) as server:
            seen = []
            clients = [
                threading.Thread(target=lambda path=path: seen.append(get(server.address, path)))
                for path in ("/0", "/1")
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        assert all(b" 200 " in response for response in seen) and len(seen) == 2, seen
    """)


class Serving(Listening):
    """A program that serves, and says on stdout where."""

    def start(self):
        super().start()
        self.wait_for_output("serving on http://127.0.0.1:", "stderr")
        self.address = ("127.0.0.1", int(self.stderr.rpartition(":")[2]))
        return self


@pytest.fixture
def serve_program(interpreter, start_process, tmp_path):
    def serve_program(source):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(source))
        return start_process(Serving, [interpreter.python, path])

    return serve_program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_with_a_signal(serve_program, number):
    server = serve_program("""
        fapws.serve(app, bind="127.0.0.1:0", access_log="a.log")
        print("ended", open("a.log").read())
    """)
    assert server.get("/there").body == b"hello /there"
    outcome = server.stop(number).check()
    assert "ended" in outcome.stdout and '"GET /there HTTP/1.1" 200 12' in outcome.stdout


def test_serve_in_another_thread(serve_program):
    server = serve_program("""
        thread = threading.Thread(target=fapws.serve, args=(app, "127.0.0.1:0"))
        thread.start()
        thread.join()
    """)
    assert server.get("/there").body == b"hello /there"
    server.kill()
