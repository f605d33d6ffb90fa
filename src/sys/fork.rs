//! Whether this process is a child that was forked in the middle of a run.
//!
//! A counter is raised in every child of a fork, by the C library itself, so that asking costs one
//! load and no system call.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// In this line of processes.
static FORKS: AtomicU32 = AtomicU32::new(0);
static CHILDREN: AtomicBool = AtomicBool::new(false);
static MARK: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn in_parent() {
    CHILDREN.store(true, Ordering::Relaxed);
}

/// From now on, forks are seen.
pub fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        // SAFETY: the handlers only change an atomic, which is safe at any moment. If they cannot be
        // registered (no memory), no fork is seen.
        let _ = unsafe { libc::pthread_atfork(None, Some(in_parent), Some(in_child)) };
    });
}

/// Whether this process forked, or was forked, since [`watch`].
pub fn was_seen() -> bool {
    CHILDREN.load(Ordering::Relaxed) || FORKS.load(Ordering::Relaxed) != 0
}

/// From now on, [`is_child`] distinguishes this process from its children.
pub fn mark() {
    watch();
    MARK.store(FORKS.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// Whether this process was forked since [`mark`].
pub fn is_child() -> bool {
    FORKS.load(Ordering::Relaxed) != MARK.load(Ordering::Relaxed)
}

/// Ends the process at once, without what the parent registered for its own end.
pub fn leave(code: i32) -> ! {
    // SAFETY: it never returns, and runs no code of this process.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_is_one() {
        mark();
        assert!(!is_child());
        // SAFETY: the child calls only what may be called after a fork: it looks and leaves.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            leave(if is_child() { 7 } else { 1 });
        }
        let mut status = 0;
        // SAFETY: the kernel fills `status` in.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(waited, child);
        assert_eq!(libc::WEXITSTATUS(status), 7);
        assert!(!is_child());
        assert!(was_seen());
    }
}
