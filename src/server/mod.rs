//! The server: what the program registered, the loop, and the life of a connection.
//!
//! [`serve`] sets a run up. [`run`] goes round: it works off what is [`ready`], and polls. A connection that is ready is taken
//! through its stages by one driver, [`connection::drive`].

#![forbid(unsafe_code)]

#[cfg(interpreter)]
pub mod accept;
#[cfg(interpreter)]
pub mod at_exit;
pub mod baton;
#[cfg(interpreter)]
pub mod body_buffer;
pub mod connection;
#[cfg(interpreter)]
pub mod crew;
#[cfg(interpreter)]
pub mod defer;
pub mod demand;
#[cfg(interpreter)]
mod ending;
pub mod expectation;
pub mod fair_share;
#[cfg(interpreter)]
pub mod fatal;
#[cfg(interpreter)]
pub mod listener;
#[cfg(interpreter)]
pub mod log;
pub mod log_lines;
#[cfg(interpreter)]
pub mod monitor;
#[cfg(interpreter)]
pub mod reactor;
pub mod ready;
#[cfg(interpreter)]
pub mod registry;
#[cfg(interpreter)]
pub mod routes;
#[cfg(interpreter)]
pub mod run;
#[cfg(interpreter)]
pub mod seats;
#[cfg(interpreter)]
pub mod serve;
#[cfg(interpreter)]
pub mod signals;
pub mod slow_calls;
#[cfg(interpreter)]
pub mod slow_reports;
pub mod stalls;
#[cfg(interpreter)]
pub mod stats;
#[cfg(interpreter)]
pub mod table;
pub mod thread_limit;
#[cfg(interpreter)]
mod threads;
#[cfg(interpreter)]
mod tick;
#[cfg(interpreter)]
pub mod timeouts;
#[cfg(interpreter)]
pub mod timers;
#[cfg(interpreter)]
pub mod turn;
#[cfg(interpreter)]
mod wait;
