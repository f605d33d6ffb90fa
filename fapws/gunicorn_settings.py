"""What gunicorn can be set to and this server cannot, with what to do instead.

Imported where such a name is met. A row is gunicorn's name of the setting, its options, whether the
option takes a value, what follows from it, and the advice. Names that mean the same thing here are
in the table of fapws/settings.py.
"""

#: It has no meaning here, and nothing is lost without it.
HARMLESS = "harmless"
#: An option is an error; in a file it is reported and ignored.
IGNORED = "ignored"
#: Serving without it would be wrong: an error in a file, too.
REJECTED = "rejected"

_TLS = "TLS is not supported: put nginx, HAProxy or pound in front (sample/nginx)"
_SYSLOG = "let systemd-cat, logger or the journal take stderr: 2> >(logger -t site)"
_HEADERS = "the standard dialect parses strictly (docs/security.md)"
_NO_HTTP2 = "only HTTP/1.1 is supported: let the proxy in front speak HTTP/2"
_NO_ASGI = "only WSGI applications are served here"
_NO_DIRTY = "there are no dirty workers: run such processes beside the server"
_PER_REQUEST = "no hook is called for a request: wrap the application (WSGI middleware)"
_NO_UWSGI = "the uwsgi protocol is not supported: let the proxy speak HTTP (proxy_pass)"
_HEARTBEAT = "there is no heartbeat file here"
_STATSD = "read the numbers of contrib.stats instead"
_LOGGING = "the server's lines go to stderr; the application configures its own logging"

#: name -> (options, takes a value, what follows, advice)
FOREIGN = {
    "worker_class": ("-k --worker-class", True, IGNORED,
                     "there is one kind of worker; for calls that wait use --threads N"),
    "worker_tmp_dir": ("--worker-tmp-dir", True, HARMLESS, _HEARTBEAT),
    "reload_engine": ("--reload-engine", True, HARMLESS, "there is one way to watch files"),
    "spew": ("--spew", False, IGNORED, "use sys.settrace or a profiler"),
    "print_config": ("--print-config", False, IGNORED, "use --check"),
    "daemon": ("-D --daemon", False, REJECTED,
               "let systemd start it (sample/systemd), or the shell: &"),
    "sendfile": ("--no-sendfile", False, HARMLESS, "files go by sendfile where the kernel can"),
    "reuse_port": ("--reuse-port", False, IGNORED, "workers share one socket; use --workers N"),
    "paste": ("--paste --paster", True, REJECTED,
              "let Paste Deploy load this server: use = egg:fapws3#main"),
    "raw_paste_global_conf": ("--paste-global", True, REJECTED,
                              "let Paste Deploy load this server: use = egg:fapws3#main"),
    "errorlog": ("--error-logfile --log-file", True, IGNORED,
                 "the server's lines go to stderr: let the shell append them to a file, 2>> FILE"),
    "capture_output": ("--capture-output", False, IGNORED,
                       "the application's output goes where the shell sends it"),
    "enable_stdio_inheritance": ("-R --enable-stdio-inheritance", False, HARMLESS,
                                 "workers have the streams of the master"),
    "logger_class": ("--logger-class", True, IGNORED, _LOGGING),
    "logconfig": ("--log-config", True, IGNORED, _LOGGING),
    "logconfig_dict": ("", True, IGNORED, _LOGGING),
    "logconfig_json": ("--log-config-json", True, IGNORED, _LOGGING),
    "syslog": ("--log-syslog", False, IGNORED, _SYSLOG),
    "syslog_addr": ("--log-syslog-to", True, IGNORED, _SYSLOG),
    "syslog_facility": ("--log-syslog-facility", True, IGNORED, _SYSLOG),
    "syslog_prefix": ("--log-syslog-prefix", True, IGNORED, _SYSLOG),
    "disable_redirect_access_to_syslog": (
        "--disable-redirect-access-to-syslog", False, HARMLESS, _SYSLOG),
    "statsd_host": ("--statsd-host", True, IGNORED, _STATSD),
    "statsd_prefix": ("--statsd-prefix", True, IGNORED, _STATSD),
    "dogstatsd_tags": ("--dogstatsd-tags", True, IGNORED, _STATSD),
    "enable_backlog_metric": ("--enable-backlog-metric", False, IGNORED, _STATSD),
    "tmp_upload_dir": ("", True, IGNORED, "set TMPDIR in the environment"),
    "limit_request_field_size": ("--limit-request-field_size", True, IGNORED,
                                 "the whole head has one limit: --max-header-size"),
    "initgroups": ("--initgroups", False, HARMLESS,
                   "the user's supplementary groups are always set"),
    "secure_scheme_headers": ("", True, IGNORED,
                              "X-Forwarded-Proto is what is read (--forwarded-allow-ips)"),
    "forwarder_headers": ("--forwarder-headers", True, IGNORED, "use --root-path"),
    "header_map": ("--header-map", True, IGNORED, _HEADERS),
    "strip_header_spaces": ("--strip-header-spaces", False, REJECTED, _HEADERS),
    "permit_obsolete_folding": ("--permit-obsolete-folding", False, REJECTED, _HEADERS),
    "permit_unconventional_http_method": (
        "--permit-unconventional-http-method", False, HARMLESS,
        "any method that RFC 9110 allows is passed on"),
    "permit_unconventional_http_version": (
        "--permit-unconventional-http-version", False, REJECTED, _HEADERS),
    "casefold_http_method": ("--casefold-http-method", False, REJECTED, _HEADERS),
    "default_proc_name": ("", True, HARMLESS, "use name"),
    "protocol": ("--protocol", True, REJECTED, _NO_UWSGI),
    "uwsgi_allow_ips": ("--uwsgi-allow-from", True, HARMLESS, _NO_UWSGI),
    "http_parser": ("--http-parser", True, HARMLESS, "there is one parser"),
    "http_protocols": ("--http-protocols", True, IGNORED, _NO_HTTP2),
    "http2_cleartext": ("--http2-cleartext", True, IGNORED, _NO_HTTP2),
    "http2_max_concurrent_streams": (
        "--http2-max-concurrent-streams", True, HARMLESS, _NO_HTTP2),
    "http2_initial_window_size": ("--http2-initial-window-size", True, HARMLESS, _NO_HTTP2),
    "http2_max_frame_size": ("--http2-max-frame-size", True, HARMLESS, _NO_HTTP2),
    "http2_max_header_list_size": ("--http2-max-header-list-size", True, HARMLESS, _NO_HTTP2),
    "asgi_loop": ("--asgi-loop", True, HARMLESS, _NO_ASGI),
    "asgi_lifespan": ("--asgi-lifespan", True, HARMLESS, _NO_ASGI),
    "asgi_disconnect_grace_period": (
        "--asgi-disconnect-grace-period", True, HARMLESS, _NO_ASGI),
    "websocket_max_message_size": ("--websocket-max-message-size", True, HARMLESS, _NO_ASGI),
    "control_socket": ("--control-socket", True, HARMLESS, "signals control it"),
    "control_socket_mode": ("--control-socket-mode", True, HARMLESS, "signals control it"),
    "control_socket_disable": ("--no-control-socket", False, HARMLESS, "there is none"),
    "dirty_apps": ("--dirty-app", True, REJECTED, _NO_DIRTY),
    "dirty_workers": ("--dirty-workers", True, REJECTED, _NO_DIRTY),
    "dirty_threads": ("--dirty-threads", True, HARMLESS, _NO_DIRTY),
    "dirty_timeout": ("--dirty-timeout", True, HARMLESS, _NO_DIRTY),
    "dirty_graceful_timeout": ("--dirty-graceful-timeout", True, HARMLESS, _NO_DIRTY),
    "on_dirty_starting": ("", True, IGNORED, _NO_DIRTY),
    "dirty_post_fork": ("", True, IGNORED, _NO_DIRTY),
    "dirty_worker_init": ("", True, IGNORED, _NO_DIRTY),
    "dirty_worker_exit": ("", True, IGNORED, _NO_DIRTY),
    "certfile": ("--certfile", True, REJECTED, _TLS),
    "keyfile": ("--keyfile", True, REJECTED, _TLS),
    "ca_certs": ("--ca-certs", True, IGNORED, _TLS),
    "cert_reqs": ("--cert-reqs", True, IGNORED, _TLS),
    "ssl_version": ("--ssl-version", True, IGNORED, _TLS),
    "ssl_context": ("", True, HARMLESS, _TLS),
    "ciphers": ("--ciphers", True, IGNORED, _TLS),
    "do_handshake_on_connect": ("--do-handshake-on-connect", False, HARMLESS, _TLS),
    "suppress_ragged_eofs": ("--suppress-ragged-eofs", False, HARMLESS, _TLS),
    "pre_request": ("", True, IGNORED, _PER_REQUEST),
    "post_request": ("", True, IGNORED, _PER_REQUEST),
    "pre_exec": ("", True, IGNORED, "there is no hook before a new master's program starts"),
    "worker_int": ("", True, IGNORED, "worker_exit is called, whatever ends a worker in order"),
    "worker_abort": ("", True, IGNORED, "the stacks of a worker that is late are logged instead"),
}

