//! `start_response` of the standard dialect, native where the base module's class is the stock one.
//!
//! An [`ResponseState`] is what the application says about its answer: the head, and what it gave to
//! `write`. The callable that the application gets and the `write` that it returns share one.
//!
//! Programs written for Fapws3 also use the attributes of `base.Start_response` (`add_header`,
//! `set_cookie`, `response_headers`, ...). The first look at one makes an instance of that class, the
//! *shadow*, tells it what was said so far, and from then on asks it; its word is merged into the
//! head when the head is sent.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::rc::Rc;

use crate::app::base::Base;
use crate::app::child;
use crate::app::exchange;
use crate::app::said::{Rendered, merge, render};
use crate::app::sink::{ResponseSink, SentHead};
use crate::app::written::{self, Written};
use crate::app::{context::AppContext, natives::natives};
use crate::http::response_head::ResponseHead;
use crate::py::types::{Call, Class, Get, Instance, Method, Owns, Set};
use crate::py::{Arguments, Exception, Gil, Kind, Object, Owned, Raised, Result, text};
use crate::queue::WriteQueue;

/// What an application has said about its answer so far.
pub struct ResponseState {
    base: RefCell<Rc<Base>>,
    /// The way to the client.
    line: RefCell<ResponseSink>,
    /// Whether it can be used: while the application is called, and `write` does not use it already.
    is_open: Cell<bool>,
    /// How often it was opened or closed. Whoever ran Python code meanwhile looks again: another
    /// thread may have gone on to another request.
    turns: Cell<u64>,
    /// The `write` callable, made at the first call and kept for the next exchange.
    writer: RefCell<Option<Owned>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    head: ResponseHead,
    /// The strings that `head` was rendered from, as long as it is what they say.
    rendered: Option<Rendered>,
    /// `start_response` was called.
    started: bool,
    /// The head went out: it cannot be replaced any more.
    sent: bool,
    /// The answer is over, or not begun: `write` has nobody to write to.
    over: bool,
    /// What `write` sent on it.
    streamed: Option<SentHead>,
    /// What `write` was given and could not be sent yet. For the application it counts as sent: a
    /// head that replaced the one before it would stand before a body of both (PEP 3333, "The
    /// write() callable").
    written: Written,
    wrote: bool,
    /// The arguments of the last call, for a shadow that is made after it.
    said: Option<(Owned, Owned)>,
    shadow: Option<Owned>,
}

impl ResponseState {
    fn begin(&self, ctx: &AppContext) {
        if !Rc::ptr_eq(&self.base.borrow(), &ctx.base) {
            let replaced = self.base.replace(ctx.base.clone());
            drop(replaced);
        }
        let mut state = self.state.borrow_mut();
        state.started = false;
        state.sent = false;
        state.wrote = false;
        state.over = false;
        state.streamed = None;
    }

    /// The application is about to be called: what it gives to `write` goes into `out`, and out.
    pub fn open(&self, ctx: &AppContext, exchange: &exchange::Exchange, out: &mut WriteQueue) {
        self.line.borrow_mut().open(ctx, exchange, out);
        self.turns.set(self.turns.get() + 1);
        self.is_open.set(true);
    }

    /// The application returned, or raised: gives the queue back, and tells what `write` did with it.
    pub fn close(&self, out: &mut WriteQueue) -> Option<SentHead> {
        self.is_open.set(false);
        self.turns.set(self.turns.get() + 1);
        self.line.borrow_mut().close(out);
        self.state.borrow_mut().streamed.take()
    }

    /// Whether there is a head to send: `start_response` was called, or a program of the
    /// original's kind set attributes instead, whose defaults are a head too.
    pub fn has_head(&self) -> bool {
        let state = self.state.borrow();
        state.started || state.shadow.is_some()
    }

    /// Brings the head to its final form and passes it to `push`; from here on it is sent.
    pub fn send_head<R>(&self, gil: Gil<'_>, push: impl FnOnce(&ResponseHead) -> R) -> Result<R> {
        self.merge_shadow(gil)?;
        Ok(self.push_head(push))
    }

    fn push_head<R>(&self, push: impl FnOnce(&ResponseHead) -> R) -> R {
        let mut state = self.state.borrow_mut();
        state.sent = true;
        push(&state.head)
    }

    /// What was given to `write` since the last look.
    pub fn take_written(&self) -> Written {
        std::mem::take(&mut self.state.borrow_mut().written)
    }

