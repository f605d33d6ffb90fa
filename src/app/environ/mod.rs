//! The environ of the standard dialect, natively: a plain dict (PEP 3333).
//!
//! A program's own `Environ` class and the legacy dialect get theirs in [`parts`], by the methods of
//! the class ([`via_class`]).
//!
//! Invariant: an environ is whole before the application sees it; whatever is in it is owned by it.

#![forbid(unsafe_code)]

pub mod cache;
pub mod constants;
pub mod forwarded;
pub mod header_keys;
pub mod keys;
pub mod own_input;
pub mod parts;
pub mod template;
pub mod via_class;

use crate::app::context::AppContext;
use crate::app::endpoint::{Endpoint, EnvironTemplate, Surroundings};
use crate::app::environ::forwarded::prepend_script_name;
use crate::app::environ::keys::{
    fapws_client_keys, fapws_head_keys, standard_client_keys, standard_head_keys, standard_uri_keys,
};
use crate::app::environ::template::template;
use crate::app::exchange::{CacheResult, Exchange, Route};
use crate::app::takeover::Takeover;
use crate::app::{input, params};
use crate::py::{Gil, Object, Owned, Result, names, text};

/// The environ of a request that goes to `route`.
pub fn plain(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    route: &Route,
) -> Result<Owned> {
    let environ = match std::mem::replace(&mut exchange.cached, CacheResult::Bypass) {
        CacheResult::Hit(environ) => environ,
        CacheResult::Miss => {
            let environ = read_head(gil, ctx, exchange)?;
            let (head, connection) = (exchange.message(), exchange.connection);
            let (length, framing) = (exchange.head.len, &exchange.framing);
            ctx.environ_cache
                .insert(gil, connection, head, length, framing, &environ)?;
            environ
        }
        CacheResult::Bypass => read_head(gil, ctx, exchange)?,
    };
    let prefix = forwarded_prefix(gil, ctx, exchange, &environ);
    standard_uri_keys(gil, ctx.dialect, exchange, route, &environ, true)?;
    if let Some(prefix) = prefix.filter(|_| route.script_name.is_some()) {
        prepend_script_name(gil, &environ, &prefix)?;
    }
    if route.registered {
        fapws_head_keys(gil, exchange, &environ)?;
        fapws_client_keys(gil, exchange, &environ)?;
        // From the environ: the fields of a head that was seen before were not read.
        let media = environ.dict_get(gil, &names(gil).content_type);
        let media = media.as_ref().and_then(|media| text::latin1(gil, media));
        let params = params::when_asked(gil, ctx.dialect, exchange, media.as_deref())?;
        environ.dict_set(gil, &names(gil).fapws_params, &params)?;
    }
    let input = input::of(gil, exchange)?;
    environ.dict_set(gil, &names(gil).wsgi_input, &input)?;
    Takeover::offer(gil, ctx, exchange, &environ)?;
    Ok(environ)
}

/// The environ of a head, all but what the request line says.
fn read_head(gil: Gil<'_>, ctx: &AppContext, exchange: &Exchange) -> Result<Owned> {
    let environ = from_template(gil, ctx, &exchange.endpoint)?;
    standard_head_keys(gil, exchange, &environ, true)?;
    standard_client_keys(gil, exchange, &environ)?;
    if forwarded::counts(ctx, exchange) {
        forwarded::apply(gil, ctx, exchange, &environ)?;
    }
    Ok(environ)
}

/// What the fields said of `SCRIPT_NAME`, before the route says it.
fn forwarded_prefix(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &Exchange,
    environ: &Object,
) -> Option<Vec<u8>> {
    if !forwarded::counts(ctx, exchange) {
        return None;
    }
    let prefix = environ.dict_get(gil, &names(gil).script_name)?;
    Some(text::latin1(gil, &prefix)?.to_vec())
}

/// A copy of the endpoint's template, made at the first request of a run.
fn from_template(gil: Gil<'_>, ctx: &AppContext, endpoint: &Endpoint) -> Result<Owned> {
    let software = &ctx.base.software;
    let kept = endpoint.template.take();
    let surroundings = Surroundings::of(&ctx.config);
    let is_this_runs =
        |kept: &EnvironTemplate| kept.software.is(software) && kept.surroundings == surroundings;
    let kept = match kept.filter(is_this_runs) {
        Some(kept) => kept,
        None => EnvironTemplate {
            environ: template(gil, endpoint, software, surroundings)?,
            software: software.own(gil),
            surroundings,
        },
    };
    let environ = kept.environ.dict_copy(gil);
    endpoint.template.put(kept);
    environ
}
