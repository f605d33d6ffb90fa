//! A connection, and the one driver of all of them.
//!
//! [`drive::drive`] takes a connection that is ready through its stages until it has to wait. Each stage is a
//! function from the connection's [`Work`] to a [`state::Step`]; stages never call one another, and only the
//! driver does what a step says. Which stage comes is [`state`]'s to say.
//!
//! | stage | file |
//! |---|---|
//! | look for the header of the PROXY protocol | [`proxy`] |
//! | read, look for a head, parse it | [`read`] |
//! | take in the body | [`body`] |
//! | call the application | [`respond`] |
//! | send its response, and pull more of it | [`send`] |
//! | respond to `config.health` without the application | [`health`] |
//! | write | [`write`] |
//! | drop what a rejected client still sends, close | [`close`] |
//!
//! While a thread works on a connection it holds its [`Work`]; so no part of a connection is borrowed
//! while Python runs, and no other thread can work on it.

#![forbid(unsafe_code)]

#[cfg(interpreter)]
pub mod body;
#[cfg(interpreter)]
pub mod close;
#[cfg(interpreter)]
pub mod drive;
#[cfg(interpreter)]
pub mod health;
#[cfg(interpreter)]
pub mod proxy;
#[cfg(interpreter)]
pub mod read;
#[cfg(interpreter)]
pub mod reject;
#[cfg(interpreter)]
pub mod request;
#[cfg(interpreter)]
pub mod respond;
#[cfg(interpreter)]
pub mod send;
pub mod state;
#[cfg(interpreter)]
pub mod work;
#[cfg(interpreter)]
pub mod write;
