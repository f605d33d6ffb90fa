//! What the process counts and does, in words of memory that a master can share.
//!
//! The words belong to the process until `share` puts them into a slot of a file that the master and the
//! other workers have mapped, too. One thread at a time writes a word (the one that holds the interpreter's
//! lock, or the one that a word says), so nothing here needs an atomic addition; anybody reads.
//!
//! A slot keeps its counters when its worker has ended: the next one in it counts on. So the sum over all
//! slots never falls. What [`count_of`] gives is this process's own share.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::clock::monotonic_micros;
use crate::sys::file;
use crate::sys::shared_memory::{WORD, map_words};

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident $name:literal $kind:ident,)*) => {
        /// The words, in the order of a slot.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word { $($(#[$doc])* $word,)* }

        /// Each word, its name and its kind.
        pub const WORDS: &[(Word, &str, Kind)] = &[$((Word::$word, $name, Kind::$kind),)*];
    };
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only goes up.
    Counter,
    /// A state of this moment.
    Gauge,
}

words! {
    /// The process that writes here.
    Pid "pid" Gauge,
    /// Goes up while the process runs.
    Looks "looks" Counter,
    /// The time in milliseconds (`CLOCK_MONOTONIC`) since which every thread that can call is in a
    /// call, as far as the monitor has seen; 0: not so.
    LateSince "late_since" Gauge,
    /// 1 while the server is about to end.
    Draining "draining" Gauge,
    /// Open connections.
    Connections "connections" Gauge,
    /// Connections accepted.
    Accepted "accepted" Counter,
    /// Requests that an application responded to, or its failure.
    Requests "requests" Counter,
    /// Responses with a status from 100 to 199.
    Responses1xx "responses_1xx" Counter,
    /// From 200 to 299.
    Responses2xx "responses_2xx" Counter,
    /// From 300 to 399.
    Responses3xx "responses_3xx" Counter,
    /// From 400 to 499.
    Responses4xx "responses_4xx" Counter,
    /// From 500 to 599.
    Responses5xx "responses_5xx" Counter,
    /// Messages that were rejected.
    Rejected "rejected" Counter,
    /// Connections that were too slow.
    Timeouts "timeouts" Counter,
    /// Bytes read.
    BytesIn "bytes_in" Counter,
    /// Bytes written.
    BytesOut "bytes_out" Counter,
    /// Calls that took longer than `slow_request`.
    SlowRequests "slow_requests" Counter,
    /// What the longest call took, in milliseconds; the calls in flight are not in it.
    LongestCallMs "longest_call_ms" Gauge,
    /// Lines of the access log that were lost.
    LostLogLines "lost_log_lines" Counter,
    /// Threads that may be in calls at the same time.
    Threads "threads" Gauge,
    /// Threads at work.
    BusyThreads "busy_threads" Gauge,
    /// Requests that wait for a thread.
    Queued "queued" Gauge,
    /// Connections that applications have taken over (`werkzeug.socket`), in calls now.
    Sockets "sockets" Gauge,
    /// Calls that took at most a millisecond; each call is counted once.
    CallLe1ms "call_le_1ms" Counter,
    /// Longer, at most this.
    CallLe5ms "call_le_5ms" Counter,
    /// The same.
    CallLe10ms "call_le_10ms" Counter,
    /// The same.
    CallLe50ms "call_le_50ms" Counter,
    /// The same.
    CallLe100ms "call_le_100ms" Counter,
    /// The same.
    CallLe500ms "call_le_500ms" Counter,
    /// The same.
    CallLe1s "call_le_1s" Counter,
    /// The same.
    CallLe5s "call_le_5s" Counter,
    /// The same.
    CallLe10s "call_le_10s" Counter,
    /// Longer ones.
    CallLeInf "call_le_inf" Counter,
    /// What all calls took.
    CallMicroseconds "call_microseconds" Counter,
    /// What all requests waited before their calls.
    WaitMicroseconds "wait_microseconds" Counter,
}

/// Upper bounds of the histogram's words but the last, in microseconds.
const BOUNDS: [u64; 9] = [
    1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000,
];

/// A worker whose loop is at work for less than this, in milliseconds, is about to look for clients.
const SHORT_TURN: u64 = 5;

static OWN: [AtomicU64; WORDS.len()] = [const { AtomicU64::new(0) }; WORDS.len()];

/// Since when every thread is in a call, where there are several; 0: not so.
static ALL_BUSY_SINCE: AtomicU64 = AtomicU64::new(0);

static TURN_BEGAN: AtomicU64 = AtomicU64::new(0);

static SHARED: OnceLock<Shared> = OnceLock::new();

struct Shared {
    words: &'static [AtomicU64; WORDS.len()],
    /// What the slot's earlier processes had counted.
    before: Vec<u64>,
    slots: Option<Slots>,
}

/// The slots of all workers.
struct Slots {
    /// From the first slot on.
    words: &'static [AtomicU64],
    /// How many slots were in use at a time, so far.
    used: &'static AtomicU64,
    /// This process's.
    own: usize,
}

