//! The line to the client while the application is called: what `write()` needs to send at once.
//!
//! PEP 3333 has `write` send its data before it returns, or have it sent while the application goes
//! on. The loop does not turn meanwhile, so what the kernel takes is sent from within the call; what
//! it does not take waits in the queue, and beyond a bound in a file ([`super::written`]).

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::app::context::{AppContext, Flush};
use crate::app::delimiter::{Delimiter, Progress};
use crate::app::exchange::{Exchange, FramingInputs};
use crate::app::written::Written;
use crate::http::head::Version;
use crate::http::response_head::DateServerLines;
use crate::http::response_head::ResponseHead;
use crate::outbox::{Outbound, Outbox};
use crate::py::{Gil, Kind, Owned, Raised, Result};
use crate::queue::WriteQueue;
use crate::sys::socket::Socket;

/// The line: the connection's queue, for as long as the application is called.
///
/// What is ready stands in the outbox of the thread that calls, where the monitor can send it.
pub struct ResponseSink {
    outbox: Arc<Outbox>,
    /// Whether the queue stands in the outbox.
    is_parked: bool,
    /// Whether what is given may be gathered, since the monitor sends it.
    gathers: bool,
    framing_inputs: FramingInputs,
    lines: Rc<RefCell<DateServerLines>>,
    socket: Option<Socket>,
    flush: Flush,
    /// The client left: what is written is dropped.
    gone: bool,
}

/// An answer whose head went out by `write()`.
#[derive(Clone, Copy)]
pub struct SentHead {
    /// How its body goes on.
    pub delimiter: Delimiter,
    /// Whether the connection can be used again.
    pub keep_alive: bool,
    /// Its status.
    pub code: u16,
}

/// Bytes that wait in the queue at most before `write` takes no more into it.
const WAITING: usize = 256 << 10;

/// Bytes that are gathered at most before they are written.
const GATHERED: usize = 64 << 10;

impl ResponseSink {
    /// A line to nobody.
    pub fn closed(ctx: &AppContext) -> ResponseSink {
        ResponseSink {
            outbox: Arc::default(),
            is_parked: false,
            gathers: false,
            framing_inputs: FramingInputs {
                version: Version::Http10,
                head_only: false,
                keep_alive: false,
            },
            lines: ctx.lines.clone(),
            socket: None,
            flush: |_, _, _| false,
            gone: true,
        }
    }

    /// Leads it to the client of a request; `out` is in it until it is taken out again.
    pub fn open(&mut self, ctx: &AppContext, exchange: &Exchange, out: &mut WriteQueue) {
        self.framing_inputs = exchange.framing_inputs();
        if !Rc::ptr_eq(&self.lines, &ctx.lines) {
            self.lines = ctx.lines.clone();
        }
        if !Arc::ptr_eq(&self.outbox, &exchange.outbox) {
            self.outbox = exchange.outbox.clone();
        }
        self.gathers = exchange.gathers;
        self.socket = Some(exchange.socket.clone());
        self.flush = ctx.flush;
        self.gone = false;
        if !out.is_empty() {
            self.park(std::mem::take(out));
        }
    }

    fn park(&mut self, queue: WriteQueue) {
        if let Some(socket) = &self.socket {
            self.outbox.put(Outbound::new(socket.clone(), queue));
            self.is_parked = true;
        }
    }

    /// Works on the queue, which no Python code may run in the middle of.
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
        self.with(|queue| head.push(queue.buffer(), &framing, &lines.borrow()));
        SentHead {
            delimiter: Delimiter::of(&framing),
            keep_alive: framing.keep_alive,
            code: head.code(),
        }
    }

    /// Takes the queue out; the line leads nowhere.
    pub fn close(&mut self, out: &mut WriteQueue) {
        if std::mem::take(&mut self.is_parked)
            && let Some(outbound) = self.outbox.take_last()
        {
            *out = outbound.into_queue();
        }
        self.socket = None;
        self.gone = true;
    }

    /// Writes what is queued, outside of the outbox: a file's block may have to be read by Python.
    fn flush(&mut self, gil: Gil<'_>) {
        let Some(socket) = self.socket.clone() else {
            self.gone = true;
            return;
        };
        if let Some(outbound) = self.outbox.take_last().filter(|_| self.is_parked) {
            let mut queue = outbound.into_queue();
            self.gone = !(self.flush)(gil, &socket, &mut queue);
            self.park(queue);
        }
    }

    /// Whether more data can be queued, or the client is so slow that it has to be kept elsewhere.
    pub fn has_room(&mut self, gil: Gil<'_>) -> bool {
        let is_full = |out: &mut WriteQueue| out.waiting() >= WAITING || out.file_follows();
        if !self.is_parked {
            return true;
        }
        if !self.gone && self.with(is_full) == Some(true) {
            self.flush(gil);
        }
        self.gone || self.with(is_full) != Some(true)
    }

    /// Sends what was kept for want of room.
    pub fn send_kept(&mut self, gil: Gil<'_>, streamed: &mut SentHead, kept: Written) {
        if self.gone || kept.is_empty() {
            return;
        }
        // More than was promised: the next `write` says so.
        self.with(|queue| kept.send_quietly(&mut streamed.delimiter, queue));
        self.flush(gil);
    }

    /// Sends data: an `AssertionError` for what is past the promised length.
    pub fn send(&mut self, gil: Gil<'_>, streamed: &mut SentHead, data: Owned) -> Result<()> {
        if self.gone {
            return Ok(());
        }
        // Dropped when the outbox is not locked any more: that may run Python code.
        let dropped_later = data.own(gil);
        let pushed = self.with(|queue| {
            let progress = streamed.delimiter.push_unlogged(data, queue);
            (progress, queue.waiting())
        });
        drop(dropped_later);
        let (progress, waiting) = pushed.unwrap_or((Progress::More, 0));
        if !self.gathers || waiting >= GATHERED {
            self.flush(gil);
        }
        if progress == Progress::More {
            return Ok(());
        }
        let message = "write() was given more than the Content-Length (PEP 3333)";
        Err(Raised::new(gil, Kind::AssertionError, message))
    }
}
