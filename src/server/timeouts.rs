//! Timeouts: a coarse clock, and when each connection is due.
//!
//! One timer of a quarter of a second serves all connections: a deadline is a number of ticks, set
//! by storing an integer, and looked at when the clock ticks.

#![forbid(unsafe_code)]

use std::cell::Cell;

use crate::config::Config;

/// Seconds between two ticks.
pub const PERIOD: f64 = 0.25;

/// Seconds for which a slow body is forgiven.
const GRACE: f64 = 20.0;

/// The clock of a run, in ticks since it began.
#[derive(Default)]
pub struct Clock {
    now: Cell<u32>,
}

/// A moment on the clock; `0` is never.
#[derive(Default)]
pub struct Deadline(Cell<u32>);

impl Clock {
    /// A tick has passed.
    pub fn tick(&self) {
        self.now.set(self.now.get().saturating_add(1));
    }

    /// Seconds since the clock began.
    pub fn seconds(&self) -> f64 {
        f64::from(self.now.get()) * PERIOD
    }

    fn ticks(seconds: f64) -> u32 {
        // A conversion by saturation: an infinite timeout is the end of the clock.
        let ticks = seconds / PERIOD;
        let whole = ticks as u32;
        whole.saturating_add(u32::from(f64::from(whole) < ticks))
    }
}

impl Deadline {
    /// Due `seconds` from now, at the earliest.
    pub fn set(&self, clock: &Clock, seconds: f64) {
        self.0.set(
            clock
                .now
                .get()
                .saturating_add(1)
                .saturating_add(Clock::ticks(seconds)),
        );
    }

    /// Whether it was set, to `seconds`, less than `age` seconds ago.
    pub fn is_younger(&self, clock: &Clock, seconds: f64, age: f64) -> bool {
        let now_set = Deadline::default();
        now_set.set(clock, seconds);
        self.0.get().saturating_add(Clock::ticks(age)) > now_set.0.get()
            || now_set.0.get() == u32::MAX
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        self.0.get() != 0
    }

    /// When it is due, in ticks.
    pub fn ticks(&self) -> u32 {
        self.0.get()
    }

    /// Whether it has come.
    pub fn is_past(&self, clock: &Clock) -> bool {
        let due = self.0.get();
        due != 0 && due <= clock.now.get()
    }
}

/// Seconds that a body may still take, of which `received` bytes came since `began`: until it stands
/// still for too long, or falls behind the least rate.
pub fn body_patience(config: &Config, clock: &Clock, began: f64, received: u64) -> f64 {
    let rate = config.body_min_rate;
    if rate <= 0.0 {
        return config.body_timeout;
    }
    let behind = began + GRACE.max(received as f64 / rate) - clock.seconds();
    config.body_timeout.min(behind.max(0.0))
}
