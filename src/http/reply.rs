//! The bytes of heads and of ready responses, and what an application's own head may hold.
//!
//! Owns the error responses of both dialects to the byte, and the judgement of a status line and of
//! fields that an application supplies. The order of fields in an application's response and how
//! its body is delimited are the callers' ([`super::framing::reply`] decides the latter).
//!
//! Invariant: what these functions append is a whole head (or a whole response), and no byte of it
//! was chosen by the peer.

#![forbid(unsafe_code)]

use super::error::{HttpError, phrase};
use super::framing::ReplyFraming;
use super::grammar;

pub use super::grammar::{is_field_value, is_token};

/// Appends the response to a rejected request in the standard dialect; the connection closes after it.
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
        "Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    for part in [status_line.as_bytes(), stamp, fields.as_bytes()] {
        out.extend_from_slice(part);
    }
    if !head_only {
        out.extend_from_slice(body);
    }
}

/// Appends the response to a request for the server's health. `stamp` is the ready `Date` and `Server`
/// lines.
pub fn push_health(
    out: &mut Vec<u8>,
    status: u16,
    stamp: &[u8],
    framing: ReplyFraming,
    body: &[u8],
) {
    let status_line = format!("HTTP/1.1 {status} {}\r\n", phrase(status));
    let fields = format!(
        "Content-Type: text/plain\r\nContent-Length: {}\r\nCache-Control: no-store\r\n",
        body.len()
    );
    let connection = framing.connection.unwrap_or_default();
    let body = if framing.head_only { b"" } else { body };
    for part in [
        status_line.as_bytes(),
        stamp,
        fields.as_bytes(),
        connection,
        b"\r\n",
        body,
    ] {
        out.extend_from_slice(part);
    }
}

/// The responses of the legacy dialect that are no application's.
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

impl LegacyPage {
    /// The status code of the page.
    pub fn status(self) -> u16 {
        match self {
            // COMPAT(fapws3): not found has the status 500.
            LegacyPage::NotFound | LegacyPage::Internal => 500,
            LegacyPage::LengthRequired => 411,
            LegacyPage::NotImplemented => 501,
            LegacyPage::RequestTimeout => 408,
            LegacyPage::BodyTooLarge => 413,
            LegacyPage::TargetTooLong => 414,
            LegacyPage::HeadTooLarge => 431,
        }
    }
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

/// Appends the response to `OPTIONS` in the legacy dialect: the methods of the base module's list.
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
    /// Drops it: it concerns this one connection (RFC 9110 section 7.6.1), which is the server's.
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
    // Most values are short, and have no control byte.
    if bytes.iter().all(|&byte| byte > b'\r') {
        return true;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::framing;
    use crate::http::head::Version;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before|".to_vec();
        push(&mut out);
        let text = String::from_utf8(out).unwrap();
        text.strip_prefix("before|").unwrap().to_string()
    }

    const STAMP: &[u8] = b"Date: now\r\nServer: us\r\n";

    #[test]
    fn an_error_is_answered_in_full() {
        assert_eq!(
            text(|out| push_error(out, HttpError::BadRequest("no Host"), STAMP, None, false)),
            "HTTP/1.1 400 Bad Request\r\nDate: now\r\nServer: us\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n\
             Connection: close\r\n\r\nBad Request: no Host\n"
        );
        let traceback =
            text(|out| push_error(out, HttpError::Internal, b"", Some(b"trace"), false));
        assert!(traceback.starts_with("HTTP/1.1 500 Internal Server Error\r\nContent-Type"));
        assert!(traceback.ends_with("Content-Length: 5\r\nConnection: close\r\n\r\ntrace"));
    }

    #[test]
    fn an_error_in_answer_to_head_has_the_same_head_and_no_body() {
        let whole = text(|out| push_error(out, HttpError::NotFound, STAMP, None, false));
        let head = text(|out| push_error(out, HttpError::NotFound, STAMP, None, true));
        assert_eq!(&whole[..head.len()], head);
        assert!(head.ends_with("\r\n\r\n") && whole.len() > head.len());
    }

