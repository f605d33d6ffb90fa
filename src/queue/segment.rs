//! The pieces that are queued: gathered bytes, bytes objects, parts of files.

#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::py::{Kept, KeptBytes};
use crate::sys::spool::Spool;

/// A part of a file that goes by `sendfile`.
pub struct FilePart {
    /// What keeps the file open.
    pub owner: FileOwner,
    /// Where the part begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes of it are left.
    pub remaining: u64,
}

/// Who owns a file's descriptor.
pub enum FileOwner {
    /// A file object, and a descriptor of our own: the application may close its file at any time, and
    /// another may get the number.
    Object(Kept, OwnedFd),
    /// A temporary file of ours.
    Spool(Spool),
}

impl FilePart {
    /// The descriptor to send from.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        match &self.owner {
            FileOwner::Object(_, own) => own.as_fd(),
            FileOwner::Spool(spool) => spool.as_fd(),
        }
    }
}

/// One segment of the queue.
pub enum Segment {
    /// Gathered bytes.
    Bytes(Vec<u8>),
    /// A bytes object, and where in it the piece begins and ends.
    Object(KeptBytes, usize, usize),
    /// A part of a file.
    File(FilePart),
}

impl Segment {
    /// The piece in memory; `None` for a file.
    pub fn memory(&self) -> Option<&[u8]> {
        match self {
            Segment::Bytes(bytes) => Some(bytes),
            Segment::Object(object, start, end) => {
                Some(object.as_slice().get(*start..*end).unwrap_or_default())
            }
            Segment::File(_) => None,
        }
    }
}
