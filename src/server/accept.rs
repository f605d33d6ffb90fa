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

/// Accepts what waits at a listener.
pub fn accept(gil: Gil<'_>, run: &Rc<Run>, acceptor: &Rc<Acceptor>) {
    let Some(descriptor) = acceptor.descriptor() else {
        return;
    };
    for _ in 0..ACCEPTS {
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
