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
use crate::http::grammar::{is_token_byte, plain_name_run, target_run, token_run, value_run};

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
/// A field whose name holds `_` is left out: as an environ key it would be the same as that of the
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
    let mut at = parse_line(buf, limits, head)?;
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

/// Reads the request line alone, which is whole in `buf`, into `head`, and empties its list of
/// fields. Returns where the fields begin.
///
/// # Errors
/// As [`parse`], for the line.
pub fn parse_line(buf: &[u8], limits: &HeadLimits, head: &mut Head) -> Result<usize, HttpError> {
    let start = leading_line_end(buf);
    let line = request_line(&buf[start..], limits)?;
    head.method = Span::new(start, start + line.method);
    head.target = Span::new(start + line.method + 1, start + line.target);
    head.protocol = Span::new(start + line.target + 1, start + line.protocol);
    head.version = line.version;
    head.fields.clear();
    Ok(start + line.protocol + 2)
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
    let method = token_run(bytes);
    if method == 0 || bytes.get(method) != Some(&b' ') {
        return Err(fault());
    }
    let target = method + 1 + target_run(&bytes[method + 1..]);
    if target == method + 1 {
        return Err(fault());
    }
    let protocol = target + " HTTP/1.1".len();
    if bytes.get(protocol..protocol + 2) != Some(b"\r\n") {
        return Err(fault());
    }
    let version = match version_digits(&bytes[target..protocol]) {
        Some((b'1', b'0')) => Version::Http10,
        // A minor version above ours gets the highest one that is known here (RFC 9110 section 2.5).
        Some((b'1', _)) => Version::Http11,
        _ => return Err(fault()),
    };
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
/// The order is that in which the bytes would show it if they came one by one: a first byte that
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
    let method = token_run(line);
    if line.get(method) != Some(&b' ') {
        return METHOD;
    }
    let target = method + 1 + target_run(&line[method + 1..]);
    match version_digits(&line[target..]) {
        Some((b'2'..=b'9', _)) => HttpError::Version,
        _ => REQUEST_LINE,
    }
}

