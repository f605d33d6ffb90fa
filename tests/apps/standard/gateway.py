"""The calls of PEP 3333 that an application can get wrong, or use in its rarer ways.

A route either answers with what the call did (the exception's name), or leaves the answer to
the server; `/call?PLAN` tries one `start_response` call with arguments from the test.
"""
import json
import os
import signal
import sys
import time

try:
    from urllib.parse import unquote
except ImportError:  # Python 2.7
    from urllib import unquote

from journal import record

PLAIN = [("Content-Type", "text/plain")]


def native(value):
    """JSON's text, deep inside lists too, as native strings; lists of two become pairs."""
    if isinstance(value, list):
        return [tuple(native(part) for part in pair) if isinstance(pair, list) else native(pair)
                for pair in value]
    if str is bytes and not isinstance(value, (bool, int, float, dict, type(None))):
        try:
            return value.encode("latin-1")
        except UnicodeEncodeError:  # meant to be wrong; as bytes it is so too
            return value.encode("utf-8")
    return value


def try_call(environ, start_response):
    """`/call?{"status":, "headers":, "odd":}`: the exception's name, or `accepted`."""
    plan = json.loads(unquote(environ["QUERY_STRING"]))
    odd = plan.get("odd")
    status, headers = native(plan.get("status", "200 OK")), native(plan.get("headers", []))
    if odd == "status-none":
        status = None
    elif odd == "status-bytes":
        status = b"200 OK" if str is not bytes else u"200 OK"
    elif odd == "status-number":
        status = 200
    elif odd == "headers-none":
        headers = None
    elif odd == "headers-dict":
        headers = {"A": "b"}
    elif odd == "headers-number":
        headers = 5
    elif odd == "headers-flat":
        headers = ["A", "b"]
    elif odd == "headers-single":
        headers = [("A",)]
    elif odd == "headers-triple":
        headers = [("A", "b", "c")]
    elif odd == "name-number":
        headers = [(1, "b")]
    elif odd == "value-number":
        headers = [("A", 1)]
    elif odd == "value-none":
        headers = [("A", None)]
    elif odd == "value-wide":
        headers = [("A", u"\u20ac")]
    try:
        if odd == "no-arguments":
            start_response()
        elif odd == "one-argument":
            start_response(status)
        elif odd == "many-arguments":
            start_response(status, headers, None, None)
        elif odd == "keywords":
            start_response(status=status, headers=headers)
        elif odd == "exc-info-odd":
            start_response(status, headers, 5)
        else:
            start_response(status, headers)
    except Exception as error:
        start_response("200 OK", PLAIN, sys.exc_info())
        return [(str(error) if plan.get("message") else type(error).__name__).encode("ascii")]
    return [b"accepted"]


def twice(environ, start_response):
    """A second call without exc_info."""
    start_response("200 OK", PLAIN)
    try:
        start_response("201 Created", PLAIN)
    except Exception as error:
        return [type(error).__name__.encode("ascii")]
    return [b"accepted"]


