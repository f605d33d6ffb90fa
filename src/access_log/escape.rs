//! Bytes of clients and applications as text that ends neither its quotes nor its line.

#![forbid(unsafe_code)]

const HEX: &[u8; 16] = b"0123456789abcdef";

fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\')
}

/// Adds bytes to a line of text: quotes and backslashes after a backslash, what is not printable ASCII
/// as `\xNN`.
pub fn push_text(out: &mut Vec<u8>, bytes: &[u8]) {
    push_with(out, bytes, |out, byte| match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        _ => out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte)]),
    });
}

/// Adds bytes to a JSON string (RFC 8259 section 7), each byte above 127 as the character of ISO-8859-1.
pub fn push_json(out: &mut Vec<u8>, bytes: &[u8]) {
    push_with(out, bytes, |out, byte| match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        _ => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte)]),
    });
}

fn hex(nibble: u8) -> u8 {
    HEX[usize::from(nibble & 15)]
}

fn push_with(out: &mut Vec<u8>, bytes: &[u8], escape: impl Fn(&mut Vec<u8>, u8)) {
    // Without a branch inside, so that it is done for many bytes at once.
    if bytes
        .iter()
        .fold(true, |plain, &byte| plain & is_plain(byte))
    {
        out.extend_from_slice(bytes);
        return;
    }
    for &byte in bytes {
        if is_plain(byte) {
            out.push(byte);
        } else {
            escape(out, byte);
        }
    }
}

/// Shortens a line of JSON, an object of strings and other values, to at most `most` bytes by cutting
/// what its longest strings hold. Whether it fits now.
pub fn shorten_json(line: &mut Vec<u8>, most: usize) -> bool {
    while line.len() > most {
        let Some((start, end)) = longest_value(line) else {
            return false;
        };
        let excess = line.len() - most;
        if end - start == 0 {
            return false;
        }
        let cut = escape_boundary(&line[start..end], (end - start).saturating_sub(excess));
        line.drain(start + cut..end);
    }
    true
}

/// Where the longest string that is a value begins and ends, between its quotes.
fn longest_value(line: &[u8]) -> Option<(usize, usize)> {
    let mut longest: Option<(usize, usize)> = None;
    let mut at = 0;
    while let Some(quote) = line.get(at..).and_then(|rest| memchr::memchr(b'"', rest)) {
        let start = at + quote + 1;
        let mut end = start;
        while end < line.len() && line[end] != b'"' {
            end += if line[end] == b'\\' { 2 } else { 1 };
        }
        let is_key = line.get(end + 1) == Some(&b':');
        if !is_key && longest.is_none_or(|(from, to)| to - from < end - start) {
            longest = Some((start, end.min(line.len())));
        }
        at = end + 1;
    }
    longest
}

/// The last place at or before `most` that is not within an escape.
fn escape_boundary(text: &[u8], most: usize) -> usize {
    let mut at = 0;
    loop {
        let width = match (text.get(at), text.get(at + 1)) {
            (Some(b'\\'), Some(b'u')) => 6,
            (Some(b'\\'), _) => 2,
            _ => 1,
        };
        if at + width > most.min(text.len()) {
            return at;
        }
        at += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_text(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    fn json(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_json(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_printable_stays() {
        let all: Vec<u8> = (0x20..0x7f)
            .filter(|byte| !b"\"\\".contains(byte))
            .collect();
        assert_eq!(text(&all).as_bytes(), all);
        assert_eq!(json(&all).as_bytes(), all);
    }

    #[test]
    fn nothing_ends_a_line_or_its_quotes() {
        let all: Vec<u8> = (0..=255).collect();
        for escaped in [text(&all), json(&all)] {
            assert!(escaped.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
        assert_eq!(
            text(b"a\"b\\c\n\t\xe9\x7f"),
            "a\\\"b\\\\c\\x0a\\x09\\xe9\\x7f"
        );
        assert_eq!(
            json(b"a\"b\\c\n\t\r\0\xe9"),
            "a\\\"b\\\\c\\n\\t\\r\\u0000\\u00e9"
        );
    }

    #[test]
    fn a_long_object_is_cut_in_its_longest_value_outside_of_escapes() {
        let mut line = b"{\"a\": 1, \"long\": \"xxxxxxxx\\u00e9\\\"\", \"b\": \"yy\"}".to_vec();
        let whole = line.len();
        assert!(shorten_json(&mut line, whole - 3));
        assert_eq!(line, b"{\"a\": 1, \"long\": \"xxxxxxxx\", \"b\": \"yy\"}");
        assert!(shorten_json(&mut line, whole - 12));
        assert_eq!(line, b"{\"a\": 1, \"long\": \"xxxx\", \"b\": \"yy\"}");
        assert!(!shorten_json(&mut line, 3), "there is nothing more to cut");
    }
}
