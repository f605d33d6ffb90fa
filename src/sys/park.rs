//! A thread that waits until another one wakes it: one word, and the kernel only when somebody sleeps.
//!
//! `std::thread::park` works in the same way, but belongs to a thread: a waker must have its
//! handle, and whatever else parks on that thread (a channel, a `Once`) may take the wake-up. A
//! [`Parker`] belongs to a matter: it can be a `static` or a field, is there before the thread is, and
//! has no wake-ups but its own.
//!
//! Invariant: `state` is `AWAKE`, `PARKED` (one thread sleeps or is about to) or `NOTIFIED` (the next
//! `park` returns at once). Only the parking thread sets `PARKED`.

#[cfg(target_os = "linux")]
use super::clock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const AWAKE: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

/// Where one thread at a time waits for others.
pub struct Parker {
    state: AtomicU32,
    #[cfg(not(target_os = "linux"))]
    sleep: (std::sync::Mutex<()>, std::sync::Condvar),
}

impl Parker {
    /// One that nobody waits at and nobody has notified.
    pub const fn new() -> Parker {
        Parker {
            state: AtomicU32::new(AWAKE),
            #[cfg(not(target_os = "linux"))]
            sleep: (std::sync::Mutex::new(()), std::sync::Condvar::new()),
        }
    }

    /// Waits until [`unpark`](Self::unpark) is called; returns at once if it was called since the last
    /// wait. What was written before `unpark` can be read after it.
    pub fn park(&self) {
        self.park_until_notified(None);
    }

    /// The same for at most `time`; whether it was notified.
    pub fn park_for(&self, time: Duration) -> bool {
        self.park_until_notified(Some(time))
    }

    /// Ends the wait, or the next one.
    pub fn unpark(&self) {
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == PARKED {
            self.wake();
        }
    }

    /// Whether a thread waits here.
    pub fn is_parked(&self) -> bool {
        self.state.load(Ordering::Relaxed) == PARKED
    }

    fn park_until_notified(&self, time: Option<Duration>) -> bool {
        // Fails when it is `NOTIFIED` already.
        let vacant = self
            .state
            .compare_exchange(AWAKE, PARKED, Ordering::Acquire, Ordering::Acquire)
            .is_ok();
        if vacant {
            self.sleep_until_notified(time);
        }
        self.state.swap(AWAKE, Ordering::Acquire) == NOTIFIED
    }

    /// The end of the wait is a moment and not a duration: the clock is read once.
    #[cfg(target_os = "linux")]
    fn sleep_until_notified(&self, time: Option<Duration>) {
        let end = time.map(|time| {
            let end = clock::monotonic_nanos()
                .saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
                .min(i64::MAX as u64);
            libc::timespec {
                tv_sec: (end / 1_000_000_000) as libc::time_t,
                tv_nsec: (end % 1_000_000_000) as libc::c_long,
            }
        });
        while self.state.load(Ordering::Acquire) == PARKED {
            // SAFETY: the kernel compares the word with `PARKED`, sleeps until it is woken, interrupted
            // or the time has come, and reads the time, which lives through the call.
            let slept = unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.state.as_ptr(),
                    libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
                    PARKED,
                    end.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
                    std::ptr::null::<u32>(),
                    libc::FUTEX_BITSET_MATCH_ANY,
                )
            };
            let is_over =
                || std::io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT);
            if slept == -1 && is_over() {
                break;
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn wake(&self) {
        // SAFETY: the kernel uses the word's address as a name only.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.state.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            );
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn sleep_until_notified(&self, time: Option<Duration>) {
        use std::sync::PoisonError;
        use std::time::Instant;
        let end = time.and_then(|time| Instant::now().checked_add(time));
        // `wake` takes the mutex after it changed the word: nothing is missed.
        let mut guard = self.sleep.0.lock().unwrap_or_else(PoisonError::into_inner);
        while self.state.load(Ordering::Acquire) == PARKED {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            guard = match left {
                Some(Duration::ZERO) => break,
                Some(left) => self
                    .sleep
                    .1
                    .wait_timeout(guard, left)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard),
                None => self
                    .sleep
                    .1
                    .wait(guard)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn wake(&self) {
        drop(self.sleep.0.lock());
        self.sleep.1.notify_one();
    }
}

impl Default for Parker {
    fn default() -> Parker {
        Parker::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    #[test]
    fn a_notification_is_kept_until_the_next_wait_and_counts_once() {
        let parker = Parker::new();
        parker.unpark();
        parker.unpark();
        parker.park();
        assert!(!parker.park_for(Duration::from_millis(1)));
        assert!(!parker.is_parked());
    }

    #[test]
    fn what_was_written_before_is_there_after() {
        static PARKER: Parker = Parker::new();
        static VALUE: AtomicUsize = AtomicUsize::new(0);
        let other = thread::spawn(|| {
            PARKER.park();
            VALUE.load(Ordering::Relaxed)
        });
        while !PARKER.is_parked() {
            thread::yield_now();
        }
        VALUE.store(7, Ordering::Relaxed);
        PARKER.unpark();
        assert_eq!(other.join().unwrap(), 7);
    }

    #[test]
    fn no_wake_up_is_lost() {
        static HERE: Parker = Parker::new();
        static THERE: Parker = Parker::new();
        const TIMES: usize = 2_000;
        let other = thread::spawn(|| {
            for _ in 0..TIMES {
                THERE.park();
                HERE.unpark();
            }
        });
        for _ in 0..TIMES {
            THERE.unpark();
            HERE.park();
        }
        other.join().unwrap();
    }

    #[test]
    fn a_wait_lasts_its_time() {
        let (parker, began) = (Parker::new(), std::time::Instant::now());
        assert!(!parker.park_for(Duration::from_millis(20)));
        assert!(began.elapsed() >= Duration::from_millis(20));
        assert!(!parker.park_for(Duration::ZERO));
    }

    #[test]
    fn a_time_too_long_for_the_clock_is_for_ever() {
        let parker = Parker::new();
        parker.unpark();
        assert!(parker.park_for(Duration::MAX));
    }
}
