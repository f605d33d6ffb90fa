//! One request: the application is called, and what it answers is put into the outgoing queue.
//!
//! The way is the same in both dialects: an environ, a `start_response`, the call, the first item of
//! what came back, the head, the body ([`reply`]). Whatever raises on it ends in [`failure`].

#![forbid(unsafe_code)]

use crate::app::base::BaseClass;
use crate::app::input::read_spool;
use crate::app::line::{Flush, Terms};
use crate::app::long_body::LongBody;
use crate::app::memo::Memos;
use crate::app::reply::{self, Reply, Starter};
use crate::app::reply_head::ReplyHead;
use crate::app::site::{Client, Endpoint, Site};
use crate::app::{child, environ, failure, params};
use crate::http::error::HttpError;
use crate::http::framing::{BodyLength, Framing};
use crate::http::head::Head;
use crate::http::reply::push_legacy_options;
use crate::http::target::Target;
use crate::py::{Exception, Gil, Kind, Object, Owned, Raised, Result, names, number, text};
use crate::queue::WriteQueue;
use crate::sys::socket::Socket;
use crate::sys::spool::Spool;

/// Bytes of a spooled body that a program's own object gets at a time.
const SPOOL_PIECE: usize = 64 * 1024;

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
    /// It is in the memory for long ones.
    Long(LongBody),
    /// It is in a temporary file.
    Spooled(Spool),
}

impl RequestBody<'_> {
    /// The body, unless it is in a file.
    pub fn memory(&self) -> Option<&[u8]> {
        match self {
            RequestBody::Empty => Some(b""),
            RequestBody::Memory(body) => Some(body),
            RequestBody::Long(body) => Some(&body.bytes),
            RequestBody::Spooled(_) => None,
        }
    }
}

/// A whole request, and where it came from.
pub struct Request<'a> {
    /// Its head; the spans are offsets into `bytes`. Of one that was seen before, only the line.
    pub head: &'a Head,
    /// The parts of its target.
    pub target: Target<'a>,
    /// What was received, from the head's first byte; in the legacy dialect the body too.
    pub bytes: &'a [u8],
    /// How it was delimited.
    pub framing: &'a Framing,
    /// The environ of a head that was seen before, all but what the request line says.
    pub known: Option<Owned>,
    /// Where heads are remembered, and the number of this connection; `None` for this request.
    pub memory: Option<(&'a Memos, u32)>,
    /// Its body.
    pub body: RequestBody<'a>,
    /// Where its target leads; `None`: nowhere.
    pub route: Option<Route>,
    /// The listener it came by.
    pub endpoint: &'a Endpoint,
    /// Who sent it.
    pub client: &'a Client,
    /// The connection's socket.
    pub socket: &'a Socket,
    /// Whether the connection may be kept; not when the server is about to end.
    pub may_keep_alive: bool,
    /// How what is queued is written at once.
    pub flush: Flush,
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

    /// The same request with its fields read, which are in `head`; of this one the body and the route
    /// are gone.
    fn reread<'b>(&mut self, head: &'b Head) -> Request<'b>
    where
        'a: 'b,
    {
        Request {
            head,
            known: None,
            memory: None,
            body: std::mem::replace(&mut self.body, RequestBody::Empty),
            route: self.route.take(),
            ..*self
        }
    }

    /// What it decides about the framing of its answer.
    pub fn terms(&self) -> Terms {
        Terms {
            version: self.head.version,
            head_only: self.is_head(),
            keep_alive: self.framing.keep_alive && self.may_keep_alive,
        }
    }

    /// Whether only the head of the answer is wanted.
    pub fn is_head(&self) -> bool {
        self.head.is_for_head(self.bytes)
    }
}

/// Answers a request.
pub fn answer(gil: Gil<'_>, site: &Site, mut request: Request<'_>, out: &mut WriteQueue) -> Reply {
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
    out: &mut WriteQueue,
) -> Result<Reply> {
    let (environ, callback) = match prepare(gil, site, request, out)? {
        Prepared::Call(environ, callback) => (environ, callback),
        Prepared::Answered(reply) => return Ok(reply),
    };
    let starter = Starter::new(gil, site)?;
    starter.open(site, request, out);
    let result = callback.call(gil, &[&environ, starter.object()]);
    let result = child::ends_here(gil, result);
    let streamed = starter.close(out);
    drop((environ, callback));
    match streamed {
        Some(streamed) => Ok(reply::streamed(gil, site, starter, streamed, result, out)),
        None => reply::reply(gil, site, request, starter, result?, out),
    }
}

fn refused(
    site: &Site,
    error: HttpError,
    head_only: bool,
    out: &mut WriteQueue,
) -> Result<Prepared> {
    site.dialect
        .push_refusal(out.buffer(), site, error, head_only);
    Ok(Prepared::Answered(Reply::last(true)))
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
    out: &mut WriteQueue,
) -> Result<Prepared> {
    let head_only = request.is_head();
    let base = site.base.environ(gil)?;
    if site.dialect.is_about_server(request.target.path) {
        return Ok(Prepared::Answered(server_options(gil, site, request, out)?));
    }
    if site.dialect.has_plain_environ() && base.stock.is_some() {
        let Some(route) = request.route.take() else {
            return refused(site, HttpError::NotFound, head_only, out);
        };
        let environ = environ::plain(gil, site, request, &route)?;
        return Ok(Prepared::Call(environ, route.callback));
    }
    if request.known.take().is_none() {
        return by_portions(gil, site, base, request, out);
    }
    // The class was replaced since this head was remembered.
    let (mut head, limits) = (Head::default(), site.config.head_limits());
    let length = request.head.len;
    match site
        .dialect
        .parse(request.bytes, length, &limits, &mut head)
    {
        Ok(()) => by_portions(gil, site, base, &mut request.reread(&head), out),
        Err(error) => refused(site, error, head_only, out),
    }
}

