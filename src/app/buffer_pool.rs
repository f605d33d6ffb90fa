//! Memory for bodies that are longer than `config.body_memory` and come fast enough to need no file.
//!
//! All of them together have a fixed room. What one had is used again for the next: fresh memory costs
//! a fault for each page, which is dearer than receiving the bytes.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::py::bytes_builder::{BytesBuilder, BytesMemory, IS_REUSABLE, WholeBytes};
use crate::py::{Gil, Object};
use crate::sys::memory::{NoMemory, reserve};

/// How long such a body may be, and how much room all have together, in multiples of `body_memory`.
const LONGEST: u64 = 32;
const ALL: u64 = 1024;

/// The places that a body of unknown length has one after the other, in multiples of `body_memory`.
const STEPS: [u64; 2] = [16, LONGEST];

/// More memory than the body's, for what is received with its end.
const SLACK: u64 = 64 << 10;

/// The room of one run.
pub struct BufferPool {
    unit: u64,
    /// Bytes of memory that bodies have.
    taken: Cell<u64>,
    /// Memory for the next ones; it counts as well.
    spare: RefCell<Spare>,
    /// Whether a body came since [`BufferPool::trim`].
    used: Cell<bool>,
}

#[derive(Default)]
struct Spare {
    bytes: Vec<Vec<u8>>,
    objects: Vec<BytesMemory>,
}

impl Spare {
    fn size(&self) -> u64 {
        let bytes = self.bytes.iter().map(Vec::capacity);
        let objects = self.objects.iter().map(BytesMemory::capacity);
        bytes.chain(objects).map(|size| size as u64).sum()
    }
}

/// A body in the room that is an object, which an application may keep; dropped, its place is free.
pub struct PooledObject {
    body: Option<WholeBytes>,
    /// Its place, when `body` is dropped.
    place: Place,
}

/// A body on its way into such an object.
pub struct PooledBuilder {
    /// The object.
    pub object: BytesBuilder,
    place: Place,
}

/// Memory that counts.
struct Place {
    size: u64,
    pool: Rc<BufferPool>,
}

/// A body in the room; dropped, its place is free.
pub struct PooledBuffer {
    /// What came so far; there is memory for all of it, unless it [is too long](Self::is_too_long).
    pub bytes: Vec<u8>,
    /// How long it may become here.
    most: u64,
    /// The memory that it counts for, in bytes.
    size: u64,
    pool: Rc<BufferPool>,
}

impl BufferPool {
    /// The room that goes with `body_memory`, in bytes.
    pub fn new(body_memory: usize) -> Rc<BufferPool> {
        Rc::new(BufferPool {
            unit: body_memory as u64,
            taken: Cell::new(0),
            spare: RefCell::default(),
            used: Cell::new(false),
        })
    }

    /// A place for a body of this length, if there is one.
    pub fn take(self: &Rc<BufferPool>, length: u64) -> Option<PooledBuffer> {
        if length > LONGEST.saturating_mul(self.unit) {
            return None;
        }
        let bytes = self.memory(length.checked_add(SLACK)?)?;
        let size = bytes.capacity() as u64;
        self.taken.set(self.taken.get() + size);
        self.used.set(true);
        Some(PooledBuffer {
            bytes,
            most: length,
            size,
            pool: self.clone(),
        })
    }

    /// A place for a body of this length in an object, if there is one.
    pub fn take_object(self: &Rc<BufferPool>, gil: Gil<'_>, length: u64) -> Option<PooledBuilder> {
        if length > LONGEST.saturating_mul(self.unit) || !IS_REUSABLE {
            return None;
        }
        let length = usize::try_from(length).ok()?;
        let memory = self.object_memory(gil, length)?;
        let size = memory.capacity() as u64;
        self.taken.set(self.taken.get() + size);
        self.used.set(true);
        Some(PooledBuilder {
            object: memory.build(length)?,
            place: Place {
                size,
                pool: self.clone(),
            },
        })
    }

