//! Which requests are expected to wait, learnt as a branch predictor learns.
//!
//! A table of two-bit counters over hashes of method and target: where it says so, another thread calls the
//! application. A wrong guess costs a wake-up, or two looks of the monitor; never a response.
//!
//! A target that was seen is known by itself (`/page?full=1` is slow, where `/page` is quick), and one that
//! was not by its path. Where paths carry identifiers (`/item/4711`) a hash of the whole path learns nothing:
//! once unforeseen stalls are frequent, a path that was never seen is looked up by its first segment too, then
//! by the method alone.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};

/// A power of two; of a thousand paths one in eight shares its counter with another.
const COUNTERS: usize = 4096;

/// From this count on a call is expected to wait.
const THRESHOLD: u8 = 2;

/// The most a counter holds.
const MOST: u8 = 3;

/// A counter with this bit has learnt from a call; the others hold the count.
const SEEN: u8 = 4;

/// So many unforeseen stalls between two looks at the clock mean that whole paths learn nothing: each
/// costs everybody some milliseconds.
const FREQUENT: u32 = 8;

/// What the table knows requests by.
const LEVELS: usize = 4;

/// How many of them it always looks up: the target, and the path.
const LEAST: usize = 2;

/// The places of a request in the table: by its target, its path, its first segment, its method. Without a
/// query the first two are one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Places([u16; LEVELS]);

/// The table.
pub struct Expectation {
    counters: RefCell<[u8; COUNTERS]>,
    /// How many levels are looked up.
    levels: Cell<usize>,
    /// Unforeseen stalls since the last tick.
    stalls: Cell<u32>,
}

impl Default for Expectation {
    fn default() -> Expectation {
        Expectation {
            counters: RefCell::new([0; COUNTERS]),
            levels: Cell::new(LEAST),
            stalls: Cell::new(0),
        }
    }
}

impl Places {
    /// Those of a request with this method and target.
    pub fn of(method: &[u8], target: &[u8]) -> Places {
        let (path, query) = target.split_at(memchr::memchr(b'?', target).unwrap_or(target.len()));
        let end =
            memchr::memchr(b'/', path.get(1..).unwrap_or_default()).map_or(path.len(), |at| at + 1);
        // Each is made of the one before, so that every byte is looked at once.
        let by_method = hash(0, method);
        let by_segment = hash(by_method, &path[..end]);
        let by_path = hash(by_segment, &path[end..]);
        let by_target = match query {
            [] => by_path,
            query => hash(by_path, query),
        };
        let place = |hash: u64| (hash >> 32) as u16 % COUNTERS as u16;
        Places([by_target, by_path, by_segment, by_method].map(place))
    }
}

/// Mixes the bytes, eight at a time, and their number into `start`.
fn hash(start: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    };
    let all = words
        .iter()
        .fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    // One more than the number, so that nothing is mixed in as something.
    mix(mix(all, u64::from_le_bytes(last)), bytes.len() as u64 + 1)
}

impl Expectation {
    /// Whether a request is expected to wait.
    pub fn waits(&self, places: Places) -> bool {
        let counters = self.counters.borrow();
        let counter = |place: &u16| counters[usize::from(*place)];
        let expects = |place: &u16| counter(place) & MOST >= THRESHOLD;
        let [target, path, shorter @ ..] = &places.0;
        // Calls that differ share a place: what is known of the longer ones counts for more.
        let is_known_quick = |place: &u16| counter(place) == SEEN;
        expects(target)
            || !is_known_quick(target)
                && (expects(path)
                    || !is_known_quick(path)
                        && shorter[..self.levels.get() - LEAST].iter().any(expects))
    }

    /// A request waited, or did not.
    pub fn learn(&self, places: Places, waited: bool) {
        let mut counters = self.counters.borrow_mut();
        let is_new = |place: u16| counters[usize::from(place)] == 0;
        let [target, path, ..] = places.0;
        // What is quick and was never slow costs a look.
        if !waited && self.levels.get() == LEAST && is_new(target) && is_new(path) {
            return;
        }
        let first = usize::from(target == path);
        for place in &places.0[first..] {
            let counter = &mut counters[usize::from(*place)];
            let count = *counter & MOST;
            let count = if waited {
                MOST.min(count + 1)
            } else {
                count.saturating_sub(1)
            };
            *counter = count | SEEN;
        }
    }

