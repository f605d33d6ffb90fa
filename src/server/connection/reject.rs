//! Messages that are rejected: the response, and how it is counted.

#![forbid(unsafe_code)]

use crate::http::error::HttpError;
use crate::py::Gil;
use crate::server::connection::state::{Event, START};
use crate::server::connection::work::{Connection, Work};
use crate::server::registry::registry;
use crate::server::stats::count;

/// Queues the response to a message that is rejected.
pub fn reject(
    gil: Gil<'_>,
    connection: &Connection,
    work: &mut Work,
    error: HttpError,
    head_only: bool,
) {
    work.prepare_queue(connection);
    let reactor = &connection.reactor;
    let ctx = &reactor.ctx;
    if reactor.log.is_some() {
        work.out.begin_response();
    }
    let code = ctx.push_rejection(work.out.buffer(), error, head_only);
    let stats = &registry(gil).stats;
    count(&stats.refused, 1);
    stats.count_code(code);
    if let Some(log) = &reactor.log {
        let request = match &work.incoming {
            Some(incoming) => &incoming.input,
            None => work.received(),
        };
        log.log_page(request, &connection.client, code, &work.out);
        work.pending = None;
    }
    work.arrived = 0;
    work.incoming = None;
    work.request = None;
    work.on(Event::Rejected);
}

/// The same in the middle of anything: whatever was queued is dropped.
pub fn reject_now(
    gil: Gil<'_>,
    connection: &Connection,
    work: &mut Work,
    error: HttpError,
    head_only: bool,
) {
    let response = work.response.take();
    work.out.clear(gil);
    drop(response);
    work.state = START;
    reject(gil, connection, work, error, head_only);
}
