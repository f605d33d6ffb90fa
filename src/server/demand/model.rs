//! The queue's hand-out as a model, walked exhaustively: the holder of the loop, threads in calls, spares, threads
//! that start and the monitor take each step in every order, over the real [`Demand`].
//!
//! A step of a thread is what it does between getting the interpreter's lock and giving it up; waking a
//! thread is a step of its own, since it is done without the lock. A call may last for ever, nothing more may
//! arrive, and no tick comes: a request that may be called for while everybody sleeps is lost, and so is a loop that
//! is free, or an item of a response that its thread is to go on with.
//!
//! Each [`Mistake`] is a trap: with it in, the model must find what is lost.

#![forbid(unsafe_code)]

use super::Demand;
use crate::every_order;

/// The thread that has a response to go on with.
const STREAMS: usize = 1;

/// A guard that is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mistake {
    None,
    /// A thread that came for the queue and takes the loop is still counted as coming.
    CountsTakerAsComing,
    /// One that was to start for the queue, and cannot, is still counted as coming.
    CountsFailedStartAsComing,
    /// One that waited for long ends, though it was taken for the queue.
    EndsThoughTaken,
    /// One that goes on with its response does not look what it leaves behind.
    LeavesQueueForItsResponse,
    /// One that calls for a request does not look what it leaves behind.
    LeavesQueueForCall,
    /// One that has a response to go on with leaves requests to others, and calls none of them.
    LeavesQueueToSleepers,
    /// One that becomes spare does not look whether the holder may call for a quick request again.
    LeavesQuickToSleepers,
    /// It wakes the holder only if no other thread can come, rather than if none comes.
    TrustsThatOthersCanCome,
    /// The holder calls for nothing, though nobody else can come.
    HolderNeverCalls,
    /// The holder waits without having called for threads.
    WaitsWithoutCalling,
    /// The threads to be woken replace those of before, which the wait did not wake.
    ForgetsWhomToWake,
    /// One takes a request, however many calls wait.
    ExceedsLimit,
    /// The holder calls for a request that is expected to wait, though others stand in the queue.
    OvertakesQueue,
}

/// What a thread does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Thread {
    /// It was not started, or has ended.
    Away,
    /// Comes, and looks what there is to do.
    Comes,
    /// Is spare, and sleeps until it is woken.
    Spare { woken: bool },
    /// Was spare for long, and wakes without being woken.
    HasSlept,
    /// Holds the loop, and begins to work.
    Begins,
    /// Calls for a request of the queue, if nobody else will.
    Helps,
    /// Works off what is ready.
    Works,
    /// Has nothing ready, and calls for threads.
    CallsThreads,
    /// Has released the lock and wakes whom it called; does it wait?
    Wakes { waits: bool },
    /// Waits for something to be ready.
    Polls,
    /// Is in a call that it entered as the holder.
    Inside,
    /// Is in a call for a request that is expected to wait.
    Calls,
    /// Goes on with its response.
    Streams,
}

/// How large a world is.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// How many threads may wait in calls.
    limit: usize,
    /// How many threads the system allows.
    threads: usize,
    /// How many requests come.
    requests: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    demand: Demand,
    /// Each with whether it is expected to wait.
    queue: Vec<(u8, bool)>,
    /// What the holder has ready.
    ready: Vec<u8>,
    /// How many requests may yet arrive.
    to_come: u8,
    arrived: u8,
    /// The last request of the queue that was called for.
    called: u8,
    is_disordered: bool,
    /// Who holds the loop.
    holder: Option<usize>,
    threads: Vec<Thread>,
    /// Those who sleep, the last one to be woken first.
    spares: Vec<usize>,
    coming: Vec<bool>,
    /// Whom the next wait wakes.
    to_wake: Vec<usize>,
    /// The holder's wait was ended.
    is_poll_woken: bool,
    /// The kernel has events already, and the next poll does not release the lock: once.
    may_keep_lock: bool,
    /// The response has an item to come, and its thread is to go on with it.
    has_item: bool,
    has_mail: bool,
    /// It has set the loop free, and wakes a spare.
    monitor_wakes: bool,
    /// Another thread may be tried, and how often it may yet become so again.
    may_try: bool,
    retries: u8,
}

impl World {
    /// The first thread polls, the second is spare.
    fn new(size: Size) -> World {
        let threads = size.threads;
        let mut all = vec![Thread::Away; threads];
        all[0] = Thread::Polls;
        let mut spares = Vec::new();
        if threads > STREAMS {
            all[STREAMS] = Thread::Spare { woken: false };
            spares.push(STREAMS);
        }
        World {
            demand: Demand::new(size.limit),
            queue: Vec::new(),
            ready: Vec::new(),
            to_come: size.requests,
            arrived: 0,
            called: 0,
            is_disordered: false,
            holder: Some(0),
            threads: all,
            spares,
            coming: vec![false; threads],
            to_wake: Vec::new(),
            is_poll_woken: false,
            may_keep_lock: true,
            has_item: threads > STREAMS,
            has_mail: false,
            monitor_wakes: false,
            may_try: true,
            retries: 1,
        }
    }

