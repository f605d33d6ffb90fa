//! The head that an application passed to `start_response`: checked, and rendered once.
//!
//! Invariant: `lines` holds whole lines that were checked, so that what an application says
//! can never add a line of its own (response splitting). What frames the message (Content-Length and
//! the connection's own fields) is not among them: it is decided when the head is pushed.

#![forbid(unsafe_code)]

use super::date::imf_fixdate;
use super::error::registered_phrase;
use super::framing::{ReplyBody, ReplyFraming};
use super::grammar::push_decimal;
use super::reply::{FieldRole, field_role, is_field_value, is_token, parse_length, parse_status};

/// What is wrong with what an application gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadFault {
    /// The status is not three digits, a space and a reason.
    Status,
    /// A status below 200 does not end a request.
    Interim,
    /// A field name that is no token.
    Name,
    /// CR, LF, NUL or another control character in a value.
    Value,
    /// A field that belongs to the connection, so to the server (PEP 3333).
    HopByHop,
    /// A Content-Length that is no number, or two that differ.
    Length,
    /// There is no memory for it.
    TooLong,
}

impl HeadFault {
    /// What the exception says.
    pub fn message(self) -> &'static str {
        match self {
            HeadFault::Status => "status must be three digits, a space and a reason, on one line",
            HeadFault::Interim => "a status below 200 is the server's to send",
            HeadFault::Name => "a header name must be a token (RFC 9110 section 5.1)",
            HeadFault::Value => "a header value must not hold CR, LF, NUL or control characters",
            HeadFault::HopByHop => "hop-by-hop headers are the server's (PEP 3333)",
            HeadFault::Length => "Content-Length must be one number",
            HeadFault::TooLong => "a head may be 1 MiB long",
        }
    }

    /// Whether PEP 3333 calls it an application's broken promise, so an `AssertionError`; the
    /// others are a `ValueError`.
    pub fn is_assertion(self) -> bool {
        matches!(self, HeadFault::HopByHop | HeadFault::Interim)
    }
}

/// What every status line begins with.
const VERSION: &[u8] = b"HTTP/1.1 ";

/// Bytes of a status, and of all fields, at most: clients take less, and what is longer may find no memory.
pub const LONGEST_HEAD: usize = 1 << 20;

/// A checked head.
#[derive(Clone, Default)]
pub struct ResponseHead {
    code: u16,
    /// The status line, and the fields behind it.
    lines: Vec<u8>,
    /// Where the fields begin.
    fields_at: usize,
    promised: Option<u64>,
    has_date: bool,
    has_server: bool,
}

impl ResponseHead {
    /// The status code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The length that the application promised.
    pub fn promised(&self) -> Option<u64> {
        self.promised
    }

    /// Starts again, keeping the memory.
    pub fn clear(&mut self) {
        self.code = 0;
        self.lines.clear();
        self.fields_at = 0;
        self.promised = None;
        self.has_date = false;
        self.has_server = false;
    }

    /// Sets the status, `404 Not Found`. Of `404` alone the reason is the registered one, or empty for a
    /// code that is not registered: the blank before it is not optional (RFC 9112 section 4).
    pub fn set_status(&mut self, status: &[u8]) -> Result<(), HeadFault> {
        if let &[_, _, _] = status {
            let (code, _) = parse_status(&[status, b" "].concat()).ok_or(HeadFault::Status)?;
            let reason = registered_phrase(code).unwrap_or_default().as_bytes();
            return self.set_status(&[status, b" ", reason].concat());
        }
        let (code, _) = parse_status(status).ok_or(HeadFault::Status)?;
        if code < 200 {
            return Err(HeadFault::Interim);
        }
        if status.len() > LONGEST_HEAD {
            return Err(HeadFault::TooLong);
        }
        self.code = code;
        let line = [VERSION, status, b"\r\n"].concat();
        let length = line.len();
        self.lines.splice(..self.fields_at, line);
        self.fields_at = length;
        Ok(())
    }

