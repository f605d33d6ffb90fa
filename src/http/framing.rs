//! Where a message's body ends and whether the connection lives on: RFC 9112 section 6, decided
//! once a message, here and nowhere else.
//!
//! A request's body is framed by its head alone. What RFC 9112 section 6.3 says of requests comes
//! down to three cases, and this is what is made of them:
//!
//! 1. `Transfer-Encoding` present: `chunked` and nothing else, in a message that says HTTP/1.1 and
//!    has no `Content-Length`. The RFC lets a server prefer the coding over the length; a proxy in
//!    front may have preferred the length, and then the two disagree on where the next request
//!    begins. That is request smuggling, so the message is rejected and the connection closed. A
//!    coding that we do not have is 501, unless `chunked` is not the last: then no length is known
//!    at all and the RFC asks for 400. Empty list elements, which lists elsewhere may have, are
//!    rejected in this one. In HTTP/1.0 the coding does not exist, and proxies of that time pass it
//!    through unread: rejected.
//! 2. `Content-Length` present: once, and `1*DIGIT`. The RFC lets a server take `5, 5` for 5; a
//!    repeated length is a sign that somebody joined two messages' heads, so it is rejected even
//!    when both are equal. A number above any integer of ours is a valid length, and too large.
//! 3. Neither: no body.
//!
//! The same head decides the rest. `Host` is checked here because RFC 9112 section 3.2 makes its
//! absence and its repetition errors of the message, and because a proxy and we must agree on it
//! as on the length. `Connection` is a list in any number of lines; `close` wins. `Expect` concerns
//! the body, so 100 (Continue) is sent only where one will follow.
//!
//! A response's body is framed by the request's method, the status, and what the application said
//! about its length; [`reply`] is that half, for the standard dialect. The legacy dialect closes
//! the connection after every response and needs no framing.
//!
//! Invariant: no value of [`Framing`] exists for a head that can be read two ways.

#![forbid(unsafe_code)]

use super::error::HttpError;
use super::grammar::{self, NotDecimal};
use super::head::{Head, Version};

/// How long a request's body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyLength {
    /// No length was announced, so there is no body.
    None,
    /// So many bytes, 0 included.
    Fixed(u64),
    /// As long as its chunks say.
    Chunked,
}

/// What a request's head says about the bytes behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framing {
    /// How long the body is.
    pub body: BodyLength,
    /// Whether the client wants the connection to stay open.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// Whether the client offers another protocol (`Upgrade`, RFC 9110 section 7.8).
    pub upgrades: bool,
}

impl Framing {
    /// The body, where all of it is in `rest`, which begins behind the head, as it is; a chunked one
    /// never is so.
    pub fn body_in<'b>(&self, rest: &'b [u8]) -> Option<&'b [u8]> {
        match self.body {
            BodyLength::None => Some(&[]),
            BodyLength::Fixed(due) => rest.get(..usize::try_from(due).ok()?),
            BodyLength::Chunked => None,
        }
    }
}

