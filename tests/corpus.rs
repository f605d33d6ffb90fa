//! The requests of `tests/corpus`, read as a connection reads them, whole and in pieces.
//!
//! Owns a reader that does with `http` what the server does, without socket and application, and
//! the comparison with the `.expect` files; their format is in `tests/corpus/README.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use _evwsgi::http::chunked::{ChunkLimits, Decoder};
use _evwsgi::http::error::HttpError;
use _evwsgi::http::framing::{self, BodyLength, Framing};
use _evwsgi::http::head::{Head, HeadLimits, HeadSearch, parse_lenient, parse_strict};
use _evwsgi::http::target;

const HEAD_LIMITS: HeadLimits = HeadLimits {
    request_line: 8190,
    head: 65_536,
    fields: 128,
};
const MAX_BODY: u64 = 1 << 30;
const CHUNK_LIMITS: ChunkLimits = ChunkLimits {
    line_extension: 4096,
    total_extension: 65_536,
    trailer: 65_536,
    trailer_fields: 128,
    body: MAX_BODY,
};

#[test]
fn every_file_comes_to_its_expected_end_however_it_is_cut() {
    for kind in ["valid", "invalid"] {
        let files = files(kind);
        assert!(files.len() > 50, "{kind} has only {} files", files.len());
        for path in files {
            let bytes = fs::read(&path).unwrap();
            let expected = fs::read_to_string(path.with_extension("expect")).unwrap();
            let expected = blocks(&expected);
            let refused = expected.last().unwrap()[0].starts_with("status ");
            assert_eq!(refused, kind == "invalid", "{}", path.display());
            for size in [usize::MAX, 1, 2, 3, 7, 64, 1000, 4096] {
                let transcript = transcript(&bytes, size);
                let found = blocks(&transcript);
                assert_eq!(
                    found.len(),
                    expected.len(),
                    "{} by {size}:\n{transcript}",
                    path.display()
                );
                for (found, expected) in found.iter().zip(&expected) {
                    let found: Vec<&str> = found
                        .iter()
                        .copied()
                        .filter(|line| !is_optional(line) || expected.contains(line))
                        .collect();
                    assert_eq!(&found, expected, "{} by {size}", path.display());
                }
            }
        }
    }
}

/// The legacy dialect has no expectations here, but it meets the same clients.
#[test]
fn no_file_is_too_much_for_the_legacy_dialect() {
    for path in files("valid").into_iter().chain(files("invalid")) {
        let bytes = fs::read(&path).unwrap();
        let mut search = HeadSearch::default();
        for end in 0..=bytes.len().min(2000) {
            match search.lenient(&bytes[..end], &HEAD_LIMITS) {
                Ok(None) => {}
                Ok(Some(len)) => {
                    let mut head = Head::default();
                    let parsed = parse_lenient(&bytes, len, &HEAD_LIMITS, &mut head);
                    let framed = parsed.and_then(|()| framing::lenient(&head, &bytes, MAX_BODY));
                    let valid = path.parent().unwrap().ends_with("valid");
                    assert!(framed.is_ok() || !valid, "{}: {framed:?}", path.display());
                    break;
                }
                Err(error) => {
                    assert_eq!(error, HttpError::TargetTooLong, "{}", path.display());
                    break;
                }
            }
        }
    }
}

fn files(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "http")
        })
        .collect();
    files.sort();
    files
}

/// The lines of each block, without comments.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    text.split("\n\n")
        .map(|block| {
            block
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect::<Vec<_>>()
        })
        .filter(|block| !block.is_empty())
        .collect()
}

/// Lines that an expectation may leave out.
fn is_optional(line: &str) -> bool {
    ["authority ", "path ", "query "]
        .iter()
        .any(|name| line.starts_with(name))
}

/// What comes of a connection on which `bytes` arrive `size` at a time, in the words of an
/// `.expect` file.
fn transcript(bytes: &[u8], size: usize) -> String {
    let mut connection = Connection::default();
    let mut transcript = String::new();
    for piece in bytes.chunks(size) {
        connection.unread.extend_from_slice(piece);
        if let Err(error) = connection.read_on(&mut transcript) {
            begin_block(&mut transcript);
            writeln!(transcript, "status {}", error.status()).unwrap();
            return transcript;
        }
    }
    if !connection.is_between_requests() {
        begin_block(&mut transcript);
        transcript.push_str("status 400\nat end-of-input\n");
    }
    transcript
}