    #[test]
    fn compat_the_legacy_pages_are_the_originals_to_the_byte() {
        let page = |page| text(|out| push_legacy_page(out, page, b"fapws3/0.11"));
        let expected = |status: &str, body: &str| {
            format!(
                "HTTP/1.0 {status}\r\nContent-Type: text/html\r\nServer: fapws3/0.11\r\n\r\n\
                 <html><head>{body}</body></html>"
            )
        };
        assert_eq!(
            page(LegacyPage::NotFound),
            expected(
                "500 Not found",
                "<title>Page not found</title></head><body><p>Page not found!!!</p>"
            )
        );
        assert_eq!(
            page(LegacyPage::LengthRequired),
            expected(
                "411 Length Required",
                "<title>Length Required</head><body><p>Length Required!!!</p>"
            )
        );
        assert_eq!(
            page(LegacyPage::Internal),
            expected(
                "500 Internal Server Error",
                "<title>Internal Server Error</title></head><body><p>Internal Server Error!!!</p>"
            )
        );
        assert_eq!(
            page(LegacyPage::NotImplemented),
            expected(
                "501 Not Implemented",
                "<title>Not Implemented</head><body><p>Not Implemented!!!</p>"
            )
        );
    }

    #[test]
    fn the_pages_that_the_original_had_not_look_like_its_own() {
        for (page, status) in [
            (LegacyPage::RequestTimeout, 408),
            (LegacyPage::BodyTooLarge, 413),
            (LegacyPage::TargetTooLong, 414),
            (LegacyPage::HeadTooLarge, 431),
        ] {
            let page = text(|out| push_legacy_page(out, page, b"us"));
            assert!(page.starts_with(&format!("HTTP/1.0 {status} ")), "{page}");
            assert!(
                page.contains("\r\nServer: us\r\n\r\n<html><head><title>"),
                "{page}"
            );
            assert!(page.ends_with("!!!</p></body></html>"), "{page}");
        }
    }

