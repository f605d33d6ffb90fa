"""`start` on unix sockets: paths, abstract names, and what may lie there already; the backlog."""

import os
import socket
import stat
import struct

from case import PYTHON_2, Case, ask, base, end_run, evwsgi, main


def hello(environ, start_response):
    """The name and port that `start` was given."""
    start_response("200 OK", [])
    return [("%(SERVER_NAME)s %(SERVER_PORT)s" % environ).encode("latin-1")]


class UnixSocket(Case):
    """A path in a fresh folder."""

    def setUp(self):
        Case.setUp(self)
        self.path = os.path.join(self.folder, "socket")
        base.config.dialect = "legacy"
        evwsgi.set_base_module(base)
        evwsgi.wsgi_gen_cb(hello)

    def assertServes(self, address):
        """Whether the server answers there."""
        answer, _ = self.run_with(lambda: ask(address))
        self.assertTrue(answer.startswith(b"HTTP/1.0 200 OK\r\n"), answer)
        return answer.partition(b"\r\n\r\n")[2]

    def test_a_path(self):
        answer, text = self.printed_by(evwsgi.start, self.path, "unix:")
        self.assertEqual((None, "listen on %s:unix:\n" % self.path), (answer, text))
        self.assertTrue(stat.S_ISSOCK(os.stat(self.path).st_mode))
        body = self.assertServes(self.path)
        self.assertEqual(("%s unix:" % self.path).encode("ascii"), body)

    def test_any_port_that_begins_with_unix(self):
        self.printed_by(evwsgi.start, self.path, "unix")
        self.assertServes(self.path)

    def test_a_path_of_bytes(self):
        if PYTHON_2:
            return  # there a str is one
        self.printed_by(evwsgi.start, self.path.encode("ascii"), "unix:")
        self.assertServes(self.path)

    def test_an_abstract_name(self):
        name = "fapws-test-%d" % os.getpid()
        _, text = self.printed_by(evwsgi.start, "\0" + name, "unix:")
        self.assertEqual("listen on @%s:unix\n" % name, text)
        body = self.assertServes("\0" + name)
        self.assertEqual(("\0%s unix:" % name).encode("ascii"), body)

    def test_an_abstract_name_with_a_nul_in_it(self):
        name = "\0fapws-%d\0\0end" % os.getpid()
        self.printed_by(evwsgi.start, name, "unix:")
        self.assertServes(name)
        shorter = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.assertRaises(socket.error, shorter.connect, name.partition("end")[0])
        shorter.close()

    def test_a_stale_file_is_replaced(self):
        dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        dead.bind(self.path)
        dead.listen(1)
        dead.close()
        self.assertTrue(os.path.exists(self.path))
        self.printed_by(evwsgi.start, self.path, "unix:")
        self.assertServes(self.path)

    def test_a_live_server_is_left_alone(self):
        live = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        live.bind(self.path)
        live.listen(5)
        with self.assertRaises(evwsgi.error) as caught:
            evwsgi.start(self.path, "unix:")
        self.assertTrue(str(caught.exception).startswith("server: failed to bind: "))
        self.assertNotIn("os error", str(caught.exception))
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(self.path)
        client.close()
        live.close()

    def test_a_file_that_is_no_socket_is_left_alone(self):
        with open(self.path, "w") as other:
            other.write("precious")
        self.assertRaises(evwsgi.error, evwsgi.start, self.path, "unix:")
        with open(self.path) as other:
            self.assertEqual("precious", other.read())

    def test_paths_that_cannot_be(self):
        for path in [self.folder, self.path + "/under", "/" + "x" * 200, ""]:
            self.assertRaises(evwsgi.error, evwsgi.start, path, "unix:")
        self.assertEqual(-1, evwsgi.socket_fd())


def backlog():
    """How many connections may wait at the last listener, as the kernel has it (TCP_INFO)."""
    wrapper = socket.fromfd(int(evwsgi.socket_fd()), socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Of a socket that listens, the field of acknowledged segments holds it.
        facts = wrapper.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    finally:
        wrapper.close()
    return struct.unpack_from("=I", facts, 28)[0]


def limit():
    """The kernel's own limit."""
    with open("/proc/sys/net/core/somaxconn") as limit:
        return int(limit.read())


class Backlog(Case):
    """How many connections may wait to be accepted."""

    def setUp(self):
        Case.setUp(self)
        if not os.path.exists("/proc/sys/net/core/somaxconn"):
            self.skipTest("no Linux: nothing shows the backlog of a socket")

    def run_once(self):
        """The backlog while the server serves."""
        seen = []
        evwsgi.on_ready(lambda: (seen.append(backlog()), end_run()))
        self.printed_by(evwsgi.run)
        return seen[0]

    def test_it_is_the_systems(self):
        self.serve()
        most = min(limit(), 65535)
        self.assertEqual((most, most), (backlog(), self.run_once()))

    def test_it_is_the_configurations(self):
        self.serve()
        base.config.backlog = 7
        # The second run listens anew.
        self.assertEqual([7, 7], [self.run_once(), self.run_once()])

    def test_the_kernel_cuts_it(self):
        self.serve()
        base.config.backlog = 1 << 40
        self.assertEqual(min(limit(), 65535), self.run_once())


if __name__ == "__main__":
    main()
