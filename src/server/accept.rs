//! Accepting: what waits at a listener becomes a connection, and is read at once.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::py::Gil;
use crate::server::conn::Connection;
use crate::server::io;
use crate::server::run::Run;
use crate::server::stats::count;
use crate::server::{Acceptor, server};
use crate::sys::accept::{Accepted, accept as accept_one};
use crate::wsgi::site::Client;

/// Connections accepted before others have their turn.
const ACCEPTS: usize = 64;

/// More than the kernel's queue of a listener holds: who comes later is no longer ours.
const QUEUE: usize = 8192;

/// Accepts what waits at a listener, as far as it is its turn.
pub fn accept(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>) {
    accept_at_most(gil, run, acceptor, ACCEPTS);
}

/// Accepts everyone who waits at a listener.
pub fn accept_all(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>) {
    accept_at_most(gil, run, acceptor, QUEUE);
}

fn accept_at_most(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>, most: usize) {
    let Some(descriptor) = acceptor.descriptor() else {
        return;
    };
    for _ in 0..most {
        if !run.has_room() {
            acceptor.pause();
            return;
        }
        match accept_one(descriptor) {
            Ok(Accepted::Client(socket, peer)) => {
                let client = Client::new(peer);
                let connection = Connection::new(socket, run.clone(), acceptor.clone(), client);
                run.add(&connection);
                let server = server(gil);
                count(&server.stats.accepted, 1);
                server.trace(gil, || format!("fd={} accepted", connection.descriptor));
                connection
                    .deadline
                    .set(&run.clock, run.site.config.header_timeout);
                io::ready(gil, &connection);
            }
            Ok(Accepted::Retry) => {}
            Ok(Accepted::Empty) => return,
            // The client stays in the kernel's queue; the next tick, or the end of a connection,
            // tries again. Going on at once would be a busy loop.
            Ok(Accepted::Exhausted(_)) | Err(_) => {
                acceptor.pause();
                return;
            }
        }
    }
}
