//! Accepting: what waits at a listener becomes a connection.

#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::rc::Rc;

use crate::app::child;
use crate::app::client::Client;
use crate::py::Gil;
use crate::server::connection::close::{close, is_idle};
use crate::server::connection::proxy::first_state;
use crate::server::connection::state::Event;
use crate::server::connection::work::Connection;
use crate::server::listener::Acceptor;
use crate::server::reactor::Reactor;
use crate::server::ready::Ready;
use crate::server::registry::registry;
use crate::server::stats::count;
use crate::server::table::Table;
use crate::sys::accept::Accepted;
use crate::sys::socket::Socket;

/// The next client who waits, if there is room for a connection; pauses the listener where there is
/// none.
pub fn accept_next(
    gil: Gil<'_>,
    reactor: &Rc<Reactor>,
    table: &Table,
    acceptor: &Rc<Acceptor>,
) -> Option<Rc<Connection>> {
    loop {
        if !reactor.has_room() && !make_room(gil, table) {
            acceptor.pause();
            return None;
        }
        // The client is the parent's.
        child::leave_if_forked(gil);
        match acceptor.accept()? {
            Ok(Accepted::Client(socket, peer)) => {
                let registry = registry(gil);
                let socket = Socket::new(socket);
                let number = socket.number();
                reactor.lp.verify_new(number);
                disown(gil, reactor, table, number);
                count(&registry.stats.accepted, 1);
                registry.trace(gil, || format!("fd={} accepted", socket.number()));
                let trusted = &reactor.ctx.config.forwarded_allow_ips;
                let connection = Connection::new(
                    socket,
                    reactor.clone(),
                    acceptor.endpoint.clone(),
                    Rc::new(Client::new(peer, trusted.contain(&peer))),
                    first_state(reactor, &peer),
                );
                table.add(&connection, number);
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

/// The kept connection that has been idle longest gives way to a new one. Whether there was one.
fn make_room(gil: Gil<'_>, table: &Table) -> bool {
    let is_idle = |connection: &Rc<Connection>| {
        connection.peek(|work| work.served_any && is_idle(work)) == Some(true)
    };
    // The deadlines of idle connections were set when they became so, all as far ahead.
    let idle = table.select(is_idle);
    let Some(oldest) = idle
        .iter()
        .min_by_key(|connection| connection.deadline.ticks())
    else {
        return false;
    };
    if let Some(work) = oldest.take() {
        close(gil, oldest, work);
    }
    table.remove(oldest);
    true
}

/// The kernel gave a number that a connection or a listener of ours has: a program closed that one's by
/// mistake. It is over, and must not close the number again.
fn disown(gil: Gil<'_>, reactor: &Reactor, table: &Table, number: RawFd) {
    registry(gil).listeners.disown(number);
    let Some(robbed) = table.owner(number) else {
        return;
    };
    robbed.unwatch();
    // A thread that works on it finds out when it reads or writes.
    if robbed.disown(number) && robbed.peek(|work| work.on(Event::Gone)).is_some() {
        reactor.ready.push(Ready::Connection(robbed.id()));
    }
}
