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