    fn may_start(&self) -> bool {
        let away = |each: &&Thread| **each == Thread::Away;
        let started = self.threads.len() - self.threads.iter().filter(away).count();
        started < self.demand.limit + 2 && self.may_try
    }

    fn can_come(&self) -> bool {
        !self.spares.is_empty() || self.may_start()
    }

    fn needs_holder(&self, mistake: Mistake) -> bool {
        mistake != Mistake::HolderNeverCalls && self.demand.needs_holder(|| self.can_come())
    }

    fn enqueue(&mut self, request: u8, waits: bool) {
        self.queue.push((request, waits));
        self.count_queued();
    }

    fn count_queued(&mut self) {
        self.demand.queued = self.queue.len();
        self.demand.quick = self.queue.iter().filter(|(_, waits)| !waits).count();
    }

    fn dequeue_quick(&mut self) -> bool {
        let first = self.queue.iter().position(|(_, waits)| !waits);
        let first = first.filter(|_| self.demand.allows_quick_call());
        if let Some(at) = first {
            self.queue.remove(at);
            self.count_queued();
        }
        first.is_some()
    }

    fn dequeue(&mut self, mistake: Mistake) -> bool {
        let may = self.demand.allows_call() || mistake == Mistake::ExceedsLimit;
        if self.queue.is_empty() || !may {
            return false;
        }
        let (request, _) = self.queue.remove(0);
        self.count_queued();
        self.note_call(request);
        true
    }

    fn note_call(&mut self, request: u8) {
        self.is_disordered |=
            request < self.called || !self.queue.iter().all(|(each, _)| *each > request);
        self.called = request;
    }

    fn expect(&mut self, index: usize) {
        self.coming[index] = true;
        self.demand.coming += 1;
    }

    fn has_come(&mut self, index: usize) {
        if std::mem::take(&mut self.coming[index]) {
            self.demand.coming -= 1;
        }
    }

    /// A thread starts, for the queue or to be spare, unless the system allows none.
    fn start(&mut self, for_queue: bool, mistake: Mistake) {
        let away = self.threads.iter().position(|each| *each == Thread::Away);
        match away {
            Some(index) => {
                self.threads[index] = Thread::Comes;
                if for_queue {
                    self.expect(index);
                }
            }
            None => {
                self.may_try = false;
                if for_queue && mistake == Mistake::CountsFailedStartAsComing {
                    self.demand.coming += 1;
                }
            }
        }
    }

    fn unpark(&mut self, index: usize) {
        if let Thread::Spare { woken } = &mut self.threads[index] {
            *woken = true;
        }
    }

    fn wake_spare(&mut self) {
        if let Some(spare) = self.spares.pop() {
            self.unpark(spare);
        }
    }

    /// The holder sets the loop free for a call of its own.
    fn call_here(&mut self, index: usize) {
        self.holder = None;
        self.wake_spare();
        self.enter(index, Thread::Calls);
    }

    fn enter(&mut self, index: usize, call: Thread) {
        self.demand.calling += 1;
        self.threads[index] = call;
    }

    fn wake_holder_if_waiting(&mut self, mistake: Mistake) {
        let is_left = match mistake {
            Mistake::TrustsThatOthersCanCome => self.needs_holder(mistake),
            _ => self.demand.leaves_unattended(),
        };
        if is_left {
            self.wake_holder();
        }
    }

    fn wake_holder(&mut self) {
        let waits = |each: &Thread| matches!(each, Thread::Polls | Thread::Wakes { waits: true });
        self.is_poll_woken |= self.threads.iter().any(waits);
    }

    /// A thread that does not hold the loop has the lock.
    fn serve(&mut self, index: usize, mistake: Mistake) {
        let takes_loop = self.holder.is_none();
        if !takes_loop || mistake != Mistake::CountsTakerAsComing {
            self.has_come(index);
        }
        if takes_loop {
            self.holder = Some(index);
            self.threads[index] = Thread::Begins;
        } else if index == STREAMS && std::mem::take(&mut self.has_mail) {
            if mistake != Mistake::LeavesQueueForItsResponse {
                self.wake_holder_if_waiting(mistake);
            }
            self.enter(index, Thread::Streams);
        } else if !self.leaves_queue_to_spares(index, mistake) && self.dequeue(mistake) {
            if mistake != Mistake::LeavesQueueForCall {
                self.wake_holder_if_waiting(mistake);
            }
            self.enter(index, Thread::Calls);
        } else {
            if self.demand.allows_quick_call() && mistake != Mistake::LeavesQuickToSleepers {
                self.wake_holder();
            }
            self.spares.push(index);
            self.threads[index] = Thread::Spare { woken: false };
        }
    }

    /// One that was spare has the lock.
    fn leave_spares(&mut self, index: usize, woken: bool, mistake: Mistake) {
        let was_spare = self.spares.contains(&index);
        self.spares.retain(|spare| *spare != index);
        let ends_taken = mistake == Mistake::EndsThoughTaken && self.coming[index];
        let is_needed = !was_spare && !ends_taken || self.spares.is_empty();
        if woken || is_needed || self.has_item && index == STREAMS {
            self.serve(index, mistake);
        } else {
            self.has_come(index);
            self.threads[index] = Thread::Away;
        }
    }

