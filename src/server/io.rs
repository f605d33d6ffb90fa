//! The events of a connection, and what each does in each phase; reading, and closing.
//!
//! An event is worked off in one go: what is there is read, every whole request in it is answered
//! into one queue ([`super::serve`]), and the queue is written before the loop is told to watch for
//! anything. libev learns of a connection only when it outlives its first answer.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::ev::Interest;
use crate::http::error::HttpError;
use crate::py::Gil;
use crate::server::conn::{Connection, Phase, Reading};
use crate::server::deliver::{After, Outcome, finish, go_on, write_timed_out};
use crate::server::receive::read_body;
use crate::server::serve::{Work, names_head, refuse, work};
use crate::server::server;
use crate::server::stats::count;
use crate::sys::stream::Flow;

/// Bytes read at a time.
pub(super) const READ: usize = 64 << 10;

/// How long a connection that is about to send a request is waited for when the server ends, in
/// seconds. Others are given the moment in which the loop tells of what has arrived already.
const NEXT_REQUEST: f64 = 1.0;

/// A connection whose last answer is younger than this, in seconds, is about to send a request:
/// closing it would cross with that on the way, and the client would have to guess whether it was
/// served.
const LIVELY: f64 = 2.0;

/// Bytes read at a time for a head that came in pieces.
const PIECE: usize = 8 << 10;

/// A refused client is listened to for this long, in seconds, and this many bytes.
const LINGER: (f64, usize) = (2.0, 1 << 20);

/// The socket can be read or written.
pub fn ready(gil: Gil<'_>, connection: &Rc<Connection>) {
    match connection.take_phase() {
        Phase::Head(reading) => read_head(gil, connection, reading),
        Phase::Body(receiving) => read_body(gil, connection, receiving),
        Phase::Reply(replying) => {
            let next = go_on(gil, connection, replying);
            work(gil, connection, next);
        }
        Phase::Linger(left) => linger(gil, connection, left),
        // A callback panicked before it came to this one.
        Phase::Answered | Phase::Busy | Phase::Closed => close(gil, connection),
    }
}

/// The deadline has come.
pub fn timed_out(gil: Gil<'_>, connection: &Rc<Connection>) {
    let server = server(gil);
    match connection.take_phase() {
        Phase::Head(reading) if reading.has_begun() => {
            count(&server.stats.timeouts, 1);
            let head_only = names_head(&reading.input);
            refuse_at_once(gil, connection, HttpError::RequestTimeout, head_only);
        }
        Phase::Body(receiving) => {
            count(&server.stats.timeouts, 1);
            let late = if receiving.crowded {
                HttpError::Unavailable
            } else {
                HttpError::RequestTimeout
            };
            refuse_at_once(gil, connection, late, receiving.is_head());
        }
        Phase::Reply(replying) => write_timed_out(gil, connection, replying),
        Phase::Head(_) | Phase::Linger(_) | Phase::Answered | Phase::Busy | Phase::Closed => {
            close(gil, connection)
        }
    }
}

/// A callback panicked in the middle of its work.
pub fn panicked(gil: Gil<'_>, connection: &Rc<Connection>) {
    if matches!(&*connection.phase.borrow(), Phase::Busy) {
        refuse_at_once(gil, connection, HttpError::Internal, false);
    } else {
        close(gil, connection);
    }
}

/// Ends a connection: whatever it held is dropped, and the result of its application closed.
pub fn close(gil: Gil<'_>, connection: &Rc<Connection>) {
    connection.unwatch();
    connection.enter(Phase::Closed);
    let socket = connection.take_socket();
    if let Some(socket) = &socket {
        server(gil).trace(gil, || format!("fd={} closed", socket.number()));
    }
    drop(socket);
    connection.run.remove(gil, connection);
}

