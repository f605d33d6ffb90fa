//! Memory where there may be none left.
//!
//! What a peer or an application sizes is asked for by [`reserve`], and its request fails alone where there is no
//! memory. What is short and of our own making (a connection, a line, a list that grows) cannot fail: `Vec` and
//! `Rc` end the process then. For those there is a reserve: when the system has none left, it is freed, and the
//! allocation tried again. Until it is [refilled](refill), [`reserve`] gives nothing.
//!
//! Invariant: `RESERVE` is null, or an allocation of `LAYOUT` that nobody else has.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// Bytes of the reserve; they are never touched, so that they cost addresses alone.
const SIZE: usize = 4 << 20;

/// Allocations up to this many bytes may use it.
const SERVED: usize = 2 << 20;

const LAYOUT: Layout = Layout::new::<[u8; SIZE]>();

static RESERVE: AtomicPtr<u8> = AtomicPtr::new(null_mut());
/// The reserve was used.
static SPENT: AtomicBool = AtomicBool::new(false);

/// The system's allocator, and the reserve.
pub struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Frees the reserve for an allocation of `size` bytes. Whether there was one.
#[cold]
fn spend(size: usize) -> bool {
    if size > SERVED {
        return false;
    }
    let reserve = RESERVE.swap(null_mut(), Ordering::AcqRel);
    if reserve.is_null() {
        return false;
    }
    SPENT.store(true, Ordering::Relaxed);
    // SAFETY: an allocation of `LAYOUT` by `System`, which the swap took from everybody else.
    unsafe { System.dealloc(reserve, LAYOUT) };
    true
}

// SAFETY: every call is `System`'s, with the caller's own arguments; one that failed is made once more. Nothing
// here unwinds.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            let memory = System.alloc(layout);
            if memory.is_null() && spend(layout.size()) {
                return System.alloc(layout);
            }
            memory
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe {
            let memory = System.alloc_zeroed(layout);
            if memory.is_null() && spend(layout.size()) {
                return System.alloc_zeroed(layout);
            }
            memory
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's; a call that failed left `memory` as it was.
        unsafe {
            let moved = System.realloc(memory, layout, size);
            if moved.is_null() && spend(size) {
                return System.realloc(memory, layout, size);
            }
            moved
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Makes the reserve, where there is none and the system has the memory.
pub fn refill() {
    if !RESERVE.load(Ordering::Relaxed).is_null() {
        return;
    }
    // SAFETY: the layout has a size.
    let fresh = unsafe { System.alloc(LAYOUT) };
    if fresh.is_null() {
        return;
    }
    if RESERVE
        .compare_exchange(null_mut(), fresh, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {
        // SAFETY: allocated just now, and nobody else has it.
        unsafe { System.dealloc(fresh, LAYOUT) };
    }
    SPENT.store(false, Ordering::Relaxed);
}

/// Whether the reserve was used and not refilled yet.
pub fn is_short() -> bool {
    SPENT.load(Ordering::Relaxed)
}

/// There is no memory for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

/// Makes room for `more` bytes, which a peer or an application sized.
///
/// # Errors
/// `NoMemory`, and then nothing changed.
pub fn reserve(buffer: &mut Vec<u8>, more: usize) -> Result<(), NoMemory> {
    if is_short() {
        return Err(NoMemory);
    }
    buffer.try_reserve(more).map_err(|_| NoMemory)
}

/// Room for that many bytes.
///
/// # Errors
/// `NoMemory`.
pub fn with_capacity(size: usize) -> Result<Vec<u8>, NoMemory> {
    let mut buffer = Vec::new();
    reserve(&mut buffer, size)?;
    Ok(buffer)
}

/// A copy of `bytes`.
///
/// # Errors
/// `NoMemory`.
pub fn copy(bytes: &[u8]) -> Result<Vec<u8>, NoMemory> {
    let mut copy = with_capacity(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_allocation_gets_the_reserve_and_nothing_else_then() {
        refill();
        assert!(!is_short());
        assert!(!spend(SERVED + 1), "too long for the reserve");
        assert!(spend(SERVED));
        assert!(is_short() && !spend(1));
        assert_eq!(copy(b"abc"), Err(NoMemory));
        refill();
        assert_eq!(copy(b"abc").as_deref(), Ok(&b"abc"[..]));
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        assert_eq!(with_capacity(usize::MAX / 2), Err(NoMemory));
    }
}
