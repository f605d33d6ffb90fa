"""The server's settings: plain module attributes that a program may change before it serves.

The core reads SERVER_IDENT when the program calls `_evwsgi.set_base_module(base)`, dialect, the
limits and the timeouts when `run` begins; what concerns the traceback when a traceback is due.
A missing attribute, or None, means the default of the dialect in force, so a settings module
written for an older release keeps working.
"""

import sys

# Sent as the Server header; "" or None sends none (standard dialect). Bottle's adapters read the
# last two characters as a number, and want it above 0.4.
SERVER_IDENT = "fapws3/1.01"

# How time.strftime writes a date as HTTP has it (RFC 9110 section 5.6.7), for programs: the core
# rejects a base module without it, and writes its own dates so whatever it says.
date_format = "%a, %d %b %Y %H:%M:%S GMT"

# A traceback shows a stranger the program, so a browser sees one only when this is True.
# DIFFERS(fapws3): the original's default is True.
send_traceback_to_browser = False

# The body of the 500 page when the traceback is not sent (legacy dialect).
send_traceback_short = "<h1>Error</h1>The application failed. Its log has the reason."

# "legacy": what Fapws3 0.11 did, one HTTP/1.0 request a connection. "standard": HTTP/1.1 and
# PEP 3333. Deployments of the original exist on Python 2 only. The environment variable
# FAPWS_DIALECT wins over this.
dialect = "legacy" if sys.version_info[0] == 2 else "standard"

# --- Limits. Past one of them the request is rejected with the status named. -------------------

# Bytes of the request line (414). None: 8190, as Apache httpd has it, in the standard dialect;
# 1 MiB in the legacy one, whose applications may rely on long query strings.
max_request_line = None

# Bytes of the whole head, request line included (431). None: 65536 in the standard dialect, room
# for several fat cookies; 1 MiB in the legacy one.
max_header_size = None

# Header lines in one head (431). None: 128 in the standard dialect, more than any browser and
# chain of proxies sends; 1000 in the legacy one.
max_header_count = None

# Bytes of chunk extensions on one chunk line (400); a message may hold sixteen times as many. They
# are ignored, so a client that sends many of them only wants to keep the parser busy.
max_chunk_extension = 4096

# Bytes of a request body, 0 for no limit (413, before the body is read when its length is
# announced). 1 GiB is a large upload, and keeps a full disk from being one request away.
max_body_size = 1 << 30

# Bytes of a request body kept in memory; a longer one goes to an unlinked temporary file. Most
# forms fit, and a thousand uploads at once still cost only 64 MiB. Longer ones that come within
# half a second, up to 32 times as long, need no file while they have 1,024 times as much together.
body_memory = 65536

# Connections open at once; more wait in the kernel's queue. None: the process's descriptor limit
# less a reserve for the program's own files.
max_connections = None

# --- Timeouts, in seconds (floats allowed), kept to a quarter of a second. ---------------------

# From the accept, or a persistent connection's first byte, to the end of the head (408). Covers the
# whole head, so that one byte now and then does not hold a connection.
header_timeout = 20

# Without a byte of an unfinished request body (408).
body_timeout = 60

# Bytes a second of a request body after its first 20 seconds (408). Slower than any modem: only a
# client that wants to occupy the server is.
body_min_rate = 500

# Without a byte that the client takes of the response; then the connection is closed.
write_timeout = 60

# Idle between two requests of a connection. Above the 60 seconds of the usual proxy's connection
# pool: were it below, the proxy could send a request into our close and show its user a 502.
keep_alive_timeout = 65

# For requests in flight after SIGTERM. A process manager's own patience is longer than this.
graceful_timeout = 30

# --- The listening socket. ----------------------------------------------------------------------

# Connections that wait to be accepted. None: as many as the kernel's own limit (somaxconn) lets,
# which cuts any number.
backlog = None

# Linux: let the kernel keep a TCP connection back until its first bytes are there
# (TCP_DEFER_ACCEPT), which saves a wake-up a connection. Ignored where there is no such thing.
tcp_defer_accept = True

# --- Threads. -----------------------------------------------------------------------------------

# Calls of the application that may wait at a time. More than one needs Python 3 and the standard
# dialect.
threads = 1

# Whether other processes serve the same application: wsgi.multiprocess, in the standard dialect.
# None: whether this process forked, or was forked, since the import of the core.
multiprocess = None

# Seconds: a call of the application that takes longer is logged with the stack of its thread, and
# once more when it ends. 0: none is, and stats() lists no calls.
slow_request = 0

# Seconds for which SIGTERM lets it go on to serve, before the graceful end: balancers need time to
# notice.
shutdown_delay = 0

# --- The access log. ----------------------------------------------------------------------------

# A path, a descriptor's number, or "-" for stdout. None: no log.
access_log = None

# A format with %(...)s atoms. None: the combined format.
access_log_format = None

# A JSON object for each request, in the place of the format.
access_log_json = False

# Paths that have no lines.
access_log_skip = ()

# --- Proxies, and what asks for the server's health. --------------------------------------------

# A path whose response is the server's own: 200, and 503 while it ends. None: no path.
health = None

# The prefix of the application's URLs: SCRIPT_NAME. The proxy may have taken it off.
root_path = ""

# Peers whose X-Forwarded-Proto is believed: addresses and networks between commas, or "*". The
# peer of a unix socket is where both addresses of the default are.
forwarded_allow_ips = "127.0.0.1,::1"

# Whether their X-Forwarded-For, -Host, -Port, -Prefix and Forwarded are believed, too.
proxy_headers = False

# The PROXY protocol before each connection: "off", "v1", "v2" or "auto".
proxy_protocol = "off"

# Peers that may speak it. Any other peer's first bytes are a request.
proxy_allow_from = "127.0.0.1,::1"
