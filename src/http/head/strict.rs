//! The grammar of a head in the standard dialect: RFC 9112 sections 2 to 5, to the letter.
//!
//! ```text
//! head         = [ CRLF ] request-line *( field-line ) CRLF
//! request-line = method SP request-target SP HTTP-version CRLF
//! field-line   = field-name ":" OWS field-value OWS CRLF
//! ```
//!
//! RFC 9112 allows a recipient to take a bare LF for a line end, to read white space leniently
//! and to unfold obsolete folding. Each of those is a place where two servers can read one
//! message differently, so none is done here.
//!
//! A well-formed line is read once, left to right. Only when that fails is the line looked at
//! again, to name the fault; [`request_line_fault`] has the order in which faults count.

#![forbid(unsafe_code)]

use super::{Field, Head, HeadLimits, Span, Version};
use crate::http::error::HttpError;
use crate::http::grammar::{is_token_byte, target_run, token_run, value_run};

const BARE_LINE_END: HttpError = HttpError::BadRequest("a line ends with CR LF, neither alone");
const CONTROL_BYTE: HttpError = HttpError::BadRequest("control byte in the request head");
const METHOD: HttpError = HttpError::BadRequest("the method is not a token");
const REQUEST_LINE: HttpError =
    HttpError::BadRequest("a request line is METHOD TARGET HTTP/1.1, one blank between");
const FOLDED: HttpError = HttpError::BadRequest("header line begins with a blank");
const NO_COLON: HttpError = HttpError::BadRequest("header line without a colon");
const NAME: HttpError = HttpError::BadRequest("a header name is not a token");
const BLANK_LINE_EARLY: HttpError = HttpError::BadRequest("empty request");

/// Reads the head in the first `len` bytes of `buf` (what [`super::HeadSearch::strict`] found)
/// into `head`, whose list of fields is reused.
///
/// A field whose name holds `_` is left out: as an environ key it could not be told from the
/// name with `-`, which a proxy in front may have vouched for.
///
/// # Errors
/// [`HttpError::BadRequest`] for what the grammar does not have, [`HttpError::Version`] for a
/// major version other than 1, [`HttpError::TargetTooLong`] and [`HttpError::HeadTooLarge`] past
/// the limits. After an error `head` holds nothing of use.
pub fn parse(
    buf: &[u8],
    len: usize,
    limits: &HeadLimits,
    head: &mut Head,
) -> Result<(), HttpError> {
    let buf = &buf[..len];
    let start = leading_line_end(buf);
    let line = request_line(&buf[start..], limits)?;
    head.method = Span::new(start, start + line.method);
    head.target = Span::new(start + line.method + 1, start + line.target);
    head.protocol = Span::new(start + line.target + 1, start + line.protocol);
    head.version = line.version;
    head.fields.clear();

    let mut at = start + line.protocol + 2;
    let mut count = 0;
    while !buf[at..].starts_with(b"\r\n") {
        let line = field_line(&buf[at..])?;
        count += 1;
        if count > limits.fields {
            return Err(HttpError::HeadTooLarge);
        }
        if !line.underscore {
            head.fields.push(Field {
                name: Span::new(at, at + line.name),
                value: Span::new(at + line.value_start, at + line.value_end),
            });
        }
        at += line.len;
    }
    head.len = at + 2;
    Ok(())
}

/// How far the lines of an incomplete head have been checked.
#[derive(Clone, Default, Debug)]
pub(super) struct Lines {
    /// Where the first line begins that is not complete yet.
    line: usize,
    /// Up to where that line is known to hold no control byte but HT.
    clean: usize,
    /// Whether the request line is complete.
    in_fields: bool,
    fields: usize,
}