    /// Lets go of every Python object, so that a callable that the application keeps keeps nothing
    /// else alive.
    fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.sent = true;
        state.over = true;
        let released = (
            state.said.take(),
            state.shadow.take(),
            std::mem::take(&mut state.written),
        );
        drop(state);
        drop(released);
    }

    fn start(&self, gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<()> {
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
        let (started, sent) = {
            let state = self.state.borrow();
            if state.over {
                let message = "start_response() was called after the end of the response";
                return Err(Raised::new(gil, Kind::AssertionError, message));
            }
            (state.started, state.sent || state.wrote)
        };
        match info {
            Some(info) if sent => return Err(Exception::raise_info(gil, info)),
            None if started => {
                let message = "start_response() was called again, without exc_info (PEP 3333)";
                return Err(Raised::new(gil, Kind::AssertionError, message));
            }
            _ => {}
        }
        self.render(gil, status, headers)?;
        let shadow = {
            let mut state = self.state.borrow_mut();
            state.started = true;
            state.shadow.as_ref().map(|shadow| shadow.own(gil))
        };
        match shadow {
            Some(shadow) => shadow.call(gil, &[status, headers]).map(drop),
            None => {
                let said = Some((status.own(gil), headers.own(gil)));
                let replaced = std::mem::replace(&mut self.state.borrow_mut().said, said);
                drop(replaced);
                Ok(())
            }
        }
    }

    /// Renders the head, unless these are the very strings that it was rendered from last.
    fn render(&self, gil: Gil<'_>, status: &Object, headers: &Object) -> Result<()> {
        let (mut head, before) = {
            let mut state = self.state.borrow_mut();
            state.started = false;
            if state
                .rendered
                .as_ref()
                .is_some_and(|before| before.is_of(status, headers))
            {
                return Ok(());
            }
            (std::mem::take(&mut state.head), state.rendered.take())
        };
        drop(before);
        head.clear();
        let rendered = render(gil, &mut head, status, headers);
        let mut state = self.state.borrow_mut();
        state.head = head;
        if rendered.is_ok() {
            state.rendered = Rendered::new(gil, status, headers);
        }
        rendered
    }

    fn write(&self, gil: Gil<'_>, data: &Object) -> Result<()> {
        // Not a byte of a forked child's: the connection is its parent's.
        child::exit_if_forked(gil, Ok(()))?;
        if self.state.borrow().over {
            return Err(too_late(gil));
        }
        let Some(item) = text::body_item(gil, data)? else {
            return Err(Raised::new(gil, Kind::TypeError, "write() takes bytes"));
        };
        if item.as_bytes().is_some_and(<[u8]>::is_empty) {
            return Ok(());
        }
        // The head may run Python code of the program's, which finds the line closed.
        if !self.is_open.replace(false) {
            return self.keep(gil, item);
        }
        let turn = self.turns.get();
        let sent = self.send(gil, item, turn);
        if self.turns.get() == turn {
            self.is_open.set(true);
        }
        sent
    }

    fn send(&self, gil: Gil<'_>, item: Owned, turn: u64) -> Result<()> {
        let streamed = self.state.borrow().streamed;
        let mut streamed = match streamed {
            Some(streamed) => streamed,
            None => {
                if !self.has_head() {
                    let message = "write() was called, but start_response() failed";
                    return Err(Raised::new(gil, Kind::AssertionError, message));
                }
                self.merge_shadow(gil)?;
                if self.turns.get() != turn {
                    return Err(too_late(gil));
                }
                self.push_head(|head| self.line.borrow_mut().begin(head))
            }
        };
        if self.line.borrow_mut().has_room(gil) {
            // What had to be kept comes first.
            let kept = self.take_written();
            self.line.borrow_mut().send_kept(gil, &mut streamed, kept);
        }
        let full = !self.line.borrow_mut().has_room(gil);
        let sent = if full {
            self.keep(gil, item)
        } else {
            self.line.borrow_mut().send(gil, &mut streamed, item)
        };
        self.state.borrow_mut().streamed = Some(streamed);
        sent
    }

    fn keep(&self, gil: Gil<'_>, item: Owned) -> Result<()> {
        let mut state = self.state.borrow_mut();
        state.wrote = true;
        let kept = state.written.push(item);
        kept.map_err(|error| written::failed(gil, &error))
    }

    fn shadow(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(shadow) = &self.state.borrow().shadow {
            return Ok(shadow.own(gil));
        }
        let base = self.base.borrow().clone();
        let shadow = base.start_response(gil)?.class.call(gil, &[])?;
        let said = self.state.borrow_mut().said.take();
        if let Some((status, headers)) = said {
            shadow.call(gil, &[&status, &headers])?;
        }
        self.state.borrow_mut().shadow = Some(shadow.own(gil));
        Ok(shadow)
    }

    fn merge_shadow(&self, gil: Gil<'_>) -> Result<()> {
        let Some(shadow) = self
            .state
            .borrow()
            .shadow
            .as_ref()
            .map(|shadow| shadow.own(gil))
        else {
            return Ok(());
        };
        let (mut head, started) = {
            let mut state = self.state.borrow_mut();
            (std::mem::take(&mut state.head), state.started)
        };
        if !started {
            // What is there was rendered for an earlier request.
            head.clear();
        }
        let merged = merge(gil, &mut head, &shadow);
        let mut state = self.state.borrow_mut();
        state.head = head;
        state.started = true;
        let rendered = state.rendered.take();
        drop(state);
        drop(rendered);
        merged
    }
}

