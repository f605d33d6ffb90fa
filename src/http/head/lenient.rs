//! The grammar of a head in the legacy dialect: what Fapws3's own scanner made of its bytes.
//!
//! That scanner went byte by byte and knew three marks: a blank ends the method and the target,
//! a CR ends the protocol and each value, a `:` ends a name. Everything else is content, LF
//! included, except LF, CR and blanks before a part begins. Each part is found here with the same
//! marks. Where the scanner wrote or read outside its memory (a part that is empty or missing)
//! the head is rejected.
//!
//! Invariant: in a head that was parsed, method and target are not empty and the protocol has
//! four bytes or more (programs are given what stands before its last four, `/1.1`).

#![forbid(unsafe_code)]

use memchr::{memchr, memchr2};

use super::{Field, Head, HeadLimits, Span, Version};
use crate::http::error::HttpError;

/// Reads the head in the first `len` bytes of `buf` (what [`super::HeadSearch::lenient`] found)
/// into `head`, whose list of fields is reused.
///
/// # Errors
/// [`HttpError::NotImplemented`] when there is no method or no target, [`HttpError::Internal`]
/// when the protocol is missing or shorter than four bytes, [`HttpError::TargetTooLong`] and
/// [`HttpError::HeadTooLarge`] past the limits. After an error `head` holds nothing of use.
pub fn parse(
    buf: &[u8],
    len: usize,
    limits: &HeadLimits,
    head: &mut Head,
) -> Result<(), HttpError> {
    let text = text(&buf[..len]);
    let fields_start = request_line(&buf[..len], text, limits, head)?;

    head.version = Version::Http10;
    head.fields.clear();
    head.len = len;
    let mut at = fields_start;
    while let Some((field, next)) = field(text, at) {
        if head.fields.len() == limits.fields {
            return Err(HttpError::HeadTooLarge);
        }
        head.fields.push(field);
        at = next;
    }
    Ok(())
}

/// Where a head begins, and what is known of its request line.
#[derive(Clone, Default, Debug)]
pub(super) struct Start {
    /// The first byte that is neither CR nor LF, or where to look for it.
    at: usize,
    /// Up to where the request line is known to hold no CR.
    open_until: usize,
    request_line_ended: bool,
}

impl Start {
    /// Skips the blank lines before the request line.
    pub(super) fn find(&mut self, buf: &[u8]) -> usize {
        self.at = skip(buf, self.at, |byte| matches!(byte, b'\r' | b'\n'));
        self.open_until = self.open_until.max(self.at);
        self.at
    }

    /// # Errors
    /// [`HttpError::TargetTooLong`] when no CR came within the limits.
    pub(super) fn check_request_line(
        &mut self,
        buf: &[u8],
        limits: &HeadLimits,
    ) -> Result<(), HttpError> {
        if self.request_line_ended {
            return Ok(());
        }
        let end = memchr(b'\r', &buf[self.open_until..]);
        self.request_line_ended = end.is_some();
        self.open_until += end.unwrap_or(buf.len() - self.open_until);
        // A line that fills the whole head is too long whatever its own limit is.
        let fills_head = !self.request_line_ended && buf.len() >= limits.whole();
        if fills_head || self.open_until - self.at > limits.request_line {
            return Err(HttpError::TargetTooLong);
        }
        Ok(())
    }
}

/// COMPAT(fapws3): a NUL ends the text, as it ended every C string made from it. The fields before
/// it count, the one it stands in does not.
fn text(head: &[u8]) -> &[u8] {
    &head[..memchr(0, head).unwrap_or(head.len())]
}

/// Finds the three parts of the request line; gives the offset at which the fields begin.
fn request_line(
    whole: &[u8],
    text: &[u8],
    limits: &HeadLimits,
    head: &mut Head,
) -> Result<usize, HttpError> {
    let start = skip(text, 0, |byte| matches!(byte, b'\r' | b'\n'));
    if memchr(b'\r', &whole[start..]).is_some_and(|length| length > limits.request_line) {
        return Err(HttpError::TargetTooLong);
    }

    let method_end = before(text, start, b' ').ok_or(HttpError::NotImplemented)?;
    if method_end == start || text[start..method_end].contains(&b'\r') {
        return Err(HttpError::NotImplemented);
    }
    let target_start = method_end + 1;
    let target_end = before(text, target_start, b' ').unwrap_or(text.len());
    // DIFFERS(fapws3): a line that ends before the protocol took its target from the lines that
    // follow, or was a null pointer.
    // COMPAT(fapws3): but one that goes on after its end with a blank is folded: the line end
    // belongs to the target.
    let line_end = memchr::memmem::find(&text[target_start..target_end], b"\r\n");
    if target_end == text.len() || line_end.is_some_and(|at| target_start + at + 2 < target_end) {
        let has_target = !matches!(text.get(target_start), None | Some(b'\r' | b' '));
        return Err(if has_target {
            HttpError::Internal
        } else {
            HttpError::NotImplemented
        });
    }
    let target_start = skip(text, target_start, |byte| matches!(byte, b'\r' | b'\n'));
    if target_start >= target_end {
        return Err(HttpError::NotImplemented);
    }
    let protocol_start = skip(text, target_end, |byte| matches!(byte, b'\n' | b' '));
    let protocol_end = before(text, protocol_start, b'\r').ok_or(HttpError::Internal)?;
    if protocol_end - protocol_start < 4 {
        return Err(HttpError::Internal);
    }
    head.method = Span::new(start, method_end);
    head.target = Span::new(target_start, target_end);
    head.protocol = Span::new(protocol_start, protocol_end);
    Ok(protocol_end + 1)
}

