//! `bytes` objects that are filled, given away and, when nobody has them any more, filled again.
//!
//! Fresh memory costs a fault for each page, which is dearer than receiving what goes into it. So the memory
//! of a long object is used again, for content of any length that fits: [`BytesMemory`] becomes a
//! [`BytesBuilder`], that [`WholeBytes`], and those are memory again once the reference here is the only one.
//!
//! Invariants. Nobody else has a reference to what is memory or being filled. An object's memory is
//! as long as `capacity`: it is made here, and only the sole owner of an object changes its size.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::ffi;
use super::gil::Gil;
use super::object::{Object, Owned};
use super::raised::{Raised, Result};

/// Whether an object's memory can be used again: the stable ABI does not say where the hash is that it
/// remembers.
pub const IS_REUSABLE: bool = cfg!(all(feature = "python3", not(feature = "abi3")));

/// An object's memory, for others to fill.
pub struct BytesMemory {
    object: Owned,
    capacity: usize,
}

/// A `bytes` object that is being filled.
pub struct BytesBuilder {
    memory: BytesMemory,
    /// How long the object is.
    length: usize,
    /// How many of its bytes are initialised.
    filled: usize,
}

/// One that is full.
pub struct WholeBytes(BytesMemory);

impl BytesMemory {
    /// Memory for so many bytes.
    pub fn new(gil: Gil<'_>, capacity: usize) -> Result<BytesMemory> {
        let Ok(size) = ffi::Py_ssize_t::try_from(capacity) else {
            return Err(Raised::no_memory(gil));
        };
        // SAFETY: the lock is held; without content the call makes an object of that size, of which
        // nothing is initialised but what the interpreter itself looks at.
        let object = unsafe {
            Owned::new_reference(ffi::PyBytes_FromStringAndSize(std::ptr::null(), size))?
        };
        Ok(BytesMemory { object, capacity })
    }

    /// For how many bytes it is.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// An object of `length` bytes in this memory; `None` where it is too short.
    pub fn build(self, length: usize) -> Option<BytesBuilder> {
        let is_its_length = self.object.as_bytes().map(<[u8]>::len) == Some(length);
        if length > self.capacity || !is_its_length && !IS_REUSABLE {
            return None;
        }
        #[cfg(all(feature = "python3", not(feature = "abi3")))]
        // SAFETY: the object is a `bytes` that nobody else has a reference to, so that it may change, as
        // it does in `_PyBytes_Resize`; its memory has room for `length` bytes and a NUL.
        unsafe {
            let bytes = self.object.as_ptr().cast::<ffi::PyBytesObject>();
            (*bytes).ob_base.ob_size = length as ffi::Py_ssize_t;
            #[allow(
                deprecated,
                reason = "there is no other way to make it forget its hash"
            )]
            {
                (*bytes).ob_shash = -1;
            }
            self.start().add(length).write(MaybeUninit::new(0));
        }
        Some(BytesBuilder {
            memory: self,
            length,
            filled: 0,
        })
    }

    fn start(&self) -> *mut MaybeUninit<u8> {
        // SAFETY: the object is a `bytes`, of which the call gives its memory.
        unsafe { ffi::PyBytes_AsString(self.object.as_ptr()).cast() }
    }
}

impl BytesBuilder {
    /// What is there so far.
    pub fn filled(&self) -> &[u8] {
        // SAFETY: these bytes are initialised; the object lives as long as `self`, and only `self` writes
        // to it.
        unsafe { std::slice::from_raw_parts(self.memory.start().cast(), self.filled) }
    }

    /// How many bytes are missing.
    pub fn missing(&self) -> usize {
        self.length - self.filled
    }

    fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        let start = NonNull::new(self.memory.start()).expect("an object has memory");
        // SAFETY: the object has `length` bytes, to which nobody else has a reference.
        unsafe {
            let whole = NonNull::slice_from_raw_parts(start, self.length).as_mut();
            &mut whole[self.filled..]
        }
    }

    /// Has `read` fill what is missing, from its beginning on; it returns what it has initialised, and
    /// a result of its own.
    ///
    /// # Panics
    /// Where `read` returns other memory.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn fill<T, E>(
        &mut self,
        read: impl for<'m> FnOnce(&'m mut [MaybeUninit<u8>]) -> std::result::Result<(T, &'m [u8]), E>,
    ) -> std::result::Result<T, E> {
        let room = self.room();
        let (start, length) = (room.as_ptr().cast::<u8>(), room.len());
        let (result, initialised) = read(room)?;
        let count = initialised.len();
        assert!(
            count == 0 || initialised.as_ptr() == start && count <= length,
            "bytes are filled from the beginning of the room"
        );
        self.filled += count;
        Ok(result)
    }

    /// Adds bytes, as far as there is room; how many that were.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let room = self.room();
        let count = bytes.len().min(room.len());
        for (place, &byte) in room.iter_mut().zip(&bytes[..count]) {
            place.write(byte);
        }
        self.filled += count;
        count
    }

    /// The object, if it is full.
    pub fn finish(self) -> Option<WholeBytes> {
        (self.missing() == 0).then_some(WholeBytes(self.memory))
    }
}

impl WholeBytes {
    /// The object.
    pub fn object(&self) -> &Object {
        &self.0.object
    }

    /// Its memory, if nobody else has a reference to it and it can be used again.
    pub fn reclaim(self) -> Option<BytesMemory> {
        (IS_REUSABLE && self.0.object.is_unshared()).then_some(self.0)
    }
}
