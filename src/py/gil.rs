//! The interpreter's lock as a value, and what belongs to it.
//!
//! Invariant: a [`Gil`] exists only on a thread that holds the lock. Neither it nor a reference to an
//! object can be sent to another thread: see the assertions at the end of `object.rs`.

use std::marker::PhantomData;

/// Proof that this thread holds the interpreter lock for `'g`.
#[derive(Clone, Copy)]
pub struct Gil<'g>(PhantomData<(&'g (), NotSend)>);

/// Makes a type that contains it neither `Send` nor `Sync`.
pub(super) type NotSend = *mut ();

impl Gil<'_> {
    /// # Safety
    /// The calling thread holds the interpreter lock, and holds it for the whole lifetime that
    /// the caller gives to the token (but for calls into Python, which have it again on return).
    pub(crate) unsafe fn assume_held() -> Self {
        Gil(PhantomData)
    }
}

/// A value that belongs to the interpreter lock: code that has a [`Gil`] may look at it. It is `Sync`,
/// so that it can be a `static`, and `Send` only if its value is: what is inside cannot be moved out to
/// a thread without the lock.
pub struct GilCell<T>(T);

// SAFETY: `get` alone reaches the value, and asks for the lock's token, so two threads never look at
// the same time; the lock's own mutex orders what one wrote before what the next reads.
unsafe impl<T> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    /// Wraps `value`; usable in a `static`.
    pub const fn new(value: T) -> Self {
        GilCell(value)
    }

    /// The value, for as long as the lock is held.
    pub fn get<'g>(&'g self, _: Gil<'g>) -> &'g T {
        &self.0
    }
}
