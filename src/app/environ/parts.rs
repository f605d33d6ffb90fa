//! The three dicts that the methods of a base module's `Environ` take.

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::endpoint::Surroundings;
use crate::app::environ::constants::constants;
use crate::app::environ::header_keys::header_keys;
use crate::app::environ::standard::{
    fapws_client_keys, fapws_head_keys, is_forwarded_https, major_minor, raw_header, rest,
    standard_client_keys, standard_head_keys, standard_uri_keys,
};
use crate::app::exchange::{Exchange, Route};
use crate::app::{errors, file_wrapper, params};
use crate::dialect::Dialect;
use crate::py::{Gil, Object, Owned, Result, container, names, text};

/// What `Environ.update_headers` gets.
pub fn head_part(gil: Gil<'_>, dialect: Dialect, exchange: &Exchange) -> Result<Owned> {
    let part = container::dict(gil)?;
    match dialect {
        Dialect::Legacy => legacy_head_keys(gil, exchange, &part)?,
        Dialect::Standard => {
            standard_head_keys(gil, exchange, &part, false)?;
            fapws_head_keys(gil, exchange, &part)?;
        }
    }
    Ok(part)
}

/// Everything that `update_headers` gave in the original, in its order: every field as `HTTP_`, the
/// last of a repeated one, and the scheme in upper case.
fn legacy_head_keys(gil: Gil<'_>, exchange: &Exchange, part: &Object) -> Result<()> {
    let (names, constants) = (names(gil), constants(gil)?);
    let (head, bytes) = (&exchange.head, exchange.message());
    let set = |key: &Object, value: &Object| part.dict_set(gil, key, value);
    let target = head.target.of(bytes);
    let protocol = head.protocol.of(bytes);
    // COMPAT(fapws3): here the query is what follows the last `?`; `update_uri` has the first.
    let query = memchr::memrchr(b'?', target).map_or(&b""[..], |at| &target[at + 1..]);
    let (scheme, _) = protocol.split_at(protocol.len().saturating_sub(4));
    set(&names.fapws_raw_header, &*raw_header(gil, bytes)?)?;
    set(
        &names.request_method,
        &*constants.method(gil, head.method.of(bytes))?,
    )?;
    set(&names.fapws_uri, &*text::native(gil, target)?)?;
    set(&names.query_string, &*text::native(gil, query)?)?;
    set(&names.fapws_major_minor, &*major_minor(gil, protocol)?)?;
    set(&names.wsgi_url_scheme, &*constants.scheme(gil, scheme)?)?;
    let protocol = constants.protocol(gil, protocol)?;
    set(&names.server_protocol, &protocol)?;
    set(&names.request_protocol, &protocol)?;
    let header_keys = header_keys(gil)?;
    for field in &head.fields {
        let key = header_keys.get(gil, field.name.of(bytes))?;
        set(&key, &*text::native(gil, field.value.of(bytes))?)?;
    }
    Ok(())
}

/// What `Environ.update_uri` gets.
pub fn uri_part(
    gil: Gil<'_>,
    dialect: Dialect,
    exchange: &Exchange,
    route: &Route,
) -> Result<Owned> {
    let names = names(gil);
    let part = container::dict(gil)?;
    let address = match dialect {
        Dialect::Legacy => &exchange.endpoint.given,
        Dialect::Standard => &exchange.endpoint.standard,
    };
    part.dict_set(gil, &names.server_name, &address.name)?;
    part.dict_set(gil, &names.server_port, &address.port)?;
    part.dict_set(gil, &names.script_name, &constants(gil)?.empty)?;
    standard_uri_keys(gil, dialect, exchange, route, &part, false)?;
    if let Some(query) = rest(exchange, route).1 {
        part.dict_set(gil, &names.fapws_params, &*params::parse_query(gil, query)?)?;
    }
    Ok(part)
}

/// What `Environ.update_from_request` gets.
pub fn client_part(gil: Gil<'_>, dialect: Dialect, exchange: &Exchange) -> Result<Owned> {
    let part = container::dict(gil)?;
    fapws_client_keys(gil, exchange, &part)?;
    let names = names(gil);
    part.dict_set(gil, &names.remote_addr, &*exchange.client.address(gil)?)?;
    if dialect.promises_pep_3333() {
        standard_client_keys(gil, exchange, &part)?;
    }
    Ok(part)
}

/// The keys that an `Environ` of the program's own lacks for PEP 3333, and what only the server knows.
pub fn complete(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &Exchange,
    environ: &Object,
) -> Result<()> {
    let names = names(gil);
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    let scheme: &[u8] = if is_forwarded_https(exchange) {
        b"https"
    } else {
        b"http"
    };
    set(&names.wsgi_url_scheme, &*text::native(gil, scheme)?)?;
    set(&names.server_software, &ctx.base.software)?;
    let surroundings = Surroundings::of(&ctx.config);
    let multithread = Owned::boolean(gil, surroundings.multithread);
    set(&names.wsgi_multithread, &multithread)?;
    let multiprocess = Owned::boolean(gil, surroundings.multiprocess);
    set(&names.wsgi_multiprocess, &multiprocess)?;
    set(&names.wsgi_errors, errors::stream(gil)?)?;
    set(&names.wsgi_file_wrapper, file_wrapper::class(gil)?.object())?;
    set(&names.wsgi_input_terminated, &Owned::boolean(gil, true))
}
