//! A line: what a format asks for, of one response.
//!
//! What is known when a response begins is rendered at once. Where its body is still to come, the
//! line keeps [`Hole`]s for what is known at the end, and nothing of the request is kept besides.

#![forbid(unsafe_code)]

use std::io::Write;
use std::ops::Range;

use super::escape::{push_json, push_text};
use super::format::{Atom, Format};
use super::head::{RequestLine, basic_user, find_fields};
use crate::http::grammar::push_decimal;

/// What is known of a response when its head is queued.
pub struct Known<'a> {
    /// The request's head, or what came of it.
    pub request: &'a [u8],
    /// Its first line.
    pub line: RequestLine<'a>,
    /// The head of the response, where the format asks for it.
    pub response: &'a [u8],
    /// The client's address.
    pub client: &'a str,
    /// The variables of the environ that the format asks for; fewer where there was no environ.
    pub variables: &'a [Option<Vec<u8>>],
    /// The status; 0 where it is not known.
    pub status: u16,
    /// Microseconds waited before the call.
    pub waited: u64,
    /// The process's number.
    pub process: u32,
    /// The time, rendered.
    pub time: &'a [u8],
}

/// What is known when the response is whole.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// Bytes of the body.
    pub bytes: u64,
    /// Microseconds from the call to the end.
    pub micros: u64,
}

/// A place in a line for what is known later.
#[derive(Debug, PartialEq, Eq)]
pub struct Hole {
    at: usize,
    atom: Atom,
}

/// Memory for the search of fields, used again.
#[derive(Default)]
pub struct Scratch {
    request: Vec<Option<Range<usize>>>,
    response: Vec<Option<Range<usize>>>,
}

/// A line of which the end is not known yet.
pub struct Unfinished {
    text: Vec<u8>,
    holes: Vec<Hole>,
}

impl Unfinished {
    /// Begins a line.
    pub fn begin(format: &Format, known: &Known<'_>, scratch: &mut Scratch) -> Unfinished {
        let (mut text, mut holes) = (Vec::new(), Vec::new());
        render(format, known, scratch, &mut text, |text, atom| {
            let at = text.len();
            holes.push(Hole { at, atom });
        });
        Unfinished { text, holes }
    }

    /// Adds the whole line to `out`.
    pub fn finish(&self, outcome: Outcome, out: &mut Vec<u8>) {
        let mut from = 0;
        for hole in &self.holes {
            out.extend_from_slice(&self.text[from..hole.at]);
            push_late(out, hole.atom, outcome);
            from = hole.at;
        }
        out.extend_from_slice(&self.text[from..]);
    }
}

/// Adds the line of a response that is whole to `out`.
pub fn push_line(
    format: &Format,
    known: &Known<'_>,
    outcome: Outcome,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) {
    render(format, known, scratch, out, |out, atom| {
        push_late(out, atom, outcome);
    });
}

fn render(
    format: &Format,
    known: &Known<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
    mut late: impl FnMut(&mut Vec<u8>, Atom),
) {
    find_fields(known.request, &format.request_fields, &mut scratch.request);
    find_fields(
        known.response,
        &format.response_fields,
        &mut scratch.response,
    );
    for part in &format.parts {
        out.extend_from_slice(&part.text);
        match part.atom {
            None => {}
            Some(atom) if atom.is_late() => late(out, atom),
            Some(atom) => push_atom(format, known, scratch, atom, out),
        }
    }
}

fn push_atom(format: &Format, known: &Known<'_>, found: &Scratch, atom: Atom, out: &mut Vec<u8>) {
    let is_json = format.is_json;
    let text = |value: Option<&[u8]>, out: &mut Vec<u8>| push_value(is_json, value, out);
    let field = |head: &'_ [u8], found: &[Option<Range<usize>>], index: usize| {
        let range = found.get(index).cloned().flatten()?;
        head.get(range).map(<[u8]>::to_vec)
    };
    match atom {
        Atom::Client => text(non_empty(known.client.as_bytes()), out),
        Atom::Identity => text(None, out),
        Atom::User(index) => {
            let credentials = field(known.request, &found.request, index);
            let user = credentials.and_then(|credentials| basic_user(&credentials));
            text(user.as_deref(), out);
        }
        Atom::Time => text(Some(known.time), out),
        Atom::RequestLine => text(non_empty(known.line.line), out),
        Atom::Method => text(known.line.method, out),
        Atom::Path => text(known.line.path(), out),
        Atom::Query => text(known.line.query(), out),
        Atom::Protocol => text(known.line.protocol, out),
        Atom::Status if known.status == 0 => text(None, out),
        Atom::Status => push_decimal(out, known.status.into()),
        Atom::Reason => text(reason(known.response), out),
        Atom::Waited => push_decimal(out, known.waited),
        Atom::Process if is_json => push_decimal(out, known.process.into()),
        Atom::Process => {
            out.push(b'<');
            push_decimal(out, known.process.into());
            out.push(b'>');
        }
        Atom::RequestField(index) => {
            let range = found.request.get(index).cloned().flatten();
            text(range.and_then(|range| known.request.get(range)), out);
        }
        Atom::ResponseField(index) => {
            let range = found.response.get(index).cloned().flatten();
            text(range.and_then(|range| known.response.get(range)), out);
        }
        Atom::Variable(index) => {
            let value = known.variables.get(index).and_then(Option::as_deref);
            text(value, out);
        }
        Atom::Bytes | Atom::Seconds | Atom::Milliseconds | Atom::Microseconds | Atom::Duration => {}
    }
}

