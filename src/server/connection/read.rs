//! The stage of the head: what was received is looked through, then the socket is read.
//!
//! A head is looked for where the last look stopped, and parsed once; one that the connection sent
//! before is known again by its bytes, and only its request line is read.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::child;
use crate::app::context::AppContext;
use crate::app::exchange::{CacheResult, RequestBody};
use crate::ev::Interest;
use crate::http::chunked::Decoder;
use crate::http::error::HttpError;
use crate::http::framing::{BodyLength, Framing};
use crate::http::head::{Head, HeadLimits, HeadSearch, is_head_request, parse_strict_line};
use crate::py::Gil;
use crate::server::connection::body;
use crate::server::connection::reject::reject;
use crate::server::connection::request::ParsedRequest;
use crate::server::connection::state::{Event, Step};
use crate::server::connection::work::{Connection, Work};
use crate::server::connection::write::GATHERED;
use crate::server::reactor::READ;
use crate::server::registry::registry;
use crate::server::stats::count;
use crate::sys::memory::{self, NoMemory};
use crate::sys::stream::Flow;

/// Bytes read at a time for a head that came in pieces.
const PIECE: usize = 8 << 10;

/// Looks for a whole head, reading what there is.
pub fn head(gil: Gil<'_>, connection: &Rc<Connection>, work: &mut Work) -> Step {
    loop {
        if work.unseen {
            if work.out.waiting() >= GATHERED || work.out.file_follows() {
                // Written before the next request is looked at.
                return Step::Wait(Interest::READ);
            }
            work.unseen = false;
            if let Some(step) = look(gil, connection, work) {
                return step;
            }
        }
        if !work.readable {
            keep_rest(connection, work);
            return Step::Wait(Interest::READ);
        }
        if !receive(gil, connection, work) {
            work.on(Event::Gone);
            return Step::Again;
        }
    }
}

/// Reads into the input; false when the client is gone.
pub fn receive(gil: Gil<'_>, connection: &Connection, work: &mut Work) -> bool {
    let had_begun = work.has_begun();
    let room = if work.received().is_empty() {
        work.input = connection.reactor.input.take();
        work.at = 0;
        READ
    } else {
        // A head in pieces is short, or comes from somebody who wants us to keep large buffers.
        PIECE
    };
    if memory::reserve(&mut work.input, room).is_err() {
        return false;
    }
    // What the client sends is the parent's.
    child::leave_if_forked(gil);
    match work.socket.read(&mut work.input, room) {
        Ok(Flow::Done(received)) => {
            count(&registry(gil).stats.bytes_in, received as u64);
            work.readable = false;
            work.unseen = true;
            // The first head's time counts from the accept, unless that was at the very end.
            if !had_begun && (work.served_any || connection.reactor.is_draining()) {
                start_head_timeout(connection);
            }
            true
        }
        Ok(Flow::Blocked) => {
            work.readable = false;
            true
        }
        // A head that was cut short is no request.
        Ok(Flow::Closed) | Err(_) => false,
    }
}

/// The next head has begun: it has its own time.
fn start_head_timeout(connection: &Connection) {
    let reactor = &connection.reactor;
    connection
        .deadline
        .set(&reactor.clock, reactor.ctx.config.header_timeout);
}

/// Looks for a head in what was received; `None`: more is needed.
fn look(gil: Gil<'_>, connection: &Rc<Connection>, work: &mut Work) -> Option<Step> {
    let reactor = &connection.reactor;
    let mut head = reactor.take_head();
    let bytes = &work.input[work.at..];
    let parsed = parse(gil, connection, &mut work.search, bytes, &mut head);
    let (framing, cached) = match parsed {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            reactor.put_head(head);
            return None;
        }
        // What was parsed of a rejected head is of an earlier request: only its bytes say the method.
        Err(error) => {
            let head_only = is_head_request(bytes);
            reactor.put_head(head);
            reject(gil, connection, work, error, head_only);
            return Some(Step::Again);
        }
    };
    // A head that was seen before was not searched.
    if work.search.has_begun() {
        work.search = Default::default();
    }
    let mut request = ParsedRequest {
        length: head.len,
        head,
        framing,
        cached,
        body: RequestBody::Empty,
    };
    match whole_body(gil, connection, bytes, &mut request) {
        Ok(true) => {
            work.request = Some(request);
            work.on(Event::Request);
        }
        Ok(false) => {
            work.prepare_queue(connection);
            let bytes = &work.input[work.at..];
            let head_only = request.head.is_for_head(bytes);
            match body::begin(gil, connection, request, bytes, &mut work.out) {
                Ok(incoming) => {
                    release_input(connection, work);
                    work.incoming = Some(Box::new(incoming));
                    work.on(Event::BodyAhead);
                }
                Err(NoMemory) => {
                    reject(gil, connection, work, HttpError::Unavailable, head_only);
                }
            }
        }
        Err(error) => {
            let head_only = request.head.is_for_head(bytes);
            reject(gil, connection, work, error, head_only);
        }
    }
    Some(Step::Again)
}

