//! The monitor: one native thread that looks about while the loop works, so that nothing that is ready
//! waits for something slow.
//!
//! Nobody knows beforehand how long an application will take. So what is ready is held back until the
//! turn of the loop ends, and the monitor sends what has stood in an outbox since its look before,
//! whatever runs meanwhile: one slow call, or many short ones. PEP 3333 asks for that where a server
//! batches: "guarantee that they will continue transmission even while the application is producing its
//! next block".
//!
//! A look costs 15 to 20 µs of processor time, that of a timer's interrupt. So looks adapt: while all is
//! calm they ride on the kernel's own tick, at nearly no cost; after one that had something to send they
//! come every 125 µs, and double back to the calm rate. While the loop waits the monitor parks.
//!
//! It touches no Python object, closes nothing and frees nothing; it has all signals blocked.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::outbox::Outbox;
use crate::sys::park::Parker;
use crate::sys::thread::{SMALL_STACK, set_timer_slack, spawn};
use crate::sys::{fork, signal};

/// Between two looks while all is calm; the kernel may lengthen it to its own tick.
const CALM: Duration = Duration::from_millis(1);

/// By how much, in nanoseconds.
const CALM_SLACK: u64 = 4_000_000;

/// Between two looks after one that had something to send.
const HURRY: Duration = Duration::from_micros(125);

/// The same in a hurry, in nanoseconds.
const HURRY_SLACK: u64 = 1_000;

/// Looks without work before the monitor parks: a request now and then does not pay for waking it.
const IDLE_LOOKS: u32 = 50;

/// What the holder of the loop publishes, and the monitor's looks.
#[derive(Default)]
pub struct Watch {
    /// Goes up when an application is entered and when it is left: odd is inside.
    calls: AtomicU64,
    /// Goes up with each turn of the loop.
    turns: AtomicU64,
    /// The loop waits.
    waits: AtomicBool,
    /// Goes up with each look.
    looks: AtomicU64,
    /// The monitor works.
    alive: AtomicBool,
    ending: AtomicBool,
    /// The monitor parks, or is about to.
    parks: AtomicBool,
    parker: Parker,
    /// What the holder has ready.
    pub outbox: Arc<Outbox>,
}

impl Watch {
    /// An application is entered.
    pub fn enter(&self) {
        let calls = self.calls.load(Ordering::Relaxed);
        self.calls.store(calls + 1, Ordering::Release);
    }

    /// It is left.
    pub fn leave(&self) {
        self.enter();
    }

    /// The loop is about to wait.
    pub fn begin_wait(&self) {
        self.waits.store(true, Ordering::Release);
    }

    /// The loop has waited, and has something to do.
    pub fn begin_turn(&self) {
        self.waits.store(false, Ordering::Relaxed);
        let turns = self.turns.load(Ordering::Relaxed);
        self.turns.store(turns + 1, Ordering::SeqCst);
        // Either this sees that the monitor is about to park, or that sees the turn.
        if self.parks.load(Ordering::SeqCst) {
            self.parks.store(false, Ordering::Relaxed);
            self.parker.unpark();
        }
    }

    /// How often the monitor has looked; `None` while there is none.
    pub fn looks(&self) -> Option<u64> {
        self.alive
            .load(Ordering::Relaxed)
            .then(|| self.looks.load(Ordering::Relaxed))
    }
}

/// The monitor of a run; dropped, it ends.
pub struct Monitor {
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    /// Starts it. Where the system allows no thread the run goes without: what is ready is then written
    /// before the next call.
    pub fn start(watch: &Arc<Watch>) -> Monitor {
        let watched = watch.clone();
        let thread = spawn("fapws-monitor", SMALL_STACK * 2, move || {
            watched.keep_watch()
        });
        watch.alive.store(thread.is_ok(), Ordering::Relaxed);
        Monitor {
            watch: watch.clone(),
            thread: thread.ok(),
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.watch.ending.store(true, Ordering::Release);
        self.watch.parker.unpark();
        // In the child of a fork there is no such thread to wait for.
        if let Some(thread) = self.thread.take().filter(|_| !fork::is_child()) {
            let _ = thread.join();
        }
    }
}

impl Watch {
    /// Parks until a turn after `turn` begins.
    fn park(&self, turn: u64) {
        self.parks.store(true, Ordering::SeqCst);
        if self.turns.load(Ordering::SeqCst) == turn && !self.ending.load(Ordering::Acquire) {
            self.parker.park();
        }
        self.parks.store(false, Ordering::Relaxed);
    }

    fn keep_watch(&self) {
        crate::py::threads::mark_native();
        let mut pause = CALM;
        let mut idle = 0;
        let mut seen = (0, 0);
        set_timer_slack(CALM_SLACK);
        while !self.ending.load(Ordering::Acquire) {
            if idle < IDLE_LOOKS {
                self.parker.park_for(pause);
            } else {
                self.park(seen.0);
                idle = 0;
            }
            self.looks.fetch_add(1, Ordering::Relaxed);
            let now = (
                self.turns.load(Ordering::Acquire),
                self.calls.load(Ordering::Acquire),
            );
            let waits = self.waits.load(Ordering::Relaxed);
            idle = if waits && now == seen { idle + 1 } else { 0 };
            let hurries = pause < CALM;
            pause = if self.outbox.look() {
                HURRY
            } else {
                CALM.min(pause * 2)
            };
            if hurries != (pause < CALM) {
                set_timer_slack(if hurries { CALM_SLACK } else { HURRY_SLACK });
            }
            // The second signal that ends the run finds the application hanging.
            if now.1 % 2 == 1
                && now == seen
                && let Some(number) = signal::insists()
            {
                self.outbox.send_all();
                fork::leave(128 + number);
            }
            seen = now;
        }
    }
}
