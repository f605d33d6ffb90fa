//! The request target, RFC 9112 section 3.2: its forms, percent decoding, and query pairs.
//!
//! Owns what the bytes of a target mean; which application serves them is `server::routes`'
//! matter. Nothing is normalised (dots, doubled slashes, case): a path is given to the application
//! as it was sent, decoded once.
//!
//! Invariant: a decoded text is at most as long as the raw one, and borrows it where the raw one
//! holds no mark.

#![forbid(unsafe_code)]

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::error::HttpError;
use super::grammar;
use super::head::Span;

/// The parts of a request target, raw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'b> {
    /// Host and port of an absolute form; takes precedence over `Host` (RFC 9112 section 3.2.2).
    pub authority: Option<&'b [u8]>,
    /// Path and query together, as the origin form has them: what prefixes are compared with. Of an
    /// absolute form without a path it is `/` alone.
    pub origin: &'b [u8],
    /// Begins with `/`, or is `*`; what the origin form begins with.
    pub path: &'b [u8],
    /// What follows the first `?`.
    pub query: Option<&'b [u8]>,
}

/// A [`Target`] as offsets into its message, so that it can outlive the borrow of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetSpans {
    authority: Option<Span>,
    origin: Part,
    /// The path is that much of the origin form.
    path_len: u32,
    query: Option<Span>,
}

/// A part of a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Sent(Span),
    /// `/`, of an absolute form that has no path.
    Root,
    /// `*`, of an absolute form without path in `OPTIONS`.
    Asterisk,
}

impl TargetSpans {
    /// Where the parts of `target`, which was parsed from a piece of `message`, stand in it.
    pub fn locate(target: &Target<'_>, message: &[u8]) -> TargetSpans {
        let span = |part: &[u8]| locate(part, message);
        let part = |bytes: &[u8]| match (span(bytes), bytes) {
            (Some(span), _) => Part::Sent(span),
            (None, b"*") => Part::Asterisk,
            (None, _) => Part::Root,
        };
        TargetSpans {
            authority: target.authority.and_then(span),
            origin: part(target.origin),
            path_len: target.path.len() as u32,
            query: target.query.and_then(span),
        }
    }

    /// The target again; `message` begins with the head that it was located in.
    pub fn of<'b>(&self, message: &'b [u8]) -> Target<'b> {
        let part = |part: Part| match part {
            Part::Sent(span) => span.of(message),
            Part::Root => b"/",
            Part::Asterisk => b"*",
        };
        let origin = part(self.origin);
        Target {
            authority: self.authority.map(|span| span.of(message)),
            origin,
            path: &origin[..self.path_len as usize],
            query: self.query.map(|span| span.of(message)),
        }
    }
}

/// Where `part` stands in `message`, if it is a piece of it.
fn locate(part: &[u8], message: &[u8]) -> Option<Span> {
    let start = (part.as_ptr() as usize).checked_sub(message.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= message.len()).then_some(Span {
        start: start as u32,
        end: end as u32,
    })
}

/// Splits a target that holds no blank and no control byte (as `head::parse_strict` gives it).
///
/// # Errors
/// [`HttpError::NotImplemented`] for `CONNECT`, whose target is no resource;
/// [`HttpError::BadRequest`] for everything else that is not origin form, absolute form with
/// `http` or `https`, or `*` with `OPTIONS`, and for a fragment, which no target has.
pub fn parse<'b>(method: &[u8], target: &'b [u8]) -> Result<Target<'b>, HttpError> {
    if method == b"CONNECT" {
        return Err(HttpError::NotImplemented);
    }
    if memchr(b'#', target).is_some() {
        return Err(HttpError::BadRequest("fragment in the request target"));
    }
    if target.first() == Some(&b'/') {
        let (path, query) = split_query(target);
        return Ok(Target {
            authority: None,
            origin: target,
            path,
            query,
        });
    }
    if target == b"*" {
        return match method {
            b"OPTIONS" => Ok(Target {
                authority: None,
                origin: target,
                path: target,
                query: None,
            }),
            _ => Err(HttpError::BadRequest("the target * is for OPTIONS only")),
        };
    }
    absolute_form(method, target)
}

