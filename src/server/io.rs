//! What happens on a connection: accepting, reading, answering, writing on, closing.
//!
//! An event is worked off in one go: what is there is read, every whole request in it is answered
//! into one queue, and the queue is written before the loop is told to watch for anything. libev
//! learns of a connection only when it outlives its first answer.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::ev::Interest;
use crate::http::chunked::Decoder;
use crate::http::error::HttpError;
use crate::http::framing::{BodyLength, Framing};
use crate::http::head::Head;
use crate::py::Gil;
use crate::server::conn::{Connection, Phase, Reading, Received, Receiving, Replying, Store};
use crate::server::deadlines::body_patience;
use crate::server::output::{Flushed, flush};
use crate::server::run::Run;
use crate::server::stats::count;
use crate::server::{Acceptor, server};
use crate::sys::accept::{Accepted, accept as accept_one};
use crate::sys::stream::{self, Flow};
use crate::wsgi::delimiter::Progress;
use crate::wsgi::outgoing::Outgoing;
use crate::wsgi::reply::{Reply, Rest};
use crate::wsgi::request::{self, Request, RequestBody};
use crate::wsgi::site::Client;

/// Bytes read at a time.
const READ: usize = 64 << 10;

/// Connections accepted before others have their turn.
const ACCEPTS: usize = 64;

/// Answers are gathered up to this many bytes before they are written.
const GATHERED: usize = 64 << 10;

/// A scratch buffer that grew beyond this is given back.
const SCRATCH: usize = 256 << 10;

/// A refused client is listened to for this long, in seconds, and this many bytes.
const LINGER: (f64, usize) = (2.0, 1 << 20);

/// Accepts what waits at a listener.
pub fn accept(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>) {
    for _ in 0..ACCEPTS {
        if !run.has_room() {
            acceptor.pause();
            return;
        }
        match accept_one(acceptor.descriptor()) {
            Ok(Accepted::Client(socket, peer)) => {
                let client = Client::new(peer);
                let connection = Connection::new(socket, run.clone(), acceptor.clone(), client);
                run.add(&connection);
                let server = server(gil);
                count(&server.stats.accepted, 1);
                server.trace(gil, || format!("fd={} accepted", connection.descriptor));
                connection
                    .deadline
                    .set(&run.clock, run.site.config.header_timeout);
                ready(gil, &connection);
            }
            Ok(Accepted::Retry) => {}
            Ok(Accepted::Empty) => return,
            // The client stays in the kernel's queue; the next tick, or the end of a connection,
            // tries again. Going on at once would be a busy loop.
            Ok(Accepted::Exhausted(_)) | Err(_) => {
                acceptor.pause();
                return;
            }
        }
    }
}

/// The socket can be read or written.
pub fn ready(gil: Gil<'_>, connection: &Rc<Connection>) {
    match connection.take_phase() {
        Phase::Head(reading) => read_head(gil, connection, reading),
        Phase::Body(receiving) => read_body(gil, connection, receiving),
        Phase::Reply(replying) => go_on(gil, connection, replying),
        Phase::Linger(left) => linger(gil, connection, left),
        Phase::Busy | Phase::Closed => close(gil, connection),
    }
}

/// The deadline has come.
pub fn timed_out(gil: Gil<'_>, connection: &Rc<Connection>) {
    let server = server(gil);
    match connection.take_phase() {
        Phase::Head(reading) if !reading.input.is_empty() => {
            count(&server.stats.timeouts, 1);
            refuse_at_once(gil, connection, HttpError::RequestTimeout);
        }
        Phase::Body(_) => {
            count(&server.stats.timeouts, 1);
            refuse_at_once(gil, connection, HttpError::RequestTimeout);
        }
        Phase::Reply(_) => {
            count(&server.stats.timeouts, 1);
            close(gil, connection);
        }
        Phase::Head(_) | Phase::Linger(_) | Phase::Busy | Phase::Closed => close(gil, connection),
    }
}

/// A callback panicked in the middle of its work.
pub fn panicked(gil: Gil<'_>, connection: &Rc<Connection>) {
    if matches!(&*connection.phase.borrow(), Phase::Busy) {
        refuse_at_once(gil, connection, HttpError::Internal);
    } else {
        close(gil, connection);
    }
}

