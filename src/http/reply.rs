//! The bytes of heads and of ready answers, and what an application's own head may hold.
//!
//! Owns the error answers of both dialects to the byte, and the judgement of a status line and of
//! fields that an application supplies. The order of fields in an application's response and how
//! its body is delimited are the callers' ([`super::framing::reply`] decides the latter).
//!
//! Invariant: what these functions append is a whole head (or a whole answer), and no byte of it
//! was chosen by the peer.

#![forbid(unsafe_code)]

use super::error::HttpError;
use super::grammar;

pub use super::grammar::{is_field_value, is_token};

/// Appends the answer to a refused request in the standard dialect; the connection closes after it.
///
/// `stamp` is the ready `Date` and `Server` lines. `body` replaces the one line that explains the
/// error (a traceback, where the operator wants it shown). With `head_only` the body is announced
/// and left out.
pub fn push_error(
    out: &mut Vec<u8>,
    error: HttpError,
    stamp: &[u8],
    body: Option<&[u8]>,
    head_only: bool,
) {
    let explanation;
    let body = match body {
        Some(body) => body,
        None => {
            explanation = format!("{}: {}\n", error.phrase(), error.detail());
            explanation.as_bytes()
        }
    };
    let status_line = format!("HTTP/1.1 {} {}\r\n", error.status(), error.phrase());
    let fields = format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    for part in [status_line.as_bytes(), stamp, fields.as_bytes()] {
        out.extend_from_slice(part);
    }
    if !head_only {
        out.extend_from_slice(body);
    }
}

/// The answers of the legacy dialect that are no application's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegacyPage {
    /// No registered URI matches and there is no generic callback.
    NotFound,
    /// `POST` without `Content-Length`.
    LengthRequired,
    /// The head cannot be understood.
    Internal,
    /// The method is not supported, or there is no request line.
    NotImplemented,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The body is over the limit.
    BodyTooLarge,
    /// The request line is over the limit.
    TargetTooLong,
    /// The head is over the limit.
    HeadTooLarge,
}

/// Appends an error page of the legacy dialect, head and body. `ident` is `config.SERVER_IDENT`.
pub fn push_legacy_page(out: &mut Vec<u8>, page: LegacyPage, ident: &[u8]) {
    // COMPAT(fapws3): not found has the status 500, and two of the pages do not close their title.
    let (status, words, title_end) = match page {
        LegacyPage::NotFound => ("500 Not found", "Page not found", "</title>"),
        LegacyPage::LengthRequired => ("411 Length Required", "Length Required", ""),
        LegacyPage::Internal => (
            "500 Internal Server Error",
            "Internal Server Error",
            "</title>",
        ),
        LegacyPage::NotImplemented => ("501 Not Implemented", "Not Implemented", ""),
        LegacyPage::RequestTimeout => ("408 Request Timeout", "Request Timeout", "</title>"),
        LegacyPage::BodyTooLarge => (
            "413 Request Entity Too Large",
            "Request Entity Too Large",
            "</title>",
        ),
        LegacyPage::TargetTooLong => (
            "414 Request-URI Too Long",
            "Request-URI Too Long",
            "</title>",
        ),
        LegacyPage::HeadTooLarge => (
            "431 Request Header Fields Too Large",
            "Request Header Fields Too Large",
            "</title>",
        ),
    };
    push_legacy_head(out, status, &[ident]);
    let page = format!(
        "<html><head><title>{words}{title_end}</head><body><p>{words}!!!</p></body></html>"
    );
    out.extend_from_slice(page.as_bytes());
}

/// Appends the head that precedes the traceback page of a failed application.
pub fn push_legacy_failure_head(out: &mut Vec<u8>, ident: &[u8]) {
    // COMPAT(fapws3): the phrase of another page, and a star behind the ident.
    push_legacy_head(out, "500 Not found", &[ident, b"* "]);
}

fn push_legacy_head(out: &mut Vec<u8>, status: &str, server: &[&[u8]]) {
    out.extend_from_slice(b"HTTP/1.0 ");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: text/html\r\nServer: ");
    for part in server {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Appends the answer to `OPTIONS` in the legacy dialect: the methods of the base module's list.
pub fn push_legacy_options<'m>(
    out: &mut Vec<u8>,
    ident: &[u8],
    methods: impl Iterator<Item = &'m [u8]>,
) {
    out.extend_from_slice(b"HTTP/1.0 200 OK\r\nServer: ");
    out.extend_from_slice(ident);
    out.extend_from_slice(b"\r\nAllow: ");
    for (index, method) in methods.enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(method);
    }
    out.extend_from_slice(b"\r\nContent-Length: 0\r\n\r\n");
}

/// What the server does with a field that an application sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldRole {
    /// Sends it.
    Plain,
    /// Sends it, and holds the body to it.
    ContentLength,
    /// Sends it in place of its own.
    Date,
    /// Sends it in place of its own.
    Server,
    /// Refuses it: it concerns this one connection (RFC 9110 section 7.6.1), which is the server's.
    Connection,
}

/// The role of a field by its name, in any case.
pub fn field_role(name: &[u8]) -> FieldRole {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    let known = match name.len() {
        2 => is(b"te").then_some(FieldRole::Connection),
        4 => is(b"date").then_some(FieldRole::Date),
        6 => is(b"server").then_some(FieldRole::Server),
        7 => (is(b"trailer") || is(b"upgrade")).then_some(FieldRole::Connection),
        // Not registered; what PEP 3333's reference names in place of Trailer.
        8 => is(b"trailers").then_some(FieldRole::Connection),
        10 => (is(b"connection") || is(b"keep-alive")).then_some(FieldRole::Connection),
        14 => is(b"content-length").then_some(FieldRole::ContentLength),
        16 => is(b"proxy-connection").then_some(FieldRole::Connection),
        17 => is(b"transfer-encoding").then_some(FieldRole::Connection),
        18 => is(b"proxy-authenticate").then_some(FieldRole::Connection),
        19 => is(b"proxy-authorization").then_some(FieldRole::Connection),
        _ => None,
    };
    known.unwrap_or(FieldRole::Plain)
}

/// Whether a value can be sent in the legacy dialect: no NUL, and no CR or LF but in a fold, CR LF
/// and a blank.
pub fn is_folded_value(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) {
        match &rest[at..] {
            [b'\r', b'\n', b' ' | b'\t', ..] => rest = &rest[at + 3..],
            _ => return false,
        }
    }
    true
}

/// Splits the status that an application gives (PEP 3333: `999 Message here`) into its code, 100
/// to 999, and its phrase, which may be empty but not its blank. `None` for anything else.
pub fn parse_status(status: &[u8]) -> Option<(u16, &[u8])> {
    let (code, phrase) = status.split_at_checked(4)?;
    let [
        hundreds @ b'1'..=b'9',
        tens @ b'0'..=b'9',
        ones @ b'0'..=b'9',
        b' ',
    ] = code
    else {
        return None;
    };
    let digit = |byte: &u8| u16::from(byte - b'0');
    is_field_value(phrase).then_some((
        100 * digit(hundreds) + 10 * digit(tens) + digit(ones),
        phrase,
    ))
}

/// The value of a `Content-Length`: `1*DIGIT`, at most `u64::MAX`.
pub fn parse_length(value: &[u8]) -> Option<u64> {
    grammar::decimal(value).ok()
}
