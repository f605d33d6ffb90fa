//! A body on its way in: in memory, then in the pool, then in an unlinked temporary file. A long one
//! whose length was announced is received into the bytes object that `wsgi.input.read()` returns.
//!
//! Owns the decision of where a body is kept, and when it moves. Invariant: what was appended is in
//! one place, whole; a body that should be in a file and is not ([`Appended::AwaitsDescriptor`]) is
//! read no further until a descriptor is free.

#![forbid(unsafe_code)]

use std::io;
use std::rc::Rc;

use crate::app::buffer_pool::{BufferPool, PooledBuffer, PooledBuilder};
use crate::app::exchange::RequestBody;
use crate::py::Gil;
use crate::sys::limits::no_descriptor_left;
use crate::sys::memory::{copy, reserve};
use crate::sys::spool::Spool;

/// What decides where a body is kept.
pub struct Places<'a> {
    /// Bytes of a body that are kept in memory of its own (`config.body_memory`).
    pub memory: usize,
    /// The memory that longer bodies share.
    pub pool: &'a Rc<BufferPool>,
    /// Whether a descriptor may be used for a file.
    pub may_spool: bool,
}

/// What came of an addition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// The body is where it belongs.
    Kept,
    /// It belongs in a file, for which no descriptor is left.
    AwaitsDescriptor,
}

/// The body so far.
pub enum BodyBuffer {
    /// Short as yet.
    Memory(Vec<u8>),
    /// Of a length that was announced, longer than `config.body_memory`.
    Object(PooledBuilder),
    /// Longer than `config.body_memory`, but on its way since so recently that it may be here soon.
    Pooled(PooledBuffer),
    /// Longer than `config.body_memory`.
    Spooled(Spool),
}

impl BodyBuffer {
    /// For a body of a known length, in bytes.
    pub fn with_length(gil: Gil<'_>, length: u64, places: &Places<'_>) -> BodyBuffer {
        if length > places.memory as u64
            && let Some(object) = places.pool.take_object(gil, length)
        {
            return BodyBuffer::Object(object);
        }
        if length > places.memory as u64
            && let Some(pooled) = places.pool.take(length)
        {
            return BodyBuffer::Pooled(pooled);
        }
        BodyBuffer::Memory(Vec::new())
    }

