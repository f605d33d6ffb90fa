//! Bodies on their way in: taken off the buffer, decoded, kept in memory or in a file; the request
//! is answered when its body is whole, never before.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::console;
use crate::app::exchange::{CacheResult, RequestBody};
use crate::ev::Interest;
use crate::http::error::HttpError;
use crate::py::Gil;
use crate::server::conn::{Connection, Phase, Reading, Received, Receiving, Store};
use crate::server::deadlines::body_patience;
use crate::server::deliver::{After, Outcome, Settled, settle};
use crate::server::io::{READ, close, refuse_at_once};
use crate::server::serve::{ParsedRequest, Work, respond, work};
use crate::server::server;
use crate::server::stats::count;
use crate::sys::stream::Flow;

/// Bytes of a body that are read before others have their turn.
const TURN: usize = 1 << 20;

/// Seconds that a long body may take before it goes to a file.
const HASTE: f64 = 0.5;

pub(super) fn wait_for_body(connection: &Rc<Connection>, receiving: Box<Receiving>) {
    let run = &connection.run;
    let patience = body_patience(
        &run.site.config,
        &run.clock,
        receiving.began,
        receiving.received(),
    );
    connection.deadline.set(&run.clock, patience);
    connection.socket().acknowledge_now();
    connection.enter(Phase::Body(receiving));
    connection.watch(Interest::READ);
}

pub(super) fn read_body(gil: Gil<'_>, connection: &Rc<Connection>, mut receiving: Box<Receiving>) {
    let mut turn = TURN;
    loop {
        match read_some(connection, &mut receiving) {
            Ok(Flow::Done(received)) => {
                count(&server(gil).stats.bytes_in, received as u64);
                turn = turn.saturating_sub(received);
                // What filled the buffer is probably not all there is.
                if received == READ && turn > 0 {
                    match absorb(gil, connection, &mut receiving) {
                        Ok(false) if !receiving.crowded => continue,
                        Ok(_) => {}
                        Err(error) => {
                            refuse_at_once(gil, connection, error, receiving.is_head());
                            return;
                        }
                    }
                }
                work(gil, connection, Work::TakeIn(receiving));
            }
            Ok(Flow::Blocked) => wait_for_body(connection, receiving),
            // RFC 9112 section 8: a body that was cut short is an incomplete message.
            Ok(Flow::Closed) if connection.run.site.dialect.rejects_early() => {
                let cut = HttpError::BadRequest("the body was cut short");
                refuse_at_once(gil, connection, cut, receiving.is_head());
            }
            Ok(Flow::Closed) | Err(_) => close(gil, connection),
        }
        return;
    }
}

/// Reads into the room that the body has, else behind the head.
fn read_some(connection: &Connection, receiving: &mut Receiving) -> std::io::Result<Flow> {
    let Receiving { input, body, .. } = receiving;
    let Received::Fixed(Store::Room(body), due) = body else {
        input.reserve(READ);
        return connection.socket().read(input, READ);
    };
    // What comes behind the body is read as well: the kernel would reset the connection for it, if
    // this were the last answer.
    let most = TURN.min(*due as usize + READ);
    body.bytes.reserve(most);
    let flow = connection.socket().read(&mut body.bytes, most)?;
    if let Flow::Done(received) = flow {
        let behind = received.saturating_sub(*due as usize);
        *due -= (received - behind) as u64;
        input.extend(body.bytes.drain(body.bytes.len() - behind..));
    }
    Ok(flow)
}

/// The body of this connection is a long one in memory, which the run looks after.
pub(super) fn note_haste(connection: &Rc<Connection>) {
    if !connection.is_hasty.replace(true) {
        connection.run.hasty.borrow_mut().push(connection.clone());
    }
}

/// Looks after a long body in memory: if it does not come in time, it goes to a file as others do, and
/// leaves its room to somebody else.
/// `budget` is how many bytes may go to files now: others wait for it.
pub fn look_after(gil: Gil<'_>, connection: &Rc<Connection>, budget: &mut u64) {
    let run = &connection.run;
    let mut receiving = match connection.take_phase() {
        Phase::Body(receiving) => receiving,
        other => {
            connection.is_hasty.set(false);
            return connection.enter(other);
        }
    };
    let moved = match &mut receiving.body {
        Received::Fixed(store @ Store::Room(_), _)
        | Received::Chunked(store @ Store::Room(_), _) => {
            if run.clock.seconds() - receiving.began < HASTE || *budget == 0 {
                Ok(false)
            } else {
                *budget = budget.saturating_sub(store.length());
                store.leave_room(run)
            }
        }
        _ => Ok(true),
    };
    match moved {
        Ok(moved) => {
            connection.enter(Phase::Body(receiving));
            connection.is_hasty.set(!moved);
            if !moved {
                run.hasty.borrow_mut().push(connection.clone());
            }
        }
        Err(error) => {
            let refusal = cannot_keep(gil, &error);
            refuse_at_once(gil, connection, refusal, receiving.is_head());
        }
    }
}

