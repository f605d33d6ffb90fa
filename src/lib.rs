//! Fapws: the Fast Asynchronous Python Web Server, as the extension module `fapws._evwsgi`.
//!
//! A request walks through the crate in this order:
//!
//! `server::io` reads bytes, `http::head` makes a head of them, `server::routes` finds the
//! application, `app::environ` builds the dict, `app::call` calls, `app::body` gives
//! chunks, `http::reply` gives head bytes, `server::output` writes them.
//!
//! Four islands do not know one another: [`http`] is pure, [`ev`] alone names libev, [`sys`]
//! alone makes system calls, `py` alone names CPython. `app` stands on them, `server` on
//! `app`, and `module`, `api` and `capi` are what Python and C programs see.

#[cfg(all(feature = "python2", feature = "python3"))]
compile_error!("one interpreter at a time: build with --no-default-features --features python2");

pub mod ev;
pub mod http;
pub mod sys;

#[cfg(any(feature = "python2", feature = "python3"))]
pub mod api;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod app;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod capi;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod config;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod module;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod outbox;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod py;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod queue;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod server;
#[cfg(any(feature = "python2", feature = "python3"))]
pub mod transmit;