/// The field that begins at `at`, and where the next one does.
///
/// COMPAT(fapws3): a line without `:` ends the headers, a name keeps what stands before its colon,
/// blanks and LF included, a value ends at a CR even without LF and keeps its trailing blanks.
fn field(text: &[u8], at: usize) -> Option<(Field, usize)> {
    let name_start = skip(text, at, |byte| matches!(byte, b'\n' | b' '));
    let name_end = name_start + memchr2(b':', b'\r', &text[name_start..])?;
    if text[name_end] == b'\r' {
        return None;
    }
    let value_start = skip(text, name_end + 1, |byte| matches!(byte, b'\n' | b' '));
    let value_end = before(text, value_start, b'\r')?;
    let field = Field {
        name: Span::new(name_start, name_end),
        value: Span::new(value_start, value_end),
    };
    Some((field, value_end + 1))
}

fn skip(text: &[u8], from: usize, dropped: impl Fn(u8) -> bool) -> usize {
    let kept = text[from..].iter().position(|&byte| !dropped(byte));
    kept.map_or(text.len(), |distance| from + distance)
}

/// Position of the first `mark` at or after `from`.
fn before(text: &[u8], from: usize, mark: u8) -> Option<usize> {
    memchr(mark, &text[from..]).map(|distance| from + distance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits {
        request_line: 100,
        head: 1000,
        fields: 100,
    };

    type Parts = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

    fn parts(bytes: &[u8]) -> Result<Parts, HttpError> {
        let mut head = Head::default();
        parse(bytes, bytes.len(), &LIMITS, &mut head)?;
        let own = |span: Span| span.of(bytes).to_vec();
        let fields = head
            .fields
            .iter()
            .map(|field| (own(field.name), own(field.value)));
        Ok((
            own(head.method),
            own(head.target),
            own(head.protocol),
            fields.collect(),
        ))
    }

    fn fields(lines: &str) -> Vec<(String, String)> {
        let bytes = format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n").into_bytes();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (_, _, _, fields) = parts(&bytes).unwrap();
        fields
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    fn owned<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .into()
    }

    /// The scanner as it was described: one byte at a time, and a small state.
    fn scan(bytes: &[u8]) -> Parts {
        enum State {
            Method,
            Target,
            Protocol,
            Name,
            Value,
            Body,
        }
        let (mut method, mut target, mut protocol) = (Vec::new(), Vec::new(), Vec::new());
        let (mut name, mut fields, mut part) = (Vec::new(), Vec::new(), Vec::new());
        let mut state = State::Method;
        for &byte in bytes.iter().take_while(|&&byte| byte != 0) {
            let (end, next) = match state {
                State::Method => (byte == b' ', State::Target),
                State::Target => (byte == b' ', State::Protocol),
                State::Protocol => (byte == b'\r', State::Name),
                State::Name if byte == b'\r' => (true, State::Body),
                State::Name => (byte == b':', State::Value),
                State::Value => (byte == b'\r', State::Name),
                State::Body => (false, State::Body),
            };
            if !end {
                if !part.is_empty() || !matches!(byte, b'\r' | b'\n' | b' ') {
                    part.push(byte);
                }
                continue;
            }
            let ended = std::mem::take(&mut part);
            match (&state, &next) {
                (State::Method, _) => method = ended,
                (State::Target, _) => target = ended,
                (State::Protocol, _) => protocol = ended,
                (State::Name, State::Value) => name = ended,
                (State::Value, _) => fields.push((std::mem::take(&mut name), ended)),
                _ => {}
            }
            state = next;
        }
        (method, target, protocol, fields)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn an_accepted_head_is_what_the_scanner_made_of_it(
            start in "[\r\n]{0,3}[A-Z]{0,3}[ ]{0,2}[/a\n\r]{0,4}[ ]{1,2}[ \nHTP/1.]{0,9}\r?\n?",
            lines in "([ \n]{0,2}[AB \n\t]{0,3}:?[ \n\t]{0,2}[ab:\n \t]{0,4}\r?\n?){0,5}",
            nul in prop::option::of(0usize..60),
        ) {
            let mut bytes = [start.as_bytes(), lines.as_bytes(), b"\r\n\r\n"].concat();
            if let Some(at) = nul.filter(|&at| at < bytes.len()) {
                bytes[at] = 0;
            }
            if let Ok(parts) = parts(&bytes) {
                prop_assert_eq!(parts, scan(&bytes));
            }
        }
    }

    #[test]
    fn compat_lf_belongs_to_names_and_values() {
        assert_eq!(fields("Bad\nkey: V\nW"), owned([("Bad\nkey", "V\nW")]));
        assert_eq!(
            fields("A: b\r\n\n\nC:\n d"),
            owned([("A", "b"), ("C", "d")])
        );
        let (_, _, protocol, fields) = parts(b"GET / HTTP/1.1\nA: b\r\nC: d\r\n\r\n").unwrap();
        assert_eq!(protocol, b"HTTP/1.1\nA: b");
        assert_eq!(fields, [(b"C".to_vec(), b"d".to_vec())]);
    }

    #[test]
    fn compat_a_bare_cr_ends_a_value() {
        assert_eq!(fields("A: b\rC: d"), owned([("A", "b"), ("C", "d")]));
    }

    #[test]
    fn compat_a_line_without_colon_ends_the_headers() {
        assert_eq!(fields("A: b\r\nnothing\r\nC: d"), owned([("A", "b")]));
        assert_eq!(fields("A: b\r\n folded\r\nC: d"), owned([("A", "b")]));
    }

    #[test]
    fn compat_blanks_lead_but_do_not_trail() {
        assert_eq!(
            fields("A:   b  \r\n  C : d\t\r\nE:\tf"),
            owned([("A", "b  "), ("C ", "d\t"), ("E", "\tf")])
        );
    }

    #[test]
    fn names_and_values_may_be_empty() {
        assert_eq!(
            fields(":a\r\nB:\r\nC: \r\nD: e"),
            owned([("", "a"), ("B", ""), ("C", ""), ("D", "e")])
        );
        assert_eq!(fields("A:b:c"), owned([("A", "b:c")]));
    }

    #[test]
    fn compat_a_nul_ends_the_text() {
        assert_eq!(fields("A: b\r\nC: \0\r\nD: e"), owned([("A", "b")]));
    }

    #[test]
    fn compat_line_ends_before_the_request_are_skipped() {
        for start in ["\r\n\r\n", "\n", "\r", "\n\r\r\n\n"] {
            let bytes = [start, "GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(parts(bytes.as_bytes()).unwrap().0, b"GET", "{start:?}");
        }
    }

    #[test]
    fn odd_request_lines_that_were_served() {
        let line = |line: &str| {
            parts(format!("{line}\r\nA: b\r\n\r\n").as_bytes())
                .map(|(_, target, protocol, _)| {
                    let text = |bytes| String::from_utf8(bytes).unwrap();
                    (text(target), text(protocol))
                })
                .unwrap()
        };
        let pair = |target: &str, protocol: &str| (target.to_string(), protocol.to_string());
        assert_eq!(line("GET /a  HTTP/1.1"), pair("/a", "HTTP/1.1"));
        assert_eq!(line("GET /a b c HTTP/1.1"), pair("/a", "b c HTTP/1.1"));
        assert_eq!(line("GET /a\nb HTTP/1.1"), pair("/a\nb", "HTTP/1.1"));
        assert_eq!(line("GET /a\rb HTTP/1.1"), pair("/a\rb", "HTTP/1.1"));
        assert_eq!(line("GET \n/a HTTP/1.1"), pair("/a", "HTTP/1.1"));
        assert_eq!(line("GET /a\r\n HTTP/1.1"), pair("/a\r\n", "HTTP/1.1"));
        assert_eq!(line("GET /a HTTP"), pair("/a", "HTTP"));
        assert_eq!(line("GET /a junk"), pair("/a", "junk"));
    }

    #[test]
    fn without_method_or_target_it_is_not_implemented() {
        for line in [
            "",
            "GET",
            "GET ",
            " ",
            " / HTTP/1.1",
            " GET / HTTP/1.1",
            "GET  / HTTP/1.1",
            "\u{16}\u{3}\u{1}",
            "G\r\nET / HTTP/1.1",
            "\0GET / HTTP/1.1",
            "GET\0 / HTTP/1.1",
            "GET \0/ HTTP/1.1",
            "GET \r HTTP/1.1",
        ] {
            let parsed = parts(format!("{line}\r\n\r\n").as_bytes());
            assert_eq!(parsed, Err(HttpError::NotImplemented), "{line:?}");
        }
    }

    #[test]
    fn differs_a_missing_or_short_protocol_is_rejected() {
        for line in [
            "GET /",
            "GET / ",
            "GET / H",
            "GET / 1.1",
            "GET /\r\nHost: localhost",
            "GET /abcdefgh\r\nX HTTP/1.1",
            "GET /\0 HTTP/1.1",
            "GET / \r\nHost: a",
            "GET / HTTP/1.1\0",
        ] {
            let parsed = parts(format!("{line}\r\n\r\n").as_bytes());
            assert_eq!(parsed, Err(HttpError::Internal), "{line:?}");
        }
    }
}
