//! From received bytes to answers: every whole request in a buffer is answered, in order, and the
//! answers are written together.

#![forbid(unsafe_code)]

use std::ops::Range;
use std::rc::Rc;

use crate::app::call;
use crate::app::exchange::{CacheResult, Exchange, RequestBody};
use crate::app::response::Response;
use crate::http::chunked::Decoder;
use crate::http::error::HttpError;
use crate::http::framing::{BodyLength, Framing};
use crate::http::head::{Head, HeadLimits, HeadSearch, parse_strict_line};
use crate::http::target::TargetSpans;
use crate::py::Gil;
use crate::queue::WriteQueue;
use crate::server::conn::{Connection, Reading, Received, Receiving, Store};
use crate::server::deliver::{After, Outcome, Settled, settle};
use crate::server::receive::{note_haste, take_in};
use crate::server::run::{Run, SCRATCH};
use crate::server::server;
use crate::server::stats::count;

/// What is to be done for a connection before it waits.
pub(super) enum Work {
    /// Nothing: it waits, or is over.
    Done,
    /// Answer what is in `input`, the scratch buffer if `scratch`, else the connection's own.
    Serve {
        reading: Reading,
        input: Vec<u8>,
        scratch: bool,
        /// What is to be written before the answers.
        out: WriteQueue,
    },
    /// Work off what was received behind a head.
    TakeIn(Box<Receiving>),
}

impl Work {
    /// The next head has begun in what was received behind the last request; `out` is queued before it.
    pub fn go_on_with(connection: &Connection, input: Vec<u8>, out: WriteQueue) -> Work {
        connection.expect_head();
        Work::Serve {
            reading: Reading::default(),
            input,
            scratch: false,
            out,
        }
    }
}

/// Works until the connection waits. One piece of work may leave another: a loop, since a client
/// decides how many.
pub(super) fn work(gil: Gil<'_>, connection: &Rc<Connection>, mut work: Work) {
    loop {
        work = match work {
            Work::Done => return,
            Work::Serve {
                reading,
                input,
                scratch,
                out,
            } => serve(gil, connection, reading, input, scratch, out),
            Work::TakeIn(receiving) => take_in(gil, connection, receiving),
        };
    }
}

