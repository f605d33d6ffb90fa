//! Answers on their way out: written as far as the kernel takes them, asked for more when they are,
//! and what the connection does after them.

#![forbid(unsafe_code)]

use std::rc::Rc;
use std::time::Duration;

use crate::app::delimiter::Progress;
use crate::app::response::Response;
use crate::app::response_body::ResponseBody;
use crate::ev::Interest;
use crate::py::Gil;
use crate::queue::WriteQueue;
use crate::server::conn::{Connection, Phase, Reading, Receiving, Replying};
use crate::server::gather::Held;
use crate::server::io::{begin_lingering, close, wait_for_head};
use crate::server::output::{Flushed, flush};
use crate::server::receive::wait_for_body;
use crate::server::serve::Work;
use crate::server::server;
use crate::server::stats::count;
use crate::sys::socket::Socket;

/// Answers are gathered up to this many bytes before they are written.
const GATHERED: usize = 64 << 10;

/// How long one application may produce its items before other connections have their turn.
const TURN: Duration = Duration::from_millis(5);

/// A client that takes fewer bytes in `write_timeout` stands still, whatever it acknowledges.
const LEAST_TAKEN: usize = 16 << 10;

/// What comes after the requests in a buffer.
pub(super) enum After {
    /// More input is needed for the next head.
    Wait,
    /// A head is whole, and its body is not.
    Body(Box<Receiving>),
    /// An answer is not all written.
    Reply(Box<Replying>),
    /// A part of the last answer is in its queue: the next is asked for when it is written.
    Part(Box<Replying>),
    /// The message is refused, with the answer queued.
    Refused,
    /// The last answer is queued, and the connection ends with it.
    Last {
        /// The client may still be sending.
        lingers: bool,
    },
    /// The client is gone.
    Gone,
}

/// What the requests in a buffer led to.
pub(super) struct Outcome {
    /// What was received of the next head.
    pub reading: Reading,
    /// What comes next.
    pub after: After,
    /// The answers.
    pub out: WriteQueue,
    /// Whether something was received behind the requests.
    pub left: bool,
}

impl Outcome {
    /// Whether nothing but short answers, or a part of one, are to be written. A connection that ends
    /// costs less while the processor still has it at hand.
    pub fn can_be_held(&self) -> bool {
        match self.after {
            After::Part(_) => true,
            After::Wait => !self.out.is_empty() && !self.out.file_follows(),
            _ => false,
        }
    }
}

/// Writes what is queued, and puts the connection into its next phase, or leaves more work.
pub(super) fn finish(gil: Gil<'_>, connection: &Rc<Connection>, outcome: Outcome) -> Work {
    let run = &connection.run;
    let Outcome {
        reading,
        after,
        mut out,
        left,
    } = outcome;
    let keep_alive = match after {
        After::Reply(mut replying) => {
            replying.lingers |= left && !replying.keep_alive;
            replying.out = out;
            wait_for_reader(connection, replying);
            return Work::Done;
        }
        After::Part(replying) => {
            return go_on(gil, connection, replying);
        }
        After::Gone => {
            run.scratch.output.give_back(gil, out);
            close(gil, connection);
            return Work::Done;
        }
        After::Wait | After::Body(_) => true,
        After::Refused | After::Last { .. } => false,
    };
    let lingers = match after {
        After::Refused => true,
        After::Last { lingers } => lingers || left,
        _ => false,
    };
    if !keep_alive {
        out.end();
    }
    match write(gil, connection, &mut out) {
        Flushed::Gone => {
            run.scratch.output.give_back(gil, out);
            close(gil, connection);
        }
        Flushed::Blocked => {
            // Back-pressure: nothing more is read before the answers are written. A head whose body
            // is on its way is looked at again then.
            let input = match after {
                After::Body(receiving) => receiving.input,
                _ => reading.input,
            };
            let replying = Replying {
                out,
                rest: None,
                keep_alive,
                lingers,
                input,
                held: 0,
                turn: Turn::default(),
            };
            wait_for_reader(connection, Box::new(replying));
        }
        Flushed::All => {
            run.scratch.output.give_back(gil, out);
            match after {
                After::Body(receiving) if receiving.input.len() > receiving.head.len => {
                    return Work::TakeIn(receiving);
                }
                After::Body(receiving) => wait_for_body(connection, receiving),
                After::Wait => wait_for_head(gil, connection, reading),
                _ if lingers => begin_lingering(connection),
                _ => close(gil, connection),
            }
        }
    }
    Work::Done
}