fn absolute_form<'b>(method: &[u8], target: &'b [u8]) -> Result<Target<'b>, HttpError> {
    let rest = strip_scheme(target).ok_or(HttpError::BadRequest(
        "the request target has no form that is known here",
    ))?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if authority.is_empty() || !grammar::is_host(authority) {
        return Err(HttpError::BadRequest(
            "the target's authority is not a host and port",
        ));
    }
    let (path, query) = split_query(rest);
    let (origin, path): (&[u8], &[u8]) = match (path, query, method) {
        // RFC 9112 section 3.2.4: what a proxy would have forwarded as `*`.
        (b"", None, b"OPTIONS") => (b"*", b"*"),
        (b"", _, _) => (b"/", b"/"),
        _ => (rest, path),
    };
    Ok(Target {
        authority: Some(authority),
        origin,
        path,
        query,
    })
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    let colon = memchr(b':', target)?;
    let (scheme, rest) = target.split_at(colon);
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    rest.strip_prefix(b"://").filter(|_| known)
}

fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'?', target) {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    }
}

/// What `+` means: a blank in forms and queries, itself in a path of the standard dialect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plus {
    /// `application/x-www-form-urlencoded`, and paths in the legacy dialect.
    Space,
    /// RFC 3986.
    Keep,
}

/// Replaces each `%XX` by its byte and `+` as `plus` says. A `%` without two digits stays.
pub fn percent_decode(raw: &[u8], plus: Plus) -> Cow<'_, [u8]> {
    let Some(first) = next_mark(raw, plus) else {
        return Cow::Borrowed(raw);
    };
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut mark = Some(first);
    while let Some(at) = mark {
        decoded.extend_from_slice(&rest[..at]);
        let (byte, length) = decode_mark(&rest[at..]);
        decoded.push(byte);
        rest = &rest[at + length..];
        mark = next_mark(rest, plus);
    }
    decoded.extend_from_slice(rest);
    Cow::Owned(decoded)
}

fn next_mark(raw: &[u8], plus: Plus) -> Option<usize> {
    match plus {
        Plus::Space => find(
            raw,
            |byte| matches!(byte, b'%' | b'+'),
            |far| memchr2(b'%', b'+', far),
        ),
        Plus::Keep => find(raw, |byte| byte == b'%', |far| memchr(b'%', far)),
    }
}

/// Position of the first byte that is wanted. Marks stand close together or far apart: the next few
/// bytes are looked at one by one, and `in_vectors` finds the same behind them.
fn find(
    text: &[u8],
    wanted: impl Fn(u8) -> bool,
    in_vectors: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let (near, far) = text.split_at(text.len().min(16));
    let found = near.iter().position(|&byte| wanted(byte));
    found.or_else(|| in_vectors(far).map(|at| near.len() + at))
}