/// Decides the framing of a request in the standard dialect. `max_body` is in bytes, 0 for no
/// limit.
///
/// # Errors
/// [`HttpError::BadRequest`] for a head that could be read two ways, a missing, repeated or
/// invalid `Host`; [`HttpError::NotImplemented`] for an unknown transfer coding;
/// [`HttpError::BodyTooLarge`]; [`HttpError::ExpectationFailed`].
pub fn strict(head: &Head, buf: &[u8], max_body: u64) -> Result<Framing, HttpError> {
    let mut host: Option<&[u8]> = None;
    let mut repeated_host = false;
    let mut length: Option<&[u8]> = None;
    let mut repeated_length = false;
    let mut media_types = 0;
    let mut codings = TransferCodings::default();
    let mut connection = Connection::default();
    let mut expectation = Expectation::None;
    let mut upgrades = false;

    for field in &head.fields {
        let name = field.name.of(buf);
        let value = field.value.of(buf);
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                repeated_host |= host.replace(value).is_some();
            }
            6 if name.eq_ignore_ascii_case(b"expect") => expectation.read(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => upgrades |= !value.is_empty(),
            10 if name.eq_ignore_ascii_case(b"connection") => connection.read(value),
            12 if name.eq_ignore_ascii_case(b"content-type") => media_types += 1,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                repeated_length |= length.replace(value).is_some();
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => codings.read(value),
            _ => {}
        }
    }

    if repeated_host {
        return Err(HttpError::BadRequest("more than one Host"));
    }
    if repeated_length {
        return Err(HttpError::BadRequest("more than one Content-Length"));
    }
    // RFC 9110 section 8.3: two readers may each take another one for the body's.
    if media_types > 1 {
        return Err(HttpError::BadRequest("more than one Content-Type"));
    }
    check_host(host, head.version)?;
    let body = match (codings.present, length) {
        (true, Some(_)) => {
            return Err(HttpError::BadRequest(
                "both Content-Length and Transfer-Encoding",
            ));
        }
        (true, None) => codings.body(head.version)?,
        (false, Some(value)) => BodyLength::Fixed(content_length(value)?),
        (false, None) => BodyLength::None,
    };
    within_limit(body, max_body)?;

    // HTTP/1.0 has no Expect (RFC 9110 section 10.1.1: ignored there).
    let expect_continue = match (head.version, expectation) {
        (Version::Http11, Expectation::Unknown) => return Err(HttpError::ExpectationFailed),
        (Version::Http11, Expectation::Continue) => {
            matches!(body, BodyLength::Chunked | BodyLength::Fixed(1..))
        }
        _ => false,
    };
    Ok(Framing {
        body,
        keep_alive: connection.keep_alive(head.version),
        expect_continue,
        // RFC 9110 section 7.8: ignored in HTTP/1.0.
        upgrades: upgrades && head.version == Version::Http11,
    })
}

/// Decides the framing of a request in the legacy dialect: one request a connection, its body as
/// long as `Content-Length` says. An announced length that is no number is a length of 0, and
/// [`BodyLength::None`] means that none was announced (which `POST` may not do).
///
/// DIFFERS(fapws3): the name is known in any case, and the last of several counts, as it does in
/// the environ; the original looked for the first of one spelling, anywhere in the bytes.
///
/// # Errors
/// [`HttpError::BodyTooLarge`].
pub fn lenient(head: &Head, buf: &[u8], max_body: u64) -> Result<Framing, HttpError> {
    let announced = head
        .fields
        .iter()
        .rev()
        .find(|field| field.name.of(buf).eq_ignore_ascii_case(b"content-length"));
    let body = match announced {
        Some(field) => BodyLength::Fixed(leading_number(field.value.of(buf))),
        None => BodyLength::None,
    };
    within_limit(body, max_body)?;
    Ok(Framing {
        body,
        keep_alive: false,
        expect_continue: false,
        upgrades: false,
    })
}

/// How a response's body is delimited (RFC 9112 section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyBody {
    /// No body, and no field that speaks of one.
    Empty,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection ends it.
    UntilClose,
}

/// How a response is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplyFraming {
    /// How the body is delimited; with `head_only`, how it would have been.
    pub body: ReplyBody,
    /// Whether the connection serves another request afterwards.
    pub keep_alive: bool,
    /// Whether the body is left out although its framing is announced: a response to `HEAD`.
    pub head_only: bool,
    /// The whole `Connection` line to write, with its line end, where one is needed.
    pub connection: Option<&'static [u8]>,
}

