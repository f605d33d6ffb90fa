//! `config.proxy_headers`: the client in an environ instead of the proxy, as trusted proxies name it.
//!
//! Runs once the environ has what the request itself says. Which peers count is
//! `config.forwarded_allow_ips`'s to say; what is read is [`crate::http::forwarded`]'s.

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::environ::constants::constants;
use crate::app::exchange::Exchange;
use crate::http::forwarded::{Said, Scheme, client};
use crate::py::{Gil, Object, Result, names, text};

/// Whether what a proxy says of its client counts for this request.
pub fn counts(ctx: &AppContext, exchange: &Exchange) -> bool {
    ctx.config.proxy_headers && exchange.client.is_trusted
}

/// Writes what trusted proxies say of the client into an environ that has its fields.
pub fn apply(gil: Gil<'_>, ctx: &AppContext, exchange: &Exchange, environ: &Object) -> Result<()> {
    let bytes = exchange.message();
    let fields = exchange.head.fields.iter();
    let fields = fields.map(|field| (field.name.of(bytes), field.value.of(bytes)));
    let trusted = &ctx.config.forwarded_allow_ips;
    let Some(said) = client(fields, |address| trusted.contain_address(address)) else {
        return Ok(());
    };
    let names = names(gil);
    let set = |key: &Object, value: &[u8]| environ.dict_set(gil, key, &*text::native(gil, value)?);
    if let Some((address, port)) = said.address {
        let port = port.map(|port| port.to_string()).unwrap_or_default();
        set(&names.remote_addr, address.to_string().as_bytes())?;
        set(&names.remote_port, port.as_bytes())?;
    }
    if let Some(scheme) = said.scheme {
        let text = constants(gil)?.scheme(gil, scheme.text())?;
        environ.dict_set(gil, &names.wsgi_url_scheme, &text)?;
    }
    let before = environ.dict_get(gil, &names.http_host);
    let before = match &before {
        Some(host) => text::latin1(gil, host),
        None => None,
    };
    if let Some(host) = host(&said, before.as_deref()) {
        set(&names.http_host, &host)?;
    }
    if let Some(port) = said.port {
        set(&names.server_port, port.to_string().as_bytes())?;
    }
    if let Some(prefix) = said.prefix.filter(|_| ctx.config.root_path.is_empty()) {
        prepend_script_name(gil, environ, &prefix)?;
    }
    Ok(())
}

/// Puts a path before `SCRIPT_NAME`.
pub fn prepend_script_name(gil: Gil<'_>, environ: &Object, prefix: &[u8]) -> Result<()> {
    let names = names(gil);
    let mut whole = prefix.to_vec();
    if let Some(rest) = environ.dict_get(gil, &names.script_name) {
        whole.extend_from_slice(&text::expect_latin1(gil, &rest, "SCRIPT_NAME")?);
    }
    environ.dict_set(gil, &names.script_name, &*text::native(gil, &whole)?)
}

/// `HTTP_HOST` as the client asked for it; `None`: as it is. A port that the scheme has anyway is left
/// out.
fn host(said: &Said, before: Option<&[u8]>) -> Option<Vec<u8>> {
    let Some(port) = said.port else {
        return said.host.clone();
    };
    let host = said.host.as_deref().or(before)?;
    let name_end = match host.iter().rposition(|&byte| byte == b']') {
        Some(bracket) => bracket + 1,
        None => memchr::memchr(b':', host).unwrap_or(host.len()),
    };
    let mut host = host[..name_end].to_vec();
    let scheme = said.scheme.unwrap_or(Scheme::Http);
    if port != scheme.default_port() {
        host.extend_from_slice(format!(":{port}").as_bytes());
    }
    Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_hosts() {
        let asked = |host: &str, port, scheme| {
            let said = Said {
                port,
                scheme,
                ..Said::default()
            };
            host_text(&said, host)
        };
        let (http, https) = (Some(Scheme::Http), Some(Scheme::Https));
        for (before, port, scheme, expected) in [
            ("a", None, https, None),
            ("a", Some(443), https, Some("a")),
            ("a:8443", Some(443), https, Some("a")),
            ("a", Some(8443), https, Some("a:8443")),
            ("a", Some(443), http, Some("a:443")),
            ("a", Some(80), None, Some("a")),
            ("[::1]:80", Some(81), None, Some("[::1]:81")),
        ] {
            assert_eq!(asked(before, port, scheme).as_deref(), expected, "{before}");
        }
    }

    fn host_text(said: &Said, before: &str) -> Option<String> {
        host(said, Some(before.as_bytes())).map(|host| String::from_utf8(host).unwrap())
    }
}