/// Builds the environ by the methods of its class, which each take a portion.
fn by_portions(
    gil: Gil<'_>,
    site: &Site,
    base: BaseClass,
    request: &mut Request<'_>,
    out: &mut WriteQueue,
) -> Result<Prepared> {
    let head_only = request.is_head();
    let BaseClass { class, stock } = base;
    let names = names(gil);
    let environ = match &stock {
        Some(stock) => stock.new_environ(gil)?,
        None => class.call(gil, &[])?,
    };
    // A stock class only adds each portion to itself.
    let update = |method: &Object, portion: &Object| match stock {
        Some(_) => environ.dict_update(gil, portion),
        None => environ.call_method(gil, method, &[portion]).map(drop),
    };
    let portion = environ::head_portion(gil, site.dialect, request)?;
    update(&names.update_headers, &portion)?;
    if site.dialect.checks_method() {
        let supported = site.base.module.attr(gil, &names.supported_http_command)?;
        let method = text::native(gil, request.method())?;
        if !supported.contains(gil, &method)? {
            return refused(site, HttpError::NotImplemented, head_only, out);
        }
        if request.method() == b"OPTIONS" {
            let methods = method_list(gil, &supported)?;
            let methods = methods.iter().map(Vec::as_slice);
            push_legacy_options(out.buffer(), &site.base.ident, methods);
            return Ok(Prepared::Answered(Reply::last(false)));
        }
    }
    let Some(route) = request.route.take() else {
        return refused(site, HttpError::NotFound, head_only, out);
    };
    let portion = environ::uri_portion(gil, site.dialect, request, &route)?;
    update(&names.update_uri, &portion)?;
    if site.dialect.promises_pep_3333() {
        environ::complete(gil, &environ)?;
    }
    if site.dialect.gives_body(request.method()) {
        if site.dialect.needs_length() && request.field(b"content-length").is_none() {
            return refused(site, HttpError::LengthRequired, head_only, out);
        }
        give_body(gil, site, request, &environ)?;
    }
    let portion = environ::client_portion(gil, site.dialect, request)?;
    update(&names.update_from_request, &portion)?;
    Ok(Prepared::Call(environ, route.callback))
}

/// The body for an `Environ` of the program's own: into whatever `wsgi.input` it supplies.
fn give_body(gil: Gil<'_>, site: &Site, request: &mut Request<'_>, environ: &Object) -> Result<()> {
    let names = names(gil);
    if site.dialect.repeats_content_fields() {
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
    let form = params::form(request, request.field(b"content-type"))
        .map(|form| params::parse_query(gil, &form))
        .transpose()?;
    let supplied = environ.dict_get(gil, &names.wsgi_input);
    match (&request.body, supplied) {
        // Another body is longer than a program's own object may want to hold in one piece.
        (RequestBody::Memory(_) | RequestBody::Empty, Some(supplied))
            if supplied.optional_attr(gil, &names.write)?.is_some() =>
        {
            let buffer = text::body_buffer(gil, request.body.memory().unwrap_or_default())?;
            supplied.call_method(gil, &names.write, &[&buffer])?;
            supplied.call_method(gil, &names.seek, &[&*number::int(gil, 0)?])?;
        }
        // Without `read` it cannot stand for the input: it takes the body in, as the package's
        // parser of forms does.
        (body @ (RequestBody::Long(_) | RequestBody::Spooled(_)), Some(supplied))
            if supplied.optional_attr(gil, &names.write)?.is_some()
                && supplied.optional_attr(gil, &names.read)?.is_none() =>
        {
            write_long(gil, body, &supplied)?;
            supplied.call_method(gil, &names.seek, &[&*number::int(gil, 0)?])?;
        }
        _ => {
            let input = environ::input(gil, request)?;
            environ.dict_set(gil, &names.wsgi_input, &input)?;
        }
    }
    if site.dialect.repeats_content_fields() {
        let media = environ.dict_get(gil, &names.http_content_type);
        let media = media.unwrap_or_else(|| Owned::none(gil));
        environ.dict_set(gil, &names.content_type, &media)?;
    }
    match form {
        Some(form) => environ.dict_set(gil, &names.fapws_params, &form),
        None => Ok(()),
    }
}

/// Writes a long body to the program's own object in pieces, so that memory does not grow with it.
fn write_long(gil: Gil<'_>, body: &RequestBody<'_>, taker: &Object) -> Result<()> {
    let write = |piece: &[u8]| -> Result<()> {
        let buffer = text::body_buffer(gil, piece)?;
        taker.call_method(gil, &names(gil).write, &[&buffer])?;
        Ok(())
    };
    let RequestBody::Spooled(spool) = body else {
        let mut pieces = body.memory().unwrap_or_default().chunks(SPOOL_PIECE);
        return pieces.try_for_each(write);
    };
    let mut piece = vec![0; SPOOL_PIECE];
    let mut written = 0;
    while written < spool.len() {
        let length = (spool.len() - written).min(SPOOL_PIECE as u64) as usize;
        read_spool(gil, spool, written, &mut piece[..length])?;
        write(&piece[..length])?;
        written += length as u64;
    }
    Ok(())
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
    out: &mut WriteQueue,
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
    let framing = request.terms().framing(&head, Some(0));
    head.push(out.buffer(), &framing, &site.stamp.borrow());
    Ok(Reply::whole(framing.keep_alive))
}
