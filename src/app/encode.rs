//! Items and files of a response's body into the write queue, as their framing has it.

#![forbid(unsafe_code)]

use crate::app::console;
use crate::http::body_encoder::{BodyEncoder, CHUNK_END, Encoded, Progress};
use crate::py::{Gil, Owned};
use crate::queue::{FilePart, WriteQueue};

/// Queues one item, cut to what was promised; stderr has a line when something is cut.
pub fn push(
    gil: Gil<'_>,
    encoder: &mut BodyEncoder,
    item: Owned,
    out: &mut WriteQueue,
) -> Progress {
    let progress = push_unlogged(encoder, item, out);
    if progress == Progress::Complete {
        log_excess(gil);
    }
    progress
}

/// The same without the line, for a caller that raises for what is cut.
pub fn push_unlogged(encoder: &mut BodyEncoder, item: Owned, out: &mut WriteQueue) -> Progress {
    let length = item.as_bytes().map_or(0, <[u8]>::len) as u64;
    let encoded = begin(encoder, length, out);
    if encoded.taken > 0 {
        out.push(item, encoded.taken as usize);
    }
    end(encoded, out)
}

/// Queues a part of a file, cut to what was promised.
pub fn push_file(encoder: &mut BodyEncoder, mut part: FilePart, out: &mut WriteQueue) {
    let encoded = begin(encoder, part.remaining, out);
    part.remaining = encoded.taken;
    out.push_file(part);
    end(encoded, out);
}

fn begin(encoder: &mut BodyEncoder, length: u64, out: &mut WriteQueue) -> Encoded {
    match encoder {
        // Nothing stands before an item but of a chunk; a buffer behind an object would be one more.
        BodyEncoder::Chunked if length > 0 => encoder.begin_item(length, out.buffer()),
        _ => encoder.begin_item(length, &mut Vec::new()),
    }
}

fn end(encoded: Encoded, out: &mut WriteQueue) -> Progress {
    if encoded.ends_chunk {
        out.buffer().extend_from_slice(CHUNK_END);
    }
    if encoded.is_cut {
        Progress::Complete
    } else {
        Progress::More
    }
}

/// Queues the end of the body; stderr has a line when bytes are missing.
pub fn finish(gil: Gil<'_>, encoder: BodyEncoder, out: &mut WriteQueue) -> Progress {
    let progress = match encoder {
        BodyEncoder::Chunked => encoder.finish(out.buffer()),
        _ => encoder.finish(&mut Vec::new()),
    };
    if progress == Progress::Truncated {
        console::log_error(gil, "the response is shorter than its Content-Length");
    }
    progress
}

/// Stderr has a line about a body that was cut.
pub fn log_excess(gil: Gil<'_>) {
    console::log_error(gil, "the response is longer than its Content-Length: cut");
}
