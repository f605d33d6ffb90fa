//! From what the application returned to the answer: the head, then the body, as far as it is there.
//!
//! Nothing is queued before the head is known to be good, so that a failure can be answered until
//! then; after it, a failure shows as a body that is cut short.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::base::BaseClass;
use crate::app::body::{Body, Source, Unsendable, plain_length};
use crate::app::delimiter::{Delimiter, Progress};
use crate::app::dialect::Dialect;
use crate::app::line::Streamed;
use crate::app::reply_head::ReplyHead;
use crate::app::request::Request;
use crate::app::site::Site;
use crate::app::start_response::Native;
use crate::app::stock::Stock;
use crate::app::written::{self, Written};
use crate::app::{failure, protocol};
use crate::py::{Exception, Gil, Kind, Object, Owned, Raised, Result};
use crate::queue::WriteQueue;

/// An answer whose first part is in the queue.
pub struct Reply {
    /// Whether the connection can be used again when all of it is written.
    pub keep_alive: bool,
    /// The request was refused: its client may still be sending.
    pub lingers: bool,
    /// What is still to come, or must be closed when everything is written.
    pub rest: Option<Box<Rest>>,
    /// The status, where the head went out by `write()` and is in the queue no more.
    pub streamed: Option<u16>,
}

impl Reply {
    /// A whole answer, after which the connection ends.
    pub fn last(lingers: bool) -> Reply {
        Reply {
            keep_alive: false,
            lingers,
            rest: None,
            streamed: None,
        }
    }

    /// A whole answer, after which the connection may go on.
    pub fn whole(keep_alive: bool) -> Reply {
        Reply {
            keep_alive,
            ..Reply::last(false)
        }
    }

    /// An answer of which a part is queued.
    fn begun(keep_alive: bool, rest: Rest) -> Reply {
        Reply {
            keep_alive,
            rest: Some(Box::new(rest)),
            ..Reply::last(false)
        }
    }
}

/// The `start_response` that the application gets.
pub enum Starter {
    /// The standard dialect's own.
    Native(Native),
    /// The base module's, and what is known of its class.
    Protocol(Owned, Option<Rc<Stock>>),
}

impl Starter {
    /// The one that the base module's class asks for.
    pub fn new(gil: Gil<'_>, site: &Site) -> Result<Starter> {
        let BaseClass { class, stock } = site.base.start_response(gil)?;
        if stock.is_some() && site.dialect.has_native_start_response() {
            return Native::new(gil, site).map(Starter::Native);
        }
        let native = stock
            .as_ref()
            .map(|stock| stock.new_start_response(gil, site))
            .transpose()?;
        let object = match native.flatten() {
            Some(object) => object,
            None => protocol::start_response(gil, site, &class)?,
        };
        Ok(Starter::Protocol(object, stock))
    }

    /// What the application gets.
    pub fn object(&self) -> &Object {
        match self {
            Starter::Native(native) => native.object(),
            Starter::Protocol(object, _) => object,
        }
    }

    /// The application is about to be called: what it gives to `write` can be sent at once.
    pub fn open(&self, site: &Site, request: &Request<'_>, out: &mut WriteQueue) {
        if let Starter::Native(native) = self {
            native.exchange().open(site, request, out);
        }
    }

    /// The application returned: `out` is as `write` left it.
    pub fn close(&self, out: &mut WriteQueue) -> Option<Streamed> {
        match self {
            Starter::Native(native) => native.exchange().close(out),
            Starter::Protocol(..) => None,
        }
    }

    /// The head as the base module renders it.
    fn head_text(&self, gil: Gil<'_>) -> Result<Vec<u8>> {
        if let Starter::Protocol(object, Some(stock)) = self
            && let Some(head) = stock.head_text(gil, object)?
        {
            return Ok(head);
        }
        protocol::head_text(gil, self.object())
    }

    /// What was given to `write` since the last look.
    fn take_written(&self) -> Written {
        match self {
            Starter::Native(native) => native.exchange().take_written(),
            Starter::Protocol(..) => Written::default(),
        }
    }