#: Values that ask for nothing, beside None, False, 0 and what is empty.
_NOTHING = {
    "errorlog": ("-", "/dev/stderr"),
    "worker_class": ("sync", "gthread"),
    "header_map": ("drop",),
    "protocol": ("http",),
    "http_protocols": ("h1", ["h1"], ("h1",)),
    "http2_cleartext": ("off",),
    "logger_class": ("gunicorn.glogging.Logger",),
    "sendfile": (True,),
    "syslog_addr": ("udp://localhost:514",),
    "syslog_facility": ("user",),
    "forwarder_headers": ("SCRIPT_NAME,PATH_INFO",),
}

_OTHER_PROTOCOL = "uvicorn", "asgi", "daphne", "hypercorn"


def asks_nothing(name, value):
    """Whether a value of gunicorn's setting is what this server does in any case."""
    return not value or value in _NOTHING.get(name, ())


def judge(name, value):
    """(what follows, advice) for a value of gunicorn's setting; (None, None) where nothing does."""
    if asks_nothing(name, value):
        return None, None
    follows, advice = FOREIGN[name][2:]
    if name == "worker_class":
        if any(word in str(value).lower() for word in _OTHER_PROTOCOL):
            return REJECTED, _NO_ASGI
        if "fapws" in str(value):
            return None, None
    return follows, advice


def find_option(word):
    """(name, takes a value) of the setting with this option, or None."""
    for name, (options, takes_value, _, _) in FOREIGN.items():
        if word in options.split():
            return name, takes_value
    return None