/// Decides the framing of a response in the standard dialect.
///
/// `promised` is the application's own `Content-Length`; `known` is the length of a body that is
/// there as a whole; `keep_alive` is whether both sides wish to go on.
pub fn reply(
    version: Version,
    head_request: bool,
    status: u16,
    promised: Option<u64>,
    known: Option<u64>,
    keep_alive: bool,
) -> ReplyFraming {
    let body = match status {
        // RFC 9112 section 6.3, case 1: these end at their blank line, whatever fields they have.
        100..=199 | 204 | 304 => ReplyBody::Empty,
        // RFC 9110 section 15.3.6: a 205 has no content, but its end must be announced.
        205 => ReplyBody::Length(0),
        _ => match (promised, known, version) {
            (Some(length), _, _) => ReplyBody::Length(length),
            // An application may leave the body out for HEAD; that 0 is not what GET would have.
            (None, Some(length), _) if !head_request || length > 0 => ReplyBody::Length(length),
            (None, _, _) if head_request => ReplyBody::Empty,
            (None, _, Version::Http11) => ReplyBody::Chunked,
            (None, _, Version::Http10) => ReplyBody::UntilClose,
        },
    };
    let keep_alive = keep_alive && body != ReplyBody::UntilClose;
    let connection: Option<&'static [u8]> = match (keep_alive, version) {
        (false, _) => Some(b"Connection: close\r\n"),
        (true, Version::Http10) => Some(b"Connection: keep-alive\r\n"),
        (true, Version::Http11) => None,
    };
    ReplyFraming {
        body,
        keep_alive,
        head_only: head_request,
        connection,
    }
}

fn check_host(host: Option<&[u8]>, version: Version) -> Result<(), HttpError> {
    match host {
        None if version == Version::Http11 => Err(HttpError::BadRequest("no Host")),
        Some(value) if !grammar::is_host(value) => Err(HttpError::BadRequest(
            "Host is not a host with an optional port",
        )),
        _ => Ok(()),
    }
}

fn content_length(value: &[u8]) -> Result<u64, HttpError> {
    grammar::decimal(value).map_err(|reason| match reason {
        NotDecimal::Malformed => HttpError::BadRequest("Content-Length is not a number"),
        NotDecimal::TooLarge => HttpError::BodyTooLarge,
    })
}

fn within_limit(body: BodyLength, max_body: u64) -> Result<(), HttpError> {
    match body {
        BodyLength::Fixed(length) if max_body != 0 && length > max_body => {
            Err(HttpError::BodyTooLarge)
        }
        _ => Ok(()),
    }
}

/// What all `Transfer-Encoding` lines of a head say together.
#[derive(Default)]
struct TransferCodings {
    present: bool,
    malformed: bool,
    count: usize,
    chunked: usize,
    ends_in_chunked: bool,
}

impl TransferCodings {
    fn read(&mut self, value: &[u8]) {
        self.present = true;
        for coding in grammar::list_elements(value) {
            self.malformed |= coding.is_empty();
            self.count += 1;
            self.ends_in_chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.chunked += usize::from(self.ends_in_chunked);
        }
    }

    fn body(&self, version: Version) -> Result<BodyLength, HttpError> {
        if version == Version::Http10 {
            return Err(HttpError::BadRequest("Transfer-Encoding in HTTP/1.0"));
        }
        if self.malformed || !self.ends_in_chunked || self.chunked > 1 {
            return Err(HttpError::BadRequest(
                "Transfer-Encoding does not end in one chunked",
            ));
        }
        if self.count > 1 {
            return Err(HttpError::NotImplemented);
        }
        Ok(BodyLength::Chunked)
    }
}

/// What all `Connection` lines of a head say together (RFC 9112 section 9.3).
#[derive(Default)]
struct Connection {
    close: bool,
    keep_alive: bool,
}