/// Another worker, as it is at this moment.
pub struct Sibling {
    /// Its open connections.
    pub connections: u64,
    /// Connections that its slot has accepted.
    pub accepted: u64,
    /// Whether its loop waits, or will within a few milliseconds, as far as can be seen.
    pub is_free: bool,
}

#[inline]
fn cell(word: Word) -> &'static AtomicU64 {
    match SHARED.get() {
        Some(shared) => &shared.words[word as usize],
        None => &OWN[word as usize],
    }
}

/// Puts the words into the file `fd` at byte `offset`, for the rest of the process's life. What was
/// counted so far goes along. `false`: they are in a file already, and stay there.
///
/// With `others`, the bytes where the first slot begins and where the word stands that says how many there
/// are, the others' words are read, too.
///
/// # Errors
/// Those of [`map_words`].
pub fn share(fd: RawFd, offset: u64, others: Option<(u64, u64)>) -> io::Result<bool> {
    if SHARED.get().is_some() {
        return Ok(false);
    }
    let words: &[AtomicU64; WORDS.len()] = map_words(fd, offset, WORDS.len())?
        .try_into()
        .map_err(io::Error::other)?;
    let slots = match others {
        Some((first, used)) => Some(map_slots(fd, offset, first, used)?),
        None => None,
    };
    let mut before = vec![0; WORDS.len()];
    for (index, &(_, _, kind)) in WORDS.iter().enumerate() {
        let own = OWN[index].load(Ordering::Relaxed);
        if kind == Kind::Counter {
            before[index] = words[index].load(Ordering::Relaxed);
            words[index].store(before[index].wrapping_add(own), Ordering::Relaxed);
        } else if own != 0 {
            words[index].store(own, Ordering::Relaxed);
        }
    }
    let shared = Shared {
        words,
        before,
        slots,
    };
    Ok(SHARED.set(shared).is_ok())
}

fn map_slots(fd: RawFd, offset: u64, first: u64, used: u64) -> io::Result<Slots> {
    let size = WORDS.len() as u64 * WORD;
    let length = file::size(fd)?.saturating_sub(first);
    Ok(Slots {
        words: map_words(fd, first, (length / WORD) as usize)?,
        used: &map_words(fd, used, 1)?[0],
        own: (offset.saturating_sub(first) / size) as usize,
    })
}

/// The workers beside this one that are not about to end.
pub fn siblings() -> impl Iterator<Item = Sibling> {
    let slots = SHARED.get().and_then(|shared| shared.slots.as_ref());
    slots.into_iter().flat_map(|slots| {
        let now = now();
        let used = slots.used.load(Ordering::Relaxed) as usize;
        let all = slots.words.chunks_exact(WORDS.len()).take(used);
        all.enumerate().filter_map(move |(index, words)| {
            let word = |word: Word| words[word as usize].load(Ordering::Relaxed);
            let serves = index != slots.own && word(Word::Pid) != 0 && word(Word::Draining) == 0;
            serves.then(|| Sibling {
                connections: word(Word::Connections),
                accepted: word(Word::Accepted),
                is_free: match word(Word::LateSince) {
                    0 => true,
                    since => now.saturating_sub(since) < SHORT_TURN,
                },
            })
        })
    })
}

/// Counts `more`.
#[inline]
pub fn add(word: Word, more: u64) {
    let cell = cell(word);
    let sum = cell.load(Ordering::Relaxed).wrapping_add(more);
    cell.store(sum, Ordering::Relaxed);
}

/// Counts one more of a word that several threads count in, always by this function.
pub fn count_shared(word: Word) {
    cell(word).fetch_add(1, Ordering::Relaxed);
}

/// Publishes a state.
#[inline]
pub fn set(word: Word, value: u64) {
    cell(word).store(value, Ordering::Relaxed);
}

/// What a word says. A master may have written it: it sets `draining` when the server is to end later.
pub fn get(word: Word) -> u64 {
    cell(word).load(Ordering::Relaxed)
}

/// What this process has counted, or the state that it has published.
pub fn count_of(word: Word) -> u64 {
    let before = SHARED
        .get()
        .map_or(0, |shared| shared.before[word as usize]);
    get(word).wrapping_sub(before)
}

/// A run begins.
pub fn begin_run(threads: u64) {
    set(Word::Pid, u64::from(std::process::id()));
    set(Word::Threads, threads);
}

/// It has ended.
pub fn end_run() {
    set_all_busy(false);
    end_turn();
    set(Word::BusyThreads, 0);
    set(Word::Queued, 0);
    set(Word::Sockets, 0);
    set(Word::Draining, 0);
}

/// The loop is at work from now on.
pub fn begin_turn() {
    let now = monotonic_micros();
    TURN_BEGAN.store(now, Ordering::Relaxed);
    if ALL_BUSY_SINCE.load(Ordering::Relaxed) == 0 {
        set(Word::LateSince, (now / 1_000).max(1));
    }
}

/// Since when it is at work: what its poll found is ready since then, in microseconds.
pub fn turn_began() -> u64 {
    TURN_BEGAN.load(Ordering::Relaxed)
}

/// The loop waits.
pub fn end_turn() {
    set(Word::LateSince, ALL_BUSY_SINCE.load(Ordering::Relaxed));
}