pub(super) fn write(gil: Gil<'_>, connection: &Connection, out: &mut WriteQueue) -> Flushed {
    write_to(gil, &connection.socket(), out)
}

/// Writes in the middle of the application's call; whether there is still a client.
pub(super) fn flush_now(gil: Gil<'_>, socket: &Socket, out: &mut WriteQueue) -> bool {
    write_to(gil, socket, out) != Flushed::Gone
}

fn write_to(gil: Gil<'_>, socket: &Socket, out: &mut WriteQueue) -> Flushed {
    let mut written = 0;
    let flushed = flush(gil, socket, out, &mut written);
    count(&server(gil).stats.bytes_out, written);
    flushed
}

/// What an answer leaves to be done.
pub(super) enum Settled {
    /// It is queued or written, and the connection goes on.
    Kept,
    /// It is queued or written, and the connection ends.
    Ended {
        /// The client may still be sending.
        lingers: bool,
    },
    /// A part of it is queued, and more may come.
    Part(Box<Replying>),
    /// It is not all written.
    Pending(Box<Replying>),
    /// The client is gone.
    Gone,
}

/// Brings an answer as far as it goes now. A short one stays in the queue, to be written with those
/// that follow it; `last` says that none does.
pub(super) fn settle(
    gil: Gil<'_>,
    connection: &Connection,
    reply: Response,
    out: &mut WriteQueue,
    last: bool,
) -> Settled {
    let Response {
        keep_alive,
        lingers,
        body: rest,
        code: _,
    } = reply;
    let at_rest = rest
        .as_ref()
        .is_none_or(|rest| rest.is_exhausted() && !rest.is_truncated_unseen());
    let short = !out.file_follows() && out.waiting() < GATHERED;
    if at_rest && short {
        drop(rest);
        return if keep_alive {
            Settled::Kept
        } else {
            Settled::Ended { lingers }
        };
    }
    let mut rest = rest;
    let mut keep_alive = keep_alive;
    let replying = |rest, keep_alive| {
        Box::new(Replying {
            out: WriteQueue::default(),
            rest,
            keep_alive,
            lingers,
            input: Vec::new(),
            held: 0,
            turn: Turn::default(),
        })
    };
    if last && short {
        return Settled::Part(replying(rest, keep_alive));
    }
    let mut turn = Turn::default();
    loop {
        match drive(gil, connection, &mut rest, &mut keep_alive, out, &mut turn) {
            // What stands behind it in the buffer cannot be answered first.
            Driven::Part => {}
            Driven::Written if keep_alive => return Settled::Kept,
            Driven::Written => return Settled::Ended { lingers },
            Driven::Gone => return Settled::Gone,
            Driven::Blocked => return Settled::Pending(replying(rest, keep_alive)),
        }
    }
}

enum Driven {
    /// Everything.
    Written,
    /// The next part is queued, and may wait for other connections' answers.
    Part,
    /// The kernel is full, or it is others' turn.
    Blocked,
    Gone,
}

/// What a connection had of its turn.
#[derive(Default)]
pub struct Turn {
    items: usize,
    time: Duration,
}