impl Lines {
    /// Checks the lines that were completed since the last call, and the beginning of the next,
    /// as [`parse`] would.
    pub(super) fn check(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<(), HttpError> {
        if self.line == 0 {
            if buf == b"\r" {
                return Ok(());
            }
            self.line = leading_line_end(buf);
            self.clean = self.clean.max(self.line);
        }
        loop {
            let stop = self.clean + value_run(&buf[self.clean..]);
            self.clean = stop;
            match &buf[stop..] {
                [b'\r', b'\n', ..] => self.complete_line(buf, stop, limits)?,
                [] | [b'\r'] if self.in_fields => return Ok(()),
                [] | [b'\r'] => return request_line_so_far(&buf[self.line..stop], limits),
                _ if self.in_fields => return Err(field_line_fault(&buf[self.line..])),
                _ => return Err(request_line_fault(&buf[self.line..], limits)),
            }
        }
    }

    fn complete_line(
        &mut self,
        buf: &[u8],
        end: usize,
        limits: &HeadLimits,
    ) -> Result<(), HttpError> {
        let line = &buf[self.line..end + 2];
        if self.in_fields {
            field_line(line)?;
            self.fields += 1;
            if self.fields > limits.fields {
                return Err(HttpError::HeadTooLarge);
            }
        } else {
            request_line(line, limits)?;
            self.in_fields = true;
        }
        self.line = end + 2;
        self.clean = self.line;
        Ok(())
    }
}

/// RFC 9112 section 2.2: a server should ignore one empty line before the request line, which
/// old clients sent after a body. More than one is nothing that a client sends.
fn leading_line_end(buf: &[u8]) -> usize {
    if buf.starts_with(b"\r\n") { 2 } else { 0 }
}

/// Offsets within a request line: where its three parts end.
struct RequestLine {
    method: usize,
    target: usize,
    protocol: usize,
    version: Version,
}

fn request_line(bytes: &[u8], limits: &HeadLimits) -> Result<RequestLine, HttpError> {
    let fault = || request_line_fault(bytes, limits);
    let (method, _) = token_run(bytes);
    if method == 0 || bytes.get(method) != Some(&b' ') {
        return Err(fault());
    }
    let target = method + 1 + target_run(&bytes[method + 1..]);
    if target == method + 1 {
        return Err(fault());
    }
    let version = match bytes.get(target..target + 11) {
        Some(b" HTTP/1.1\r\n") => Version::Http11,
        Some(b" HTTP/1.0\r\n") => Version::Http10,
        // A minor version above ours: answered as the highest that we know (RFC 9110 section 2.5).
        Some(
            [
                b' ',
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                b'2'..=b'9',
                b'\r',
                b'\n',
            ],
        ) => Version::Http11,
        _ => return Err(fault()),
    };
    let protocol = target + 9;
    if protocol > limits.request_line {
        return Err(HttpError::TargetTooLong);
    }
    Ok(RequestLine {
        method,
        target,
        protocol,
        version,
    })
}

/// Judges a request line of which the end has not come.
fn request_line_so_far(line: &[u8], limits: &HeadLimits) -> Result<(), HttpError> {
    if line.first().is_some_and(|&byte| !is_token_byte(byte)) {
        return Err(METHOD);
    }
    if line.len() > limits.request_line {
        return Err(HttpError::TargetTooLong);
    }
    Ok(())
}

/// What is wrong with the request line that `bytes` begins with.
///
/// The order is that in which the bytes would tell if they came one by one: a first byte that
/// starts no method, then a control byte within the limit or the limit, and only for a complete
/// line its syntax.
#[cold]
fn request_line_fault(bytes: &[u8], limits: &HeadLimits) -> HttpError {
    let end = value_run(bytes);
    let line = &bytes[..end];
    if let Err(fault) = request_line_so_far(line, limits) {
        return fault;
    }
    match &bytes[end..] {
        [b'\r', b'\n', ..] => {}
        [b'\r' | b'\n', ..] => return BARE_LINE_END,
        _ => return CONTROL_BYTE,
    }
    if line.is_empty() {
        return BLANK_LINE_EARLY;
    }
    let (method, _) = token_run(line);
    if line.get(method) != Some(&b' ') {
        return METHOD;
    }
    let target = method + 1 + target_run(&line[method + 1..]);
    match &line[target..] {
        [
            b' ',
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'2'..=b'9',
            b'.',
            b'0'..=b'9',
        ] => HttpError::Version,
        _ => REQUEST_LINE,
    }
}

/// Offsets within a field line.
struct FieldLine {
    name: usize,
    underscore: bool,
    value_start: usize,
    value_end: usize,
    len: usize,
}

fn field_line(bytes: &[u8]) -> Result<FieldLine, HttpError> {
    let (name, underscore) = token_run(bytes);
    if name == 0 || bytes.get(name) != Some(&b':') {
        return Err(field_line_fault(bytes));
    }
    let mut value_start = name + 1;
    while matches!(bytes.get(value_start), Some(b' ' | b'\t')) {
        value_start += 1;
    }
    let end = value_start + value_run(&bytes[value_start..]);
    if bytes.get(end..end + 2) != Some(b"\r\n") {
        return Err(field_line_fault(bytes));
    }
    let mut value_end = end;
    while value_end > value_start && matches!(bytes[value_end - 1], b' ' | b'\t') {
        value_end -= 1;
    }
    Ok(FieldLine {
        name,
        underscore,
        value_start,
        value_end,
        len: end + 2,
    })
}

/// What is wrong with the field line that `bytes` begins with.
#[cold]
fn field_line_fault(bytes: &[u8]) -> HttpError {
    let end = value_run(bytes);
    match &bytes[end..] {
        [b'\r', b'\n', ..] => {}
        [b'\r' | b'\n', ..] => return BARE_LINE_END,
        _ => return CONTROL_BYTE,
    }
    let line = &bytes[..end];
    if matches!(line.first(), Some(b' ' | b'\t')) {
        FOLDED
    } else if !line.contains(&b':') {
        NO_COLON
    } else {
        NAME
    }
}
