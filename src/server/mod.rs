//! The server: what the program registered, the loop, and the life of a connection.
//!
//! [`run`] goes round: it works off what is [`ready`], and polls. A connection that is ready is taken
//! through its stages by one driver, [`connection::drive`].

#![forbid(unsafe_code)]

pub mod accept;
pub mod batch;
pub mod body_buffer;
pub mod connection;
pub mod defer;
pub mod listener;
pub mod monitor;
pub mod reactor;
pub mod ready;
pub mod registry;
pub mod routes;
pub mod run;
pub mod signals;
pub mod stats;
pub mod table;
pub mod timeouts;
pub mod timers;
