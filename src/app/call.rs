//! The call of the application: the one seam between a request in flight and its response.
//!
//! The way is the same in both dialects: an environ, a `start_response`, the call, the first item of
//! what came back, the head, the body ([`response`]). Whatever raises on it ends in [`failure`].

#![forbid(unsafe_code)]

use crate::app::base::BaseClass;
use crate::app::context::AppContext;
use crate::app::exchange::{CacheResult, Exchange, RequestBody};
use crate::app::input::read_spool;
use crate::app::response::{self, Response};
use crate::app::starter::Starter;
use crate::app::{child, environ, failure, params};
use crate::http::error::HttpError;
use crate::http::framing::BodyLength;
use crate::http::head::Head;
use crate::http::reply::push_legacy_options;
use crate::http::response_head::ResponseHead;
use crate::py::{Exception, Gil, Kind, Object, Owned, Raised, Result, names, number, text};
use crate::queue::WriteQueue;

/// Bytes of a spooled body that a program's own object gets at a time.
const SPOOL_PIECE: usize = 64 * 1024;

/// Calls the application for a request, and queues its response as far as it is there.
pub fn respond(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    out: &mut WriteQueue,
) -> Response {
    match try_respond(gil, ctx, exchange, out) {
        Ok(response) => response,
        Err(raised) => {
            let exception = Exception::take(gil, raised);
            let head_only = exchange.is_head_request();
            Response::last(failure::push(gil, ctx, exception, head_only, out))
        }
    }
}

fn try_respond(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    out: &mut WriteQueue,
) -> Result<Response> {
    let (environ, callback) = match prepare(gil, ctx, exchange, out)? {
        Prepared::Call(environ, callback) => (environ, callback),
        Prepared::Done(response) => return Ok(response),
    };
    let starter = Starter::new(gil, ctx)?;
    starter.open(ctx, exchange, out);
    let result = callback.call(gil, &[&environ, starter.object()]);
    let result = child::exit_if_forked(gil, result);
    let streamed = starter.close(out);
    drop((environ, callback));
    match streamed {
        Some(streamed) => Ok(response::streamed(gil, ctx, starter, streamed, result, out)),
        None => response::begin(gil, ctx, exchange, starter, result?, out),
    }
}

fn rejected(
    ctx: &AppContext,
    error: HttpError,
    exchange: &Exchange,
    out: &mut WriteQueue,
) -> Result<Prepared> {
    let code = ctx.push_rejection(out.buffer(), error, exchange.is_head_request());
    Ok(Prepared::Done(Response::rejection(code)))
}

enum Prepared {
    /// The environ is ready for this application.
    Call(Owned, Owned),
    /// The response needs no application.
    Done(Response),
}

/// Builds the environ, in the order in which `legacy.md` has the checks.
fn prepare(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    out: &mut WriteQueue,
) -> Result<Prepared> {
    let base = ctx.base.environ(gil)?;
    if ctx.dialect.is_about_server(exchange.target().path) {
        return Ok(Prepared::Done(server_options(gil, ctx, exchange, out)?));
    }
    if ctx.dialect.has_plain_environ() && base.stock.is_some() {
        let Some(route) = exchange.route.take() else {
            return rejected(ctx, HttpError::NotFound, exchange, out);
        };
        let environ = environ::plain(gil, ctx, exchange, &route)?;
        return Ok(Prepared::Call(environ, route.callback));
    }
    let cached = std::mem::replace(&mut exchange.cached, CacheResult::Bypass);
    if matches!(cached, CacheResult::Hit(_)) {
        // The class was replaced since this head was cached: its fields were not parsed this time.
        let (mut head, limits) = (Head::default(), ctx.config.head_limits());
        let length = exchange.head.len;
        let parsed = ctx
            .dialect
            .parse(exchange.message(), length, &limits, &mut head);
        exchange.head = head;
        if let Err(error) = parsed {
            return rejected(ctx, error, exchange, out);
        }
    }
    via_base_class(gil, ctx, base, exchange, out)
}