/// The major and the minor digit of `SP HTTP-version`.
fn version_digits(bytes: &[u8]) -> Option<(u8, u8)> {
    match bytes.strip_prefix(b" HTTP/")? {
        [major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => Some((*major, *minor)),
        _ => None,
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
    let mut name = plain_name_run(bytes);
    let underscore = bytes.get(name) == Some(&b'_');
    if underscore {
        name += token_run(&bytes[name..]);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits {
        request_line: 8190,
        head: 65_536,
        fields: 128,
    };

    fn parse_whole(bytes: &[u8]) -> Result<Head, HttpError> {
        let mut head = Head::default();
        parse(bytes, bytes.len(), &LIMITS, &mut head).map(|()| head)
    }

    fn fields<'b>(head: &Head, bytes: &'b [u8]) -> Vec<(&'b [u8], &'b [u8])> {
        let pair = |field: &Field| (field.name.of(bytes), field.value.of(bytes));
        head.fields.iter().map(pair).collect()
    }

    #[test]
    fn a_request_is_read_into_its_parts() {
        let bytes = b"M-SEARCH /a?b=c#d HTTP/1.0\r\nHost:h\r\nEmpty:\r\nBlank: \t \r\n\
            Both: \t x y\tz \t\r\n!#$%&'*+-.^`|~0aZ: \xe9\xff\r\nHost: again\r\n\r\n";
        let head = parse_whole(bytes).unwrap();
        assert_eq!(head.method.of(bytes), b"M-SEARCH");
        assert_eq!(head.target.of(bytes), b"/a?b=c#d");
        assert_eq!(head.protocol.of(bytes), b"HTTP/1.0");
        assert_eq!(head.version, Version::Http10);
        assert_eq!(head.len, bytes.len());
        let expected: [(&[u8], &[u8]); 6] = [
            (b"Host", b"h"),
            (b"Empty", b""),
            (b"Blank", b""),
            (b"Both", b"x y\tz"),
            (b"!#$%&'*+-.^`|~0aZ", b"\xe9\xff"),
            (b"Host", b"again"),
        ];
        assert_eq!(fields(&head, bytes), expected);
    }

    #[test]
    fn a_name_with_an_underscore_is_left_out_but_counts() {
        let bytes = b"GET / HTTP/1.1\r\nX_User: root\r\nX-User: me\r\n_: a\r\na_: b\r\n\r\n";
        let head = parse_whole(bytes).unwrap();
        assert_eq!(fields(&head, bytes), [(&b"X-User"[..], &b"me"[..])]);
        let limits = HeadLimits {
            fields: 3,
            ..LIMITS
        };
        let parsed = parse(bytes, bytes.len(), &limits, &mut Head::default());
        assert_eq!(parsed, Err(HttpError::HeadTooLarge));
    }

    #[test]
    fn a_head_is_parsed_over_an_older_one() {
        let mut head = parse_whole(b"GET /older HTTP/1.0\r\nA: b\r\nC: d\r\n\r\n").unwrap();
        let bytes = b"PUT / HTTP/1.1\r\nE: f\r\n\r\n";
        parse(bytes, bytes.len(), &LIMITS, &mut head).unwrap();
        assert_eq!(head, parse_whole(bytes).unwrap());
    }

    #[test]
    fn versions() {
        let version = |text: &str| {
            parse_whole(format!("GET /longer {text}\r\n\r\n").as_bytes())
                .map(|head| head.version)
                .map_err(HttpError::status)
        };
        assert_eq!(version("HTTP/1.0"), Ok(Version::Http10));
        assert_eq!(version("HTTP/1.1"), Ok(Version::Http11));
        assert_eq!(version("HTTP/1.2"), Ok(Version::Http11));
        assert_eq!(version("HTTP/1.9"), Ok(Version::Http11));
        for text in ["HTTP/2.0", "HTTP/3.0", "HTTP/9.9"] {
            assert_eq!(version(text), Err(505), "{text}");
        }
        for text in [
            "HTTP/0.9",
            "http/1.1",
            "Http/1.1",
            "HTTP/1.",
            "HTTP/.1",
            "HTTP/11",
            "HTTP/1.10",
            "HTTP/01.1",
            "HTTP /1.1",
            "HTTP/1,1",
            "HTTP/1.1 ",
            " HTTP/1.1",
            "HTTP/2",
            "HTP/1.1",
            "HTTP/1.x",
            "HTTP/-1.1",
            "",
        ] {
            assert_eq!(version(text), Err(400), "{text}");
        }
    }

    #[test]
    fn request_lines_that_are_none() {
        for line in [
            "GET",
            "GET /",
            "GET / ",
            "GET  / HTTP/1.1",
            "GET  HTTP/1.1",
            "GET /  HTTP/1.1",
            " GET / HTTP/1.1",
            "GET\t/\tHTTP/1.1",
            "GET / HTTP/1.1\t",
            "/ HTTP/1.1",
            "GET HTTP/1.1",
            "GE(T / HTTP/1.1",
            "GE\u{e9}T / HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET /\u{1} HTTP/1.1",
            "GET /\u{7f} HTTP/1.1",
            "GET /\r HTTP/1.1",
            "",
            "\r\n",
            "GET: / HTTP/1.1",
            "\"GET\" / HTTP/1.1",
            "GET /\u{b}HTTP/1.1",
            "GET / HTTP/1.1\0",
        ] {
            let parsed = parse_whole(format!("{line}\r\nHost: a\r\n\r\n").as_bytes());
            assert_eq!(parsed.map_err(HttpError::status), Err(400), "{line:?}");
        }
    }

    #[test]
    fn field_lines_that_are_none() {
        for line in [
            "Host : a",
            "Host\t: a",
            " Host: a",
            "\tHost: a",
            ": a",
            "Host",
            "Ho st: a",
            "Host: a\0",
            "Host: a\r",
            "Host: \ra",
            "Host: a\nB: c",
            "Host: a\u{b}",
            "Host: \u{7f}",
            "H\u{e9}st: a",
            "Ho\0st: a",
            "(Host): a",
            "Ho\"st: a",
            "Host\r: a",
            "A: b\r\n c",
            "A: b\r\n\tc",
            "A/B: c",
            "A@B: c",
            "[A]: b",
            "A=b",
            "A;b: c",
            "\u{feff}Host: a",
            "\r: a",
            "a_b : c",
            "_\0: c",
        ] {
            let parsed = parse_whole(format!("GET / HTTP/1.1\r\n{line}\r\n\r\n").as_bytes());
            assert_eq!(parsed.map_err(HttpError::status), Err(400), "{line:?}");
        }
    }

    #[test]
    fn one_leading_line_end_is_skipped_and_no_more() {
        let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(parse_whole(bytes).unwrap().method.of(bytes), b"GET");
        for start in ["\n", "\r", "\r\r\n", "\r\n\n", " \r\n"] {
            let bytes = [start, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            assert!(parse_whole(bytes.as_bytes()).is_err(), "{start:?}");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        let fault = |text: &str| parse_whole(text.as_bytes()).unwrap_err();
        assert_eq!(fault("GET / HTTP/1.1\nHost: a\r\n\r\n"), BARE_LINE_END);
        assert_eq!(fault("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), BARE_LINE_END);
        assert_eq!(fault("GET / HTTP/1.1\r\nHost: \0\r\n\r\n"), CONTROL_BYTE);
        assert_eq!(fault("GET /\u{8} HTTP/1.1\r\n\r\n"), CONTROL_BYTE);
        assert_eq!(fault("G@T / HTTP/1.1\r\n\r\n"), METHOD);
        assert_eq!(fault("GET /\r\n\r\n"), REQUEST_LINE);
        assert_eq!(fault("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), FOLDED);
        assert_eq!(fault("GET / HTTP/1.1\r\nA b\r\n\r\n"), NO_COLON);
        assert_eq!(fault("GET / HTTP/1.1\r\nA : b\r\n\r\n"), NAME);
        assert_eq!(fault("\r\n\r\n"), BLANK_LINE_EARLY);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        /// A second opinion: what is accepted here, `httparse` accepts and reads the same.
        #[test]
        fn httparse_agrees_where_a_head_is_accepted(
            method in "[A-Z]{1,7}",
            target in "(/[a-z%?=&]{0,12}|\\*|http://h/)",
            minor in 0..2u8,
            fields in prop::collection::vec(
                ("[A-Za-z][A-Za-z0-9-]{0,12}", "[ \t]{0,2}[!-~\u{e9}]?[ -~\t]{0,30}"),
                0..8
            ),
            change in prop::option::of((0usize..300, any::<u8>())),
        ) {
            let mut text = format!("{method} {target} HTTP/1.{minor}\r\n");
            for (name, value) in fields {
                text.push_str(&format!("{name}:{value}\r\n"));
            }
            text.push_str("\r\n");
            let mut bytes = text.into_bytes();
            if let Some((at, byte)) = change {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            let Ok(head) = parse_whole(&bytes) else {
                prop_assert!(change.is_some(), "rejected: {:?}", String::from_utf8_lossy(&bytes));
                return Ok(());
            };
            let mut their_fields = [httparse::EMPTY_HEADER; 16];
            let mut theirs = httparse::Request::new(&mut their_fields);
            // It knows no minor version above 1.
            prop_assume!(matches!(head.protocol.of(&bytes), b"HTTP/1.0" | b"HTTP/1.1"));
            let start = leading_line_end(&bytes);
            let parsed = theirs.parse(&bytes[start..]).unwrap();
            prop_assert_eq!(parsed, httparse::Status::Complete(head.len - start));
            prop_assert_eq!(theirs.method.unwrap().as_bytes(), head.method.of(&bytes));
            prop_assert_eq!(theirs.path.unwrap().as_bytes(), head.target.of(&bytes));
            prop_assert_eq!(theirs.version.unwrap() == 1, head.version == Version::Http11);
            let plain = theirs.headers.iter().filter(|field| !field.name.contains('_'));
            let plain: Vec<_> = plain.map(|field| (field.name.as_bytes(), field.value)).collect();
            prop_assert_eq!(fields_of(&head, &bytes), plain);
        }
    }

    use fields as fields_of;
}
