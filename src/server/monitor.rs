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
//! calm they ride on the kernel's own tick, at nearly no cost; after one that had something to send beside a
//! call that stalls they come every 125 µs, and double back to the calm rate; where calls hand the loop over they
//! come the more often the more calls do. While the loop waits the monitor parks.
//!
//! It touches no Python object, closes nothing and frees nothing; it has all signals blocked.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::outbox::Outbox;
use crate::scoreboard::{self, Word};
use crate::server::baton::Baton;
use crate::server::log_lines::LogLines;
use crate::server::seats::{Seat, Seats};
use crate::server::slow_calls::{Call, Called, Slot, SlowCalls};
use crate::server::stalls::Stalls;
use crate::sys::park::Parker;
use crate::sys::thread::{SMALL_STACK, set_timer_slack, spawn};
use crate::sys::{fork, signal};

/// Between two looks while all is calm; the kernel may lengthen it to its own tick.
const CALM: Duration = Duration::from_millis(1);

/// By how much, in nanoseconds.
const CALM_SLACK: u64 = 4_000_000;

/// Between two looks while the loop is found waiting, where one thread calls: it has little to do then,
/// and looks at the calm rate would cost a tenth of what a thousand requests a second do. Something that
/// is ready while a call goes on ends this wait.
const LAZY: Duration = Duration::from_millis(20);

/// Between two looks after one that had something to send.
const HURRY: Duration = Duration::from_micros(125);

/// The same in a hurry, in nanoseconds.
const HURRY_SLACK: u64 = 1_000;

/// A call that was seen for so long hands the loop over; a Flask or Django page that computes is over by then.
const STALL: Duration = Duration::from_micros(500);

/// How long a run may take to end after the second signal.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks without work before the monitor parks: a request now and then does not pay for waking it.
const IDLE_LOOKS: u32 = 50;

/// What the threads publish, and the monitor's looks.
#[derive(Default)]
pub struct Watch {
    /// Who holds the loop, and whether it is in a call.
    pub baton: Baton,
    /// What the holder has ready for the end of its turn.
    pub batch: Outbox,
    /// Lines of the access log.
    pub lines: LogLines,
    /// The threads of the run.
    pub seats: Seats,
    /// Goes up with each turn of the loop.
    turns: AtomicU64,
    /// The loop waits.
    waits: AtomicBool,
    /// Goes up with each look.
    looks: AtomicU64,
    /// The monitor works.
    alive: AtomicBool,
    ending: AtomicBool,
    /// The monitor is not to look for longer than [`CALM`].
    is_lazy: AtomicBool,
    /// The monitor parks, or is about to.
    parks: AtomicBool,
    parker: Parker,
    /// Whether a slow call hands the loop over.
    hands_over: AtomicBool,
    /// Which calls are slow; not there where nobody asks.
    slow: Option<Arc<SlowCalls>>,
}

impl Watch {
    /// One that looks for slow calls too, where it is said which are: those in flight are published then.
    pub fn new(slow: Option<Arc<SlowCalls>>) -> Arc<Watch> {
        Arc::new(Watch {
            slow,
            ..Watch::default()
        })
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
        self.unpark_monitor();
    }

    fn unpark_monitor(&self) {
        if self.parks.load(Ordering::SeqCst) {
            self.parks.store(false, Ordering::Relaxed);
            self.parker.unpark();
        }
    }

    /// Whether the monitor takes its time, since the loop has little to do.
    pub fn is_lazy(&self) -> bool {
        self.is_lazy.load(Ordering::Relaxed)
    }

    /// Something is ready, and a call comes that may take its time.
    pub fn rouse_monitor(&self) {
        if self.is_lazy.load(Ordering::Relaxed) {
            self.is_lazy.store(false, Ordering::Relaxed);
            self.parker.unpark();
        }
    }

    /// The calls in flight that are published.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        let seats = self.seats.all();
        seats.iter().filter_map(|seat| seat.call.get()).collect()
    }

    /// A thread enters a call that is to be published.
    pub fn begin_call(&self, seat: &Seat, called: &Arc<Called>) -> Arc<Call> {
        let call = seat.call.begin(called);
        // The monitor may be about to park for no call, or for a later one.
        fence(Ordering::SeqCst);
        self.unpark_monitor();
        call
    }

    /// It leaves it; the line that is due.
    pub fn end_call(&self, seat: &Seat, call: &Call) -> Option<Vec<u8>> {
        self.slow.as_ref()?.end(&seat.call, call)
    }

    /// Whether the loop waits.
    pub fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// How often the monitor has looked; `None` while there is none.
    pub fn looks(&self) -> Option<u64> {
        self.alive
            .load(Ordering::Acquire)
            .then(|| self.looks.load(Ordering::Relaxed))
    }

    /// Bytes that the monitor sent since the last time.
    pub fn take_sent(&self) -> u64 {
        let seats = self.seats.all();
        self.batch.take_sent()
            + seats
                .iter()
                .map(|seat| seat.outbox.take_sent())
                .sum::<u64>()
    }

    /// From now on a slow call hands the loop over.
    pub fn hand_over_slow_calls(&self) {
        self.hands_over.store(true, Ordering::Relaxed);
    }

    /// Sends what was ready at the look before. Whether something was sent.
    fn send(&self) -> bool {
        let sent = self.batch.look();
        let seats = self.seats.all();
        seats
            .iter()
            .fold(sent, |sent, seat| seat.outbox.look() || sent)
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
        self.watch.end();
        // In the child of a fork there is no such thread to wait for.
        if let Some(thread) = self.thread.take().filter(|_| !fork::is_child()) {
            let _ = thread.join();
        }
    }
}

