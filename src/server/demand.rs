//! How many threads the requests that wait for one need: numbers in, a decision out.
//!
//! Nobody looks at the queue by himself: a thread is woken or made for it, and counted as coming until it has
//! the interpreter's lock. Invariant: where a request waits and may be called for, a thread comes for it, or
//! the holder of the loop is awake and looks before its wait ([`Demand::unattended`]). The model walks every
//! order of what threads do about it.

#![forbid(unsafe_code)]

/// Calls, requests that wait for a thread, and threads that come for them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Demand {
    /// How many threads may wait in calls.
    pub limit: usize,
    /// Threads in calls, the holder of the loop included.
    pub calling: usize,
    /// Requests that wait for a thread.
    pub queued: usize,
    /// Those of them that are expected to be quick: one more call went on than may wait when they came.
    pub quick: usize,
    /// Threads that were woken or made for them, and have not come yet.
    pub coming: usize,
}

impl Demand {
    /// None yet.
    pub fn new(limit: usize) -> Demand {
        Demand {
            limit,
            calling: 0,
            queued: 0,
            quick: 0,
            coming: 0,
        }
    }

    /// Whether the request that waits longest may be called for.
    pub fn allows_call(&self) -> bool {
        self.calling < self.limit
    }

    /// Requests that may be called for, and for which no thread comes.
    pub fn unattended(&self) -> usize {
        self.queued
            .min(self.limit.saturating_sub(self.calling))
            .saturating_sub(self.coming)
    }

    /// Whether a thread that is about to enter a call leaves requests behind for which nobody comes.
    pub fn leaves_unattended(&self) -> bool {
        let calling = self.calling + 1;
        Demand { calling, ..*self }.unattended() > 0
    }

    /// Whether requests have to wait until a call returns.
    pub fn exceeds_limit(&self) -> bool {
        self.queued > self.limit.saturating_sub(self.calling)
    }

    /// Whether a thread other than the holder of the loop will call for a request, now or when a call
    /// returns. `can_come`: one is spare, or can be started.
    pub fn has_other_thread(&self, can_come: impl FnOnce() -> bool) -> bool {
        !self.allows_call() || self.coming > 0 || can_come()
    }

    /// Whether the holder of the loop has a request wait for another thread: in order of arrival if it is
    /// expected to wait; any, if already one more call goes on than may wait.
    pub fn defers(&self, waits: bool, can_come: impl FnOnce() -> bool) -> bool {
        self.calling > self.limit || waits && (self.queued > 0 || self.has_other_thread(can_come))
    }

    /// Whether the holder of the loop may call for a request of the queue that is expected to be quick.
    pub fn allows_quick_call(&self) -> bool {
        self.quick > 0 && self.calling <= self.limit
    }

    /// Whether the holder of the loop is to call for a request of the queue, since no other thread will.
    pub fn needs_holder(&self, can_come: impl FnOnce() -> bool) -> bool {
        self.queued > 0 && !self.has_other_thread(can_come)
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_come_than_may_call() {
        let mut demand = Demand::new(2);
        assert_eq!(demand.unattended(), 0);
        demand.queued = 3;
        assert!(demand.unattended() == 2 && demand.exceeds_limit());
        demand.coming = 1;
        assert!(demand.unattended() == 1 && !demand.leaves_unattended());
        demand.calling = 2;
        assert!(demand.unattended() == 0 && !demand.allows_call());
        demand.calling = 3;
        assert!(demand.unattended() == 0 && demand.exceeds_limit());
    }

    #[test]
    fn the_holder_calls_where_nobody_else_will() {
        let mut demand = Demand::new(2);
        assert!(!demand.defers(true, || false) && demand.defers(true, || true));
        assert!(!demand.needs_holder(|| false));
        demand.queued = 1;
        assert!(demand.defers(true, || false) && !demand.defers(false, || true));
        assert!(demand.needs_holder(|| false) && !demand.needs_holder(|| true));
        demand.coming = 1;
        assert!(!demand.needs_holder(|| false));
        demand.coming = 0;
        demand.calling = 2;
        assert!(!demand.needs_holder(|| false), "a call returns");
        assert!(!demand.defers(false, || true));
        demand.quick = 1;
        assert!(demand.allows_quick_call());
        demand.calling = 3;
        assert!(demand.defers(false, || true) && !demand.allows_quick_call());
    }
}
