//! The line to the client while the application is called: what `write()` needs to send at once.
//!
//! PEP 3333 has `write` send its data before it returns, or have it sent while the application goes
//! on. The loop does not turn meanwhile, so what the kernel takes is sent from within the call; what
//! it does not take waits in the queue, and beyond a bound in a file ([`super::written`]).

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;

use crate::app::context::{AppContext, Flush};
use crate::app::delimiter::{Delimiter, Progress};
use crate::app::exchange::{Exchange, FramingInputs};
use crate::app::written::Written;
use crate::http::head::Version;
use crate::http::response_head::DateServerLines;
use crate::http::response_head::ResponseHead;
use crate::py::{Gil, Kind, Owned, Raised, Result};
use crate::queue::WriteQueue;
use crate::sys::socket::Socket;

/// The line: the connection's queue, for as long as the application is called.
pub struct ResponseSink {
    /// The queue, with the answers to earlier requests that are not written yet.
    pub out: WriteQueue,
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

impl ResponseSink {
    /// A line to nobody.
    pub fn closed(ctx: &AppContext) -> ResponseSink {
        ResponseSink {
            out: WriteQueue::default(),
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
        std::mem::swap(&mut self.out, out);
        self.framing_inputs = exchange.framing_inputs();
        if !Rc::ptr_eq(&self.lines, &ctx.lines) {
            self.lines = ctx.lines.clone();
        }
        self.socket = Some(exchange.socket.clone());
        self.flush = ctx.flush;
        self.gone = false;
    }

    /// Queues the head.
    pub fn begin(&mut self, head: &ResponseHead) -> SentHead {
        let framing = self.framing_inputs.framing(head, None);
        head.push(self.out.buffer(), &framing, &self.lines.borrow());
        SentHead {
            delimiter: Delimiter::of(&framing),
            keep_alive: framing.keep_alive,
            code: head.code(),
        }
    }

    /// Gives the queue back; the line leads nowhere.
    pub fn close(&mut self, out: &mut WriteQueue) {
        std::mem::swap(&mut self.out, out);
        self.socket = None;
        self.gone = true;
    }

    fn flush(&mut self, gil: Gil<'_>) {
        self.gone = match &self.socket {
            Some(socket) => !(self.flush)(gil, socket, &mut self.out),
            None => true,
        };
    }

    /// Whether more data can be queued, or the client is so slow that it has to be kept elsewhere.
    pub fn has_room(&mut self, gil: Gil<'_>) -> bool {
        let is_full = |out: &WriteQueue| out.waiting() >= WAITING || out.file_follows();
        if is_full(&self.out) && !self.gone {
            self.flush(gil);
        }
        self.gone || !is_full(&self.out)
    }

    /// Sends what was kept for want of room.
    pub fn send_kept(&mut self, gil: Gil<'_>, streamed: &mut SentHead, kept: Written) {
        if self.gone || kept.is_empty() {
            return;
        }
        // More than was promised: the next `write` is told.
        let _ = kept.send_quietly(&mut streamed.delimiter, &mut self.out);
        self.flush(gil);
    }

    /// Sends data: an `AssertionError` for what is past the promised length.
    pub fn send(&mut self, gil: Gil<'_>, streamed: &mut SentHead, data: Owned) -> Result<()> {
        if self.gone {
            return Ok(());
        }
        let progress = streamed.delimiter.push_unlogged(data, &mut self.out);
        self.flush(gil);
        if progress == Progress::More {
            return Ok(());
        }
        let message = "write() was given more than the Content-Length (PEP 3333)";
        Err(Raised::new(gil, Kind::AssertionError, message))
    }
}
