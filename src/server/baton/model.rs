//! The hand-over as a model, walked exhaustively: threads, spares and the monitor take each step in every
//! order, over the real [`Baton`].
//!
//! Each call of the baton is one step, since each is one atomic operation that others can see; so are
//! becoming spare, waking one and leaving the spares, which happen under one mutex. A call may last for
//! ever: a loop that is free while everybody who could take it sleeps or has ended is lost, whichever
//! thread is in a call. That the holder sets the loop free for a call that is expected to wait is what it does
//! where no other thread can come for it; else the call stands in the queue (`server/demand/model.rs`).
//!
//! Each [`Mistake`] is a trap: with it in, the model must find what is lost.

#![forbid(unsafe_code)]

use std::sync::atomic::Ordering;

use super::{Baton, Ticket};
use crate::every_order;

/// How many applications each thread enters.
const CALLS: u8 = 2;

/// A guard that is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mistake {
    None,
    /// Looking whether the loop is free and becoming spare are two steps.
    LooksBeforeSleeping,
    /// One that waited for long ends, though it was woken meanwhile.
    EndsThoughWoken,
    /// One that waited for long ends, though no other is spare.
    LastEnds,
    /// Coming back from a call, a thread does not look at the word: it thinks that it holds the loop.
    HoldsWithoutLooking,
    /// The monitor sets the loop free for the call that it saw at its look before, whatever the word says.
    HandsOverWithoutLooking,
    /// The monitor wakes a spare before it sets the loop free.
    WakesBeforeItIsFree,
}

/// What a thread does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Thread {
    /// Takes the loop, if it is free.
    Tries,
    /// Looks whether the loop is free, and becomes spare else.
    BecomesSpare,
    /// It has looked ([`Mistake::LooksBeforeSleeping`]).
    HasLooked,
    /// Sleeps until it is woken.
    Spare { woken: bool },
    /// It has slept for long, and wakes without being woken.
    HasSlept,
    /// There is none, until a holder makes one.
    Ended,
    /// Holds the loop.
    Holds,
    /// Is in a call that it entered as the holder.
    Inside(u64),
    /// Has set the loop free for a call that is expected to wait, and wakes a spare.
    WakesBeforeCall,
    /// Is in a call without the loop.
    Waits,
}

/// What the monitor does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Monitor {
    Looks,
    LooksAgain(u64),
    /// It has set the loop free.
    Wakes,
    /// It has woken a spare for a call ([`Mistake::WakesBeforeItIsFree`]).
    HasWoken(u64),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    word: u64,
    threads: Vec<(Thread, u8)>,
    /// Those who sleep, the last one to be woken first.
    spares: Vec<usize>,
    monitor: Monitor,
}

impl World {
    /// The first thread holds the loop, the others come.
    fn new(threads: usize) -> World {
        let baton = Baton::default();
        let mut all = vec![(Thread::Tries, CALLS); threads];
        all[0].0 = Thread::Holds;
        World {
            word: baton.0.load(Ordering::Relaxed),
            threads: all,
            spares: Vec::new(),
            monitor: Monitor::Looks,
        }
    }

    fn with<R>(&mut self, work: impl FnOnce(&Baton) -> R) -> R {
        let baton = Baton(self.word.into());
        let result = work(&baton);
        self.word = baton.0.load(Ordering::Relaxed);
        result
    }

    fn wake_spare(&mut self) {
        if let Some(spare) = self.spares.pop()
            && self.threads[spare].0 != Thread::HasSlept
        {
            self.threads[spare].0 = Thread::Spare { woken: true };
        }
    }

    /// The holder makes a thread before it is needed.
    fn prepare_spare(&mut self) {
        let ended = |(thread, _): &&mut (Thread, u8)| *thread == Thread::Ended;
        if self.spares.is_empty()
            && let Some((thread, _)) = self.threads.iter_mut().find(ended)
        {
            *thread = Thread::Tries;
        }
    }