impl Connection {
    fn read(&mut self, value: &[u8]) {
        for option in grammar::list_elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn keep_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

/// What all `Expect` lines of a head say together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expectation {
    None,
    Continue,
    Unknown,
}

impl Expectation {
    fn read(&mut self, value: &[u8]) {
        for member in grammar::list_elements(value).filter(|member| !member.is_empty()) {
            let known =
                *self != Expectation::Unknown && member.eq_ignore_ascii_case(b"100-continue");
            *self = if known {
                Expectation::Continue
            } else {
                Expectation::Unknown
            };
        }
    }
}

/// The number that C's `strtol` reads at the beginning of `text`; 0 for none and below zero.
fn leading_number(text: &[u8]) -> u64 {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = &text[text.iter().take_while(|byte| blank(byte)).count()..];
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match grammar::decimal(&digits[..length]) {
        Ok(number) => number,
        Err(NotDecimal::Malformed) => 0,
        Err(NotDecimal::TooLarge) => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::{HeadLimits, parse_lenient, parse_strict};
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits {
        request_line: 8190,
        head: 65_536,
        fields: 128,
    };
    const MAX_BODY: u64 = 1000;

    fn framed(version: &str, lines: &str) -> Result<Framing, HttpError> {
        let bytes = format!("POST / HTTP/{version}\r\n{lines}\r\n").into_bytes();
        let mut head = Head::default();
        parse_strict(&bytes, bytes.len(), &LIMITS, &mut head)?;
        strict(&head, &bytes, MAX_BODY)
    }

    /// With a valid `Host` before `lines`.
    fn http11(lines: &str) -> Result<Framing, u16> {
        framed("1.1", &format!("Host: a\r\n{lines}")).map_err(HttpError::status)
    }

    fn http10(lines: &str) -> Result<Framing, u16> {
        framed("1.0", lines).map_err(HttpError::status)
    }

    #[test]
    fn the_body_is_as_long_as_the_head_says() {
        let body = |lines: &str| http11(lines).map(|framing| framing.body);
        assert_eq!(body(""), Ok(BodyLength::None));
        assert_eq!(body("Content-Length: 0\r\n"), Ok(BodyLength::Fixed(0)));
        assert_eq!(body("CONTENT-length:\t007 \r\n"), Ok(BodyLength::Fixed(7)));
        assert_eq!(
            body("transfer-encoding: Chunked\r\n"),
            Ok(BodyLength::Chunked)
        );
        assert_eq!(body("TE: trailers\r\nTrailer: X\r\n"), Ok(BodyLength::None));
    }

    #[test]
    fn a_body_that_is_here_already_is_found_behind_the_head() {
        let in_rest = |lines: &str, rest: &'static [u8]| {
            let framing = http11(lines).unwrap();
            framing.body_in(rest)
        };
        assert_eq!(in_rest("", b"GET /next"), Some(&b""[..]));
        assert_eq!(in_rest("Content-Length: 3\r\n", b"abcd"), Some(&b"abc"[..]));
        assert_eq!(in_rest("Content-Length: 5\r\n", b"abcd"), None);
        assert_eq!(
            in_rest("Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
            None
        );
    }

    #[test]
    fn a_request_has_one_media_type_at_most() {
        assert!(http11("Content-Type: text/plain\r\n").is_ok());
        assert!(http11("Content-Range: x\r\nContent-Range: y\r\n").is_ok());
        assert!(http11("Content-Kind: x\r\nContent-Kind: y\r\n").is_ok());
        let twice = "Content-Type: text/plain\r\ncontent-type: text/plain\r\n";
        assert_eq!(http11(twice), Err(400));
    }

    #[test]
    fn an_announced_length_over_the_limit_is_rejected_before_the_body() {
        let with_limit = |length: &str, max_body| {
            let bytes = format!("PUT / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n").into_bytes();
            let mut head = Head::default();
            parse_strict(&bytes, bytes.len(), &LIMITS, &mut head).unwrap();
            strict(&head, &bytes, max_body).map(|framing| framing.body)
        };
        assert_eq!(with_limit("1000", 1000), Ok(BodyLength::Fixed(1000)));
        assert_eq!(with_limit("1001", 1000), Err(HttpError::BodyTooLarge));
        assert_eq!(
            with_limit("18446744073709551615", 0),
            Ok(BodyLength::Fixed(u64::MAX))
        );
        assert_eq!(
            with_limit("18446744073709551616", 0),
            Err(HttpError::BodyTooLarge)
        );
    }

    /// Each of these two implementations have been seen to read differently, or the RFCs say that
    /// they could (RFC 9112 sections 2.2, 5, 6 and 11.2).
    #[test]
    fn what_can_be_read_two_ways_is_rejected() {
        const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
        let cases: &[(&str, &str)] = &[
            (
                "both lengths",
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            ),
            (
                "both, the other way",
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            ),
            (
                "both, length zero",
                "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            ),
            (
                "both, any case",
                "content-LENGTH: 5\r\nTRANSFER-encoding: CHUNKED\r\n",
            ),
            ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
            (
                "two equal lengths",
                "Content-Length: 5\r\nContent-Length: 5\r\n",
            ),
            ("a list of lengths", "Content-Length: 5, 6\r\n"),
            ("a list of equal lengths", "Content-Length: 5, 5\r\n"),
            ("an empty length", "Content-Length:\r\n"),
            ("a signed length", "Content-Length: +5\r\n"),
            ("a negative length", "Content-Length: -5\r\n"),
            ("a length with a blank in it", "Content-Length: 1 0\r\n"),
            ("a hexadecimal length", "Content-Length: 0x5\r\n"),
            ("a length with an exponent", "Content-Length: 1e1\r\n"),
            ("a length with a fraction", "Content-Length: 5.0\r\n"),
            ("a length with a separator", "Content-Length: 1_0\r\n"),
            ("a quoted length", "Content-Length: \"5\"\r\n"),
            ("a length that ends in a comma", "Content-Length: 5,\r\n"),
            ("a length in other digits", "Content-Length: \u{665}\r\n"),
            ("a length and a vertical tab", "Content-Length: \u{b}5\r\n"),
            ("a length and a form feed", "Content-Length: 5\u{c}\r\n"),
            ("a length and NUL", "Content-Length: 5\0\r\n"),
            ("a blank before the colon", "Content-Length : 5\r\n"),
            ("a tab before the colon", "Transfer-Encoding\t: chunked\r\n"),
            (
                "a bare CR before the colon",
                "Transfer-Encoding\r: chunked\r\n",
            ),
            ("a folded value", "Transfer-Encoding:\r\n chunked\r\n"),
            ("a folded name", "X: y\r\n Transfer-Encoding: chunked\r\n"),
            (
                "a bare LF before the field",
                "X: y\nTransfer-Encoding: chunked\r\n",
            ),
            (
                "a bare CR before the field",
                "X: y\rTransfer-Encoding: chunked\r\n",
            ),
            (
                "a blank line of bare LF",
                "X: y\r\n\nTransfer-Encoding: chunked\r\n",
            ),
            ("NUL before the field", "X: y\0\r\nContent-Length: 5\r\n"),
            ("an empty coding", "Transfer-Encoding:\r\n"),
            ("only a comma", "Transfer-Encoding: ,\r\n"),
            (
                "an empty list element first",
                "Transfer-Encoding: , chunked\r\n",
            ),
            (
                "an empty list element last",
                "Transfer-Encoding: chunked,\r\n",
            ),
            ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n"),
            (
                "chunked twice, in two lines",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            ),
            ("chunked not last", "Transfer-Encoding: chunked, gzip\r\n"),
            (
                "chunked not last, in two lines",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
            ),
            (
                "chunked, then identity",
                "Transfer-Encoding: chunked, identity\r\n",
            ),
            ("no chunked", "Transfer-Encoding: gzip\r\n"),
            ("identity", "Transfer-Encoding: identity\r\n"),
            ("nearly chunked", "Transfer-Encoding: xchunked\r\n"),
            ("nearly chunked again", "Transfer-Encoding: chunkedx\r\n"),
            ("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\n"),
            (
                "chunked in single quotes",
                "Transfer-Encoding: 'chunked'\r\n",
            ),
            (
                "chunked with a parameter",
                "Transfer-Encoding: chunked;q=1\r\n",
            ),
            ("chunked after a blank", "Transfer-Encoding: x chunked\r\n"),
            (
                "chunked after a semicolon",
                "Transfer-Encoding: ;chunked\r\n",
            ),
            ("chunked after a colon", "Transfer-Encoding: : chunked\r\n"),
            (
                "chunked after a vertical tab",
                "Transfer-Encoding: \u{b}chunked\r\n",
            ),
            ("chunked before NUL", "Transfer-Encoding: chunked\0\r\n"),
            (
                "chunked before a no-break space",
                "Transfer-Encoding: chunked\u{a0}\r\n",
            ),
            (
                "a letter that folds to k",
                "Transfer-Encoding: chun\u{212a}ed\r\n",
            ),
            (
                "a name after a control byte",
                "\u{1}Transfer-Encoding: chunked\r\n",
            ),
            (
                "a name that is not ASCII",
                "Transfer\u{ad}-Encoding: chunked\r\n",
            ),
            ("two hosts", "Host: b\r\n"),
            ("the same host twice", "Host: a\r\n"),
        ];
        for (what, lines) in cases {
            assert_eq!(http11(lines), Err(400), "{what}");
        }
        assert_eq!(http10(CHUNKED), Err(400), "chunked in HTTP/1.0");
        assert_eq!(http10(&format!("{CHUNKED}Content-Length: 5\r\n")), Err(400));
        assert_eq!(
            http10(&format!("Connection: keep-alive\r\n{CHUNKED}")),
            Err(400)
        );
    }

    /// Names that some readers take for the real ones pass without effect on the framing.
    #[test]
    fn what_only_looks_like_framing_has_no_effect() {
        for lines in [
            "Transfer_Encoding: chunked\r\n",
            "Content_Length: 5\r\n",
            "X-Transfer-Encoding: chunked\r\n",
            "Content-Lengt: 5\r\n",
            "Content-Length2: 5\r\n",
            "TransferEncoding: chunked\r\n",
            "Hosx: a b\r\n",
            "Expecx: y\r\n",
            "User-Agent: close\r\n",
            "Content-Lengtx: y\r\n",
            "Transfer-Encodinx: y\r\n",
        ] {
            let untouched = Framing {
                body: BodyLength::None,
                keep_alive: true,
                expect_continue: false,
                upgrades: false,
            };
            assert_eq!(http11(lines), Ok(untouched), "{lines:?}");
        }
    }

    #[test]
    fn another_protocol_is_offered_in_http11_only() {
        let upgrades = |framing: Result<Framing, u16>| framing.unwrap().upgrades;
        assert!(upgrades(http11("UPGRADE: websocket\r\n")));
        assert!(upgrades(http11("Upgrade: a\r\nUpgrade:\r\n")));
        assert!(!upgrades(http11("Upgrade:\r\n")));
        assert!(!upgrades(http11("Upgradf: websocket\r\n")));
        assert!(!upgrades(http11("Connection: upgrade\r\n")));
        assert!(!upgrades(http10("Upgrade: websocket\r\n")));
    }

    #[test]
    fn a_coding_that_is_not_implemented_is_named_if_the_length_is_known() {
        for lines in [
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity, chunked\r\n",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: a;b=c,CHUNKED\r\n",
        ] {
            assert_eq!(http11(lines), Err(501), "{lines:?}");
        }
    }

    #[test]
    fn a_request_names_one_valid_host() {
        let host = |version: &str, lines: &str| {
            framed(version, lines).map(drop).map_err(HttpError::status)
        };
        for version in ["1.0", "1.1"] {
            for value in ["", "a", "a:80", "[::1]:80", "A.example."] {
                assert_eq!(
                    host(version, &format!("Host: {value}\r\n")),
                    Ok(()),
                    "{value:?}"
                );
            }
            for value in [
                "a b",
                "a,b c",
                "http://a",
                "a/",
                "u@a",
                ":80",
                "a:b",
                "caf\u{e9}",
                "[::1",
            ] {
                assert_eq!(
                    host(version, &format!("Host: {value}\r\n")),
                    Err(400),
                    "{value:?}"
                );
            }
            assert_eq!(host(version, "Host: a\r\nhost: a\r\n"), Err(400));
            assert_eq!(host(version, "Host: a\r\nHOST:\r\n"), Err(400));
        }
        assert_eq!(host("1.1", ""), Err(400));
        assert_eq!(host("1.1", "Hos: a\r\n"), Err(400));
        assert_eq!(host("1.0", ""), Ok(()));
    }

    #[test]
    fn the_connection_stays_open_as_the_version_and_the_options_say() {
        let keep_alive = |framing: Result<Framing, u16>| framing.unwrap().keep_alive;
        for (lines, in_11, in_10) in [
            ("", true, false),
            ("Connection: close\r\n", false, false),
            ("Connection: keep-alive\r\n", true, true),
            ("connection: Keep-Alive\r\n", true, true),
            ("Connection: CLOSE\r\n", false, false),
            ("Connection: keep-alive, close\r\n", false, false),
            ("Connection: close, keep-alive\r\n", false, false),
            (
                "Connection: close\r\nConnection: keep-alive\r\n",
                false,
                false,
            ),
            (
                "Connection: keep-alive\r\nConnection: x, close\r\n",
                false,
                false,
            ),
            ("Connection: Upgrade, HTTP2-Settings\r\n", true, false),
            ("Connection: , ,x,\tkeep-alive ,\r\n", true, true),
            ("Connection: closed, not-close\r\n", true, false),
            ("Connection:\r\n", true, false),
            ("Keep-Alive: timeout=5\r\n", true, false),
        ] {
            assert_eq!(keep_alive(http11(lines)), in_11, "1.1 {lines:?}");
            assert_eq!(keep_alive(http10(lines)), in_10, "1.0 {lines:?}");
        }
    }

    #[test]
    fn only_one_expectation_is_known() {
        let expects = |lines: &str| http11(lines).map(|framing| framing.expect_continue);
        let body = "Content-Length: 1\r\n";
        for value in [
            "100-continue",
            "100-Continue",
            "100-CONTINUE",
            "100-continue,",
            "100-continue, 100-continue",
        ] {
            assert_eq!(
                expects(&format!("Expect: {value}\r\n{body}")),
                Ok(true),
                "{value:?}"
            );
        }
        for value in [
            "100",
            "continue",
            "x, 100-continue",
            "100-continue, x",
            "100-continue=1",
            "\"100-continue\"",
        ] {
            assert_eq!(
                expects(&format!("Expect: {value}\r\n{body}")),
                Err(417),
                "{value:?}"
            );
            let old = http10(&format!("Expect: {value}\r\n{body}"));
            assert!(!old.unwrap().expect_continue, "HTTP/1.0 has no Expect");
        }
        assert_eq!(expects("Expect: x\r\nExpect: 100-continue\r\n"), Err(417));
        assert_eq!(expects(&format!("Expect:\r\n{body}")), Ok(false));
        assert_eq!(
            expects("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"),
            Ok(true)
        );
        assert_eq!(
            expects("Expect: 100-continue\r\n"),
            Ok(false),
            "no body will follow"
        );
        assert_eq!(
            expects("Expect: 100-continue\r\nContent-Length: 0\r\n"),
            Ok(false)
        );
        assert_eq!(
            http10(&format!("Expect: 100-continue\r\n{body}")).map(|f| f.expect_continue),
            Ok(false)
        );
    }

    fn legacy(lines: &str) -> Result<BodyLength, HttpError> {
        let bytes = format!("POST / HTTP/1.1\r\n{lines}\r\n").into_bytes();
        let mut head = Head::default();
        parse_lenient(&bytes, bytes.len(), &LIMITS, &mut head)?;
        let framing = lenient(&head, &bytes, MAX_BODY)?;
        assert!(!framing.keep_alive && !framing.expect_continue);
        Ok(framing.body)
    }

    #[test]
    fn differs_the_legacy_length_is_found_in_any_case_and_the_last_counts() {
        assert_eq!(legacy("Host: a\r\n"), Ok(BodyLength::None));
        assert_eq!(legacy("content-LENGTH: 5\r\n"), Ok(BodyLength::Fixed(5)));
        assert_eq!(
            legacy("Content-Length: 5\r\nContent-length:6\r\n"),
            Ok(BodyLength::Fixed(6))
        );
        assert_eq!(legacy("Content-Length : 5\r\n"), Ok(BodyLength::None));
        assert_eq!(
            legacy("Transfer-Encoding: chunked\r\nExpect: x\r\n"),
            Ok(BodyLength::None)
        );
    }

    #[test]
    fn the_legacy_length_is_what_strtol_reads() {
        for (value, length) in [
            ("12", 12),
            ("  12 ", 12),
            ("+12", 12),
            ("12x", 12),
            ("012", 12),
            ("12 34", 12),
            ("\u{b}\t12", 12),
            ("12,13", 12),
            ("0x10", 0),
            ("-12", 0),
            ("--12", 0),
            ("+-12", 0),
            ("", 0),
            ("x12", 0),
            ("+", 0),
        ] {
            let framed = legacy(&format!("Content-Length: {value}\r\n"));
            assert_eq!(framed, Ok(BodyLength::Fixed(length)), "{value:?}");
        }
        assert_eq!(
            legacy("Content-Length: 1001\r\n"),
            Err(HttpError::BodyTooLarge)
        );
        assert_eq!(
            legacy(&format!("Content-Length: {}\r\n", "9".repeat(40))),
            Err(HttpError::BodyTooLarge)
        );
    }

    #[test]
    fn responses_without_body_have_no_framing() {
        for status in [100, 101, 103, 199, 204, 304] {
            for version in [Version::Http10, Version::Http11] {
                for length in [None, Some(0), Some(5)] {
                    let framing = reply(version, false, status, length, length, true);
                    assert_eq!(framing.body, ReplyBody::Empty, "{status}");
                    assert!(framing.keep_alive);
                }
            }
        }
        let reset = reply(Version::Http11, false, 205, Some(5), Some(5), true);
        assert_eq!(reset.body, ReplyBody::Length(0));
    }

    #[test]
    fn a_response_is_delimited_by_what_is_known_of_it() {
        let body =
            |version, promised, known| reply(version, false, 200, promised, known, true).body;
        for version in [Version::Http10, Version::Http11] {
            assert_eq!(body(version, Some(5), None), ReplyBody::Length(5));
            assert_eq!(body(version, Some(5), Some(6)), ReplyBody::Length(5));
            assert_eq!(body(version, None, Some(6)), ReplyBody::Length(6));
            assert_eq!(body(version, None, Some(0)), ReplyBody::Length(0));
        }
        assert_eq!(body(Version::Http11, None, None), ReplyBody::Chunked);
        assert_eq!(body(Version::Http10, None, None), ReplyBody::UntilClose);
    }

    /// RFC 9110 section 8.6: the length in a response to HEAD is that of the response to GET, or
    /// there is none.
    #[test]
    fn a_response_to_head_has_no_length_that_get_would_not_have() {
        let body = |promised, known| {
            let framing = reply(Version::Http11, true, 200, promised, known, true);
            assert!(framing.head_only && framing.keep_alive);
            framing.body
        };
        assert_eq!(body(Some(5), Some(0)), ReplyBody::Length(5));
        assert_eq!(body(Some(0), Some(0)), ReplyBody::Length(0));
        assert_eq!(body(None, Some(5)), ReplyBody::Length(5));
        assert_eq!(body(None, Some(0)), ReplyBody::Empty);
        assert_eq!(body(None, None), ReplyBody::Empty);
        let old = reply(Version::Http10, true, 200, None, None, true);
        assert!(old.keep_alive, "the end of a head needs no closing");
    }

    proptest! {
        /// A client can always see where the response ends, and what the head says of the
        /// connection is what happens.
        #[test]
        fn every_response_ends_where_its_client_can_see_it(
            old in any::<bool>(), head_request in any::<bool>(), status in 100u16..=999,
            promised in prop::option::of(0u64..3), known in prop::option::of(0u64..3),
            keep_alive in any::<bool>(),
        ) {
            let version = if old { Version::Http10 } else { Version::Http11 };
            let framing = reply(version, head_request, status, promised, known, keep_alive);
            prop_assert!(keep_alive || !framing.keep_alive);
            prop_assert!(!(old && framing.body == ReplyBody::Chunked));
            if framing.body == ReplyBody::UntilClose {
                prop_assert!(!framing.keep_alive);
            }
            let expected: Option<&[u8]> = match (framing.keep_alive, old) {
                (true, false) => None,
                (true, true) => Some(b"Connection: keep-alive\r\n"),
                (false, _) => Some(b"Connection: close\r\n"),
            };
            prop_assert_eq!(framing.connection, expected);
        }
    }
}
