//! How often calls stall the loop, and how far apart looks are to be for them.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// Between two looks at least.
const CLOSEST: Duration = Duration::from_micros(250);

/// Half of what a look costs, in seconds.
const HALF_A_LOOK: f64 = 8e-6;

/// The stalls so far.
pub struct Stalls {
    last: Instant,
    /// Between two of them, lately.
    between: Duration,
}

impl Stalls {
    /// None yet.
    pub fn none(now: Instant) -> Stalls {
        Stalls {
            last: now,
            between: Duration::from_secs(1),
        }
    }

    /// A call stalled the loop, and lost it.
    pub fn add(&mut self, now: Instant) {
        self.between = (self.between * 3 + (now - self.last)) / 4;
        self.last = now;
    }

    /// Between two looks, `longest` at most. A stall lasts for two pauses: so all looks together cost no more
    /// time than the stalls that they end.
    pub fn pause(&self, now: Instant, longest: Duration) -> Duration {
        let between = self.between.max(now - self.last).as_secs_f64();
        let pause = Duration::from_secs_f64((HALF_A_LOOK * between).sqrt());
        pause.clamp(CLOSEST, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(1);

    /// The pause after a hundred stalls, so far apart.
    fn pause_after(between: Duration) -> Duration {
        let mut now = Instant::now();
        let mut stalls = Stalls::none(now);
        for _ in 0..100 {
            now += between;
            stalls.add(now);
        }
        stalls.pause(now, LONGEST)
    }

    #[test]
    fn the_more_calls_stall_the_more_often_it_looks() {
        assert_eq!(pause_after(Duration::from_secs(1)), LONGEST);
        assert_eq!(pause_after(Duration::from_millis(1)), CLOSEST);
        let ten_a_second = pause_after(Duration::from_millis(100)).as_micros();
        assert!((850..950).contains(&ten_a_second), "{ten_a_second}");
    }

    #[test]
    fn it_calms_down_when_none_comes() {
        let now = Instant::now();
        let mut stalls = Stalls::none(now);
        assert_eq!(stalls.pause(now, LONGEST), LONGEST);
        (0..20).for_each(|_| stalls.add(now));
        assert_eq!(stalls.pause(now, LONGEST), CLOSEST);
        let later = now + Duration::from_millis(20);
        assert!(stalls.pause(later, LONGEST) > CLOSEST);
        assert_eq!(stalls.pause(now + Duration::from_secs(1), LONGEST), LONGEST);
    }
}
