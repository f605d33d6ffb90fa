"""What lies at a unix socket's path already: one rule for `start` and for `--bind unix:`."""

import ctypes
import errno
import os
import re
import socket
import struct
import sys
import unittest

from case import Case, evwsgi, main
from fapws import listening

#: Of inotify(7).
MOVED_TO = 0x80
CHANGES = 0x40 | MOVED_TO | 0x100 | 0x200
#: Of getsockopt(2): who listens, as (pid, uid, gid).
SO_PEERCRED = 17

LIVE = "a server is listening on this unix socket"
OCCUPIED = "the file exists and is not a socket"


class Watch(object):
    """The changes of a folder's names from here on."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None)
        self._descriptor = libc.inotify_init()
        added = libc.inotify_add_watch(self._descriptor, folder.encode("ascii"), CHANGES)
        assert added > 0, "inotify"

    def changes(self, name):
        """Those of this name."""
        events = os.read(self._descriptor, 65536)
        os.close(self._descriptor)
        found = []
        while events:
            _, mask, _, length = struct.unpack_from("iIII", events)
            if events[16 : 16 + length].rstrip(b"\0") == name.encode("ascii"):
                found.append(mask)
            events = events[16 + length :]
        return found


class Paths(Case):
    def by_start(self, path):
        self.printed_by(evwsgi.start, path, "unix:")

    def by_bind(self, path):
        listening.listen("unix:" + path)

    def each(self):
        """Each way to listen, and a path in a folder of its own."""
        for listen in (self.by_start, self.by_bind):
            folder = os.path.join(self.folder, listen.__name__)
            os.mkdir(folder)
            yield listen, os.path.join(folder, "socket")

    def reason(self, listen, path):
        """Why it does not listen there; nothing comes to lie there or beside it."""
        before = os.lstat(path).st_ino, os.listdir(os.path.dirname(path))
        with self.assertRaises((evwsgi.error, listening.AddressError)) as caught:
            listen(path)
        self.assertEqual(before, (os.lstat(path).st_ino, os.listdir(os.path.dirname(path))))
        said = str(caught.exception)
        form = r"server: failed to bind: (.*) \(%s:unix:\)$|cannot listen on unix:%s: (.*)$"
        matched = re.match(form % (path, path), said)
        self.assertTrue(matched, said)
        return matched.group(1) or matched.group(2)

    def bound(self, path, kind=socket.SOCK_STREAM):
        bound = socket.socket(socket.AF_UNIX, kind)
        bound.bind(path)
        return bound

    def assertListens(self, path):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(path)
        credentials = client.getsockopt(socket.SOL_SOCKET, SO_PEERCRED, 12)
        client.close()
        return struct.unpack("3i", credentials)[0]

    def test_nothing(self):
        for listen, path in self.each():
            listen(path)
            self.assertListens(path)

    def test_a_stale_socket_is_replaced_without_a_gap(self):
        for listen, path in self.each():
            self.bound(path).close()
            watch = Watch(os.path.dirname(path))
            listen(path)
            self.assertListens(path)
            self.assertEqual([MOVED_TO], watch.changes("socket"))
            self.assertEqual(["socket"], os.listdir(os.path.dirname(path)))

    def test_a_live_listener_stays(self):
        for listen, path in self.each():
            live = self.bound(path)
            live.listen(1)
            self.assertEqual(LIVE, self.reason(listen, path))
            self.assertListens(path)
            live.close()

    def test_one_that_is_too_busy_to_accept_stays(self):
        for listen, path in self.each():
            live, waiting = self.bound(path), []
            live.listen(0)
            error = 0
            while error != errno.EAGAIN:
                waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                waiting[-1].setblocking(False)
                error = waiting[-1].connect_ex(path)
                self.assertIn(error, (0, errno.EAGAIN))
            self.assertEqual(LIVE, self.reason(listen, path))
            for each in [live] + waiting:
                each.close()

    def test_a_datagram_socket_stays_while_it_is_open(self):
        for listen, path in self.each():
            datagrams = self.bound(path, socket.SOCK_DGRAM)
            self.assertEqual(os.strerror(errno.EPROTOTYPE), self.reason(listen, path))
            datagrams.close()
            listen(path)
            self.assertListens(path)

    def test_what_is_no_socket_stays(self):
        for listen, path in self.each():
            with open(path, "w") as other:
                other.write("precious")
            self.assertEqual(OCCUPIED, self.reason(listen, path))
            with open(path) as other:
                self.assertEqual("precious", other.read())
            os.unlink(path)
            os.symlink("nowhere", path)
            self.assertEqual(OCCUPIED, self.reason(listen, path))

    @unittest.skipUnless(sys.platform.startswith("linux"), "only Linux says who listens")
    def test_of_several_at_once_the_path_leads_to_one_that_listens(self):
        for listen, path in self.each():
            for number in range(40):
                one = "%s%d" % (path, number)
                if number % 2:
                    self.bound(one).close()
                begin, reports, end = os.pipe(), os.pipe(), os.pipe()
                children = [self.come(listen, one, begin, reports, end) for _ in range(4)]
                os.close(begin[1])
                os.close(reports[1])
                for _ in children:
                    self.assertEqual(b".", os.read(reports[0], 1))
                listening_there = self.assertListens(one)
                os.close(end[1])
                codes = {child: os.waitpid(child, 0)[1] for child in children}
                self.assertEqual(0, codes[listening_there], codes)
                for each in (begin, reports, end):
                    os.close(each[0])

    def come(self, listen, path, begin, reports, end):
        """A child that listens once all are there, says that it has tried, and lives to the end."""
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            os.close(begin[1])
            os.close(end[1])
            os.read(begin[0], 1)
            try:
                listen(path)
                code = 0
            except (evwsgi.error, listening.AddressError):
                code = 2
            os.write(reports[1], b".")
            os.read(end[0], 1)
        finally:
            os._exit(code)


if __name__ == "__main__":
    main()