    /// The worlds after one step of this thread.
    fn steps_of(&self, index: usize, mistake: Mistake) -> Vec<World> {
        let (thread, calls) = self.threads[index];
        let mut next = self.clone();
        let mut set = |thread: Thread| next.threads[index].0 = thread;
        match thread {
            Thread::Tries => {
                let taken = next.with(Baton::take);
                next.threads[index].0 = if taken {
                    Thread::Holds
                } else {
                    Thread::BecomesSpare
                };
            }
            Thread::BecomesSpare if self.word & super::FREE != 0 => set(Thread::Tries),
            Thread::BecomesSpare if mistake == Mistake::LooksBeforeSleeping => {
                set(Thread::HasLooked)
            }
            Thread::BecomesSpare | Thread::HasLooked => {
                set(Thread::Spare { woken: false });
                next.spares.push(index);
            }
            Thread::Spare { woken: false } => set(Thread::HasSlept),
            Thread::HasSlept => {
                let was_spare = self.spares.contains(&index);
                next.spares.retain(|spare| *spare != index);
                let may_end = match mistake {
                    Mistake::EndsThoughWoken => !next.spares.is_empty() || !was_spare,
                    Mistake::LastEnds => was_spare,
                    _ => was_spare && !next.spares.is_empty(),
                };
                // The main thread never does.
                let ends = may_end && index > 0;
                next.threads[index].0 = if ends { Thread::Ended } else { Thread::Tries };
            }
            Thread::Ended => return Vec::new(),
            Thread::Spare { woken: true } => {
                set(Thread::Tries);
                next.spares.retain(|spare| *spare != index);
            }
            // It polls from now on.
            Thread::Holds if calls == 0 => return Vec::new(),
            Thread::Holds => {
                next.prepare_spare();
                next.threads[index].1 = calls - 1;
                let mut expects = next.clone();
                expects.with(Baton::release);
                expects.threads[index].0 = Thread::WakesBeforeCall;
                let ticket = next.with(Baton::enter);
                next.threads[index].0 = Thread::Inside(ticket.0);
                return vec![next, expects];
            }
            Thread::Inside(ticket) => {
                let left = next.with(|baton| baton.leave(Ticket(ticket)));
                let holds = left || mistake == Mistake::HoldsWithoutLooking;
                next.threads[index].0 = if holds { Thread::Holds } else { Thread::Tries };
            }
            Thread::WakesBeforeCall => {
                set(Thread::Waits);
                next.wake_spare();
            }
            Thread::Waits => set(Thread::Tries),
        }
        vec![next]
    }

    fn step_of_monitor(&self, mistake: Mistake) -> Option<World> {
        let mut next = self.clone();
        let call = next.with(Baton::call).map(|call| call.0);
        next.monitor = match (self.monitor, call) {
            (Monitor::Looks, Some(call)) => Monitor::LooksAgain(call),
            (Monitor::Looks, None) => return None,
            (Monitor::LooksAgain(seen), _) if mistake == Mistake::WakesBeforeItIsFree => {
                next.wake_spare();
                Monitor::HasWoken(seen)
            }
            (Monitor::LooksAgain(seen), _) if mistake == Mistake::HandsOverWithoutLooking => {
                next.word = seen | super::FREE;
                Monitor::Wakes
            }
            // What it saw may be over by now: the word says.
            (Monitor::LooksAgain(seen), _) => {
                if next.with(|baton| baton.hand_over(Ticket(seen))) {
                    Monitor::Wakes
                } else {
                    Monitor::Looks
                }
            }
            (Monitor::Wakes, _) => {
                next.wake_spare();
                Monitor::Looks
            }
            (Monitor::HasWoken(seen), _) => {
                next.with(|baton| baton.hand_over(Ticket(seen)));
                Monitor::Looks
            }
        };
        Some(next)
    }

    /// What is wrong with this world.
    fn fault(&self) -> Option<&'static str> {
        let count =
            |is: fn(&Thread) -> bool| self.threads.iter().filter(|(each, _)| is(each)).count();
        let holders = count(|each| matches!(each, Thread::Holds));
        // The one whose call the word names holds it too.
        let inside = self
            .threads
            .iter()
            .filter(|(each, _)| matches!(each, Thread::Inside(ticket) if *ticket == self.word));
        if holders + inside.count() > 1 {
            return Some("two threads hold the loop");
        }
        let is_free = self.word & super::FREE != 0;
        if is_free && holders > 0 {
            return Some("the loop is free and held");
        }
        let away = count(|each| matches!(each, Thread::Spare { woken: false } | Thread::Ended));
        let in_calls = count(|each| matches!(each, Thread::Inside(_) | Thread::Waits));
        let comes = self.threads.len() - away - in_calls;
        if is_free && away > 0 && comes == 0 && self.monitor != Monitor::Wakes {
            return Some(LOST);
        }
        None
    }
}

const LOST: &str = "the loop is free, and everybody sleeps";

fn walk(threads: usize, mistake: Mistake) -> (Option<(&'static str, World)>, usize) {
    let steps = |world: &World| {
        let of_threads = (0..threads).flat_map(|index| world.steps_of(index, mistake));
        of_threads.chain(world.step_of_monitor(mistake)).collect()
    };
    every_order::walk(vec![World::new(threads)], steps, |world, _| world.fault())
}

#[test]
fn no_order_of_steps_loses_the_loop_or_gives_it_to_two() {
    for threads in [2, 3] {
        let (fault, worlds) = walk(threads, Mistake::None);
        assert_eq!(fault, None);
        assert!(worlds > 500, "{worlds} worlds");
    }
}

#[test]
fn each_guard_is_needed() {
    let two = "two threads hold the loop";
    let expected = [
        (Mistake::LooksBeforeSleeping, LOST),
        (Mistake::EndsThoughWoken, LOST),
        (Mistake::LastEnds, LOST),
        (Mistake::WakesBeforeItIsFree, LOST),
        (Mistake::HoldsWithoutLooking, two),
        (
            Mistake::HandsOverWithoutLooking,
            "the loop is free and held",
        ),
    ];
    for (mistake, fault) in expected {
        let (found, _) = walk(3, mistake);
        assert_eq!(found.map(|(fault, _)| fault), Some(fault), "{mistake:?}");
    }
}