    #[test]
    fn compat_the_other_legacy_answers_are_the_originals_to_the_byte() {
        assert_eq!(
            text(|out| push_legacy_failure_head(out, b"fapws3/0.11")),
            "HTTP/1.0 500 Not found\r\nContent-Type: text/html\r\nServer: fapws3/0.11* \r\n\r\n"
        );
        let methods: [&[u8]; 4] = [b"GET", b"POST", b"HEAD", b"OPTIONS"];
        assert_eq!(
            text(|out| push_legacy_options(out, b"fapws3/0.11", methods.into_iter())),
            "HTTP/1.0 200 OK\r\nServer: fapws3/0.11\r\nAllow: GET, POST, HEAD, OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let none = text(|out| push_legacy_options(out, b"us", std::iter::empty()));
        assert!(none.contains("\r\nAllow: \r\n"));
    }

    #[test]
    fn the_health_is_a_whole_response_and_its_head_alone_for_head() {
        let health = |head_only| {
            let framing = framing::reply(Version::Http11, head_only, 503, None, Some(9), false);
            text(|out| push_health(out, 503, b"Date: now\r\n", framing, b"draining\n"))
        };
        let head = "HTTP/1.1 503 Service Unavailable\r\nDate: now\r\nContent-Type: text/plain\r\n\
            Content-Length: 9\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
        assert_eq!(health(false), format!("{head}draining\n"));
        assert_eq!(health(true), head);
    }

    #[test]
    fn the_status_of_a_legacy_page_is_the_one_in_its_head() {
        for page in [
            LegacyPage::NotFound,
            LegacyPage::LengthRequired,
            LegacyPage::Internal,
            LegacyPage::NotImplemented,
            LegacyPage::RequestTimeout,
            LegacyPage::BodyTooLarge,
            LegacyPage::TargetTooLong,
            LegacyPage::HeadTooLarge,
        ] {
            let whole = text(|out| push_legacy_page(out, page, b"ident"));
            assert!(
                whole.starts_with(&format!("HTTP/1.0 {} ", page.status())),
                "{whole}"
            );
        }
    }

    #[test]
    fn a_value_may_be_folded_and_nothing_else() {
        for value in ["", "plain", "a\tb", "a\r\n b", "\r\n\t", "a\r\n b\r\n\tc"] {
            assert!(is_folded_value(value.as_bytes()), "{value:?}");
        }
        for value in [
            "\r",
            "\n",
            "\0",
            "\r\r",
            "a\r\nb",
            "a\r\n",
            "ab\r\n \ncd",
            "a\0b",
        ] {
            assert!(!is_folded_value(value.as_bytes()), "{value:?}");
        }
    }

    #[test]
    fn the_roles_of_fields() {
        for (role, names) in [
            (
                FieldRole::ContentLength,
                &["Content-Length", "content-length"][..],
            ),
            (FieldRole::Date, &["Date", "DATE"]),
            (FieldRole::Server, &["server", "Server"]),
            (
                FieldRole::Connection,
                &[
                    "Connection",
                    "Keep-Alive",
                    "Transfer-Encoding",
                    "TE",
                    "Trailer",
                    "Trailers",
                    "Upgrade",
                    "Proxy-Authenticate",
                    "Proxy-Authorization",
                    "Proxy-Connection",
                    "transfer-encoding",
                ],
            ),
            (
                FieldRole::Plain,
                &[
                    "",
                    "Content-Type",
                    "Set-Cookie",
                    "Content-Lengt\u{e9}",
                    "Dates",
                    "Tea",
                    "Proxy-Status",
                    "Upgrad_",
                ],
            ),
        ] {
            for name in names {
                assert_eq!(field_role(name.as_bytes()), role, "{name:?}");
            }
        }
    }

    #[test]
    fn values_that_would_end_the_line_are_known() {
        assert!(is_field_value(b"") && is_field_value(b"a\tb \xe9"));
        for value in ["a\rb", "a\nb", "a\0b", "a\r\n b", "\u{7f}", "\u{1b}"] {
            assert!(!is_field_value(value.as_bytes()), "{value:?}");
        }
        for value in ["", "a", "a\r\n b", "a\r\n\tb\r\n c", "\u{1b}"] {
            assert!(is_folded_value(value.as_bytes()), "{value:?}");
        }
        for value in [
            "a\r\nb",
            "a\r\n",
            "a\r b",
            "a\n b",
            "a\0",
            "\r\n",
            "a\r\n b\r\n",
            "a\r\n \n b",
        ] {
            assert!(!is_folded_value(value.as_bytes()), "{value:?}");
        }
    }

    #[test]
    fn a_status_has_three_digits_a_blank_and_a_phrase() {
        assert_eq!(parse_status(b"200 OK"), Some((200, &b"OK"[..])));
        assert_eq!(
            parse_status(b"999 Na\xefve\tphrase "),
            Some((999, &b"Na\xefve\tphrase "[..]))
        );
        assert_eq!(parse_status(b"100 "), Some((100, &b""[..])));
        for status in [
            "",
            "200",
            "200OK",
            "099 No",
            "000 No",
            "1000 No",
            "20 OK",
            "+20 OK",
            " 200 OK",
            "2x0 OK",
            "200\tOK",
            "200 O\r\nK",
            "200 O\nK",
            "200 \0",
            "OK",
            "\u{662}00 OK",
        ] {
            assert_eq!(parse_status(status.as_bytes()), None, "{status:?}");
        }
    }

    #[test]
    fn a_length_is_digits() {
        assert_eq!(parse_length(b"0"), Some(0));
        assert_eq!(parse_length(b"18446744073709551615"), Some(u64::MAX));
        for value in [
            "",
            "-1",
            "+1",
            "1 ",
            " 1",
            "1.0",
            "18446744073709551616",
            "x",
        ] {
            assert_eq!(parse_length(value.as_bytes()), None, "{value:?}");
        }
    }
}