/// Builds the environ by the methods of its class, which each take a part.
fn via_base_class(
    gil: Gil<'_>,
    ctx: &AppContext,
    base: BaseClass,
    exchange: &mut Exchange,
    out: &mut WriteQueue,
) -> Result<Prepared> {
    let BaseClass { class, stock } = base;
    let names = names(gil);
    let environ = match &stock {
        Some(stock) => stock.new_environ(gil)?,
        None => class.call(gil, &[])?,
    };
    // A stock class only adds each part to itself.
    let update = |method: &Object, part: &Object| match stock {
        Some(_) => environ.dict_update(gil, part),
        None => environ.call_method(gil, method, &[part]).map(drop),
    };
    let part = environ::head_part(gil, ctx.dialect, exchange)?;
    update(&names.update_headers, &part)?;
    if ctx.dialect.checks_method() {
        let supported = ctx.base.module.attr(gil, &names.supported_http_command)?;
        let method = text::native(gil, exchange.method())?;
        if !supported.contains(gil, &method)? {
            return rejected(ctx, HttpError::NotImplemented, exchange, out);
        }
        if exchange.method() == b"OPTIONS" {
            let methods = method_list(gil, &supported)?;
            let methods = methods.iter().map(Vec::as_slice);
            push_legacy_options(out.buffer(), &ctx.base.ident, methods);
            return Ok(Prepared::Done(Response::last(200)));
        }
    }
    let Some(route) = exchange.route.take() else {
        return rejected(ctx, HttpError::NotFound, exchange, out);
    };
    let part = environ::uri_part(gil, ctx.dialect, exchange, &route)?;
    update(&names.update_uri, &part)?;
    if ctx.dialect.promises_pep_3333() {
        environ::complete(gil, &environ)?;
    }
    if ctx.dialect.gives_body(exchange.method()) {
        if ctx.dialect.needs_length() && exchange.field(b"content-length").is_none() {
            return rejected(ctx, HttpError::LengthRequired, exchange, out);
        }
        give_body(gil, ctx, exchange, &environ)?;
    }
    let part = environ::client_part(gil, ctx.dialect, exchange)?;
    update(&names.update_from_request, &part)?;
    Ok(Prepared::Call(environ, route.callback))
}

/// The body for an `Environ` of the program's own: into whatever `wsgi.input` it supplies.
fn give_body(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    environ: &Object,
) -> Result<()> {
    let names = names(gil);
    if ctx.dialect.repeats_content_fields() {
        let length = match exchange.framing.body {
            BodyLength::Fixed(length) => length,
            BodyLength::None | BodyLength::Chunked => 0,
        };
        environ.dict_set(
            gil,
            &names.content_length,
            &*number::int(gil, length as i64)?,
        )?;
    }
    let form = params::form(exchange, exchange.field(b"content-type"))
        .map(|form| params::parse_query(gil, &form))
        .transpose()?;
    let supplied = environ.dict_get(gil, &names.wsgi_input);
    match (&exchange.body, supplied) {
        // Another body is longer than a program's own object may want to hold in one piece.
        (RequestBody::Memory(_) | RequestBody::InInput(_) | RequestBody::Empty, Some(supplied))
            if supplied.optional_attr(gil, &names.write)?.is_some() =>
        {
            let buffer = text::body_buffer(gil, exchange.body_in_memory().unwrap_or_default())?;
            supplied.call_method(gil, &names.write, &[&buffer])?;
            supplied.call_method(gil, &names.seek, &[&*number::int(gil, 0)?])?;
        }
        // Without `read` it cannot stand for the input: it takes the body in, as the package's
        // parser of forms does.
        (RequestBody::Pooled(_) | RequestBody::Spooled(_), Some(supplied))
            if supplied.optional_attr(gil, &names.write)?.is_some()
                && supplied.optional_attr(gil, &names.read)?.is_none() =>
        {
            write_long(gil, exchange, &supplied)?;
            supplied.call_method(gil, &names.seek, &[&*number::int(gil, 0)?])?;
        }
        _ => {
            let input = environ::input(gil, exchange)?;
            environ.dict_set(gil, &names.wsgi_input, &input)?;
        }
    }
    if ctx.dialect.repeats_content_fields() {
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
fn write_long(gil: Gil<'_>, exchange: &Exchange, taker: &Object) -> Result<()> {
    let write = |piece: &[u8]| -> Result<()> {
        let buffer = text::body_buffer(gil, piece)?;
        taker.call_method(gil, &names(gil).write, &[&buffer])?;
        Ok(())
    };
    let RequestBody::Spooled(spool) = &exchange.body else {
        let mut pieces = exchange
            .body_in_memory()
            .unwrap_or_default()
            .chunks(SPOOL_PIECE);
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
    ctx: &AppContext,
    exchange: &Exchange,
    out: &mut WriteQueue,
) -> Result<Response> {
    let supported = ctx
        .base
        .module
        .attr(gil, &names(gil).supported_http_command)?;
    let methods = method_list(gil, &supported)?.join(&b", "[..]);
    let mut head = ResponseHead::default();
    let filled = head
        .set_status(b"200 OK")
        .and_then(|()| head.add(b"Allow", &methods));
    if let Err(fault) = filled {
        return Err(Raised::new(gil, Kind::ValueError, fault.message()));
    }
    let framing = exchange.framing_inputs().framing(&head, Some(0));
    head.push(out.buffer(), &framing, &ctx.lines.borrow());
    Ok(Response::whole(head.code(), framing.keep_alive))
}