    /// Brings the head to its final form and passes it to `push`.
    fn send_head<R>(&self, gil: Gil<'_>, push: impl FnOnce(&ReplyHead) -> R) -> Result<R> {
        match self {
            Starter::Native(native) if native.exchange().has_head() => {
                native.exchange().send_head(gil, push)
            }
            Starter::Native(_) => {
                let message = "the application did not call start_response";
                Err(Raised::new(gil, Kind::AssertionError, message))
            }
            Starter::Protocol(object, _) => Ok(push(&protocol::standard_head(gil, object)?)),
        }
    }
}

/// The part of an answer that is not in the queue yet.
pub struct Rest {
    body: Body,
    delimiter: Delimiter,
    starter: Starter,
    /// Nothing more is asked for: the body is only kept until everything is written.
    drained: bool,
    /// The application failed in the middle.
    cut: bool,
}

/// Turns what the application returned into an answer.
pub fn reply(
    gil: Gil<'_>,
    site: &Site,
    request: &Request<'_>,
    starter: Starter,
    result: Owned,
    out: &mut WriteQueue,
) -> Result<Reply> {
    match site.dialect {
        Dialect::Legacy => legacy(gil, request, starter, result, out),
        Dialect::Standard => standard(gil, site, request, starter, result, out),
    }
}

/// The head as the object renders it, HTTP/1.0, one request a connection.
fn legacy(
    gil: Gil<'_>,
    request: &Request<'_>,
    starter: Starter,
    result: Owned,
    out: &mut WriteQueue,
) -> Result<Reply> {
    let head_only = request.is_head();
    let delimiter = if head_only {
        Delimiter::NoBody
    } else {
        Delimiter::Close
    };
    if plain_length(&result).is_some() {
        out.buffer().extend_from_slice(&starter.head_text(gil)?);
        push_plain(gil, delimiter, &result, out);
        return Ok(Reply::last(false));
    }
    let unsendable = if head_only {
        Unsendable::Ignored
    } else {
        Unsendable::Skipped
    };
    let mut body = Body::new(gil, result, unsendable)?;
    // The first item is drawn before the head is asked for, for HEAD too: it is in it that a
    // generator calls `start_response`.
    let first = match body.source() {
        Source::Iterator(..) => Some(body.next(gil, unsendable)?),
        _ => None,
    };
    let head = starter.head_text(gil)?;
    out.buffer().extend_from_slice(&head);
    let mut rest = Rest {
        body,
        delimiter,
        starter,
        drained: head_only,
        cut: false,
    };
    match first {
        Some(Some(item)) => {
            rest.delimiter.push(gil, item, out);
        }
        Some(None) => rest.drained = true,
        None => {
            rest.push_ready(gil, out);
        }
    }
    Ok(Reply::begun(false, rest))
}

/// HTTP/1.1, framed by what is known of the body.
fn standard(
    gil: Gil<'_>,
    site: &Site,
    request: &Request<'_>,
    starter: Starter,
    result: Owned,
    out: &mut WriteQueue,
) -> Result<Reply> {
    let push = |head: &ReplyHead, known: Option<u64>, out: &mut WriteQueue| {
        let framing = request.terms().framing(head, known);
        head.push(out.buffer(), &framing, &site.stamp.borrow());
        framing
    };
    let mut first = starter.take_written();
    if first.is_empty()
        && let Some(length) = plain_length(&result)
    {
        let framing = starter.send_head(gil, |head| push(head, Some(length), out))?;
        let progress = push_plain(gil, Delimiter::of(&framing), &result, out);
        return Ok(Reply::whole(
            framing.keep_alive && progress == Progress::Whole,
        ));
    }
    let mut body = Body::new(gil, result, Unsendable::Refused)?;
    let mut known = body.known_length();
    if known.is_none() {
        // PEP 3333: nothing is sent before the first item that is not empty.
        while first.is_empty() {
            let item = body.next(gil, Unsendable::Refused)?;
            let mut added = first.absorb(starter.take_written());
            match item {
                Some(item) => added = added.and_then(|()| first.push(item)),
                None => known = Some(0),
            }
            added.map_err(|error| written::failed(gil, &error))?;
            if known.is_some() {
                break;
            }
        }
    }
    let ended = known == Some(0);
    let known = known.map(|known| known + first.len());
    let framing = starter.send_head(gil, |head| push(head, known, out))?;
    let delimiter = Delimiter::of(&framing);
    let mut rest = Rest {
        body,
        delimiter,
        starter,
        drained: false,
        cut: false,
    };
    let sent = first.send(gil, &mut rest.delimiter, out);
    let progress = if ended || sent == Progress::Whole || delimiter.drops_body() {
        rest.finish(gil, out)
    } else {
        rest.push_ready(gil, out)
    };
    let keep_alive = framing.keep_alive && progress != Progress::Broken;
    Ok(Reply::begun(keep_alive, rest))
}