/// Reads no more of a body whose file has to wait for a descriptor.
fn wait_for_room(connection: &Rc<Connection>, receiving: Box<Receiving>) {
    let run = &connection.run;
    connection.unwatch();
    connection
        .deadline
        .set(&run.clock, run.site.config.body_timeout);
    connection.enter(Phase::Body(receiving));
    run.crowded.borrow_mut().push(connection.clone());
}

/// Looks whether there is room by now for what [`wait_for_room`] put off.
pub fn try_again(gil: Gil<'_>, connection: &Rc<Connection>) {
    let run = &connection.run;
    let mut receiving = match connection.take_phase() {
        Phase::Body(receiving) => receiving,
        // It is over by now, or was refused.
        other => return connection.enter(other),
    };
    let settled = match &mut receiving.body {
        Received::InPlace(_) => Ok(true),
        Received::Fixed(store, _) | Received::Chunked(store, _) => store.settle(run),
    };
    match settled {
        Ok(true) => {
            receiving.crowded = false;
            wait_for_body(connection, receiving);
        }
        Ok(false) => {
            connection.enter(Phase::Body(receiving));
            run.crowded.borrow_mut().push(connection.clone());
        }
        Err(error) => {
            let refusal = cannot_keep(gil, &error);
            refuse_at_once(gil, connection, refusal, receiving.is_head());
        }
    }
}

/// The temporary file failed: the operator is told why, the client that it is not its fault.
fn cannot_keep(gil: Gil<'_>, error: &std::io::Error) -> HttpError {
    let line = format!("a request's body cannot be kept in a temporary file: {error}");
    console::log_error(gil, &line);
    HttpError::Unavailable
}

/// Moves what was received behind the head to where the body is kept. Whether the body is whole.
fn absorb(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    receiving: &mut Receiving,
) -> Result<bool, HttpError> {
    let run = &connection.run;
    let Receiving {
        head,
        input,
        body,
        began,
        crowded,
        ..
    } = receiving;
    let start = head.len;
    let arrived = &input[start..];
    let (taken, whole, kept) = match body {
        Received::InPlace(due) => return Ok(arrived.len() >= *due),
        Received::Fixed(store, due) => {
            let taken = arrived
                .len()
                .min(usize::try_from(*due).unwrap_or(usize::MAX));
            let kept = store.append(&arrived[..taken], run, false);
            *due -= taken as u64;
            (taken, *due == 0, kept)
        }
        Received::Chunked(store, decoder) => {
            let hasty = run.clock.seconds() - *began < HASTE;
            let mut kept = Ok(true);
            let (taken, whole) = decoder.decode(arrived, &mut |bytes| {
                if kept.is_ok() {
                    kept = store.append(bytes, run, hasty);
                }
            })?;
            if matches!(store, Store::Room(_)) {
                note_haste(connection);
            }
            // Asked once more, as there may have been nothing to keep.
            (taken, whole, kept.and_then(|_| store.settle(run)))
        }
    };
    *crowded = !kept.map_err(|error| cannot_keep(gil, &error))?;
    input.drain(start..start + taken);
    Ok(whole)
}

/// Works off what was received behind the head; answers when the body is whole.
pub(super) fn take_in(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    mut receiving: Box<Receiving>,
) -> Work {
    let run = &connection.run;
    let start = receiving.head.len;
    match absorb(gil, connection, &mut receiving) {
        Ok(true) => {}
        Ok(false) => {
            if receiving.crowded {
                wait_for_room(connection, receiving);
            } else {
                wait_for_body(connection, receiving);
            }
            return Work::Done;
        }
        Err(error) => {
            refuse_at_once(gil, connection, error, receiving.is_head());
            return Work::Done;
        }
    }
    let Receiving {
        head,
        framing,
        mut input,
        body,
        ..
    } = *receiving;
    let mut out = run.scratch.output.take();
    let (body, length) = match body {
        Received::InPlace(due) => (RequestBody::InInput(start..start + due), start + due),
        Received::Fixed(store, _) | Received::Chunked(store, _) => {
            let body = match store {
                Store::Memory(bytes) => RequestBody::Memory(bytes),
                Store::Room(body) => RequestBody::Pooled(body),
                Store::File(spool) => RequestBody::Spooled(spool),
            };
            (body, start)
        }
    };
    let received = if run.site.dialect.keeps_body_with_head() {
        input.len()
    } else {
        start
    };
    let message = ParsedRequest {
        message: 0..received,
        head,
        framing,
        cached: CacheResult::Bypass,
        body,
    };
    let reply = respond(gil, connection, &mut input, message, &mut out);
    input.drain(..length);
    let left = !input.is_empty();
    let after = match settle(gil, connection, reply, &mut out, !left) {
        Settled::Kept if left => return Work::go_on_with(connection, input, out),
        Settled::Kept => After::Wait,
        Settled::Ended { lingers } => After::Last { lingers },
        Settled::Gone => After::Gone,
        Settled::Part(mut replying) => {
            replying.out = std::mem::take(&mut out);
            After::Part(replying)
        }
        Settled::Pending(mut replying) => {
            replying.input = input;
            After::Reply(replying)
        }
    };
    let outcome = Outcome {
        reading: Reading::default(),
        after,
        out,
        left,
    };
    run.gathered.conclude(gil, connection, outcome)
}
