//! Writing what is queued: at once, as far as the kernel takes it.
//!
//! Nothing is watched before a write was tried; a head and the bytes behind it are one call, and a
//! head before a file tells the kernel that more is coming, so that no packet waits for another
//! (and for a delayed acknowledgement). Likewise the end of a connection goes in the packet of its
//! last bytes, which spares the kernel a packet, and the client a wake-up.

#![forbid(unsafe_code)]

use std::io::ErrorKind;

use crate::app::{child, console};
use crate::py::{Gil, KeptBytes, Owned, Result, names, number, text};
use crate::queue::WriteQueue;
use crate::queue::segment::{FileOwner, FilePart, Segment};
use crate::server::connection::work::{Connection, Quantum, Work};
use crate::server::registry::registry;
use crate::server::stats::count;

use crate::sys::socket::Socket;
use crate::sys::stream::Flow;

/// Responses are gathered up to this many bytes before they are written.
pub const GATHERED: usize = 64 << 10;

/// What one connection may write before others come, in bytes.
const WRITE_QUANTUM: usize = 4 << 20;

/// Bytes of a file that one system call may send.
const FILE_STRIDE: u64 = 1 << 20;

/// Bytes that a file that cannot go by `sendfile` is read in.
const FILE_BLOCK: u64 = 64 << 10;

/// A client that takes fewer bytes in `write_timeout` stands still, whatever it acknowledges.
const LEAST_TAKEN: usize = 16 << 10;

/// How far a flush came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flushed {
    /// Everything is written.
    All,
    /// The kernel is full, or others come first: go on when the socket is writable.
    Blocked,
    /// The client is gone, or what was promised cannot be delivered.
    Gone,
}

/// Writes as much of `out` as can be.
pub fn flush(gil: Gil<'_>, socket: &Socket, out: &mut WriteQueue) -> Flushed {
    let mut written = 0;
    let flushed = flush_counting(gil, socket, out, &mut written);
    count(&registry(gil).stats.bytes_out, written);
    flushed
}

fn flush_counting(
    gil: Gil<'_>,
    socket: &Socket,
    out: &mut WriteQueue,
    written: &mut u64,
) -> Flushed {
    let mut quantum = WRITE_QUANTUM;
    while !out.is_empty() {
        // Wherever the program forked, reading a file's block included, one request has one response.
        child::leave_if_forked(gil);
        if quantum == 0 {
            return Flushed::Blocked;
        }
        let sent = if out.file().is_some() {
            write_file(gil, socket, out)
        } else {
            out.write_memory(socket)
        };
        match sent {
            Ok(Flow::Done(count)) => {
                *written += count as u64;
                quantum = quantum.saturating_sub(count);
            }
            Ok(Flow::Blocked) => return Flushed::Blocked,
            Ok(Flow::Closed) | Err(_) => return Flushed::Gone,
        }
    }
    // A shutdown before the close, since a close alone would drop what is kept back when there is
    // input that nobody read.
    // DIFFERS(fapws3): it also ends the stream for those who have a copy of the descriptor.
    if out.end_is_due() {
        if socket.shutdown_write().is_err() {
            return Flushed::Gone;
        }
        out.end_sent();
    }
    Flushed::All
}

/// Writes in the middle of the application's call; whether there is still a client.
pub fn flush_now(gil: Gil<'_>, socket: &Socket, out: &mut WriteQueue) -> bool {
    flush(gil, socket, out) != Flushed::Gone
}

fn write_file(gil: Gil<'_>, socket: &Socket, out: &mut WriteQueue) -> std::io::Result<Flow> {
    let Some(part) = out.file() else {
        return Ok(Flow::Done(0));
    };
    let count = part.remaining.min(FILE_STRIDE) as usize;
    let mut offset = part.offset;
    let sent = socket.send_file(part.descriptor(), &mut offset, count);
    match sent {
        // The file became shorter than it was: what was promised cannot be sent any more.
        Ok(Flow::Done(0)) => Ok(Flow::Closed),
        Ok(Flow::Done(sent)) => {
            part.offset = offset;
            part.remaining -= sent as u64;
            if part.remaining == 0 {
                out.drop_file();
            }
            Ok(Flow::Done(sent))
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let Some(mut part) = out.drop_file() else {
                return Ok(Flow::Done(0));
            };
            let block = match read_block(gil, &mut part) {
                Ok(block) => block,
                Err(raised) => {
                    console::log_raised(gil, raised);
                    return Ok(Flow::Closed);
                }
            };
            let length = block.as_bytes().map_or(0, <[u8]>::len);
            if length == 0 {
                return Ok(Flow::Closed);
            }
            if part.remaining > 0 {
                out.put_first(Segment::File(part));
            }
            out.put_first(Segment::Object(KeptBytes::new(block), 0, length));
            Ok(Flow::Done(0))
        }
        other => other,
    }
}

/// The next block of a file on a file system that `sendfile` does not know.
fn read_block(gil: Gil<'_>, part: &mut FilePart) -> Result<Owned> {
    let count = part.remaining.min(FILE_BLOCK);
    let block = match &part.owner {
        FileOwner::Object(file, _) => {
            let (file, names) = (file.get(gil), names(gil));
            file.call_method(gil, &names.seek, &[&*number::int(gil, part.offset as i64)?])?;
            let read = file.call_method(gil, &names.read, &[&*number::int(gil, count as i64)?])?;
            text::body_item(gil, &read)?.unwrap_or(text::bytes(gil, b"")?)
        }
        FileOwner::Spool(spool) => {
            let mut piece = vec![0; count as usize];
            // An error is an early end, which the caller sees by the missing bytes.
            let length = spool.read_at(part.offset, &mut piece).unwrap_or(0);
            text::bytes(gil, &piece[..length])?
        }
    };
    let length = block.as_bytes().map_or(0, <[u8]>::len) as u64;
    part.offset += length;
    part.remaining = part.remaining.saturating_sub(length);
    Ok(block)
}

/// Whether what is queued may wait for the end of the turn: a connection that ends costs less while
/// the processor still has it at hand.
pub fn may_wait(work: &Work) -> bool {
    !work.state.ends() && !work.out.file_follows()
}

/// The connection is about to wait until its socket can be written.
pub fn expect_reader(connection: &Connection, work: &mut Work) {
    let reactor = &connection.reactor;
    work.quantum = Quantum::default();
    work.held = work.socket.unacknowledged().unwrap_or(0);
    connection
        .deadline
        .set(&reactor.clock, reactor.ctx.config.write_timeout);
}

/// The socket could not be written for `write_timeout`. The kernel says that it can only when a good
/// part of its buffer, some megabytes, is free; so whether the client stands still shows in what is
/// left in the buffer.
pub fn stands_still(work: &Work) -> bool {
    let least = LEAST_TAKEN.min(work.held.max(1));
    let held = work.socket.unacknowledged();
    !held.is_ok_and(|held| held.saturating_add(least) <= work.held)
}
