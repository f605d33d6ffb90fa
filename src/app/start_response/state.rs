//! What an application gave to `start_response` and to `write`: the state of one response.
//!
//! Programs written for Fapws3 also use the attributes of `base.Start_response` (`add_header`,
//! `set_cookie`, `response_headers`, ...). The first look at one makes an instance of that class, the
//! *compat object*, calls it with what was given so far, and from then on passes every call on to it;
//! what it holds is merged into the head when the head is sent.
//!
//! Any of the values below may be wanted while Python code runs, so none can be borrowed: each is a
//! flag in a `Cell`, or in an [`Exclusive`] from which it is taken. A new head is built first and then
//! replaces the one before, so that a call that raises changes nothing.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;

use crate::app::base::Base;
use crate::app::child;
use crate::app::context::AppContext;
use crate::app::exchange::Exchange;
use crate::app::exclusive::Exclusive;
use crate::app::start_response::header_args::{RenderedCache, merge, render, render_fields};
use crate::app::start_response::overflow::{self, OverflowBuffer};
use crate::app::start_response::sink::{ResponseSink, SentHead};
use crate::http::response_head::ResponseHead;
use crate::py::{Arguments, Exception, Gil, Kind, Object, Owned, Raised, Result, text};
use crate::queue::WriteQueue;

/// The state, shared by the callable that the application gets and the `write` that it returns.
pub struct ResponseState {
    base: Exclusive<Rc<Base>>,
    sink: Exclusive<Box<ResponseSink>>,
    /// Whether the sink can be used: while the application is called, and `write` does not use it
    /// already.
    is_open: Cell<bool>,
    /// Whether the head is still to come, and early hints can be sent before it.
    takes_hints: Cell<bool>,
    /// How often it was opened or closed. A caller that ran Python code meanwhile looks again:
    /// another thread may have gone on to another request.
    generation: Rc<Cell<u64>>,
    /// `start_response` was called.
    started: Cell<bool>,
    /// The head was sent: it cannot be replaced any more.
    sent: Cell<bool>,
    /// The response is over, or not begun: `write` has nobody to write to.
    over: Cell<bool>,
    /// `write` kept something. For the application it counts as sent: a head that replaced the one
    /// before it would stand before a body of both (PEP 3333, "The write() callable").
    wrote: Cell<bool>,
    heads: Exclusive<Box<Heads>>,
    /// The strings that the head was rendered from, as long as it is what they say.
    rendered: Exclusive<RenderedCache>,
    /// What `write` sent of it.
    sent_head: Cell<Option<SentHead>>,
    /// What `write` was given and could not be sent yet.
    overflow: Exclusive<OverflowBuffer>,
    /// The arguments of the last call, for a compat object that is made after it.
    arguments: Exclusive<(Owned, Owned)>,
    compat: Exclusive<Owned>,
}

/// The head, and one to build the next in.
#[derive(Default)]
struct Heads {
    current: ResponseHead,
    spare: ResponseHead,
}

/// What `write` did with the queue.
pub enum Closed {
    /// Nothing.
    Unused,
    /// It sent the head.
    Streamed(SentHead),
    /// Another thread is in the middle of it, and has the queue: the connection cannot go on.
    Lost,
}

impl ResponseState {
    /// For a response that begins now.
    pub fn new(ctx: &AppContext) -> Rc<ResponseState> {
        Rc::new(ResponseState {
            base: Exclusive::new(ctx.base.clone()),
            sink: Exclusive::default(),
            is_open: Cell::new(false),
            takes_hints: Cell::new(false),
            generation: Rc::new(Cell::new(0)),
            started: Cell::new(false),
            sent: Cell::new(false),
            over: Cell::new(false),
            wrote: Cell::new(false),
            heads: Exclusive::new(Box::default()),
            rendered: Exclusive::default(),
            sent_head: Cell::new(None),
            overflow: Exclusive::default(),
            arguments: Exclusive::default(),
            compat: Exclusive::default(),
        })
    }