fn non_empty(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

/// What follows the code in the first line of a response.
fn reason(response: &[u8]) -> Option<&[u8]> {
    let line = response.split(|&byte| byte == b'\r').next()?;
    non_empty(line.splitn(3, |&byte| byte == b' ').nth(2)?)
}

fn push_value(is_json: bool, value: Option<&[u8]>, out: &mut Vec<u8>) {
    match (is_json, value) {
        (true, None) => out.extend_from_slice(b"null"),
        (true, Some(value)) => {
            out.push(b'"');
            push_json(out, value);
            out.push(b'"');
        }
        (false, None) => out.push(b'-'),
        (false, Some(value)) => push_text(out, value),
    }
}

fn push_late(out: &mut Vec<u8>, atom: Atom, outcome: Outcome) {
    match atom {
        Atom::Bytes => push_decimal(out, outcome.bytes),
        Atom::Seconds => push_decimal(out, outcome.micros / 1_000_000),
        Atom::Milliseconds => push_decimal(out, outcome.micros / 1_000),
        Atom::Microseconds => push_decimal(out, outcome.micros),
        Atom::Duration => {
            let (whole, fraction) = (outcome.micros / 1_000_000, outcome.micros % 1_000_000);
            // A `Vec` takes everything.
            let _ = write!(out, "{whole}.{fraction:06}");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /a%20b?q=1 HTTP/1.1\r\nHost: h\r\nReferer: http://x/\"\r\n\
        User-Agent: me\xe9\r\nAuthorization: Basic YWRhOng=\r\n\r\n";
    const RESPONSE: &[u8] = b"HTTP/1.1 404 Not Found\r\nX-Shop: a\"b\r\n\r\n";

    const EVERY: &[u8] =
        b"%(h)s|%(l)s|%(u)s|%(t)s|%(r)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(st)s|%(B)s|\
        %(b)s|%(f)s|%(a)s|%(T)s|%(D)s|%(M)s|%(L)s|%(Q)s|%(p)s|%({host}i)s|%({x-shop}o)s|%({v}e)s|\
        %({none}i)s|%({w}e)s";

    fn known(request: &[u8]) -> Known<'_> {
        Known {
            request,
            line: RequestLine::of(request, 100),
            response: RESPONSE,
            client: "::1",
            variables: &[],
            status: 404,
            waited: 7,
            process: 42,
            time: b"[now]",
        }
    }

    fn both_ways(format: &Format, known: &Known<'_>) -> String {
        let outcome = Outcome {
            bytes: 5,
            micros: 1_002_003,
        };
        let mut scratch = Scratch::default();
        let (mut at_once, mut later) = (Vec::new(), Vec::new());
        push_line(format, known, outcome, &mut scratch, &mut at_once);
        Unfinished::begin(format, known, &mut scratch).finish(outcome, &mut later);
        assert_eq!(at_once, later);
        String::from_utf8(at_once).unwrap()
    }

    #[test]
    fn every_atom() {
        let format = Format::compile(Some(EVERY), false).unwrap();
        let variables = [Some(b"x\n".to_vec()), None];
        let known = Known {
            variables: &variables,
            ..known(REQUEST)
        };
        assert_eq!(
            both_ways(&format, &known),
            "::1|-|ada|[now]|GET /a%20b?q=1 HTTP/1.1|GET|/a%20b|q=1|HTTP/1.1|404|Not Found|5|5|\
             http://x/\\\"|me\\xe9|1|1002003|1002|1.002003|7|<42>|h|a\\\"b|x\\x0a|-|-\n"
        );
    }

    #[test]
    fn what_did_not_come_is_missing() {
        let format =
            Format::compile(Some(b"\"%(r)s\" %(m)s %(U)s %(q)s %(H)s %(a)s"), false).unwrap();
        assert_eq!(both_ways(&format, &known(b"")), "\"-\" - - - - -\n");
        assert_eq!(
            both_ways(&format, &known(b"GET /\"")),
            "\"GET /\\\"\" GET /\\\"  - -\n"
        );
    }

    #[test]
    fn an_object_of_json() {
        let format =
            Format::compile(Some(b"%(a)s%(s)s%(B)s%(L)s%(p)s%(q)s%({n}i)s%(l)s"), true).unwrap();
        assert_eq!(
            both_ways(&format, &known(REQUEST)),
            "{\"user_agent\": \"me\\u00e9\", \"status\": 404, \"bytes\": 5, \"duration\": 1.002003, \
             \"pid\": 42, \"query\": \"q=1\", \"{n}i\": null, \"identity\": null}\n"
        );
    }

    #[test]
    fn a_status_that_is_not_known() {
        let line = |is_json| {
            let format = Format::compile(Some(b"%(s)s"), is_json).unwrap();
            both_ways(
                &format,
                &Known {
                    status: 0,
                    ..known(REQUEST)
                },
            )
        };
        assert_eq!(
            (&*line(false), &*line(true)),
            ("-\n", "{\"status\": null}\n")
        );
    }
}
