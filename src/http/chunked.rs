//! The chunked transfer coding, RFC 9112 section 7.1: requests decoded, responses encoded.
//!
//! ```text
//! chunked-body = *chunk last-chunk trailer-section CRLF
//! chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! chunk-size   = 1*HEXDIG
//! last-chunk   = 1*("0") [ chunk-ext ] CRLF
//! chunk-ext    = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
//! ```
//!
//! Owns the decoder's state and its limits; where the bytes come from and go to is the caller's.
//! The framing bytes go one by one through the states below, so that it cannot matter how the
//! input was cut; the data is handed on in whole slices. Extensions and trailers have no use here
//! and are dropped, but not unread: what a lenient reader skips is where a smuggled request hides.
//!
//! Invariant: after an error the decoder gives that error for ever, and what it gave before is the
//! beginning of no valid body.

#![forbid(unsafe_code)]

use super::error::HttpError;
use super::grammar::is_token_byte;

/// The chunk that ends a response's body, without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends the line that begins a chunk of `len` bytes, which is not 0: a chunk of that size is
/// [`LAST_CHUNK`]. The data follows, then CR LF.
pub fn push_chunk_size(out: &mut Vec<u8>, len: usize) {
    debug_assert!(len > 0, "a chunk of no bytes ends the body");
    let digits = (usize::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(len >> (digit * 4)) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// What a chunked body may cost, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct ChunkLimits {
    /// Longest line that announces a chunk, less its first 16 digits.
    pub line_extension: usize,
    /// The same, summed over the message.
    pub total_extension: usize,
    /// Longest trailer section.
    pub trailer: usize,
    /// Longest body; 0 for no limit.
    pub body: u64,
}

/// Decodes one chunked body.
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: ChunkLimits,
    state: State,
    /// Bytes of the chunk that are still to come; while its line is read, its size so far.
    size: u64,
    /// Digits of the size so far.
    digits: usize,
    /// Bytes of this line that count against the limits.
    line_extension: usize,
    total_extension: usize,
    trailer: usize,
    /// Bytes of the body that were announced so far.
    body: u64,
}

/// What the next byte is expected to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Line(Line),
    /// LF of the line that announces a chunk.
    LineLf,
    Data,
    DataCr,
    DataLf,
    Trailer(Trailer),
    Done,
    Failed(HttpError),
}

/// Within the line that announces a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    /// A digit of the size, the first included.
    Size,
    /// `;`, after a blank.
    Semicolon,
    /// The first byte of an extension's name, or a blank before it.
    NameStart,
    Name,
    /// `=` or `;`, after a name and a blank.
    NameEnd,
    /// The first byte of an extension's value, or a blank before it.
    ValueStart,
    Token,
    Quoted,
    /// The byte after a backslash in a quoted string.
    QuotedPair,
    /// What follows the closing quote.
    QuotedEnd,
}

/// Within the trailer section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trailer {
    /// The first byte of a field line, or CR of the blank line.
    Start,
    Name,
    Value,
    /// LF of a field line.
    Lf,
    /// LF of the blank line.
    LastLf,
}

impl Decoder {
    /// A decoder at the beginning of a body.
    pub fn new(limits: ChunkLimits) -> Self {
        Decoder {
            limits,
            state: State::Line(Line::Size),
            size: 0,
            digits: 0,
            line_extension: 0,
            total_extension: 0,
            trailer: 0,
            body: 0,
        }
    }

