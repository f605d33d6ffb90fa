//! What a connection owns: the part that is shared, and the part that its worker holds.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

use crate::app::client::Client;
use crate::app::endpoint::Endpoint;
use crate::app::response_body::ResponseBody;
use crate::app::takeover::Takeover;
use crate::ev::{Interest, Io, OnIo};
use crate::http::head::HeadSearch;
use crate::py::Gil;
use crate::queue::WriteQueue;
use crate::server::connection::request::{Incoming, ParsedRequest};
use crate::server::connection::state::{Event, State};
use crate::server::log::Pending;
use crate::server::reactor::Reactor;
use crate::server::ready::{Id, Ready};
use crate::server::slow_calls::Called;
use crate::server::timeouts::Deadline;
use crate::server::turn::Owner;
use crate::sys::socket::{Handle, Socket};

/// One connection.
pub struct Connection {
    io: Io<Connection>,
    /// The run it belongs to.
    pub reactor: Rc<Reactor>,
    /// The listener's address, as applications see it.
    pub endpoint: Rc<Endpoint>,
    /// Who is at the other end.
    pub client: Rc<Client>,
    /// When it is due.
    pub deadline: Deadline,
    id: Cell<Id>,
    /// Its socket, which the shares in `work` and elsewhere keep open.
    handle: Handle,
    /// `None` while a thread works on it, and when it is over.
    work: Cell<Option<Box<Work>>>,
}

/// What a thread holds that works on a connection.
pub struct Work {
    /// Where the connection is in its life; changed by [`Work::on`].
    pub state: State,
    /// The socket.
    pub socket: Socket,
    /// The socket may have more to read: it was not read empty since it was last reported ready.
    pub readable: bool,
    /// The socket is watched for input.
    pub awaits_input: bool,
    /// What was received; the bytes before `at` are consumed.
    pub input: Vec<u8>,
    /// Where the next message begins in `input`.
    pub at: usize,
    /// Whether bytes were received behind `at` that were not looked at yet.
    pub unseen: bool,
    /// How far the end of the head was looked for.
    pub search: HeadSearch,
    /// The request that is parsed, and not called for yet.
    pub request: Option<ParsedRequest>,
    /// Its body, while it is on its way.
    pub incoming: Option<Box<Incoming>>,
    /// What is to be written.
    pub out: WriteQueue,
    /// What is to be written stands in the outbox until the turn ends.
    pub is_batched: bool,
    /// It waits for a thread that may call the application.
    pub is_queued: bool,
    /// The thread that called the application, while its response goes on.
    pub owner: Option<Owner>,
    /// Its queue was used since the last tick.
    pub was_active: bool,
    /// The part of a response that is not in the queue yet, or is kept until it is written.
    pub response: Option<Box<ResponseBody>>,
    /// What the application took over, for the time of its call.
    pub takeover: Option<Rc<Takeover>>,
    /// The access log's line of a response that is not whole yet.
    pub pending: Option<Box<Pending>>,
    /// What the response is of, where slow calls are looked for.
    pub called: Option<Arc<Called>>,
    /// When the request that is to be called for was there, in microseconds; 0 before that.
    pub arrived: u64,
    /// Whether a request of it had its response.
    pub served_any: bool,
    /// Since when the application produces empty items only, in seconds of the run's clock.
    pub fruitless_since: Option<f64>,
    /// What the application had of its turn.
    pub quantum: Quantum,
    /// What the kernel held for the client when the wait for it began, in bytes.
    pub held: usize,
    /// Until when what the client sends is read and dropped, in seconds of the run's clock.
    pub lingers_until: f64,
    /// A stage panicked.
    pub has_panicked: bool,
}

/// What an application had of its turn.
#[derive(Default)]
pub struct Quantum {
    items: usize,
    look: Option<u64>,
}

impl Quantum {
    /// Whether others come first: `most` items were produced or, with a monitor, it has looked since
    /// the first. `look` is the number of its last look.
    pub fn is_over(&mut self, most: usize, look: Option<u64>) -> bool {
        match look {
            Some(look) if most > 1 => *self.look.get_or_insert(look) != look,
            _ => self.items >= most,
        }
    }

    /// An item was produced.
    pub fn spend(&mut self) {
        self.items += 1;
    }
}

impl Work {
    /// The access log's line of a response that is whole now, or will never be.
    pub fn finish_line(&mut self, connection: &Connection) {
        if let (Some(pending), Some(log)) = (self.pending.take(), &connection.reactor.log) {
            log.finish(&pending, self.out.body_bytes());
        }
    }

    /// Something happened to the connection.
    ///
    /// # Panics
    /// Where the machine has no arrow for it: a defect of a stage.
    pub fn on(&mut self, event: Event) {
        match self.state.after(event) {
            Some(state) => self.state = state,
            None => panic!("no arrow for {event:?} in {:?}", self.state),
        }
    }

