//! The outbox as a model, walked exhaustively: a thread that makes bytes, the monitor that sends them, the
//! kernel, the client, and a fork take each step in every order.
//!
//! Bytes are numbers here. What happens under the mutex is several steps, since the other thread's steps
//! outside of it come in between. The thread gives bytes to the outbox, calls the application, takes back
//! what is left, adds what the application gave, and writes at the end. A fork may come at any moment of the
//! call: in the child there is the thread, the mutex as it was, and no monitor.
//!
//! Each [`Mistake`] is a trap: with it in, the model must find what is wrong.

#![forbid(unsafe_code)]

use crate::every_order;

/// How many bytes the application gives, one a call.
const BYTES: u8 = 3;

/// How many the kernel takes before the client reads.
const ROOM: usize = 1;

/// A guard that is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mistake {
    None,
    /// The monitor takes the bytes out, and sends them when it has given up the mutex.
    SendsWithoutLock,
    /// The monitor takes bytes off the queue before the kernel has taken them.
    MarksBeforeSending,
    /// The thread that comes back from the call does not wait for the monitor.
    TakesWithoutLock,
    /// The monitor waits until the kernel has room.
    SendBlocks,
    /// A child of a fork goes on as its parent would.
    ChildGoesOn,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Thread {
    Puts,
    Calls,
    Takes,
    Writes,
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Monitor {
    Looks,
    /// It holds the mutex.
    Sends,
    /// It has taken this byte off the queue ([`Mistake::MarksBeforeSending`]).
    HasMarked(u8),
    Unlocks,
    /// It has given up the mutex ([`Mistake::SendsWithoutLock`]).
    SendsLater(u8),
    /// There is none: this is a child.
    Gone,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    /// The monitor holds the mutex.
    is_locked: bool,
    thread: Thread,
    monitor: Monitor,
    /// The next byte that the application gives.
    next: u8,
    /// The connection's queue, and what of it stands in the outbox.
    queue: Vec<u8>,
    outbox: Vec<u8>,
    /// In the kernel, and at the client.
    kernel: Vec<u8>,
    client: Vec<u8>,
    /// The client reads no more.
    stalls: bool,
}

impl World {
    fn new(stalls: bool) -> World {
        World {
            is_locked: false,
            thread: Thread::Puts,
            monitor: Monitor::Looks,
            next: 1,
            queue: vec![0],
            outbox: Vec::new(),
            kernel: Vec::new(),
            client: Vec::new(),
            stalls,
        }
    }

    fn has_room(&self) -> bool {
        self.kernel.len() < ROOM
    }

    /// The worlds after one step of the thread.
    fn steps_of_thread(&self, mistake: Mistake) -> Vec<World> {
        let mut next = self.clone();
        let is_child = self.monitor == Monitor::Gone;
        if is_child && mistake != Mistake::ChildGoesOn {
            // It ends when it comes back, and looks at nothing.
            next.thread = Thread::Done;
            return vec![next];
        }
        match self.thread {
            Thread::Puts if self.is_locked => return Vec::new(),
            Thread::Puts => {
                next.outbox = std::mem::take(&mut next.queue);
                next.thread = Thread::Calls;
            }
            Thread::Calls => {
                next.thread = Thread::Takes;
                let mut child = self.clone();
                child.monitor = Monitor::Gone;
                return vec![next, child];
            }
            Thread::Takes if self.is_locked && mistake != Mistake::TakesWithoutLock => {
                return Vec::new();
            }
            Thread::Takes => {
                // Where it does not wait, the monitor's own view is what it was.
                next.queue = next.outbox.clone();
                if !self.is_locked {
                    next.outbox.clear();
                }
                next.queue.push(next.next);
                next.next += 1;
                next.thread = if next.next > BYTES {
                    Thread::Writes
                } else {
                    Thread::Puts
                };
            }
            Thread::Writes if self.queue.is_empty() => next.thread = Thread::Done,
            Thread::Writes if !self.has_room() => return Vec::new(),
            Thread::Writes => next.kernel.push(next.queue.remove(0)),
            Thread::Done => return Vec::new(),
        }
        vec![next]
    }

    fn step_of_monitor(&self, mistake: Mistake) -> Option<World> {
        let mut next = self.clone();
        next.monitor = match self.monitor {
            Monitor::Looks if self.outbox.is_empty() || self.is_locked => {
                return None;
            }
            Monitor::Looks => {
                next.is_locked = true;
                Monitor::Sends
            }
            Monitor::Sends if self.outbox.is_empty() => Monitor::Unlocks,
            Monitor::Sends if mistake == Mistake::MarksBeforeSending => {
                Monitor::HasMarked(next.outbox.remove(0))
            }
            Monitor::Sends if mistake == Mistake::SendsWithoutLock => {
                next.is_locked = false;
                Monitor::SendsLater(next.outbox.remove(0))
            }
            Monitor::Sends if !self.has_room() && mistake == Mistake::SendBlocks => return None,
            // Tried again at the next look.
            Monitor::Sends if !self.has_room() => Monitor::Unlocks,
            Monitor::Sends => {
                next.kernel.push(next.outbox.remove(0));
                Monitor::Sends
            }
            Monitor::HasMarked(byte) => {
                if self.has_room() {
                    next.kernel.push(byte);
                }
                Monitor::Sends
            }
            Monitor::SendsLater(_) if !self.has_room() => return None,
            Monitor::SendsLater(byte) => {
                next.kernel.push(byte);
                Monitor::Looks
            }
            Monitor::Unlocks => {
                next.is_locked = false;
                Monitor::Looks
            }
            Monitor::Gone => return None,
        };
        Some(next)
    }

    fn step_of_client(&self) -> Option<World> {
        let mut next = self.clone();
        if self.stalls || self.kernel.is_empty() {
            return None;
        }
        next.client.append(&mut next.kernel);
        Some(next)
    }

    /// What is wrong with this world; `is_last`: nobody can take a step.
    fn fault(&self, is_last: bool) -> Option<&'static str> {
        let is_child = self.monitor == Monitor::Gone;
        let sent: Vec<u8> = [&self.client[..], &self.kernel].concat();
        if !(0..).zip(&sent).all(|(expected, &byte)| expected == byte) {
            return Some(DISORDER);
        }
        let waits_for_mutex = matches!(self.thread, Thread::Puts | Thread::Takes);
        if is_last && waits_for_mutex && self.is_locked {
            return Some(HELD_UP);
        }
        let is_sent = sent.len() > BYTES as usize;
        (is_last && !is_child && !self.stalls && !is_sent).then_some(LOST)
    }
}