pub(super) fn read_head(gil: Gil<'_>, connection: &Rc<Connection>, mut reading: Reading) {
    let run = &connection.run;
    let was_empty = reading.input.is_empty();
    let had_begun = reading.has_begun();
    let mut input = if was_empty {
        run.scratch.input.take()
    } else {
        std::mem::take(&mut reading.input)
    };
    // A head in pieces is short, or comes from somebody who wants us to keep large buffers.
    let room = if was_empty { READ } else { PIECE };
    input.reserve(room);
    let flow = connection.socket().read(&mut input, room);
    match flow {
        Ok(Flow::Done(received)) => {
            count(&server(gil).stats.bytes_in, received as u64);
            // The first head's time counts from the accept, unless that was at the very end.
            if !had_begun && (connection.used.get() || run.is_draining()) {
                connection.expect_head();
            }
            let next = Work::Serve {
                reading,
                input,
                scratch: was_empty,
                out: run.scratch.output.take(),
            };
            work(gil, connection, next);
        }
        Ok(Flow::Blocked) => {
            if was_empty {
                run.scratch.input.set(input);
            } else {
                reading.input = input;
            }
            connection.enter(Phase::Head(reading));
            connection.watch(Interest::READ);
        }
        // A head that was cut short is no request.
        Ok(Flow::Closed) | Err(_) => {
            if was_empty {
                run.scratch.input.set(input);
            }
            close(gil, connection);
        }
    }
}

/// The server ends, and the connection is idle: it may send a request that is on its way by now.
pub fn expect_last(connection: &Rc<Connection>) {
    let run = &connection.run;
    let kept = run.site.config.keep_alive_timeout;
    let lively = connection.deadline.is_younger(&run.clock, kept, LIVELY);
    let patience = if lively || !connection.used.get() {
        NEXT_REQUEST
    } else {
        0.0
    };
    connection.deadline.set(&run.clock, patience);
    connection.watch(Interest::READ);
}

pub(super) fn wait_for_head(gil: Gil<'_>, connection: &Rc<Connection>, reading: Reading) {
    let run = &connection.run;
    if reading.has_begun() {
        connection.socket().acknowledge_now();
    } else if run.is_draining() {
        close(gil, connection);
        return;
    } else if connection.used.get() {
        connection
            .deadline
            .set(&run.clock, run.site.config.keep_alive_timeout);
    }
    connection.enter(Phase::Head(reading));
    connection.watch(Interest::READ);
}

/// Answers a refused message outside of the ordinary way, and listens for a while.
pub(super) fn refuse_at_once(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    error: HttpError,
    head_only: bool,
) {
    let run = &connection.run;
    let mut out = run.scratch.output.take();
    out.clear(gil);
    refuse(gil, run, &mut out, error, head_only);
    let outcome = Outcome {
        reading: Reading::default(),
        after: After::Refused,
        out,
        left: true,
    };
    // A refusal leaves no work.
    let _ = finish(gil, connection, outcome);
}

/// The last answer is written, and the stream's end behind it, and the client may still be sending.
/// Closing now, with input unread, would make the kernel reset the connection, and the client might
/// never see the answer (RFC 9112 section 9.6).
pub(super) fn begin_lingering(connection: &Rc<Connection>) {
    let run = &connection.run;
    connection.deadline.set(&run.clock, LINGER.0);
    connection.enter(Phase::Linger(LINGER.1));
    connection.watch(Interest::READ);
}

pub(super) fn linger(gil: Gil<'_>, connection: &Rc<Connection>, mut left: usize) {
    let mut dropped = connection.run.scratch.input.take();
    dropped.clear();
    dropped.reserve(READ);
    let flow = connection.socket().read(&mut dropped, READ);
    dropped.clear();
    connection.run.scratch.input.set(dropped);
    match flow {
        Ok(Flow::Done(count)) if count < left => left -= count,
        Ok(Flow::Blocked) => {}
        _ => {
            close(gil, connection);
            return;
        }
    }
    connection.enter(Phase::Linger(left));
    connection.watch(Interest::READ);
}