    /// Adds a field.
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadFault> {
        if !is_token(name) {
            return Err(HeadFault::Name);
        }
        if !is_field_value(value) {
            return Err(HeadFault::Value);
        }
        match field_role(name) {
            FieldRole::Plain => {}
            FieldRole::Date => self.has_date = true,
            FieldRole::Server => self.has_server = true,
            FieldRole::Connection => return Err(HeadFault::HopByHop),
            FieldRole::ContentLength => {
                let length = parse_length(value).ok_or(HeadFault::Length)?;
                if self.promised.is_some_and(|promised| promised != length) {
                    return Err(HeadFault::Length);
                }
                self.promised = Some(length);
                return Ok(());
            }
        }
        if self.lines.len() + name.len() + value.len() > LONGEST_HEAD + self.fields_at {
            return Err(HeadFault::TooLong);
        }
        self.lines.extend_from_slice(name);
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value);
        self.lines.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Adds a rendered line, `Name: value`, with or without its CR; an empty one is nothing.
    pub fn add_line(&mut self, line: &[u8]) -> Result<(), HeadFault> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(());
        }
        let colon = memchr::memchr(b':', line).ok_or(HeadFault::Name)?;
        self.add(&line[..colon], line[colon + 1..].trim_ascii())
    }

    /// Takes out every field of this name.
    pub fn remove(&mut self, name: &[u8]) {
        match field_role(name) {
            FieldRole::ContentLength => self.promised = None,
            FieldRole::Date => self.has_date = false,
            FieldRole::Server => self.has_server = false,
            FieldRole::Plain | FieldRole::Connection => {}
        }
        let kept: Vec<u8> = self
            .fields()
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| !field_name(line).eq_ignore_ascii_case(name))
            .flatten()
            .copied()
            .collect();
        self.lines.truncate(self.fields_at);
        self.lines.extend_from_slice(&kept);
    }

    /// The last value given under this name.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields()
            .split(|&byte| byte == b'\n')
            .rfind(|line| field_name(line).eq_ignore_ascii_case(name))
            .map(|line| &line[name.len() + 2..line.len() - 1])
    }

    fn fields(&self) -> &[u8] {
        &self.lines[self.fields_at..]
    }

    /// Writes the fields into `out`, as those of a response that comes before the final one (RFC 8297).
    pub fn push_early_hints(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
        out.extend_from_slice(self.fields());
        out.extend_from_slice(b"\r\n");
    }

    /// Writes the head into `out`, framed as `framing` says.
    pub fn push(&self, out: &mut Vec<u8>, framing: &ReplyFraming, ready: &DateServerLines) {
        out.reserve(self.lines.len() + 160);
        out.extend_from_slice(&self.lines);
        out.extend_from_slice(match (self.has_date, self.has_server) {
            (false, false) => ready.lines(),
            (false, true) => ready.date_line(),
            (true, false) => ready.server_line(),
            (true, true) => b"",
        });
        match framing.body {
            ReplyBody::Length(length) => {
                out.extend_from_slice(b"Content-Length: ");
                push_decimal(out, length);
                out.extend_from_slice(b"\r\n");
            }
            ReplyBody::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            ReplyBody::Empty | ReplyBody::UntilClose => {}
        }
        if let Some(connection) = framing.connection {
            out.extend_from_slice(connection);
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn field_name(line: &[u8]) -> &[u8] {
    line.split(|&byte| byte == b':').next().unwrap_or_default()
}

/// The `Date` and `Server` lines, rendered once a second.
#[derive(Default)]
pub struct DateServerLines {
    second: i64,
    lines: Vec<u8>,
    date_ends: usize,
}

impl DateServerLines {
    const DATE: &'static [u8] = b"Date: ";

    /// It is `second` now (Unix time): whether the lines changed. `ident` is the server's name, one
    /// line, or empty for no `Server` line.
    pub fn update(&mut self, second: i64, ident: &[u8]) -> bool {
        if self.second == second && !self.lines.is_empty() {
            return false;
        }
        self.second = second;
        self.lines.clear();
        if let Some(date) = imf_fixdate(second) {
            self.lines.extend_from_slice(Self::DATE);
            self.lines.extend_from_slice(&date);
            self.lines.extend_from_slice(b"\r\n");
        }
        self.date_ends = self.lines.len();
        if !ident.is_empty() {
            self.lines.extend_from_slice(b"Server: ");
            self.lines.extend_from_slice(ident);
            self.lines.extend_from_slice(b"\r\n");
        }
        true
    }

    /// `Date: ...` with its line end.
    pub fn date_line(&self) -> &[u8] {
        &self.lines[..self.date_ends]
    }

    /// `Server: ...` with its line end; empty where there is no name.
    pub fn server_line(&self) -> &[u8] {
        &self.lines[self.date_ends..]
    }

    /// Both lines.
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// The date alone, 29 bytes.
    pub fn date(&self) -> &[u8] {
        let line = self.date_line();
        line.get(Self::DATE.len()..line.len().saturating_sub(2))
            .unwrap_or_default()
    }
}
