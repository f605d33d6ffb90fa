//! The response to `config.health`: whether the server takes requests, without the application.
//!
//! 200, and 503 from the moment at which the server is to end, so that balancers send elsewhere. The
//! scoreboard's word says that, since the master of several workers may know it before they do.

#![forbid(unsafe_code)]

use crate::http::framing::reply;
use crate::http::reply::push_health;
use crate::py::Gil;
use crate::scoreboard::{self, Word};
use crate::server::connection::state::{Event, Step};
use crate::server::connection::work::{Connection, Work};
use crate::server::registry::registry;
use crate::server::stats::count;

/// Responds to a request for the path of `config.health`; `None`: it is for an application.
pub fn respond(gil: Gil<'_>, connection: &Connection, work: &mut Work) -> Option<Step> {
    let ctx = &connection.reactor.ctx;
    let path = ctx.config.health.as_ref()?;
    let request = work.request.as_ref().filter(|_| ctx.dialect.has_health())?;
    let bytes = work.received();
    let method = request.head.method.of(bytes);
    if method != b"GET" && method != b"HEAD" {
        return None;
    }
    let target = ctx
        .dialect
        .target(method, request.head.target.of(bytes))
        .ok()?;
    if target.path != path.0 {
        return None;
    }
    let is_ending = scoreboard::get(Word::Draining) != 0;
    let (status, body): (u16, &[u8]) = if is_ending {
        (503, b"ending")
    } else {
        (200, b"ok")
    };
    let framing = reply(
        request.head.version,
        request.head.is_for_head(bytes),
        status,
        None,
        Some(body.len() as u64),
        request.framing.keep_alive && !is_ending,
    );
    work.prepare_queue(connection);
    if connection.reactor.log.is_some() {
        work.out.begin_response();
    }
    let lines = ctx.lines.borrow();
    push_health(work.out.buffer(), status, lines.lines(), framing, body);
    let stats = &registry(gil).stats;
    count(&stats.requests, 1);
    stats.count_code(status);
    if let Some(log) = &connection.reactor.log {
        log.log_page(work.received(), &connection.client, status, &work.out);
    }
    let request = work.request.take()?;
    work.at += request.length;
    work.unseen = work.at < work.input.len();
    connection.reactor.put_head(request.head);
    work.served_any = true;
    work.arrived = 0;
    if framing.keep_alive {
        work.on(Event::Responded);
    } else {
        work.on(Event::Last);
        if work.unseen {
            work.on(Event::MoreInput);
        }
    }
    Some(Step::Again)
}
