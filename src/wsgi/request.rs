//! One request: the application is called, and what it answers is put into the outgoing queue.
//!
//! The way is the same in both dialects: an environ, a `start_response`, the call, the first item of
//! what came back, the head, the body. Whatever raises on it ends in [`failure`]; nothing is queued
//! before the head is known to be good, so that a failure can always still be answered.

#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::rc::Rc;

use crate::http::chunked::{LAST_CHUNK, push_chunk_size};
use crate::http::error::HttpError;
use crate::http::framing::{self, BodyLength, Framing, ReplyBody};
use crate::http::head::Head;
use crate::http::reply::push_legacy_options;
use crate::py::{Exception, Gil, Kind, Object, Owned, Raised, Result, names, number, text};
use crate::sys::spool::Spool;
use crate::wsgi::body::{Body, Source, Unsendable};
use crate::wsgi::dialect::Dialect;
use crate::wsgi::outgoing::Outgoing;
use crate::wsgi::reply_head::ReplyHead;
use crate::wsgi::site::{BaseClass, Client, Endpoint, Site, natives};
use crate::wsgi::start_response::{Exchange, StartResponse};
use crate::wsgi::{console, environ, failure, protocol};

/// The application that a target leads to.
pub struct Route {
    /// The application.
    pub callback: Owned,
    /// `SCRIPT_NAME`, where it is not empty.
    pub script_name: Option<Owned>,
    /// How much of the target it takes away from `PATH_INFO`.
    pub script_name_len: usize,
    /// Registered under a prefix by `wsgi_cb`, not as the generic callback.
    pub registered: bool,
}

/// A request's body, whole.
pub enum RequestBody<'a> {
    /// There is none.
    Empty,
    /// It is in memory.
    Memory(&'a [u8]),
    /// It is in a temporary file.
    Spooled(Spool),
}

/// A whole request, and where it came from.
pub struct Request<'a> {
    /// Its head; the spans are offsets into `bytes`.
    pub head: &'a Head,
    /// What was received, from the head's first byte; in the legacy dialect the body too.
    pub bytes: &'a [u8],
    /// How it was delimited.
    pub framing: &'a Framing,
    /// Its body.
    pub body: RequestBody<'a>,
    /// Where its target leads; `None`: nowhere.
    pub route: Option<Route>,
    /// The listener it came by.
    pub endpoint: &'a Endpoint,
    /// Who sent it.
    pub client: &'a Client,
    /// The connection's descriptor.
    pub descriptor: RawFd,
    /// Whether the connection may be kept; not when the server is about to end.
    pub may_keep_alive: bool,
}

impl<'a> Request<'a> {
    /// The method.
    pub fn method(&self) -> &'a [u8] {
        self.head.method.of(self.bytes)
    }

    /// The last field of this name.
    pub fn field(&self, name: &[u8]) -> Option<&'a [u8]> {
        environ::last_field(self.head, self.bytes, name)
    }

    fn is_head(&self) -> bool {
        self.method() == b"HEAD"
    }
}

/// An answer whose first part is in the queue.
pub struct Reply {
    /// Whether the connection can be used again when all of it is written.
    pub keep_alive: bool,
    /// The request was refused: its client may still be sending.
    pub lingers: bool,
    /// What is still to come, or must be closed when everything is written.
    pub rest: Option<Box<Rest>>,
}

impl Reply {
    /// A whole answer, after which the connection ends.
    pub fn last(lingers: bool) -> Reply {
        Reply {
            keep_alive: false,
            lingers,
            rest: None,
        }
    }
}

/// The part of an answer that is not in the queue yet.
pub struct Rest {
    body: Body,
    delimiter: Delimiter,
    exchange: Option<Rc<Exchange>>,
    /// Nothing more is asked for: the body is only kept until everything is written.
    drained: bool,
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.end();
        }
    }
}

/// How the body's end is told to the client.
#[derive(Clone, Copy, Debug)]
enum Delimiter {
    /// By chunks.
    Chunked,
    /// By this many bytes that are still due.
    Length(u64),
    /// By the end of the connection.
    Close,
    /// There is no body (HEAD, 204, 304): what is produced is dropped.
    None,
}

