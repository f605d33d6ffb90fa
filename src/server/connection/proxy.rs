//! The stage before the first head: a proxy's word on who its client is.
//!
//! Once a connection, from peers of `config.proxy_allow_from` only, within the time of the first head.
//! What is malformed has no response: the sender may be no HTTP client.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::ev::Interest;
use crate::http::proxy_protocol::{Malformed, Versions, parse};
use crate::py::Gil;
use crate::server::connection::read::{keep_rest, receive};
use crate::server::connection::state::{Event, INTRODUCED_FIRST, START, State, Step};
use crate::server::connection::work::{Connection, Work};
use crate::server::reactor::Reactor;
use crate::server::registry::registry;
use crate::server::stats::count;
use crate::sys::peer::Peer;

/// How a connection from `peer` begins.
pub fn first_state(reactor: &Reactor, peer: &Peer) -> State {
    let config = &reactor.ctx.config;
    if config.proxy_protocol != Versions::Off && config.proxy_allow_from.contain(peer) {
        INTRODUCED_FIRST
    } else {
        START
    }
}

/// Looks for the header, reading what there is.
pub fn header(gil: Gil<'_>, connection: &Rc<Connection>, work: &mut Work) -> Step {
    loop {
        if std::mem::take(&mut work.unseen) {
            match parse(
                connection.reactor.ctx.config.proxy_protocol,
                work.received(),
            ) {
                Ok(None) => {}
                Ok(Some(header)) => {
                    if let Some(source) = header.source {
                        connection.client.introduce(Peer::Inet(source));
                    }
                    work.at += header.length;
                    work.unseen = work.at < work.input.len();
                    work.on(Event::Introduced);
                    return Step::Again;
                }
                Err(Malformed) => {
                    let registry = registry(gil);
                    count(&registry.stats.refused, 1);
                    registry.trace(gil, || {
                        format!("fd={} no PROXY header", work.socket.number())
                    });
                    work.on(Event::Gone);
                    return Step::Again;
                }
            }
        }
        if !work.readable {
            keep_rest(connection, work);
            return Step::Wait(Interest::READ);
        }
        if !receive(gil, connection, work) {
            work.on(Event::Gone);
            return Step::Again;
        }
    }
}
