//! The stage of the body: taken off the buffer, decoded, kept; the request is whole when its body is,
//! never before.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::exchange::{CacheResult, RequestBody};
use crate::app::{child, console};
use crate::ev::Interest;
use crate::http::chunked::Decoder;
use crate::http::error::HttpError;
use crate::http::framing::BodyLength;
use crate::py::Gil;
use crate::queue::WriteQueue;
use crate::server::body_buffer::{Appended, BodyBuffer};
use crate::server::connection::reject::reject;
use crate::server::connection::request::{BodyProgress, Incoming, ParsedRequest};
use crate::server::connection::state::{Event, Read, Step};
use crate::server::connection::work::{Connection, Work};
use crate::server::reactor::READ;
use crate::server::registry::registry;
use crate::server::stats::count;
use crate::server::timeouts::body_patience;
use crate::sys::memory::{self, NoMemory};
use crate::sys::stream::Flow;

/// Bytes of a body that are read before others come.
const READ_QUANTUM: usize = 1 << 20;

/// Seconds that a long body may take before it goes to a file.
const SPILL_AFTER: f64 = 0.5;

/// Gets ready for the body behind the head at the start of `bytes`.
///
/// # Errors
/// There is no memory for it.
pub fn begin(
    gil: Gil<'_>,
    connection: &Connection,
    request: ParsedRequest,
    bytes: &[u8],
    out: &mut WriteQueue,
) -> Result<Incoming, NoMemory> {
    let reactor = &connection.reactor;
    let ctx = &reactor.ctx;
    let head_length = request.head.len;
    // RFC 9110 section 10.1.1: not where the body is on its way already.
    if request.framing.expect_continue && bytes.len() == head_length {
        out.buffer()
            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let in_place = ctx.dialect.body_kept_with_head(ctx.config.body_memory);
    let progress = match request.framing.body {
        BodyLength::Fixed(due) if due <= in_place => {
            BodyProgress::InPlace(usize::try_from(due).unwrap_or(usize::MAX))
        }
        BodyLength::Fixed(due) => {
            BodyProgress::Fixed(BodyBuffer::with_length(gil, due, &reactor.places()), due)
        }
        BodyLength::None | BodyLength::Chunked => BodyProgress::Chunked(
            BodyBuffer::Memory(memory::with_capacity(bytes.len() - head_length)?),
            Decoder::new(ctx.config.chunk_limits()),
        ),
    };
    let incoming = Incoming {
        request,
        input: memory::copy(bytes)?,
        progress,
        began: reactor.clock.seconds(),
        awaits_descriptor: false,
    };
    track(connection, &incoming);
    Ok(incoming)
}

/// The run looks after a body that takes memory of the pool.
fn track(connection: &Connection, incoming: &Incoming) {
    if let BodyProgress::Fixed(buffer, _) | BodyProgress::Chunked(buffer, _) = &incoming.progress
        && buffer.is_pooled()
    {
        let mut pooled = connection.reactor.pooled_bodies.borrow_mut();
        if pooled.last() != Some(&connection.id()) {
            pooled.push(connection.id());
        }
    }
}

/// Takes in what is there of the body.
pub fn receive(gil: Gil<'_>, connection: &Rc<Connection>, work: &mut Work) -> Step {
    let Some(mut incoming) = work.incoming.take() else {
        work.on(Event::Gone);
        return Step::Again;
    };
    let mut quantum = READ_QUANTUM;
    loop {
        match on_body_data(gil, connection, &mut incoming) {
            Ok(true) => {
                finish(work, *incoming);
                return Step::Again;
            }
            Ok(false) => {}
            Err(error) => {
                let head_only = incoming.is_head_request();
                work.incoming = Some(incoming);
                reject(gil, connection, work, error, head_only);
                return Step::Again;
            }
        }
        if incoming.awaits_descriptor {
            let mut waiting = connection.reactor.awaiting_descriptor.borrow_mut();
            waiting.push(connection.id());
            work.incoming = Some(incoming);
            return Step::Pause;
        }
        if !work.readable || quantum == 0 {
            work.incoming = Some(incoming);
            return Step::Wait(Interest::READ);
        }
        child::leave_if_forked(gil);
        match read_some(work, &mut incoming) {
            Ok(Flow::Done(received)) => {
                count(&registry(gil).stats.bytes_in, received as u64);
                quantum = quantum.saturating_sub(received);
                // What filled the buffer is probably not all there is.
                work.readable = received == READ;
            }
            Ok(Flow::Blocked) => work.readable = false,
            // RFC 9112 section 8: a body that was cut short is an incomplete message.
            Ok(Flow::Closed) if connection.reactor.ctx.dialect.rejects_early() => {
                let error = HttpError::BadRequest("the body was cut short");
                let head_only = incoming.is_head_request();
                reject(gil, connection, work, error, head_only);
                return Step::Again;
            }
            Ok(Flow::Closed) | Err(_) => {
                work.on(Event::Gone);
                return Step::Again;
            }
        }
    }
}

/// Reads into the memory that the body has in the pool, else behind the head.
fn read_some(work: &Work, incoming: &mut Incoming) -> std::io::Result<Flow> {
    let out_of_memory = |_| std::io::Error::from(std::io::ErrorKind::OutOfMemory);
    let Incoming {
        input, progress, ..
    } = incoming;
    // What comes behind the body is read as well: the kernel would reset the connection for it, if
    // this were the last response.
    match progress {
        BodyProgress::Fixed(BodyBuffer::Object(body), due) => {
            memory::reserve(input, READ).map_err(out_of_memory)?;
            let flow = body.object.fill(|room| {
                let most = room.len().min(READ_QUANTUM);
                work.socket.read_into(&mut room[..most], input)
            });
            *due = body.object.missing() as u64;
            flow
        }
        BodyProgress::Fixed(BodyBuffer::Pooled(body), due) => {
            // The body has its memory already: no cast of what is due loses anything.
            let most = READ_QUANTUM.min(*due as usize + READ);
            memory::reserve(&mut body.bytes, most).map_err(out_of_memory)?;
            let flow = work.socket.read(&mut body.bytes, most)?;
            if let Flow::Done(received) = flow {
                let behind = received.saturating_sub(*due as usize);
                *due -= (received - behind) as u64;
                input.extend(body.bytes.drain(body.bytes.len() - behind..));
            }
            Ok(flow)
        }
        _ => {
            memory::reserve(input, READ).map_err(out_of_memory)?;
            work.socket.read(input, READ)
        }
    }
}

/// Moves what was received behind the head to where the body is kept. Whether the body is whole.
fn on_body_data(
    gil: Gil<'_>,
    connection: &Connection,
    incoming: &mut Incoming,
) -> Result<bool, HttpError> {
    let reactor = &connection.reactor;
    let places = reactor.places();
    let start = incoming.request.head.len;
    let arrived = &incoming.input[start..];
    let (taken, whole, kept) = match &mut incoming.progress {
        BodyProgress::InPlace(due) => return Ok(arrived.len() >= *due),
        BodyProgress::Fixed(buffer, due) => {
            let taken = arrived
                .len()
                .min(usize::try_from(*due).unwrap_or(usize::MAX));
            let kept = buffer.append(&arrived[..taken], &places, false);
            *due -= taken as u64;
            (taken, *due == 0, kept)
        }
        BodyProgress::Chunked(buffer, decoder) => {
            let may_pool = reactor.clock.seconds() - incoming.began < SPILL_AFTER;
            let mut kept = Ok(Appended::Kept);
            let (taken, whole) = decoder.decode(arrived, &mut |bytes| {
                if kept.is_ok() {
                    kept = buffer.append(bytes, &places, may_pool);
                }
            })?;
            // Once more, as there may have been nothing to keep.
            (
                taken,
                whole,
                kept.and_then(|_| buffer.spill_if_full(&places)),
            )
        }
    };
    let kept = kept.map_err(|error| cannot_keep(gil, &error))?;
    incoming.awaits_descriptor = kept == Appended::AwaitsDescriptor;
    incoming.input.drain(start..start + taken);
    if !whole {
        track(connection, incoming);
    }
    Ok(whole)
}

/// The temporary file failed: the operator reads why, the client that it is not its fault.
fn cannot_keep(gil: Gil<'_>, error: &std::io::Error) -> HttpError {
    let line = format!("a request's body cannot be kept in a temporary file: {error}");
    console::log_error(gil, &line);
    HttpError::Unavailable
}

/// The body is whole: the request is ready to be called for.
fn finish(work: &mut Work, incoming: Incoming) {
    let Incoming {
        mut request,
        input,
        progress,
        ..
    } = incoming;
    let head_length = request.head.len;
    request.length = head_length;
    request.cached = CacheResult::Bypass;
    match progress {
        BodyProgress::InPlace(due) => {
            request.length = head_length + due;
            request.body = RequestBody::InInput(head_length..request.length);
        }
        BodyProgress::Fixed(buffer, _) | BodyProgress::Chunked(buffer, _) => {
            request.body = buffer.into_body();
        }
    }
    work.input = input;
    work.at = 0;
    work.request = Some(request);
    work.on(Event::Request);
}

/// The connection is about to wait for more of a body.
pub fn expect_more(connection: &Connection, work: &Work) {
    let reactor = &connection.reactor;
    if let Some(incoming) = &work.incoming {
        let patience = body_patience(
            &reactor.ctx.config,
            &reactor.clock,
            incoming.began,
            incoming.received(),
        );
        connection.deadline.set(&reactor.clock, patience);
    }
    work.socket.acknowledge_now();
}

/// A body in the pool that does not come in time goes to a file as others do, and leaves its memory to
/// others. `budget` is how many bytes may go to files at this tick: others wait for it. Whether it is
/// still to be looked after.
///
/// # Errors
/// What the client gets where the file fails.
pub fn spill_if_overdue(
    gil: Gil<'_>,
    connection: &Connection,
    work: &mut Work,
    budget: &mut u64,
) -> Result<bool, HttpError> {
    let reactor = &connection.reactor;
    let Some(incoming) = work
        .incoming
        .as_mut()
        .filter(|_| work.state.read == Read::Body)
    else {
        return Ok(false);
    };
    let is_early = reactor.clock.seconds() - incoming.began < SPILL_AFTER;
    let Some(buffer) = incoming.buffer().filter(|buffer| buffer.is_pooled()) else {
        return Ok(false);
    };
    if is_early || *budget == 0 {
        return Ok(true);
    }
    *budget = budget.saturating_sub(buffer.length());
    match buffer.unpool(&reactor.places()) {
        Ok(appended) => Ok(appended == Appended::AwaitsDescriptor),
        Err(error) => Err(cannot_keep(gil, &error)),
    }
}

/// Looks whether there is a descriptor by now for a body that waits for one. Whether it still waits.
///
/// # Errors
/// What the client gets where the file fails.
pub fn retry_spill(
    gil: Gil<'_>,
    connection: &Connection,
    work: &mut Work,
) -> Result<bool, HttpError> {
    let Some(incoming) = work
        .incoming
        .as_mut()
        .filter(|incoming| incoming.awaits_descriptor)
    else {
        return Ok(false);
    };
    let spilled = incoming.buffer().map_or(Ok(Appended::Kept), |buffer| {
        buffer.spill_if_full(&connection.reactor.places())
    });
    match spilled {
        Ok(appended) => {
            incoming.awaits_descriptor = appended == Appended::AwaitsDescriptor;
            Ok(incoming.awaits_descriptor)
        }
        Err(error) => Err(cannot_keep(gil, &error)),
    }
}
