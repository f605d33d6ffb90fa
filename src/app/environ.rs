//! The environ: one list of keys for each dialect, put into a plain dict natively, or handed to the
//! base module's `Environ` in the three portions that its methods take.
//!
//! Invariant: an environ is whole before the application sees it; whatever is in it is owned by it.

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::dialect::Dialect;
use crate::app::endpoint::Endpoint;
use crate::app::exchange::{CacheResult, Exchange, RequestBody, Route};
use crate::app::input::{Content, Input};
use crate::app::natives::natives;
use crate::app::params;
use crate::http::target::percent_decode;
use crate::py::{Gil, Object, Owned, Result, container, names, number, text};

/// What a template says of a request unless the request says otherwise.
const DEFAULT_METHOD: &[u8] = b"GET";
const DEFAULT_PROTOCOL: &[u8] = b"HTTP/1.1";

/// Room for this many keys beyond the template's own before the copy has to grow.
const SPARE: usize = 8;

/// What the plain dict of the standard dialect begins as.
///
/// CPython copies a dict in one piece when it has no deleted entries to speak of, and the copy has
/// the original's spare room; so the template is made with room for an ordinary request's keys.
fn template(gil: Gil<'_>, ctx: &AppContext, endpoint: &Endpoint) -> Result<Owned> {
    let (names, natives) = (names(gil), natives(gil));
    let dict = container::dict(gil)?;
    let set = |key: &Object, value: &Object| dict.dict_set(gil, key, value);
    let (yes, no) = (Owned::boolean(gil, true), Owned::boolean(gil, false));
    set(
        &names.request_method,
        &*natives.method(gil, DEFAULT_METHOD)?,
    )?;
    set(&names.script_name, &natives.empty)?;
    set(&names.path_info, &natives.empty)?;
    set(&names.query_string, &natives.empty)?;
    set(&names.server_name, &endpoint.name)?;
    set(&names.server_port, &endpoint.port)?;
    set(
        &names.server_protocol,
        &*natives.protocol(gil, DEFAULT_PROTOCOL)?,
    )?;
    set(&names.remote_addr, &natives.empty)?;
    set(&names.remote_port, &natives.empty)?;
    set(&names.wsgi_version, natives.wsgi_version())?;
    set(&names.wsgi_url_scheme, &*text::native(gil, b"http")?)?;
    set(&names.wsgi_input, &natives.no_input)?;
    set(&names.wsgi_errors, &natives.errors)?;
    set(
        &names.wsgi_multithread,
        if ctx.config.threads > 1 { &yes } else { &no },
    )?;
    set(&names.wsgi_multiprocess, &yes)?;
    set(&names.wsgi_run_once, &no)?;
    set(&names.wsgi_file_wrapper, natives.file_wrapper.object())?;
    set(&names.wsgi_input_terminated, &yes)?;
    let room: Vec<Owned> = (0..SPARE)
        .map(|index| text::native(gil, format!("fapws.room.{index}").as_bytes()))
        .collect::<Result<_>>()?;
    for key in &room {
        set(key, &natives.empty)?;
    }
    for key in &room {
        dict.dict_delete(gil, key)?;
    }
    Ok(dict)
}

/// The environ of a request that goes to `route`, natively: a plain dict (PEP 3333).
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
    standard_uri_keys(gil, ctx.dialect, exchange, route, &environ, true)?;
    if route.registered {
        fapws_head_keys(gil, exchange, &environ)?;
        fapws_client_keys(gil, exchange, &environ)?;
        // Asked of the environ: the fields of a head that was seen before were not read.
        let media = environ.dict_get(gil, &names(gil).content_type);
        let media = media.as_ref().and_then(|media| text::latin1(gil, media));
        let params = match params::form(exchange, media.as_deref()) {
            Some(form) => params::parse_query(gil, &form)?,
            None => params::parse_query(gil, exchange.target().query.unwrap_or_default())?,
        };
        environ.dict_set(gil, &names(gil).fapws_params, &params)?;
    }
    if !matches!(exchange.body, RequestBody::Empty) {
        let input = input(gil, exchange)?;
        environ.dict_set(gil, &names(gil).wsgi_input, &input)?;
    }
    Ok(environ)
}

