//! The end of a connection: lingering, timeouts, closing.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::ev::Interest;
use crate::http::error::HttpError;
use crate::http::head::is_head_request;
use crate::py::Gil;
use crate::server::connection::reject::reject_now;
use crate::server::connection::state::{Event, Stage, Step};
use crate::server::connection::work::{Connection, Work};
use crate::server::connection::write::{expect_reader, stands_still};
use crate::server::reactor::READ;
use crate::server::registry::registry;
use crate::server::stats::count;
use crate::sys::stream::Flow;

/// How long a connection that is about to send a request is waited for when the server ends, in
/// seconds. Others have the moment in which the loop reports what has arrived already.
const FINAL_REQUEST_WAIT: f64 = 1.0;

/// A connection whose last response is younger than this, in seconds, is about to send a request:
/// closing it would cross with that on the way, and the client would have to guess whether it was
/// served.
const RECENTLY_ACTIVE: f64 = 2.0;

/// A client that has its last response is listened to for this long without a byte of it, in seconds.
const LINGER_SILENCE: f64 = 2.0;

/// And for this long in all, in seconds: many a client reads the response to a long upload only when it
/// has sent all of it.
const LINGER: f64 = 60.0;

/// The last response is written, and the stream's end behind it, and the client may still be sending.
/// Closing now, with input unread, would make the kernel reset the connection, and the client might
/// never see the response (RFC 9112 section 9.6).
pub fn begin_lingering(connection: &Connection, work: &mut Work) {
    let clock = &connection.reactor.clock;
    work.lingers_until = clock.seconds() + LINGER;
    connection.deadline.set(clock, LINGER_SILENCE);
    work.readable = false;
}

/// Reads and drops what a rejected client still sends.
pub fn discard(connection: &Rc<Connection>, work: &mut Work) -> Step {
    if !work.readable {
        return Step::Wait(Interest::READ);
    }
    work.readable = false;
    let reactor = &connection.reactor;
    let mut dropped = reactor.input.take();
    dropped.clear();
    dropped.reserve(READ);
    let flow = work.socket.read(&mut dropped, READ);
    reactor.put_input(dropped);
    match flow {
        Ok(Flow::Done(_)) if reactor.clock.seconds() < work.lingers_until => {
            connection.deadline.set(&reactor.clock, LINGER_SILENCE);
        }
        Ok(Flow::Blocked) => {}
        _ => {
            work.on(Event::PeerDone);
            return Step::Again;
        }
    }
    Step::Wait(Interest::READ)
}

/// What a deadline that has come means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimedOut {
    /// The connection goes on as it was.
    Waits,
    /// It goes on: it has something to write.
    Drive,
}

/// The deadline of a connection that waits has come.
pub fn timed_out(gil: Gil<'_>, connection: &Rc<Connection>, work: &mut Work) -> TimedOut {
    if work.is_queued || work.is_batched {
        // It waits for us, not for its client.
        return TimedOut::Waits;
    }
    let timeouts = &registry(gil).stats.timeouts;
    match work.state.stage() {
        // What is queued could not be written.
        _ if !work.out.is_empty() || work.state.stage() == Stage::Send => {
            if !stands_still(work) {
                expect_reader(connection, work);
                return TimedOut::Waits;
            }
            count(timeouts, 1);
            work.on(Event::Gone);
        }
        // A proxy that does not introduce its client has no response.
        Stage::Proxy => {
            count(timeouts, 1);
            work.on(Event::Gone);
        }
        Stage::Head if work.has_begun() => {
            count(timeouts, 1);
            let head_only = is_head_request(work.received());
            reject_now(gil, connection, work, HttpError::RequestTimeout, head_only);
        }
        Stage::Body => {
            count(timeouts, 1);
            let (error, head_only) = match &work.incoming {
                Some(incoming) if incoming.awaits_descriptor => {
                    (HttpError::Unavailable, incoming.is_head_request())
                }
                Some(incoming) => (HttpError::RequestTimeout, incoming.is_head_request()),
                None => (HttpError::RequestTimeout, false),
            };
            reject_now(gil, connection, work, error, head_only);
        }
        _ => work.on(Event::Gone),
    }
    TimedOut::Drive
}

/// Whether nothing of a request was received, and none has its response on the way.
pub fn is_idle(work: &Work) -> bool {
    let has_response = work.is_batched || !work.out.is_empty();
    let awaits_message = matches!(work.state.stage(), Stage::Head | Stage::Proxy);
    awaits_message && !work.has_begun() && !has_response
}

/// The server ends, and the connection is idle: it may send a request that is on its way by now.
pub fn shorten_idle(connection: &Connection, work: &Work) {
    let reactor = &connection.reactor;
    let kept = reactor.ctx.config.keep_alive_timeout;
    let was_active = connection
        .deadline
        .is_younger(&reactor.clock, kept, RECENTLY_ACTIVE);
    let patience = if was_active || !work.served_any {
        FINAL_REQUEST_WAIT
    } else {
        0.0
    };
    connection.deadline.set(&reactor.clock, patience);
}

/// Ends a connection: what it held is dropped, and the result of its application closed.
pub fn close(gil: Gil<'_>, connection: &Rc<Connection>, mut work: Box<Work>) {
    work.finish_line(connection);
    connection.unwatch();
    let Work {
        socket,
        out,
        response,
        takeover,
        ..
    } = *work;
    registry(gil).trace(gil, || format!("fd={} closed", socket.number()));
    connection.reactor.queues.put(gil, out);
    drop(response);
    if let Some(takeover) = takeover {
        takeover.end(gil);
    }
    connection.reactor.close(socket);
}
