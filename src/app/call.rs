//! The call of the application: the one seam between a request in flight and its response.
//!
//! The way is the same in both dialects: an environ, a `start_response`, the call, the first item of
//! what came back, the head, the body ([`response`]). Whatever raises on it ends in [`failure`].

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::environ::standard;
use crate::app::environ::via_class::{Made, method_list, via_base_class};
use crate::app::exchange::{CacheResult, Exchange};
use crate::app::response::{self, Response};
use crate::app::start_response::StartResponse;
use crate::app::start_response::state::Closed;
use crate::app::takeover::Takeover;
use crate::app::{child, failure, logged};
use crate::http::error::HttpError;
use crate::http::head::Head;
use crate::http::reply::push_legacy_options;
use crate::http::response_head::ResponseHead;
use crate::py::{Exception, Gil, Kind, Owned, Raised, Result, names};
use crate::queue::WriteQueue;

/// Calls the application for a request, and queues its response as far as it is there.
pub fn respond(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    out: &mut WriteQueue,
) -> Response {
    let response = match try_respond(gil, ctx, exchange, out) {
        Ok(response) => response,
        // Nobody is left to hear of it.
        Err(raised) if is_taken_over(gil, exchange) => {
            raised.clear(gil);
            Response::taken_over()
        }
        Err(raised) => {
            let exception = Exception::take(gil, raised);
            let head_only = exchange.is_head_request();
            let label = exchange.label();
            Response::last(failure::push(gil, ctx, exception, &label, head_only, out))
        }
    };
    child::leave_if_forked(gil);
    if Takeover::of(gil, exchange).is_some_and(|takeover| takeover.close()) {
        out.clear(gil);
        return Response::taken_over();
    }
    response
}

fn is_taken_over(gil: Gil<'_>, exchange: &Exchange) -> bool {
    Takeover::of(gil, exchange).is_some_and(|takeover| takeover.is_taken())
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
    let start_response = StartResponse::new(gil, ctx)?;
    if let Some(early_hints) = start_response.early_hints() {
        environ.dict_set(gil, &names(gil).wsgi_early_hints, early_hints)?;
    }
    start_response.open(ctx, exchange, out);
    let takeover = Takeover::of(gil, exchange);
    if let Some(takeover) = &takeover {
        takeover.open(&start_response);
    }
    // What made the environ and the callable may be the program's, and have forked.
    child::leave_if_forked(gil);
    let result = callback.call(gil, &[&environ, start_response.object()]);
    let result = child::exit_if_forked(gil, result);
    let closed = start_response.close(out);
    if let Some(takeover) = &takeover {
        takeover.returned(&closed);
    }
    let result = logged::take_variables(gil, &ctx.logged, &environ, exchange, result);
    drop((environ, callback));
    if takeover.is_some_and(|takeover| takeover.is_taken()) {
        response::drop_result(gil, result);
        return Ok(Response::taken_over());
    }
    match closed {
        Closed::Unused => response::begin(gil, ctx, exchange, start_response, result?, out),
        Closed::Streamed(sent) => Ok(response::streamed(
            gil,
            ctx,
            exchange,
            start_response,
            sent,
            result,
            out,
        )),
        Closed::Lost => Ok(response::lost(gil, ctx, exchange, result)),
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

/// Builds the environ; the checks come in the order of the original: method, then path, then length.
fn prepare(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    out: &mut WriteQueue,
) -> Result<Prepared> {
    if exchange.route.is_none() && ctx.dialect.is_about_server(exchange.target().path) {
        return Ok(Prepared::Done(server_options(gil, ctx, exchange, out)?));
    }
    if ctx.dialect.has_plain_environ() && ctx.base.has_stock_environ(gil)? {
        let Some(route) = exchange.route.take() else {
            return rejected(ctx, HttpError::NotFound, exchange, out);
        };
        let environ = standard::plain(gil, ctx, exchange, &route)?;
        return Ok(Prepared::Call(environ, route.callback));
    }
    let cached = std::mem::replace(&mut exchange.cached, CacheResult::Bypass);
    if matches!(cached, CacheResult::Hit(_)) {
        // The class was replaced since this head was cached: its fields were not parsed this time.
        let (mut head, limits) = (Box::<Head>::default(), ctx.config.head_limits());
        let length = exchange.head.len;
        let parsed = ctx
            .dialect
            .parse(exchange.message(), length, &limits, &mut head);
        exchange.head = head;
        if let Err(error) = parsed {
            return rejected(ctx, error, exchange, out);
        }
    }
    let base = ctx.base.environ(gil)?;
    match via_base_class(gil, ctx, &base, exchange)? {
        Made::Environ(environ, route) => Ok(Prepared::Call(environ, route.callback)),
        Made::Rejected(error) => rejected(ctx, error, exchange, out),
        Made::Options(methods) => {
            let methods = methods.iter().map(Vec::as_slice);
            push_legacy_options(out.buffer(), &ctx.base.ident, methods);
            Ok(Prepared::Done(Response::last(200)))
        }
    }
}

/// The methods of `Allow` for an application: the server passes every token on, so these are the
/// registered ones (RFC 9110 section 9, RFC 5789) but those that are not for origin servers.
const METHODS: [&[u8]; 7] = [
    b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT",
];

/// `OPTIONS *` asks about the server (RFC 9110 section 9.3.7); here no application is registered for
/// everything, which could speak for it.
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
    let mut methods = METHODS.map(<[u8]>::to_vec).to_vec();
    methods.extend(method_list(gil, &supported)?);
    methods.sort();
    methods.dedup();
    let methods = methods.join(&b", "[..]);
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