impl Watch {
    /// Has the monitor end, whose looks there are none of from then on.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.parker.unpark();
    }

    /// Parks until a turn after `turn` begins. Whether one has begun; else a call is slow by now.
    fn park(&self, turn: u64) -> bool {
        self.parks.store(true, Ordering::SeqCst);
        let mut has_begun = true;
        if self.turns.load(Ordering::SeqCst) == turn && !self.ending.load(Ordering::Acquire) {
            // With threads, calls go on while the loop waits.
            match self.with_slow(SlowCalls::wait).flatten() {
                Some(wait) => has_begun = self.parker.park_for(wait),
                None => self.parker.park(),
            }
        }
        self.parks.store(false, Ordering::Relaxed);
        has_begun
    }

    fn keep_watch(&self) {
        crate::py::threads::mark_native();
        let mut pause = CALM;
        let mut idle = 0;
        let mut seen = (0, None);
        let mut call_seen = Instant::now();
        let mut stalls = Stalls::none(call_seen);
        let mut insisted: Option<Instant> = None;
        set_timer_slack(CALM_SLACK);
        while !self.ending.load(Ordering::Acquire) {
            let is_roused = if idle < IDLE_LOOKS {
                self.parker.park_for(pause)
            } else {
                idle = 0;
                self.park(seen.0)
            };
            if is_roused {
                // What is ready has just come: a look now would end its turn.
                pause = CALM;
                self.is_lazy.store(false, Ordering::Relaxed);
                continue;
            }
            self.looks.fetch_add(1, Ordering::Relaxed);
            scoreboard::add(Word::Looks, 1);
            let now = (self.turns.load(Ordering::Acquire), self.baton.call());
            if now != seen {
                scoreboard::progress();
            }
            let waits = self.waits.load(Ordering::Relaxed);
            idle = if waits && now == seen { idle + 1 } else { 0 };
            let is_slow = now.1.is_some() && now.1 == seen.1;
            let hurries = pause < CALM;
            let clock = Instant::now();
            if !is_slow {
                call_seen = clock;
            }
            let slow_for = clock - call_seen;
            // What short calls make ready goes out at the calm rate: in a hurry, looks would cost a tenth of
            // their time.
            let is_eventful = self.send() && slow_for >= CALM;
            self.lines.look();
            self.with_slow(SlowCalls::look);
            let hands_over = self.hands_over.load(Ordering::Relaxed);
            if hands_over
                && slow_for >= STALL
                && let Some(call) = now.1
                && self.baton.hand_over(call)
            {
                stalls.add(clock);
                self.seats.wake_spare();
            }
            let longest = match hands_over {
                true => stalls.pause(clock, CALM),
                false if waits => LAZY,
                false => CALM,
            };
            pause = if is_eventful {
                HURRY
            } else {
                longest.min(pause * 2)
            };
            self.is_lazy.store(pause > CALM, Ordering::Relaxed);
            if hurries != (pause < CALM) {
                set_timer_slack(if hurries { CALM_SLACK } else { HURRY_SLACK });
            }
            // The second signal that ends the run finds an application hanging.
            if let Some(number) = signal::insists() {
                let since = *insisted.get_or_insert_with(Instant::now);
                if is_slow || since.elapsed() > PATIENCE {
                    self.send_all();
                    fork::leave(128 + number);
                }
            }
            seen = now;
        }
        self.alive.store(false, Ordering::Release);
    }

    /// Works on the slots of all seats, where slow calls are looked for.
    fn with_slow<R>(
        &self,
        work: impl FnOnce(&SlowCalls, &mut dyn Iterator<Item = &Slot>) -> R,
    ) -> Option<R> {
        let slow = self.slow.as_ref()?;
        let seats = self.seats.all();
        Some(work(slow, &mut seats.iter().map(|seat| &seat.call)))
    }

    /// Sends all that is ready, as far as it goes at once, and writes the access log: the process ends.
    pub fn send_all(&self) {
        self.batch.send_all();
        for seat in &*self.seats.all() {
            seat.outbox.send_all();
        }
        self.lines.flush();
    }
}

#[cfg(test)]
mod tests;
