//! The driver: one function takes every connection through its stages.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::ev::{Interest, guarded};
use crate::http::error::HttpError;
use crate::outbox::Outbound;
use crate::py::Gil;
use crate::server::connection::state::{Event, Stage, Step};
use crate::server::connection::work::{Connection, Work};
use crate::server::connection::write::Flushed;
use crate::server::connection::{body, close, proxy, read, reject, respond, send, write};
use crate::server::ready::Ready;
use crate::server::turn::{Owner, Turn};

/// What the driver leaves to its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driven {
    /// The connection waits, or another thread works on it.
    Waits,
    /// It is over: it has no place in the table any more.
    Closed,
    /// It is to go on once the run has begun to end.
    EndsRun,
}

/// Steps a connection that is ready through its stages until it waits or ends.
pub fn drive(gil: Gil<'_>, turn: &Turn, connection: &Rc<Connection>) -> Driven {
    let Some(mut work) = connection.take() else {
        // Another thread has it: what came is seen when it is put back.
        connection.unwatch();
        return Driven::Waits;
    };
    if work.is_batched {
        // Its turn to be written comes first.
        connection.put(work);
        return Driven::Waits;
    }
    if work.is_queued {
        connection.put(work);
        connection.unwatch();
        return Driven::Waits;
    }
    let owner = work.owner.as_ref().map(Owner::number);
    if let Some(owner) = owner.filter(|owner| *owner != turn.seat.number) {
        connection.put(work);
        connection.unwatch();
        turn.crew.send_to(owner, connection.id());
        return Driven::Waits;
    }
    work.readable |= std::mem::take(&mut work.awaits_input);
    loop {
        match guarded(|| advance(gil, turn, connection, &mut work)) {
            Some(Step::Again) => {}
            // The run ended while this thread was in a call.
            Some(Step::Wait(_) | Step::Pause) if turn.crew.ended.get() => {
                close::close(gil, connection, work);
                return Driven::Closed;
            }
            Some(Step::Wait(interest)) => {
                let changes = connection.wait(work, Some(interest));
                if changes && !turn.holds_loop() {
                    connection.reactor.waker.wake();
                }
                return Driven::Waits;
            }
            Some(Step::Pause) => {
                connection.wait(work, None);
                return Driven::Waits;
            }
            Some(Step::Batch) => {
                work.is_batched = true;
                let queue = std::mem::take(&mut work.out);
                let outbound = Outbound::new(work.socket.clone(), queue);
                turn.add(connection.id(), outbound);
                connection.put(work);
                return Driven::Waits;
            }
            Some(Step::Queue(waits)) => {
                work.is_queued = true;
                connection.put(work);
                turn.crew.enqueue(connection.id(), waits);
                return Driven::Waits;
            }
            Some(Step::MakeWay) => {
                connection.put(work);
                turn.crew.ready.push(Ready::Connection(connection.id()));
                turn.make_way();
                return Driven::Waits;
            }
            Some(Step::EndRun) => {
                connection.put(work);
                return Driven::EndsRun;
            }
            Some(Step::Close) => {
                close::close(gil, connection, work);
                return Driven::Closed;
            }
            // A panic costs one connection.
            None if work.has_panicked => work.on(Event::Gone),
            None => {
                work.has_panicked = true;
                reject::reject_now(gil, connection, &mut work, HttpError::Internal, false);
            }
        }
    }
}

/// Runs stages until one leaves more to be done than the next one.
fn advance(gil: Gil<'_>, turn: &Turn, connection: &Rc<Connection>, work: &mut Work) -> Step {
    loop {
        let step = match work.state.stage() {
            Stage::Proxy => proxy::header(gil, connection, work),
            Stage::Head => read::head(gil, connection, work),
            Stage::Body => body::receive(gil, connection, work),
            Stage::Call => respond::call(gil, turn, connection, work),
            Stage::Send => send::send(gil, turn, connection, work),
            Stage::Discard => close::discard(connection, work),
            Stage::Close => Step::Close,
        };
        let step = match step {
            Step::Wait(Interest::READ) | Step::Pause => {
                flush_before_wait(gil, turn, connection, work, step)
            }
            step => step,
        };
        match step {
            Step::Again => {}
            Step::Wait(Interest::WRITE) => {
                write::expect_reader(connection, work);
                return step;
            }
            step => return step,
        }
    }
}

/// What is queued goes out before more is waited for. What is to be done then: `wait`, or something else first.
fn flush_before_wait(
    gil: Gil<'_>,
    turn: &Turn,
    connection: &Rc<Connection>,
    work: &mut Work,
    wait: Step,
) -> Step {
    if !work.out.is_empty() {
        if turn.has_company() && write::may_wait(work) {
            return Step::Batch;
        }
        match write::flush(gil, &work.socket, &mut work.out) {
            Flushed::All if work.unseen => return Step::Again,
            Flushed::All => {}
            // Back-pressure: nothing more is read before the responses are written.
            Flushed::Blocked => return Step::Wait(Interest::WRITE),
            Flushed::Gone => {
                work.on(Event::Gone);
                return Step::Again;
            }
        }
    }
    match work.state.stage() {
        Stage::Head | Stage::Proxy if !read::expect_head(connection, work) => {
            work.on(Event::Gone);
            return Step::Again;
        }
        Stage::Body if wait != Step::Pause => body::expect_more(connection, work),
        _ => {}
    }
    wait
}