    /// Another response begins.
    pub fn begin(&self, ctx: &AppContext) {
        let same = self.base.with(|base| Rc::ptr_eq(base, &ctx.base));
        if same != Some(true) {
            self.base.put(ctx.base.clone());
        }
        self.started.set(false);
        self.sent.set(false);
        self.wrote.set(false);
        self.over.set(false);
        self.sent_head.set(None);
    }

    /// The application is about to be called: what it gives to `write` goes into `out`, and out.
    pub fn open(&self, ctx: &AppContext, exchange: &Exchange, out: &mut WriteQueue) {
        self.open_for_hints(ctx, exchange, out);
        self.is_open.set(true);
    }

    /// The same for early hints alone: what it gives to `write` is kept.
    pub fn open_for_hints(&self, ctx: &AppContext, exchange: &Exchange, out: &mut WriteQueue) {
        let mut sink = match self.sink.take() {
            Some(sink) => sink,
            None => Box::new(ResponseSink::closed(ctx, self.generation.clone())),
        };
        self.generation.set(self.generation.get() + 1);
        sink.open(ctx, exchange, out);
        self.sink.put(sink);
        self.takes_hints.set(true);
    }

    /// The application returned, or raised: puts the queue back into `out`.
    pub fn close(&self, out: &mut WriteQueue) -> Closed {
        self.is_open.set(false);
        self.takes_hints.set(false);
        self.generation.set(self.generation.get() + 1);
        let Some(mut sink) = self.sink.take() else {
            return Closed::Lost;
        };
        sink.close(out);
        let pinned = sink.take_pinned();
        self.sink.put(sink);
        if !pinned.is_empty() {
            // Destructors may come back here, and find everything in its place.
            drop(pinned);
        }
        match self.sent_head.take() {
            Some(sent) => Closed::Streamed(sent),
            None => Closed::Unused,
        }
    }

    /// The application takes the connection over: what `write` has queued and the kernel has not taken.
    /// From now on `write` drops what it is given. `None` while another thread is in it.
    pub fn release_queue(&self) -> Option<WriteQueue> {
        let mut sink = self.sink.take()?;
        let mut queue = WriteQueue::default();
        sink.close(&mut queue);
        self.sink.put(sink);
        Some(queue)
    }

    /// Whether there is a head to send: `start_response` was called, or a program of the original's
    /// kind set attributes instead, whose defaults are a head too.
    pub fn has_head(&self, gil: Gil<'_>) -> bool {
        self.started.get() || self.compat(gil).is_some()
    }

    /// Brings the head to its final form and passes it to `push`; from here on it is sent.
    pub fn send_head<R>(&self, gil: Gil<'_>, push: impl FnOnce(&ResponseHead) -> R) -> Result<R> {
        self.merge_compat(gil)?;
        self.push_head(push).ok_or_else(|| busy(gil))
    }

    fn push_head<R>(&self, push: impl FnOnce(&ResponseHead) -> R) -> Option<R> {
        self.sent.set(true);
        self.heads.with(|heads| push(&heads.current))
    }

    /// What was given to `write` since the last look, if anything was.
    pub fn take_overflow(&self) -> Option<OverflowBuffer> {
        self.overflow.take()
    }

    /// Lets go of the application's objects, so that a callable that the application keeps keeps
    /// nothing else alive.
    pub fn end(&self) {
        self.sent.set(true);
        self.over.set(true);
        drop((
            self.arguments.take(),
            self.compat.take(),
            self.overflow.take(),
        ));
    }

