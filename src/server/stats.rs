//! Counters of the core, shown by `stats()`: the words of the scoreboard under their old names.

#![forbid(unsafe_code)]

use crate::scoreboard::{self, Word};

/// A word that is counted in.
#[derive(Clone, Copy)]
pub struct Counter(Word);

macro_rules! counters {
    ($($name:ident $word:ident,)*) => {
        /// What is counted.
        pub struct Stats { $(#[allow(missing_docs)] pub $name: Counter,)* }

        impl Default for Stats {
            fn default() -> Stats {
                Stats { $($name: Counter(Word::$word),)* }
            }
        }
    };
}

counters! {
    accepted Accepted,
    requests Requests,
    responses_1xx Responses1xx,
    responses_2xx Responses2xx,
    responses_3xx Responses3xx,
    responses_4xx Responses4xx,
    responses_5xx Responses5xx,
    refused Rejected,
    timeouts Timeouts,
    bytes_in BytesIn,
    bytes_out BytesOut,
    lost_log_lines LostLogLines,
}

/// Counts `more`.
pub fn count(counter: &Counter, more: u64) {
    scoreboard::add(counter.0, more);
}

impl Stats {
    /// Each word's name and value, as far as they are this process's.
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        let words = scoreboard::WORDS.iter();
        words
            .map(|&(word, name, _)| (name, scoreboard::count_of(word)))
            .collect()
    }

    /// Counts a response by its status.
    pub fn count_code(&self, code: u16) {
        let counter = match code / 100 {
            1 => &self.responses_1xx,
            2 => &self.responses_2xx,
            3 => &self.responses_3xx,
            4 => &self.responses_4xx,
            5 => &self.responses_5xx,
            _ => return,
        };
        count(counter, 1);
    }
}
