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
//! A trailer that would frame or route the message, were it a header, is such a sign too, so it is
//! rejected. Others that have no place in a trailer section (RFC 9110 section 6.5.1) are dropped like the
//! rest, as the section allows: what they would say is never merged into the head.
//!
//! Invariant: after an error the decoder gives that error for ever, and what it gave before is the
//! beginning of no valid body.

#![forbid(unsafe_code)]

use super::error::HttpError;
use super::grammar::is_token_byte;

/// The chunk that ends a response's body, without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What stands behind the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What a chunk has besides its data, in bytes at most.
pub const CHUNK_OVERHEAD: usize = 16 + 2 + CHUNK_END.len();

/// Appends the line that begins a chunk of `len` bytes, which is not 0: a chunk of that size is
/// [`LAST_CHUNK`]. The data follows, then [`CHUNK_END`].
pub fn push_chunk_size(out: &mut Vec<u8>, len: u64) {
    debug_assert!(len > 0, "a chunk of no bytes ends the body");
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(len >> (4 * place) & 0xf) as usize]);
    }
    out.extend_from_slice(b"\r\n");
}

/// What a chunked body may cost, in bytes but for the fields.
#[derive(Clone, Copy, Debug)]
pub struct ChunkLimits {
    /// Longest line that announces a chunk, less its first 16 digits.
    pub line_extension: usize,
    /// The same, summed over the message.
    pub total_extension: usize,
    /// Longest trailer section.
    pub trailer: usize,
    /// Most trailer fields.
    pub trailer_fields: usize,
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
    trailer_fields: usize,
    /// The name of the trailer field that is read, in lower case, as far as it fits.
    name: [u8; LONGEST_FORBIDDEN],
    name_len: usize,
    /// Bytes of the body that were announced so far.
    body: u64,
}

/// Fields that frame or route a message: a reader that took one from the trailers would have read another
/// message.
const FORBIDDEN_TRAILERS: [&[u8]; 3] = [b"content-length", b"host", b"transfer-encoding"];

