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
        // How much costs time alone: the mutants of this line live.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FINAL: ReplyFraming = ReplyFraming {
        body: ReplyBody::Empty,
        head_only: false,
        connection: None,
        keep_alive: true,
    };

    fn head(status: &str, fields: &[(&str, &str)]) -> ResponseHead {
        let mut head = ResponseHead::default();
        head.set_status(status.as_bytes()).unwrap();
        for (name, value) in fields {
            head.add(name.as_bytes(), value.as_bytes()).unwrap();
        }
        head
    }

    fn pushed(head: &ResponseHead, framing: &ReplyFraming, ready: &DateServerLines) -> String {
        let mut out = b"before ".to_vec();
        head.push(&mut out, framing, ready);
        String::from_utf8(out).unwrap()
    }

    fn lines_at(second: i64, ident: &str) -> DateServerLines {
        let mut ready = DateServerLines::default();
        assert!(ready.update(second, ident.as_bytes()));
        ready
    }

    #[test]
    fn a_head_is_its_status_its_fields_and_what_frames_it() {
        let plain = head("200 OK", &[("A", "b"), ("a", "c"), ("Content-Length", "7")]);
        assert_eq!((plain.code(), plain.promised()), (200, Some(7)));
        let none = DateServerLines::default();
        let all = "before HTTP/1.1 200 OK\r\nA: b\r\na: c\r\n";
        for (body, connection, frame) in [
            (ReplyBody::Empty, None, ""),
            (ReplyBody::UntilClose, None, ""),
            (ReplyBody::Length(120), None, "Content-Length: 120\r\n"),
            (ReplyBody::Chunked, None, "Transfer-Encoding: chunked\r\n"),
            (
                ReplyBody::Length(0),
                Some(&b"Connection: close\r\n"[..]),
                "Content-Length: 0\r\nConnection: close\r\n",
            ),
        ] {
            let framing = ReplyFraming {
                body,
                connection,
                ..FINAL
            };
            let expected = format!("{all}{frame}\r\n");
            assert_eq!(pushed(&plain, &framing, &none), expected);
        }
    }

    #[test]
    fn a_status_without_a_reason_has_the_registered_one() {
        for (status, line) in [
            ("404", "404 Not Found"),
            ("299", "299 "),
            ("404 ", "404 "),
            ("200 Fine", "200 Fine"),
        ] {
            let expected = format!("before HTTP/1.1 {line}\r\n\r\n");
            let none = DateServerLines::default();
            assert_eq!(pushed(&head(status, &[]), &FINAL, &none), expected);
        }
    }

    #[test]
    fn a_status_replaces_the_one_before_and_leaves_the_fields() {
        let mut twice = head("200 OK", &[("A", "b")]);
        twice.set_status(b"404 Nowhere").unwrap();
        let none = DateServerLines::default();
        let expected = "before HTTP/1.1 404 Nowhere\r\nA: b\r\n\r\n";
        assert_eq!(pushed(&twice, &FINAL, &none), expected);
        assert_eq!(twice.code(), 404);
        twice.clear();
        assert_eq!((twice.code(), twice.promised()), (0, None));
        assert_eq!(pushed(&twice, &FINAL, &none), "before \r\n");
    }

    #[test]
    fn each_fault_is_found_and_changes_nothing() {
        let status = |status: &[u8]| ResponseHead::default().set_status(status);
        let field = |name: &str, value: &str| {
            let mut head = head("200 OK", &[("Content-Length", "3")]);
            let before = head.lines.clone();
            let fault = head.add(name.as_bytes(), value.as_bytes());
            assert_eq!((&head.lines, head.promised()), (&before, Some(3)));
            fault
        };
        assert_eq!(status(b"20 OK"), Err(HeadFault::Status));
        assert_eq!(status(b"200 O\nK"), Err(HeadFault::Status));
        assert_eq!(status(b"199 Early"), Err(HeadFault::Interim));
        assert_eq!(status(b"100"), Err(HeadFault::Interim));
        assert_eq!(field("A b", "c"), Err(HeadFault::Name));
        assert_eq!(field("A", "b\r\nC: d"), Err(HeadFault::Value));
        assert_eq!(field("Connection", "close"), Err(HeadFault::HopByHop));
        assert_eq!(field("Content-Length", "x"), Err(HeadFault::Length));
        assert_eq!(field("Content-Length", "4"), Err(HeadFault::Length));
        assert_eq!(field("Content-Length", "3"), Ok(()));
    }

    #[test]
    fn faults_are_shown_as_pep_3333_has_them() {
        let all = [
            (HeadFault::Status, false, "three digits"),
            (HeadFault::Interim, true, "below 200"),
            (HeadFault::Name, false, "token"),
            (HeadFault::Value, false, "CR, LF"),
            (HeadFault::HopByHop, true, "hop-by-hop"),
            (HeadFault::Length, false, "Content-Length"),
            (HeadFault::TooLong, false, "1 MiB"),
        ];
        for (fault, is_assertion, words) in all {
            assert_eq!(fault.is_assertion(), is_assertion, "{fault:?}");
            assert!(fault.message().contains(words), "{fault:?}");
        }
    }

    #[test]
    fn a_head_is_as_long_as_it_may_be() {
        assert_eq!(LONGEST_HEAD, 1 << 20);
        let text = |length: usize| vec![b'x'; length];
        let status = |length| {
            let status = [b"200 ", &*text(length - 4)].concat();
            ResponseHead::default().set_status(&status)
        };
        assert_eq!(status(LONGEST_HEAD), Ok(()));
        assert_eq!(status(LONGEST_HEAD + 1), Err(HeadFault::TooLong));

        // The status does not count, the fields that are there do.
        let with_fields = || head("200 A reason of some length", &[("A", "b")]);
        let there = "A: b\r\n".len();
        let most = LONGEST_HEAD - there - "Name".len();
        assert_eq!(with_fields().add(b"Name", &text(most)), Ok(()));
        let more = with_fields().add(b"Name", &text(most + 1));
        assert_eq!(more, Err(HeadFault::TooLong));
    }

    #[test]
    fn a_rendered_line_is_a_field() {
        let mut lines = head("200 OK", &[]);
        for line in ["A:b", "B:  c d \r", "", "\r", "C::e"] {
            lines.add_line(line.as_bytes()).unwrap();
        }
        assert_eq!(lines.fields(), b"A: b\r\nB: c d\r\nC: :e\r\n");
        assert_eq!(lines.add_line(b"no colon"), Err(HeadFault::Name));
        assert_eq!(lines.add_line(b": no name"), Err(HeadFault::Name));
    }

    #[test]
    fn fields_are_found_and_taken_out_by_name() {
        let mut fields = head(
            "200 OK",
            &[("A", "one"), ("B", "two"), ("a", "three"), ("Ab", "four")],
        );
        assert_eq!(fields.value(b"a"), Some(&b"three"[..]));
        assert_eq!(fields.value(b"B"), Some(&b"two"[..]));
        assert_eq!(fields.value(b"C"), None);
        fields.remove(b"A");
        assert_eq!(fields.fields(), b"B: two\r\nAb: four\r\n");
        assert_eq!(fields.value(b"A"), None);
        let none = DateServerLines::default();
        let expected = "before HTTP/1.1 200 OK\r\nB: two\r\nAb: four\r\n\r\n";
        assert_eq!(pushed(&fields, &FINAL, &none), expected);
    }

    #[test]
    fn the_servers_lines_give_way_to_the_applications() {
        let ready = lines_at(784_111_777, "me");
        let (date, server) = ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "Server: me\r\n");
        for (own, expected) in [
            (&[][..], [date, server].concat()),
            (&[("date", "x")][..], format!("date: x\r\n{server}")),
            (&[("SERVER", "y")][..], format!("SERVER: y\r\n{date}")),
            (
                &[("Date", "x"), ("Server", "y")][..],
                "Date: x\r\nServer: y\r\n".into(),
            ),
        ] {
            let mut head = head("200 OK", own);
            let expected = format!("before HTTP/1.1 200 OK\r\n{expected}\r\n");
            assert_eq!(pushed(&head, &FINAL, &ready), expected);
            for name in ["Date", "Server", "Content-Length"] {
                head.remove(name.as_bytes());
            }
            let expected = format!("before HTTP/1.1 200 OK\r\n{date}{server}\r\n");
            assert_eq!(pushed(&head, &FINAL, &ready), expected);
        }
    }

    #[test]
    fn a_promise_is_taken_back_with_its_field() {
        let mut promised = head("200 OK", &[("Content-Length", "3")]);
        promised.remove(b"content-length");
        assert_eq!(promised.promised(), None);
        assert_eq!(promised.add(b"Content-Length", b"4"), Ok(()));
        assert_eq!(promised.promised(), Some(4));
        promised.clear();
        assert_eq!(promised.promised(), None);
    }

    #[test]
    fn early_hints_are_fields_alone() {
        let mut out = b"before ".to_vec();
        head("200 OK", &[("Link", "</a>")]).push_early_hints(&mut out);
        assert_eq!(
            out,
            b"before HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        );
    }

    #[test]
    fn date_and_server_are_rendered_once_a_second() {
        let mut ready = lines_at(0, "a");
        assert_eq!(ready.date(), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert!(!ready.update(0, b"other"));
        assert_eq!(ready.server_line(), b"Server: a\r\n");
        assert!(ready.update(1, b""));
        assert_eq!(
            ready.date_line(),
            b"Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n"
        );
        assert_eq!(ready.server_line(), b"");
        assert_eq!(ready.lines(), ready.date_line());
        // A time that HTTP cannot write has no line.
        assert!(ready.update(i64::MAX, b"b"));
        assert_eq!(
            (ready.date(), ready.lines()),
            (&b""[..], &b"Server: b\r\n"[..])
        );
    }

    proptest! {
        #[test]
        fn nothing_that_is_added_adds_a_line_of_its_own(
            fields in proptest::collection::vec(("\\PC{0,6}|[A-Za-z-]{1,6}", "[\\x00-\\xff]{0,8}"), 0..6),
        ) {
            let mut head = head("200 OK", &[]);
            let mut taken = 0;
            for (name, value) in &fields {
                let before = head.promised();
                if head.add(name.as_bytes(), value.as_bytes()).is_ok() && head.promised() == before {
                    taken += 1;
                }
            }
            let out = pushed(&head, &FINAL, &DateServerLines::default());
            prop_assert_eq!(out.split("\r\n").count(), taken + 3);
            prop_assert!(!out.replace("\r\n", "").contains(['\r', '\n', '\0']));
        }
    }
}
