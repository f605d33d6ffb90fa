//! From what the application returned to the response: the head, then the body, as far as it is there.
//!
//! Nothing is queued before the head is known to be good, so that a failure can have its own response
//! until then; after it, a failure shows as a body that is cut short.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::app::body::{Body, Source, plain_length};
use crate::app::context::AppContext;
use crate::app::encode;
use crate::app::exchange::Exchange;
use crate::app::failure;
use crate::app::response_body::{ResponseBody, Unbegun};
use crate::app::start_response::StartResponse;
use crate::app::start_response::sink::SentHead;
use crate::app::start_response::state::Closed;
use crate::dialect::{Dialect, InvalidItem};
use crate::http::body_encoder::{BodyEncoder, Progress};
use crate::http::response_head::ResponseHead;
use crate::py::{Exception, Gil, Object, Owned, Result};
use crate::queue::WriteQueue;

/// A response whose first part is in the queue.
pub struct Response {
    /// Whether the connection can be used again when all of it is written.
    pub keep_alive: bool,
    /// The request was rejected: its client may still be sending.
    pub lingers: bool,
    /// The application took the connection over: there is none.
    pub is_taken_over: bool,
    /// What is still to come, or must be closed when everything is written.
    pub body: Option<Box<ResponseBody>>,
    /// The status; 0 where a program's own head has none that could be read.
    pub code: u16,
}

impl Response {
    /// A whole response, after which the connection ends.
    pub fn last(code: u16) -> Response {
        Response::whole(code, false)
    }

    /// A whole response, after which the connection may go on.
    pub fn whole(code: u16, keep_alive: bool) -> Response {
        Response {
            keep_alive,
            lingers: false,
            is_taken_over: false,
            body: None,
            code,
        }
    }

    /// The whole response to a request that is rejected.
    pub fn rejection(code: u16) -> Response {
        Response {
            lingers: true,
            ..Response::last(code)
        }
    }

    /// None: the application took the connection over, to speak another protocol.
    pub fn taken_over() -> Response {
        Response {
            is_taken_over: true,
            ..Response::last(101)
        }
    }

    /// A response of which a part is queued.
    fn begun(code: u16, keep_alive: bool, body: ResponseBody) -> Response {
        Response {
            body: Some(Box::new(body)),
            ..Response::whole(code, keep_alive)
        }
    }
}

/// Turns what the application returned into a response.
pub fn begin(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &Exchange,
    start_response: StartResponse,
    result: Owned,
    out: &mut WriteQueue,
) -> Result<Response> {
    match ctx.dialect {
        Dialect::Legacy => legacy(gil, exchange, start_response, result, out),
        Dialect::Standard => standard(gil, ctx, exchange, start_response, result, out),
    }
}

/// The head as the object renders it, HTTP/1.0, one request a connection.
fn legacy(
    gil: Gil<'_>,
    exchange: &Exchange,
    start_response: StartResponse,
    result: Owned,
    out: &mut WriteQueue,
) -> Result<Response> {
    let head_only = exchange.is_head_request();
    let encoder = if head_only {
        BodyEncoder::NoBody
    } else {
        BodyEncoder::Close
    };
    if plain_length(&result).is_some() {
        let head = start_response.head_text(gil)?;
        out.buffer().extend_from_slice(&head);
        push_plain(gil, encoder, &result, out);
        return Ok(Response::last(code(&head)));
    }
    let policy = if head_only {
        InvalidItem::Ignore
    } else {
        InvalidItem::Warn
    };
    let mut body = Body::new(gil, Dialect::Legacy, result, policy, None)?;
    // The first item is pulled before the head is looked at, for HEAD too: it is in it that a
    // generator calls `start_response`.
    let first = match body.source() {
        Source::Iterator(..) => Some(body.next(gil, policy)?),
        _ => None,
    };
    let head = start_response.head_text(gil)?;
    out.buffer().extend_from_slice(&head);
    let mut rest = ResponseBody {
        body,
        encoder,
        start_response,
        unbegun: None,
        exhausted: head_only,
        truncated: false,
    };
    match first {
        Some(Some(item)) => {
            encode::push(gil, &mut rest.encoder, item, out);
        }
        Some(None) => rest.exhausted = true,
        None => {
            rest.push_ready(gil, out);
        }
    }
    Ok(Response::begun(code(&head), false, rest))
}

