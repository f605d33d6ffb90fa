//! References in a queue that another thread may write from.
//!
//! The monitor sends what is ready without the interpreter's lock. What it sends may be the memory of
//! `bytes` objects; so the queue's references must be allowed to stand where that thread can see them,
//! and the memory must be had without asking the interpreter.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::gil::Gil;
use super::object::{Object, Owned};
use super::release::is_without_lock;

/// A reference that is ours, behind which nothing can be done without the lock.
pub struct Kept(ManuallyDrop<Owned>);

// SAFETY: the object is reached only by `get`, which asks for the lock's token, and
// dropped only by a thread that may hold it: see `drop`.
unsafe impl Send for Kept {}
// SAFETY: as for `Send`.
unsafe impl Sync for Kept {}

impl Kept {
    /// Keeps `object`.
    pub fn new(object: Owned) -> Kept {
        Kept(ManuallyDrop::new(object))
    }

    /// The object.
    pub fn get<'a>(&'a self, _: Gil<'a>) -> &'a Object {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // A thread without the lock never drops what it sends; should it, memory is lost, not broken.
        if !is_without_lock() {
            // SAFETY: this is the only place that takes it. A thread that gives the lock up marks itself
            // (`threads`), as does one that is none of Python's; any other holds the lock whenever it
            // runs code of this crate above `ev`.
            unsafe { ManuallyDrop::drop(&mut self.0) }
        }
    }
}

/// A `bytes` object, of which the memory can be read by any thread.
pub struct KeptBytes {
    _object: Kept,
    memory: NonNull<[u8]>,
}

// SAFETY: the memory of a `bytes` object neither changes nor moves while there is a reference to it,
// which `_object` is; it is only read.
unsafe impl Send for KeptBytes {}
// SAFETY: as for `Send`.
unsafe impl Sync for KeptBytes {}

impl KeptBytes {
    /// Keeps `object`; nothing is in what is no `bytes` object.
    pub fn new(object: Owned) -> KeptBytes {
        let memory = NonNull::from(object.as_bytes().unwrap_or_default());
        KeptBytes {
            _object: Kept::new(object),
            memory,
        }
    }

    /// Its content.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `new` took it from the object that is kept; see `Send` above.
        unsafe { self.memory.as_ref() }
    }
}
