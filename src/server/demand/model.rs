//! The queue's hand-out as a model, walked exhaustively: the holder of the loop, threads in calls, spares, threads
//! that start and the monitor take each step in every order, over the real [`super::Demand`]. [`world`] has their
//! state and what they do, [`steps`] what comes next; here is what may never be.
//!
//! A call may last for ever, nothing more may arrive, and no tick comes: a request that may be called for while
//! everybody sleeps is lost, and so is a loop that is free, or an item of a response that its thread is to go on with.
//!
//! Each [`Mistake`] is a trap: with it in, the model must find what is lost.

#![forbid(unsafe_code)]

use self::world::{Mistake, STREAMS, Size, Thread, World};
use crate::every_order;

mod steps;
mod world;

const LOST: &str = "a request may be called for, and everybody sleeps";
const TOO_MANY: &str = "more calls wait than may";
const DISORDERED: &str = "a request was overtaken";

/// What is wrong with a world.
fn fault(world: &World) -> Option<&'static str> {
    if world.is_disordered {
        return Some(DISORDERED);
    }
    let count = |is: fn(&Thread) -> bool| world.threads.iter().filter(|each| is(each)).count();
    if count(|each| *each == Thread::Calls) > world.demand.limit {
        return Some(TOO_MANY);
    }
    let sleeps = |each: &Thread| {
        let in_call = matches!(each, Thread::Inside | Thread::Calls | Thread::Streams);
        in_call || matches!(each, Thread::Away | Thread::Spare { woken: false })
    };
    let awake = world.threads.iter().filter(|each| !sleeps(each)).count();
    let polling = count(|each| *each == Thread::Polls);
    let polls = polling == 1 && !world.is_poll_woken;
    if awake > usize::from(polls) || world.monitor_wakes || world.is_stalled() {
        return None;
    }
    let spare = count(|each| matches!(each, Thread::Spare { .. }));
    let may_call = !world.queue.is_empty() && world.demand.allows_call();
    let may_call_here = polls && world.demand.allows_quick_call();
    if may_call && (polls || spare > 0) || may_call_here {
        return Some(LOST);
    }
    if world.holder.is_none() && spare > 0 {
        return Some("the loop is free, and everybody sleeps");
    }
    let owner = world.threads.get(STREAMS);
    if world.has_mail && owner == Some(&(Thread::Spare { woken: false })) {
        return Some("a response goes on, and its thread sleeps");
    }
    None
}

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
    let steps = |world: &World| world.steps(mistake);
    let (found, worlds) = every_order::walk(vec![World::new(size)], steps, |world, _| fault(world));
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
