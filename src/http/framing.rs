//! Where a message's body ends and whether the connection lives on: RFC 9112 section 6, decided
//! once a message, here and nowhere else.
//!
//! A request's body is told by its head alone. RFC 9112 section 6.3 has eight cases; three concern
//! requests, and this is what is made of them:
//!
//! 1. `Transfer-Encoding` present: `chunked` and nothing else, in a message that says HTTP/1.1 and
//!    has no `Content-Length`. The RFC lets a server prefer the coding over the length; a proxy in
//!    front may have preferred the length, and then the two disagree on where the next request
//!    begins. That is request smuggling, so the message is refused and the connection closed. A
//!    coding that we do not have is 501, unless `chunked` is not the last: then no length is known
//!    at all and the RFC asks for 400. In HTTP/1.0 the coding does not exist, and proxies of that
//!    time pass it through unread: refused.
//! 2. `Content-Length` present: once, and `1*DIGIT`. The RFC lets a server take `5, 5` for 5; a
//!    repeated length is a sign that somebody joined two messages' heads, so it is refused even when
//!    both are equal. A number above any integer of ours is a valid length that is too large.
//! 3. Neither: no body.
//!
//! The same head decides the rest. `Host` is checked here because RFC 9112 section 3.2 makes its
//! absence and its repetition errors of the message, and because a proxy and we must agree on it as
//! on the length. `Connection` is a list in any number of lines; `close` wins. `Expect` concerns the
//! body, so it is answered only where one will follow.
//!
//! A response's body is told by the request's method, the status, and what the application said
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
    let mut codings = TransferCodings::default();
    let mut connection = Connection::default();
    let mut expectation = Expectation::None;

    for field in &head.fields {
        let name = field.name.of(buf);
        let value = field.value.of(buf);
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                repeated_host |= host.replace(value).is_some();
            }
            6 if name.eq_ignore_ascii_case(b"expect") => expectation.read(value),
            10 if name.eq_ignore_ascii_case(b"connection") => connection.read(value),
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
    /// Whether the body is left out although its framing is announced: an answer to `HEAD`.
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
        // RFC 9110 section 15.3.6: a 205 has no content, but its end must be told.
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
    count: usize,
    chunked: usize,
    ends_in_chunked: bool,
}

impl TransferCodings {
    fn read(&mut self, value: &[u8]) {
        self.present = true;
        for coding in grammar::list_elements(value) {
            self.count += 1;
            self.ends_in_chunked = coding.eq_ignore_ascii_case(b"chunked");
            self.chunked += usize::from(self.ends_in_chunked);
        }
    }

    fn body(&self, version: Version) -> Result<BodyLength, HttpError> {
        if version == Version::Http10 {
            return Err(HttpError::BadRequest("Transfer-Encoding in HTTP/1.0"));
        }
        if !self.ends_in_chunked || self.chunked > 1 {
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
