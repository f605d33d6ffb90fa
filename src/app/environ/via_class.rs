//! The environ by way of the base module's `Environ`: called as documented, or, where it is a stock
//! class, filled natively with the same effect.

#![forbid(unsafe_code)]

use crate::app::base::BaseClass;
use crate::app::context::AppContext;
use crate::app::environ::own_input::give_body;
use crate::app::environ::{forwarded, parts};
use crate::app::exchange::{Exchange, Route};
use crate::app::takeover::Takeover;
use crate::http::error::HttpError;
use crate::py::{Gil, Object, Owned, Result, names, text};

/// What came of it.
pub enum Made {
    /// The environ.
    Environ(Owned, Route),
    /// The request is rejected.
    Rejected(HttpError),
    /// It asks which methods there are (legacy dialect).
    Options(Vec<Vec<u8>>),
}

/// Builds the environ by the methods of its class, which each take a part.
pub fn via_base_class(
    gil: Gil<'_>,
    ctx: &AppContext,
    base: &BaseClass,
    exchange: &mut Exchange,
) -> Result<Made> {
    let BaseClass { class, stock, .. } = base;
    let names = names(gil);
    let environ = match stock {
        Some(stock) => stock.new_environ(gil)?,
        None => class.call(gil, &[])?,
    };
    // A stock class only adds each part to itself.
    let update = |method: &Object, part: &Object| match stock {
        Some(_) => environ.dict_update(gil, part),
        None => environ.call_method(gil, method, &[part]).map(drop),
    };
    let part = parts::head_part(gil, ctx.dialect, exchange)?;
    update(&names.update_headers, &part)?;
    if ctx.dialect.checks_method() {
        let supported = ctx.base.module.attr(gil, &names.supported_http_command)?;
        let method = text::native(gil, exchange.method())?;
        if !supported.contains(gil, &method)? {
            return Ok(Made::Rejected(HttpError::NotImplemented));
        }
        if exchange.method() == b"OPTIONS" {
            return Ok(Made::Options(method_list(gil, &supported)?));
        }
    }
    let Some(route) = exchange.route.take() else {
        return Ok(Made::Rejected(HttpError::NotFound));
    };
    let part = parts::uri_part(gil, ctx.dialect, exchange, &route)?;
    update(&names.update_uri, &part)?;
    if ctx.dialect.promises_pep_3333() {
        parts::complete(gil, ctx, exchange, &environ)?;
        Takeover::offer(gil, ctx, exchange, &environ)?;
    }
    if ctx.dialect.gives_body(exchange.method()) {
        if ctx.dialect.needs_length() && exchange.field(b"content-length").is_none() {
            return Ok(Made::Rejected(HttpError::LengthRequired));
        }
        give_body(gil, ctx, exchange, &environ)?;
    }
    let part = parts::client_part(gil, ctx.dialect, exchange)?;
    update(&names.update_from_request, &part)?;
    if ctx.dialect.has_proxy_headers() && forwarded::counts(ctx, exchange) {
        forwarded::apply(gil, ctx, exchange, &environ)?;
    }
    Ok(Made::Environ(environ, route))
}

/// The methods in a base module's list.
pub fn method_list(gil: Gil<'_>, supported: &Object) -> Result<Vec<Vec<u8>>> {
    let mut methods = Vec::new();
    let items = supported.iterate(gil)?;
    while let Some(item) = items.next(gil)? {
        methods.push(text::display(gil, &item)?);
    }
    Ok(methods)
}
