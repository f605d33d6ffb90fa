//! The steps of the queue's model: the worlds that come after a world, by one step of one thread, of the monitor or
//! of the system.
//!
//! A step of a thread is what it does between getting the interpreter's lock and giving it up; waking a
//! thread is a step of its own, since it is done without the lock.

#![forbid(unsafe_code)]

use super::world::{Mistake, STREAMS, Thread, World};

impl World {
    /// The worlds after one step of anybody.
    pub fn steps(&self, mistake: Mistake) -> Vec<World> {
        let of_threads = (0..self.threads.len()).flat_map(|index| self.steps_of(index, mistake));
        of_threads.chain(self.steps_of_others()).collect()
    }

    /// The worlds after the holder has worked off one thing.
    fn work(mut self, index: usize, mistake: Mistake) -> Vec<World> {
        self.threads[index] = Thread::Works;
        if self.ready.is_empty() {
            self.threads[index] = Thread::CallsThreads;
            return vec![self];
        }
        let request = self.ready.remove(0);
        let mut unforeseen = self.clone();
        if unforeseen.demand.defers(false, || unforeseen.can_come()) {
            unforeseen.enqueue(request, false);
        } else {
            unforeseen.enter(index, Thread::Inside);
        }
        let mut demand = self.demand;
        if mistake == Mistake::OvertakesQueue {
            demand.queued = 0;
        }
        if demand.defers(true, || self.can_come()) {
            self.enqueue(request, true);
        } else {
            self.note_call(request);
            self.call_here(index);
        }
        vec![self, unforeseen]
    }

    fn poll(mut self, index: usize) -> Vec<World> {
        let mut worlds = Vec::new();
        self.threads[index] = Thread::Begins;
        if std::mem::take(&mut self.is_poll_woken) {
            worlds.push(self.clone());
        }
        for count in 0..=self.to_come.min(2) {
            for is_ready in [false, true] {
                let mut next = self.clone();
                next.ready.extend(self.arrived + 1..=self.arrived + count);
                next.arrived += count;
                next.to_come -= count;
                if is_ready && std::mem::take(&mut next.has_item) {
                    next.has_mail = true;
                    next.unpark(STREAMS);
                } else if is_ready {
                    continue;
                }
                if count > 0 || is_ready {
                    worlds.push(next);
                }
            }
        }
        worlds
    }

    /// The worlds after one step of this thread.
    fn steps_of(&self, index: usize, mistake: Mistake) -> Vec<World> {
        let mut next = self.clone();
        match self.threads[index] {
            Thread::Away => return Vec::new(),
            Thread::Comes => next.serve(index, mistake),
            Thread::Spare { woken: true } => next.leave_spares(index, true, mistake),
            // The main thread never ends.
            Thread::Spare { woken: false } if index == 0 => return Vec::new(),
            Thread::Spare { woken: false } => next.threads[index] = Thread::HasSlept,
            Thread::HasSlept => next.leave_spares(index, false, mistake),
            Thread::Begins => {
                if self.spares.is_empty() && self.may_start() {
                    next.start(false, mistake);
                }
                next.threads[index] = Thread::Helps;
            }
            Thread::Helps if self.demand.allows_quick_call() => {
                next.dequeue_quick();
                next.enter(index, Thread::Inside);
            }
            Thread::Helps if self.needs_holder(mistake) => {
                next.dequeue(mistake);
                next.call_here(index);
            }
            Thread::Helps | Thread::Works => return next.work(index, mistake),
            Thread::CallsThreads if index == STREAMS && self.has_mail => {
                next.has_mail = false;
                next.enter(index, Thread::Inside);
            }
            Thread::CallsThreads => {
                if mistake != Mistake::WaitsWithoutCalling {
                    if mistake == Mistake::ForgetsWhomToWake && next.demand.unattended() > 0 {
                        next.to_wake.clear();
                    }
                    let spares = next.expect_spares(false);
                    next.to_wake.extend(spares);
                    if next.demand.unattended() > 0 && next.may_start() {
                        // Others run while it starts.
                        next.start(true, mistake);
                        return vec![next];
                    }
                    let spares = next.expect_spares(true);
                    next.to_wake.extend(spares);
                }
                let waits = !next.needs_holder(mistake) && !next.demand.allows_quick_call();
                next.threads[index] = Thread::Wakes { waits };
                if self.may_keep_lock {
                    // Something is ready at once; nobody is woken by this poll.
                    let mut kept = next.clone();
                    kept.may_keep_lock = false;
                    kept.threads[index] = Thread::Polls;
                    let mut worlds = kept.poll(index);
                    for world in &mut worlds {
                        if mistake != Mistake::ForgetsWhomToWake {
                            for index in std::mem::take(&mut world.to_wake) {
                                world.unpark(index);
                            }
                        }
                    }
                    worlds.push(next);
                    return worlds;
                }
            }
            Thread::Wakes { waits } => match next.to_wake.pop() {
                Some(spare) => next.unpark(spare),
                None if waits => next.threads[index] = Thread::Polls,
                None => next.threads[index] = Thread::Begins,
            },
            Thread::Polls => return next.poll(index),
            Thread::Inside => {
                next.demand.calling -= 1;
                let holds = self.holder.is_none_or(|holder| holder == index);
                if holds {
                    next.holder = Some(index);
                }
                next.threads[index] = if holds { Thread::Works } else { Thread::Comes };
            }
            Thread::Calls | Thread::Streams => {
                next.demand.calling -= 1;
                next.serve(index, mistake);
            }
        }
        vec![next]
    }

    /// The world after the monitor's step, and the one in which the system may allow another thread again.
    fn steps_of_others(&self) -> Vec<World> {
        let mut worlds = Vec::new();
        let mut next = self.clone();
        if self.monitor_wakes {
            next.monitor_wakes = false;
            next.wake_spare();
            worlds.push(next);
        } else if self.is_stalled() {
            next.holder = None;
            next.monitor_wakes = true;
            worlds.push(next);
        }
        if !self.may_try && self.retries > 0 {
            let mut next = self.clone();
            next.may_try = true;
            next.retries -= 1;
            worlds.push(next);
        }
        worlds
    }
}
