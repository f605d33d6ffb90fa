//! What an application gave to `write`: in memory, then in an unlinked temporary file.
//!
//! PEP 3333 lets an application write a body of any size before it returns, while nothing can be sent
//! to the client, since the loop does not turn; memory is bounded all the same.
//!
//! Invariant: once there is a spool, everything that comes later goes to it, so that the order holds.

#![forbid(unsafe_code)]

use std::io;

use crate::app::delimiter::{self, Delimiter, Progress};
use crate::py::{Gil, Kind, Owned, Raised};
use crate::queue::{FileOwner, FilePart, WriteQueue};
use crate::sys::spool::Spool;

/// Bytes that are held in memory.
const HELD: u64 = 256 << 10;

/// Bytes that are copied from one spool to another at a time.
const STRIDE: usize = 64 << 10;

/// A failure of the temporary file, as the application's exception.
pub fn failed(gil: Gil<'_>, error: &io::Error) -> Raised {
    Raised::new(
        gil,
        Kind::OSError,
        &format!("the response cannot be kept in a file: {error}"),
    )
}

/// Bytes objects in order, and those behind them in a file.
#[derive(Default)]
pub struct Written {
    items: Vec<Owned>,
    held: u64,
    spool: Option<Spool>,
}

impl Written {
    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.held + self.spool.as_ref().map_or(0, Spool::len)
    }

    /// Whether there is nothing that could be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a bytes object. The error is that of the temporary file.
    pub fn push(&mut self, item: Owned) -> io::Result<()> {
        let bytes = item.as_bytes().unwrap_or_default();
        let length = bytes.len() as u64;
        if let Some(spool) = &mut self.spool {
            return spool.append(bytes);
        }
        if self.held + length <= HELD || self.items.is_empty() {
            self.held += length;
            self.items.push(item);
            return Ok(());
        }
        let mut spool = Spool::new()?;
        spool.append(bytes)?;
        self.spool = Some(spool);
        Ok(())
    }

    /// Adds what was written later.
    pub fn absorb(&mut self, later: Written) -> io::Result<()> {
        for item in later.items {
            self.push(item)?;
        }
        match (&mut self.spool, later.spool) {
            (_, None) => Ok(()),
            (none @ None, later) => {
                *none = later;
                Ok(())
            }
            (Some(spool), Some(later)) => {
                let mut piece = vec![0; STRIDE];
                let mut copied = 0;
                while copied < later.len() {
                    let count = later.read_at(copied, &mut piece)?;
                    if count == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    spool.append(&piece[..count])?;
                    copied += count as u64;
                }
                Ok(())
            }
        }
    }

    /// Queues everything, as far as the body takes it, and tells stderr of what it does not take.
    pub fn send(self, gil: Gil<'_>, delimiter: &mut Delimiter, out: &mut WriteQueue) -> Progress {
        let progress = self.send_quietly(delimiter, out);
        if progress == Progress::Complete {
            delimiter::tell_of_excess(gil);
        }
        progress
    }

    /// The same without a word.
    pub fn send_quietly(self, delimiter: &mut Delimiter, out: &mut WriteQueue) -> Progress {
        for item in self.items {
            if delimiter.push_unlogged(item, out) != Progress::More {
                return Progress::Complete;
            }
        }
        if let Some(spool) = self.spool {
            let part = FilePart {
                offset: 0,
                remaining: spool.len(),
                owner: FileOwner::Spool(spool),
            };
            delimiter.push_file(part, out);
        }
        Progress::More
    }
}