/// Writes, and asks for more when everything is written, as long as it is this connection's turn.
fn drive(
    gil: Gil<'_>,
    connection: &Connection,
    rest: &mut Option<Box<ResponseBody>>,
    keep_alive: &mut bool,
    out: &mut WriteQueue,
    turn: &mut Turn,
) -> Driven {
    let run = &connection.run;
    let site = &run.site;
    let resets = site.dialect.resets_what_was_cut();
    loop {
        let is_over =
            |rest: &ResponseBody| rest.is_exhausted() && !(resets && rest.is_truncated_unseen());
        if !*keep_alive && rest.as_deref().is_none_or(is_over) {
            out.end();
        }
        match write(gil, connection, out) {
            Flushed::All => {}
            Flushed::Blocked => return Driven::Blocked,
            Flushed::Gone => return Driven::Gone,
        }
        let Some(source) = rest.as_mut().filter(|rest| !rest.is_exhausted()) else {
            let done = rest.take();
            if resets && done.as_ref().is_some_and(|rest| rest.is_truncated_unseen()) {
                // Refused by a descriptor that is no socket any more: it is closed either way.
                let _ = connection.socket().reset_on_close();
                return Driven::Gone;
            }
            // Its `close()` is called now, when the client has everything.
            drop(done);
            return Driven::Written;
        };
        if turn.items == site.dialect.items_a_turn() || turn.time > TURN {
            return Driven::Blocked;
        }
        if source.pull(gil, site, out) == Progress::Truncated {
            *keep_alive = false;
        }
        let (took, waits) = run.gathered.lap(gil, run.lp);
        turn.items += 1;
        turn.time += took;
        if waits && !out.is_empty() && out.waiting() < GATHERED {
            return Driven::Part;
        }
    }
}

/// Waits until the socket can be written again.
fn wait_for_reader(connection: &Rc<Connection>, mut replying: Box<Replying>) {
    let run = &connection.run;
    replying.turn = Turn::default();
    replying.held = connection.socket().unacknowledged().unwrap_or(0);
    connection
        .deadline
        .set(&run.clock, run.site.config.write_timeout);
    connection.enter(Phase::Reply(replying));
    connection.watch(Interest::WRITE);
}

/// The socket could not be written for `write_timeout`. The kernel says that it can only when a good
/// part of its buffer, some megabytes, is free; so whether the client stands still is told by what is
/// left in the buffer.
pub(super) fn write_timed_out(gil: Gil<'_>, connection: &Rc<Connection>, replying: Box<Replying>) {
    let held = connection.socket().unacknowledged();
    let least = LEAST_TAKEN.min(replying.held.max(1));
    if held.is_ok_and(|held| held.saturating_add(least) <= replying.held) {
        wait_for_reader(connection, replying);
        return;
    }
    count(&server(gil).stats.timeouts, 1);
    drop(replying);
    close(gil, connection);
}

/// The socket can be written, again or for the first time.
pub(super) fn go_on(
    gil: Gil<'_>,
    connection: &Rc<Connection>,
    mut replying: Box<Replying>,
) -> Work {
    let Replying {
        out,
        rest,
        keep_alive,
        turn,
        ..
    } = &mut *replying;
    match drive(gil, connection, rest, keep_alive, out, turn) {
        Driven::Part => {
            let gathered = &connection.run.gathered;
            gathered.hold(gil, connection, Held::Part(replying));
        }
        Driven::Gone => {
            drop(replying);
            close(gil, connection);
        }
        Driven::Blocked => wait_for_reader(connection, replying),
        Driven::Written => {
            let Replying {
                out,
                keep_alive,
                lingers,
                input,
                ..
            } = *replying;
            if keep_alive && !input.is_empty() {
                return Work::go_on_with(connection, input, out);
            }
            connection.run.scratch.output.give_back(gil, out);
            if !keep_alive {
                if lingers {
                    begin_lingering(connection);
                } else {
                    close(gil, connection);
                }
            } else {
                wait_for_head(gil, connection, Reading::default());
            }
        }
    }
    Work::Done
}