/// The environ of a head, all but what the request line says.
fn read_head(gil: Gil<'_>, ctx: &AppContext, exchange: &Exchange) -> Result<Owned> {
    let kept = &exchange.endpoint.template;
    let template = match kept.get() {
        Some(template) => template,
        None => {
            let made = template(gil, ctx, &exchange.endpoint)?;
            kept.get_or_init(|| made)
        }
    };
    let environ = template.dict_copy(gil)?;
    standard_head_keys(gil, exchange, &environ, true)?;
    standard_client_keys(gil, exchange, &environ)?;
    Ok(environ)
}

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

/// What `Environ.update_uri` gets.
pub fn uri_part(
    gil: Gil<'_>,
    dialect: Dialect,
    exchange: &Exchange,
    route: &Route,
) -> Result<Owned> {
    let names = names(gil);
    let part = container::dict(gil)?;
    part.dict_set(gil, &names.server_name, &exchange.endpoint.name)?;
    part.dict_set(gil, &names.server_port, &exchange.endpoint.port)?;
    part.dict_set(gil, &names.script_name, &natives(gil).empty)?;
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
    if dialect.promises_pep_3333() {
        standard_client_keys(gil, exchange, &part)?;
    }
    Ok(part)
}

/// The keys that an `Environ` of the program's own lacks for PEP 3333.
pub fn complete(gil: Gil<'_>, environ: &Object) -> Result<()> {
    let names = names(gil);
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    set(&names.wsgi_url_scheme, &*text::native(gil, b"http")?)?;
    set(&names.wsgi_errors, &natives(gil).errors)?;
    set(&names.wsgi_file_wrapper, natives(gil).file_wrapper.object())?;
    set(&names.wsgi_input_terminated, &Owned::boolean(gil, true))
}

/// `wsgi.input` of the standard dialect.
pub fn input(gil: Gil<'_>, exchange: &mut Exchange) -> Result<Owned> {
    let content = match std::mem::replace(&mut exchange.body, RequestBody::Empty) {
        RequestBody::Empty => return Ok(natives(gil).no_input.own(gil)),
        RequestBody::InInput(range) => {
            let body = &exchange.input[exchange.message.start..][range];
            Content::Memory(text::bytes(gil, body)?)
        }
        RequestBody::Memory(body) => Content::Memory(text::bytes(gil, &body)?),
        RequestBody::Pooled(body) => Content::Long(body),
        RequestBody::Spooled(spool) => Content::File(spool),
    };
    natives(gil).input.instantiate(gil, Input::new(content))
}

