//! What is still to be written to a client: bytes, objects and parts of files, in order.
//!
//! Small pieces are gathered in one buffer, so that a head and a short body are one write; large
//! ones are kept as the objects they came in, and written from there. Its memory goes into a socket here, which
//! needs no interpreter, so that the monitor can do it too; files, and how much may be written at a time, are the
//! business of `server::connection::write`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use self::segment::{FilePart, Segment};
use crate::http::body_encoder::Encoded;
use crate::http::chunked::{CHUNK_END, CHUNK_OVERHEAD, push_chunk_size};
use crate::py::{Gil, KeptBytes, Owned};
use crate::sys::memory;
use crate::sys::socket::Socket;
use crate::sys::stream::Flow;

pub mod segment;

/// An item up to this size is copied: below it a copy costs less than one more buffer to write.
const COPIED: usize = 4 * 1024;

/// How many segments one call writes.
const WRITTEN_SEGMENTS: usize = 32;

/// Room for so many pieces is kept for the next response.
const KEPT_SEGMENTS: usize = 64;

/// The queue. The first gathered buffer stands apart, so that an ordinary response needs no queue.
#[derive(Default)]
pub struct WriteQueue {
    first: Vec<u8>,
    /// How much of the first piece in memory has been written.
    written: usize,
    rest: VecDeque<Segment>,
    end: End,
    /// The monitor has looked since the first of these bytes came.
    seen: bool,
    response: QueuedResponse,
}

/// Whether `buffer` has room for `more` bytes, or could be given it.
fn has_room(buffer: &mut Vec<u8>, more: usize) -> bool {
    buffer.capacity() - buffer.len() >= more || memory::reserve(buffer, more).is_ok()
}

/// How far the end of the stream is.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum End {
    /// More may be queued.
    #[default]
    Open,
    /// It comes behind what is queued.
    Due,
    /// The client was sent the end.
    Sent,
}

/// A place in the queue: which piece of the rest, if any, and where in it.
#[derive(Clone, Copy)]
struct Place(Option<usize>, usize);

/// What the access log needs to know of the response that is being queued.
#[derive(Default)]
struct QueuedResponse {
    /// Where it begins.
    place: Option<Place>,
    /// Its head, where that is not left to be found in the queue.
    head: Vec<u8>,
    /// Bytes of its body so far.
    body: u64,
}

impl WriteQueue {
    /// A response begins: its head is the next that is added to [`buffer`](Self::buffer).
    pub fn begin_response(&mut self) {
        let at = self.buffer().len();
        self.response = QueuedResponse {
            place: Some(Place(self.rest.len().checked_sub(1), at)),
            ..QueuedResponse::default()
        };
    }

    /// Keeps a copy of the head that was just added from `from` on, since it may be sent at any time.
    pub fn keep_head(&mut self, from: usize) {
        let head = self.buffer().get(from..).unwrap_or_default().to_vec();
        self.response.head = head;
    }

    /// The head of the response that began last; what is known of it, where it is sent already.
    pub fn response_head(&self) -> &[u8] {
        if !self.response.head.is_empty() {
            return &self.response.head;
        }
        let queued = self.queued_response();
        let end = memchr::memmem::find(queued, b"\r\n\r\n");
        &queued[..end.map_or(0, |end| end + 4)]
    }

    /// Bytes of its body that were queued so far.
    pub fn body_bytes(&self) -> u64 {
        self.response.body
    }

    /// The same for a whole response that was added to the buffer, head and body alike.
    pub fn page_bytes(&self) -> u64 {
        let queued = self.queued_response();
        let end = memchr::memmem::find(queued, b"\r\n\r\n");
        end.map_or(0, |end| queued.len() - end - 4) as u64
    }

    fn queued_response(&self) -> &[u8] {
        let Some(Place(index, at)) = self.response.place else {
            return b"";
        };
        let piece = match index {
            None => Some(&*self.first),
            Some(index) => self.rest.get(index).and_then(Segment::memory),
        };
        piece.and_then(|bytes| bytes.get(at..)).unwrap_or_default()
    }

