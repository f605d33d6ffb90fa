//! A process that the application forked in the middle of a request, and let come back to us.
//!
//! Its parent goes on serving: the sockets, and what epoll knows of them, are the parent's. Were the
//! child to go on, there would be two responses to one request, and two servers on one queue of
//! events; so it ends where the application left it, as a child that calls `sys.exit` expects.
//!
//! DIFFERS(fapws3): in the original it went on, with just that.

#![forbid(unsafe_code)]

use crate::app::console;
use crate::py::out::{self, Stream};
use crate::py::{Exception, Gil, Kind, Result};
use crate::sys::fork;

/// In a forked child it does not return. It is called where bytes leave and where they and clients come in, so
/// that one request has one response wherever the program forked, a destructor included.
pub fn leave_if_forked(gil: Gil<'_>) {
    if fork::is_child() {
        let _: Result<()> = exit_if_forked(gil, Ok(()));
    }
}

/// The result of a call of the program's code; in a forked child it does not return.
pub fn exit_if_forked<T>(gil: Gil<'_>, result: Result<T>) -> Result<T> {
    if !fork::is_child() {
        return result;
    }
    let code = match result {
        Ok(_) => 0,
        Err(raised) => {
            let exception = Exception::take(gil, raised);
            if exception.is(gil, Kind::SystemExit) {
                exception.exit_code(gil)
            } else {
                console::log_exception(gil, &exception);
                1
            }
        }
    };
    for stream in [Stream::Stdout, Stream::Stderr] {
        out::flush(gil, stream);
    }
    fork::leave(code)
}