/// What became of asking for more of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is more to ask for.
    More,
    /// It is whole.
    Whole,
    /// It cannot be made whole: the connection has to show that by closing.
    Broken,
}

/// Answers a request.
pub fn answer(gil: Gil<'_>, site: &Site, mut request: Request<'_>, out: &mut Outgoing) -> Reply {
    let head_only = request.is_head();
    match respond(gil, site, &mut request, out) {
        Ok(reply) => reply,
        Err(raised) => {
            let exception = Exception::take(gil, raised);
            failure::answer(gil, site, exception, head_only, out);
            Reply::last(false)
        }
    }
}

fn respond(
    gil: Gil<'_>,
    site: &Site,
    request: &mut Request<'_>,
    out: &mut Outgoing,
) -> Result<Reply> {
    let (environ, callback) = match prepare(gil, site, request, out)? {
        Prepared::Call(environ, callback) => (environ, callback),
        Prepared::Answered(reply) => return Ok(reply),
    };
    let starter = Starter::new(gil, site)?;
    let result = callback.call(gil, &[&environ, starter.object()])?;
    drop((environ, callback));
    match site.dialect {
        Dialect::Legacy => legacy_reply(gil, request, starter, result, out),
        Dialect::Standard => standard_reply(gil, site, request, starter, result, out),
    }
}

enum Prepared {
    /// The environ is ready for this application.
    Call(Owned, Owned),
    /// The answer needs no application.
    Answered(Reply),
}

/// Builds the environ, in the order in which `legacy.md` has the checks.
fn prepare(
    gil: Gil<'_>,
    site: &Site,
    request: &mut Request<'_>,
    out: &mut Outgoing,
) -> Result<Prepared> {
    let refused = |error, head_only, out: &mut Outgoing| {
        site.dialect
            .push_refusal(out.buffer(), site, error, head_only);
        Ok(Prepared::Answered(Reply::last(true)))
    };
    let head_only = request.is_head();
    let target = match site
        .dialect
        .target(request.method(), request.head.target.of(request.bytes))
    {
        Ok(target) => target,
        Err(error) => return refused(error, head_only, out),
    };
    let BaseClass { class, stock } = site.base.environ(gil)?;
    if site.dialect == Dialect::Standard && stock {
        if target.path == b"*" {
            return Ok(Prepared::Answered(server_options(gil, site, request, out)?));
        }
        let Some(route) = request.route.take() else {
            return refused(HttpError::NotFound, head_only, out);
        };
        let environ = environ::plain(gil, site, request, &route, &target)?;
        return Ok(Prepared::Call(environ, route.callback));
    }
    let names = names(gil);
    let environ = class.call(gil, &[])?;
    let portion = environ::head_portion(gil, site.dialect, request, &target)?;
    environ.call_method(gil, &names.update_headers, &[&portion])?;
    if site.dialect == Dialect::Legacy {
        let supported = site.base.module.attr(gil, &names.supported_http_command)?;
        let method = text::native(gil, request.method())?;
        if !supported.contains(gil, &method)? {
            return refused(HttpError::NotImplemented, head_only, out);
        }
        if request.method() == b"OPTIONS" {
            let methods = method_list(gil, &supported)?;
            let methods = methods.iter().map(Vec::as_slice);
            push_legacy_options(out.buffer(), &site.base.ident, methods);
            return Ok(Prepared::Answered(Reply::last(false)));
        }
    } else if target.path == b"*" {
        return Ok(Prepared::Answered(server_options(gil, site, request, out)?));
    }
    let Some(route) = request.route.take() else {
        return refused(HttpError::NotFound, false, out);
    };
    let portion = environ::uri_portion(gil, site.dialect, request, &route, &target)?;
    environ.call_method(gil, &names.update_uri, &[&portion])?;
    if site.dialect == Dialect::Standard {
        environ::complete(gil, &environ)?;
    }
    if request.method() == b"POST" || site.dialect == Dialect::Standard {
        if site.dialect == Dialect::Legacy && request.field(b"content-length").is_none() {
            return refused(HttpError::LengthRequired, head_only, out);
        }
        give_body(gil, site, request, &environ)?;
    }
    let portion = environ::client_portion(gil, site.dialect, request)?;
    environ.call_method(gil, &names.update_from_request, &[&portion])?;
    Ok(Prepared::Call(environ, route.callback))
}

