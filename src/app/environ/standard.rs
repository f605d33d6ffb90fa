//! The environ of the standard dialect, natively: a plain dict (PEP 3333), and its keys one group each.
//!
//! All but what the request line says is kept for the next request with the same head ([`super::cache`]).

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::endpoint::{Endpoint, EnvironTemplate, Surroundings};
use crate::app::environ::constants::constants;
use crate::app::environ::forwarded::{self, prepend_script_name};
use crate::app::environ::header_keys::header_keys;
use crate::app::environ::template::{DEFAULT_METHOD, DEFAULT_PROTOCOL, template};
use crate::app::exchange::{CacheResult, Exchange, Route};
use crate::app::takeover::Takeover;
use crate::app::{input, params};
use crate::dialect::Dialect;
use crate::http::framing::BodyLength;
use crate::http::grammar;
use crate::http::target::percent_decode;
use crate::py::{Gil, Object, Owned, Result, names, number, text};

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

/// Method, protocol, `CONTENT_*` and `HTTP_*` (RFC 3875, PEP 3333). An environ made from the template
/// has the ordinary method and protocol already.
pub fn standard_head_keys(
    gil: Gil<'_>,
    exchange: &Exchange,
    environ: &Object,
    from_template: bool,
) -> Result<()> {
    let (names, constants) = (names(gil), constants(gil)?);
    let (head, bytes) = (&exchange.head, exchange.message());
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    let (method, protocol) = (head.method.of(bytes), head.protocol.of(bytes));
    if method != DEFAULT_METHOD || !from_template {
        set(&names.request_method, &*constants.method(gil, method)?)?;
    }
    if protocol != DEFAULT_PROTOCOL || !from_template {
        set(&names.server_protocol, &*constants.protocol(gil, protocol)?)?;
    }
    let header_keys = header_keys(gil)?;
    let (mut seen, mut names_others) = (0u64, false);
    for field in &head.fields {
        let (name, value) = (field.name.of(bytes), field.value.of(bytes));
        match content_key(name) {
            Some(ContentKey::Type) => {
                set(&names.content_type, &*text::native(gil, value)?)?;
                continue;
            }
            Some(ContentKey::Length) => {
                set(&names.content_length, &*text::native(gil, value)?)?;
                continue;
            }
            None => {}
        }
        let key = header_keys.get(gil, name)?;
        let repeated = match key.common {
            Some(place) => {
                let bit = 1u64 << place;
                if header_keys.of_connection & bit != 0 {
                    names_others |= !is_plain_option(name, value);
                    if !is_of_upgrade(exchange, name) {
                        continue;
                    }
                }
                let repeated = seen & bit != 0;
                seen |= bit;
                repeated
            }
            None => environ.dict_get(gil, &key).is_some(),
        };
        if repeated && let Some(before) = environ.dict_get(gil, &key) {
            let separator: &[u8] = if name.eq_ignore_ascii_case(b"cookie") {
                b"; "
            } else {
                b", "
            };
            let mut joined = text::expect_latin1(gil, &before, "a header")?.to_vec();
            joined.extend_from_slice(separator);
            joined.extend_from_slice(value);
            set(&key, &*text::native(gil, &joined)?)?;
        } else {
            set(&key, &*text::native(gil, value)?)?;
        }
    }
    if seen & header_keys.forwarded_proto != 0 && is_forwarded_https(exchange) {
        set(&names.wsgi_url_scheme, &*text::native(gil, b"https")?)?;
    }
    if names_others {
        remove_named(gil, exchange, environ)?;
    }
    // The body is whole, so its length is known (RFC 9112 section 7.1.3).
    if exchange.framing.body == BodyLength::Chunked {
        let length = exchange.body_len().to_string();
        set(
            &names.content_length,
            &*text::native(gil, length.as_bytes())?,
        )?;
    }
    // RFC 9112 section 3.2.2: the authority of an absolute target replaces Host.
    if let Some(authority) = exchange.target().authority {
        set(&names.http_host, &*text::native(gil, authority)?)?;
    }
    Ok(())
}

/// Whether a proxy that is trusted says that its client speaks https. The last element of a list is the
/// one of the proxy at the other end of the connection.
pub fn is_forwarded_https(exchange: &Exchange) -> bool {
    let says_so = |value: &[u8]| {
        let scheme = grammar::list_elements(value).last();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https"))
    };
    exchange.client.is_trusted && exchange.field(b"x-forwarded-proto").is_some_and(says_so)
}

/// Whether a field of the connection names no other field: any but `Connection`, and that with
/// `keep-alive` or `close`.
fn is_plain_option(name: &[u8], value: &[u8]) -> bool {
    !name.eq_ignore_ascii_case(b"connection")
        || value.eq_ignore_ascii_case(b"keep-alive")
        || value.eq_ignore_ascii_case(b"close")
}

/// Removes the fields that `Connection` names (RFC 9110 section 7.6.1), but not those that it must not
/// name: a client could take away what a proxy said of it.
fn remove_named(gil: Gil<'_>, exchange: &Exchange, environ: &Object) -> Result<()> {
    let (head, bytes) = (&exchange.head, exchange.message());
    let is_connection = |name: &[u8]| name.eq_ignore_ascii_case(b"connection");
    let fields = head.fields.iter();
    for field in fields.filter(|field| is_connection(field.name.of(bytes))) {
        for name in grammar::list_elements(field.value.of(bytes)) {
            if !grammar::is_token(name) || is_end_to_end(name) || is_of_upgrade(exchange, name) {
                continue;
            }
            let key = header_keys(gil)?.get(gil, name)?;
            if environ.dict_get(gil, &key).is_some() {
                environ.dict_delete(gil, &key)?;
            }
        }
    }
    Ok(())
}

