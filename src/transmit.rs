//! Memory that is queued, into a socket; needs no interpreter, so that any thread may do it.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice};

use crate::queue::WriteQueue;
use crate::sys::socket::Socket;
use crate::sys::stream::Flow;

/// How many segments one call writes.
const SEGMENTS: usize = 32;

/// Writes some of what is queued before the next file, in one call, and takes it off the queue.
///
/// # Errors
/// Those of `Socket::write`.
pub fn transmit(socket: &Socket, queue: &mut WriteQueue) -> io::Result<Flow> {
    let flow = send_memory(socket, queue)?;
    if let Flow::Done(count) = flow {
        queue.advance(count);
    }
    Ok(flow)
}

/// The same, but leaves it on the queue.
///
/// # Errors
/// Those of `Socket::write`.
pub fn send_memory(socket: &Socket, queue: &WriteQueue) -> io::Result<Flow> {
    if let Some(bytes) = queue.only_segment() {
        return socket.write(bytes, queue.end_is_due());
    }
    let mut segments: [&[u8]; SEGMENTS] = [&[]; SEGMENTS];
    let filled = queue.fill(&mut segments);
    let more = queue.file_follows() || queue.end_is_due();
    if filled == 1 {
        socket.write(segments[0], more)
    } else {
        let slices = segments.map(IoSlice::new);
        socket.write_vectored(&slices[..filled], more)
    }
}
