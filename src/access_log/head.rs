//! What a line says of a raw head: its first line, and the fields that the format names.
//!
//! The bytes are read as they came, also where they are no request: every part is as far as it is there.

#![forbid(unsafe_code)]

use std::ops::Range;

/// The first line of a request, and its words.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// The line, without its end.
    pub line: &'a [u8],
    /// The method.
    pub method: Option<&'a [u8]>,
    /// The target.
    pub target: Option<&'a [u8]>,
    /// The protocol.
    pub protocol: Option<&'a [u8]>,
}

impl<'a> RequestLine<'a> {
    /// The first line of `head` that is not empty, at most `longest` bytes of it.
    pub fn of(head: &'a [u8], longest: usize) -> RequestLine<'a> {
        let start = head.iter().position(|byte| !b"\r\n".contains(byte));
        let head = &head[start.unwrap_or(head.len())..];
        let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = &line[..line.len().min(longest)];
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let mut word = || words.next().filter(|word| !word.is_empty());
        let (method, target, protocol) = (word(), word(), word());
        RequestLine {
            line,
            method,
            target,
            protocol,
        }
    }

    /// The target's path, as it came.
    pub fn path(&self) -> Option<&'a [u8]> {
        let target = self.target?;
        let path = &target[..memchr::memchr(b'?', target).unwrap_or(target.len())];
        if path.starts_with(b"/") {
            return Some(path);
        }
        // The absolute form (RFC 9112 section 3.2.2).
        let Some(scheme) = memchr::memmem::find(path, b"://") else {
            return Some(path);
        };
        let authority = &path[scheme + 3..];
        Some(memchr::memchr(b'/', authority).map_or(b"/", |slash| &authority[slash..]))
    }

    /// What follows the target's question mark; empty where there is none.
    pub fn query(&self) -> Option<&'a [u8]> {
        let target = self.target?;
        Some(memchr::memchr(b'?', target).map_or(b"", |mark| &target[mark + 1..]))
    }
}

/// The names and values of a head's fields, as they came.
pub fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let head = head.trim_ascii_start();
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.take_while(|line| !line.is_empty());
    lines.filter_map(|line| {
        let (name, value) = line.split_at(memchr::memchr(b':', line)?);
        Some((name, value[1..].trim_ascii()))
    })
}

/// Finds the values of fields in a head: for each of `names`, which are in lower case, where the last one
/// of that name stands.
pub fn find_fields(head: &[u8], names: &[Vec<u8>], found: &mut Vec<Option<Range<usize>>>) {
    found.clear();
    found.resize(names.len(), None);
    if names.is_empty() {
        return;
    }
    let mut at = head
        .iter()
        .position(|byte| !b"\r\n".contains(byte))
        .unwrap_or(head.len());
    let mut is_first = true;
    while let Some(length) = memchr::memchr(b'\n', &head[at..]) {
        let line = &head[at..at + length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return;
        }
        if !is_first {
            take_field(line, at, names, found);
        }
        is_first = false;
        at += length + 1;
    }
}

fn take_field(line: &[u8], at: usize, names: &[Vec<u8>], found: &mut [Option<Range<usize>>]) {
    for (name, place) in names.iter().zip(found) {
        if line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name) {
            let value = &line[name.len() + 1..];
            let start = at + name.len() + 1 + (value.len() - value.trim_ascii_start().len());
            *place = Some(start..start + value.trim_ascii().len());
        }
    }
}

/// The user of `Authorization: Basic` (RFC 7617).
pub fn basic_user(authorization: &[u8]) -> Option<Vec<u8>> {
    let (scheme, credentials) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut decoded = decode_base64(credentials.trim_ascii())?;
    decoded.truncate(memchr::memchr(b':', &decoded).unwrap_or(decoded.len()));
    (!decoded.is_empty()).then_some(decoded)
}

fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii_end();
    let digits = text.len() - text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let (mut decoded, mut bits, mut count) = (Vec::with_capacity(digits * 3 / 4), 0u32, 0);
    for &byte in &text[..digits] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push((bits >> count) as u8);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(head: &[u8]) -> RequestLine<'_> {
        RequestLine::of(head, 100)
    }

    #[test]
    fn the_words_of_a_request_line() {
        let whole = line(b"\r\nGET /a%20b?x=1?y HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(whole.line, b"GET /a%20b?x=1?y HTTP/1.1");
        assert_eq!(whole.method, Some(&b"GET"[..]));
        assert_eq!(whole.path(), Some(&b"/a%20b"[..]));
        assert_eq!(whole.query(), Some(&b"x=1?y"[..]));
        assert_eq!(whole.protocol, Some(&b"HTTP/1.1"[..]));
    }

    #[test]
    fn a_line_is_taken_as_far_as_it_came() {
        assert_eq!(line(b""), RequestLine::default());
        assert_eq!(line(b"\r\n\r\n"), RequestLine::default());
        let cut = line(b"GET /there");
        assert_eq!((cut.target, cut.protocol), (Some(&b"/there"[..]), None));
        assert_eq!(cut.query(), Some(&b""[..]));
        assert_eq!(
            RequestLine::of(b"GET /there HTTP/1.1\r\n", 7).line,
            b"GET /th"
        );
    }

    #[test]
    fn the_path_of_the_absolute_form() {
        assert_eq!(line(b"GET http://h/a?b HTTP/1.1").path(), Some(&b"/a"[..]));
        assert_eq!(line(b"GET http://h HTTP/1.1").path(), Some(&b"/"[..]));
        assert_eq!(line(b"OPTIONS * HTTP/1.1").path(), Some(&b"*"[..]));
    }

    #[test]
    fn the_last_field_of_a_name_is_found_in_any_case() {
        let head =
            b"GET / HTTP/1.1\r\nX-a: 1\r\nHost:h\r\nx-A: \t2 \r\nhost-x: 3\r\n\r\nx-b: no\r\n";
        let names = [b"x-a".to_vec(), b"host".to_vec(), b"x-b".to_vec()];
        let mut found = Vec::new();
        find_fields(head, &names, &mut found);
        let value = |index: usize| found[index].clone().map(|range| &head[range]);
        assert_eq!(value(0), Some(&b"2"[..]));
        assert_eq!(value(1), Some(&b"h"[..]));
        assert_eq!(value(2), None, "the body is no head");
        for end in 0..head.len() {
            find_fields(&head[..end], &names, &mut found);
        }
    }

    #[test]
    fn the_user_of_basic_credentials() {
        let user = |value: &[u8]| basic_user(value).map(|user| String::from_utf8(user).unwrap());
        assert_eq!(user(b"Basic YWRhOnNlY3JldA==").as_deref(), Some("ada"));
        assert_eq!(user(b"basic YWRhOg").as_deref(), Some("ada"));
        assert_eq!(user(b"Basic YWRh").as_deref(), Some("ada"));
        for none in [
            &b""[..],
            b"Basic",
            b"Bearer x",
            b"Basic !!!!",
            b"Basic OnNlY3JldA==",
        ] {
            assert_eq!(user(none), None, "{none:?}");
        }
    }
}
