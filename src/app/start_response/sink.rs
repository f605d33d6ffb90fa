//! Where `write()` sends to while the application is called: the connection's queue, and its socket.
//!
//! PEP 3333 has `write` send its data before it returns, or have it sent while the application goes
//! on. The loop does not turn meanwhile, so the queue stands in the outbox of the thread that calls,
//! from which the monitor sends it; what the kernel does not take waits there, and beyond a bound in a
//! file ([`super::overflow`]).
//!
//! Invariant: no Python code runs while the outbox is locked. The sink is taken out of its place while it is
//! used, so that nobody else can come to it meanwhile.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::app::context::{AppContext, Flush};
use crate::app::encode;
use crate::app::exchange::{Exchange, FramingInputs};
use crate::app::start_response::overflow::OverflowBuffer;
use crate::http::body_encoder::{BodyEncoder, Progress};
use crate::http::head::Version;
use crate::http::response_head::{DateServerLines, ResponseHead};
use crate::outbox::{Outbound, Outbox};
use crate::py::{Gil, Object, Owned, State, text};
use crate::queue::WriteQueue;
use crate::sys::socket::Socket;

/// The sink of one response.
pub struct ResponseSink {
    outbox: Arc<Outbox>,
    /// Whether the queue stands in the outbox.
    is_parked: bool,
    /// Whether what is given may be gathered, since the monitor sends it.
    gathers: bool,
    /// Whether the access log has the head, which may be sent before the application returns.
    keeps_head: bool,
    framing_inputs: FramingInputs,
    lines: Rc<RefCell<DateServerLines>>,
    socket: Option<Socket>,
    flush: Flush,
    /// The client left, or the response ended: what is written is dropped.
    gone: bool,
    /// Counts the responses that `generation` counts; another number than `opened` ends this one's use.
    generation: Rc<Cell<u64>>,
    opened: u64,
    /// Objects in the queue whose destructors could run Python code: see [`take_spent`](Self::take_spent).
    pinned: Vec<Owned>,
}

/// A response whose head was sent by `write()`.
#[derive(Clone, Copy)]
pub struct SentHead {
    /// How its body goes on.
    pub encoder: BodyEncoder,
    /// Whether the connection can be used again.
    pub keep_alive: bool,
    /// Its status.
    pub code: u16,
}

/// What was given to `write()` is more than was promised.
pub struct Excess;

/// Bytes that wait in the queue at most before `write` takes no more into it.
const WAITING: usize = 256 << 10;

/// Bytes that are gathered at most before they are written.
const GATHERED: usize = 64 << 10;

impl ResponseSink {
    /// A sink without a client.
    pub fn closed(ctx: &AppContext, generation: Rc<Cell<u64>>) -> ResponseSink {
        ResponseSink {
            outbox: Arc::default(),
            is_parked: false,
            gathers: false,
            keeps_head: false,
            framing_inputs: FramingInputs::default(),
            lines: ctx.lines.clone(),
            socket: None,
            flush: ctx.flush,
            gone: true,
            opened: generation.get(),
            generation,
            pinned: Vec::new(),
        }
    }

    /// Attaches it to a request; `out` is in it until it is [closed](Self::close).
    pub fn open(&mut self, ctx: &AppContext, exchange: &Exchange, out: &mut WriteQueue) {
        self.framing_inputs = exchange.framing_inputs();
        if !Rc::ptr_eq(&self.lines, &ctx.lines) {
            self.lines = ctx.lines.clone();
        }
        if !Arc::ptr_eq(&self.outbox, &exchange.outbox) {
            self.outbox = exchange.outbox.clone();
        }
        self.gathers = exchange.gathers;
        self.keeps_head = ctx.logged.wants_head;
        self.socket = Some(exchange.socket.clone());
        self.flush = ctx.flush;
        self.gone = false;
        self.opened = self.generation.get();
        if !out.is_empty() {
            self.park(std::mem::take(out));
        }
    }

    /// Puts the queue back, as `write` left it.
    pub fn close(&mut self, out: &mut WriteQueue) {
        if std::mem::take(&mut self.is_parked)
            && let Some(outbound) = self.outbox.take_last()
        {
            *out = outbound.into_queue();
        }
        self.socket = None;
        self.gone = true;
    }

    fn park(&mut self, queue: WriteQueue) {
        if let Some(socket) = &self.socket {
            self.outbox.put(Outbound::new(socket.clone(), queue));
            self.is_parked = true;
        }
    }

    /// Works on the queue. What `work` drops must not be the last reference to anything of a program's.
    fn with<R>(&mut self, work: impl FnOnce(&mut WriteQueue) -> R) -> Option<R> {
        if !self.is_parked {
            self.park(WriteQueue::default());
        }
        self.outbox.with_last(|outbound| work(&mut outbound.queue))
    }