    fn has_streams(&self, index: usize) -> bool {
        index == STREAMS && (self.has_item || self.has_mail)
    }

    /// One that has a response to go on with has others come.
    fn leaves_queue_to_spares(&mut self, index: usize, mistake: Mistake) -> bool {
        if !self.has_streams(index) {
            return false;
        }
        if mistake == Mistake::LeavesQueueToSleepers {
            return true;
        }
        for spare in self.expect_spares(false) {
            self.unpark(spare);
        }
        self.demand.unattended() == 0
    }

    fn expect_spares(&mut self, may_have_streams: bool) -> Vec<usize> {
        let mut taken = Vec::new();
        let mut at = self.spares.len();
        while self.demand.unattended() > 0 && at > 0 {
            at -= 1;
            if may_have_streams || !self.has_streams(self.spares[at]) {
                let spare = self.spares.remove(at);
                self.expect(spare);
                taken.push(spare);
            }
        }
        taken
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

    /// The holder is in a call: the monitor sees it.
    fn is_stalled(&self) -> bool {
        (self.holder).is_some_and(|holder| self.threads[holder] == Thread::Inside)
    }

    /// What is wrong with this world.
    fn fault(&self) -> Option<&'static str> {
        if self.is_disordered {
            return Some(DISORDERED);
        }
        let count = |is: fn(&Thread) -> bool| self.threads.iter().filter(|each| is(each)).count();
        if count(|each| *each == Thread::Calls) > self.demand.limit {
            return Some(TOO_MANY);
        }
        let sleeps = |each: &Thread| {
            let in_call = matches!(each, Thread::Inside | Thread::Calls | Thread::Streams);
            in_call || matches!(each, Thread::Away | Thread::Spare { woken: false })
        };
        let awake = self.threads.iter().filter(|each| !sleeps(each)).count();
        let polling = count(|each| *each == Thread::Polls);
        let polls = polling == 1 && !self.is_poll_woken;
        if awake > usize::from(polls) || self.monitor_wakes || self.is_stalled() {
            return None;
        }
        let spare = count(|each| matches!(each, Thread::Spare { .. }));
        let may_call = !self.queue.is_empty() && self.demand.allows_call();
        let may_call_here = polls && self.demand.allows_quick_call();
        if may_call && (polls || spare > 0) || may_call_here {
            return Some(LOST);
        }
        if self.holder.is_none() && spare > 0 {
            return Some("the loop is free, and everybody sleeps");
        }
        let owner = self.threads.get(STREAMS);
        if self.has_mail && owner == Some(&(Thread::Spare { woken: false })) {
            return Some("a response goes on, and its thread sleeps");
        }
        None
    }
}

const LOST: &str = "a request may be called for, and everybody sleeps";
const TOO_MANY: &str = "more calls wait than may";
const DISORDERED: &str = "a request was overtaken";

const fn size(limit: usize, threads: usize, requests: u8) -> Size {
    Size {
        limit,
        threads,
        requests,
    }
}

/// As many threads as the server wants, or fewer.
const SIZES: [Size; 4] = [size(2, 1, 3), size(2, 2, 3), size(1, 3, 2), size(2, 3, 2)];

fn walk(size: Size, mistake: Mistake) -> (Option<&'static str>, usize) {
    let steps = |world: &World| {
        let of_threads = (0..size.threads).flat_map(|index| world.steps_of(index, mistake));
        of_threads.chain(world.steps_of_others()).collect()
    };
    let (found, worlds) =
        every_order::walk(vec![World::new(size)], steps, |world, _| world.fault());
    (found.map(|(fault, _)| fault), worlds)
}

#[test]
fn no_order_of_steps_loses_a_request() {
    for size in SIZES {
        let (fault, worlds) = walk(size, Mistake::None);
        assert_eq!(fault, None, "{size:?}");
        assert!(worlds > 500, "{worlds} worlds");
    }
}

#[test]
fn each_guard_is_needed() {
    let expected = [
        (Mistake::CountsTakerAsComing, LOST),
        (Mistake::CountsFailedStartAsComing, LOST),
        (Mistake::EndsThoughTaken, LOST),
        (Mistake::LeavesQueueForItsResponse, LOST),
        (Mistake::LeavesQueueForCall, LOST),
        (Mistake::LeavesQueueToSleepers, LOST),
        (Mistake::LeavesQuickToSleepers, LOST),
        (Mistake::TrustsThatOthersCanCome, LOST),
        (Mistake::HolderNeverCalls, LOST),
        (Mistake::WaitsWithoutCalling, LOST),
        (Mistake::ForgetsWhomToWake, LOST),
        (Mistake::ExceedsLimit, TOO_MANY),
        (Mistake::OvertakesQueue, DISORDERED),
    ];
    for (mistake, fault) in expected {
        let found = SIZES.into_iter().find_map(|size| walk(size, mistake).0);
        assert_eq!(found, Some(fault), "{mistake:?}");
    }
}
