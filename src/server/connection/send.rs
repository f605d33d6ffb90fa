//! The stage in which a response is sent: what is queued is written, and its body pulled, item by item,
//! until it is exhausted.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::response_body::ResponseBody;
use crate::dialect::Dialect;
use crate::ev::Interest;
use crate::http::body_encoder::Progress;
use crate::py::Gil;
use crate::server::connection::close::begin_lingering;
use crate::server::connection::state::{After, Event, Step};
use crate::server::connection::work::{Connection, Quantum, Work};
use crate::server::connection::write::{Flushed, GATHERED, flush};
use crate::server::turn::Turn;

/// Writes, and pulls more from the application, as long as it is this connection's turn.
pub fn send(gil: Gil<'_>, turn: &Turn, connection: &Rc<Connection>, work: &mut Work) -> Step {
    let dialect = connection.reactor.ctx.dialect;
    let resets = dialect.resets_what_was_cut();
    loop {
        let is_cut = |rest: &ResponseBody| resets && rest.is_truncated_unseen();
        let exhausted = work
            .response
            .as_deref()
            .is_none_or(|rest| rest.is_exhausted() && !is_cut(rest));
        if exhausted && work.pending.is_some() {
            work.finish_line(connection);
        }
        let short = !work.out.file_follows() && work.out.waiting() < GATHERED;
        if exhausted && short {
            // Its `close()` is called.
            let done = work.response.take();
            turn.release(gil, work.called.as_ref(), done);
            work.owner = None;
            if !work.state.ends() {
                work.on(Event::Complete);
                return Step::Again;
            }
        }
        if exhausted && work.state.ends() {
            work.out.end();
        }
        // More of it may be gathered only because the monitor sends what takes too long.
        let has_more = (work.response.as_deref()).is_some_and(|body| !body.is_exhausted());
        let gathers =
            dialect.gathers_chunks() && turn.watch().looks().is_some() && has_more && short;
        if !gathers || is_over(&mut work.quantum, turn, dialect) {
            match flush(gil, &work.socket, &mut work.out) {
                Flushed::All => {}
                Flushed::Blocked => return Step::Wait(Interest::WRITE),
                Flushed::Gone => {
                    work.on(Event::Gone);
                    return Step::Again;
                }
            }
        }
        if !has_more {
            return complete(gil, turn, connection, work, resets);
        }
        if is_over(&mut work.quantum, turn, dialect) {
            if work.is_fruitless(connection) && work.socket.is_input_over() {
                work.on(Event::Gone);
                return Step::Again;
            }
            return Step::Wait(Interest::WRITE);
        }
        let progress = if work.out.is_empty() {
            pull(gil, turn, connection, work)
        } else {
            gather(gil, turn, connection, work)
        };
        if progress == Progress::Truncated && !work.state.ends() {
            work.on(Event::Last);
        }
    }
}

/// Whether others come before the next item.
fn is_over(quantum: &mut Quantum, turn: &Turn, dialect: Dialect) -> bool {
    quantum.is_over(dialect.items_a_turn(), turn.watch().looks())
}

/// Draws an item while nothing is queued.
fn pull(gil: Gil<'_>, turn: &Turn, connection: &Connection, work: &mut Work) -> Progress {
    let (called, out) = (work.called.as_ref(), &mut work.out);
    let Some(source) = work.response.as_mut() else {
        return Progress::Complete;
    };
    work.quantum.spend();
    let progress = turn.enter(gil, called, || {
        source.pull(gil, &connection.reactor.ctx, out)
    });
    if !work.out.is_empty() {
        work.fruitless_since = None;
    }
    progress
}

/// Draws items while what is queued stands in the outbox: until enough is, or others come. The monitor
/// sees each as it comes.
fn gather(gil: Gil<'_>, turn: &Turn, connection: &Connection, work: &mut Work) -> Progress {
    let (ctx, queues) = (&connection.reactor.ctx, &connection.reactor.queues);
    let Work {
        socket,
        out,
        called,
        response,
        quantum,
        fruitless_since,
        ..
    } = work;
    let Some(source) = response.as_mut() else {
        return Progress::Complete;
    };
    let mut part = queues.take();
    // One call in sight of the monitor for all of them: its second look comes only if one takes its time.
    let progress = turn.publish(socket, out, |outbox| {
        turn.watch().rouse_monitor();
        turn.enter(gil, called.as_ref(), || {
            loop {
                quantum.spend();
                let progress = source.pull(gil, ctx, &mut part);
                if !part.is_empty() {
                    *fruitless_since = None;
                }
                let is_short = outbox.extend_last(&mut part, GATHERED);
                if progress != Progress::More || source.is_exhausted() || !is_short {
                    return progress;
                }
                if is_over(quantum, turn, ctx.dialect) {
                    return progress;
                }
            }
        })
    });
    queues.put(gil, part);
    progress
}

/// Everything is written.
fn complete(
    gil: Gil<'_>,
    turn: &Turn,
    connection: &Connection,
    work: &mut Work,
    resets: bool,
) -> Step {
    let done = work.response.take();
    if resets && done.as_ref().is_some_and(|rest| rest.is_truncated_unseen()) {
        // Rejected by a descriptor that is no socket any more: it is closed either way.
        let _ = work.socket.reset_on_close();
        work.response = done;
        work.on(Event::Gone);
        return Step::Again;
    }
    turn.release(gil, work.called.as_ref(), done);
    work.owner = None;
    if !work.state.ends() {
        work.on(Event::Complete);
        return Step::Again;
    }
    let lingers = work.state.after == After::Linger;
    work.on(Event::Sent);
    if lingers {
        begin_lingering(connection, work);
    }
    Step::Again
}
