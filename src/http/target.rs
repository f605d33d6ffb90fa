//! The request target, RFC 9112 section 3.2: its forms, percent decoding, and query pairs.
//!
//! Owns what the bytes of a target mean; which application serves them is `server::routes`'
//! matter. Nothing is normalised (dots, doubled slashes, case): a path is given to the application as
//! it was sent, decoded once.
//!
//! Invariant: a decoded text is at most as long as the raw one, and borrows it when equal.

#![forbid(unsafe_code)]

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::error::HttpError;
use super::grammar;

/// The parts of a request target, raw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'b> {
    /// Host and port of an absolute form; takes precedence over `Host` (RFC 9112 section 3.2.2).
    pub authority: Option<&'b [u8]>,
    /// Begins with `/`, or is `*`.
    pub path: &'b [u8],
    /// What follows the first `?`.
    pub query: Option<&'b [u8]>,
}

/// Splits a target that holds no blank and no control byte (as `head::parse_strict` gives it).
///
/// # Errors
/// [`HttpError::NotImplemented`] for `CONNECT`, whose target is no resource;
/// [`HttpError::BadRequest`] for everything else that is not origin form, absolute form with
/// `http` or `https`, or `*` with `OPTIONS`, and for a fragment, which no target has.
pub fn parse<'b>(method: &[u8], target: &'b [u8]) -> Result<Target<'b>, HttpError> {
    if method == b"CONNECT" {
        return Err(HttpError::NotImplemented);
    }
    if memchr(b'#', target).is_some() {
        return Err(HttpError::BadRequest("fragment in the request target"));
    }
    if target.first() == Some(&b'/') {
        let (path, query) = split_query(target);
        return Ok(Target {
            authority: None,
            path,
            query,
        });
    }
    if target == b"*" {
        return match method {
            b"OPTIONS" => Ok(Target {
                authority: None,
                path: target,
                query: None,
            }),
            _ => Err(HttpError::BadRequest("the target * is for OPTIONS only")),
        };
    }
    absolute_form(method, target)
}

fn absolute_form<'b>(method: &[u8], target: &'b [u8]) -> Result<Target<'b>, HttpError> {
    let rest = strip_scheme(target).ok_or(HttpError::BadRequest(
        "the request target has no form that is known here",
    ))?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if authority.is_empty() || !grammar::is_host(authority) {
        return Err(HttpError::BadRequest(
            "the target's authority is not a host and port",
        ));
    }
    let (path, query) = split_query(rest);
    let path: &[u8] = match (path, query, method) {
        // RFC 9112 section 3.2.4: what a proxy would have forwarded as `*`.
        (b"", None, b"OPTIONS") => b"*",
        (b"", _, _) => b"/",
        _ => path,
    };
    Ok(Target {
        authority: Some(authority),
        path,
        query,
    })
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    let colon = memchr(b':', target)?;
    let (scheme, rest) = target.split_at(colon);
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    rest.strip_prefix(b"://").filter(|_| known)
}

fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'?', target) {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    }
}

/// What `+` means: a blank in forms and queries, itself in a path of the standard dialect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plus {
    /// `application/x-www-form-urlencoded`, and paths in the legacy dialect.
    Space,
    /// RFC 3986.
    Keep,
}

/// Replaces each `%XX` by its byte and `+` as `plus` says. A `%` without two digits stays.
pub fn percent_decode(raw: &[u8], plus: Plus) -> Cow<'_, [u8]> {
    let Some(first) = next_mark(raw, plus) else {
        return Cow::Borrowed(raw);
    };
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut mark = Some(first);
    while let Some(at) = mark {
        decoded.extend_from_slice(&rest[..at]);
        let (byte, length) = decode_mark(&rest[at..]);
        decoded.push(byte);
        rest = &rest[at + length..];
        mark = next_mark(rest, plus);
    }
    decoded.extend_from_slice(rest);
    Cow::Owned(decoded)
}

fn next_mark(raw: &[u8], plus: Plus) -> Option<usize> {
    match plus {
        Plus::Space => memchr2(b'%', b'+', raw),
        Plus::Keep => memchr(b'%', raw),
    }
}

/// The byte that a text beginning with `%` or `+` decodes to, and how many bytes it took.
fn decode_mark(raw: &[u8]) -> (u8, usize) {
    match raw {
        [b'%', high, low, ..] => match (hex_value(*high), hex_value(*low)) {
            (Some(high), Some(low)) => (high << 4 | low, 3),
            _ => (b'%', 1),
        },
        [b'+', ..] => (b' ', 1),
        _ => (b'%', 1),
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// The decoded pairs of a query or of a form, in order: `&` between pairs, the first `=` between
/// key and value, an empty value without `=`.
///
/// COMPAT(fapws3): an empty pair is a pair of two empty strings, except at the end.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    let pairs = query
        .strip_suffix(b"&")
        .unwrap_or(query)
        .split(|&byte| byte == b'&');
    // An empty text has no pair, where `split` has one.
    let count = if query.is_empty() { 0 } else { usize::MAX };
    pairs.take(count).map(|pair| {
        let (key, value) = match memchr(b'=', pair) {
            Some(mark) => (&pair[..mark], &pair[mark + 1..]),
            None => (pair, &b""[..]),
        };
        (
            percent_decode(key, Plus::Space),
            percent_decode(value, Plus::Space),
        )
    })
}