    /// The buffer to which the next bytes are added.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.rest.is_empty() {
            return &mut self.first;
        }
        if !matches!(self.rest.back(), Some(Segment::Bytes(_))) {
            self.rest.push_back(Segment::Bytes(Vec::new()));
        }
        match self.rest.back_mut() {
            Some(Segment::Bytes(bytes)) => bytes,
            _ => unreachable!("a buffer was put there just now"),
        }
    }

    /// Adds the bytes object `item`, as it is sent.
    pub fn push(&mut self, item: Owned, sent: &Encoded) {
        let bytes = item.as_bytes().unwrap_or_default();
        let length = bytes.len().min(sent.taken as usize);
        if length == 0 {
            return;
        }
        self.response.body += length as u64;
        if length <= COPIED {
            let buffer = self.buffer();
            if has_room(buffer, length + CHUNK_OVERHEAD) {
                if sent.is_chunk {
                    push_chunk_size(buffer, length as u64);
                }
                buffer.extend_from_slice(&bytes[..length]);
                if sent.is_chunk {
                    buffer.extend_from_slice(CHUNK_END);
                }
                return;
            }
        }
        let item = Segment::Object(KeptBytes::new(item), 0, length);
        self.push_segment(item, length as u64, sent.is_chunk);
    }

    fn push_segment(&mut self, segment: Segment, length: u64, is_chunk: bool) {
        if is_chunk {
            push_chunk_size(self.buffer(), length);
        }
        self.rest.push_back(segment);
        if is_chunk {
            self.buffer().extend_from_slice(CHUNK_END);
        }
    }

    /// Adds the end of a body. Where there is none no buffer is made, which would be one more to write.
    pub fn push_end(&mut self, end: &[u8]) {
        if !end.is_empty() {
            self.buffer().extend_from_slice(end);
        }
    }

    /// Adds what is queued in `other`, of which nothing was written.
    pub fn append(&mut self, other: &mut WriteQueue) {
        if !other.first.is_empty() {
            let first = std::mem::take(&mut other.first);
            if has_room(self.buffer(), first.len()) {
                self.buffer().extend_from_slice(&first);
                other.first = first;
                other.first.clear();
            } else {
                self.rest.push_back(Segment::Bytes(first));
            }
        }
        if !other.rest.is_empty() {
            self.rest.append(&mut other.rest);
        }
        self.response.body += std::mem::take(&mut other.response.body);
    }

    /// Adds a part of a file, as it is sent.
    pub fn push_file(&mut self, part: FilePart, sent: &Encoded) {
        if part.remaining > 0 {
            let length = part.remaining;
            self.response.body += length;
            self.push_segment(Segment::File(part), length, sent.is_chunk);
        }
    }

    /// Nothing is added any more: the stream ends with what is queued.
    pub fn end(&mut self) {
        if self.end == End::Open {
            self.end = End::Due;
        }
    }

    /// Whether the stream ends with what is queued, and the end is still to be sent.
    pub fn end_is_due(&self) -> bool {
        self.end == End::Due
    }

    /// The end was sent to the client.
    pub fn end_sent(&mut self) {
        self.end = End::Sent;
    }

    /// Whether it has memory for the next bytes, or anything in it.
    pub fn has_memory(&self) -> bool {
        self.first.capacity() > 0 || !self.rest.is_empty()
    }

    /// Whether everything has been written.
    pub fn is_empty(&self) -> bool {
        self.first.len() == self.written && self.rest.is_empty()
    }

    /// Bytes in memory that are not written yet.
    pub fn waiting(&self) -> usize {
        let rest: usize = self
            .rest
            .iter()
            .filter_map(Segment::memory)
            .map(<[u8]>::len)
            .sum();
        self.first.len() + rest - self.written
    }

    /// Writes some of what is queued before the next file, in one call, and takes it off the queue.
    ///
    /// # Errors
    /// Those of `Socket::write`.
    pub fn write_memory(&mut self, socket: &Socket) -> io::Result<Flow> {
        let flow = self.send_memory(socket)?;
        if let Flow::Done(count) = flow {
            self.advance(count);
        }
        Ok(flow)
    }

    /// The same, but leaves it on the queue.
    ///
    /// # Errors
    /// Those of `Socket::write`.
    pub fn send_memory(&self, socket: &Socket) -> io::Result<Flow> {
        if let Some(bytes) = self.only_segment() {
            return socket.write(bytes, self.end_is_due());
        }
        let mut segments: [&[u8]; WRITTEN_SEGMENTS] = [&[]; WRITTEN_SEGMENTS];
        let filled = self.fill(&mut segments);
        let more = self.file_follows() || self.end_is_due();
        if filled == 1 {
            socket.write(segments[0], more)
        } else {
            let slices = segments.map(IoSlice::new);
            socket.write_vectored(&slices[..filled], more)
        }
    }

    /// What is queued, where it is one piece in memory, as of an ordinary response.
    fn only_segment(&self) -> Option<&[u8]> {
        let first = self.first.get(self.written..)?;
        (self.rest.is_empty() && !first.is_empty()).then_some(first)
    }

    /// The first pieces in memory, as many as `slots` takes, up to the first file.
    fn fill<'a>(&'a self, slots: &mut [&'a [u8]]) -> usize {
        let mut filled = 0;
        let mut skip = self.written;
        let first = (!self.first.is_empty()).then_some(Some(self.first.as_slice()));
        for memory in first
            .into_iter()
            .chain(self.rest.iter().map(Segment::memory))
        {
            let Some(memory) = memory else { break };
            if filled == slots.len() {
                break;
            }
            slots[filled] = &memory[skip..];
            skip = 0;
            filled += 1;
        }
        filled
    }

    /// The file part that is next, when no bytes stand before it.
    pub fn file(&mut self) -> Option<&mut FilePart> {
        if !self.first.is_empty() {
            return None;
        }
        match self.rest.front_mut() {
            Some(Segment::File(part)) => Some(part),
            _ => None,
        }
    }

    /// Whether a file comes after the bytes that `fill` gives.
    pub fn file_follows(&self) -> bool {
        self.rest
            .iter()
            .any(|piece| matches!(piece, Segment::File(_)))
    }

    /// Takes the file part that is next off the queue.
    pub fn drop_file(&mut self) -> Option<FilePart> {
        self.file()?;
        match self.rest.pop_front() {
            Some(Segment::File(part)) => Some(part),
            _ => unreachable!("looked at just now"),
        }
    }

    /// Puts bytes where the file part was that [`drop_file`](Self::drop_file) took.
    pub fn put_first(&mut self, piece: Segment) {
        self.rest.push_front(piece);
    }

    /// `count` bytes of the segments in memory were written.
    fn advance(&mut self, count: usize) {
        self.advance_with(count, drop);
    }

    /// The same, where `spent` takes the segments that are written whole.
    pub fn advance_with(&mut self, mut count: usize, mut spent: impl FnMut(Segment)) {
        if !self.first.is_empty() {
            let left = self.first.len() - self.written;
            if count < left {
                self.written += count;
                return;
            }
            count -= left;
            self.first.clear();
            self.written = 0;
            if let Some(Place(None, at)) = &mut self.response.place {
                *at = 0;
            }
        }
        // What comes from now on is new, or large enough to be sent by itself.
        self.seen = false;
        while let Some(memory) = self.rest.front().and_then(Segment::memory) {
            let left = memory.len() - self.written;
            if count < left {
                self.written += count;
                return;
            }
            count -= left;
            self.written = 0;
            if let Some(segment) = self.rest.pop_front() {
                spent(segment);
                if let Some(Place(index @ Some(_), at)) = &mut self.response.place {
                    *index = index.and_then(|index| index.checked_sub(1));
                    // It stood in the segment that is gone.
                    if index.is_none() {
                        *at = 0;
                    }
                }
            }
        }
    }

    /// Whether bytes in memory come first.
    pub fn has_memory_first(&self) -> bool {
        !self.first.is_empty() || self.rest.front().and_then(Segment::memory).is_some()
    }

    /// Forgets everything, but keeps the first buffer's memory for the next response.
    pub fn clear(&mut self, _: Gil<'_>) {
        self.first.clear();
        self.written = 0;
        self.rest.clear();
        self.end = End::Open;
        self.seen = false;
        self.response = QueuedResponse::default();
    }

    /// The monitor looks: whether it did before since the first of these bytes came.
    pub fn see(&mut self) -> bool {
        std::mem::replace(&mut self.seen, true)
    }

    /// Releases what a large response made the buffer grow to.
    pub fn shrink(&mut self, most: usize) {
        if self.first.is_empty() && self.first.capacity() > most {
            self.first = Vec::with_capacity(most);
        }
        if self.rest.is_empty() {
            self.rest.shrink_to(KEPT_SEGMENTS);
        }
    }
}