const DISORDER: &str = "bytes are sent twice, not at all, or in another order";
const HELD_UP: &str = "the thread waits for ever";
const LOST: &str = "bytes are left";

fn walk(mistake: Mistake) -> (Option<&'static str>, usize) {
    let steps = |world: &World| {
        let mut next = world.steps_of_thread(mistake);
        next.extend(world.step_of_monitor(mistake));
        next.extend(world.step_of_client());
        next
    };
    let first = vec![World::new(false), World::new(true)];
    // A child's parent's steps are seen without it.
    let (found, worlds) = every_order::walk(first, steps, World::fault);
    (found.map(|(fault, _)| fault), worlds)
}

#[test]
fn no_order_of_steps_loses_bytes_or_holds_the_thread_up() {
    let (fault, worlds) = walk(Mistake::None);
    assert_eq!(fault, None);
    assert!(worlds > 100, "{worlds} worlds");
}

#[test]
fn each_guard_is_needed() {
    let expected = [
        (Mistake::SendsWithoutLock, DISORDER),
        (Mistake::MarksBeforeSending, DISORDER),
        (Mistake::TakesWithoutLock, DISORDER),
        (Mistake::SendBlocks, HELD_UP),
        (Mistake::ChildGoesOn, HELD_UP),
    ];
    for (mistake, fault) in expected {
        assert_eq!(walk(mistake).0, Some(fault), "{mistake:?}");
    }
}