/// Answers every whole request in `input`, and keeps what is left of it.
fn serve(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    mut reading: Reading,
    mut input: Vec<u8>,
    scratch: bool,
    mut out: WriteQueue,
) -> Work {
    let run = &connection.run;
    let mut at = 0;
    let after = loop {
        if at == input.len() {
            break After::Wait;
        }
        let step = one_request(gil, connection, &mut reading, &mut input, at, &mut out);
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
                match settle(gil, connection, reply, &mut out, at == input.len()) {
                    Settled::Kept => {}
                    Settled::Ended { lingers } => break After::Last { lingers },
                    Settled::Gone => break After::Gone,
                    Settled::Part(mut replying) => {
                        replying.out = std::mem::take(&mut out);
                        break After::Part(replying);
                    }
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
        // The next head has begun; if it is only a line end, `wait_for_head` knows better.
        connection.expect_head();
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
    let outcome = Outcome {
        reading,
        after,
        out,
        left,
    };
    run.gathered.conclude(gil, connection, outcome)
}

/// What the first bytes of a buffer are.
pub(super) enum Step {
    /// No whole head yet.
    Incomplete,
    /// A head, with a body that is not whole.
    Body(Box<Receiving>),
    /// A request of this many bytes, answered.
    Answered(usize, Response),
    /// Nothing that can be served: the refusal is queued.
    Refused,
}

/// A head that was read.
struct Message {
    length: usize,
    framing: Framing,
    cached: CacheResult,
}

/// A request whose head was parsed and whose body is whole: see [`Exchange`].
pub(super) struct ParsedRequest {
    pub message: Range<usize>,
    pub head: Head,
    pub framing: Framing,
    pub cached: CacheResult,
    pub body: RequestBody,
}

fn one_request(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    reading: &mut Reading,
    input: &mut Vec<u8>,
    at: usize,
    out: &mut WriteQueue,
) -> Step {
    let run = &connection.run;
    let bytes = &input[at..];
    let mut head = run.scratch.head.take();
    let read = read_message(gil, connection, &mut reading.search, bytes, &mut head);
    let message = match read {
        Ok(Some(message)) => message,
        Ok(None) => {
            run.scratch.head.set(head);
            return Step::Incomplete;
        }
        // A head that was refused holds what an earlier request left there: its bytes are asked.
        Err(error) => {
            run.scratch.head.set(head);
            return refuse(gil, run, out, error, names_head(bytes));
        }
    };
    let (consumed, body) = match message.framing.body_in(&bytes[message.length..]) {
        Some([]) => (message.length, RequestBody::Empty),
        Some(body) => {
            let end = message.length + body.len();
            (end, RequestBody::InInput(message.length..end))
        }
        None => match precheck(gil, connection, &head, bytes)
            .and_then(|()| whole_chunks(connection, &message, bytes))
        {
            Ok(Some((consumed, body))) => (consumed, RequestBody::Memory(body)),
            Ok(None) => {
                return Step::Body(Box::new(begin_body(connection, head, message, bytes, out)));
            }
            Err(error) => {
                let head_only = head.is_for_head(bytes);
                run.scratch.head.set(head);
                return refuse(gil, run, out, error, head_only);
            }
        },
    };
    let end = if run.site.dialect.keeps_body_with_head() {
        input.len()
    } else {
        at + message.length
    };
    let request = ParsedRequest {
        message: at..end,
        head,
        framing: message.framing,
        cached: message.cached,
        body,
    };
    Step::Answered(consumed, respond(gil, connection, input, request, out))
}

/// Whether a message that was not parsed begins like one that wants only the head of an answer.
pub(super) fn names_head(bytes: &[u8]) -> bool {
    let line = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    line.starts_with(b"HEAD ")
}

/// Reads the head at the start of `bytes`; `None` while it is not whole.
fn read_message(
    gil: Gil<'_>,
    connection: &Connection,
    search: &mut HeadSearch,
    bytes: &[u8],
    head: &mut Head,
) -> Result<Option<Message>, HttpError> {
    let run = &connection.run;
    let (dialect, config) = (run.site.dialect, &run.site.config);
    let limits = config.head_limits();
    if let Some(message) = remembered(gil, connection, bytes, &limits, head) {
        return Ok(Some(message));
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
    Ok(Some(Message {
        length,
        framing,
        cached: CacheResult::Miss,
    }))
}

/// A head whose fields this connection sent before: only its request line is read.
fn remembered(
    gil: Gil<'_>,
    connection: &Connection,
    bytes: &[u8],
    limits: &HeadLimits,
    head: &mut Head,
) -> Option<Message> {
    let known = match connection
        .run
        .site
        .environ_cache
        .find(gil, connection.number.get(), bytes)
    {
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
    Some(Message {
        length: known.length,
        framing: known.framing,
        cached: CacheResult::Hit(known.environ),
    })
}

/// A chunked body that is all there, decoded, and the length of the whole message; `None` where more
/// is to come, or too much for the memory.
fn whole_chunks(
    connection: &Connection,
    message: &Message,
    bytes: &[u8],
) -> Result<Option<(usize, Vec<u8>)>, HttpError> {
    let config = &connection.run.site.config;
    // What more is to come for does not end in a blank line, but by chance.
    if message.framing.body != BodyLength::Chunked
        || !bytes[message.length..].ends_with(b"\r\n\r\n")
    {
        return Ok(None);
    }
    let mut body = Vec::new();
    let mut decoder = Decoder::new(config.chunk_limits());
    let (consumed, whole) = decoder.decode(&bytes[message.length..], &mut |data| {
        body.extend_from_slice(data);
    })?;
    let kept = whole && body.len() <= config.body_memory;
    Ok(kept.then_some((message.length + consumed, body)))
}

/// Gets ready to take in the rest of a message.
fn begin_body(
    connection: &Rc<Connection>,
    head: Head,
    message: Message,
    bytes: &[u8],
    out: &mut WriteQueue,
) -> Receiving {
    let run = &connection.run;
    let Message {
        length, framing, ..
    } = message;
    // RFC 9110 section 10.1.1: not where the body is on its way already.
    if framing.expect_continue && bytes.len() == length {
        out.buffer()
            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let body = match framing.body {
        BodyLength::Fixed(due) if run.site.dialect.keeps_body_with_head() => {
            Received::InPlace(usize::try_from(due).unwrap_or(usize::MAX))
        }
        BodyLength::Fixed(due) => Received::Fixed(store_for(connection, due), due),
        BodyLength::None | BodyLength::Chunked => Received::Chunked(
            Store::Memory(Vec::with_capacity(bytes.len() - length)),
            Decoder::new(run.site.config.chunk_limits()),
        ),
    };
    Receiving {
        head,
        framing,
        input: Vec::new(),
        body,
        began: run.clock.seconds(),
        crowded: false,
    }
}

/// Where a body of a known length is kept at first.
fn store_for(connection: &Rc<Connection>, length: u64) -> Store {
    let run = &connection.run;
    if length <= run.site.config.body_memory as u64 {
        return Store::Memory(Vec::new());
    }
    match run.pool.take(length) {
        Some(body) => {
            note_haste(connection);
            Store::Room(body)
        }
        None => Store::Memory(Vec::new()),
    }
}

/// What can be said against a request before its body is here.
fn precheck(
    gil: Gil<'_>,
    connection: &Connection,
    head: &Head,
    bytes: &[u8],
) -> Result<(), HttpError> {
    let dialect = connection.run.site.dialect;
    if !dialect.rejects_early() {
        return Ok(());
    }
    let target = dialect.target(head.method.of(bytes), head.target.of(bytes))?;
    if dialect.is_about_server(target.path) {
        return Ok(());
    }
    let routes = server(gil).routes.borrow();
    match routes.find(gil, dialect, target.origin) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(HttpError::NotFound),
        Err(raised) => {
            raised.clear(gil);
            Err(HttpError::Internal)
        }
    }
}

/// Calls the application for a request in `input`, which it has back.
pub(super) fn respond(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    input: &mut Vec<u8>,
    request: ParsedRequest,
    out: &mut WriteQueue,
) -> Response {
    let run = &connection.run;
    let (server, dialect) = (server(gil), run.site.dialect);
    let ParsedRequest {
        message,
        head,
        framing,
        cached,
        body,
    } = request;
    let bytes = &input[message.clone()];
    count(&server.stats.requests, 1);
    server.trace(gil, || {
        let target = String::from_utf8_lossy(head.target.of(bytes)).into_owned();
        format!("fd={} request {target}", connection.socket().number())
    });
    let target = match dialect.target(head.method.of(bytes), head.target.of(bytes)) {
        Ok(target) => target,
        Err(error) => {
            let head_only = head.is_for_head(bytes);
            run.scratch.head.set(head);
            refuse(gil, run, out, error, head_only);
            return Response::rejection(error.status());
        }
    };
    let route = server.routes.borrow().find(gil, dialect, target.origin);
    let route = route.unwrap_or_else(|raised| {
        raised.clear(gil);
        None
    });
    let target = TargetSpans::locate(&target, bytes);
    let mut exchange = Exchange {
        input: std::mem::take(input),
        message,
        head,
        target,
        framing,
        cached,
        body,
        route,
        endpoint: connection.acceptor.endpoint.clone(),
        client: connection.client.clone(),
        socket: connection.socket(),
        connection: connection.number.get(),
        may_keep_alive: !run.is_draining(),
    };
    let response = call::respond(gil, &run.site, &mut exchange, out);
    *input = std::mem::take(&mut exchange.input);
    run.scratch.head.set(std::mem::take(&mut exchange.head));
    server.stats.count_code(response.code);
    connection.used.set(true);
    if run.site.exit.borrow().is_some() && !run.is_draining() {
        run.drain(gil);
    }
    response
}

pub(super) fn refuse(
    gil: Gil<'_>,
    run: &Run,
    out: &mut WriteQueue,
    error: HttpError,
    head_only: bool,
) -> Step {
    let code = run.site.push_rejection(out.buffer(), error, head_only);
    let stats = &server(gil).stats;
    count(&stats.refused, 1);
    stats.count_code(code);
    Step::Refused
}