    /// The memory of an object that fits, or that of a new one.
    fn object_memory(&self, gil: Gil<'_>, wanted: usize) -> Option<BytesMemory> {
        let mut spare = self.spare.borrow_mut();
        let fits = |memory: &BytesMemory| (wanted..=2 * wanted).contains(&memory.capacity());
        if let Some(found) = spare.objects.iter().position(fits) {
            return Some(spare.objects.swap_remove(found));
        }
        if !self.make_room(&mut spare, wanted as u64) {
            return None;
        }
        drop(spare);
        match BytesMemory::new(gil, wanted) {
            Ok(memory) => Some(memory),
            Err(raised) => {
                raised.clear(gil);
                None
            }
        }
    }

    /// A place for a body of unknown length that begins with `begun`, which `more` bytes follow.
    pub fn take_begun(self: &Rc<BufferPool>, begun: &[u8], more: usize) -> Option<PooledBuffer> {
        let length = (begun.len() + more) as u64;
        let mut places = STEPS.iter().map(|step| step.saturating_mul(self.unit));
        let mut body = self.take(places.find(|place| *place >= length)?)?;
        body.bytes.extend_from_slice(begun);
        Some(body)
    }

    /// Memory that was used before and fits, or new memory in the place of some that does not.
    fn memory(&self, wanted: u64) -> Option<Vec<u8>> {
        let mut spare = self.spare.borrow_mut();
        let fits = |bytes: &Vec<u8>| (wanted..=2 * wanted).contains(&(bytes.capacity() as u64));
        if let Some(found) = spare.bytes.iter().position(fits) {
            return Some(spare.bytes.swap_remove(found));
        }
        if !self.make_room(&mut spare, wanted) {
            return None;
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(usize::try_from(wanted).ok()?)
            .ok()?;
        Some(bytes)
    }

    /// Frees memory that nobody uses, until there is room for so much more. Whether there is.
    fn make_room(&self, spare: &mut Spare, wanted: u64) -> bool {
        let size = ALL.saturating_mul(self.unit);
        while self.taken.get() + spare.size() + wanted > size {
            if spare.bytes.pop().is_none() && spare.objects.pop().is_none() {
                return false;
            }
        }
        true
    }

    /// Gives memory back that nothing came for since the last time.
    pub fn trim(&self) {
        if !self.used.replace(false) {
            self.spare.take();
        }
    }
}

impl PooledBuffer {
    /// Adds bytes, in a larger place if need be. Where there is none the body becomes too long.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        if (self.bytes.len() + bytes.len()) as u64 > self.most
            && let Some(larger) = self.pool.take_begun(&self.bytes, bytes.len())
        {
            *self = larger;
        }
        reserve(&mut self.bytes, bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether it is longer than its place, and must go to a file.
    pub fn is_too_long(&self) -> bool {
        self.bytes.len() as u64 > self.most
    }
}

impl PooledBuilder {
    /// The object, if it is full.
    pub fn finish(self) -> Option<PooledObject> {
        let body = self.object.finish()?;
        Some(PooledObject {
            body: Some(body),
            place: self.place,
        })
    }
}

impl PooledObject {
    /// The object.
    pub fn object(&self) -> &Object {
        let body = self.body.as_ref().expect("taken only when it is dropped");
        body.object()
    }
}

impl Drop for PooledObject {
    fn drop(&mut self) {
        let memory = self.body.take().and_then(WholeBytes::reclaim);
        if let Some(memory) = memory {
            self.place.pool.spare.borrow_mut().objects.push(memory);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.taken.set(self.pool.taken.get() - self.size);
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let pool = &self.pool;
        pool.taken.set(pool.taken.get() - self.size);
        let mut bytes = std::mem::take(&mut self.bytes);
        // One that became too long has more.
        if bytes.capacity() as u64 == self.size {
            bytes.clear();
            pool.spare.borrow_mut().bytes.push(bytes);
        }
    }
}
