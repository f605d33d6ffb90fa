//! The world of the queue's model: the queue, the threads of a run and what each is about to do, and the server's own
//! acts on them, such as the taking of a request. When they are done is for [`super::steps`] to say.

#![forbid(unsafe_code)]

use crate::server::demand::Demand;

/// The thread that has a response to go on with.
pub const STREAMS: usize = 1;

/// A guard that is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mistake {
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
pub enum Thread {
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
pub struct Size {
    /// How many threads may wait in calls.
    pub limit: usize,
    /// How many threads the system allows.
    pub threads: usize,
    /// How many requests come.
    pub requests: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct World {
    pub demand: Demand,
    /// Each with whether it is expected to wait.
    pub queue: Vec<(u8, bool)>,
    /// What the holder has ready.
    pub ready: Vec<u8>,
    /// How many requests may yet arrive.
    pub to_come: u8,
    pub arrived: u8,
    /// The last request of the queue that was called for.
    pub called: u8,
    pub is_disordered: bool,
    /// Who holds the loop.
    pub holder: Option<usize>,
    pub threads: Vec<Thread>,
    /// Those who sleep, the last one to be woken first.
    pub spares: Vec<usize>,
    pub coming: Vec<bool>,
    /// Whom the next wait wakes.
    pub to_wake: Vec<usize>,
    /// The holder's wait was ended.
    pub is_poll_woken: bool,
    /// The kernel has events already, and the next poll does not release the lock: once.
    pub may_keep_lock: bool,
    /// The response has an item to come, and its thread is to go on with it.
    pub has_item: bool,
    pub has_mail: bool,
    /// It has set the loop free, and wakes a spare.
    pub monitor_wakes: bool,
    /// Another thread may be tried, and how often it may yet become so again.
    pub may_try: bool,
    pub retries: u8,
}

impl World {
    /// The first thread polls, the second is spare.
    pub fn new(size: Size) -> World {
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

    pub fn may_start(&self) -> bool {
        let away = |each: &&Thread| **each == Thread::Away;
        let started = self.threads.len() - self.threads.iter().filter(away).count();
        started < self.demand.limit + 2 && self.may_try
    }

    pub fn can_come(&self) -> bool {
        !self.spares.is_empty() || self.may_start()
    }

    pub fn needs_holder(&self, mistake: Mistake) -> bool {
        mistake != Mistake::HolderNeverCalls && self.demand.needs_holder(|| self.can_come())
    }

    pub fn enqueue(&mut self, request: u8, waits: bool) {
        self.queue.push((request, waits));
        self.count_queued();
    }

    pub fn count_queued(&mut self) {
        self.demand.queued = self.queue.len();
        self.demand.quick = self.queue.iter().filter(|(_, waits)| !waits).count();
    }

    pub fn dequeue_quick(&mut self) -> bool {
        let first = self.queue.iter().position(|(_, waits)| !waits);
        let first = first.filter(|_| self.demand.allows_quick_call());
        if let Some(at) = first {
            self.queue.remove(at);
            self.count_queued();
        }
        first.is_some()
    }

    pub fn dequeue(&mut self, mistake: Mistake) -> bool {
        let may = self.demand.allows_call() || mistake == Mistake::ExceedsLimit;
        if self.queue.is_empty() || !may {
            return false;
        }
        let (request, _) = self.queue.remove(0);
        self.count_queued();
        self.note_call(request);
        true
    }

    pub fn note_call(&mut self, request: u8) {
        self.is_disordered |=
            request < self.called || !self.queue.iter().all(|(each, _)| *each > request);
        self.called = request;
    }

    pub fn expect(&mut self, index: usize) {
        self.coming[index] = true;
        self.demand.coming += 1;
    }

    pub fn has_come(&mut self, index: usize) {
        if std::mem::take(&mut self.coming[index]) {
            self.demand.coming -= 1;
        }
    }

    /// A thread starts, for the queue or to be spare, unless the system allows none.
    pub fn start(&mut self, for_queue: bool, mistake: Mistake) {
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

    pub fn unpark(&mut self, index: usize) {
        if let Thread::Spare { woken } = &mut self.threads[index] {
            *woken = true;
        }
    }

    pub fn wake_spare(&mut self) {
        if let Some(spare) = self.spares.pop() {
            self.unpark(spare);
        }
    }

    /// The holder sets the loop free for a call of its own.
    pub fn call_here(&mut self, index: usize) {
        self.holder = None;
        self.wake_spare();
        self.enter(index, Thread::Calls);
    }

    pub fn enter(&mut self, index: usize, call: Thread) {
        self.demand.calling += 1;
        self.threads[index] = call;
    }

    pub fn wake_holder_if_waiting(&mut self, mistake: Mistake) {
        let is_left = match mistake {
            Mistake::TrustsThatOthersCanCome => self.needs_holder(mistake),
            _ => self.demand.leaves_unattended(),
        };
        if is_left {
            self.wake_holder();
        }
    }

    pub fn wake_holder(&mut self) {
        let waits = |each: &Thread| matches!(each, Thread::Polls | Thread::Wakes { waits: true });
        self.is_poll_woken |= self.threads.iter().any(waits);
    }

    /// A thread that does not hold the loop has the lock.
    pub fn serve(&mut self, index: usize, mistake: Mistake) {
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
    pub fn leave_spares(&mut self, index: usize, woken: bool, mistake: Mistake) {
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

    pub fn has_streams(&self, index: usize) -> bool {
        index == STREAMS && (self.has_item || self.has_mail)
    }

    /// One that has a response to go on with has others come.
    pub fn leaves_queue_to_spares(&mut self, index: usize, mistake: Mistake) -> bool {
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

    pub fn expect_spares(&mut self, may_have_streams: bool) -> Vec<usize> {
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

    /// The holder is in a call: the monitor sees it.
    pub fn is_stalled(&self) -> bool {
        (self.holder).is_some_and(|holder| self.threads[holder] == Thread::Inside)
    }
}