const LONGEST_FORBIDDEN: usize = "transfer-encoding".len();

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
            trailer_fields: 0,
            name: [0; LONGEST_FORBIDDEN],
            name_len: 0,
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
                State::Done | State::Failed(_) => break,
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
        match self.state {
            State::Failed(error) => Err(error),
            state => Ok((input.len() - rest.len(), state == State::Done)),
        }
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
        self.size = self.size * 16 + u64::from(digit);
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
        match (part, next) {
            (Trailer::Start, Trailer::Name) => {
                self.trailer_fields += 1;
                self.name_len = 0;
                self.push_name(byte);
            }
            (Trailer::Name, Trailer::Name) => self.push_name(byte),
            (Trailer::Name, Trailer::Value) => self.check_name()?,
            _ => {}
        }
        if self.trailer > self.limits.trailer || self.trailer_fields > self.limits.trailer_fields {
            return Err(HttpError::HeadTooLarge);
        }
        Ok(next)
    }

    fn push_name(&mut self, byte: u8) {
        if let Some(place) = self.name.get_mut(self.name_len) {
            *place = byte.to_ascii_lowercase();
        }
        self.name_len += 1;
    }

    fn check_name(&self) -> Result<(), HttpError> {
        match self.name.get(..self.name_len) {
            Some(name) if FORBIDDEN_TRAILERS.contains(&name) => Err(TRAILER_NAME),
            _ => Ok(()),
        }
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
const TRAILER_NAME: HttpError =
    HttpError::BadRequest("a trailer field that frames or routes the message");
const TRAILER: HttpError = HttpError::BadRequest("malformed trailer");

/// Whether `byte` may stand in a field value or, quotes and backslash aside, in a quoted string.
fn is_text_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::grammar::{is_field_value, is_token, trim_blanks};
    use proptest::prelude::*;

    const LIMITS: ChunkLimits = ChunkLimits {
        line_extension: 64,
        total_extension: 100,
        trailer: 40,
        trailer_fields: 6,
        body: 1000,
    };

    /// What becomes of `bytes` cut at `cuts`: the body and how many bytes it took, or the error;
    /// `None` when the end did not come.
    fn decode(
        limits: ChunkLimits,
        bytes: &[u8],
        cuts: &[usize],
    ) -> Result<Option<(Vec<u8>, usize)>, HttpError> {
        let mut cuts: Vec<usize> = cuts.iter().map(|&cut| cut.min(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort();
        let mut decoder = Decoder::new(limits);
        let mut body = Vec::new();
        let mut at = 0;
        for cut in cuts {
            let piece = &bytes[at..cut.max(at)];
            let (consumed, done) =
                decoder.decode(piece, &mut |data| body.extend_from_slice(data))?;
            at += consumed;
            if done {
                assert_eq!(
                    decoder.decode(b"GET", &mut |_| panic!("data behind the end")),
                    Ok((0, true))
                );
                return Ok(Some((body, at)));
            }
            assert_eq!(consumed, piece.len());
        }
        Ok(None)
    }

    fn status(text: &str) -> Result<Option<String>, u16> {
        decode(LIMITS, text.as_bytes(), &[])
            .map(|done| done.map(|(body, _)| String::from_utf8(body).unwrap()))
            .map_err(HttpError::status)
    }

    /// A whole body, decoded by splitting it into lines.
    fn naive(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
            let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
            Some((&bytes[..end], end + 2))
        }
        fn extensions_are_valid(text: &str) -> bool {
            let Some(rest) = text.trim_start_matches([' ', '\t']).strip_prefix(';') else {
                return text.is_empty();
            };
            let rest = rest.trim_start_matches([' ', '\t']);
            let name = rest.find([';', '=', ' ', '\t']).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(name);
            if !is_token(name.as_bytes()) {
                return false;
            }
            let Some(value) = rest.trim_start_matches([' ', '\t']).strip_prefix('=') else {
                return extensions_are_valid(rest);
            };
            let value = value.trim_start_matches([' ', '\t']);
            let Some(quoted) = value.strip_prefix('"') else {
                let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
                let (value, rest) = value.split_at(end);
                return is_token(value.as_bytes()) && extensions_are_valid(rest);
            };
            let mut escaped = false;
            let end = quoted.find(|c| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closes
            });
            end.is_some_and(|end| {
                is_field_value(&quoted.as_bytes()[..end])
                    && extensions_are_valid(&quoted[end + 1..])
            })
        }
        let (mut body, mut at) = (Vec::new(), 0);
        loop {
            let (text, length) = line(&bytes[at..])?;
            at += length;
            // One character a byte, so that the text can be split anywhere.
            let text: String = text.iter().map(|&byte| byte as char).collect();
            let digits = text
                .find(|c: char| !c.is_ascii_hexdigit())
                .unwrap_or(text.len());
            let size = usize::from_str_radix(&text[..digits], 16).ok()?;
            let latin_1: String = text[digits..]
                .chars()
                .map(|c| if c >= '\u{80}' { 'a' } else { c })
                .collect();
            if !extensions_are_valid(&latin_1)
                || (latin_1 != text[digits..] && !latin_1.contains('"'))
            {
                return None;
            }
            if size == 0 {
                break;
            }
            body.extend_from_slice(bytes.get(at..at.checked_add(size)?)?);
            at += size;
            if bytes.get(at..at + 2)? != b"\r\n" {
                return None;
            }
            at += 2;
        }
        loop {
            let (text, length) = line(&bytes[at..])?;
            at += length;
            if text.is_empty() {
                return Some((body, at));
            }
            let colon = text.iter().position(|&byte| byte == b':')?;
            if !is_token(&text[..colon]) || !is_field_value(trim_blanks(&text[colon + 1..])) {
                return None;
            }
        }
    }

    fn near_bodies() -> impl Strategy<Value = Vec<u8>> {
        let part = prop::sample::select(vec![
            "1\r\na\r\n",
            "3\r\nabc\r\n",
            "0A\r\n0123456789\r\n",
            "2\r\n\r\n\r\n",
            "0\r\n",
            "\r\n",
            "00\r\n",
            "1;a=b\r\nx\r\n",
            "1 ; a = \"b;\\\"\r\" \r\n",
            "1;a=\"\\\\\"\t;b\r\nx\r\n",
            "1;\r\n",
            "2 \r\n",
            ";a",
            "=",
            "\"",
            "\\",
            " ",
            "\t",
            "g",
            "f",
            "-",
            "\n",
            "\r",
            "\0",
            "T: v\r\n",
            "U:\r\n",
            "T\r\n",
            ":",
            "\u{e9}",
        ]);
        (prop::collection::vec(part, 0..8), any::<bool>()).prop_map(|(parts, complete)| {
            let end = if complete { "0\r\n\r\nGET" } else { "" };
            [parts.concat().as_str(), end].concat().into_bytes()
        })
    }

    const NONE: ChunkLimits = ChunkLimits {
        line_extension: usize::MAX,
        total_extension: usize::MAX,
        trailer: usize::MAX,
        trailer_fields: usize::MAX,
        body: 0,
    };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn no_cut_changes_a_body(
            bytes in near_bodies(),
            cuts in prop::collection::vec(0usize..60, 0..6),
        ) {
            let every: Vec<usize> = (0..bytes.len()).collect();
            let whole = decode(LIMITS, &bytes, &[]);
            prop_assert_eq!(&decode(LIMITS, &bytes, &cuts), &whole);
            prop_assert_eq!(&decode(LIMITS, &bytes, &every), &whole);
        }

        #[test]
        fn a_body_is_what_its_lines_say(bytes in near_bodies()) {
            prop_assert_eq!(decode(NONE, &bytes, &[]).ok().flatten(), naive(&bytes));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(NONE, &bytes, &[]).ok().flatten(), naive(&bytes));
        }

        #[test]
        fn what_is_encoded_is_decoded(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..5),
            cuts in prop::collection::vec(0usize..1600, 0..6),
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                push_chunk_size(&mut bytes, chunk.len() as u64);
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(LAST_CHUNK);
            let expected = Some((chunks.concat(), bytes.len()));
            prop_assert_eq!(decode(NONE, &bytes, &cuts), Ok(expected));
        }
    }

    #[test]
    fn sizes_are_written_without_leading_zeros() {
        for (len, line) in [
            (1, "1\r\n"),
            (15, "f\r\n"),
            (16, "10\r\n"),
            (0x1a2b, "1a2b\r\n"),
            (u64::MAX, "ffffffffffffffff\r\n"),
        ] {
            let mut out = Vec::new();
            push_chunk_size(&mut out, len);
            assert_eq!(out, line.as_bytes());
        }
    }

    #[test]
    fn bodies() {
        let body = |text: &str| Ok(Some(text.to_string()));
        assert_eq!(status("0\r\n\r\n"), body(""));
        assert_eq!(
            status("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
            body("hello world")
        );
        assert_eq!(
            status("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
            body("01234567890123456789")
        );
        assert_eq!(status("4\r\n\r\n\r\n\r\n0\r\n\r\n"), body("\r\n\r\n"));
        assert_eq!(status("00005\r\nhello\r\n0000\r\n\r\n"), body("hello"));
        assert_eq!(
            status("5;a\r\nhello\r\n0;b=c;d=\"e;\\\" \u{e9}\"\r\n\r\n"),
            body("hello")
        );
        assert_eq!(
            status("5 ;\ta\t = b ; c\r\nhello\r\n0\r\n\r\n"),
            body("hello")
        );
        assert_eq!(status("0\r\nExpires: never\r\nX:\r\n\r\n"), body(""));
        assert_eq!(status("5\r\nhel"), Ok(None));
        assert_eq!(status("5\r\nhello\r\n0\r\n"), Ok(None));
        assert_eq!(status("0\r\n\r"), Ok(None));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_rejected() {
        for text in [
            "\r\n",
            "\n",
            " 5\r\n",
            "\t5\r\n",
            "+5\r\n",
            "-5\r\n",
            "-0\r\n",
            "0x5\r\n",
            "5x\r\n",
            "5h\r\n",
            "5.\r\n",
            "5,\r\n",
            "5 \r\n",
            "5\t\r\n",
            "5 5\r\n",
            "5_0\r\n",
            "5\u{b}\r\n",
            "5\0\r\n",
            "\u{665}\r\n",
            "5\nhello",
            "5\r\r\n",
            "5\rhello",
            "5\r\nhellox",
            "5\r\nhello\n",
            "5\r\nhello\r\r\n",
            "5\r\nhello\rx",
            "5\r\nhello0\r\n",
            "0\r\n\n",
            "0\n\r\n",
            "0\r\n\rx",
            ";\r\n",
            ";a=b\r\n",
            "5;\r\n",
            "5; \r\n",
            "5;;a\r\n",
            "5;a=\r\n",
            "5;a=;b\r\n",
            "5;a =\r\n",
            "5;a \r\n",
            "5;a=b \r\n",
            "5;a=\"b\r\n",
            "5;a=\"b\"c\r\n",
            "5;a=\"b\" \r\n",
            "5;a=\"\\\r\n",
            "5;a\nb\r\n",
            "5;a\rb\r\n",
            "5;\nhello",
            "5;a=\"\n\"\r\n",
            "5;a=\"\r\n\"\r\n",
            "5;a\0\r\n",
            "5;a=\"\u{7f}\"\r\n",
            "5;\u{e9}\r\n",
            "5=a\r\n",
            "5 a\r\n",
            "5:a\r\n",
            "10000000000000000\r\n",
            "fffffffffffffffff\r\n",
            "1000000000000000000000\r\n",
            "0\r\nT : v\r\n",
            "0\r\n T: v\r\n",
            "0\r\nT\r\n",
            "0\r\n: v\r\n",
            "0\r\nT: v\n",
            "0\r\nT: v\rx",
            "0\r\nT: \0\r\n",
            "0\r\nT: v\r\n w\r\n",
            "0\r\nT\u{e9}: v\r\n",
            "0\r\nGET / HTTP/1.1\r\n",
        ] {
            assert_eq!(status(text), Err(400), "{text:?}");
        }
    }

    #[test]
    fn each_fault_has_its_explanation() {
        for (text, expected) in [
            ("x", SIZE),
            ("10000000000000000", SIZE),
            ("5 \r", LINE),
            ("5\rx", LINE),
            ("5\r\nhellox", DATA_END),
            ("5\r\nhello\rx", DATA_END),
            ("0\r\n:", TRAILER),
            ("0\r\n\rx", TRAILER),
            ("0\r\nHost:", TRAILER_NAME),
        ] {
            let error = decode(LIMITS, text.as_bytes(), &[]).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
        }
    }

    #[test]
    fn a_size_over_the_limit_is_rejected_with_the_line_that_says_it() {
        assert_eq!(status("3e8\r\n"), Ok(None));
        assert_eq!(status("3e9\r\n"), Err(413));
        assert_eq!(status("ffffffffffffffff\r\n"), Err(413));
        let first = format!("3e7\r\n{}\r\n", "x".repeat(999));
        assert_eq!(status(&format!("{first}1\r\n")), Ok(None));
        assert_eq!(status(&format!("{first}2\r\n")), Err(413));
        let endless = decode(NONE, b"fffffffffffffffe\r\nabc", &[]);
        assert_eq!(
            endless,
            Ok(None),
            "without a limit, any size that can be counted"
        );
        let mut decoder = Decoder::new(NONE);
        decoder.body = u64::MAX;
        assert_eq!(
            decoder.decode(b"1\r\n", &mut |_| {}),
            Err(HttpError::BodyTooLarge)
        );
    }

    #[test]
    fn extensions_are_bounded_a_line_and_a_message() {
        let line = |length: usize| format!("1;{}\r\nx\r\n", "e".repeat(length - 1));
        assert_eq!(status(&line(64)), Ok(None));
        assert_eq!(status(&line(65)), Err(400));
        assert_eq!(status(&[line(50), line(50)].concat()), Ok(None));
        assert_eq!(status(&[line(50), line(51)].concat()), Err(400));
        assert_eq!(status(&line(2).repeat(50)), Ok(None));
        assert_eq!(status(&line(2).repeat(51)), Err(400));
        let zeros = |count: usize| format!("{}1\r\nx\r\n", "0".repeat(count));
        assert_eq!(
            status(&zeros(15).repeat(100)),
            Ok(None),
            "what a machine word has costs nothing"
        );
        assert_eq!(status(&zeros(15 + 64)), Ok(None));
        assert_eq!(status(&zeros(16 + 64)), Err(400));
    }

    #[test]
    fn trailers_are_bounded() {
        let trailer =
            |length: usize| format!("0\r\nT:{}\r\n\r\n", "v".repeat(length - "T:\r\n".len()));
        assert_eq!(status(&trailer(40)), Ok(Some(String::new())));
        assert_eq!(status(&trailer(41)), Err(431));
        assert_eq!(status(&format!("0\r\n{}", "a:\r\n".repeat(11))), Err(431));
    }

    #[test]
    fn trailer_fields_are_counted() {
        let fields = |count: usize| format!("0\r\n{}\r\n", "a:\r\n".repeat(count));
        assert_eq!(status(&fields(6)), Ok(Some(String::new())));
        assert_eq!(status(&fields(7)), Err(431));
    }

    #[test]
    fn what_frames_or_routes_a_message_is_no_trailer() {
        for name in FORBIDDEN_TRAILERS.map(|name| String::from_utf8_lossy(name).into_owned()) {
            for name in [name.clone(), name.to_ascii_uppercase()] {
                let tail = |field: &str| format!("0\r\nT: v\r\n{field}: 5\r\n\r\n");
                assert_eq!(status(&tail(&name)), Err(400), "{name}");
                for other in [
                    format!("x-{name}"),
                    format!("{name}s"),
                    name[1..].to_owned(),
                ] {
                    assert_eq!(status(&tail(&other)), Ok(Some(String::new())), "{other}");
                }
            }
        }
        assert!(
            FORBIDDEN_TRAILERS
                .iter()
                .all(|name| name.len() <= LONGEST_FORBIDDEN)
        );
    }

    #[test]
    fn other_fields_that_belong_into_a_head_are_dropped() {
        let names = [
            "Authorization",
            "Connection",
            "Content-Encoding",
            "Content-Range",
            "Content-Type",
            "Cookie",
            "Expect",
            "TE",
            "Trailer",
        ];
        for name in names {
            let tail = format!("0\r\n{name}: close\r\n\r\n");
            assert_eq!(status(&tail), Ok(Some(String::new())), "{name}");
        }
    }

    #[test]
    fn a_failed_decoder_stays_failed() {
        let mut decoder = Decoder::new(LIMITS);
        let error = decoder.decode(b"x", &mut |_| {}).unwrap_err();
        for input in [&b"5\r\nhello\r\n"[..], b"0\r\n\r\n"] {
            assert_eq!(
                decoder.decode(input, &mut |_| panic!("data after an error")),
                Err(error)
            );
        }
        assert_eq!(decoder.decode(b"", &mut |_| {}), Err(error));
    }
}