fn begin_block(transcript: &mut String) {
    if !transcript.is_empty() {
        transcript.push('\n');
    }
}

#[derive(Default)]
struct Connection {
    unread: Vec<u8>,
    search: HeadSearch,
    head: Head,
    body: Option<Body>,
}

/// A body of which the end has not come.
struct Body {
    framing: Framing,
    decoder: Decoder,
    bytes: Vec<u8>,
    done: bool,
}

impl Connection {
    fn is_between_requests(&self) -> bool {
        self.unread.is_empty() && self.body.is_none()
    }

    /// Reads as many requests as are complete.
    fn read_on(&mut self, transcript: &mut String) -> Result<(), HttpError> {
        while !self.unread.is_empty() {
            if self.body.is_none() {
                let Some(len) = self.search.strict(&self.unread, &HEAD_LIMITS)? else {
                    return Ok(());
                };
                parse_strict(&self.unread, len, &HEAD_LIMITS, &mut self.head)?;
                let framing = framing::strict(&self.head, &self.unread, MAX_BODY)?;
                let target = self.head.target.of(&self.unread);
                target::parse(self.head.method.of(&self.unread), target)?;
                let decoder = Decoder::new(CHUNK_LIMITS);
                let done = matches!(framing.body, BodyLength::None | BodyLength::Fixed(0));
                self.body = Some(Body {
                    framing,
                    decoder,
                    bytes: Vec::new(),
                    done,
                });
            }
            let Some(body) = &mut self.body else {
                unreachable!()
            };
            let arrived = &self.unread[self.head.len..];
            let consumed = body.read(arrived)?;
            let body_is_done = body.done;
            if body_is_done {
                self.describe(transcript);
                self.body = None;
                self.search = HeadSearch::default();
                self.unread.drain(..self.head.len + consumed);
            } else {
                self.unread.truncate(self.head.len);
                return Ok(());
            }
        }
        Ok(())
    }

    fn describe(&self, transcript: &mut String) {
        let (head, bytes) = (&self.head, &self.unread);
        let body = self.body.as_ref().unwrap();
        begin_block(transcript);
        let mut line = |name: &str, text: &[u8]| {
            writeln!(transcript, "{name} {}", escape(text)).unwrap();
        };
        let method = head.method.of(bytes);
        let parts = target::parse(method, head.target.of(bytes)).unwrap();
        line("method", method);
        line("target", head.target.of(bytes));
        line(
            "version",
            head.protocol.of(bytes).strip_prefix(b"HTTP/").unwrap(),
        );
        parts
            .authority
            .inspect(|authority| line("authority", authority));
        line("path", parts.path);
        parts.query.inspect(|query| line("query", query));
        for field in &head.fields {
            line(
                "field",
                &[field.name.of(bytes), b": ", field.value.of(bytes)].concat(),
            );
        }
        if body.framing.expect_continue {
            line("expects", b"100-continue");
        }
        match body.framing.body {
            BodyLength::None => {}
            _ if body.bytes.len() > 200 => {
                line("body-length", body.bytes.len().to_string().as_bytes());
            }
            _ => line("body", &body.bytes),
        }
        line(
            "connection",
            if body.framing.keep_alive {
                b"keep-alive"
            } else {
                b"close"
            },
        );
    }
}

impl Body {
    /// Takes what belongs to the body; tells how many bytes that was.
    fn read(&mut self, arrived: &[u8]) -> Result<usize, HttpError> {
        match self.framing.body {
            BodyLength::None => Ok(0),
            BodyLength::Fixed(length) => {
                let missing = length as usize - self.bytes.len();
                let taken = missing.min(arrived.len());
                self.bytes.extend_from_slice(&arrived[..taken]);
                self.done = taken == missing;
                Ok(taken)
            }
            BodyLength::Chunked => {
                let bytes = &mut self.bytes;
                let (taken, done) = self
                    .decoder
                    .decode(arrived, &mut |data| bytes.extend_from_slice(data))?;
                self.done = done;
                Ok(taken)
            }
        }
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(byte as char),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
    }
    text
}