/// The byte that a text beginning with `%` or `+` decodes to, and how many bytes it took.
fn decode_mark(raw: &[u8]) -> (u8, usize) {
    match raw {
        [b'%', high, low, ..] => match (hex_value(*high), hex_value(*low)) {
            (Some(high), Some(low)) => (high * 16 + low, 3),
            _ => (b'%', 1),
        },
        [b'+', ..] => (b' ', 1),
        _ => (b'%', 1),
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The decoded pairs of a query or of a form, in order: `&` between pairs, the first `=` between
/// key and value, an empty value without `=`.
///
/// A form has hundreds of short texts, so they are read byte by byte, once, and decoded into one
/// buffer: a pair is gone with the next call of [`next_pair`](Self::next_pair).
///
/// COMPAT(fapws3): an empty pair is a pair of two empty strings, except at the end.
pub struct Pairs<'q> {
    rest: &'q [u8],
    /// As long as the query: no pair is longer, decoded.
    decoded: Vec<u8>,
    /// Bytes of `decoded` that the pair has so far.
    length: usize,
}

impl<'q> Pairs<'q> {
    /// The pairs of `query`; `None` where there is no memory for them.
    pub fn of(query: &'q [u8]) -> Option<Pairs<'q>> {
        let mut decoded = Vec::new();
        decoded.try_reserve_exact(query.len()).ok()?;
        decoded.resize(query.len(), 0);
        Some(Pairs {
            rest: query,
            decoded,
            length: 0,
        })
    }

    /// The next key and its value.
    pub fn next_pair(&mut self) -> Option<(&[u8], &[u8])> {
        if self.rest.is_empty() {
            return None;
        }
        self.length = 0;
        let mark = self.decode_text(b'=');
        let key = self.length;
        if mark == Some(b'=') {
            self.decode_text(b'&');
        }
        Some(self.decoded[..self.length].split_at(key))
    }

    /// Decodes up to the first `&` or `end`, which is taken off and returned.
    fn decode_text(&mut self, end: u8) -> Option<u8> {
        loop {
            let plain = copy_plain(self.rest, &mut self.decoded[self.length..], end);
            self.length += plain;
            self.rest = &self.rest[plain..];
            let mark = *self.rest.first()?;
            if mark != b'%' {
                self.rest = &self.rest[1..];
                return Some(mark);
            }
            let (byte, length) = decode_mark(self.rest);
            self.decoded[self.length] = byte;
            self.length += 1;
            self.rest = &self.rest[length..];
        }
    }
}

/// Bytes that are copied and looked at in one step, which the compiler makes vectors of.
const BLOCK: usize = 16;

/// Copies what `text` has before the first `%`, `&` or `end`, blanks for `+`; its length.
///
/// Two mutants live: no byte is `%` and `&`, so `^` is `|`; and where no block counts, the bytes are taken one
/// by one.
fn copy_plain(text: &[u8], into: &mut [u8], end: u8) -> usize {
    let stops = |byte| (byte == b'%') | (byte == b'&') | (byte == end);
    let plain = |byte| if byte == b'+' { b' ' } else { byte };
    let mut length = 0;
    for (block, places) in text.chunks_exact(BLOCK).zip(into.chunks_exact_mut(BLOCK)) {
        let mut stop = false;
        for (&byte, place) in block.iter().zip(places) {
            stop |= stops(byte);
            *place = plain(byte);
        }
        if stop {
            break;
        }
        length += BLOCK;
    }
    for (&byte, place) in text[length..].iter().zip(&mut into[length..]) {
        if stops(byte) {
            break;
        }
        *place = plain(byte);
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_comes_back_from_its_offsets() {
        for (method, target) in [
            ("GET", "/a/b?c=d"),
            ("GET", "/"),
            ("GET", "/?"),
            ("GET", "http://host:80/a?b"),
            ("GET", "http://host"),
            ("GET", "http://host?a"),
            ("OPTIONS", "http://host"),
            ("OPTIONS", "*"),
        ] {
            let message = format!("{method} {target} HTTP/1.1\r\n\r\n").into_bytes();
            let start = method.len() + 1;
            let raw = &message[start..start + target.len()];
            let parsed = parse(method.as_bytes(), raw).unwrap();
            let spans = TargetSpans::locate(&parsed, &message);
            let moved = message.clone();
            assert_eq!(spans.of(&moved), parsed, "{method} {target}");
        }
    }
    use proptest::prelude::*;

    type Parts<'t> = (Option<&'t str>, &'t str, Option<&'t str>);

    fn parts<'t>(method: &str, target: &'t str) -> Result<Parts<'t>, u16> {
        let text = |bytes: &'t [u8]| std::str::from_utf8(bytes).unwrap();
        parse(method.as_bytes(), target.as_bytes())
            .map(|parts| {
                (
                    parts.authority.map(text),
                    text(parts.path),
                    parts.query.map(text),
                )
            })
            .map_err(HttpError::status)
    }

    #[test]
    fn origin_form() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a/b", "/a/b", None),
            ("/a?", "/a", Some("")),
            ("/a?b=c", "/a", Some("b=c")),
            ("/a?b?c", "/a", Some("b?c")),
            ("/?/", "/", Some("/")),
            ("//host/a", "//host/a", None),
            ("/http://a/", "/http://a/", None),
            ("/%2f%zz/../.", "/%2f%zz/../.", None),
            ("/caf\u{e9}|\\^", "/caf\u{e9}|\\^", None),
        ] {
            assert_eq!(parts("GET", target), Ok((None, path, query)), "{target:?}");
        }
    }

    #[test]
    fn absolute_form() {
        for (target, authority, path, query) in [
            ("http://a/", "a", "/", None),
            ("HTTP://A:80/b?c", "A:80", "/b", Some("c")),
            ("https://[::1]:8443/", "[::1]:8443", "/", None),
            ("http://a", "a", "/", None),
            ("http://a?b", "a", "/", Some("b")),
            ("http://a:/", "a:", "/", None),
            ("http://a//b", "a", "//b", None),
            ("http://a/?http://b/", "a", "/", Some("http://b/")),
        ] {
            assert_eq!(
                parts("GET", target),
                Ok((Some(authority), path, query)),
                "{target:?}"
            );
        }
    }

    #[test]
    fn prefixes_are_compared_with_the_path_never_with_the_authority() {
        for (target, origin) in [
            ("/a/b?c", "/a/b?c"),
            ("http://pub/p?q", "/p?q"),
            ("http://api/api", "/api"),
            ("http://a", "/"),
            ("http://a?b", "/"),
            ("http://a/?http://b/", "/?http://b/"),
        ] {
            let parts = parse(b"GET", target.as_bytes()).unwrap();
            assert_eq!(parts.origin, origin.as_bytes(), "{target:?}");
        }
    }

    #[test]
    fn asterisk_form_is_for_options() {
        assert_eq!(parts("OPTIONS", "*"), Ok((None, "*", None)));
        assert_eq!(parts("OPTIONS", "http://a"), Ok((Some("a"), "*", None)));
        assert_eq!(parts("OPTIONS", "http://a/"), Ok((Some("a"), "/", None)));
        assert_eq!(
            parts("OPTIONS", "http://a?b"),
            Ok((Some("a"), "/", Some("b")))
        );
        for (method, target) in [
            ("GET", "*"),
            ("options", "*"),
            ("OPTIONS", "*?a"),
            ("OPTIONS", "**"),
        ] {
            assert_eq!(parts(method, target), Err(400), "{method} {target}");
        }
    }

    #[test]
    fn other_forms_are_rejected() {
        for target in ["a:443", "/", "http://a/", "*", ""] {
            assert_eq!(parts("CONNECT", target), Err(501), "{target:?}");
        }
        for target in [
            "",
            "a",
            "a/b",
            "?a",
            "example.com:443",
            "ftp://a/",
            "httpx://a/",
            "http:/a",
            "http:a",
            "http:///a",
            "http://",
            "http://?a",
            "http://u@a/",
            "http://u:p@a/",
            "http://a b/",
            "http://a:b/",
            "http://[::1/",
            "http://:80/",
            "://a/",
            "ws://a/",
            "\\",
            "/a#b",
            "/#",
            "http://a/#",
            "http://a#b",
            "http://a\\b/",
            "mailto:a@b",
            "http//a/",
        ] {
            assert_eq!(parts("GET", target), Err(400), "{target:?}");
        }
    }

    fn naive_decode(raw: &[u8], plus: Plus) -> Vec<u8> {
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < raw.len() {
            let digits = raw
                .get(at + 1..at + 3)
                .and_then(|two| std::str::from_utf8(two).ok());
            let value = digits
                .filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .and_then(|two| u8::from_str_radix(two, 16).ok());
            match (raw[at], value) {
                (b'%', Some(value)) => {
                    decoded.push(value);
                    at += 2;
                }
                (b'+', _) if plus == Plus::Space => decoded.push(b' '),
                (byte, _) => decoded.push(byte),
            }
            at += 1;
        }
        decoded
    }

    fn decoded(raw: &str) -> String {
        String::from_utf8_lossy(&percent_decode(raw.as_bytes(), Plus::Keep)).into_owned()
    }

    #[test]
    fn percent_sequences_are_decoded_once() {
        assert_eq!(decoded("/a%20b%2Fc%2f"), "/a b/c/");
        assert_eq!(decoded("%2541"), "%41");
        assert_eq!(decoded("%C3%A9"), "\u{e9}");
        assert_eq!(decoded("%00"), "\0");
        assert_eq!(decoded("a+b"), "a+b");
        for invalid in [
            "%", "%4", "%zz", "%4z", "%z4", "%%", "%+1", "% 1", "%\u{e9}", "100%",
        ] {
            assert_eq!(decoded(invalid), invalid);
        }
        assert_eq!(decoded("%%41"), "%A");
        assert_eq!(decoded("%4%41"), "%4A");
        assert_eq!(percent_decode(b"a+%2B+", Plus::Space).as_ref(), b"a + ");
    }

    #[test]
    fn a_text_without_marks_is_not_copied() {
        let borrowed = |raw: &'static str, plus| {
            matches!(percent_decode(raw.as_bytes(), plus), Cow::Borrowed(_))
        };
        assert!(borrowed("/plain/path", Plus::Keep) && borrowed("a+b", Plus::Keep));
        assert!(borrowed("plain", Plus::Space) && !borrowed("a+b", Plus::Space));
    }

    fn all_pairs(query: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs = Pairs::of(query).unwrap();
        let mut all = Vec::new();
        while let Some((key, value)) = pairs.next_pair() {
            all.push((key.to_vec(), value.to_vec()));
        }
        all
    }

    /// Pairs one after the other, by the words of `COMPAT` above.
    fn naive_pairs(query: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs = Vec::new();
        let mut rest = query;
        while !rest.is_empty() {
            let end = rest.iter().position(|&byte| byte == b'&');
            let pair = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or(&[], |end| &rest[end + 1..]);
            let mark = pair.iter().position(|&byte| byte == b'=');
            let value = mark.map_or(&b""[..], |mark| &pair[mark + 1..]);
            let key = &pair[..mark.unwrap_or(pair.len())];
            pairs.push((
                naive_decode(key, Plus::Space),
                naive_decode(value, Plus::Space),
            ));
        }
        pairs
    }

    proptest! {
        #[test]
        fn decoding_is_that_of_the_naive_reference(
            raw in prop::collection::vec(prop::sample::select(b"%+0aFgz\xe9 ".to_vec()), 0..40),
        ) {
            for plus in [Plus::Space, Plus::Keep] {
                let decoded = percent_decode(&raw, plus);
                prop_assert_eq!(decoded.as_ref(), naive_decode(&raw, plus));
                prop_assert_eq!(matches!(decoded, Cow::Borrowed(_)), *decoded == *raw && !raw
                    .iter().any(|&byte| byte == b'%' || (byte == b'+' && plus == Plus::Space)));
            }
        }

        #[test]
        fn pairs_are_those_of_the_naive_reference(query in "[a&=+%40\u{e9}]{0,24}") {
            prop_assert_eq!(all_pairs(query.as_bytes()), naive_pairs(query.as_bytes()));
        }

        #[test]
        fn long_pairs_are_those_of_the_naive_reference(query in "([abc]{20,50}[&=+%]?(40)?){1,5}") {
            prop_assert_eq!(all_pairs(query.as_bytes()), naive_pairs(query.as_bytes()));
        }

        #[test]
        fn no_target_makes_it_panic(
            target in prop::collection::vec(any::<u8>(), 0..60),
            start in prop::sample::select(vec!["", "/", "http://", "HTTPS://[", "*"]),
        ) {
            let target = [start.as_bytes(), &target].concat();
            for method in ["GET", "OPTIONS", "CONNECT"] {
                if let Ok(parts) = parse(method.as_bytes(), &target) {
                    prop_assert!(parts.path == b"*" || parts.path.starts_with(b"/"));
                    prop_assert!(parts.origin.starts_with(parts.path));
                    prop_assert!(parts.authority.is_none_or(grammar::is_host));
                }
            }
        }
    }

    #[test]
    fn compat_empty_pairs_count_but_not_at_the_end() {
        let count = |query: &str| all_pairs(query.as_bytes()).len();
        for (query, expected) in [
            ("", 0),
            ("&", 1),
            ("&&", 2),
            ("a", 1),
            ("a&", 1),
            ("&a", 2),
            ("a&&b", 3),
            ("a=&", 1),
            ("=", 1),
            ("a&&", 2),
        ] {
            assert_eq!(count(query), expected, "{query:?}");
        }
        let all = all_pairs(b"a=1=2&%zz=%4&+=%2B&=x&%3D%26=1");
        let expected: [(&[u8], &[u8]); 5] = [
            (b"a", b"1=2"),
            (b"%zz", b"%4"),
            (b" ", b"+"),
            (b"", b"x"),
            (b"=&", b"1"),
        ];
        for (pair, (key, value)) in all.iter().zip(expected) {
            assert_eq!((&*pair.0, &*pair.1), (key, value));
        }
        assert_eq!(all.len(), expected.len());
    }
}