def replace(environ, start_response):
    """The head replaced through exc_info before anything was sent."""
    start_response("200 OK", PLAIN + [("X-First", "1"), ("Content-Length", "3")])
    try:
        raise RuntimeError("planned")
    except RuntimeError:
        start_response("503 Busy", PLAIN + [("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


def replace_after_empty(environ, start_response):
    """Empty items do not send the head: it can still be replaced after them."""
    start_response("200 OK", PLAIN)
    yield b""
    yield b""
    try:
        raise RuntimeError("planned")
    except RuntimeError:
        start_response("503 Busy", PLAIN, sys.exc_info())
    yield b"replaced"


def replace_too_late(environ, start_response):
    """exc_info after a part of the body was sent: the exception comes back."""
    name = environ["QUERY_STRING"]
    start_response("200 OK", PLAIN)
    yield b"sent"
    try:
        raise RuntimeError("planned")
    except RuntimeError:
        try:
            start_response("503 Busy", PLAIN, sys.exc_info())
        except RuntimeError as error:
            record(name, "raised %s" % error)
            raise
        record(name, "accepted")
    yield b"more"


def replace_after_write(environ, start_response):
    """exc_info after `write()` sent a part of the body: the exception comes back."""
    write = start_response("200 OK", PLAIN)
    write(b"sent")
    try:
        raise RuntimeError("planned")
    except RuntimeError:
        try:
            start_response("503 Busy", PLAIN, sys.exc_info())
        except RuntimeError:
            return [b" raised"]
    return [b" accepted"]


def write_many(environ, start_response):
    """`write()` many times, then items: all in that order."""
    write = start_response("200 OK", PLAIN)
    for number in range(1000):
        write(("w%d " % number).encode("ascii"))
    return [b"item1 ", b"item2"]


def write_exact(environ, start_response):
    """`write()` under a promised length."""
    write = start_response("200 OK", PLAIN + [("Content-Length", "10")])
    write(b"01234")
    write(b"")
    return [b"56789"]


def write_large(environ, start_response):
    """`write()` of more than the kernel takes at once."""
    write = start_response("200 OK", PLAIN)
    for letter in (b"a", b"b", b"c", b"d"):
        write(letter * (4 << 20))
    return []


def write_steps(environ, start_response):
    """`/write-steps?PATH`: writes `one`, and `two` only after the file PATH exists (30 s)."""
    write = start_response("200 OK", PLAIN)
    write(b"")
    write(b"one")
    for _ in range(3000):
        if os.path.exists(unquote(environ["QUERY_STRING"])):
            break
        time.sleep(0.01)
    write(b"two")
    return [b"three"]


def write_past(environ, start_response):
    """`write()` of more than was promised."""
    write = start_response("200 OK", PLAIN + [("Content-Length", "3")])
    try:
        write(b"abcd")
    except Exception as error:
        record(environ["QUERY_STRING"], type(error).__name__)
    return []


def write_and_raise(environ, start_response):
    """An exception after `write()` sent something."""
    start_response("200 OK", PLAIN)(b"sent")
    raise ValueError("planned failure")


def write_then_file(environ, start_response):
    """`write()`, then a file of which nothing is left."""
    start_response("200 OK", PLAIN)(b"abc")
    source = open(__file__, "rb")
    source.read()
    return environ["wsgi.file_wrapper"](source)


def write_without_head(environ, start_response):
    """`write` of a call whose head was then replaced by one that is refused."""
    write = start_response("200 OK", PLAIN)
    try:
        raise RuntimeError("planned")
    except RuntimeError:
        try:
            start_response("500 Bad", [("A", "b\n")], sys.exc_info())
        except ValueError:
            pass
    write(b"abc")
    return []


def errors_as_stderr(environ, start_response):
    """A program that has `wsgi.errors` stand for stderr, and one whose stream writes there."""
    class Stream(object):
        def write(self, text):
            environ["wsgi.errors"].write(text)

        def flush(self):
            pass

    real = sys.stderr
    try:
        for sys.stderr in environ["wsgi.errors"], Stream():
            sys.stderr.write("through stderr\n")
            environ["wsgi.errors"].write("through wsgi.errors\n")
            hasattr(environ["wsgi.errors"], "fileno")
    finally:
        sys.stderr = real
    start_response("200 OK", PLAIN)
    return [b"told"]


def fork_in_close(environ, start_response):
    """A child that comes back from `close()`."""
    class Forking(object):
        def __iter__(self):
            return iter([b"closing"])

        def close(self):
            child = os.fork()
            if child == 0:
                raise SystemExit(5)
            record(environ["QUERY_STRING"], "%d" % os.WEXITSTATUS(os.waitpid(child, 0)[1]))

    start_response("200 OK", PLAIN)
    return Forking()


def fork_in_handler(environ, start_response):
    """A child that comes back from a signal's handler, which runs when the server is idle."""
    name = environ["QUERY_STRING"]

    def handler(number, frame):
        child = os.fork()
        if child:
            record(name, "%d" % os.WEXITSTATUS(os.waitpid(child, 0)[1]))

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    start_response("200 OK", PLAIN)
    return [b"set"]


def write_wrong(environ, start_response):
    """`write()` of what is no byte string."""
    write = start_response("200 OK", PLAIN)
    try:
        write(42)
    except Exception as error:
        return [type(error).__name__.encode("ascii")]
    return [b"accepted"]


def write_from_generator(environ, start_response):
    """PEP 3333 forbids it; the order must hold all the same, or an exception come."""
    write = start_response("200 OK", PLAIN)
    yield b"a"
    write(b"b")
    yield b"c"


def keep_write(environ, start_response):
    """A `write` kept past its request and used then: it must not reach another's answer."""
    KEPT.append(start_response("200 OK", PLAIN))
    return [b"kept"]


def use_kept(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        KEPT.pop()(b"smuggled")
    except Exception as error:
        return [b"clean ", type(error).__name__.encode("ascii")]
    return [b"clean"]


def keep_start(environ, start_response):
    """A `start_response` kept past its request."""
    KEPT.append(start_response)
    start_response("200 OK", PLAIN)
    return [b"kept"]


def use_kept_start(environ, start_response):
    try:
        KEPT.pop()("500 Stolen", PLAIN)
    except Exception as error:
        start_response("200 OK", PLAIN)
        return [b"clean ", type(error).__name__.encode("ascii")]
    start_response("200 OK", PLAIN)
    return [b"clean"]


def keep_input(environ, start_response):
    """A `wsgi.input` kept past its request."""
    KEPT.append(environ["wsgi.input"])
    start_response("200 OK", PLAIN)
    return [b"kept"]


def use_kept_input(environ, start_response):
    """Whatever an old input gives, it is none of this request's body."""
    start_response("200 OK", PLAIN)
    try:
        old = KEPT.pop().read()
    except Exception:
        old = b""
    return [b"old:", old, b" new:", environ["wsgi.input"].read()]


def complain(environ, start_response):
    """`/complain?WORD`: WORD through every method of `wsgi.errors`."""
    errors, word = environ["wsgi.errors"], environ["QUERY_STRING"]
    errors.write("write-%s\n" % word)
    errors.writelines(["lines-%s\n" % word, "more-%s\n" % word])
    errors.flush()
    start_response("200 OK", PLAIN)
    return [b"complained"]


def odd_exc_info(environ, start_response):
    """`/odd-exc-info?NAME`: what is no sys.exc_info(), when the head is out."""
    start_response("200 OK", PLAIN)
    yield b"sent"
    for odd in (1, 2, 3), (ValueError, 1, 2), (1, None, None), (ValueError("x"), None, None), 5:
        try:
            start_response("200 OK", PLAIN, odd)
        except Exception as error:
            record(environ["QUERY_STRING"], type(error).__name__)


def fork(environ, start_response):
    """`/fork?HOW`: a child that comes back from here in that way, and the code it ends with."""
    how = environ["QUERY_STRING"]
    child = os.fork()
    start_response("200 OK", PLAIN)
    if child == 0:
        sys.stdout.write("the child's word\n")
        if how == "exit":
            sys.exit(3)
        if how == "raise":
            raise ValueError("planned failure")
        return [b"the child's answer"]
    return [str(os.WEXITSTATUS(os.waitpid(child, 0)[1])).encode("ascii")]


def fork_later(environ, start_response):
    """The same in the middle of a body."""
    start_response("200 OK", PLAIN)
    yield b"began "
    child = os.fork()
    if child == 0:
        yield b"the child's item"
    yield str(os.WEXITSTATUS(os.waitpid(child, 0)[1])).encode("ascii")


def fork_away(environ, start_response):
    """`/fork-away`: a child that stays, with every descriptor; its process id."""
    child = os.fork()
    if child == 0:
        time.sleep(300)
        os._exit(0)
    start_response("200 OK", PLAIN)
    return [str(child).encode("ascii")]


def text_items(environ, start_response):
    """Items that are text, not bytes, on Python 3 (unicode on 2.7)."""
    start_response("200 OK", PLAIN)
    return [u"text\xe9"]


def buffers(environ, start_response):
    """Items that are buffers other than bytes."""
    start_response("200 OK", PLAIN)
    view = memoryview if str is not bytes else buffer  # noqa: F821 (Python 2.7)
    return [bytearray(b"one "), view(b"two "), view(b"three")]


class Lazy(object):
    """web2py's translated text: iterable, and `read` is something of its own."""

    def __iter__(self):
        return iter([b"lazy ", b"text"])

    def read(self):
        return self


def lazy(environ, start_response):
    """An iterable whose `read` is no file's."""
    start_response("200 OK", PLAIN)
    return Lazy()


KEPT = []

ROUTES = {
    "/call": try_call,
    "/twice": twice,
    "/replace": replace,
    "/replace-after-empty": replace_after_empty,
    "/replace-too-late": replace_too_late,
    "/replace-after-write": replace_after_write,
    "/write-many": write_many,
    "/write-exact": write_exact,
    "/write-large": write_large,
    "/write-steps": write_steps,
    "/write-past": write_past,
    "/write-and-raise": write_and_raise,
    "/write-then-file": write_then_file,
    "/write-without-head": write_without_head,
    "/errors-as-stderr": errors_as_stderr,
    "/fork-away": fork_away,
    "/fork-in-close": fork_in_close,
    "/fork-in-handler": fork_in_handler,
    "/write-wrong": write_wrong,
    "/write-from-generator": write_from_generator,
    "/keep-write": keep_write,
    "/use-kept": use_kept,
    "/keep-start": keep_start,
    "/use-kept-start": use_kept_start,
    "/keep-input": keep_input,
    "/use-kept-input": use_kept_input,
    "/complain": complain,
    "/odd-exc-info": odd_exc_info,
    "/fork": fork,
    "/fork-later": fork_later,
    "/text-items": text_items,
    "/buffers": buffers,
    "/lazy": lazy,
}