/// Method, protocol, `CONTENT_*` and `HTTP_*` (RFC 3875, PEP 3333). An environ made from the template
/// has the ordinary method and protocol already.
fn standard_head_keys(
    gil: Gil<'_>,
    exchange: &Exchange,
    environ: &Object,
    from_template: bool,
) -> Result<()> {
    let (names, natives) = (names(gil), natives(gil));
    let (head, bytes) = (&exchange.head, exchange.message());
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    let (method, protocol) = (head.method.of(bytes), head.protocol.of(bytes));
    if method != DEFAULT_METHOD || !from_template {
        set(&names.request_method, &*natives.method(gil, method)?)?;
    }
    if protocol != DEFAULT_PROTOCOL || !from_template {
        set(&names.server_protocol, &*natives.protocol(gil, protocol)?)?;
    }
    let mut seen = 0u64;
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
        let key = natives.header_keys.get(gil, name)?;
        let repeated = match key.common {
            Some(place) => {
                let bit = 1u64 << place;
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
    // RFC 9112 section 3.2.2: the authority of an absolute target replaces Host.
    if let Some(authority) = exchange.target().authority {
        set(&names.http_host, &*text::native(gil, authority)?)?;
    }
    Ok(())
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
/// The prefix is one of the whole target, query included (`legacy.md`), so that it can end anywhere.
fn rest<'r>(exchange: &'r Exchange, route: &Route) -> (&'r [u8], Option<&'r [u8]>) {
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
fn standard_uri_keys(
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
    let path = percent_decode(path, dialect.plus_in_path());
    environ.dict_set(gil, &names.path_info, &*text::native(gil, &path)?)?;
    match query {
        None | Some(b"") if from_template => Ok(()),
        None | Some(b"") => environ.dict_set(gil, &names.query_string, &natives(gil).empty),
        Some(query) => environ.dict_set(gil, &names.query_string, &*text::native(gil, query)?),
    }
}

fn standard_client_keys(gil: Gil<'_>, exchange: &Exchange, environ: &Object) -> Result<()> {
    let names = names(gil);
    environ.dict_set(gil, &names.remote_addr, &*exchange.client.address(gil)?)?;
    environ.dict_set(gil, &names.remote_port, &*exchange.client.port_text(gil)?)
}

/// The `fapws.*` keys of the head, for the standard dialect.
fn fapws_head_keys(gil: Gil<'_>, exchange: &Exchange, environ: &Object) -> Result<()> {
    let (names, natives) = (names(gil), natives(gil));
    let (head, bytes) = (&exchange.head, exchange.message());
    let protocol = head.protocol.of(bytes);
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    set(&names.fapws_raw_header, &*raw_header(gil, bytes)?)?;
    set(
        &names.fapws_uri,
        &*text::native(gil, head.target.of(bytes))?,
    )?;
    set(&names.fapws_major_minor, &*major_minor(gil, protocol)?)?;
    set(&names.request_protocol, &*natives.protocol(gil, protocol)?)
}

/// COMPAT(fapws3): what was received is cut at the first NUL, as C strings are.
fn raw_header(gil: Gil<'_>, bytes: &[u8]) -> Result<Owned> {
    text::native(
        gil,
        &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())],
    )
}

/// `1.1`.
fn major_minor(gil: Gil<'_>, protocol: &[u8]) -> Result<Owned> {
    natives(gil).major_minor(gil, &protocol[protocol.len().saturating_sub(3)..])
}

fn fapws_client_keys(gil: Gil<'_>, exchange: &Exchange, environ: &Object) -> Result<()> {
    let names = names(gil);
    let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
    let address = exchange.client.address(gil)?;
    set(&names.fapws_remote_addr, &address)?;
    set(&names.remote_addr, &address)?;
    set(
        &names.fapws_remote_port,
        &*exchange.client.port_number(gil)?,
    )?;
    let descriptor = number::long(gil, i64::from(exchange.socket.number()))?;
    set(&names.fapws_socket_fd, &descriptor)
}

/// Everything that `update_headers` gave in the original, in its order: every field as `HTTP_`, the
/// last of a repeated one, and the scheme in upper case.
fn legacy_head_keys(gil: Gil<'_>, exchange: &Exchange, part: &Object) -> Result<()> {
    let (names, natives) = (names(gil), natives(gil));
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
        &*natives.method(gil, head.method.of(bytes))?,
    )?;
    set(&names.fapws_uri, &*text::native(gil, target)?)?;
    set(&names.query_string, &*text::native(gil, query)?)?;
    set(&names.fapws_major_minor, &*major_minor(gil, protocol)?)?;
    set(&names.wsgi_url_scheme, &*natives.scheme(gil, scheme)?)?;
    let protocol = natives.protocol(gil, protocol)?;
    set(&names.server_protocol, &protocol)?;
    set(&names.request_protocol, &protocol)?;
    for field in &head.fields {
        let key = natives.header_keys.get(gil, field.name.of(bytes))?;
        set(&key, &*text::native(gil, field.value.of(bytes))?)?;
    }
    Ok(())
}