/// The body for an `Environ` of the program's own: into whatever `wsgi.input` it supplies.
fn give_body(gil: Gil<'_>, site: &Site, request: &mut Request<'_>, environ: &Object) -> Result<()> {
    let names = names(gil);
    if site.dialect == Dialect::Legacy {
        let length = match request.framing.body {
            BodyLength::Fixed(length) => length,
            BodyLength::None | BodyLength::Chunked => 0,
        };
        environ.dict_set(
            gil,
            &names.content_length,
            &*number::int(gil, length as i64)?,
        )?;
    }
    let form = environ::form(request)
        .map(|form| environ::parse_query(gil, &form))
        .transpose()?;
    let supplied = environ
        .dict_get(gil, &names.wsgi_input)
        .map(|input| input.own(gil));
    match (&request.body, supplied) {
        // A spooled body is longer than a program's own object may want to hold in one piece.
        (RequestBody::Memory(_) | RequestBody::Empty, Some(supplied))
            if supplied.optional_attr(gil, &names.write)?.is_some() =>
        {
            let body = match request.body {
                RequestBody::Memory(body) => body,
                _ => b"",
            };
            let buffer = text::body_buffer(gil, body)?;
            supplied.call_method(gil, &names.write, &[&buffer])?;
            supplied.call_method(gil, &names.seek, &[&*number::int(gil, 0)?])?;
        }
        _ => {
            let input = environ::input(gil, request)?;
            environ.dict_set(gil, &names.wsgi_input, &input)?;
        }
    }
    if site.dialect == Dialect::Legacy {
        let media = environ
            .dict_get(gil, &names.http_content_type)
            .map(|media| media.own(gil));
        let media = media.unwrap_or_else(|| Owned::none(gil));
        environ.dict_set(gil, &names.content_type, &media)?;
    }
    match form {
        Some(form) => environ.dict_set(gil, &names.fapws_params, &form),
        None => Ok(()),
    }
}

fn method_list(gil: Gil<'_>, supported: &Object) -> Result<Vec<Vec<u8>>> {
    let mut methods = Vec::new();
    let items = supported.iterate(gil)?;
    while let Some(item) = items.next(gil)? {
        methods.push(text::display(gil, &item)?);
    }
    Ok(methods)
}

/// `OPTIONS *` asks about the server (RFC 9110 section 9.3.7), which no application can be.
fn server_options(
    gil: Gil<'_>,
    site: &Site,
    request: &Request<'_>,
    out: &mut Outgoing,
) -> Result<Reply> {
    let supported = site
        .base
        .module
        .attr(gil, &names(gil).supported_http_command)?;
    let methods = method_list(gil, &supported)?.join(&b", "[..]);
    let mut head = ReplyHead::default();
    let filled = head
        .set_status(b"200 OK")
        .and_then(|()| head.add(b"Allow", &methods));
    if let Err(fault) = filled {
        return Err(Raised::new(gil, Kind::ValueError, fault.message()));
    }
    let framing = reply_framing(request, &head, Some(0));
    head.push(out.buffer(), &framing, &site.stamp.borrow());
    Ok(Reply {
        keep_alive: framing.keep_alive,
        lingers: false,
        rest: None,
    })
}

fn reply_framing(
    request: &Request<'_>,
    head: &ReplyHead,
    known: Option<u64>,
) -> framing::ReplyFraming {
    let keep_alive = request.framing.keep_alive && request.may_keep_alive;
    framing::reply(
        request.head.version,
        request.is_head(),
        head.code(),
        head.promised(),
        known,
        keep_alive,
    )
}

