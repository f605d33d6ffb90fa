"""What the module's functions return and raise where the original does not crash, printed."""
import random
import sys
import warnings

import fapws._evwsgi as evwsgi
from fapws import base

warnings.simplefilter("ignore")


def tell(name, *arguments):
    """One line: the call, and its answer or its exception's class."""
    try:
        answer = getattr(evwsgi, name)(*arguments)
    except Exception as error:
        answer = type(error).__name__
    if isinstance(answer, dict):
        answer = sorted(answer.items())
    print("%s%r: %r" % (name, arguments, answer))


def query(draw):
    """A query string of likely and unlikely parts."""
    parts = ["a", "b", "key", "=", "=", "&", "&", "+", "%41", "%3d", "%26", "%", "%4", "%zz",
             "\xe9", ";", "?", "/", "%25", "%2B"]
    return "".join(draw.choice(parts) for _ in range(draw.randint(0, 12)))


for each in ("", "a", "a=", "=b", "=", "&", "a=1&a=2&b=3", "a=1&&b", "a=b=c", "a+b=c+d", "%41=%42",
             "%4=%zz&%=1", "a=%26%3D%25", "\xe9=\xff", "a;b", u"a=1", "a\0b", 5, None):
    tell("parse_query", each)
draw = random.Random(1)
for _ in range(300):
    tell("parse_query", query(draw))
tell("parse_query")
tell("parse_query", "a", "b")

for each in (0, 1, 784111777, 1e9, 86399, 951782400, 4107542399, 253402300799, -1, -86400 * 400,
             2 ** 31, 12345678901, 10 ** 30, "now", None):
    tell("rfc1123_date", each)

tell("get_debug")
tell("get_debug", 1, 2)
tell("set_debug", 1)
tell("get_debug")
tell("set_debug", -5)
tell("get_debug")
tell("set_debug", 0)
tell("set_debug", "1")
tell("set_debug")
tell("libev_version")
tell("defer_queue_size")
tell("set_base_module")
tell("wsgi_gen_cb")
tell("wsgi_cb")
tell("wsgi_cb", ("/before", len))
tell("add_timer", "soon", len)
tell("add_timer", 1)
tell("start", "127.0.0.1")
tell("start", None, "0")
tell("start", "127.0.0.1", "0")
print(type(evwsgi.socket_fd()).__name__, evwsgi.socket_fd() > 2)
print(evwsgi.set_base_module(base))
tell("wsgi_cb", ("/after", len))
tell("wsgi_cb", (u"/unicode", len))
tell("wsgi_gen_cb", len)
print(issubclass(evwsgi.error, Exception), evwsgi.error.__name__, evwsgi.error.__module__)
for name in ("add_timer defer defer_queue_size error get_debug libev_version parse_query "
             "restart_timer rfc1123_date run set_base_module set_debug socket_fd start stop_timer "
             "wsgi_cb wsgi_gen_cb").split():
    print(name, hasattr(evwsgi, name))
sys.stdout.flush()
