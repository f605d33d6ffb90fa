//! Clocks that only go forward: elapsed time, and the processor time of a thread.

use std::mem::MaybeUninit;

/// Microseconds since some moment before the process began (`CLOCK_MONOTONIC`, the same for all
/// processes until the machine starts anew).
pub fn monotonic_micros() -> u64 {
    monotonic_nanos() / 1_000
}

/// The same in nanoseconds.
pub fn monotonic_nanos() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

/// The processor time that the calling thread has used, in nanoseconds.
pub fn thread_cpu_nanos() -> u64 {
    nanoseconds(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// A moment as clocks on the wall show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LocalTime {
    pub year: i32,
    /// From 0 on.
    pub month: usize,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    /// Minutes east of Greenwich.
    pub offset: i32,
}

impl LocalTime {
    /// `2026-11-28`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month + 1, self.day)
    }

    /// `23:59:59`.
    pub fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// `+0100`, with something between hours and minutes.
    pub fn offset(&self, between: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (self.offset.abs() / 60, self.offset.abs() % 60);
        format!("{sign}{hours:02}{between}{minutes:02}")
    }
}

/// What the wall says at `second` (Unix time).
pub fn local_time(second: i64) -> LocalTime {
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    let second = second as libc::time_t;
    // SAFETY: both are live; where the call fails, zeros are valid parts of a time.
    let parts = unsafe {
        libc::localtime_r(&raw const second, parts.as_mut_ptr());
        parts.assume_init()
    };
    LocalTime {
        year: parts.tm_year + 1900,
        month: parts.tm_mon as usize,
        day: parts.tm_mday,
        hour: parts.tm_hour,
        minute: parts.tm_min,
        second: parts.tm_sec,
        offset: (parts.tm_gmtoff / 60) as i32,
    }
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the kernel fills `now` in. Should it not know the clock, zeros are a valid time.
    let now = unsafe {
        libc::clock_gettime(clock, now.as_mut_ptr());
        now.assume_init()
    };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn elapsed_time_is_that_of_the_standard_library() {
        let (began, before) = (Instant::now(), monotonic_micros());
        std::thread::sleep(Duration::from_millis(3));
        let elapsed = monotonic_micros() - before;
        assert!(elapsed >= 3_000, "{elapsed}");
        assert!(u128::from(elapsed) <= began.elapsed().as_micros() + 1);
    }

    #[test]
    fn the_wall_agrees_with_the_offset() {
        let second = 784_111_777; // 1994-11-06 08:49:37 UTC
        let local = local_time(second);
        let minutes = local.hour * 60 + local.minute - local.offset;
        assert_eq!((minutes.rem_euclid(1440), local.second), (8 * 60 + 49, 37));
        assert_eq!((local.year, local.month), (1994, 10));
    }

    #[test]
    fn only_work_costs_processor_time() {
        let before = thread_cpu_nanos();
        let mut sum = 0u64;
        while thread_cpu_nanos() < before + 1_000_000 {
            sum = std::hint::black_box(sum + 1); // ends: the loop itself is work
        }
        let slept_from = (thread_cpu_nanos(), monotonic_micros());
        std::thread::sleep(Duration::from_millis(200));
        let slept = (monotonic_micros() - slept_from.1) * 1_000;
        assert!(thread_cpu_nanos() - slept_from.0 < slept / 2);
    }
}
