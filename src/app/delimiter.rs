//! How the end of an answer's body is told to the client, and the bytes that this takes.

#![forbid(unsafe_code)]

use crate::app::console;
use crate::http::chunked::{LAST_CHUNK, push_chunk_size};
use crate::http::framing::{ReplyBody, ReplyFraming};
use crate::py::{Gil, Owned};
use crate::queue::{FilePart, WriteQueue};

/// The rest of a body, as its framing sees it.
#[derive(Clone, Copy, Debug)]
pub enum Delimiter {
    /// Chunks, and an empty one at the end.
    Chunked,
    /// So many bytes are still due.
    Length(u64),
    /// The end of the connection.
    Close,
    /// There is no body (HEAD, 204, 304): what is produced is dropped.
    NoBody,
}

/// What became of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is more to ask for.
    More,
    /// It is whole.
    Complete,
    /// It cannot be made whole: the connection has to show that by closing.
    Truncated,
}

/// Tells stderr of a body that was cut.
pub fn tell_of_excess(gil: Gil<'_>) {
    console::log_error(gil, "the response is longer than its Content-Length: cut");
}

impl Delimiter {
    /// The delimiter of a framing.
    pub fn of(framing: &ReplyFraming) -> Delimiter {
        match framing.body {
            _ if framing.head_only => Delimiter::NoBody,
            ReplyBody::Empty => Delimiter::NoBody,
            ReplyBody::Length(length) => Delimiter::Length(length),
            ReplyBody::Chunked => Delimiter::Chunked,
            ReplyBody::UntilClose => Delimiter::Close,
        }
    }

    /// Whether nothing of the body is sent.
    pub fn drops_body(self) -> bool {
        matches!(self, Delimiter::NoBody)
    }

    /// Queues one item, cut to what was promised. Once there is something to cut, which stderr is
    /// told of, the body is whole: PEP 3333 has a server ask for no more then.
    pub fn push(&mut self, gil: Gil<'_>, item: Owned, out: &mut WriteQueue) -> Progress {
        let progress = self.push_unlogged(item, out);
        if progress == Progress::Complete {
            tell_of_excess(gil);
        }
        progress
    }

    /// The same for who tells the application itself.
    pub fn push_unlogged(&mut self, item: Owned, out: &mut WriteQueue) -> Progress {
        let length = item.as_bytes().map_or(0, <[u8]>::len);
        if length == 0 {
            return Progress::More;
        }
        match self {
            Delimiter::NoBody => {}
            Delimiter::Close => out.push(item, usize::MAX),
            Delimiter::Chunked => {
                push_chunk_size(out.buffer(), length);
                out.push(item, usize::MAX);
                out.buffer().extend_from_slice(b"\r\n");
            }
            Delimiter::Length(due) => {
                let sent = (length as u64).min(*due);
                *due -= sent;
                if sent > 0 {
                    out.push(item, sent as usize);
                }
                if sent < length as u64 {
                    return Progress::Complete;
                }
            }
        }
        Progress::More
    }

    /// Queues a part of a file, cut to what was promised.
    pub fn push_file(&mut self, mut part: FilePart, out: &mut WriteQueue) {
        if part.remaining == 0 {
            // As a chunk it would be the last one.
            return;
        }
        match self {
            Delimiter::NoBody => return,
            Delimiter::Length(due) => {
                part.remaining = part.remaining.min(*due);
                *due -= part.remaining;
            }
            Delimiter::Chunked => {
                push_chunk_size(out.buffer(), part.remaining as usize);
                out.push_file(part);
                out.buffer().extend_from_slice(b"\r\n");
                return;
            }
            Delimiter::Close => {}
        }
        out.push_file(part);
    }

    /// The body is at its end.
    pub fn finish(self, gil: Gil<'_>, out: &mut WriteQueue) -> Progress {
        match self {
            Delimiter::Chunked => out.buffer().extend_from_slice(LAST_CHUNK),
            Delimiter::Length(due) if due > 0 => {
                console::log_error(gil, "the response is shorter than its Content-Length");
                return Progress::Truncated;
            }
            Delimiter::Length(_) | Delimiter::Close | Delimiter::NoBody => {}
        }
        Progress::Complete
    }
}