    /// Consumes what it can of `input` and gives the body's bytes to `sink`, in order. Returns how
    /// many bytes were consumed and whether the body is complete; what is left of `input` then
    /// belongs to the next request. While it is not complete, all of `input` is consumed.
    ///
    /// # Errors
    /// [`HttpError::BadRequest`] for malformed chunks and over-long extensions,
    /// [`HttpError::BodyTooLarge`] as soon as the announced sizes exceed the limit,
    /// [`HttpError::HeadTooLarge`] for trailers over theirs.
    pub fn decode(
        &mut self,
        input: &[u8],
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(usize, bool), HttpError> {
        let mut rest = input;
        while let Some(&byte) = rest.first() {
            match self.state {
                State::Done => break,
                State::Failed(error) => return Err(error),
                State::Data => {
                    let available = usize::try_from(self.size).unwrap_or(usize::MAX);
                    let (data, behind) = rest.split_at(available.min(rest.len()));
                    sink(data);
                    rest = behind;
                    self.size -= data.len() as u64;
                    if self.size == 0 {
                        self.state = State::DataCr;
                    }
                }
                _ => match self.step(byte) {
                    Ok(next) => {
                        self.state = next;
                        rest = &rest[1..];
                    }
                    Err(error) => self.state = State::Failed(error),
                },
            }
        }
        Ok((input.len() - rest.len(), self.state == State::Done))
    }

    /// The state after one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, HttpError> {
        match (self.state, byte) {
            (State::Line(part), b'\r') if part.can_end_line() && self.digits > 0 => {
                Ok(State::LineLf)
            }
            (State::Line(part), _) => self.step_line(part, byte).map(State::Line),
            (State::LineLf, b'\n') => self.begin_chunk(),
            (State::LineLf, _) => Err(LINE),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Line(Line::Size)),
            (State::Trailer(Trailer::LastLf), b'\n') => Ok(State::Done),
            (State::Trailer(part), _) => self.step_trailer(part, byte).map(State::Trailer),
            _ => Err(DATA_END),
        }
    }

    fn step_line(&mut self, part: Line, byte: u8) -> Result<Line, HttpError> {
        if part == Line::Size && byte.is_ascii_hexdigit() {
            self.push_digit(byte)?;
            return Ok(Line::Size);
        }
        if self.digits == 0 {
            return Err(SIZE);
        }
        self.count_extension()?;
        part.next(byte).ok_or(LINE)
    }

    fn push_digit(&mut self, byte: u8) -> Result<(), HttpError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        if self.size >> 60 != 0 {
            return Err(SIZE);
        }
        self.size = (self.size << 4) | u64::from(digit);
        self.digits += 1;
        // Leading zeros are valid in any number; what they cost is bounded like an extension.
        if self.digits > 16 {
            self.count_extension()
        } else {
            Ok(())
        }
    }

    fn count_extension(&mut self) -> Result<(), HttpError> {
        self.line_extension += 1;
        self.total_extension += 1;
        if self.line_extension > self.limits.line_extension
            || self.total_extension > self.limits.total_extension
        {
            return Err(HttpError::BadRequest("chunk extensions are too long"));
        }
        Ok(())
    }

    /// The line that announces a chunk is complete.
    fn begin_chunk(&mut self) -> Result<State, HttpError> {
        self.digits = 0;
        self.line_extension = 0;
        if self.size == 0 {
            return Ok(State::Trailer(Trailer::Start));
        }
        self.body = self
            .body
            .checked_add(self.size)
            .ok_or(HttpError::BodyTooLarge)?;
        if self.limits.body != 0 && self.body > self.limits.body {
            return Err(HttpError::BodyTooLarge);
        }
        Ok(State::Data)
    }

    fn step_trailer(&mut self, part: Trailer, byte: u8) -> Result<Trailer, HttpError> {
        let next = part.next(byte).ok_or(TRAILER)?;
        if next != Trailer::LastLf {
            self.trailer += 1;
        }
        if self.trailer > self.limits.trailer {
            return Err(HttpError::HeadTooLarge);
        }
        Ok(next)
    }
}

impl Line {
    /// The part after `byte` of an extension, or `None` if it has no place here.
    fn next(self, byte: u8) -> Option<Line> {
        use Line::*;
        Some(match (self, byte) {
            (NameStart, b' ' | b'\t') => NameStart,
            (NameStart | Name, _) if is_token_byte(byte) => Name,
            (Name | NameEnd, b' ' | b'\t') => NameEnd,
            (Name | NameEnd, b'=') => ValueStart,
            (ValueStart, b' ' | b'\t') => ValueStart,
            (ValueStart, b'"') => Quoted,
            (ValueStart | Token, _) if is_token_byte(byte) => Token,
            (Quoted, b'"') => QuotedEnd,
            (Quoted, b'\\') => QuotedPair,
            (Quoted | QuotedPair, _) if is_text_byte(byte) => Quoted,
            (Size | Semicolon | Token | QuotedEnd, b' ' | b'\t') => Semicolon,
            (Size | Semicolon | Name | NameEnd | Token | QuotedEnd, b';') => NameStart,
            _ => return None,
        })
    }

    /// A blank belongs to what follows it (BWS), so the line cannot end after one.
    fn can_end_line(self) -> bool {
        matches!(
            self,
            Line::Size | Line::Name | Line::Token | Line::QuotedEnd
        )
    }
}

impl Trailer {
    /// The part after `byte`. Trailers are field lines (RFC 9112 section 7.1.2) and have their
    /// grammar.
    fn next(self, byte: u8) -> Option<Trailer> {
        Some(match (self, byte) {
            (Trailer::Start, b'\r') => Trailer::LastLf,
            (Trailer::Start | Trailer::Name, _) if is_token_byte(byte) => Trailer::Name,
            (Trailer::Name, b':') => Trailer::Value,
            (Trailer::Value, b'\r') => Trailer::Lf,
            (Trailer::Value, _) if is_text_byte(byte) => Trailer::Value,
            (Trailer::Lf, b'\n') => Trailer::Start,
            _ => return None,
        })
    }
}

const SIZE: HttpError = HttpError::BadRequest("chunk size is not a hexadecimal number");
const LINE: HttpError = HttpError::BadRequest("malformed chunk size or extension");
const DATA_END: HttpError = HttpError::BadRequest("chunk data does not end where its size says");
const TRAILER: HttpError = HttpError::BadRequest("malformed trailer");

/// Whether `byte` may stand in a field value or, quotes and backslash aside, in a quoted string.
fn is_text_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}
