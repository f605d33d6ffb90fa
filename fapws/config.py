"""The server's settings: plain module attributes that a program may change before it serves.

`_evwsgi.set_base_module(base)` reads SERVER_IDENT; `run` reads dialect, the limits and the timeouts
when it begins; the settings about tracebacks are read when an application fails. A missing
attribute, or None, means the default of the dialect in force, so a settings module written for an
older release keeps working.
"""

import sys

# The Server header; "" or None sends none (standard dialect). Bottle's adapters parse the last two
# characters as a number, which must be above 0.4.
SERVER_IDENT = "fapws3/1.01"

# The format of HTTP dates for time.strftime (RFC 9110 section 5.6.7), for programs. The core
# requires it in a base module, but does not use it for its own dates.
date_format = "%a, %d %b %Y %H:%M:%S GMT"

# Whether the error page has the traceback, which shows strangers the program.
# DIFFERS(fapws3): the original's default is True.
send_traceback_to_browser = False

# The body of the 500 page when the traceback is not sent (legacy dialect).
send_traceback_short = "<h1>Error</h1>The application failed. Its log has the reason."

# "legacy": what Fapws3 0.11 did, one HTTP/1.0 request per connection; the default on Python 2,
# where it was deployed. "standard": HTTP/1.1 and PEP 3333. The variable FAPWS_DIALECT wins.
dialect = "legacy" if sys.version_info[0] == 2 else "standard"

# --- Limits: beyond them a request is rejected with the status in brackets. --------------------

# Bytes of the request line (414). None: 8190, as Apache httpd has it, in the standard dialect;
# 1 MiB in the legacy one, whose applications may rely on long query strings.
max_request_line = None

# Bytes of the whole head, request line included (431). None: 65536 in the standard dialect, room
# for several large cookies; 1 MiB in the legacy one.
max_header_size = None

# Header lines in one head (431). None: 128 in the standard dialect, more than any browser and
# chain of proxies sends; 1000 in the legacy one.
max_header_count = None

# Bytes of chunk extensions on one chunk line (400); a message may hold sixteen times as many. They
# are ignored, so a client that sends many of them only wants to keep the parser busy.
max_chunk_extension = 4096

# Bytes of a request body, 0 for no limit (413, before the body is read when its length is
# announced). 1 GiB allows large uploads, but a single request cannot fill the disk.
max_body_size = 1 << 30

# Bytes of a request body kept in memory; a longer one goes to an unlinked temporary file. Most
# forms are shorter, and a thousand uploads at once need only 64 MiB. Bodies up to 32 times as long
# that arrive within half a second stay in memory, up to 1,024 times as much together.
body_memory = 65536

# Connections that are open at a time; others wait in the kernel's queue. None: the process's
# descriptor limit less a reserve for the program's own files.
max_connections = None

# --- Timeouts, in seconds (floats allowed), kept to a quarter of a second. ---------------------

# From the accept, or the first byte of a further request, to the end of the head (408). It covers
# the whole head, so single bytes do not extend it.
header_timeout = 20

# Longest pause in a request body (408).
body_timeout = 60

# Lowest rate of a request body, in bytes a second, after its first 20 seconds (408). Even a modem
# is faster.
body_min_rate = 500

# Longest pause in which the client takes no byte of a response; then the connection is closed.
write_timeout = 60

# How long an idle connection is kept. Longer than the 60 seconds of nginx's connection pool;
# otherwise the proxy could send a request while the server closes, and respond with 502.
keep_alive_timeout = 65

# For requests in flight after SIGTERM. A process manager must wait longer before it kills.
graceful_timeout = 30

# --- The listening socket. ----------------------------------------------------------------------

# Connections that may wait to be accepted. None: the kernel's limit (somaxconn), which also reduces
# any other number.
backlog = None

# Linux: the kernel reports a TCP connection only when its first bytes are there (TCP_DEFER_ACCEPT),
# which saves a wake-up. Ignored on other systems.
tcp_defer_accept = True

# --- Threads. -----------------------------------------------------------------------------------

# Calls of the application that may wait at the same time. More than one needs Python 3 and the
# standard dialect.
threads = 1

# Whether other processes serve the same application: wsgi.multiprocess, in the standard dialect.
# None: whether this process forked, or was forked, since the import of the core.
multiprocess = None

# Seconds: a call of the application that takes longer is logged with the stack of its thread, and
# again when it ends. 0: never, and stats() lists no calls.
slow_request = 0

# Seconds for which the server keeps serving after SIGTERM, before the graceful end: load balancers
# need time to notice.
shutdown_delay = 0

# --- The access log. ----------------------------------------------------------------------------

# A path, a descriptor's number, or "-" for stdout. None: no log.
access_log = None

# A format with %(...)s atoms. None: the combined format.
access_log_format = None

# Whether each line is a JSON object.
access_log_json = False

# Paths that are not logged.
access_log_skip = ()

# --- Proxies and health checks. -----------------------------------------------------------------

# A path that the server itself responds to: 200, or 503 while it shuts down. None: no path.
health = None

# The prefix of the application's URLs: SCRIPT_NAME. The proxy may have removed it.
root_path = ""

# Proxies whose X-Forwarded-Proto is believed: comma-separated addresses and networks, or "*". Unix
# sockets are trusted if both addresses of the default are.
forwarded_allow_ips = "127.0.0.1,::1"

# Whether their X-Forwarded-For, -Host, -Port and -Prefix, or Forwarded, are believed too.
proxy_headers = False

# The PROXY protocol before each connection: "off", "v1", "v2" or "auto".
proxy_protocol = "off"

# Proxies that use it, and must. A connection from elsewhere begins with a request.
proxy_allow_from = "127.0.0.1,::1"
