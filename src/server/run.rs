//! One `run`: the loop, the connections, and how it ends.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::app::buffer_pool::BufferPool;
use crate::app::context::AppContext;
use crate::ev::Loop;
use crate::http::head::Head;
use crate::py::{Exception, Gil};
use crate::queue::WriteQueue;
use crate::server::conn::{Connection, Phase};
use crate::server::deadlines::{Clock, Deadline};
use crate::server::gather::Gathered;
use crate::server::{gather, io, receive, server};
use crate::sys::limits::descriptor_limit;
use crate::sys::spool;

/// Descriptors that are left to the program: its files, its database connections.
const RESERVE: u64 = 24;

/// How many of those the files of long bodies may take, so that however many connections there are,
/// some bodies arrive.
const FOR_FILES: u64 = RESERVE / 2;

/// A scratch buffer that grew beyond this is given back.
pub const SCRATCH: usize = 256 << 10;

/// Bytes of long bodies that go to files at one tick, behind which everybody waits.
const MOVED: u64 = 8 << 20;

/// The same for queues beside the first.
const SPARE: usize = 16 << 10;

/// What one `run` of the loop works with.
pub struct Run {
    /// libev's loop.
    pub lp: Loop,
    /// What its requests share.
    pub site: AppContext,
    /// The coarse clock.
    pub clock: Clock,
    /// The buffers that are used again for each event.
    pub scratch: Scratch,
    /// Answers that are written when the loop's turn ends.
    pub gathered: Gathered,
    /// The memory for long bodies.
    pub pool: Rc<BufferPool>,
    /// Connections with a body in it.
    pub hasty: RefCell<Vec<Rc<Connection>>>,
    /// Connections with a body that waits for a descriptor.
    pub crowded: RefCell<Vec<Rc<Connection>>>,
    connections: RefCell<Vec<Rc<Connection>>>,
    most_connections: usize,
    /// Connections and files of bodies together.
    most_descriptors: usize,
    /// The number of the connection that was added last.
    numbered: Cell<u32>,
    /// SIGTERM or SIGINT came: nothing new is accepted.
    draining: Cell<bool>,
    patience: Deadline,
    /// An exception that ends the run at once.
    raised: RefCell<Option<Exception>>,
}

/// Buffers for the callback that runs: whoever works takes them, and puts them back.
#[derive(Default)]
pub struct Scratch {
    /// For what is read.
    pub input: Cell<Vec<u8>>,
    /// For what is written.
    pub output: Outputs,
    /// For the head.
    pub head: Cell<Head>,
}

/// Queues that wait for the next answer, for the memory they have.
#[derive(Default)]
pub struct Outputs(RefCell<Vec<WriteQueue>>);

impl Outputs {
    /// A queue with nothing in it.
    pub fn take(&self) -> WriteQueue {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a queue that has been written, or will not be.
    pub fn give_back(&self, gil: Gil<'_>, mut out: WriteQueue) {
        out.clear(gil);
        let mut spare = self.0.borrow_mut();
        let most = if spare.is_empty() { SCRATCH } else { SPARE };
        out.shrink(most);
        if spare.len() < gather::MOST {
            spare.push(out);
        }
    }
}

impl Run {
    /// A run on `lp`.
    pub fn new(lp: Loop, site: AppContext) -> Rc<Run> {
        let left = descriptor_limit().saturating_sub(RESERVE).max(1);
        let most_connections = match site.config.max_connections {
            0 => left as usize,
            most => most,
        };
        Rc::new(Run {
            lp,
            pool: BufferPool::new(site.config.body_memory),
            site,
            clock: Clock::default(),
            scratch: Scratch::default(),
            gathered: Gathered::default(),
            hasty: RefCell::default(),
            crowded: RefCell::default(),
            connections: RefCell::default(),
            most_connections,
            most_descriptors: left.saturating_add(FOR_FILES) as usize,
            numbered: Cell::new(0),
            draining: Cell::new(false),
            patience: Deadline::default(),
            raised: RefCell::default(),
        })
    }

    /// Whether another connection may be accepted.
    pub fn has_room(&self) -> bool {
        self.connections.borrow().len() < self.most_connections
    }