    /// Queues the head.
    pub fn begin(&mut self, head: &ResponseHead) -> SentHead {
        let framing = self.framing_inputs.framing(head, None);
        let lines = self.lines.clone();
        let keeps_head = self.keeps_head;
        self.with(|queue| {
            let start = queue.buffer().len();
            head.push(queue.buffer(), &framing, &lines.borrow());
            if keeps_head {
                queue.keep_head(start);
            }
        });
        SentHead {
            encoder: BodyEncoder::new(&framing),
            keep_alive: framing.keep_alive,
            code: head.code(),
        }
    }

    /// Sends what comes before the head, at once; to a client that knows such responses.
    pub fn send_before_head(&mut self, gil: Gil<'_>, push: impl FnOnce(&mut Vec<u8>)) {
        if self.gone || self.framing_inputs.version != Version::Http11 {
            return;
        }
        self.with(|queue| push(queue.buffer()));
        self.flush(gil);
        if !self.gone {
            // The response that the access log counts begins behind it.
            self.with(WriteQueue::begin_response);
        }
    }

    /// Writes what is queued, outside of the outbox: a file's block may have to be read by Python, and
    /// the response may end meanwhile.
    fn flush(&mut self, gil: Gil<'_>) {
        let Some(socket) = self.socket.clone() else {
            self.gone = true;
            return;
        };
        if !std::mem::take(&mut self.is_parked) {
            return;
        }
        if let Some(outbound) = self.outbox.take_last() {
            let mut queue = outbound.into_queue();
            self.gone = !(self.flush)(gil, &socket, &mut queue);
            if self.generation.get() == self.opened {
                self.park(queue);
            } else {
                self.gone = true;
            }
        }
    }

    /// Whether more data can be queued, or the client is so slow that it has to be kept elsewhere.
    pub fn has_room(&mut self, gil: Gil<'_>) -> bool {
        let is_full = |out: &mut WriteQueue| out.waiting() >= WAITING || out.file_follows();
        if self.gone || !self.is_parked {
            return true;
        }
        if self.with(is_full) == Some(true) {
            self.flush(gil);
        }
        self.gone || self.with(is_full) != Some(true)
    }

    /// Sends what was kept for want of room. What is past the promised length is dropped: the next
    /// `write` raises.
    pub fn send_kept(&mut self, gil: Gil<'_>, sent: &mut SentHead, kept: OverflowBuffer) {
        if self.gone || kept.is_empty() {
            return;
        }
        for item in kept.items() {
            self.pin(gil, item);
        }
        self.with(|queue| kept.send_unlogged(&mut sent.encoder, queue));
        self.flush(gil);
    }

    /// Sends data.
    pub fn send(&mut self, gil: Gil<'_>, sent: &mut SentHead, data: Owned) -> Result<(), Excess> {
        if self.gone {
            return Ok(());
        }
        self.pin(gil, &data);
        let pushed = self.with(|queue| {
            let progress = encode::push_unlogged(&mut sent.encoder, data, queue);
            (progress, queue.waiting())
        });
        let (progress, waiting) = pushed.unwrap_or((Progress::More, 0));
        if !self.gathers || waiting >= GATHERED {
            self.flush(gil);
        }
        match progress {
            Progress::More => Ok(()),
            Progress::Complete | Progress::Truncated => Err(Excess),
        }
    }

    fn pin(&mut self, gil: Gil<'_>, object: &Object) {
        if !is_plain_bytes(gil, object) {
            self.pinned.push(object.own(gil));
        }
    }

    /// Objects that are not in the queue any more, to be dropped when nobody has the sink in hand:
    /// their destructors may do anything.
    pub fn take_spent(&mut self) -> Vec<Owned> {
        if self.pinned.is_empty() {
            return Vec::new();
        }
        let (spent, pinned) = std::mem::take(&mut self.pinned)
            .into_iter()
            .partition(|object| object.is_unshared());
        self.pinned = pinned;
        spent
    }

    /// All of them, at the end of the response.
    pub fn take_pinned(&mut self) -> Vec<Owned> {
        std::mem::take(&mut self.pinned)
    }
}

/// Whether it is of no derived class, so that its end runs no Python code.
fn is_plain_bytes(gil: Gil<'_>, object: &Object) -> bool {
    static CLASS: State<Owned> = State::new();
    match CLASS.get_or_try_make(gil, || Ok(text::bytes(gil, b"")?.class(gil))) {
        Ok(class) => object.type_is(class),
        Err(raised) => {
            raised.clear(gil);
            false
        }
    }
}