/// The `start_response` that the application gets.
enum Starter {
    Native(Owned, Rc<Exchange>),
    Protocol(Owned),
}

impl Starter {
    fn new(gil: Gil<'_>, site: &Site) -> Result<Starter> {
        let BaseClass { class, stock } = site.base.start_response(gil)?;
        if stock && site.dialect == Dialect::Standard {
            let exchange = Exchange::new(site.base.clone());
            let callable = StartResponse(exchange.clone());
            return Ok(Starter::Native(
                natives(gil).start_response.instantiate(gil, callable)?,
                exchange,
            ));
        }
        protocol::start_response(gil, site, &class).map(Starter::Protocol)
    }

    fn object(&self) -> &Object {
        match self {
            Starter::Native(object, _) | Starter::Protocol(object) => object,
        }
    }
}

/// The legacy answer: the head as the object renders it, HTTP/1.0, one request a connection.
fn legacy_reply(
    gil: Gil<'_>,
    request: &Request<'_>,
    starter: Starter,
    result: Owned,
    out: &mut Outgoing,
) -> Result<Reply> {
    let mut body = Body::new(gil, result, Unsendable::Skipped)?;
    // The first item is drawn before the head is asked for, for HEAD too: it is in it that a
    // generator calls `start_response`.
    let first = match body.source() {
        Source::Iterator(..) => Some(body.next(gil, Unsendable::Skipped)?),
        _ => None,
    };
    let head = protocol::head_text(gil, starter.object())?;
    out.buffer().extend_from_slice(&head);
    let delimiter = if request.is_head() {
        Delimiter::None
    } else {
        Delimiter::Close
    };
    let mut rest = Rest {
        body,
        delimiter,
        exchange: None,
        drained: request.is_head(),
    };
    match first {
        Some(Some(item)) => rest.push(gil, item, out),
        Some(None) => rest.drained = true,
        None => rest.push_ready(gil, out),
    }
    Ok(Reply {
        keep_alive: false,
        lingers: false,
        rest: Some(Box::new(rest)),
    })
}

/// The standard answer: HTTP/1.1, framed by what is known of the body.
fn standard_reply(
    gil: Gil<'_>,
    site: &Site,
    request: &Request<'_>,
    starter: Starter,
    result: Owned,
    out: &mut Outgoing,
) -> Result<Reply> {
    let mut body = Body::new(gil, result, Unsendable::Refused)?;
    let exchange = match &starter {
        Starter::Native(_, exchange) => Some(exchange.clone()),
        Starter::Protocol(_) => None,
    };
    let mut first = exchange
        .as_ref()
        .map(|exchange| exchange.take_written())
        .unwrap_or_default();
    let mut known = body.known_length();
    if known.is_none() {
        // PEP 3333: nothing is sent before the first item that is not empty.
        while first
            .iter()
            .all(|item| item.as_bytes().is_none_or(<[u8]>::is_empty))
        {
            let item = body.next(gil, Unsendable::Refused)?;
            if let Some(exchange) = &exchange {
                first.extend(exchange.take_written());
            }
            let Some(item) = item else {
                known = Some(0);
                break;
            };
            first.push(item);
        }
    }
    let before: u64 = first
        .iter()
        .filter_map(|item| item.as_bytes())
        .map(|bytes| bytes.len() as u64)
        .sum();
    let whole = known.map(|known| known + before);
    let push = |head: &ReplyHead, out: &mut Outgoing| {
        let framing = reply_framing(request, head, whole);
        head.push(out.buffer(), &framing, &site.stamp.borrow());
        framing
    };
    let framing = match &exchange {
        Some(exchange) if exchange.has_head() => exchange.send_head(gil, |head| push(head, out))?,
        Some(_) => {
            let message = "the application did not call start_response";
            return Err(Raised::new(gil, Kind::AssertionError, message));
        }
        None => push(&protocol::standard_head(gil, starter.object())?, out),
    };
    let delimiter = match framing.body {
        _ if framing.head_only => Delimiter::None,
        ReplyBody::Empty => Delimiter::None,
        ReplyBody::Length(length) => Delimiter::Length(length),
        ReplyBody::Chunked => Delimiter::Chunked,
        ReplyBody::UntilClose => Delimiter::Close,
    };
    let drained = matches!(delimiter, Delimiter::None);
    let mut rest = Rest {
        body,
        delimiter,
        exchange,
        drained,
    };
    for item in first {
        rest.push(gil, item, out);
    }
    rest.push_ready(gil, out);
    let mut keep_alive = framing.keep_alive;
    if known == Some(0) || rest.drained {
        keep_alive &= rest.finish(gil, out) == Progress::Whole;
    }
    Ok(Reply {
        keep_alive,
        lingers: false,
        rest: Some(Box::new(rest)),
    })
}

