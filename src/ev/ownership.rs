//! Which thread libev's default loop belongs to.
//!
//! libev has one default loop a process and does no locking, while any thread may ask for it. The
//! loop belongs to the thread that runs it or has watchers on it, and to nobody in between: a
//! program may serve from one thread, and later from another.
//!
//! Threads that take turns under a lock of their own, as those of a Python program do under the
//! interpreter's, may hand it on with everything that keeps it ([`take_turns`]).
//!
//! Invariant: while `OWNER` is not 0, only the thread it names touches libev or `HOLDS`. A thread
//! becomes the owner by one compare-and-swap from 0, and releases the loop (`Release`, met by the
//! next owner's `Acquire`) when its last hold ends.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The owner's [`token`]; 0 is nobody.
static OWNER: AtomicUsize = AtomicUsize::new(0);
/// The owner's reasons to keep the loop: active watchers, running calls.
static HOLDS: AtomicUsize = AtomicUsize::new(0);

/// A thread is in libev's code, and not in its wait.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Threads take turns with the loop.
static TURNS: AtomicBool = AtomicBool::new(false);

/// From now on, or no more, threads take turns with the loop under one lock of theirs: the one that holds
/// it is the owner. The lock orders what one thread did before what the next does; here it is only found
/// out whether it is really held.
pub fn take_turns(turns: bool) {
    TURNS.store(turns, Ordering::Relaxed);
}

/// The loop becomes the calling thread's, where threads take turns and no other is in libev's code.
fn adopt(me: usize) -> bool {
    let adopts = TURNS.load(Ordering::Relaxed) && !BUSY.load(Ordering::Acquire);
    if adopts {
        OWNER.store(me, Ordering::Relaxed);
    }
    adopts
}

/// The calling thread, the owner, enters libev's code, or leaves it, be it for the wait.
pub fn set_busy(busy: bool) {
    BUSY.store(busy, Ordering::Release);
}

/// The loop is in use by another thread.
#[derive(Debug)]
pub struct Occupied;

/// The calling thread has the loop until a matching [`leave`].
fn enter() -> Result<(), Occupied> {
    let me = token();
    if OWNER.load(Ordering::Relaxed) != me
        && !adopt(me)
        && OWNER
            .compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
    {
        return Err(Occupied);
    }
    HOLDS.store(HOLDS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    Ok(())
}

/// Ends one hold of the calling thread, which is the owner: it has a hold to end.
pub fn leave() {
    debug_assert!(TURNS.load(Ordering::Relaxed) || OWNER.load(Ordering::Relaxed) == token());
    let left = HOLDS.load(Ordering::Relaxed) - 1;
    HOLDS.store(left, Ordering::Relaxed);
    if left == 0 {
        OWNER.store(0, Ordering::Release);
    }
}

/// In a fork's child only the forking thread is left: what another one owned falls to it.
pub fn inherit_after_fork() {
    if OWNER.load(Ordering::Relaxed) != 0 {
        OWNER.store(token(), Ordering::Relaxed);
    }
}

/// A hold on the loop that ends with its scope.
pub struct LoopGuard(());

impl LoopGuard {
    /// # Panics
    /// When another thread has the loop.
    pub fn new() -> LoopGuard {
        LoopGuard::try_new().expect("libev's loop is in use by another thread")
    }

    pub fn try_new() -> Result<LoopGuard, Occupied> {
        enter().map(|()| LoopGuard(()))
    }

    /// Keeps the hold until a [`leave`].
    pub fn retain(self) {
        std::mem::forget(self);
    }
}

impl Drop for LoopGuard {
    fn drop(&mut self) {
        leave();
    }
}

/// What belongs to the loop: only its owner looks at it.
pub struct OwnerCell<T>(T);

// SAFETY: `get` asks for a guard, which only the owner has. What one owner wrote the next one sees: `OWNER` is
// released by the one and acquired by the other, or both held the lock under which threads take turns, which
// the caller of `take_turns` promises. A value is never dropped: it is a static's.
unsafe impl<T> Sync for OwnerCell<T> {}

impl<T> OwnerCell<T> {
    pub const fn new(value: T) -> OwnerCell<T> {
        OwnerCell(value)
    }

    pub fn get<'a>(&'a self, _: &'a LoopGuard) -> &'a T {
        &self.0
    }
}

/// The address of a thread-local: no two living threads share it, and it is never 0.
fn token() -> usize {
    thread_local!(static HERE: Cell<u8> = const { Cell::new(0) });
    HERE.with(|here| here.as_ptr().addr())
}