    /// The call of `start_response`.
    pub fn start(&self, gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<()> {
        if arguments.count() > 3 {
            let message = format!(
                "start_response() takes at most 3 arguments ({} given)",
                arguments.count()
            );
            return Err(Raised::new(gil, Kind::TypeError, &message));
        }
        let required = |index, name| {
            arguments.get_or_keyword(gil, index, name).ok_or_else(|| {
                let message = format!("start_response() needs its argument {name:?}");
                Raised::new(gil, Kind::TypeError, &message)
            })
        };
        let status = required(0, "status")?;
        let headers = required(1, "response_headers")?;
        let info = arguments
            .get_or_keyword(gil, 2, "exc_info")
            .filter(|info| !info.is_none());
        self.check_start(gil, info)?;
        // A head that was to be replaced is void, even if the new one is rejected.
        self.started.set(false);
        self.render(gil, status, headers, info)?;
        match self.compat(gil) {
            Some(compat) => compat.call(gil, &[status, headers]).map(drop),
            None => {
                self.arguments.put((status.own(gil), headers.own(gil)));
                Ok(())
            }
        }
    }

    /// Raises where PEP 3333 does not allow the call now.
    fn check_start(&self, gil: Gil<'_>, info: Option<&Object>) -> Result<()> {
        let failed = |message| Err(Raised::new(gil, Kind::AssertionError, message));
        if self.over.get() {
            return failed("start_response() was called after the end of the response");
        }
        match info {
            Some(info) if self.sent.get() || self.wrote.get() => {
                Err(Exception::raise_info(gil, info))
            }
            None if self.started.get() => {
                failed("start_response() was called again, without exc_info (PEP 3333)")
            }
            _ => Ok(()),
        }
    }

    /// Renders the head, unless these are the very strings that it was rendered from last.
    fn render(
        &self,
        gil: Gil<'_>,
        status: &Object,
        headers: &Object,
        info: Option<&Object>,
    ) -> Result<()> {
        if self.rendered.with(|cache| cache.is_of(status, headers)) == Some(true) {
            self.started.set(true);
            return Ok(());
        }
        let mut head = self.heads.with(|heads| std::mem::take(&mut heads.spare));
        let mut head = head.take().unwrap_or_default();
        head.clear();
        let rendered = render(gil, &mut head, status, headers)
            // The headers may be a generator that called `start_response` itself.
            .and_then(|()| self.check_start(gil, info));
        match rendered {
            Ok(()) => {
                self.replace_head(head, RenderedCache::new(gil, status, headers));
                self.started.set(true);
                Ok(())
            }
            Err(raised) => {
                self.heads.with(|heads| heads.spare = head);
                Err(raised)
            }
        }
    }

    fn replace_head(&self, head: ResponseHead, rendered: Option<RenderedCache>) {
        self.heads.with(|heads| {
            let replaced = std::mem::replace(&mut heads.current, head);
            heads.spare = replaced;
        });
        let before = self.rendered.take();
        if let Some(rendered) = rendered {
            self.rendered.put(rendered);
        }
        drop(before);
    }

    /// The call of `write`.
    pub fn write(&self, gil: Gil<'_>, data: &Object) -> Result<()> {
        if self.over.get() {
            return Err(too_late(gil));
        }
        let item = text::body_item(gil, data);
        // Not a byte of a forked child's, were it forked in there: the connection is its parent's.
        let Some(item) = child::exit_if_forked(gil, item)? else {
            return Err(Raised::new(gil, Kind::TypeError, "write() takes bytes"));
        };
        if item.as_bytes().is_some_and(<[u8]>::is_empty) {
            return Ok(());
        }
        // The head may run Python code of the program's, which finds the sink closed.
        if !self.is_open.replace(false) {
            return self.keep(gil, item);
        }
        let generation = self.generation.get();
        let written = self.send(gil, item, generation);
        if self.generation.get() == generation {
            self.is_open.set(true);
        }
        written
    }

    /// The call of `wsgi.early_hints`: nothing where the head is sent, or the client is of HTTP/1.0.
    pub fn send_early_hints(&self, gil: Gil<'_>, headers: &Object) -> Result<()> {
        let mut head = ResponseHead::default();
        // It may run Python code, after which all is looked at anew.
        let rendered = render_fields(gil, &mut head, headers);
        child::exit_if_forked(gil, rendered)?;
        let is_begun = self.sent.get() || self.wrote.get() || self.over.get();
        if is_begun || !self.takes_hints.get() {
            return Ok(());
        }
        let generation = self.generation.get();
        let Some(mut sink) = self.sink.take() else {
            return Ok(());
        };
        sink.send_before_head(gil, |out| head.push_early_hints(out));
        if self.generation.get() == generation {
            self.sink.put(sink);
        }
        Ok(())
    }

    fn send(&self, gil: Gil<'_>, item: Owned, generation: u64) -> Result<()> {
        if self.sent_head.get().is_none() {
            if !self.has_head(gil) {
                let message = "write() was called, but start_response() failed";
                return Err(Raised::new(gil, Kind::AssertionError, message));
            }
            self.merge_compat(gil)?;
            if self.generation.get() != generation {
                return Err(too_late(gil));
            }
        }
        let Some(mut sink) = self.sink.take() else {
            return self.keep(gil, item);
        };
        let begun = match self.sent_head.get() {
            Some(sent) => Some(sent),
            None => self.push_head(|head| sink.begin(head)),
        };
        let Some(mut sent) = begun else {
            self.sink.put(sink);
            return Err(busy(gil));
        };
        if sink.has_room(gil) {
            // What had to be kept comes first.
            let kept = self.take_overflow().unwrap_or_default();
            sink.send_kept(gil, &mut sent, kept);
        }
        let result = if sink.has_room(gil) {
            sink.send(gil, &mut sent, item).map_err(|_| None)
        } else {
            Err(Some(item))
        };
        let spent = sink.take_spent();
        if self.generation.get() == generation {
            self.sent_head.set(Some(sent));
            self.sink.put(sink);
        }
        // Destructors may come back here, and find everything in its place.
        drop(spent);
        match result {
            Ok(()) => Ok(()),
            Err(Some(item)) => self.keep(gil, item),
            Err(None) => {
                let message = "write() was given more than the Content-Length (PEP 3333)";
                Err(Raised::new(gil, Kind::AssertionError, message))
            }
        }
    }

    fn keep(&self, gil: Gil<'_>, item: Owned) -> Result<()> {
        self.wrote.set(true);
        let mut overflow = self.take_overflow().unwrap_or_default();
        let pushed = overflow.push(item);
        self.overflow.put(overflow);
        pushed
            .map(drop)
            .map_err(|error| overflow::failed(gil, &error))
    }

    fn compat(&self, gil: Gil<'_>) -> Option<Owned> {
        self.compat.with(|compat| compat.own(gil))
    }

    /// The compat object, made at the first look.
    pub fn compat_object(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(compat) = self.compat(gil) {
            return Ok(compat);
        }
        let base = self.base.with(|base| base.clone());
        let base = base.ok_or_else(|| busy(gil))?;
        let compat = base.start_response(gil)?.class.call(gil, &[])?;
        if let Some((status, headers)) = self.arguments.take() {
            compat.call(gil, &[&status, &headers])?;
        }
        if !self.over.get() {
            self.compat.put(compat.own(gil));
        }
        Ok(compat)
    }

    fn merge_compat(&self, gil: Gil<'_>) -> Result<()> {
        let Some(compat) = self.compat(gil) else {
            return Ok(());
        };
        // What is there without a call was rendered for an earlier request.
        let started = self.started.get();
        let head = self.heads.with(|heads| heads.current.clone());
        let mut head = head.filter(|_| started).unwrap_or_default();
        merge(gil, &mut head, &compat)?;
        self.replace_head(head, None);
        self.started.set(true);
        Ok(())
    }
}

fn too_late(gil: Gil<'_>) -> Raised {
    let message = "write() was called after the end of the response";
    Raised::new(gil, Kind::AssertionError, message)
}

fn busy(gil: Gil<'_>) -> Raised {
    let message = "the response is being worked on by another call";
    Raised::new(gil, Kind::RuntimeError, message)
}