    /// A call that nobody foresaw held the loop up.
    pub fn stalled(&self) {
        self.stalls.set(self.stalls.get() + 1);
    }

    /// A quarter of a second has passed.
    pub fn tick(&self) {
        let levels = self.levels.get();
        if self.stalls.replace(0) >= FREQUENT {
            self.levels.set(LEVELS.min(levels + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_two_to_be_expected_and_two_to_be_forgotten() {
        let table = Expectation::default();
        let slow = Places::of(b"GET", b"/slow");
        assert!(!table.waits(slow));
        table.learn(slow, true);
        assert!(!table.waits(slow));
        table.learn(slow, true);
        assert!(table.waits(slow));
        assert!(!table.waits(Places::of(b"GET", b"/quick")));
        table.learn(slow, false);
        assert!(!table.waits(slow));
    }

    /// Of a thousand paths few share a counter, as of a thousand random places.
    #[test]
    fn paths_that_are_alike_spread_over_the_table() {
        let places = |path: &dyn Fn(usize) -> String| {
            let all = (0..1000).map(|id| Places::of(b"GET", path(id).as_bytes()).0[0]);
            all.collect::<std::collections::HashSet<u16>>().len()
        };
        let kinds: [&dyn Fn(usize) -> String; 4] = [
            &|id| format!("/{id}"),
            &|id| format!("/item/{id}"),
            &|id| format!("/{id}/a/rather/long/path/behind/it"),
            &|id| "/".repeat(id),
        ];
        for path in kinds {
            // 887 of random ones.
            assert!(places(path) > 830, "{} of {}", places(path), path(7));
        }
        assert_ne!(Places::of(b"GET", b"/"), Places::of(b"PUT", b"/"));
    }

    #[test]
    fn a_target_that_was_seen_is_known_by_itself_and_else_by_its_path() {
        let table = Expectation::default();
        let of = |target: &[u8]| Places::of(b"GET", target);
        for _ in 0..2 {
            table.learn(of(b"/page?full=1"), true);
            (0..49).for_each(|_| table.learn(of(b"/page"), false));
        }
        assert!(table.waits(of(b"/page?full=1")));
        assert!(!table.waits(of(b"/page")));
        assert!(!table.waits(of(b"/page?full=0")));
        for number in 0..2 {
            table.learn(of(format!("/slow?number={number}").as_bytes()), true);
        }
        assert!(table.waits(of(b"/slow?number=4711")));
        table.learn(of(b"/slow?cached=1"), false);
        assert!(!table.waits(of(b"/slow?cached=1")));
    }

    #[test]
    fn without_a_query_a_call_counts_once() {
        let table = Expectation::default();
        let places = Places::of(b"GET", b"/slow");
        table.learn(places, true);
        assert!(!table.waits(places));
    }

    #[test]
    fn identifiers_in_paths_are_seen_through_while_they_stall_the_loop() {
        let table = Expectation::default();
        for id in 0..100 {
            table.learn(Places::of(b"GET", format!("/item/{id}").as_bytes()), true);
        }
        let unknown = Places::of(b"GET", b"/item/4711");
        assert!(!table.waits(unknown));
        for _ in 0..FREQUENT {
            table.stalled();
        }
        table.tick();
        assert!(table.waits(unknown));
        assert!(!table.waits(Places::of(b"POST", b"/other")));
    }

    #[test]
    fn a_path_that_was_seen_is_known_by_itself() {
        let table = Expectation::default();
        for _ in 0..FREQUENT {
            table.stalled();
        }
        table.tick();
        let quick = Places::of(b"GET", b"/item/1");
        table.learn(quick, false);
        for id in 2..100 {
            table.learn(Places::of(b"GET", format!("/item/{id}").as_bytes()), true);
        }
        assert!(table.waits(Places::of(b"GET", b"/item/4711")));
        assert!(!table.waits(quick));
    }
}
