//! The module `fapws._evwsgi`: its table of functions, and what importing it does.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::api::{callbacks, formats, listening, registration, reports, running};
use crate::app::console;
use crate::ev;
use crate::py::module::{self, Function, Module};
use crate::py::{Gil, Object, Result, interpreter, names};
use crate::server::registry::{error_class, registry};
use crate::server::{at_exit, fatal};
use crate::sys::fork;

/// The module's description.
pub struct Evwsgi;

impl Module for Evwsgi {
    // Without its package, which the import system puts before it; a program that embeds Python has
    // it as a built-in module of no package.
    const NAME: &'static CStr = c"_evwsgi";
    const DOC: &'static CStr = c"The core of fapws: an HTTP server for WSGI applications on libev.";
    const FUNCTIONS: &'static [Function] = &[
        Function {
            name: c"start",
            doc:
                c"start(host, port)\n\nListens on an address. With a port that begins with 'unix', \
                host is the path of a unix socket, or an abstract name if it begins with NUL.\n\n\
                Raises error.",
            call: listening::start,
        },
        Function {
            name: c"start_fd",
            doc: c"start_fd(fd, name='', port='')\n\nServes on a socket that already listens \
                (from systemd or a parent process); name and port become SERVER_NAME and SERVER_PORT.\n\n\
                Raises error.",
            call: listening::start_fd,
        },
        Function {
            name: c"listen_unix",
            doc: c"listen_unix(path, mode=-1, uid=-1, gid=-1) -> int\n\nListens on a unix socket, for start_fd \
                in this process or another; returns its descriptor. mode, uid and gid are those of its file.\n\n\
                Raises error.",
            call: listening::listen_unix,
        },
        Function {
            name: c"set_base_module",
            doc: c"set_base_module(module)\n\nSets the base module and removes every \
                registered application.\n\nRaises AttributeError.",
            call: registration::set_base_module,
        },
        Function {
            name: c"wsgi_cb",
            doc: c"wsgi_cb((uri, application))\n\nRegisters an application for targets that begin \
                with uri.\n\nRaises error before set_base_module, and TypeError.",
            call: registration::wsgi_cb,
        },
        Function {
            name: c"wsgi_gen_cb",
            doc: c"wsgi_gen_cb(application)\n\nThe application for every other target.",
            call: registration::wsgi_gen_cb,
        },
        Function {
            name: c"run",
            doc: c"run()\n\nServes until SIGINT or SIGTERM.\n\nRaises error, and what a signal \
                handler of the program's raises.",
            call: running::run,
        },
        Function {
            name: c"stop",
            doc: c"stop()\n\nEnds run() gracefully, as SIGTERM does; any thread may call it. Does \
                nothing if nothing serves.",
            call: running::stop,
        },
        Function {
            name: c"parse_query",
            doc: c"parse_query(query) -> dict of lists\n\nA query or an urlencoded form, decoded.",
            call: formats::parse_query,
        },
        Function {
            name: c"set_debug",
            doc: c"set_debug(level)\n\n0 is quiet; anything else logs each connection on stdout.",
            call: registration::set_debug,
        },
        Function {
            name: c"get_debug",
            doc: c"get_debug() -> int",
            call: registration::get_debug,
        },
        Function {
            name: c"libev_version",
            doc: c"libev_version() -> (major, minor)\n\nOf the libev that is loaded.",
            call: formats::libev_version,
        },
        Function {
            name: c"add_timer",
            doc:
                c"add_timer(delay, callable) -> int\n\nCalls callable() every delay seconds until \
                it returns False. Returns the number of timers added so far.",
            call: callbacks::add_timer,
        },
        Function {
            name: c"stop_timer",
            doc: c"stop_timer(index)\n\nStops a timer; 0 is the first.\n\nRaises IndexError.",
            call: callbacks::stop_timer,
        },
        Function {
            name: c"restart_timer",
            doc: c"restart_timer(index)\n\nMakes a timer fire again, its delay from now.",
            call: callbacks::restart_timer,
        },
        Function {
            name: c"defer",
            doc: c"defer(callable, argument, combine)\n\nCalls callable(argument) when the server has \
                nothing else to do; with combine True only once for equal calls.",
            call: callbacks::defer,
        },
        Function {
            name: c"defer_queue_size",
            doc: c"defer_queue_size() -> int or None\n\nThe number of queued calls.",
            call: callbacks::defer_queue_size,
        },
        Function {
            name: c"rfc1123_date",
            doc: c"rfc1123_date(seconds) -> str\n\nA time as HTTP writes it (RFC 9110 section \
                5.6.7).\n\nRaises ValueError.",
            call: formats::rfc1123_date,
        },
        Function {
            name: c"socket_fd",
            doc: c"socket_fd() -> int\n\nThe last listening socket's descriptor, -1 before start.",
            call: listening::socket_fd,
        },
        Function {
            name: c"on_ready",
            doc: c"on_ready(callable)\n\nEach run calls callable() once, when it is ready to serve; None \
                removes it.\n\nRaises TypeError.",
            call: registration::on_ready,
        },
        Function {
            name: c"share",
            doc:
                c"share(descriptor, offset)\n\nPublishes the server's counters and state in a slot \
                of a file that other processes map.\n\nRaises error.",
            call: reports::share,
        },
        Function {
            name: c"slot_fields",
            doc: c"slot_fields() -> tuple of str\n\nThe names of a slot's words, 8 bytes each.",
            call: reports::slot_fields,
        },
        Function {
            name: c"reopen_access_log",
            doc: c"reopen_access_log()\n\nReopens the access log's file after it was renamed; does nothing \
                without one.\n\nRaises OSError; the old file then stays in use.",
            call: reports::reopen_access_log,
        },
        Function {
            name: c"stats",
            doc: c"stats() -> dict\n\nThe server's counters since the import, and the calls in flight.",
            call: reports::stats,
        },
    ];

    fn fill(gil: Gil<'_>, module: &Object) -> Result<()> {
        ev::report_panics_to(console::log_panic);
        ev::report_fatal_to(fatal::report);
        fork::watch();
        if interpreter::enter(gil)? {
            names::intern(gil)?;
            // Closes what an interpreter before this one listened on.
            registry(gil);
            at_exit::register(gil)?;
        }
        module::add(gil, module, c"error", error_class(gil)?)
    }
}
