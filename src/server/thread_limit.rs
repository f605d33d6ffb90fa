//! The limit of the system on threads, as far as starting them has shown it.
//!
//! Such a limit may be temporary: other processes of the user end, memory becomes free. After an attempt
//! that failed, the next is made [`RETRY_AFTER`] later, not at each turn of the loop, since an attempt
//! makes objects and system calls. The failures in a row are one episode, which is logged once.

#![forbid(unsafe_code)]

use std::cell::Cell;

/// Microseconds from an attempt that failed to the next.
const RETRY_AFTER: u64 = 1_000_000;

/// Whether threads can be started, by the last attempt.
#[derive(Default)]
pub struct ThreadLimit {
    /// When the last attempt failed, on the clock of `now`.
    failed_at: Cell<Option<u64>>,
}

impl ThreadLimit {
    /// Whether an attempt may be made; `now` is in microseconds, read where the last one failed.
    pub fn allows_attempt(&self, now: impl FnOnce() -> u64) -> bool {
        let failed_at = self.failed_at.get();
        failed_at.is_none_or(|failed| now() >= failed.saturating_add(RETRY_AFTER))
    }

    /// An attempt failed at `now`. Whether it is the first of its episode.
    pub fn reached(&self, now: u64) -> bool {
        self.failed_at.replace(Some(now)).is_none()
    }

    /// A thread was started: the episode is over.
    pub fn lifted(&self) {
        self.failed_at.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clock_is_read_while_threads_can_be_started() {
        let limit = ThreadLimit::default();
        assert!(limit.allows_attempt(|| unreachable!()));
        limit.reached(5);
        limit.lifted();
        assert!(limit.allows_attempt(|| unreachable!()));
    }

    #[test]
    fn attempts_are_apart() {
        let limit = ThreadLimit::default();
        limit.reached(7);
        assert!(!limit.allows_attempt(|| 7));
        assert!(!limit.allows_attempt(|| 6 + RETRY_AFTER));
        assert!(limit.allows_attempt(|| 7 + RETRY_AFTER));
        limit.reached(7 + RETRY_AFTER);
        assert!(!limit.allows_attempt(|| 8 + RETRY_AFTER));
    }

    #[test]
    fn the_first_failure_of_an_episode_is_known() {
        let limit = ThreadLimit::default();
        assert!(limit.reached(1));
        assert!(!limit.reached(2));
        limit.lifted();
        assert!(limit.reached(3));
    }
}
