//! From received bytes to answers: every whole request in a buffer is answered, in order, and the
//! answers are written together.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::reply::Reply;
use crate::app::request::{self, Request, RequestBody};
use crate::http::chunked::Decoder;
use crate::http::error::HttpError;
use crate::http::framing::{BodyLength, Framing};
use crate::http::head::{Head, HeadLimits, HeadSearch, parse_strict_line};
use crate::py::{Gil, Owned};
use crate::queue::WriteQueue;
use crate::server::conn::{Connection, Reading, Received, Receiving, Store};
use crate::server::deliver::{After, Outcome, Settled, flush_now, settle};
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
    Answered(usize, Reply),
    /// Nothing that can be served: the refusal is queued.
    Refused,
}

/// A head that was read.
struct Message {
    length: usize,
    framing: Framing,
    recall: Recall,
}

/// What the memory of heads has to do with a request.
pub(super) enum Recall {
    /// The environ of the same head, seen before.
    Known(Owned),
    /// The head is to be remembered.
    New,
    /// It is not: its body came later, so that its like would not be found.
    Apart,
}

fn one_request(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    reading: &mut Reading,
    bytes: &[u8],
    out: &mut WriteQueue,
) -> Step {
    let run = &connection.run;
    let mut head = run.scratch.head.take();
    let step = match read_message(gil, connection, &mut reading.search, bytes, &mut head) {
        Ok(None) => Step::Incomplete,
        Ok(Some(message)) => match message.framing.body_in(&bytes[message.length..]) {
            Some(body) => {
                let consumed = message.length + body.len();
                let received = if run.site.dialect.keeps_body_with_head() {
                    bytes
                } else {
                    &bytes[..message.length]
                };
                let body = match body {
                    [] => RequestBody::Empty,
                    body => RequestBody::Memory(body),
                };
                let Message {
                    framing, recall, ..
                } = message;
                let reply = answer(
                    gil, connection, &head, &framing, received, recall, body, out,
                );
                Step::Answered(consumed, reply)
            }
            None => match precheck(gil, connection, &head, bytes)
                .and_then(|()| whole_chunks(connection, &message, bytes))
            {
                Ok(Some((consumed, body))) => {
                    let Message {
                        framing, recall, ..
                    } = message;
                    let received = &bytes[..message.length];
                    let body = RequestBody::Memory(&body);
                    let reply = answer(
                        gil, connection, &head, &framing, received, recall, body, out,
                    );
                    Step::Answered(consumed, reply)
                }
                Ok(None) => {
                    let body =
                        begin_body(connection, std::mem::take(&mut head), message, bytes, out);
                    Step::Body(Box::new(body))
                }
                Err(error) => refuse(gil, run, out, error, head.is_for_head(bytes)),
            },
        },
        // A head that was refused holds what an earlier request left there: its bytes are asked.
        Err(error) => refuse(gil, run, out, error, names_head(bytes)),
    };
    run.scratch.head.set(head);
    step
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
        recall: Recall::New,
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
        .memos
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
        recall: Recall::Known(known.environ),
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
    match run.room.take(length) {
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
    if !dialect.refuses_early() {
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

#[allow(clippy::too_many_arguments, reason = "each is a part of one request")]
pub(super) fn answer(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    head: &Head,
    framing: &Framing,
    bytes: &[u8],
    recall: Recall,
    body: RequestBody<'_>,
    out: &mut WriteQueue,
) -> Reply {
    let run = &connection.run;
    let (server, dialect) = (server(gil), run.site.dialect);
    count(&server.stats.requests, 1);
    server.trace(gil, || {
        let target = String::from_utf8_lossy(head.target.of(bytes)).into_owned();
        format!("fd={} request {target}", connection.socket().number())
    });
    let target = match dialect.target(head.method.of(bytes), head.target.of(bytes)) {
        Ok(target) => target,
        Err(error) => {
            refuse(gil, run, out, error, head.is_for_head(bytes));
            return Reply::last(true);
        }
    };
    let route = server.routes.borrow().find(gil, dialect, target.origin);
    let route = route.unwrap_or_else(|raised| {
        raised.clear(gil);
        None
    });
    let (known, learns) = match recall {
        Recall::Known(environ) => (Some(environ), false),
        Recall::New => (None, dialect.remembers_heads()),
        Recall::Apart => (None, false),
    };
    let socket = connection.socket();
    let request = Request {
        head,
        target,
        bytes,
        framing,
        known,
        memory: learns.then(|| (&run.memos, connection.number.get())),
        body,
        route,
        endpoint: &connection.acceptor.endpoint,
        client: &connection.client,
        socket: &socket,
        may_keep_alive: !run.is_draining(),
        flush: flush_now,
    };
    let place = out.place();
    let reply = request::answer(gil, &run.site, request, out);
    match reply.streamed {
        Some(code) => server.stats.count_code(code),
        None => server.stats.count_status(out.from(&place)),
    }
    connection.used.set(true);
    if run.site.exit.borrow().is_some() && !run.is_draining() {
        run.drain(gil);
    }
    reply
}

pub(super) fn refuse(
    gil: Gil<'_>,
    run: &Run,
    out: &mut WriteQueue,
    error: HttpError,
    head_only: bool,
) -> Step {
    let place = out.place();
    run.site
        .dialect
        .push_refusal(out.buffer(), &run.site, error, head_only);
    let stats = &server(gil).stats;
    count(&stats.refused, 1);
    stats.count_status(out.from(&place));
    Step::Refused
}
