//! Accepting: what waits at a listener becomes a connection.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::client::Client;
use crate::py::Gil;
use crate::server::connection::work::Connection;
use crate::server::listener::Acceptor;
use crate::server::reactor::Reactor;
use crate::server::registry::registry;
use crate::server::stats::count;
use crate::server::table::Table;
use crate::sys::accept::{Accepted, accept};
use crate::sys::socket::Socket;

/// The next client who waits, if there is room for a connection; pauses the listener where there is
/// none.
pub fn accept_next(
    gil: Gil<'_>,
    reactor: &Rc<Reactor>,
    table: &Table,
    acceptor: &Rc<Acceptor>,
) -> Option<Rc<Connection>> {
    let descriptor = acceptor.descriptor()?;
    loop {
        if !reactor.has_room() {
            acceptor.pause();
            return None;
        }
        match accept(descriptor) {
            Ok(Accepted::Client(socket, peer)) => {
                let registry = registry(gil);
                let socket = Socket::new(socket);
                count(&registry.stats.accepted, 1);
                registry.trace(gil, || format!("fd={} accepted", socket.number()));
                let connection = Connection::new(
                    socket,
                    reactor.clone(),
                    acceptor.endpoint.clone(),
                    Rc::new(Client::new(peer)),
                );
                table.add(&connection);
                connection
                    .deadline
                    .set(&reactor.clock, reactor.ctx.config.header_timeout);
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
