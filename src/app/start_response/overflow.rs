//! What an application gave to `write()` and the client could not take yet: in memory, then in an
//! unlinked temporary file.
//!
//! PEP 3333 lets an application write a body of any size before it returns, while the loop does not
//! turn; memory is bounded all the same.
//!
//! Invariant: once there is a spool, everything that comes later goes to it, so that the order holds.
//! No object is dropped here: its destructor would find the buffer in somebody's hands.

#![forbid(unsafe_code)]

use std::io;

use crate::app::encode;
use crate::http::body_encoder::{BodyEncoder, Progress};
use crate::py::{Gil, Kind, Owned, Raised};
use crate::queue::WriteQueue;
use crate::queue::segment::{FileOwner, FilePart};
use crate::sys::spool::Spool;

/// Bytes that are held in memory.
const HELD: u64 = 256 << 10;

/// Bytes that are copied from one spool to another at a time.
const COPIED: usize = 64 << 10;

/// A failure of the temporary file, as the application's exception.
pub fn failed(gil: Gil<'_>, error: &io::Error) -> Raised {
    let message = format!("the response cannot be kept in a file: {error}");
    Raised::new(gil, Kind::OSError, &message)
}

/// Bytes objects in order, and those behind them in a file.
#[derive(Default)]
pub struct OverflowBuffer {
    items: Vec<Owned>,
    held: u64,
    spool: Option<Spool>,
}

impl OverflowBuffer {
    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.held + self.spool.as_ref().map_or(0, Spool::len)
    }

    /// Whether there is nothing that could be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The objects in memory.
    pub fn items(&self) -> &[Owned] {
        &self.items
    }

    /// Adds a bytes object, which is returned where its content is in the file now.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn push(&mut self, item: Owned) -> io::Result<Option<Owned>> {
        let bytes = item.as_bytes().unwrap_or_default();
        let length = bytes.len() as u64;
        if let Some(spool) = &mut self.spool {
            spool.append(bytes)?;
            return Ok(Some(item));
        }
        if self.held + length <= HELD || self.items.is_empty() {
            self.held += length;
            self.items.push(item);
            return Ok(None);
        }
        let mut spool = Spool::new()?;
        spool.append(bytes)?;
        self.spool = Some(spool);
        Ok(Some(item))
    }

    /// Adds what was written later.
    ///
    /// # Errors
    /// Those of the temporary files.
    pub fn append(&mut self, later: OverflowBuffer) -> io::Result<()> {
        for item in later.items {
            drop(self.push(item)?);
        }
        match (&mut self.spool, later.spool) {
            (_, None) => Ok(()),
            (none @ None, later) => {
                *none = later;
                Ok(())
            }
            (Some(spool), Some(later)) => copy(&later, spool),
        }
    }

    /// Queues everything, as far as the body takes it; stderr has a line about what it does not take.
    pub fn send(self, gil: Gil<'_>, encoder: &mut BodyEncoder, out: &mut WriteQueue) -> Progress {
        let progress = self.send_unlogged(encoder, out);
        if progress == Progress::Complete {
            encode::log_excess(gil);
        }
        progress
    }

    /// The same without the line, for a caller that raises for what is cut.
    pub fn send_unlogged(self, encoder: &mut BodyEncoder, out: &mut WriteQueue) -> Progress {
        for item in self.items {
            if encode::push_unlogged(encoder, item, out) != Progress::More {
                return Progress::Complete;
            }
        }
        if let Some(spool) = self.spool {
            let part = FilePart {
                offset: 0,
                remaining: spool.len(),
                owner: FileOwner::Spool(spool),
            };
            encode::push_file(encoder, part, out);
        }
        Progress::More
    }
}

fn copy(from: &Spool, to: &mut Spool) -> io::Result<()> {
    let mut piece = vec![0; COPIED];
    let mut copied = 0;
    while copied < from.len() {
        let count = from.read_at(copied, &mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.append(&piece[..count])?;
        copied += count as u64;
    }
    Ok(())
}
