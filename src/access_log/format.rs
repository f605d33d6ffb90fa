//! The notation of gunicorn, `%(atom)s`, compiled once into a list of parts.

#![forbid(unsafe_code)]

use std::fmt;

/// The combined log format.
pub const COMBINED: &[u8] = br#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

/// What an object of JSON holds where no format chooses.
const MEMBERS: &[u8] = b"%(t)s%(h)s%(u)s%(m)s%(U)s%(q)s%(H)s%(s)s%(B)s%(f)s%(a)s%(D)s%(Q)s%(p)s";

/// One atom. Those with a number ask for the field, header or variable of that number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Atom {
    /// `h`: the client's address.
    Client,
    /// `l`: nothing.
    Identity,
    /// `u`: the user of Basic credentials, in the request field of this number.
    User(usize),
    /// `t`: the time.
    Time,
    /// `r`: the request line.
    RequestLine,
    /// `m`: the method.
    Method,
    /// `U`: the path, as it came.
    Path,
    /// `q`: the query.
    Query,
    /// `H`: the protocol.
    Protocol,
    /// `s`: the status code.
    Status,
    /// `st`: the reason phrase.
    Reason,
    /// `B` and `b`: bytes of the body.
    Bytes,
    /// `T`: seconds, whole.
    Seconds,
    /// `M`: milliseconds.
    Milliseconds,
    /// `D`: microseconds.
    Microseconds,
    /// `L`: seconds, with a fraction.
    Duration,
    /// `Q`: microseconds waited before the call.
    Waited,
    /// `p`: the process's number.
    Process,
    /// `{name}i`, `f`, `a`: a request field.
    RequestField(usize),
    /// `{name}o`: a response field.
    ResponseField(usize),
    /// `{name}e`: a variable of the environ.
    Variable(usize),
}

impl Atom {
    /// Whether it is known only when the response is whole.
    pub fn is_late(self) -> bool {
        matches!(
            self,
            Atom::Bytes | Atom::Seconds | Atom::Milliseconds | Atom::Microseconds | Atom::Duration
        )
    }

    /// Whether it is a number, in JSON.
    pub fn is_number(self) -> bool {
        self.is_late() || matches!(self, Atom::Status | Atom::Waited | Atom::Process)
    }
}

/// A part of a line: text, and the atom behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The text before the atom.
    pub text: Vec<u8>,
    /// The atom; `None` in the last part.
    pub atom: Option<Atom>,
}

/// A compiled format.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Format {
    /// Whether a line is an object of JSON.
    pub is_json: bool,
    /// The parts, in order.
    pub parts: Vec<Part>,
    /// The names of request fields in it, in lower case.
    pub request_fields: Vec<Vec<u8>>,
    /// The names of response fields, in lower case.
    pub response_fields: Vec<Vec<u8>>,
    /// The names of variables of the environ.
    pub variables: Vec<Vec<u8>>,
}

/// What is wrong with a format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FormatError {
    /// There is no such atom.
    Unknown(Vec<u8>),
    /// A `%` at this offset begins no atom.
    Stray(usize),
}

impl fmt::Display for FormatError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Unknown(name) => {
                write!(
                    out,
                    "there is no atom %({})s",
                    String::from_utf8_lossy(name)
                )
            }
            FormatError::Stray(at) => write!(out, "a % at {at} begins no %(atom)s"),
        }
    }
}

