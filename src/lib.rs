//! Fapws: the Fast Asynchronous Python Web Server, as the extension module `fapws._evwsgi`.
//!
//! A request walks through the crate in this order:
//!
//! `server::connection::read` reads bytes, [`http::head`] makes a head of them, `server::routes` finds the
//! application, `app::environ` builds the dict, `app::call` calls, `app::body` gives chunks,
//! [`http::response_head`] gives head bytes, `server::connection::write` writes them.
//!
//! Four islands do not know one another: [`http`] is pure, [`ev`] alone names libev, [`sys`]
//! alone makes system calls, `py` alone names CPython. `app` stands on them, `server` on
//! `app`, and `module`, `api` and `capi` are what Python and C programs see.

#[cfg(all(feature = "python2", feature = "python3"))]
compile_error!("one interpreter at a time: build with --no-default-features --features python2");

pub mod access_log;
pub mod dialect;
pub mod ev;
pub mod http;
pub mod networks;
pub mod scoreboard;
pub mod sys;

#[cfg(interpreter)]
pub mod api;
#[cfg(interpreter)]
pub mod app;
#[cfg(interpreter)]
pub mod capi;
#[cfg(interpreter)]
pub mod config;
#[cfg(test)]
mod every_order;
#[cfg(interpreter)]
pub mod module;
#[cfg(interpreter)]
pub mod outbox;
// It needs no interpreter, unlike what it is a model of.
#[cfg(test)]
#[path = "outbox/model.rs"]
mod outbox_model;
#[cfg(interpreter)]
pub mod py;
#[cfg(interpreter)]
pub mod queue;
pub mod server;
pub mod server_log;