    /// Adds bytes. `may_pool`: the body began so recently that it may take memory of the pool.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn append(
        &mut self,
        bytes: &[u8],
        places: &Places<'_>,
        may_pool: bool,
    ) -> io::Result<Appended> {
        match self {
            BodyBuffer::Spooled(spool) => spool.append(bytes)?,
            BodyBuffer::Object(body) => {
                let taken = body.object.append(bytes);
                debug_assert_eq!(taken, bytes.len(), "no more than was announced");
            }
            BodyBuffer::Pooled(pooled) => pooled
                .append(bytes)
                .map_err(|_| io::ErrorKind::OutOfMemory)?,
            BodyBuffer::Memory(memory) => {
                reserve(memory, bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
                memory.extend_from_slice(bytes);
                if may_pool
                    && memory.len() > places.memory
                    && let Some(pooled) = places.pool.take_begun(memory, 0)
                {
                    *self = BodyBuffer::Pooled(pooled);
                }
            }
        }
        self.spill_if_full(places)
    }

    /// Moves what is too long for its place to a file.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn spill_if_full(&mut self, places: &Places<'_>) -> io::Result<Appended> {
        let is_full = match self {
            BodyBuffer::Memory(memory) => memory.len() > places.memory,
            BodyBuffer::Pooled(pooled) => pooled.is_too_long(),
            BodyBuffer::Object(..) | BodyBuffer::Spooled(_) => false,
        };
        if is_full {
            self.spill(places)
        } else {
            Ok(Appended::Kept)
        }
    }

    /// Leaves the pool: to memory where the body is short, else to a file.
    ///
    /// # Errors
    /// Those of the temporary file.
    pub fn unpool(&mut self, places: &Places<'_>) -> io::Result<Appended> {
        let bytes = self.in_memory();
        if self.is_pooled() && bytes.len() <= places.memory {
            let memory = copy(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
            *self = BodyBuffer::Memory(memory);
            return Ok(Appended::Kept);
        }
        self.spill(places)
    }

    fn in_memory(&self) -> &[u8] {
        match self {
            BodyBuffer::Memory(memory) => memory,
            BodyBuffer::Object(body) => body.object.filled(),
            BodyBuffer::Pooled(pooled) => &pooled.bytes,
            BodyBuffer::Spooled(_) => &[],
        }
    }

    fn spill(&mut self, places: &Places<'_>) -> io::Result<Appended> {
        if let BodyBuffer::Spooled(_) = self {
            return Ok(Appended::Kept);
        }
        if !places.may_spool {
            return Ok(Appended::AwaitsDescriptor);
        }
        let mut spool = match Spool::new() {
            Ok(spool) => spool,
            Err(error) if no_descriptor_left(&error) => return Ok(Appended::AwaitsDescriptor),
            Err(error) => return Err(error),
        };
        spool.append(self.in_memory())?;
        *self = BodyBuffer::Spooled(spool);
        Ok(Appended::Kept)
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        match self {
            BodyBuffer::Spooled(spool) => spool.len(),
            _ => self.in_memory().len() as u64,
        }
    }

    /// Whether it takes room of the pool.
    pub fn is_pooled(&self) -> bool {
        matches!(self, BodyBuffer::Object(..) | BodyBuffer::Pooled(_))
    }

    /// The body, whole.
    pub fn into_body(self) -> RequestBody {
        match self {
            BodyBuffer::Memory(memory) => RequestBody::Memory(memory),
            BodyBuffer::Object(body) => match body.finish() {
                Some(body) => RequestBody::PooledObject(Box::new(body)),
                None => unreachable!("a body is whole when all that was announced is there"),
            },
            BodyBuffer::Pooled(pooled) => RequestBody::Pooled(Box::new(pooled)),
            BodyBuffer::Spooled(spool) => RequestBody::Spooled(spool),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: usize = 16;

    fn places(pool: &Rc<BufferPool>, may_spool: bool) -> Places<'_> {
        Places {
            memory: MEMORY,
            pool,
            may_spool,
        }
    }

    fn place(buffer: &BodyBuffer) -> &'static str {
        match buffer {
            BodyBuffer::Memory(_) => "memory",
            BodyBuffer::Object(..) | BodyBuffer::Pooled(_) => "pool",
            BodyBuffer::Spooled(_) => "file",
        }
    }

    #[test]
    fn a_body_moves_from_memory_to_the_pool_to_a_file() {
        let pool = BufferPool::new(MEMORY);
        let places = places(&pool, true);
        let mut buffer = BodyBuffer::Memory(Vec::new());
        let mut seen = vec![place(&buffer)];
        for _ in 0..200 {
            assert_eq!(
                buffer.append(b"12345678", &places, true).unwrap(),
                Appended::Kept
            );
            if seen.last() != Some(&place(&buffer)) {
                seen.push(place(&buffer));
            }
        }
        assert_eq!(seen, ["memory", "pool", "file"]);
        assert_eq!(buffer.length(), 1600);
    }

    #[test]
    fn one_that_is_late_goes_to_a_file_at_once() {
        let pool = BufferPool::new(MEMORY);
        let places = places(&pool, true);
        let mut buffer = BodyBuffer::Memory(Vec::new());
        buffer.append(&[b'x'; MEMORY], &places, false).unwrap();
        assert_eq!(place(&buffer), "memory");
        buffer.append(b"x", &places, false).unwrap();
        assert_eq!(place(&buffer), "file");
        assert_eq!(buffer.length(), MEMORY as u64 + 1);
    }

    #[test]
    fn without_a_descriptor_it_waits_in_memory_and_loses_nothing() {
        let pool = BufferPool::new(MEMORY);
        let mut buffer = BodyBuffer::Memory(Vec::new());
        let waits = buffer.append(&[b'x'; 20], &places(&pool, false), false);
        assert_eq!(waits.unwrap(), Appended::AwaitsDescriptor);
        assert_eq!((place(&buffer), buffer.length()), ("memory", 20));
        let kept = buffer.spill_if_full(&places(&pool, true));
        assert_eq!(kept.unwrap(), Appended::Kept);
        assert_eq!((place(&buffer), buffer.length()), ("file", 20));
    }

    #[test]
    fn a_body_in_the_pool_can_leave_it() {
        let pool = BufferPool::new(MEMORY);
        let places = places(&pool, true);
        let pooled = || BodyBuffer::Pooled(pool.take(100).unwrap());
        let mut short = pooled();
        assert!(short.is_pooled());
        short.append(b"begun", &places, true).unwrap();
        short.unpool(&places).unwrap();
        assert_eq!((place(&short), short.length()), ("memory", 5));
        let mut long = pooled();
        long.append(&[b'x'; 50], &places, true).unwrap();
        long.unpool(&places).unwrap();
        assert_eq!((place(&long), long.length()), ("file", 50));
    }
}
