//! How the end of a response's body is shown to the client: which bytes stand before and behind an
//! item, and how much of the item is sent (RFC 9112 section 6).
//!
//! Invariant: the sum of what is taken never passes a promised length, and a chunk is never empty,
//! since that would be the last one.

#![forbid(unsafe_code)]

use super::chunked::LAST_CHUNK;
use super::framing::{ReplyBody, ReplyFraming};

/// The rest of a body, as its framing sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyEncoder {
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
    /// It is complete.
    Complete,
    /// It cannot be made complete: the connection has to show that by closing.
    Truncated,
}

/// How an item is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// How many of its bytes, from its first on.
    pub taken: u64,
    /// Whether they are a chunk.
    pub is_chunk: bool,
    /// Whether there was more than was promised.
    pub is_cut: bool,
}

impl BodyEncoder {
    /// The encoder of a framing.
    pub fn new(framing: &ReplyFraming) -> BodyEncoder {
        match framing.body {
            _ if framing.head_only => BodyEncoder::NoBody,
            ReplyBody::Empty => BodyEncoder::NoBody,
            ReplyBody::Length(length) => BodyEncoder::Length(length),
            ReplyBody::Chunked => BodyEncoder::Chunked,
            ReplyBody::UntilClose => BodyEncoder::Close,
        }
    }

    /// Whether nothing of the body is sent.
    pub fn drops_body(self) -> bool {
        matches!(self, BodyEncoder::NoBody)
    }

    /// How an item of `length` bytes is sent. Once there is something to cut the body is complete: PEP 3333
    /// has a server ask for no more then.
    #[inline]
    pub fn item(&mut self, length: u64) -> Encoded {
        let whole = |taken| Encoded {
            taken,
            is_chunk: false,
            is_cut: false,
        };
        match self {
            _ if length == 0 => whole(0),
            BodyEncoder::NoBody => whole(0),
            BodyEncoder::Close => whole(length),
            BodyEncoder::Chunked => Encoded {
                is_chunk: true,
                ..whole(length)
            },
            BodyEncoder::Length(due) => {
                let taken = length.min(*due);
                *due -= taken;
                Encoded {
                    is_cut: taken < length,
                    ..whole(taken)
                }
            }
        }
    }

    /// What ends the body, and what becomes of it.
    pub fn finish(self) -> (&'static [u8], Progress) {
        match self {
            BodyEncoder::Length(1..) => (b"", Progress::Truncated),
            BodyEncoder::Chunked => (LAST_CHUNK, Progress::Complete),
            BodyEncoder::Length(0) | BodyEncoder::Close | BodyEncoder::NoBody => {
                (b"", Progress::Complete)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::chunked::{CHUNK_END, push_chunk_size};
    use proptest::prelude::*;

    /// What goes out for `items`, and what became of the body.
    fn encode(mut encoder: BodyEncoder, items: &[&[u8]]) -> (Vec<u8>, Progress) {
        let mut out = Vec::new();
        for item in items {
            let encoded = encoder.item(item.len() as u64);
            if encoded.is_chunk {
                push_chunk_size(&mut out, encoded.taken);
            }
            out.extend_from_slice(&item[..encoded.taken as usize]);
            if encoded.is_chunk {
                out.extend_from_slice(CHUNK_END);
            }
            if encoded.is_cut {
                return (out, Progress::Complete);
            }
        }
        let (end, progress) = encoder.finish();
        out.extend_from_slice(end);
        (out, progress)
    }

    #[test]
    fn chunks_have_a_size_and_the_last_one_is_empty() {
        let items: [&[u8]; 4] = [b"ab", b"", &[b'x'; 16], b"c"];
        let (out, progress) = encode(BodyEncoder::Chunked, &items);
        assert_eq!(
            out,
            b"2\r\nab\r\n10\r\nxxxxxxxxxxxxxxxx\r\n1\r\nc\r\n0\r\n\r\n"
        );
        assert_eq!(progress, Progress::Complete);
    }

    #[test]
    fn a_length_is_kept_to_the_byte() {
        for (items, sent, became) in [
            (&["ab", "cd"][..], "abcd", Progress::Complete),
            (&["abc", "def"], "abcd", Progress::Complete),
            (&["abcd", "e"], "abcd", Progress::Complete),
            (&["abc"], "abc", Progress::Truncated),
            (&[], "", Progress::Truncated),
        ] {
            let items: Vec<&[u8]> = items.iter().map(|item| item.as_bytes()).collect();
            let (out, progress) = encode(BodyEncoder::Length(4), &items);
            assert_eq!((&*out, progress), (sent.as_bytes(), became));
        }
    }

    #[test]
    fn what_is_cut_is_said() {
        let item = |mut encoder: BodyEncoder, length| {
            let encoded = encoder.item(length);
            (encoded.taken, encoded.is_chunk, encoded.is_cut)
        };
        assert_eq!(item(BodyEncoder::Length(4), 4), (4, false, false));
        assert_eq!(item(BodyEncoder::Length(4), 5), (4, false, true));
        assert_eq!(item(BodyEncoder::Length(0), 0), (0, false, false));
        assert_eq!(item(BodyEncoder::Chunked, 5), (5, true, false));
        assert_eq!(item(BodyEncoder::Chunked, 0), (0, false, false));
        assert_eq!(item(BodyEncoder::NoBody, 5), (0, false, false));
    }

    #[test]
    fn a_body_is_dropped_where_there_is_none() {
        assert!(BodyEncoder::NoBody.drops_body());
        for encoder in [
            BodyEncoder::Chunked,
            BodyEncoder::Length(0),
            BodyEncoder::Close,
        ] {
            assert!(!encoder.drops_body());
        }
    }

    #[test]
    fn what_is_not_sent_is_dropped() {
        let dropped = (Vec::new(), Progress::Complete);
        assert_eq!(encode(BodyEncoder::NoBody, &[b"ab", b"c"]), dropped);
        let all = (b"abc".to_vec(), Progress::Complete);
        assert_eq!(encode(BodyEncoder::Close, &[b"ab", b"c"]), all);
    }

    proptest! {
        #[test]
        fn whatever_the_items_are_a_reader_of_the_framing_finds_them(
            items in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..40), 0..12),
            promised in 0u64..200,
        ) {
            let parts: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
            let whole = parts.concat();

            let (sent, progress) = encode(BodyEncoder::Length(promised), &parts);
            let most = whole.len().min(promised as usize);
            prop_assert_eq!(&sent, &whole[..most]);
            let is_short = (whole.len() as u64) < promised;
            prop_assert_eq!(progress == Progress::Truncated, is_short);

            let (sent, _) = encode(BodyEncoder::Chunked, &parts);
            let mut decoded = Vec::new();
            let limits = crate::http::chunked::ChunkLimits {
                line_extension: 0, total_extension: 0, trailer: 100, trailer_fields: 0, body: 0,
            };
            let mut decoder = crate::http::chunked::Decoder::new(limits);
            let taken = decoder.decode(&sent, &mut |data| decoded.extend_from_slice(data));
            prop_assert_eq!(taken.unwrap(), (sent.len(), true));
            prop_assert_eq!(decoded, whole);
        }
    }
}