/// Parses the head at the start of `bytes` into `head`; `None` while it is not whole.
fn parse(
    gil: Gil<'_>,
    connection: &Connection,
    search: &mut HeadSearch,
    bytes: &[u8],
    head: &mut Head,
) -> Result<Option<(Framing, CacheResult)>, HttpError> {
    let ctx = &connection.reactor.ctx;
    let (dialect, config) = (ctx.dialect, &ctx.config);
    let limits = config.head_limits();
    if let Some(seen) = seen_before(gil, connection, bytes, &limits, head) {
        return Ok(Some(seen));
    }
    *head = Head {
        fields: std::mem::take(&mut head.fields),
        ..Head::default()
    };
    let Some(length) = dialect.search(search, bytes, &limits)? else {
        return Ok(None);
    };
    dialect.parse(bytes, length, &limits, head)?;
    let framing = dialect.framing(head, bytes, config.max_body_size)?;
    Ok(Some((framing, CacheResult::Miss)))
}

/// A head whose fields this connection sent before: only its request line is read.
fn seen_before(
    gil: Gil<'_>,
    connection: &Connection,
    bytes: &[u8],
    limits: &HeadLimits,
    head: &mut Head,
) -> Option<(Framing, CacheResult)> {
    let cache = &connection.reactor.ctx.environ_cache;
    let known = match cache.find(gil, connection.id().number, bytes) {
        Ok(known) => known?,
        Err(raised) => {
            raised.clear(gil);
            return None;
        }
    };
    if known.length > limits.head || parse_strict_line(bytes, limits, head).is_err() {
        return None;
    }
    head.len = known.length;
    Some((known.framing, CacheResult::Hit(known.environ)))
}

/// Whether the body is whole in what was received behind the head; if so, it is in the request.
fn whole_body(
    gil: Gil<'_>,
    connection: &Connection,
    bytes: &[u8],
    request: &mut ParsedRequest,
) -> Result<bool, HttpError> {
    let ctx = &connection.reactor.ctx;
    let head_length = request.head.len;
    let behind = &bytes[head_length..];
    if let Some(body) = request.framing.body_in(behind) {
        request.length += body.len();
        if !body.is_empty() {
            request.body = RequestBody::InInput(head_length..request.length);
        }
        return Ok(true);
    }
    reject_early(gil, ctx, &request.head, bytes)?;
    // What more is to come for does not end in a blank line, but by chance.
    if request.framing.body != BodyLength::Chunked || !behind.ends_with(b"\r\n\r\n") {
        return Ok(false);
    }
    let Ok(mut body) = memory::with_capacity(behind.len()) else {
        return Ok(false);
    };
    let mut decoder = Decoder::new(ctx.config.chunk_limits());
    let (consumed, whole) = decoder.decode(behind, &mut |data| body.extend_from_slice(data))?;
    if !whole || body.len() > ctx.config.body_memory {
        return Ok(false);
    }
    request.length += consumed;
    request.body = RequestBody::Memory(body);
    Ok(true)
}

/// What can be said against a request before its body is here.
fn reject_early(
    gil: Gil<'_>,
    ctx: &AppContext,
    head: &Head,
    bytes: &[u8],
) -> Result<(), HttpError> {
    let dialect = ctx.dialect;
    if !dialect.rejects_early() {
        return Ok(());
    }
    let target = dialect.target(head.method.of(bytes), head.target.of(bytes))?;
    if dialect.is_about_server(target.path) {
        return Ok(());
    }
    let routes = registry(gil).routes.borrow();
    match routes.find(gil, ctx, target.origin) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(HttpError::NotFound),
        Err(raised) => {
            raised.clear(gil);
            Err(HttpError::Internal)
        }
    }
}

/// Keeps what was received of the next head or the header before the first, in a buffer of its own size.
pub fn keep_rest(connection: &Connection, work: &mut Work) {
    if work.at == 0 && !work.input.is_empty() && work.input.capacity() < READ {
        return;
    }
    let Ok(rest) = memory::copy(work.received()) else {
        work.on(Event::Gone);
        return;
    };
    if work.at > 0 && !rest.is_empty() {
        start_head_timeout(connection);
    }
    release_input(connection, work);
    work.input = rest;
}

/// The input is consumed: its buffer serves the next connection.
fn release_input(connection: &Connection, work: &mut Work) {
    let input = std::mem::take(&mut work.input);
    work.at = 0;
    if input.capacity() >= READ {
        connection.reactor.put_input(input);
    }
}

/// The connection is about to wait for a head; false when it ends instead.
pub fn expect_head(connection: &Connection, work: &Work) -> bool {
    let reactor = &connection.reactor;
    if work.has_begun() {
        work.socket.acknowledge_now();
    } else if reactor.is_draining() {
        return false;
    } else if work.served_any {
        connection
            .deadline
            .set(&reactor.clock, reactor.ctx.config.keep_alive_timeout);
    }
    true
}