/// Every thread that may be in a call is in one, or not so. While they are the loop goes on, and calls
/// nobody.
pub fn set_all_busy(all: bool) {
    let since = ALL_BUSY_SINCE.load(Ordering::Relaxed);
    if all != (since != 0) {
        let since = if all { now() } else { 0 };
        ALL_BUSY_SINCE.store(since, Ordering::Relaxed);
        set(Word::LateSince, since);
    }
}

/// A call has taken its connection over: it may last for as long as its client likes.
pub fn begin_socket() {
    set(Word::Sockets, get(Word::Sockets) + 1);
    set_all_busy(false);
    set(Word::LateSince, 0);
}

/// Such a call is over.
pub fn end_socket() {
    set(Word::Sockets, get(Word::Sockets).saturating_sub(1));
}

/// Whether calls of so many threads are more than those that have taken their connections over.
pub fn hold_threads(calling: usize) -> bool {
    calling as u64 > get(Word::Sockets)
}

/// The time in milliseconds; never 0, which says that nobody is late.
fn now() -> u64 {
    (monotonic_micros() / 1_000).max(1)
}

/// A call begins for a request that is ready since `arrived`, in microseconds. The time, for [`end_call`].
pub fn begin_call(arrived: u64) -> u64 {
    let now = monotonic_micros();
    add(Word::WaitMicroseconds, now.saturating_sub(arrived));
    now
}

/// A call that began at this time has returned.
pub fn end_call(began: u64) {
    let took = monotonic_micros().saturating_sub(began);
    let place = BOUNDS.iter().position(|&bound| took <= bound);
    let (word, _, _) = WORDS[Word::CallLe1ms as usize + place.unwrap_or(BOUNDS.len())];
    add(word, 1);
    if place != Some(0) && took / 1_000 > get(Word::LongestCallMs) {
        set(Word::LongestCallMs, took / 1_000);
    }
    add(Word::CallMicroseconds, took);
}

/// The monitor has seen that the loop goes on: it is not late.
pub fn progress() {
    let cell = cell(Word::LateSince);
    let since = cell.load(Ordering::Relaxed);
    if since != 0 && ALL_BUSY_SINCE.load(Ordering::Relaxed) == 0 {
        // Unless the loop waits by now.
        let _ = cell.compare_exchange(since, now(), Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::spool::Spool;
    use std::os::fd::AsRawFd;

    /// One test, since the words are the process's.
    #[test]
    fn counters_go_along_into_a_slot_and_go_on_from_what_was_there() {
        add(Word::Requests, 2);
        let mut spool = Spool::new().unwrap();
        spool.append(&[0; 8 * (1 + 3 * WORDS.len())]).unwrap();
        let slot = map_words(spool.as_raw_fd(), 8, WORDS.len()).unwrap();
        slot[Word::Requests as usize].store(40, Ordering::Relaxed);
        slot[Word::Draining as usize].store(1, Ordering::Relaxed);
        let others = Some((8, 0));
        assert!(share(spool.as_raw_fd(), 8, others).unwrap());
        assert!(!share(spool.as_raw_fd(), 8, others).unwrap());
        let file = map_words(spool.as_raw_fd(), 0, 1 + 3 * WORDS.len()).unwrap();
        let other = |slot: usize, word: Word, value| {
            file[1 + slot * WORDS.len() + word as usize].store(value, Ordering::Relaxed);
        };
        for (slot, draining) in [(1, 0), (2, 1)] {
            other(slot, Word::Pid, 5);
            other(slot, Word::Draining, draining);
            other(slot, Word::Connections, 7);
            other(slot, Word::LateSince, 1);
        }
        assert_eq!(siblings().count(), 0);
        file[0].store(3, Ordering::Relaxed);
        let seen: Vec<_> = siblings()
            .map(|each| (each.connections, each.is_free))
            .collect();
        assert_eq!(seen, [(7, false)]);
        add(Word::Requests, 1);
        assert_eq!(slot[Word::Requests as usize].load(Ordering::Relaxed), 43);
        assert_eq!(count_of(Word::Requests), 3);
        assert_eq!(get(Word::Draining), 1);

        begin_turn();
        assert_ne!(slot[Word::LateSince as usize].load(Ordering::Relaxed), 0);
        end_call(begin_call(u64::MAX) - 20_000_000);
        end_call(begin_call(turn_began()) - 7_000);
        let waited = begin_call(turn_began()) - turn_began();
        assert!(count_of(Word::WaitMicroseconds) >= waited);
        assert_eq!(count_of(Word::CallLeInf), 1);
        assert_eq!(count_of(Word::CallLe10ms), 1);
        assert!(count_of(Word::CallMicroseconds) >= 20_007_000);
        end_turn();
        assert_eq!(get(Word::LateSince), 0);
    }

    #[test]
    fn the_order_is_that_of_the_words() {
        for (index, &(word, name, _)) in WORDS.iter().enumerate() {
            assert_eq!(word as usize, index, "{name}");
        }
        assert_eq!(
            Word::CallLeInf as usize - Word::CallLe1ms as usize,
            BOUNDS.len()
        );
    }
}
