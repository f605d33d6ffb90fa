//! Accepting: what waits at a listener becomes a connection, and is read at once.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::client::Client;
use crate::py::Gil;
use crate::server::conn::Connection;
use crate::server::io;
use crate::server::run::Run;
use crate::server::stats::count;
use crate::server::{Acceptor, server};
use crate::sys::accept::{Accepted, accept as accept_one};

/// Connections accepted before others have their turn.
const ACCEPTS: usize = 64;

/// More than the kernel's queue of a listener holds: who comes later is no longer ours.
const QUEUE: usize = 4096;

/// Accepts what waits at a listener, as far as it is its turn, and reads it at once.
pub fn accept(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>) {
    for _ in 0..ACCEPTS {
        if run.is_draining() {
            return;
        }
        match accept_next(gil, run, acceptor) {
            Some(connection) => io::ready(gil, &connection),
            None => return,
        }
    }
}

/// Accepts everyone who waits at a listener, to be read when the loop says so: while somebody is
/// served, more come.
pub fn accept_all(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>) {
    for _ in 0..QUEUE {
        if accept_next(gil, run, acceptor).is_none() {
            return;
        }
    }
}

/// The next one who waits, if there is room for a connection; pauses the listener where there is none.
fn accept_next(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>) -> Option<Rc<Connection>> {
    let descriptor = acceptor.descriptor()?;
    loop {
        if !run.has_room() {
            acceptor.pause();
            return None;
        }
        match accept_one(descriptor) {
            Ok(Accepted::Client(socket, peer)) => {
                let client = Client::new(peer);
                let connection = Connection::new(socket, run.clone(), acceptor.clone(), client);
                run.add(&connection);
                let server = server(gil);
                count(&server.stats.accepted, 1);
                server.trace(gil, || {
                    format!("fd={} accepted", connection.socket().number())
                });
                connection
                    .deadline
                    .set(&run.clock, run.site.config.header_timeout);
                return Some(connection);
            }
            Ok(Accepted::Retry) => {}
            Ok(Accepted::Empty) => return None,
            // The client stays in the kernel's queue; the next tick, or the end of a connection,
            // tries again. Going on at once would be a busy loop.
            Ok(Accepted::Exhausted(_)) | Err(_) => {
                acceptor.pause();
                return None;
            }
        }
    }
}