impl Rest {
    /// Asks for the next part of the body and puts it into the queue.
    pub fn pump(&mut self, gil: Gil<'_>, site: &Site, out: &mut Outgoing) -> Progress {
        if self.drained {
            return Progress::Whole;
        }
        let unsendable = match site.dialect {
            Dialect::Legacy => Unsendable::Skipped,
            Dialect::Standard => Unsendable::Refused,
        };
        let item = self.body.next(gil, unsendable);
        let written = self
            .exchange
            .as_ref()
            .map(|exchange| exchange.take_written());
        for item in written.into_iter().flatten() {
            self.push(gil, item, out);
        }
        match item {
            Ok(Some(item)) => {
                self.push(gil, item, out);
                Progress::More
            }
            Ok(None) => self.finish(gil, out),
            Err(raised) => {
                failure::report(gil, site, &Exception::take(gil, raised));
                self.drained = true;
                Progress::Broken
            }
        }
    }

    /// Whether nothing more is asked for.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// Queues what is there at once: the items of a list, a file.
    fn push_ready(&mut self, gil: Gil<'_>, out: &mut Outgoing) {
        match std::mem::replace(self.body.source(), Source::Nothing) {
            Source::Items(items) => {
                for item in items {
                    self.push(gil, item, out);
                }
                self.finish(gil, out);
            }
            Source::File(mut part) => {
                match &mut self.delimiter {
                    Delimiter::None => part.remaining = 0,
                    Delimiter::Length(due) => {
                        part.remaining = part.remaining.min(*due);
                        *due -= part.remaining;
                    }
                    Delimiter::Chunked | Delimiter::Close => {}
                }
                out.push_file(part);
                self.finish(gil, out);
            }
            other => *self.body.source() = other,
        }
    }

    /// Queues one item as the framing wants it.
    fn push(&mut self, gil: Gil<'_>, item: Owned, out: &mut Outgoing) {
        let length = item.as_bytes().map_or(0, <[u8]>::len);
        if length == 0 {
            return;
        }
        match &mut self.delimiter {
            Delimiter::None => {}
            Delimiter::Close => out.push(item, usize::MAX),
            Delimiter::Chunked => {
                push_chunk_size(out.buffer(), length);
                out.push(item, usize::MAX);
                out.buffer().extend_from_slice(b"\r\n");
            }
            Delimiter::Length(due) => {
                let sent = (length as u64).min(*due);
                *due -= sent;
                if sent < length as u64 {
                    console::complain(gil, "the response is longer than its Content-Length: cut");
                }
                if sent > 0 {
                    out.push(item, sent as usize);
                }
            }
        }
    }

    /// The body is at its end.
    fn finish(&mut self, gil: Gil<'_>, out: &mut Outgoing) -> Progress {
        if std::mem::replace(&mut self.drained, true) && !matches!(self.delimiter, Delimiter::None)
        {
            return Progress::Whole;
        }
        match std::mem::replace(&mut self.delimiter, Delimiter::Close) {
            Delimiter::Chunked => out.buffer().extend_from_slice(LAST_CHUNK),
            Delimiter::Length(due) if due > 0 => {
                console::complain(gil, "the response is shorter than its Content-Length");
                return Progress::Broken;
            }
            Delimiter::Length(_) | Delimiter::Close | Delimiter::None => {}
        }
        Progress::Whole
    }
}
