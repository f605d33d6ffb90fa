//! A connection and the phases of its life; no I/O happens here.
//!
//! ```text
//!             accept
//!               |
//!               v        head whole, body not
//!   +-------> Head ----------------------------> Body
//!   |           |                                  |
//!   |           | request whole                    | body whole
//!   |           v                                  |
//!   |    (the application is called) <-------------+
//!   |           |
//!   |           | answer not all written, or more to come from the application
//!   |           +------------------------------> Reply
//!   |           |                                  |
//!   +-----------+----------- written, kept --------+
//!               |                                  |
//!               | written, not kept                |
//!               v                                  |
//!            Closed <------------------------------+
//!               ^
//!               | the client has seen the refusal, or had its time
//!             Linger <---- a refused message (from Head or Body)
//! ```
//!
//! While a callback works on a connection it holds the phase itself, and `Busy` stands in its place;
//! so no part of a connection is borrowed while Python runs.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::app::buffer_pool::PooledBuffer;
use crate::app::client::Client;
use crate::app::response_body::ResponseBody;
use crate::ev::{Interest, Io, OnIo};
use crate::http::chunked::Decoder;
use crate::http::framing::Framing;
use crate::http::head::{Head, HeadSearch};
use crate::py::threads;
use crate::queue::WriteQueue;
use crate::server::deadlines::Deadline;
use crate::server::deliver::Turn;
use crate::server::run::Run;
use crate::server::{Acceptor, io};
use crate::sys::limits::no_descriptor_left;
use crate::sys::socket::Socket;
use crate::sys::spool::Spool;

/// One connection.
pub struct Connection {
    io: Io<Connection>,
    socket: RefCell<Option<Socket>>,
    /// The run it belongs to.
    pub run: Rc<Run>,
    /// The listener it came by.
    pub acceptor: Rc<Acceptor>,
    /// Who is at the other end.
    pub client: Rc<Client>,
    /// Its number in the order of accepting.
    pub number: Cell<u32>,
    /// Whether a request of it was answered.
    pub used: Cell<bool>,
    /// Whether the run looks after its long body.
    pub is_hasty: Cell<bool>,
    /// Its place among the run's connections.
    pub slot: Cell<u32>,
    /// When it is due.
    pub deadline: Deadline,
    /// Where it is in its life.
    pub phase: RefCell<Phase>,
}

/// Where a connection is in its life.
pub enum Phase {
    /// Before or in a head.
    Head(Reading),
    /// Behind a head, in the body.
    Body(Box<Receiving>),
    /// In the middle of an answer.
    Reply(Box<Replying>),
    /// Refused: what the client still sends is read and dropped, this many bytes at most.
    Linger(usize),
    /// Its answers are ready, and held with others' (`server::gather`).
    Answered,
    /// A callback works on it.
    Busy,
    /// Over.
    Closed,
}

/// Bytes that are not a request yet.
#[derive(Default)]
pub struct Reading {
    /// What was received and not consumed.
    pub input: Vec<u8>,
    /// How far the head's end was looked for.
    pub search: HeadSearch,
}

impl Reading {
    /// Whether a message has begun. The line end that old clients send behind a body is none
    /// (RFC 9112 section 2.2): nobody waits for an answer to it.
    pub fn has_begun(&self) -> bool {
        !matches!(&*self.input, b"" | b"\r" | b"\r\n")
    }
}

/// A request whose body is on its way.
pub struct Receiving {
    /// The head.
    pub head: Head,
    /// How the message is delimited.
    pub framing: Framing,
    /// The head's bytes; in the legacy dialect with the body behind them, otherwise with what was
    /// received and not decoded.
    pub input: Vec<u8>,
    /// The body so far.
    pub body: Received,
    /// When the body began, in seconds of the run's clock.
    pub began: f64,
    /// No descriptor was left for the file that the body belongs in: nothing more is read until
    /// there is one.
    pub crowded: bool,
}

/// A body so far.
pub enum Received {
    /// It stays behind the head until it has this many bytes.
    InPlace(usize),
    /// Of a known length, of which this much is due, moved off the buffer.
    Fixed(Store, u64),
    /// Chunked.
    Chunked(Store, Decoder),
}

/// Where a body is kept: in memory, then in a temporary file.
pub enum Store {
    /// Short as yet.
    Memory(Vec<u8>),
    /// Longer than `config.body_memory`, but on its way since so recently that it may be here soon.
    Room(PooledBuffer),
    /// Longer than `config.body_memory`.
    File(Spool),
}

impl Store {
    /// Adds bytes; past `config.body_memory` everything goes to a file, or while it is `hasty` where
    /// others are that come at once. Whether it is where it belongs: where no descriptor is left for
    /// the file, it stays in memory.
    pub fn append(&mut self, bytes: &[u8], run: &Run, hasty: bool) -> std::io::Result<bool> {
        match self {
            Store::File(spool) => spool.append(bytes)?,
            Store::Room(body) => body.append(bytes),
            Store::Memory(memory) => {
                memory.extend_from_slice(bytes);
                if hasty
                    && memory.len() > run.site.config.body_memory
                    && let Some(body) = run.pool.take_begun(memory, 0)
                {
                    *self = Store::Room(body);
                }
            }
        }
        self.settle(run)
    }

