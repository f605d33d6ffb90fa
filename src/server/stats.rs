//! Counters of the core, shown by `stats()`.

#![forbid(unsafe_code)]

use std::cell::Cell;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What was counted since the module was imported.
        #[derive(Default)]
        pub struct Stats { $($(#[$doc])* pub $name: Cell<u64>,)* }

        impl Stats {
            /// Each counter's name and value.
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)*]
            }
        }
    };
}

counters! {
    /// Connections accepted.
    accepted,
    /// Requests answered by an application, or by its failure.
    requests,
    /// Answers with a status from 200 to 299.
    responses_2xx,
    /// Answers with a status from 300 to 399.
    responses_3xx,
    /// Answers with a status from 400 to 499, refusals included.
    responses_4xx,
    /// Answers with a status from 500 to 599, refusals included.
    responses_5xx,
    /// Messages that were refused.
    refused,
    /// Connections that were too slow.
    timeouts,
    /// Bytes read.
    bytes_in,
    /// Bytes written.
    bytes_out,
}

/// Counts `more`.
pub fn count(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get().wrapping_add(more));
}

impl Stats {
    /// Counts an answer by its status.
    pub fn count_code(&self, code: u16) {
        let counter = match code / 100 {
            2 => &self.responses_2xx,
            3 => &self.responses_3xx,
            4 => &self.responses_4xx,
            5 => &self.responses_5xx,
            _ => return,
        };
        count(counter, 1);
    }
}
