//! Items and files of a response's body into the write queue, as their framing has it.

#![forbid(unsafe_code)]

use crate::app::console;
use crate::http::body_encoder::{BodyEncoder, Progress};
use crate::py::{Gil, Owned};
use crate::queue::WriteQueue;
use crate::queue::segment::FilePart;

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
    let encoded = encoder.item(length);
    out.push(item, &encoded);
    if encoded.is_cut {
        Progress::Complete
    } else {
        Progress::More
    }
}

/// Queues a part of a file, cut to what was promised.
pub fn push_file(encoder: &mut BodyEncoder, mut part: FilePart, out: &mut WriteQueue) {
    let encoded = encoder.item(part.remaining);
    part.remaining = encoded.taken;
    out.push_file(part, &encoded);
}

/// Queues the end of the body; stderr has a line when bytes are missing.
pub fn finish(gil: Gil<'_>, encoder: BodyEncoder, out: &mut WriteQueue) -> Progress {
    let (end, progress) = encoder.finish();
    out.push_end(end);
    if progress == Progress::Truncated {
        console::log_error(gil, "the response is shorter than its Content-Length");
    }
    progress
}

/// Stderr has a line about a body that was cut.
pub fn log_excess(gil: Gil<'_>) {
    console::log_error(gil, "the response is longer than its Content-Length: cut");
}
