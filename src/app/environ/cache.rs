//! The environ of a connection's last head, so that the same fields are not parsed twice.
//!
//! A browser, a proxy or a program with a connection pool sends the same header fields request after
//! request; only the target changes. When the method and the bytes behind the request line are the ones
//! that were parsed before, the environ that was made of them is copied, and nothing is parsed but the
//! line. Equal bytes were accepted by the same grammar under the same limits, so no check is skipped.
//!
//! A head is a hit only where its body is here too: what waits for a body needs the fields themselves.
//!
//! The memory is bounded: a fixed number of slots, which connections share by their number. A slot
//! is filled at the second request of a connection, so that a connection of one request costs nothing,
//! and stays empty for a connection whose fields keep changing.
//!
//! Measured with callgrind on Python 3.13, keep-alive, instructions a request: see CHANGELOG.

#![forbid(unsafe_code)]

use std::cell::RefCell;

use crate::http::framing::{BodyLength, Framing};
use crate::py::{Gil, Object, Owned, Result};

/// A power of two; an empty slot is 32 bytes.
const CACHE_SLOTS: usize = 512;

/// Longer heads are not cached, in bytes without the request line.
const MAX_FIELDS: usize = 4096;

/// So many different heads in a row mean that the next one will differ too.
const MAX_MISSES: u8 = 4;

/// The cache of a run.
pub struct EnvironCache {
    slots: RefCell<Vec<Slot>>,
}

#[derive(Default)]
struct Slot {
    /// The number of the connection that used the slot last; 0 for none.
    owner: u32,
    /// Heads of this owner in a row that were not the cached one.
    misses: u8,
    entry: Option<Box<Entry>>,
}

struct Entry {
    /// The method, a blank, and the target's `/`.
    method: Vec<u8>,
    /// From the end of the request line to the end of the head.
    fields: Vec<u8>,
    framing: Framing,
    environ: Owned,
}

/// What a head that was seen before stands for.
pub struct Hit {
    /// Its length, the request line included.
    pub length: usize,
    /// How the message is delimited.
    pub framing: Framing,
    /// A copy of the environ, all but what the request line says.
    pub environ: Owned,
}

/// How the request lines end that are cached; their targets begin with `/`.
const PROTOCOL: &[u8] = b" HTTP/1.1\r\n";

impl Default for EnvironCache {
    fn default() -> EnvironCache {
        let slots = std::iter::repeat_with(Slot::default)
            .take(CACHE_SLOTS)
            .collect();
        EnvironCache {
            slots: RefCell::new(slots),
        }
    }
}

impl EnvironCache {
    /// Looks at the first bytes of a request: if they are a request line and fields that connection
    /// `owner` sent before, gives what they stand for.
    pub fn find(&self, gil: Gil<'_>, owner: u32, bytes: &[u8]) -> Result<Option<Hit>> {
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[owner as usize % CACHE_SLOTS];
        let Some(entry) = slot.entry.as_ref().filter(|_| slot.owner == owner) else {
            return Ok(None);
        };
        let Some(line) = line_length(bytes).filter(|_| bytes.starts_with(&entry.method)) else {
            return Ok(None);
        };
        let (length, framing) = (line + entry.fields.len(), entry.framing);
        if !bytes[line..].starts_with(&entry.fields) || framing.body_in(&bytes[length..]).is_none()
        {
            return Ok(None);
        }
        slot.misses = 0;
        let cached = entry.environ.own(gil);
        // Making a dict may run the garbage collector, and that anything.
        drop(slots);
        Ok(Some(Hit {
            length,
            framing,
            environ: cached.dict_copy(gil)?,
        }))
    }

    /// Caches the head of `length` bytes at the start of `bytes`, of which `environ` was made.
    pub fn insert(
        &self,
        gil: Gil<'_>,
        owner: u32,
        bytes: &[u8],
        length: usize,
        framing: &Framing,
        environ: &Object,
    ) -> Result<()> {
        let parts = method_length(bytes)
            .zip(line_length(bytes))
            .filter(|(_, line)| length - line <= MAX_FIELDS);
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[owner as usize % CACHE_SLOTS];
        if slot.owner != owner {
            let evicted = std::mem::take(slot);
            slot.owner = owner;
            // Dropping an environ may run anything, and so may making one.
            drop(slots);
            drop(evicted);
            return Ok(());
        }
        let Some((method, line)) = parts.filter(|_| slot.misses < MAX_MISSES) else {
            return Ok(());
        };
        if framing.body == BodyLength::Chunked {
            return Ok(());
        }
        slot.misses += 1;
        // One stranger among heads that are alike: the next one is probably as those were.
        if slot.entry.is_some() && slot.misses == 1 {
            return Ok(());
        }
        drop(slots);
        let entry = Box::new(Entry {
            method: bytes[..method].to_vec(),
            fields: bytes[line..length].to_vec(),
            framing: *framing,
            environ: environ.dict_copy(gil)?,
        });
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[owner as usize % CACHE_SLOTS];
        // Making a dict may have run anything, and the slot be another connection's by now.
        let evicted = if slot.owner == owner {
            slot.entry.replace(entry)
        } else {
            Some(entry)
        };
        drop(slots);
        drop(evicted);
        Ok(())
    }

    /// A connection is over.
    pub fn evict(&self, owner: u32) {
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[owner as usize % CACHE_SLOTS];
        if slot.owner != owner {
            return;
        }
        let evicted = std::mem::take(slot);
        drop(slots);
        drop(evicted);
    }
}

/// The length of the request line, its end included, where it is one that is cached.
fn line_length(bytes: &[u8]) -> Option<usize> {
    let line = memchr::memchr(b'\n', bytes)? + 1;
    bytes[..line].ends_with(PROTOCOL).then_some(line)
}

/// The length of the method, with a blank and the target's `/` behind it.
fn method_length(bytes: &[u8]) -> Option<usize> {
    let blank = memchr::memchr(b' ', bytes)?;
    (bytes.get(blank + 1) == Some(&b'/')).then_some(blank + 2)
}
