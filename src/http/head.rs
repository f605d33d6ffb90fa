//! The head of a request: where it ends, and what its lines hold.
//!
//! Owns the resumable search for the end of the head, the parsed form, and the limits on both;
//! the two dialects' grammars are in `strict` and `lenient`. What the fields mean (lengths,
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
pub use strict::{parse as parse_strict, parse_line as parse_strict_line};

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

impl Head {
    /// Whether only the head of a response is wanted; `buf` begins with this head.
    pub fn is_for_head(&self, buf: &[u8]) -> bool {
        self.method.of(buf) == b"HEAD"
    }
}

/// Whether a message that was not parsed begins like one that wants only the head of a response.
pub fn is_head_request(bytes: &[u8]) -> bool {
    let line = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    line.starts_with(b"HEAD ")
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
    /// that end in a bare LF) is rejected now and not when its time has run out.
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

    /// The same in the legacy dialect, where only the limits can reject an incomplete head.
    ///
    /// # Errors
    /// [`HttpError::TargetTooLong`], [`HttpError::HeadTooLarge`].
    pub fn lenient(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HttpError> {
        let within = &buf[..buf.len().min(limits.whole())];
        // COMPAT(fapws3): blank lines with nothing behind them are a request without request line.
        let start = match self.start.find(within) {
            start if start == within.len() => 0,
            start => start,
        };
        if let Some(blank_line) = self.blank_line(within, start) {
            return Ok(Some(blank_line + 4));
        }
        self.start.check_request_line(within, limits)?;
        Self::incomplete(within, limits)
    }

    /// Whether it has looked at anything, so that it cannot serve another head.
    #[inline]
    pub fn has_begun(&self) -> bool {
        self.seen != 0
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
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits {
        request_line: 24,
        head: 90,
        fields: 3,
    };

    #[test]
    fn blank_lines_before_a_lenient_head_belong_to_it_and_are_one_by_themselves() {
        let search = |bytes: &[u8]| HeadSearch::default().lenient(bytes, &LIMITS);
        let after = b"\r\n\r\nGET / HTTP/1.0\r\n\r\nmore";
        assert_eq!(search(after), Ok(Some(after.len() - 4)));
        assert_eq!(search(b"\r\n\r\n"), Ok(Some(4)));
        assert_eq!(search(b"\r\n\r\nG"), Ok(None));
    }

    #[test]
    fn an_incomplete_lenient_request_line_has_its_limit_behind_blank_lines() {
        let line = "GET /0123456789012345678";
        assert_eq!(line.len(), LIMITS.request_line);
        for start in ["", "\r\n", "\n\n\n\n\r\n"] {
            for (more, judged) in [("", Ok(None)), ("9", Err(HttpError::TargetTooLong))] {
                let bytes = [start, line, more].concat();
                let found = HeadSearch::default().lenient(bytes.as_bytes(), &LIMITS);
                assert_eq!(found, judged, "{bytes:?}");
            }
        }
    }

    #[test]
    fn an_incomplete_strict_head_is_judged_as_far_as_it_goes() {
        let search = |text: &str| HeadSearch::default().strict(text.as_bytes(), &LIMITS);
        let fields = |count| "a: 1\r\n".repeat(count);
        for (text, judged) in [
            ("GET / HTTP/1.1\r\nHost: a".into(), Ok(None)),
            ("GET / HTTP/1.1\r\nHost: a\r".into(), Ok(None)),
            ("GET / HT".into(), Ok(None)),
            (
                "GET /0123456789012345678901".into(),
                Err(HttpError::TargetTooLong),
            ),
            (format!("GET / HTTP/1.1\r\n{}", fields(3)), Ok(None)),
            (
                format!("GET / HTTP/1.1\r\n{}", fields(4)),
                Err(HttpError::HeadTooLarge),
            ),
        ] {
            assert_eq!(search(&text), judged, "{text:?}");
        }
    }

    #[test]
    fn a_head_is_for_a_head_by_its_method_alone() {
        for (bytes, wanted) in [
            (&b"HEAD / HTTP/1.0\r\n\r\n"[..], true),
            (b"GET / HTTP/1.0\r\n\r\n", false),
            (b"HEADS / HTTP/1.0\r\n\r\n", false),
        ] {
            let head = judge(STRICT, bytes, &[]).unwrap().unwrap();
            assert_eq!(head.is_for_head(bytes), wanted);
        }
    }

    type Search = fn(&mut HeadSearch, &[u8], &HeadLimits) -> Result<Option<usize>, HttpError>;
    type Parse = fn(&[u8], usize, &HeadLimits, &mut Head) -> Result<(), HttpError>;
    const STRICT: (Search, Parse) = (HeadSearch::strict, parse_strict);
    const LENIENT: (Search, Parse) = (HeadSearch::lenient, parse_lenient);

    /// What becomes of `bytes` when the first call sees them up to the first cut, and so on;
    /// `None` for a head that is still incomplete after the last byte.
    fn judge(
        (search, parse): (Search, Parse),
        bytes: &[u8],
        cuts: &[usize],
    ) -> Result<Option<Head>, HttpError> {
        let mut state = HeadSearch::default();
        let mut cuts: Vec<usize> = cuts.iter().map(|&cut| cut.min(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort();
        for cut in cuts {
            if let Some(len) = search(&mut state, &bytes[..cut], &LIMITS)? {
                let mut head = Head::default();
                parse(&bytes[..cut], len, &LIMITS, &mut head)?;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    fn status(judged: &Result<Option<Head>, HttpError>) -> Result<Option<Head>, u16> {
        judged.clone().map_err(HttpError::status)
    }

    /// Near-requests: a request line and fields, put together from right and wrong parts.
    fn near_heads() -> impl Strategy<Value = Vec<u8>> {
        let start = prop::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\n",
            "\r\nPOST /x?y HTTP/1.0\r\n",
            "GET / HTTP/2.0\r\n",
            "GET /long/enough/to/be/refused HTTP/1.1\r\n",
            "GET / HTTP/1.1\n",
            "GET /",
            "\r\n",
            "\r",
            "",
            " GET / HTTP/1.1\r\n",
            "GET  / HTTP/1.1\r\n",
            "\u{16}\u{3}",
            "GET /twenty/four HTTP/1.1\r\n",
        ]);
        let part = prop::sample::select(vec![
            "Host: a\r\n",
            "B:c\r\n",
            "D: \t e\t \r\n",
            "X_Y: z\r\n",
            "\r\n",
            "\r\n\r\n",
            "\r",
            "\n",
            ":",
            " ",
            "\0",
            "\t",
            "f",
            "\u{e9}",
            "\u{7f}",
            "Content-Length: 3\r\n",
            " folded\r\n",
            "nocolon\r\n",
        ]);
        (start, prop::collection::vec(part, 0..9), any::<bool>()).prop_map(
            |(start, parts, complete)| {
                let end = if complete { "\r\n" } else { "" };
                [start, &parts.concat(), end].concat().into_bytes()
            },
        )
    }

    fn cuts() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(0usize..120, 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn no_cut_changes_a_strict_verdict(bytes in near_heads(), cuts in cuts()) {
            let whole = judge(STRICT, &bytes, &[]);
            prop_assert_eq!(judge(STRICT, &bytes, &cuts), whole);
        }

        /// But for blank lines alone, which are rejected when they are all that came.
        #[test]
        fn no_cut_changes_a_lenient_verdict(bytes in near_heads(), cuts in cuts()) {
            let line_ends = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
            prop_assume!(grammar::find_blank_line(&bytes[..line_ends], 0).is_none());
            let whole = judge(LENIENT, &bytes, &[]);
            prop_assert_eq!(judge(LENIENT, &bytes, &cuts), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cuts in cuts(),
        ) {
            prop_assert_eq!(
                status(&judge(STRICT, &bytes, &cuts)),
                status(&judge(STRICT, &bytes, &[]))
            );
            let _ = judge(LENIENT, &bytes, &cuts);
        }

        /// A parser that is handed a length which no search found rejects or parses; it never
        /// reads past that length.
        #[test]
        fn no_length_makes_it_panic(bytes in near_heads(), len in 0usize..200) {
            let len = len.min(bytes.len());
            for (_, parse) in [STRICT, LENIENT] {
                let mut head = Head::default();
                if parse(&bytes, len, &LIMITS, &mut head).is_ok() {
                    prop_assert!(head.len <= len);
                    prop_assert!(head.fields.iter().all(|field| field.value.end as usize <= len));
                }
            }
        }
    }

    #[test]
    fn byte_by_byte_is_like_all_at_once() {
        let bytes = b"\r\nPOST /a?b HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\n\r\nbody";
        let every: Vec<usize> = (0..bytes.len()).collect();
        for dialect in [STRICT, LENIENT] {
            let whole = judge(dialect, bytes, &[]).unwrap().unwrap();
            assert_eq!(judge(dialect, bytes, &every).unwrap().unwrap(), whole);
            assert_eq!(whole.len, bytes.len() - 4);
            assert_eq!(whole.method.of(bytes), b"POST");
        }
    }

    /// What a search costs must not depend on how often it is called: these would take minutes in
    /// pieces of one byte if each call began at the front.
    #[test]
    fn a_slow_head_is_not_searched_again_from_its_beginning() {
        let limits = HeadLimits {
            request_line: 1 << 20,
            head: 1 << 20,
            fields: 1 << 20,
        };
        let long_line = [b"GET / HTTP/1.1\r\nA: ".as_slice(), &[b'x'; 1 << 17]].concat();
        let long_target = [b"GET /".as_slice(), &[b'x'; 1 << 17]].concat();
        for bytes in [&long_line, &long_target] {
            let mut search = HeadSearch::default();
            for end in 1..bytes.len() {
                assert_eq!(search.strict(&bytes[..end], &limits), Ok(None));
            }
        }
        let line_ends = b"\n".repeat(1 << 17);
        for bytes in [long_line, long_target, line_ends] {
            let mut search = HeadSearch::default();
            for end in 1..bytes.len() {
                assert_eq!(search.lenient(&bytes[..end], &limits), Ok(None));
            }
        }
    }

    #[test]
    fn a_head_at_its_limit_is_taken_and_one_byte_more_is_not() {
        for (dialect, too_long) in [(STRICT, 414), (LENIENT, 414)] {
            let line = |length: usize| {
                let target = "x".repeat(length - "GET / HTTP/1.1".len());
                format!("GET /{target} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
            };
            assert!(
                judge(dialect, &line(LIMITS.request_line), &[])
                    .unwrap()
                    .is_some()
            );
            assert_eq!(
                status(&judge(dialect, &line(LIMITS.request_line + 1), &[])),
                Err(too_long)
            );

            let whole = |length: usize| {
                let value = "x".repeat(length - "GET / HTTP/1.1\r\nA: \r\n\r\n".len());
                format!("GET / HTTP/1.1\r\nA: {value}\r\n\r\n").into_bytes()
            };
            assert!(judge(dialect, &whole(LIMITS.head), &[]).unwrap().is_some());
            assert_eq!(
                status(&judge(dialect, &whole(LIMITS.head + 1), &[])),
                Err(431)
            );

            let fields = |count: usize| {
                format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count)).into_bytes()
            };
            assert!(
                judge(dialect, &fields(LIMITS.fields), &[])
                    .unwrap()
                    .is_some()
            );
            assert_eq!(
                status(&judge(dialect, &fields(LIMITS.fields + 1), &[])),
                Err(431)
            );
        }
    }

    #[test]
    fn an_incomplete_head_past_a_limit_is_rejected_at_once() {
        let target = [b'G'; LIMITS.request_line + 2];
        assert_eq!(status(&judge(STRICT, &target, &[])), Err(414));
        assert_eq!(status(&judge(LENIENT, &target, &[])), Err(414));
        let head = ["GET / HTTP/1.1\r\nA: ", &"b".repeat(LIMITS.head)].concat();
        assert_eq!(status(&judge(STRICT, head.as_bytes(), &[])), Err(431));
        assert_eq!(status(&judge(LENIENT, head.as_bytes(), &[])), Err(431));
    }

    #[test]
    fn what_can_never_become_a_request_is_rejected_at_once_in_the_standard_dialect() {
        let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        for bytes in [
            &tls_hello[..],
            b"GET / HTTP/1.1\nHost",
            b"GET / HTTP/1.1\r\nHost: a\nB",
            b"\n",
            b"GET /\0",
            b"GET /\rX",
            b"GET / HTTP/1.1\r\nHo st: a\r\nB",
            b"{",
            b"GET / HTTP/1.1\r\n F: b\r\nC",
        ] {
            assert_eq!(status(&judge(STRICT, bytes, &[])), Err(400), "{bytes:?}");
            assert_eq!(judge(LENIENT, bytes, &[]), Ok(None), "{bytes:?}");
        }
        assert_eq!(status(&judge(STRICT, b"PRI * HTTP/2.0\r\n", &[])), Err(505));
    }
}