/// Whether a field asks for another protocol, which is the application's to speak
/// ([`crate::app::takeover`]).
fn is_of_upgrade(exchange: &Exchange, name: &[u8]) -> bool {
    exchange.framing.upgrades
        && (name.eq_ignore_ascii_case(b"connection") || name.eq_ignore_ascii_case(b"upgrade"))
}

/// Whether a field is meant for the origin server, even where `Connection` names it.
fn is_end_to_end(name: &[u8]) -> bool {
    const FIELDS: [&[u8]; 6] = [
        b"authorization",
        b"cookie",
        b"forwarded",
        b"host",
        b"via",
        b"x-real-ip",
    ];
    const FORWARDED: &[u8] = b"x-forwarded-";
    let is_forwarded = name.get(..FORWARDED.len());
    FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
        || is_forwarded.is_some_and(|start| start.eq_ignore_ascii_case(FORWARDED))
}

enum ContentKey {
    Type,
    Length,
}

fn content_key(name: &[u8]) -> Option<ContentKey> {
    match name.len() {
        12 if name.eq_ignore_ascii_case(b"content-type") => Some(ContentKey::Type),
        14 if name.eq_ignore_ascii_case(b"content-length") => Some(ContentKey::Length),
        _ => None,
    }
}

/// The path and query behind the prefix that matched, raw.
///
/// The prefix is one of the whole target, query included (`docs/module.md`), so that it can end anywhere.
pub fn rest<'r>(exchange: &'r Exchange, route: &Route) -> (&'r [u8], Option<&'r [u8]>) {
    let target = exchange.target();
    let prefix = route.script_name_len;
    if prefix <= target.path.len() {
        return (&target.path[prefix..], target.query);
    }
    // The prefix reaches into the query.
    let rest = target.origin.get(prefix..).unwrap_or_default();
    match memchr::memchr(b'?', rest) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    }
}

/// `SCRIPT_NAME`, `PATH_INFO`, `QUERY_STRING`.
pub fn standard_uri_keys(
    gil: Gil<'_>,
    dialect: Dialect,
    exchange: &Exchange,
    route: &Route,
    environ: &Object,
    from_template: bool,
) -> Result<()> {
    let names = names(gil);
    let (path, query) = rest(exchange, route);
    if let Some(script_name) = &route.script_name {
        environ.dict_set(gil, &names.script_name, script_name)?;
    }
    let decoded = percent_decode(path, dialect.plus_in_path());
    let path_info = text::native(gil, &decoded)?;
    environ.dict_set(gil, &names.path_info, &path_info)?;
    if dialect.promises_pep_3333() {
        let target = exchange.head.target.of(exchange.message());
        // Of most targets nothing was decoded or taken away.
        let target = if *decoded == *target {
            path_info
        } else {
            text::native(gil, target)?
        };
        environ.dict_set(gil, &names.request_uri, &target)?;
        environ.dict_set(gil, &names.raw_uri, &target)?;
    }
    match query {
        None | Some(b"") if from_template => Ok(()),
        None | Some(b"") => environ.dict_set(gil, &names.query_string, &constants(gil)?.empty),
        Some(query) => environ.dict_set(gil, &names.query_string, &*text::native(gil, query)?),
    }
}

/// `REMOTE_ADDR` and `REMOTE_PORT`.
pub fn standard_client_keys(gil: Gil<'_>, exchange: &Exchange, environ: &Object) -> Result<()> {
    let names = names(gil);
    environ.dict_set(gil, &names.remote_addr, &*exchange.client.address(gil)?)?;
    environ.dict_set(gil, &names.remote_port, &*exchange.client.port_text(gil)?)
}

/// The `fapws.*` keys of the head, for the standard dialect.
pub fn fapws_head_keys(gil: Gil<'_>, exchange: &Exchange, environ: &Object) -> Result<()> {
    let (names, constants) = (names(gil), constants(gil)?);
    let (head, bytes) = (&exchange.head, exchange.message());
    let protocol = head.protocol.of(bytes);
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    set(&names.fapws_raw_header, &*raw_header(gil, bytes)?)?;
    set(
        &names.fapws_uri,
        &*text::native(gil, head.target.of(bytes))?,
    )?;
    set(&names.fapws_major_minor, &*major_minor(gil, protocol)?)?;
    set(
        &names.request_protocol,
        &*constants.protocol(gil, protocol)?,
    )
}

/// COMPAT(fapws3): what was received is cut at the first NUL, as C strings are.
pub fn raw_header(gil: Gil<'_>, bytes: &[u8]) -> Result<Owned> {
    text::native(
        gil,
        &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())],
    )
}

/// `1.1`.
pub fn major_minor(gil: Gil<'_>, protocol: &[u8]) -> Result<Owned> {
    constants(gil)?.major_minor(gil, &protocol[protocol.len().saturating_sub(3)..])
}

/// The `fapws.*` keys of the client: the one at the other end of the connection.
pub fn fapws_client_keys(gil: Gil<'_>, exchange: &Exchange, environ: &Object) -> Result<()> {
    let names = names(gil);
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    let address = exchange.client.address(gil)?;
    set(&names.fapws_remote_addr, &address)?;
    set(
        &names.fapws_remote_port,
        &*exchange.client.port_number(gil)?,
    )?;
    let descriptor = number::long(gil, i64::from(exchange.socket.number()))?;
    set(&names.fapws_socket_fd, &descriptor)
}