impl Format {
    /// Compiles a format; of one for JSON only its atoms count.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn compile(pattern: Option<&[u8]>, is_json: bool) -> Result<Format, FormatError> {
        let default = if is_json { MEMBERS } else { COMBINED };
        let pattern = pattern.unwrap_or(default);
        let mut format = Format {
            is_json,
            ..Format::default()
        };
        let mut text = Vec::new();
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut at = 0;
        while let Some(&byte) = pattern.get(at) {
            if byte != b'%' {
                text.push(byte);
                at += 1;
                continue;
            }
            if pattern.get(at + 1) == Some(&b'%') {
                text.push(b'%');
                at += 2;
                continue;
            }
            let (name, length) = name_of(&pattern[at..]).ok_or(FormatError::Stray(at))?;
            at += length;
            let atom = format
                .atom(name)
                .ok_or_else(|| FormatError::Unknown(name.to_vec()))?;
            if is_json {
                let key = key_of(name);
                if keys.contains(&key) {
                    continue;
                }
                text.clear();
                text.extend_from_slice(if keys.is_empty() { b"{" } else { b", " });
                text.push(b'"');
                super::escape::push_json(&mut text, &key);
                text.extend_from_slice(b"\": ");
                keys.push(key);
            }
            format.parts.push(Part {
                text: std::mem::take(&mut text),
                atom: Some(atom),
            });
        }
        if is_json {
            text = if keys.is_empty() { b"{}" } else { &b"}"[..] }.to_vec();
        }
        text.push(b'\n');
        format.parts.push(Part { text, atom: None });
        Ok(format)
    }

    /// Whether the format needs the head of a response.
    pub fn wants_response_head(&self) -> bool {
        let has_reason = |part: &Part| part.atom == Some(Atom::Reason);
        !self.response_fields.is_empty() || self.parts.iter().any(has_reason)
    }

    fn atom(&mut self, name: &[u8]) -> Option<Atom> {
        Some(match name {
            b"h" => Atom::Client,
            b"l" => Atom::Identity,
            b"u" => Atom::User(number(&mut self.request_fields, b"authorization")),
            b"t" => Atom::Time,
            b"r" => Atom::RequestLine,
            b"m" => Atom::Method,
            b"U" => Atom::Path,
            b"q" => Atom::Query,
            b"H" => Atom::Protocol,
            b"s" => Atom::Status,
            b"st" => Atom::Reason,
            b"B" | b"b" => Atom::Bytes,
            b"f" => Atom::RequestField(number(&mut self.request_fields, b"referer")),
            b"a" => Atom::RequestField(number(&mut self.request_fields, b"user-agent")),
            b"T" => Atom::Seconds,
            b"M" => Atom::Milliseconds,
            b"D" => Atom::Microseconds,
            b"L" => Atom::Duration,
            b"Q" => Atom::Waited,
            b"p" => Atom::Process,
            [b'{', inner @ .., b'}', kind] if !inner.is_empty() && !inner.contains(&b'}') => {
                let lower = inner.to_ascii_lowercase();
                match kind {
                    b'i' => Atom::RequestField(number(&mut self.request_fields, &lower)),
                    b'o' => Atom::ResponseField(number(&mut self.response_fields, &lower)),
                    b'e' => Atom::Variable(number(&mut self.variables, inner)),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

/// The number of a name in a list that it is put into.
fn number(names: &mut Vec<Vec<u8>>, name: &[u8]) -> usize {
    let known = names.iter().position(|known| known == name);
    known.unwrap_or_else(|| {
        names.push(name.to_vec());
        names.len() - 1
    })
}

/// The name in `%(name)s`, and the length of all of it.
fn name_of(text: &[u8]) -> Option<(&[u8], usize)> {
    let rest = text.strip_prefix(b"%(")?;
    let end = memchr::memchr(b')', rest)?;
    (rest.get(end + 1) == Some(&b's')).then_some((&rest[..end], end + 4))
}

/// The name of an atom's member in an object of JSON: a word, or what stands in the format.
fn key_of(name: &[u8]) -> Vec<u8> {
    let word: &[u8] = match name {
        b"h" => b"client",
        b"l" => b"identity",
        b"u" => b"user",
        b"t" => b"time",
        b"r" => b"request_line",
        b"m" => b"method",
        b"U" => b"path",
        b"q" => b"query",
        b"H" => b"protocol",
        b"s" => b"status",
        b"st" => b"reason",
        b"B" | b"b" => b"bytes",
        b"f" => b"referer",
        b"a" => b"user_agent",
        b"T" => b"seconds",
        b"M" => b"milliseconds",
        b"D" => b"microseconds",
        b"L" => b"duration",
        b"Q" => b"waited_microseconds",
        b"p" => b"pid",
        named => named,
    };
    word.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(pattern: &[u8]) -> Result<Format, FormatError> {
        Format::compile(Some(pattern), false)
    }

    #[test]
    fn text_and_atoms_in_order() {
        let format = compile(b"<%(m)s>%(U)s 100%% ").unwrap();
        let part = |text: &[u8], atom| Part {
            text: text.to_vec(),
            atom,
        };
        let parts = [
            part(b"<", Some(Atom::Method)),
            part(b">", Some(Atom::Path)),
            part(b" 100% \n", None),
        ];
        assert_eq!(format.parts, parts);
    }

    #[test]
    fn a_name_that_is_asked_for_twice_has_one_number() {
        let format = compile(b"%(f)s%({X-a}i)s%({x-A}i)s%({X}o)s%({x.Y}e)s%({REFERER}i)s").unwrap();
        let atoms: Vec<_> = format.parts.iter().filter_map(|part| part.atom).collect();
        let field = Atom::RequestField;
        let (header, variable) = (Atom::ResponseField(0), Atom::Variable(0));
        assert_eq!(
            atoms,
            [field(0), field(1), field(1), header, variable, field(0)]
        );
        assert_eq!(format.variables, [b"x.Y"]);
        assert!(format.wants_response_head());
    }

    #[test]
    fn what_is_no_atom_is_named() {
        let said = |pattern: &[u8]| compile(pattern).unwrap_err().to_string();
        assert_eq!(said(b"%(x)s"), "there is no atom %(x)s");
        assert_eq!(said(b"%({}i)s"), "there is no atom %({}i)s");
        assert_eq!(said(b"%({a}x)s"), "there is no atom %({a}x)s");
        for pattern in [&b"50%"[..], b"50%(m)d", b"50%(m", b"50%(m)"] {
            assert_eq!(said(pattern), "a % at 2 begins no %(atom)s");
        }
    }

    #[test]
    fn an_object_has_each_member_once() {
        let format = Format::compile(Some(b"x %(B)s %(b)s %({a\"b}i)s"), true).unwrap();
        let text: Vec<u8> = format
            .parts
            .iter()
            .flat_map(|part| part.text.clone())
            .collect();
        assert_eq!(text, b"{\"bytes\": , \"{a\\\"b}i\": }\n");
        assert!(Format::compile(None, true).unwrap().parts.len() > 10);
        assert_eq!(
            Format::compile(Some(b""), true).unwrap().parts[0].text,
            b"{}\n"
        );
    }
}
