//! What one `run` works with: the loop, the limits, the buffers, and what is ready.
//!
//! A leaf: it knows no connection but by its [`Id`], and decides nothing about one.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::app::buffer_pool::BufferPool;
use crate::app::context::AppContext;
use crate::ev::{Loop, Waker};
use crate::http::head::Head;
use crate::py::{Exception, Gil, threads};
use crate::queue::WriteQueue;
use crate::server::body_buffer::Places;
use crate::server::log::AccessLog;
use crate::server::monitor::Watch;
use crate::server::ready::{Id, Ready, ReadyList};
use crate::server::timeouts::{Clock, Deadline};
use crate::sys::limits::descriptor_limit;
use crate::sys::memory;
use crate::sys::socket::Socket;
use crate::sys::spool;

/// Descriptors that are left to the program: its files, its database connections.
const RESERVE: usize = 24;

/// How many of those the files of long bodies may take, so that however many connections there are,
/// some bodies arrive.
const FOR_FILES: usize = RESERVE / 2;

/// Bytes read at a time.
pub const READ: usize = 64 << 10;

/// A scratch buffer that grew beyond this is freed.
pub const SCRATCH: usize = 256 << 10;

/// The same for write queues beside the first.
const SPARE_QUEUE: usize = 16 << 10;

/// Write queues that are kept for the next responses.
const SPARE_QUEUES: usize = 32;

/// How far apart a thread looks whether another one polls.
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

/// What one run works with.
pub struct Reactor {
    /// libev's loop.
    pub lp: Loop,
    /// What its requests share.
    pub ctx: AppContext,
    /// The access log.
    pub log: Option<AccessLog>,
    /// What the monitor sees.
    pub watch: Arc<Watch>,
    /// The coarse clock.
    pub clock: Clock,
    /// Wakes the holder of the loop out of its wait.
    pub waker: Waker,
    /// What is ready.
    pub ready: Rc<ReadyList>,
    /// The memory for long bodies.
    pub pool: Rc<BufferPool>,
    /// Connections with a body in it.
    pub pooled_bodies: RefCell<Vec<Id>>,
    /// Connections with a body that waits for a descriptor.
    pub awaiting_descriptor: RefCell<Vec<Id>>,
    /// The buffer for what is read.
    pub input: Cell<Vec<u8>>,
    /// Memory for the next parsed head.
    head: Cell<Option<Box<Head>>>,
    /// Write queues to be used again.
    pub queues: Queues,
    /// Open connections.
    pub open: Cell<usize>,
    max_connections: usize,
    /// Connections and files of bodies together.
    max_descriptors: usize,
    /// SIGTERM or SIGINT came: nothing new is accepted.
    pub draining: Cell<bool>,
    /// When that begins, once SIGTERM has come: after `shutdown_delay`.
    pub drains_at: Deadline,
    /// How long that may take.
    pub patience: Deadline,
    /// A thread polls.
    polls: Cell<bool>,
    /// How often one did.
    polled: Cell<u64>,
    /// Whether the kernel is given all numbers at each poll, so that none may be closed meanwhile: libev
    /// aborts when `poll` finds one.
    polls_numbers: bool,
    /// Sockets that other threads closed while one polled.
    closing: RefCell<Vec<Socket>>,
    /// The run ends when its holder comes to look.
    pub stopped: Cell<bool>,
    /// An exception that ends the run at once.
    pub raised: RefCell<Option<Exception>>,
}

/// Queues that wait for the next response, for the memory they have.
#[derive(Default)]
pub struct Queues(RefCell<Vec<WriteQueue>>);

