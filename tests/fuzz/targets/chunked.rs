//! A chunked body: no panic, the same end for every cut, limits kept, and what was decoded is
//! decoded again from its own encoding. The body begins behind the first blank line, so that whole
//! requests serve as seeds.

#![no_main]

use _evwsgi::http::chunked::{ChunkLimits, Decoder, LAST_CHUNK, push_chunk_size};
use _evwsgi::http::error::HttpError;
use _evwsgi::http::grammar::find_blank_line;
use libfuzzer_sys::fuzz_target;

const LIMITS: ChunkLimits = ChunkLimits {
    line_extension: 64,
    total_extension: 200,
    trailer: 100,
    trailer_fields: 128,
    body: 500,
};

fuzz_target!(|bytes: &[u8]| {
    let start = find_blank_line(bytes, 0).map_or(0, |blank_line| blank_line + 4);
    let bytes = &bytes[start..];
    let whole = decode(bytes, bytes.len().max(1));
    for size in [1, 3, 16] {
        assert_eq!(decode(bytes, size), whole);
    }
    if let Ok(Some((body, consumed))) = whole {
        assert!(bytes[..consumed].ends_with(b"\r\n\r\n"));
        assert!(body.len() as u64 <= LIMITS.body);
        let mut encoded = Vec::new();
        if !body.is_empty() {
            push_chunk_size(&mut encoded, body.len() as u64);
            encoded.extend_from_slice(&body);
            encoded.extend_from_slice(b"\r\n");
        }
        encoded.extend_from_slice(LAST_CHUNK);
        assert_eq!(decode(&encoded, 7), Ok(Some((body, encoded.len()))));
    }
});

/// The body and the bytes it took; `None` without an end.
fn decode(bytes: &[u8], size: usize) -> Result<Option<(Vec<u8>, usize)>, HttpError> {
    let mut decoder = Decoder::new(LIMITS);
    let (mut body, mut at) = (Vec::new(), 0);
    for piece in bytes.chunks(size) {
        let (consumed, done) = decoder.decode(piece, &mut |data| body.extend_from_slice(data))?;
        at += consumed;
        if done {
            return Ok(Some((body, at)));
        }
        assert_eq!(consumed, piece.len());
    }
    Ok(None)
}