/// Ends a connection: whatever it held is dropped, and the result of its application closed.
pub fn close(gil: Gil<'_>, connection: &Rc<Connection>) {
    connection.unwatch();
    connection.enter(Phase::Closed);
    let socket = connection.socket.take();
    if socket.is_some() {
        server(gil).trace(gil, || format!("fd={} closed", connection.descriptor));
    }
    drop(socket);
    connection.run.remove(gil, connection);
}

fn read_head(gil: Gil<'_>, connection: &Rc<Connection>, mut reading: Reading) {
    let run = &connection.run;
    let was_empty = reading.input.is_empty();
    let mut input = if was_empty {
        run.scratch.input.take()
    } else {
        std::mem::take(&mut reading.input)
    };
    input.reserve(READ);
    let flow = stream::read(connection.descriptor, &mut input, READ);
    match flow {
        Ok(Flow::Done(received)) => {
            count(&server(gil).stats.bytes_in, received as u64);
            if was_empty {
                connection
                    .deadline
                    .set(&run.clock, run.site.config.header_timeout);
            }
            serve(gil, connection, reading, input, was_empty);
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

/// What comes after the requests in a buffer.
enum After {
    /// More input is needed for the next head.
    Wait,
    /// A head is whole, and its body is not.
    Body(Box<Receiving>),
    /// An answer is not all written.
    Reply(Box<Replying>),
    /// The message is refused, with the answer queued.
    Refused,
    /// The last answer is queued, and the connection ends with it.
    Last {
        /// The client may still be sending.
        lingers: bool,
    },
    /// The client is gone.
    Gone,
}

/// Answers every whole request in `input`, and keeps what is left of it.
///
/// `input` is the scratch buffer if `scratch`, else the connection's own.
fn serve(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    mut reading: Reading,
    mut input: Vec<u8>,
    scratch: bool,
) {
    let run = &connection.run;
    let mut out = run.scratch.output.take();
    let mut at = 0;
    let after = loop {
        if at == input.len() {
            break After::Wait;
        }
        let step = one_request(gil, connection, &mut reading, &input[at..], &mut out);
        match step {
            Step::Incomplete => break After::Wait,
            Step::Body(mut receiving) => {
                receiving.input = input[at..].to_vec();
                at = input.len();
                break After::Body(receiving);
            }
            Step::Refused => break After::Refused,
            Step::Answered(consumed, reply) => {
                at += consumed;
                reading.search = Default::default();
                match settle(gil, connection, reply, &mut out) {
                    Settled::Kept => {}
                    Settled::Ended { lingers } => break After::Last { lingers },
                    Settled::Gone => break After::Gone,
                    Settled::Pending(mut replying) => {
                        replying.input = input[at..].to_vec();
                        break After::Reply(replying);
                    }
                }
            }
        }
    };
    let left = at < input.len();
    if at > 0 && left {
        // The next head has begun.
        connection
            .deadline
            .set(&run.clock, run.site.config.header_timeout);
    }
    if scratch {
        if matches!(after, After::Wait) && left {
            reading.input = input[at..].to_vec();
        }
        input.clear();
        if input.capacity() <= SCRATCH {
            run.scratch.input.set(input);
        }
    } else if matches!(after, After::Wait) {
        input.drain(..at);
        if !input.is_empty() {
            reading.input = input;
        }
    }
    finish(gil, connection, reading, after, out, left);
}

/// Writes what is queued, and puts the connection into its next phase.
fn finish(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    reading: Reading,
    after: After,
    mut out: Outgoing,
    left: bool,
) {
    let run = &connection.run;
    let keep_alive = match after {
        After::Reply(mut replying) => {
            replying.lingers |= left && !replying.keep_alive;
            replying.out = out;
            connection
                .deadline
                .set(&run.clock, run.site.config.write_timeout);
            connection.enter(Phase::Reply(replying));
            connection.watch(Interest::WRITE);
            return;
        }
        After::Gone => {
            give_back(gil, run, out);
            close(gil, connection);
            return;
        }
        After::Wait | After::Body(_) => true,
        After::Refused | After::Last { .. } => false,
    };
    let lingers = match after {
        After::Refused => true,
        After::Last { lingers } => lingers || left,
        _ => false,
    };
    match write(gil, connection, &mut out) {
        Flushed::Gone => {
            give_back(gil, run, out);
            close(gil, connection);
        }
        Flushed::Blocked => {
            // Back-pressure: nothing more is read before the answers are written. A head whose body
            // is on its way is looked at again then.
            let input = match after {
                After::Body(receiving) => receiving.input,
                _ => reading.input,
            };
            let replying = Replying {
                out,
                rest: None,
                keep_alive,
                lingers,
                input,
            };
            connection
                .deadline
                .set(&run.clock, run.site.config.write_timeout);
            connection.enter(Phase::Reply(Box::new(replying)));
            connection.watch(Interest::WRITE);
        }
        Flushed::All => {
            give_back(gil, run, out);
            match after {
                After::Body(receiving) if receiving.input.len() > receiving.head.len => {
                    take_in(gil, connection, receiving);
                }
                After::Body(receiving) => wait_for_body(connection, receiving),
                After::Wait => wait_for_head(gil, connection, reading),
                _ if lingers => begin_lingering(gil, connection),
                _ => close(gil, connection),
            }
        }
    }
}

fn wait_for_head(gil: Gil<'_>, connection: &Rc<Connection>, reading: Reading) {
    let run = &connection.run;
    if reading.input.is_empty() {
        if run.is_draining() {
            close(gil, connection);
            return;
        }
        if reading.ended {
            close(gil, connection);
            return;
        }
        // Before the first request the time for a head counts, from the accept on.
        connection
            .deadline
            .set(&run.clock, run.site.config.keep_alive_timeout);
    }
    connection.enter(Phase::Head(reading));
    connection.watch(Interest::READ);
}

fn wait_for_body(connection: &Rc<Connection>, receiving: Box<Receiving>) {
    let run = &connection.run;
    let patience = body_patience(
        &run.site.config,
        &run.clock,
        receiving.began,
        receiving.received(),
    );
    connection.deadline.set(&run.clock, patience);
    connection.enter(Phase::Body(receiving));
    connection.watch(Interest::READ);
}

fn give_back(gil: Gil<'_>, run: &Run, mut out: Outgoing) {
    out.clear(gil);
    out.shrink(SCRATCH);
    run.scratch.output.set(out);
}

fn write(gil: Gil<'_>, connection: &Connection, out: &mut Outgoing) -> Flushed {
    let mut written = 0;
    let flushed = flush(gil, connection.descriptor, out, &mut written);
    count(&server(gil).stats.bytes_out, written);
    flushed
}

/// What the first bytes of a buffer are.
enum Step {
    /// No whole head yet.
    Incomplete,
    /// A head, with a body that is not whole.
    Body(Box<Receiving>),
    /// A request of this many bytes, answered.
    Answered(usize, Reply),
    /// Nothing that can be served: the refusal is queued.
    Refused,
}

fn one_request(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    reading: &mut Reading,
    bytes: &[u8],
    out: &mut Outgoing,
) -> Step {
    let run = &connection.run;
    let (site, dialect) = (&run.site, run.site.dialect);
    let limits = site.config.head_limits();
    let length = match dialect.search(&mut reading.search, bytes, &limits) {
        Ok(Some(length)) => length,
        Ok(None) => return Step::Incomplete,
        Err(error) => return refuse(gil, run, out, error, false),
    };
    let mut head = run.scratch.head.take();
    let framing = dialect
        .parse(bytes, length, &limits, &mut head)
        .and_then(|()| dialect.framing(&head, bytes, site.config.max_body_size));
    let framing = match framing {
        Ok(framing) => framing,
        Err(error) => {
            let head_only = head.method.of(bytes) == b"HEAD";
            run.scratch.head.set(head);
            return refuse(gil, run, out, error, head_only);
        }
    };
    let available = &bytes[length..];
    let whole = match framing.body {
        BodyLength::None => Some(0),
        BodyLength::Fixed(due) => usize::try_from(due)
            .ok()
            .filter(|&due| due <= available.len()),
        BodyLength::Chunked => None,
    };
    if let Some(due) = whole {
        let body = match due {
            0 => RequestBody::Empty,
            due => RequestBody::Memory(&available[..due]),
        };
        let received = if dialect.keeps_body_with_head() {
            bytes
        } else {
            &bytes[..length]
        };
        let reply = answer(gil, connection, &head, &framing, received, body, out);
        run.scratch.head.set(head);
        return Step::Answered(length + due, reply);
    }
    if dialect.refuses_early()
        && let Err(error) = precheck(gil, connection, &head, bytes)
    {
        let head_only = head.method.of(bytes) == b"HEAD";
        run.scratch.head.set(head);
        return refuse(gil, run, out, error, head_only);
    }
    if framing.expect_continue && available.is_empty() {
        out.buffer()
            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let body = match framing.body {
        BodyLength::Fixed(due) if dialect.keeps_body_with_head() => {
            Received::InPlace(usize::try_from(due).unwrap_or(usize::MAX))
        }
        BodyLength::Fixed(due) => Received::Fixed(Store::Memory(Vec::new()), due),
        BodyLength::None | BodyLength::Chunked => Received::Chunked(
            Store::Memory(Vec::new()),
            Decoder::new(site.config.chunk_limits()),
        ),
    };
    let began = run.clock.seconds();
    Step::Body(Box::new(Receiving {
        head,
        framing,
        input: Vec::new(),
        body,
        began,
    }))
}

/// What can be said against a request before its body is here.
fn precheck(
    gil: Gil<'_>,
    connection: &Connection,
    head: &Head,
    bytes: &[u8],
) -> Result<(), HttpError> {
    let dialect = connection.run.site.dialect;
    let target = dialect.target(head.method.of(bytes), head.target.of(bytes))?;
    let raw = route_target(head, bytes, target.path);
    match server(gil).routes.borrow().find(gil, dialect, raw) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(HttpError::NotFound),
        Err(raised) => {
            raised.clear(gil);
            Err(HttpError::Internal)
        }
    }
}

/// The part of the target that prefixes are compared with: an absolute one begins at its path.
fn route_target<'b>(head: &Head, bytes: &'b [u8], path: &'b [u8]) -> &'b [u8] {
    let raw = head.target.of(bytes);
    match raw.first() {
        Some(b'/') | None => raw,
        _ if path.is_empty() => raw,
        _ => memchr::memmem::find(raw, path).map_or(path, |at| &raw[at..]),
    }
}

fn answer(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    head: &Head,
    framing: &Framing,
    bytes: &[u8],
    body: RequestBody<'_>,
    out: &mut Outgoing,
) -> Reply {
    let run = &connection.run;
    let (server, dialect) = (server(gil), run.site.dialect);
    count(&server.stats.requests, 1);
    server.trace(gil, || {
        let target = String::from_utf8_lossy(head.target.of(bytes)).into_owned();
        format!("fd={} request {target}", connection.descriptor)
    });
    let path = dialect.target(head.method.of(bytes), head.target.of(bytes));
    let raw = path.map_or(&b""[..], |target| route_target(head, bytes, target.path));
    let route = server.routes.borrow().find(gil, dialect, raw);
    let route = route.unwrap_or_else(|raised| {
        raised.clear(gil);
        None
    });
    let request = Request {
        head,
        bytes,
        framing,
        body,
        route,
        endpoint: &connection.acceptor.endpoint,
        client: &connection.client,
        descriptor: connection.descriptor,
        may_keep_alive: !run.is_draining(),
    };
    let reply = request::answer(gil, &run.site, request, out);
    if run.site.exit.borrow().is_some() && !run.is_draining() {
        run.drain(gil);
    }
    reply
}

fn refuse(gil: Gil<'_>, run: &Run, out: &mut Outgoing, error: HttpError, head_only: bool) -> Step {
    count(&server(gil).stats.refused, 1);
    run.site
        .dialect
        .push_refusal(out.buffer(), &run.site, error, head_only);
    Step::Refused
}

/// What an answer leaves to be done.
enum Settled {
    /// It is queued or written, and the connection goes on.
    Kept,
    /// It is queued or written, and the connection ends.
    Ended {
        /// The client may still be sending.
        lingers: bool,
    },
    /// It is not all written.
    Pending(Box<Replying>),
    /// The client is gone.
    Gone,
}

/// Brings an answer as far as it goes now. A short one stays in the queue, to be written with those
/// that follow it.
fn settle(gil: Gil<'_>, connection: &Connection, reply: Reply, out: &mut Outgoing) -> Settled {
    let Reply {
        keep_alive,
        lingers,
        rest,
    } = reply;
    let at_rest = rest.as_ref().is_none_or(|rest| rest.is_drained());
    if at_rest && !out.file_follows() && out.waiting() < GATHERED {
        drop(rest);
        return if keep_alive {
            Settled::Kept
        } else {
            Settled::Ended { lingers }
        };
    }
    let mut rest = rest;
    let mut keep_alive = keep_alive;
    match drive(gil, connection, &mut rest, &mut keep_alive, out) {
        Driven::Written if keep_alive => Settled::Kept,
        Driven::Written => Settled::Ended { lingers },
        Driven::Gone => Settled::Gone,
        Driven::Blocked => Settled::Pending(Box::new(Replying {
            out: Outgoing::default(),
            rest,
            keep_alive,
            lingers,
            input: Vec::new(),
        })),
    }
}

enum Driven {
    Written,
    Blocked,
    Gone,
}

/// Writes, and asks for more when everything is written, as long as it is this connection's turn.
fn drive(
    gil: Gil<'_>,
    connection: &Connection,
    rest: &mut Option<Box<Rest>>,
    keep_alive: &mut bool,
    out: &mut Outgoing,
) -> Driven {
    let site = &connection.run.site;
    let mut turn = site.dialect.items_a_turn();
    loop {
        match write(gil, connection, out) {
            Flushed::All => {}
            Flushed::Blocked => return Driven::Blocked,
            Flushed::Gone => return Driven::Gone,
        }
        let Some(source) = rest.as_mut().filter(|rest| !rest.is_drained()) else {
            let done = rest.take();
            drop(done);
            return Driven::Written;
        };
        if turn == 0 {
            return Driven::Blocked;
        }
        turn -= 1;
        if source.pump(gil, site, out) == Progress::Broken {
            *keep_alive = false;
        }
    }
}

/// The socket can be written again.
fn go_on(gil: Gil<'_>, connection: &Rc<Connection>, mut replying: Box<Replying>) {
    let run = &connection.run;
    let Replying {
        out,
        rest,
        keep_alive,
        ..
    } = &mut *replying;
    match drive(gil, connection, rest, keep_alive, out) {
        Driven::Gone => {
            drop(replying);
            close(gil, connection);
        }
        Driven::Blocked => {
            connection
                .deadline
                .set(&run.clock, run.site.config.write_timeout);
            connection.enter(Phase::Reply(replying));
            connection.watch(Interest::WRITE);
        }
        Driven::Written => {
            let Replying {
                keep_alive,
                lingers,
                input,
                ..
            } = *replying;
            if !keep_alive {
                if lingers {
                    begin_lingering(gil, connection);
                } else {
                    close(gil, connection);
                }
            } else if input.is_empty() {
                wait_for_head(gil, connection, Reading::default());
            } else {
                serve(gil, connection, Reading::default(), input, false);
            }
        }
    }
}

fn read_body(gil: Gil<'_>, connection: &Rc<Connection>, mut receiving: Box<Receiving>) {
    let run = &connection.run;
    receiving.input.reserve(READ);
    match stream::read(connection.descriptor, &mut receiving.input, READ) {
        Ok(Flow::Done(received)) => {
            count(&server(gil).stats.bytes_in, received as u64);
            take_in(gil, connection, receiving);
        }
        Ok(Flow::Blocked) => {
            connection.enter(Phase::Body(receiving));
            connection.watch(Interest::READ);
        }
        // RFC 9112 section 8: a body that was cut short is an incomplete message.
        Ok(Flow::Closed) if run.site.dialect.refuses_early() => {
            refuse_at_once(
                gil,
                connection,
                HttpError::BadRequest("the body was cut short"),
            );
        }
        Ok(Flow::Closed) | Err(_) => close(gil, connection),
    }
}

/// Works off what was received behind the head; answers when the body is whole.
fn take_in(gil: Gil<'_>, connection: &Rc<Connection>, mut receiving: Box<Receiving>) {
    let run = &connection.run;
    let most = run.site.config.body_memory;
    let start = receiving.head.len;
    let Receiving { input, body, .. } = &mut *receiving;
    let arrived = input.len() - start;
    let mut failed = None;
    let (taken, whole) = match body {
        Received::InPlace(due) => (0, arrived >= *due),
        Received::Fixed(store, due) => {
            let taken = arrived.min(usize::try_from(*due).unwrap_or(usize::MAX));
            if store.append(&input[start..start + taken], most).is_err() {
                failed = Some(HttpError::Internal);
            }
            *due -= taken as u64;
            (taken, *due == 0)
        }
        Received::Chunked(store, decoder) => {
            let mut spooled = Ok(());
            let mut keep = |bytes: &[u8]| {
                if spooled.is_ok() {
                    spooled = store.append(bytes, most);
                }
            };
            let decoded = decoder.decode(&input[start..], &mut keep);
            if spooled.is_err() {
                failed = Some(HttpError::Internal);
            }
            decoded.unwrap_or_else(|error| {
                failed = Some(error);
                (arrived, false)
            })
        }
    };
    if let Some(error) = failed {
        refuse_at_once(gil, connection, error);
        return;
    }
    if !matches!(body, Received::InPlace(_)) {
        input.drain(start..start + taken);
    }
    if !whole {
        wait_for_body(connection, receiving);
        return;
    }
    let Receiving {
        head,
        framing,
        mut input,
        body,
        ..
    } = *receiving;
    let mut out = run.scratch.output.take();
    let memory;
    let (body, consumed) = match body {
        Received::InPlace(due) => (None, start + due),
        Received::Fixed(store, _) | Received::Chunked(store, _) => (Some(store), start),
    };
    let request_body = match body {
        None => RequestBody::Memory(&input[start..consumed]),
        Some(Store::Memory(bytes)) => {
            memory = bytes;
            RequestBody::Memory(&memory)
        }
        Some(Store::File(spool)) => RequestBody::Spooled(spool),
    };
    let received = if run.site.dialect.keeps_body_with_head() {
        &input[..]
    } else {
        &input[..start]
    };
    let reply = answer(
        gil,
        connection,
        &head,
        &framing,
        received,
        request_body,
        &mut out,
    );
    run.scratch.head.set(head);
    input.drain(..consumed);
    let left = !input.is_empty();
    let after = match settle(gil, connection, reply, &mut out) {
        Settled::Kept if left => {
            run.scratch.output.set(out);
            serve(gil, connection, Reading::default(), input, false);
            return;
        }
        Settled::Kept => After::Wait,
        Settled::Ended { lingers } => After::Last { lingers },
        Settled::Gone => After::Gone,
        Settled::Pending(mut replying) => {
            replying.input = input;
            After::Reply(replying)
        }
    };
    finish(gil, connection, Reading::default(), after, out, left);
}

/// Answers a refused message outside of the ordinary way, and listens for a while.
fn refuse_at_once(gil: Gil<'_>, connection: &Rc<Connection>, error: HttpError) {
    let run = &connection.run;
    let mut out = run.scratch.output.take();
    out.clear(gil);
    refuse(gil, run, &mut out, error, false);
    finish(
        gil,
        connection,
        Reading::default(),
        After::Refused,
        out,
        true,
    );
}

/// The answer to a refused message is written. Closing now, with input unread, would make the kernel
/// reset the connection, and the client might never see the answer (RFC 9112 section 9.6).
fn begin_lingering(gil: Gil<'_>, connection: &Rc<Connection>) {
    let run = &connection.run;
    if stream::shutdown_write(connection.descriptor).is_err() {
        close(gil, connection);
        return;
    }
    connection.deadline.set(&run.clock, LINGER.0);
    connection.enter(Phase::Linger(LINGER.1));
    connection.watch(Interest::READ);
}

fn linger(gil: Gil<'_>, connection: &Rc<Connection>, mut left: usize) {
    let mut dropped = connection.run.scratch.input.take();
    dropped.clear();
    dropped.reserve(READ);
    let flow = stream::read(connection.descriptor, &mut dropped, READ);
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