fn too_late(gil: Gil<'_>) -> Raised {
    let message = "write() was called after the end of the response";
    Raised::new(gil, Kind::AssertionError, message)
}

/// A callable and its exchange, waiting for a request.
pub struct Spare {
    callable: Owned,
    exchange: Rc<ResponseState>,
}

/// A native `start_response`, for the time of one answer. Dropped, it ends the exchange, and keeps
/// both for the next request unless the application has a reference to the callable or to its `write`.
pub struct Native(Option<Spare>);

impl Native {
    /// One in which nothing was said.
    pub fn new(gil: Gil<'_>, ctx: &AppContext) -> Result<Native> {
        let spare = natives(gil).spare_starter.borrow_mut().take();
        if let Some(spare) = spare {
            spare.exchange.begin(ctx);
            return Ok(Native(Some(spare)));
        }
        let exchange = Rc::new(ResponseState {
            base: RefCell::new(ctx.base.clone()),
            line: RefCell::new(ResponseSink::closed(ctx)),
            is_open: Cell::new(false),
            turns: Cell::new(0),
            writer: RefCell::default(),
            state: RefCell::default(),
        });
        let value = StartResponse(exchange.clone());
        let callable = natives(gil).start_response.instantiate(gil, value)?;
        Ok(Native(Some(Spare { callable, exchange })))
    }

    fn parts(&self) -> &Spare {
        self.0.as_ref().expect("taken only when it is dropped")
    }

    /// What the application gets.
    pub fn object(&self) -> &Object {
        &self.parts().callable
    }

    /// What the application says through it.
    pub fn exchange(&self) -> &ResponseState {
        &self.parts().exchange
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let Some(spare) = self.0.take() else { return };
        spare.exchange.end();
        let unshared = spare.callable.is_unshared()
            && spare
                .exchange
                .writer
                .borrow()
                .as_ref()
                .is_none_or(Owned::is_unshared);
        let released = if unshared {
            let callable = spare.callable.own(spare.callable.gil());
            natives(callable.gil()).spare_starter.replace(Some(spare))
        } else {
            Some(spare)
        };
        // An exchange and its writer hold each other until the writer is let go.
        let writer = released
            .as_ref()
            .and_then(|released| released.exchange.writer.take());
        drop((writer, released));
    }
}

/// The callable that applications get.
pub struct StartResponse(Rc<ResponseState>);

/// The `write` that it returns.
pub struct Writer(Rc<ResponseState>);

fn call(gil: Gil<'_>, this: &Instance<StartResponse>, args: &Arguments<'_>) -> Result<Owned> {
    this.0.start(gil, args)?;
    if let Some(writer) = &*this.0.writer.borrow() {
        return Ok(writer.own(gil));
    }
    let writer = natives(gil)
        .writer
        .instantiate(gil, Writer(this.0.clone()))?;
    this.0.writer.replace(Some(writer.own(gil)));
    Ok(writer)
}

fn get(gil: Gil<'_>, this: &Instance<StartResponse>, name: &Object) -> Result<Owned> {
    this.0.shadow(gil)?.attr(gil, name)
}

fn set(gil: Gil<'_>, this: &Instance<StartResponse>, name: &Object, value: &Object) -> Result<()> {
    this.0.shadow(gil)?.set_attr(gil, name, value)
}

fn write(gil: Gil<'_>, this: &Instance<Writer>, args: &Arguments<'_>) -> Result<Owned> {
    let [data] = args.exactly(gil, "write")?;
    this.0.write(gil, data)?;
    Ok(Owned::none(gil))
}

impl Class for StartResponse {
    const NAME: &'static CStr = c"fapws._evwsgi.StartResponse";
    const DOC: &'static CStr =
        c"start_response(status, response_headers, exc_info=None) -> write\n\n\
        As PEP 3333 has it. The attributes of fapws.base.Start_response work too.";
    const METHODS: &'static [Method<Self>] = &[];
    // References only while its request is in flight, and then it is no garbage: `end` drops them.
    const OWNS: Owns<Self> = Owns::Nothing;
    const CALL: Option<Call<Self>> = Some(call);
    const GET: Option<Get<Self>> = Some(get);
    const SET: Option<Set<Self>> = Some(set);
}

impl Class for Writer {
    const NAME: &'static CStr = c"fapws._evwsgi.Writer";
    const DOC: &'static CStr = c"write(data)\n\nSends bytes before what the application returns.";
    const METHODS: &'static [Method<Self>] = &[];
    const OWNS: Owns<Self> = Owns::Nothing; // as `StartResponse`
    const CALL: Option<Call<Self>> = Some(write);
}
