//! A request's body as `wsgi.input` reads it: where it is, and how far it was read.
//!
//! No Python code runs here; what fails is a [`ReadFault`], which its caller raises.

#![forbid(unsafe_code)]

use std::io;

use crate::app::buffer_pool::{PooledBuffer, PooledObject};
use crate::py::{Gil, Kind, Owned, Raised, text};
use crate::sys::spool::Spool;

/// How much of a spooled body is read at a time, for lines and other small pieces.
const READ_AHEAD: usize = 16 * 1024;

/// Where the body is.
pub enum Content {
    /// There is none.
    Empty,
    /// In a bytes object.
    Memory(Owned),
    /// In a bytes object in the memory for long ones.
    PooledObject(PooledObject),
    /// In the memory for long ones.
    Pooled(PooledBuffer),
    /// In a temporary file.
    Spooled(Spool),
}

/// Why something could not be read.
pub enum ReadFault {
    /// The temporary file has less than was written to it, or cannot be read.
    File(io::Error),
    /// There is no memory for so much.
    Memory,
    /// Python could not make an object, and has an exception set.
    Python(Raised),
    /// A position before the beginning.
    Negative,
    /// A `whence` that is none.
    Whence,
}

impl ReadFault {
    /// Raises the exception.
    pub fn raise(self, gil: Gil<'_>) -> Raised {
        match self {
            ReadFault::File(error) => Raised::new(gil, Kind::OSError, &error.to_string()),
            ReadFault::Memory => Raised::no_memory(gil),
            ReadFault::Python(raised) => raised,
            ReadFault::Negative => Raised::new(gil, Kind::ValueError, "negative seek position"),
            ReadFault::Whence => Raised::new(gil, Kind::ValueError, "whence must be 0, 1 or 2"),
        }
    }
}

type Result<T> = std::result::Result<T, ReadFault>;

/// A body, and how far it was read.
pub struct Reader {
    content: Content,
    position: u64,
    /// A part of the file, so that not every line is a system call, and where it begins.
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl Reader {
    /// At the beginning.
    pub fn new(content: Content) -> Reader {
        Reader {
            content,
            position: 0,
            ahead: Vec::new(),
            ahead_at: 0,
        }
    }

    /// Where the next read begins, in bytes.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn len(&self) -> u64 {
        match &self.content {
            Content::Empty => 0,
            Content::PooledObject(body) => body.object().as_bytes().map_or(0, <[u8]>::len) as u64,
            Content::Memory(bytes) => bytes.as_bytes().map_or(0, <[u8]>::len) as u64,
            Content::Pooled(body) => body.bytes.len() as u64,
            Content::Spooled(spool) => spool.len(),
        }
    }

    /// Bytes behind the position.
    pub fn left(&self) -> u64 {
        self.len().saturating_sub(self.position)
    }

    /// Moves within the body, or behind its end.
    pub fn seek(&mut self, offset: i64, whence: i64) -> Result<u64> {
        let from = match whence {
            0 => 0,
            1 => self.position,
            2 => self.len(),
            _ => return Err(ReadFault::Whence),
        };
        let position = (from as i64).checked_add(offset);
        let position = position.filter(|&position| position >= 0);
        self.position = position.ok_or(ReadFault::Negative)? as u64;
        Ok(self.position)
    }

    /// Bytes from `at` on, which is before the end: one at least.
    // Casts to `usize` are of places in what is in memory, or of at most `READ_AHEAD`.
    fn peek(&mut self, at: u64) -> Result<&[u8]> {
        let left = self.len() - at;
        let spool = match &self.content {
            Content::Empty => return Ok(b""),
            Content::PooledObject(body) => {
                return Ok(&body.object().as_bytes().unwrap_or_default()[at as usize..]);
            }
            Content::Memory(bytes) => {
                return Ok(&bytes.as_bytes().unwrap_or_default()[at as usize..]);
            }
            Content::Pooled(body) => return Ok(&body.bytes[at as usize..]),
            Content::Spooled(spool) => spool,
        };
        let known = self.ahead_at..self.ahead_at + self.ahead.len() as u64;
        if !known.contains(&at) {
            self.ahead.resize(left.min(READ_AHEAD as u64) as usize, 0);
            if let Err(error) = read_spool(spool, at, &mut self.ahead) {
                self.ahead.clear();
                return Err(ReadFault::File(error));
            }
            self.ahead_at = at;
        }
        Ok(&self.ahead[(at - self.ahead_at) as usize..])
    }

    /// Up to `count` bytes from the position on, which moves behind them.
    // Casts to `usize` are of a piece of what is in memory, or of at most `READ_AHEAD`.
    pub fn take(&mut self, gil: Gil<'_>, count: u64) -> Result<Owned> {
        let count = count.min(self.left());
        let start = self.position;
        let bytes = |content: &[u8]| text::bytes(gil, content).map_err(ReadFault::Python);
        let taken = match &self.content {
            Content::Memory(whole) if start == 0 && count == self.len() => whole.own(gil),
            Content::PooledObject(body) if start == 0 && count == self.len() => {
                body.object().own(gil)
            }
            Content::Spooled(spool) if count > READ_AHEAD as u64 => {
                bytes(&long_piece(spool, start, count)?)?
            }
            _ if count == 0 => bytes(b"")?,
            _ => match self.peek(start)?.get(..count as usize) {
                Some(piece) => bytes(piece)?,
                // It goes on behind what was read ahead.
                None => {
                    self.ahead.clear();
                    bytes(&self.peek(start)?[..count as usize])?
                }
            },
        };
        self.position += count;
        Ok(taken)
    }

    /// The next line, its line feed included, of at most `limit` bytes.
    pub fn take_line(&mut self, gil: Gil<'_>, limit: u64) -> Result<Owned> {
        let length = self.line(limit)?;
        self.take(gil, length)
    }

    /// How many bytes the next line has, its line feed included, at most `limit`.
    fn line(&mut self, limit: u64) -> Result<u64> {
        let most = limit.min(self.left());
        let mut looked = 0;
        while looked < most {
            let piece = self.peek(self.position + looked)?;
            let left = usize::try_from(most - looked).unwrap_or(usize::MAX);
            let piece = &piece[..piece.len().min(left)];
            if let Some(at) = memchr::memchr(b'\n', piece) {
                return Ok(looked + at as u64 + 1);
            }
            looked += piece.len() as u64;
        }
        Ok(most)
    }
}

/// A piece of the file that is longer than what is read ahead.
fn long_piece(spool: &Spool, start: u64, count: u64) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    // A file may have more than a 32-bit process can address.
    let count = usize::try_from(count).map_err(|_| ReadFault::Memory)?;
    copy.try_reserve_exact(count)
        .map_err(|_| ReadFault::Memory)?;
    copy.resize(count, 0);
    read_spool(spool, start, &mut copy).map_err(ReadFault::File)?;
    Ok(copy)
}

/// Fills `into` from `offset`.
///
/// # Errors
/// Those of the file; `UnexpectedEof` where it has less.
pub fn read_spool(spool: &Spool, offset: u64, into: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < into.len() {
        match spool.read_at(offset + filled as u64, &mut into[filled..])? {
            0 => {
                let message = "the spooled body was cut short";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            count => filled += count,
        }
    }
    Ok(())
}