/// The rest of an answer whose head went out by `write()`: whatever is wrong with it from here on can
/// only show as a body that is cut short.
pub fn streamed(
    gil: Gil<'_>,
    site: &Site,
    starter: Starter,
    streamed: Streamed,
    result: Result<Owned>,
    out: &mut WriteQueue,
) -> Reply {
    let body = result.and_then(|result| Body::new(gil, result, Unsendable::Refused));
    let (body, failed) = match body {
        Ok(body) => (body, false),
        Err(raised) => {
            failure::report(gil, site, &Exception::take(gil, raised));
            (Body::nothing(), true)
        }
    };
    let written = starter.take_written();
    let mut rest = Rest {
        body,
        delimiter: streamed.delimiter,
        starter,
        drained: failed,
        cut: failed,
    };
    let sent = written.send(gil, &mut rest.delimiter, out);
    let progress = if failed {
        Progress::Broken
    } else if sent == Progress::Whole || rest.delimiter.drops_body() {
        rest.finish(gil, out)
    } else {
        rest.push_ready(gil, out)
    };
    Reply {
        streamed: Some(streamed.code),
        ..Reply::begun(streamed.keep_alive && progress != Progress::Broken, rest)
    }
}

/// Queues the ordinary answer: a list or tuple of bytes, all at once.
fn push_plain(
    gil: Gil<'_>,
    mut delimiter: Delimiter,
    items: &Object,
    out: &mut WriteQueue,
) -> Progress {
    let mut index = 0;
    while let Some(item) = items.sequence_item(gil, index)
        && delimiter.push(gil, item, out) == Progress::More
    {
        index += 1;
    }
    delimiter.finish(gil, out)
}

impl Rest {
    /// Asks for the next part of the body and puts it into the queue.
    pub fn pump(&mut self, gil: Gil<'_>, site: &Site, out: &mut WriteQueue) -> Progress {
        if self.drained {
            return Progress::Whole;
        }
        let item = self.body.next(gil, site.dialect.unsendable());
        // Taken before anything else runs, which must not see it.
        let item = item.map_err(|raised| Exception::take(gil, raised));
        let written = self.starter.take_written();
        let full = written.send(gil, &mut self.delimiter, out) == Progress::Whole;
        match item {
            Ok(_) if full => self.finish(gil, out),
            Ok(Some(item)) => match self.delimiter.push(gil, item, out) {
                Progress::More => Progress::More,
                _ => self.finish(gil, out),
            },
            Ok(None) => self.finish(gil, out),
            Err(exception) => {
                failure::report(gil, site, &exception);
                self.drained = true;
                self.cut = true;
                Progress::Broken
            }
        }
    }

    /// Whether the answer was cut short and nothing in it tells: its end is the connection's.
    pub fn is_cut_unseen(&self) -> bool {
        self.cut && matches!(self.delimiter, Delimiter::Close)
    }

    /// Whether nothing more is asked for.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// Queues what is there at once: the items of a list, a file.
    fn push_ready(&mut self, gil: Gil<'_>, out: &mut WriteQueue) -> Progress {
        match std::mem::replace(self.body.source(), Source::Nothing) {
            Source::Items(items) => {
                for item in items {
                    if self.delimiter.push(gil, item, out) != Progress::More {
                        break;
                    }
                }
            }
            Source::File(part) => self.delimiter.push_file(part, out),
            Source::Nothing => {}
            source @ (Source::Reader(..) | Source::Iterator(..)) => {
                *self.body.source() = source;
                return Progress::More;
            }
        }
        self.finish(gil, out)
    }

    fn finish(&mut self, gil: Gil<'_>, out: &mut WriteQueue) -> Progress {
        self.drained = true;
        self.delimiter.finish(gil, out)
    }
}