impl Queues {
    /// A queue with nothing in it.
    pub fn take(&self) -> WriteQueue {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a queue that has been written, or will not be.
    pub fn put(&self, gil: Gil<'_>, mut queue: WriteQueue) {
        // Objects in it may run Python code when they are dropped: nothing is borrowed then.
        queue.clear(gil);
        let mut spare = self.0.borrow_mut();
        queue.shrink(if spare.is_empty() {
            SCRATCH
        } else {
            SPARE_QUEUE
        });
        if spare.len() < SPARE_QUEUES {
            spare.push(queue);
        }
    }
}

impl Reactor {
    /// A reactor on `lp`.
    pub fn new(
        lp: Loop,
        ctx: AppContext,
        log: Option<AccessLog>,
        watch: Arc<Watch>,
        ready: Rc<ReadyList>,
        waker: Waker,
    ) -> Rc<Reactor> {
        // On a 32-bit system the limit may be a number that memory has no places for.
        let limit = usize::try_from(descriptor_limit()).unwrap_or(usize::MAX);
        let left = limit.saturating_sub(RESERVE).max(1);
        let max_connections = match ctx.config.max_connections {
            0 => left,
            most => most,
        };
        Rc::new(Reactor {
            lp,
            pool: BufferPool::new(ctx.config.body_memory),
            ctx,
            log,
            watch,
            clock: Clock::default(),
            waker,
            ready,
            pooled_bodies: RefCell::default(),
            awaiting_descriptor: RefCell::default(),
            input: Cell::default(),
            head: Cell::default(),
            queues: Queues::default(),
            open: Cell::new(0),
            max_connections,
            max_descriptors: left.saturating_add(FOR_FILES),
            draining: Cell::new(false),
            drains_at: Deadline::default(),
            patience: Deadline::default(),
            polls: Cell::new(false),
            polled: Cell::new(0),
            polls_numbers: lp.backend() == "poll",
            closing: RefCell::default(),
            stopped: Cell::new(false),
            raised: RefCell::default(),
        })
    }

    /// Whether another connection may be accepted.
    pub fn has_room(&self) -> bool {
        self.open.get() < self.max_connections && !memory::is_short()
    }

    /// Whether the run is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// What decides where a body is kept.
    pub fn places(&self) -> Places<'_> {
        Places {
            memory: self.ctx.config.body_memory,
            pool: &self.pool,
            may_spool: self.open.get() + spool::open() < self.max_descriptors,
        }
    }

    /// Memory for a parsed head.
    pub fn take_head(&self) -> Box<Head> {
        self.head.take().unwrap_or_default()
    }

    /// Keeps the memory of one that is of no use any more.
    pub fn put_head(&self, head: Box<Head>) {
        self.head.set(Some(head));
    }

    /// Keeps a buffer for what is read next, unless it grew too large.
    pub fn put_input(&self, mut input: Vec<u8>) {
        input.clear();
        if input.capacity() <= SCRATCH {
            self.input.set(input);
        }
    }

    /// The holder of the loop polls, and calls back for what is ready; for long, if `wait`.
    pub fn poll(&self, wait: bool) {
        self.polls.set(true);
        self.lp.poll(wait);
        self.polls.set(false);
        self.polled.set(self.polled.get() + 1);
        if self.polls_numbers {
            drop(self.closing.take());
        }
    }

    /// Closes a socket that is not watched any more, as soon as nobody polls with it.
    pub fn close(&self, socket: Socket) {
        if self.polls_numbers && self.polls.get() {
            self.closing.borrow_mut().push(socket);
            self.waker.wake();
        }
    }

    /// Waits until nobody polls with what is not watched any more, as its new owner may close it.
    pub fn leave_poll(&self, gil: Gil<'_>) {
        let polled = self.polled.get();
        while self.polls_numbers && self.polls.get() && self.polled.get() == polled {
            self.waker.wake();
            threads::without_lock(gil, || std::thread::sleep(BETWEEN_LOOKS));
        }
    }

    /// Has the holder of the loop work something off: any thread with the interpreter's lock may say so.
    pub fn submit(&self, ready: Ready) {
        self.ready.push(ready);
        self.waker.wake();
    }

    /// The same for what a thread of the run did that may hold the loop itself.
    pub fn wake_if_waiting(&self) {
        if self.watch.is_waiting() {
            self.waker.wake();
        }
    }

    /// Ends the run as soon as its holder looks.
    pub fn stop(&self) {
        self.stopped.set(true);
    }

    /// Ends it so, raising `exception`.
    pub fn fail(&self, exception: Exception) {
        let replaced = self.raised.replace(Some(exception));
        drop(replaced);
        self.stop();
    }
}