    /// Whether the application has produced nothing but empty items for a second or more: a client that
    /// sends no more is not kept for that.
    pub fn is_fruitless(&mut self, connection: &Connection) -> bool {
        let now = connection.reactor.clock.seconds();
        now - *self.fruitless_since.get_or_insert(now) >= 1.0
    }

    /// What was received and not consumed.
    pub fn received(&self) -> &[u8] {
        &self.input[self.at..]
    }

    /// Whether a message has begun. The line end that old clients send behind a body is none
    /// (RFC 9112 section 2.2): nobody waits for a response to it.
    pub fn has_begun(&self) -> bool {
        !matches!(self.received(), b"" | b"\r" | b"\r\n")
    }

    /// Keeps the memory of a queue with nothing in it for other responses: the connection is idle.
    pub fn give_queue_back(&mut self, gil: Gil<'_>, connection: &Connection) {
        if self.out.has_memory() && self.out.is_empty() && !self.is_batched {
            let out = std::mem::take(&mut self.out);
            connection.reactor.queues.put(gil, out);
        }
    }

    /// Makes sure that what is pushed to the queue finds memory.
    pub fn prepare_queue(&mut self, connection: &Connection) {
        self.was_active = true;
        if !self.out.has_memory() {
            self.out = connection.reactor.queues.take();
        }
    }
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(
        socket: Socket,
        reactor: Rc<Reactor>,
        endpoint: Rc<Endpoint>,
        client: Rc<Client>,
        state: State,
    ) -> Rc<Connection> {
        let handle = socket.handle();
        let work = Work {
            state,
            socket,
            readable: true,
            awaits_input: false,
            input: Vec::new(),
            at: 0,
            unseen: false,
            search: HeadSearch::default(),
            request: None,
            incoming: None,
            out: WriteQueue::default(),
            is_batched: false,
            is_queued: false,
            owner: None,
            was_active: false,
            response: None,
            takeover: None,
            pending: None,
            called: None,
            arrived: 0,
            served_any: false,
            fruitless_since: None,
            quantum: Quantum::default(),
            held: 0,
            lingers_until: 0.0,
            has_panicked: false,
        };
        Rc::new(Connection {
            io: Io::new(),
            reactor,
            endpoint,
            client,
            deadline: Deadline::default(),
            id: Cell::default(),
            handle,
            work: Cell::new(Some(Box::new(work))),
        })
    }

    /// Its place in the table, and its number.
    pub fn id(&self) -> Id {
        self.id.get()
    }

    /// Its socket's number is somebody else's by now: nothing of it is read, written or closed any more by any
    /// thread that works on it. Whether it had that number.
    pub fn disown(&self, number: RawFd) -> bool {
        self.handle.disown(number)
    }

    /// It has a place in the table.
    pub fn set_id(&self, id: Id) {
        self.id.set(id);
    }

    /// Takes what is worked on; `None` while another thread has it.
    pub fn take(&self) -> Option<Box<Work>> {
        self.work.take()
    }

    /// Puts it back.
    pub fn put(&self, work: Box<Work>) {
        self.work.set(Some(work));
    }

    /// Looks at what is worked on, where nobody has it.
    pub fn peek<R>(&self, look: impl FnOnce(&mut Work) -> R) -> Option<R> {
        let mut work = self.work.take()?;
        let seen = look(&mut work);
        self.work.set(Some(work));
        Some(seen)
    }

    /// Puts it back, and waits for the socket; with no interest, for something else. Whether the loop has
    /// to look anew at what it waits for.
    pub fn wait(self: &Rc<Self>, mut work: Box<Work>, interest: Option<Interest>) -> bool {
        work.awaits_input = interest == Some(Interest::READ);
        let changes = match interest {
            Some(interest) if self.io.is_active() => self.io.change(interest),
            Some(interest) => {
                match work.socket.descriptor() {
                    Some(socket) => Io::start(self, self.reactor.lp, socket, interest),
                    // It is somebody else's by now, which the next read finds out.
                    None => self.reactor.ready.push(Ready::Connection(self.id())),
                }
                true
            }
            None => {
                self.io.stop();
                false
            }
        };
        self.put(work);
        changes
    }

    /// Waits no more.
    pub fn unwatch(&self) {
        self.io.stop();
    }
}

impl OnIo for Connection {
    fn io(&self) -> &Io<Connection> {
        &self.io
    }

    fn ready(self: &Rc<Self>, _: Interest) {
        self.reactor.ready.push(Ready::Connection(self.id()));
    }

    fn panicked(self: &Rc<Self>) {}
}