    /// Moves what is too long for the memory to a file. Whether it is where it belongs.
    pub fn settle(&mut self, run: &Run) -> std::io::Result<bool> {
        let is_too_long = match self {
            Store::Memory(memory) => memory.len() > run.site.config.body_memory,
            Store::Room(body) => body.is_too_long(),
            Store::File(_) => false,
        };
        if is_too_long {
            self.move_to_file(run)
        } else {
            Ok(true)
        }
    }

    /// Moves what is in the room for long bodies to where others are kept; false where no descriptor
    /// is left for that.
    pub fn leave_room(&mut self, run: &Run) -> std::io::Result<bool> {
        if let Store::Room(body) = self
            && body.bytes.len() <= run.site.config.body_memory
        {
            *self = Store::Memory(body.bytes.to_vec());
            return Ok(true);
        }
        self.move_to_file(run)
    }

    /// Moves what is in memory to a file; false where no descriptor is left for it.
    fn move_to_file(&mut self, run: &Run) -> std::io::Result<bool> {
        let memory = match self {
            Store::Memory(memory) => memory,
            Store::Room(body) => &mut body.bytes,
            Store::File(_) => return Ok(true),
        };
        if !run.has_room_for_file() {
            return Ok(false);
        }
        let mut spool = match Spool::new() {
            Ok(spool) => spool,
            Err(error) if no_descriptor_left(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        spool.append(memory)?;
        *self = Store::File(spool);
        Ok(true)
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        match self {
            Store::Memory(memory) => memory.len() as u64,
            Store::Room(body) => body.bytes.len() as u64,
            Store::File(spool) => spool.len(),
        }
    }
}

impl Receiving {
    /// Whether only the head of the answer is wanted.
    pub fn is_head(&self) -> bool {
        self.head.is_for_head(&self.input)
    }

    /// Bytes of the body so far.
    pub fn received(&self) -> u64 {
        match &self.body {
            Received::InPlace(_) => (self.input.len() - self.head.len) as u64,
            Received::Fixed(store, _) | Received::Chunked(store, _) => store.length(),
        }
    }
}

/// An answer that is not all written.
pub struct Replying {
    /// What is queued.
    pub out: WriteQueue,
    /// What is still to come, or to be closed.
    pub rest: Option<Box<ResponseBody>>,
    /// Whether the connection is used again.
    pub keep_alive: bool,
    /// Whether the client is to be listened to for a while after the answer.
    pub lingers: bool,
    /// What was read behind the request.
    pub input: Vec<u8>,
    /// Bytes that the kernel still held for the client when the wait for it began.
    pub held: usize,
    /// What it had of its turn.
    pub turn: Turn,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(socket: OwnedFd, run: Rc<Run>, acceptor: Rc<Acceptor>, client: Client) -> Rc<Self> {
        Rc::new(Connection {
            io: Io::new(),
            socket: RefCell::new(Some(Socket::new(socket))),
            run,
            acceptor,
            client: Rc::new(client),
            number: Cell::new(0),
            used: Cell::new(false),
            is_hasty: Cell::new(false),
            slot: Cell::new(u32::MAX),
            deadline: Deadline::default(),
            phase: RefCell::new(Phase::Head(Reading::default())),
        })
    }

    /// A share in the socket; a closed one when the connection is over.
    pub fn socket(&self) -> Socket {
        let socket = self.socket.borrow().clone();
        socket.unwrap_or_else(Socket::closed)
    }

    /// Takes the connection's own share, with which the socket is closed as a rule.
    pub fn take_socket(&self) -> Option<Socket> {
        self.socket.take()
    }

    /// Takes the phase, to work on it.
    pub fn take_phase(&self) -> Phase {
        self.phase.replace(Phase::Busy)
    }

    /// Puts a phase in force. What it replaces is dropped after the change, since a destructor of the
    /// application's may run then.
    pub fn enter(&self, phase: Phase) {
        let replaced = self.phase.replace(phase);
        drop(replaced);
    }

    /// Whether nothing of a request was received, and none is being answered.
    pub fn is_idle(&self) -> bool {
        matches!(&*self.phase.borrow(), Phase::Head(reading) if !reading.has_begun())
    }

    /// The next head has begun: it has its own time.
    pub fn expect_head(&self) {
        self.deadline
            .set(&self.run.clock, self.run.site.config.header_timeout);
    }

    /// Waits for the socket.
    pub fn watch(self: &Rc<Self>, interest: Interest) {
        if self.io.is_active() {
            self.io.change(interest);
        } else {
            Io::start(self, self.run.lp, self.socket().number(), interest);
        }
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
        threads::in_callback(|gil| io::ready(gil, self));
    }

    fn panicked(self: &Rc<Self>) {
        threads::in_callback(|gil| io::panicked(gil, self));
    }
}
