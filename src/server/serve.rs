//! From received bytes to answers: every whole request in a buffer is answered, in order, and the
//! answers are written together.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::ev::Interest;
use crate::http::chunked::Decoder;
use crate::http::error::HttpError;
use crate::http::framing::{BodyLength, Framing};
use crate::http::head::{Head, HeadLimits, HeadSearch, parse_strict_line};
use crate::py::{Gil, Owned};
use crate::server::conn::{Connection, Phase, Reading, Received, Receiving, Replying, Store};
use crate::server::io::{begin_lingering, close, wait_for_head};
use crate::server::output::{Flushed, flush};
use crate::server::receive::{take_in, wait_for_body};
use crate::server::run::Run;
use crate::server::server;
use crate::server::stats::count;
use crate::sys::stream;
use crate::wsgi::delimiter::Progress;
use crate::wsgi::outgoing::Outgoing;
use crate::wsgi::reply::{Reply, Rest};
use crate::wsgi::request::{self, Request, RequestBody};

/// Answers are gathered up to this many bytes before they are written.
const GATHERED: usize = 64 << 10;

/// A scratch buffer that grew beyond this is given back.
pub(super) const SCRATCH: usize = 256 << 10;

/// What comes after the requests in a buffer.
pub(super) enum After {
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
pub(super) fn serve(
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
pub(super) fn finish(
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

fn give_back(gil: Gil<'_>, run: &Run, mut out: Outgoing) {
    out.clear(gil);
    out.shrink(SCRATCH);
    run.scratch.output.set(out);
}

pub(super) fn write(gil: Gil<'_>, connection: &Connection, out: &mut Outgoing) -> Flushed {
    let mut written = 0;
    let flushed = flush(gil, connection.descriptor, out, &mut written);
    count(&server(gil).stats.bytes_out, written);
    flushed
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
    /// The environ of the same head, seen before.
    known: Option<Owned>,
}

fn one_request(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    reading: &mut Reading,
    bytes: &[u8],
    out: &mut Outgoing,
) -> Step {
    let run = &connection.run;
    let mut head = run.scratch.head.take();
    let step = match read_message(gil, connection, &mut reading.search, bytes, &mut head) {
        Ok(None) => Step::Incomplete,
        Ok(Some(message)) => match whole_body(&message, bytes) {
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
                let Message { framing, known, .. } = message;
                let reply = answer(gil, connection, &head, &framing, received, known, body, out);
                Step::Answered(consumed, reply)
            }
            None => match precheck(gil, connection, &head, bytes) {
                Ok(()) => {
                    let body =
                        begin_body(connection, std::mem::take(&mut head), message, bytes, out);
                    Step::Body(Box::new(body))
                }
                Err(error) => refuse(gil, run, out, error, is_head(&head, bytes)),
            },
        },
        // A head that was refused holds what an earlier request left there: its bytes are asked.
        Err(error) => refuse(gil, run, out, error, bytes.starts_with(b"HEAD ")),
    };
    run.scratch.head.set(head);
    step
}

fn is_head(head: &Head, bytes: &[u8]) -> bool {
    head.method.of(bytes) == b"HEAD"
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
        known: None,
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
        known: Some(known.environ),
    })
}

/// The message's body, if all of it is there, as it is; a chunked one never is.
fn whole_body<'b>(message: &Message, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let available = &bytes[message.length..];
    match message.framing.body {
        BodyLength::None => Some(&[]),
        BodyLength::Fixed(due) => available.get(..usize::try_from(due).ok()?),
        BodyLength::Chunked => None,
    }
}

/// Gets ready to take in the rest of a message.
fn begin_body(
    connection: &Connection,
    head: Head,
    message: Message,
    bytes: &[u8],
    out: &mut Outgoing,
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
        BodyLength::Fixed(due) => Received::Fixed(Store::Memory(Vec::new()), due),
        BodyLength::None | BodyLength::Chunked => Received::Chunked(
            Store::Memory(Vec::new()),
            Decoder::new(run.site.config.chunk_limits()),
        ),
    };
    Receiving {
        head,
        framing,
        input: Vec::new(),
        body,
        began: run.clock.seconds(),
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

#[allow(clippy::too_many_arguments, reason = "each is a part of one request")]
pub(super) fn answer(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    head: &Head,
    framing: &Framing,
    bytes: &[u8],
    known: Option<Owned>,
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
    let target = match dialect.target(head.method.of(bytes), head.target.of(bytes)) {
        Ok(target) => target,
        Err(error) => {
            refuse(gil, run, out, error, is_head(head, bytes));
            return Reply::last(true);
        }
    };
    let raw = route_target(head, bytes, target.path);
    let route = server.routes.borrow().find(gil, dialect, raw);
    let route = route.unwrap_or_else(|raised| {
        raised.clear(gil);
        None
    });
    let remembers = dialect.remembers_heads() && known.is_none();
    let request = Request {
        head,
        target,
        bytes,
        framing,
        known,
        memory: remembers.then(|| (&run.memos, connection.number.get())),
        body,
        route,
        endpoint: &connection.acceptor.endpoint,
        client: &connection.client,
        descriptor: connection.descriptor,
        may_keep_alive: !run.is_draining(),
    };
    let reply = request::answer(gil, &run.site, request, out);
    connection.used.set(true);
    if run.site.exit.borrow().is_some() && !run.is_draining() {
        run.drain(gil);
    }
    reply
}

pub(super) fn refuse(
    gil: Gil<'_>,
    run: &Run,
    out: &mut Outgoing,
    error: HttpError,
    head_only: bool,
) -> Step {
    count(&server(gil).stats.refused, 1);
    run.site
        .dialect
        .push_refusal(out.buffer(), &run.site, error, head_only);
    Step::Refused
}

/// What an answer leaves to be done.
pub(super) enum Settled {
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
pub(super) fn settle(
    gil: Gil<'_>,
    connection: &Connection,
    reply: Reply,
    out: &mut Outgoing,
) -> Settled {
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

pub(super) enum Driven {
    Written,
    Blocked,
    Gone,
}

/// Writes, and asks for more when everything is written, as long as it is this connection's turn.
pub(super) fn drive(
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
            if site.dialect.resets_what_was_cut()
                && done.as_ref().is_some_and(|rest| rest.is_cut_unseen())
            {
                // Refused by a descriptor that is no socket any more: it is closed either way.
                let _ = stream::reset_on_close(connection.descriptor);
                return Driven::Gone;
            }
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
pub(super) fn go_on(gil: Gil<'_>, connection: &Rc<Connection>, mut replying: Box<Replying>) {
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