/// The status in a head that a base module's object rendered; 0 where there is none.
fn code(head: &[u8]) -> u16 {
    let status = head.get(b"HTTP/1.0 ".len()..).unwrap_or_default();
    let digits = status
        .get(..3)
        .and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Empty items that are drawn at once before the first that is not,
const MOST_LEADING_ITEMS: usize = 8;

/// while they take no longer than this: the next may wait for something.
const LEADING_TIME: Duration = Duration::from_millis(1);

/// HTTP/1.1, framed by what is known of the body.
fn standard(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &Exchange,
    start_response: StartResponse,
    result: Owned,
    out: &mut WriteQueue,
) -> Result<Response> {
    let push = |head: &ResponseHead, known: Option<u64>, out: &mut WriteQueue| {
        let framing = exchange.framing_inputs().framing(head, known);
        head.push(out.buffer(), &framing, &ctx.lines.borrow());
        (framing, head.code())
    };
    let mut first = start_response.take_overflow().unwrap_or_default();
    if first.is_empty()
        && let Some(length) = plain_length(&result)
    {
        let (framing, code) =
            start_response.send_head(gil, |head| push(head, Some(length), out))?;
        let progress = push_plain(gil, BodyEncoder::new(&framing), &result, out);
        let keep_alive = framing.keep_alive && progress == Progress::Complete;
        return Ok(Response::whole(code, keep_alive));
    }
    let policy = InvalidItem::Raise;
    let body = Body::new(gil, Dialect::Standard, result, policy, Some(exchange))?;
    let mut rest = ResponseBody {
        body,
        encoder: BodyEncoder::NoBody,
        start_response,
        unbegun: None,
        exhausted: false,
        truncated: false,
    };
    let mut known = rest.body.known_length();
    if known.is_none() {
        // PEP 3333: nothing is sent before the first item that is not empty.
        let mut since = None;
        for drawn in 0..MOST_LEADING_ITEMS {
            let begins = !first.is_empty() || known.is_some();
            let is_slow =
                drawn > 0 && since.get_or_insert_with(Instant::now).elapsed() > LEADING_TIME;
            if begins || is_slow {
                break;
            }
            rest.start_response.open_for_hints(ctx, exchange, out);
            let item = rest.draw_leading(gil, &mut first);
            if matches!(rest.start_response.close(out), Closed::Lost) {
                return Ok(Response::last(0));
            }
            known = item?;
        }
        if first.is_empty() && known.is_none() {
            // Others come first; the head waits for the item that begins the body.
            let inputs = exchange.framing_inputs();
            rest.unbegun = Some(Box::new(Unbegun { first, inputs }));
            return Ok(Response::begun(0, inputs.keep_alive, rest));
        }
    }
    let (code, keep_alive) = rest.begin(gil, ctx, exchange.framing_inputs(), first, known, out)?;
    Ok(Response::begun(code, keep_alive, rest))
}

/// The rest of a response whose head went out by `write()`: whatever is wrong with it from here on can
/// only show as a body that is cut short.
pub fn streamed(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &Exchange,
    start_response: StartResponse,
    streamed: SentHead,
    result: Result<Owned>,
    out: &mut WriteQueue,
) -> Response {
    let policy = InvalidItem::Raise;
    let body =
        result.and_then(|result| Body::new(gil, Dialect::Standard, result, policy, Some(exchange)));
    let (body, failed) = match body {
        Ok(body) => (body, false),
        Err(raised) => {
            failure::report(gil, ctx, &Exception::take(gil, raised), &exchange.label());
            (Body::nothing(), true)
        }
    };
    let written = start_response.take_overflow().unwrap_or_default();
    let mut rest = ResponseBody {
        body,
        encoder: streamed.encoder,
        start_response,
        unbegun: None,
        exhausted: failed,
        truncated: failed,
    };
    let sent = written.send(gil, &mut rest.encoder, out);
    let progress = if failed {
        Progress::Truncated
    } else if sent == Progress::Complete || rest.encoder.drops_body() {
        rest.finish(gil, out)
    } else {
        rest.push_ready(gil, out)
    };
    let keep_alive = streamed.keep_alive && progress != Progress::Truncated;
    Response::begun(streamed.code, keep_alive, rest)
}

/// The end of a response whose queue another thread has, which is in the middle of `write()` although
/// the application returned: what was queued is that thread's to send, and nothing can follow it.
pub fn lost(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &Exchange,
    result: Result<Owned>,
) -> Response {
    let policy = InvalidItem::Ignore;
    let body =
        result.and_then(|result| Body::new(gil, Dialect::Standard, result, policy, Some(exchange)));
    // Its `close()` is called.
    match body {
        Ok(body) => drop(body),
        Err(raised) => {
            failure::report(gil, ctx, &Exception::take(gil, raised), &exchange.label());
        }
    }
    Response::last(0)
}

/// What an application returned that took the connection over: its `close()` is called.
pub fn drop_result(gil: Gil<'_>, result: Result<Owned>) {
    let body = result
        .and_then(|result| Body::new(gil, Dialect::Standard, result, InvalidItem::Ignore, None));
    match body {
        Ok(body) => drop(body),
        Err(raised) => raised.clear(gil),
    }
}

/// Queues the ordinary response: a list or tuple of bytes, all at once.
fn push_plain(
    gil: Gil<'_>,
    mut encoder: BodyEncoder,
    items: &Object,
    out: &mut WriteQueue,
) -> Progress {
    let mut index = 0;
    while let Some(item) = items.sequence_item(gil, index)
        && encode::push(gil, &mut encoder, item, out) == Progress::More
    {
        index += 1;
    }
    encode::finish(gil, encoder, out)
}