    /// Whether a long body may have a file.
    pub fn has_room_for_file(&self) -> bool {
        self.connections.borrow().len() + spool::open() < self.most_descriptors
    }

    /// Whether the run is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.connections.borrow().len()
    }

    /// A connection begins.
    pub fn add(&self, connection: &Rc<Connection>) {
        let mut connections = self.connections.borrow_mut();
        // 0 is nobody's.
        self.numbered
            .set(self.numbered.get().checked_add(1).unwrap_or(1));
        connection.number.set(self.numbered.get());
        connection.slot.set(connections.len() as u32);
        connections.push(connection.clone());
    }

    /// A connection is over.
    pub fn remove(&self, gil: Gil<'_>, connection: &Connection) {
        self.site.environ_cache.evict(connection.number.get());
        let slot = connection.slot.replace(u32::MAX) as usize;
        let removed = {
            let mut connections = self.connections.borrow_mut();
            if slot >= connections.len() {
                return;
            }
            let removed = connections.swap_remove(slot);
            if let Some(moved) = connections.get(slot) {
                moved.slot.set(slot as u32);
            }
            removed
        };
        drop(removed);
        if self.draining.get() {
            self.end_if_drained();
        } else {
            server(gil).accept_again(self);
        }
    }

    /// A callback panicked while it worked on a connection that it had just accepted.
    pub fn abandon(&self, gil: Gil<'_>) {
        let busy = |c: &&Rc<Connection>| matches!(&*c.phase.borrow(), Phase::Busy);
        let abandoned: Vec<Rc<Connection>> = self
            .connections
            .borrow()
            .iter()
            .filter(busy)
            .cloned()
            .collect();
        for connection in abandoned {
            io::panicked(gil, &connection);
        }
    }

    /// A quarter of a second has passed.
    pub fn tick(&self, gil: Gil<'_>) {
        self.gathered.write(gil);
        self.clock.tick();
        let due: Vec<Rc<Connection>> = self
            .connections
            .borrow()
            .iter()
            .filter(|connection| connection.deadline.is_past(&self.clock))
            .cloned()
            .collect();
        for connection in due {
            io::timed_out(gil, &connection);
        }
        self.pool.trim();
        let mut budget = MOVED;
        for connection in self.hasty.take() {
            receive::look_after(gil, &connection, &mut budget);
        }
        for connection in self.crowded.take() {
            receive::try_again(gil, &connection);
        }
        if self.draining.get() && self.patience.is_past(&self.clock) {
            self.lp.stop();
        }
    }

    /// Ends gracefully: accepts no more, closes what is idle, lets the rest finish.
    pub fn drain(self: &Rc<Self>, gil: Gil<'_>) {
        if self.draining.get() {
            self.lp.stop();
            return;
        }
        // Those clients were told that they may go on.
        self.gathered.write(gil);
        self.draining.set(true);
        self.patience
            .set(&self.clock, self.site.config.graceful_timeout);
        server(gil).leave_listeners(gil, self);
        for connection in &*self.connections.borrow() {
            if connection.is_idle() {
                io::expect_last(connection);
            }
        }
        self.end_if_drained();
    }

    fn end_if_drained(&self) {
        let lingering =
            |connection: &Rc<Connection>| matches!(&*connection.phase.borrow(), Phase::Linger(_));
        if self.connections.borrow().iter().all(lingering) {
            self.lp.stop();
        }
    }

    /// Ends at once, raising `exception`.
    pub fn fail(&self, exception: Exception) {
        let replaced = self.raised.replace(Some(exception));
        drop(replaced);
        self.lp.stop();
    }

    /// Closes what is still open, and gives the exception that `run` is to raise.
    pub fn finish(&self, gil: Gil<'_>) -> Option<Exception> {
        self.gathered.flush(gil);
        self.gathered.clear();
        loop {
            let last = self.connections.borrow().last().cloned();
            let Some(connection) = last else { break };
            io::close(gil, &connection);
        }
        // They would keep the run, which keeps them.
        drop((self.crowded.take(), self.hasty.take()));
        let exit = self.site.exit.take();
        self.raised.take().or(exit)
    }
}
