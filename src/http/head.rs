//! The head of a request: where it ends, and what its lines hold.
//!
//! Owns the resumable search for the end of the head, the parsed form, and the limits on both;
//! the two dialects' grammars are in [`strict`] and [`lenient`]. What the fields mean (lengths,
//! host, connection) is [`super::framing`]'s.
//!
//! Invariants. A [`Head`] holds offsets and no bytes, so it survives the read buffer growing or
//! moving while the body arrives. However a message is cut into pieces, search and parse
//! together come to the same result: the fault that stands first in the message decides. No byte
//! is searched twice, whatever the sizes of the pieces.

#![forbid(unsafe_code)]

mod lenient;
mod strict;

pub use lenient::parse as parse_lenient;
pub use strict::parse as parse_strict;

use super::error::HttpError;
use super::grammar;

/// A range of the buffer that a head was parsed from, relative to the head's first byte.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes of this range in `buf`, which begins with the head it was made from.
    pub fn of(self, buf: &[u8]) -> &[u8] {
        &buf[self.start as usize..self.end as usize]
    }

    /// Heads are bounded far below 4 GiB by [`HeadLimits::whole`].
    fn new(start: usize, end: usize) -> Span {
        Span {
            start: start as u32,
            end: end as u32,
        }
    }
}

/// What a head may cost.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Longest request line, in bytes without its line end.
    pub request_line: usize,
    /// Longest head, in bytes with its blank line and a blank line before it.
    pub head: usize,
    /// Most field lines.
    pub fields: usize,
}

impl HeadLimits {
    /// The limit on the whole head, such that its offsets fit a [`Span`].
    fn whole(&self) -> usize {
        self.head.min(u32::MAX as usize)
    }
}

/// The protocol version that governs the connection.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Version {
    /// HTTP/1.0, and everything in the legacy dialect.
    #[default]
    Http10,
    /// HTTP/1.1 and any later minor version.
    Http11,
}

/// One field line. In the legacy dialect names and values may hold odd bytes, LF among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// What stands before the colon, as sent.
    pub name: Span,
    /// What follows it, without the blanks that the dialect drops.
    pub value: Span,
}

/// A parsed head. Kept between requests, its list keeps its capacity.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Head {
    /// `GET`; case matters.
    pub method: Span,
    /// The request target, raw.
    pub target: Span,
    /// `HTTP/1.1`, as sent. In the legacy dialect any text of four bytes or more.
    pub protocol: Span,
    /// What `protocol` says.
    pub version: Version,
    /// The field lines in order, repeated ones too.
    pub fields: Vec<Field>,
    /// Length of the whole head with its blank line: the body begins here.
    pub len: usize,
}

/// A search for the end of a head that goes on where it stopped when more bytes have come.
///
/// One value serves one head: each call is given the same bytes again with more behind them.
#[derive(Clone, Default, Debug)]
pub struct HeadSearch {
    /// Bytes in which no blank line begins, but for one in the last three.
    seen: usize,
    lines: strict::Lines,
    start: lenient::Start,
}

impl HeadSearch {
    /// Length of the head that `buf` begins with, blank line included; `None` while incomplete.
    ///
    /// A complete head is not judged here: [`parse_strict`] does that. An incomplete one is
    /// judged as far as it goes, so that what can never become a request (a TLS hello, lines
    /// that end in a bare LF) is refused now and not when its time has run out.
    ///
    /// # Errors
    /// Those of [`parse_strict`].
    pub fn strict(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HttpError> {
        let within = &buf[..buf.len().min(limits.whole())];
        if let Some(blank_line) = self.blank_line(within, 0) {
            return Ok(Some(blank_line + 4));
        }
        self.lines.check(within, limits)?;
        Self::incomplete(within, limits)
    }

    /// The same in the legacy dialect, where only the limits can refuse an incomplete head.
    ///
    /// # Errors
    /// [`HttpError::TargetTooLong`], [`HttpError::HeadTooLarge`].
    pub fn lenient(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HttpError> {
        let within = &buf[..buf.len().min(limits.whole())];
        let start = self.start.find(within);
        if let Some(blank_line) = self.blank_line(within, start) {
            return Ok(Some(blank_line + 4));
        }
        self.start.check_request_line(within, limits)?;
        Self::incomplete(within, limits)
    }

    fn blank_line(&mut self, within: &[u8], start: usize) -> Option<usize> {
        let from = self.seen.saturating_sub(3).max(start);
        self.seen = within.len();
        grammar::find_blank_line(within, from)
    }

    fn incomplete(within: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HttpError> {
        if within.len() >= limits.whole() {
            return Err(HttpError::HeadTooLarge);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub const LIMITS: HeadLimits = HeadLimits {
        request_line: 64,
        head: 512,
        fields: 8,
    };

    #[test]
    fn a_hello_in_both_dialects() {
        let bytes = b"GET /a?b HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\n\r\nbody";
        for dialect in [HeadSearch::strict, HeadSearch::lenient] {
            let found = dialect(&mut HeadSearch::default(), bytes, &LIMITS);
            assert_eq!(found, Ok(Some(bytes.len() - 4)));
        }
        for (parse, value) in [
            (parse_strict as fn(&_, _, &_, &mut _) -> _, &b"z"[..]),
            (parse_lenient, b"z "),
        ] {
            let mut head = Head::default();
            assert_eq!(parse(bytes, bytes.len() - 4, &LIMITS, &mut head), Ok(()));
            assert_eq!(head.method.of(bytes), b"GET");
            assert_eq!(head.target.of(bytes), b"/a?b");
            assert_eq!(head.protocol.of(bytes), b"HTTP/1.1");
            assert_eq!(head.fields[1].name.of(bytes), b"X-Y");
            assert_eq!(head.fields[1].value.of(bytes), value);
            assert_eq!(head.len, bytes.len() - 4);
        }
    }
}
