//! `start_response` of the standard dialect, native where the base module's class is the stock one.
//!
//! An [`Exchange`] is what the application says about its answer: the head, and what it gave to
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

use crate::http::reply::{FieldRole, field_role};
use crate::py::types::{Call, Class, Get, Instance, Method, Set};
use crate::py::{Arguments, Exception, Gil, Kind, Object, Owned, Raised, Result, names, text};
use crate::wsgi::base::Base;
use crate::wsgi::line::{Line, Streamed};
use crate::wsgi::outgoing::Outgoing;
use crate::wsgi::reply_head::{HeadFault, ReplyHead};
use crate::wsgi::request::Request;
use crate::wsgi::site::{Site, natives};
use crate::wsgi::written::{self, Written};

/// What an application has said about its answer so far.
pub struct Exchange {
    base: RefCell<Rc<Base>>,
    /// The way to the client.
    line: RefCell<Line>,
    /// Whether it can be used: while the application is called, and `write` does not use it already.
    is_open: Cell<bool>,
    /// The `write` callable, made at the first call and kept for the next exchange.
    writer: RefCell<Option<Owned>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    head: ReplyHead,
    /// The strings that `head` was rendered from, as long as it is what they say.
    rendered: Option<Rendered>,
    /// `start_response` was called.
    started: bool,
    /// The head went out: it cannot be replaced any more.
    sent: bool,
    /// The answer is over, or not begun: `write` has nobody to write to.
    over: bool,
    /// What `write` sent on it.
    streamed: Option<Streamed>,
    /// What `write` was given and could not be sent yet. For the application it counts as sent: a
    /// head that replaced the one before it would stand before a body of both (PEP 3333, "The
    /// write() callable").
    written: Written,
    wrote: bool,
    /// The arguments of the last call, for a shadow that is made after it.
    said: Option<(Owned, Owned)>,
    shadow: Option<Owned>,
}

impl Exchange {
    fn begin(&self, site: &Site) {
        if !Rc::ptr_eq(&self.base.borrow(), &site.base) {
            let replaced = self.base.replace(site.base.clone());
            drop(replaced);
        }
        let mut state = self.state.borrow_mut();
        state.started = false;
        state.sent = false;
        state.wrote = false;
        state.over = false;
    }

    /// The application is about to be called: what it gives to `write` goes into `out`, and out.
    pub fn open(&self, site: &Site, request: &Request<'_>, out: &mut Outgoing) {
        self.line.borrow_mut().open(site, request, out);
        self.is_open.set(true);
    }

    /// The application returned, or raised: gives the queue back, and tells what `write` did with it.
    pub fn close(&self, out: &mut Outgoing) -> Option<Streamed> {
        self.is_open.set(false);
        std::mem::swap(&mut self.line.borrow_mut().out, out);
        self.state.borrow_mut().streamed.take()
    }

    /// Whether there is a head to send: `start_response` was called, or a program of the
    /// original's kind set attributes instead, whose defaults are a head too.
    pub fn has_head(&self) -> bool {
        let state = self.state.borrow();
        state.started || state.shadow.is_some()
    }

    /// Brings the head to its final form and passes it to `push`; from here on it is sent.
    pub fn send_head<R>(&self, gil: Gil<'_>, push: impl FnOnce(&ReplyHead) -> R) -> Result<R> {
        self.merge_shadow(gil)?;
        let mut state = self.state.borrow_mut();
        state.sent = true;
        Ok(push(&state.head))
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
        if self.state.borrow().over {
            let message = "write() was called after the end of the response";
            return Err(Raised::new(gil, Kind::AssertionError, message));
        }
        let Some(item) = text::body_item(gil, data)? else {
            return Err(Raised::new(gil, Kind::TypeError, "write() takes bytes"));
        };
        if item.as_bytes().is_some_and(<[u8]>::is_empty) {
            return Ok(());
        }
        // The head and a complaint may run Python code, which finds the line closed.
        if !self.is_open.replace(false) {
            return self.keep(gil, item);
        }
        let sent = self.send(gil, &mut self.line.borrow_mut(), item);
        self.is_open.set(true);
        sent
    }

    fn send(&self, gil: Gil<'_>, line: &mut Line, item: Owned) -> Result<()> {
        let streamed = self.state.borrow().streamed;
        let mut streamed = match streamed {
            Some(streamed) => streamed,
            None => self.send_head(gil, |head| line.begin(head))?,
        };
        let overflows = line.is_full() || !self.state.borrow().written.is_empty();
        let sent = if overflows {
            self.keep(gil, item)
        } else {
            line.send(gil, &mut streamed, item)
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

/// The strings of a head. Programs call `start_response` with literals, so that request after request
/// brings the very same objects; strings never change, so neither does what was rendered from them.
struct Rendered {
    status: Owned,
    fields: Vec<(Owned, Owned)>,
}

impl Rendered {
    /// `None` where the headers are no list of tuples.
    fn new(gil: Gil<'_>, status: &Object, headers: &Object) -> Option<Rendered> {
        let pair = |index| {
            let pair = headers.list_item(index)?;
            Some((pair.tuple_item(0)?.own(gil), pair.tuple_item(1)?.own(gil)))
        };
        let fields = (0..headers.list_len())
            .map(pair)
            .collect::<Option<Vec<_>>>()?;
        headers.is_list().then(|| Rendered {
            status: status.own(gil),
            fields,
        })
    }

    fn is_of(&self, status: &Object, headers: &Object) -> bool {
        let same = |(index, (name, value)): (usize, &(Owned, Owned))| {
            headers.list_item(index).is_some_and(|pair| {
                pair.tuple_len() == 2
                    && pair.tuple_item(0).is_some_and(|item| item.is(name))
                    && pair.tuple_item(1).is_some_and(|item| item.is(value))
            })
        };
        self.status.is(status)
            && headers.list_len() == self.fields.len()
            && self.fields.iter().enumerate().all(same)
            && headers.is_list()
    }
}

fn fault(gil: Gil<'_>, fault: HeadFault) -> Raised {
    Raised::new(gil, fault_kind(fault), fault.message())
}

fn fault_kind(fault: HeadFault) -> Kind {
    if fault.is_assertion() {
        Kind::AssertionError
    } else {
        Kind::ValueError
    }
}

/// What is wrong with the header of this name.
fn header_fault(gil: Gil<'_>, fault: HeadFault, name: &[u8]) -> Raised {
    let message = format!("{}: {}", shown(name), fault.message());
    Raised::new(gil, fault_kind(fault), &message)
}

/// A header's name in a message, however odd or long it is.
fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = name.iter().map(|&byte| char::from(byte));
    let more = if name.len() > LONGEST { "..." } else { "" };
    format!("header {:?}{more}", text.take(LONGEST).collect::<String>())
}

/// Checks and renders the arguments of a call.
fn render(gil: Gil<'_>, head: &mut ReplyHead, status: &Object, headers: &Object) -> Result<()> {
    let line = text::expect_latin1(gil, status, "the status")?;
    head.set_status(&line).map_err(|found| fault(gil, found))?;
    if headers.is_list() {
        let mut index = 0;
        while let Some(pair) = headers.sequence_item(gil, index) {
            add_pair(gil, head, &pair)?;
            index += 1;
        }
        return Ok(());
    }
    let pairs = headers.iterate(gil)?;
    while let Some(pair) = pairs.next(gil)? {
        add_pair(gil, head, &pair)?;
    }
    Ok(())
}

fn add_pair(gil: Gil<'_>, head: &mut ReplyHead, pair: &Object) -> Result<()> {
    let (Some(name), Some(value), 2) = (
        pair.sequence_item(gil, 0),
        pair.sequence_item(gil, 1),
        pair.sequence_len(),
    ) else {
        return Err(Raised::new(
            gil,
            Kind::TypeError,
            "a header is a (name, value) tuple",
        ));
    };
    add_header(gil, head, &name, &value)
}

fn add_header(gil: Gil<'_>, head: &mut ReplyHead, name: &Object, value: &Object) -> Result<()> {
    let name = text::expect_latin1(gil, name, "a header's name")?;
    let Some(value) = text::latin1(gil, value) else {
        let what = format!("the value of {}", shown(&name));
        return Err(text::no_native(gil, value, &what));
    };
    head.add(&name, &value)
        .map_err(|found| header_fault(gil, found, &name))
}

/// Merges what a `base.Start_response` says into `head`. Headers given to the call stay as they are,
/// repeated ones too, unless the program changed them in the shadow's dict afterwards.
fn merge(gil: Gil<'_>, head: &mut ReplyHead, shadow: &Object) -> Result<()> {
    let names = names(gil);
    let part = |name: &Object| -> Result<Vec<u8>> {
        let value = shadow.attr(gil, name)?.str(gil)?;
        text::expect_latin1(gil, &value, "the status").map(|part| part.to_vec())
    };
    let mut status = part(&names.status_code)?;
    status.push(b' ');
    status.extend_from_slice(&part(&names.status_reasons)?);
    head.set_status(&status)
        .map_err(|found| fault(gil, found))?;
    for (name, value) in shadow.attr(gil, &names.response_headers)?.dict_items(gil) {
        let (name, value) = (name.str(gil)?, value.str(gil)?);
        let name = text::expect_latin1(gil, &name, "a header name")?;
        let value = text::expect_latin1(gil, &value, "a header value")?;
        if head.value(&name) == Some(&value) {
            continue;
        }
        if field_role(&name) == FieldRole::ContentLength || head.value(&name).is_some() {
            head.remove(&name);
        }
        head.add(&name, &value)
            .map_err(|found| header_fault(gil, found, &name))?;
    }
    let cookies = shadow.attr(gil, &names.cookies)?;
    if !cookies.is_none() {
        let lines = cookies.str(gil)?;
        let lines = text::expect_latin1(gil, &lines, "a cookie")?;
        for line in lines.split(|&byte| byte == b'\n') {
            add_line(head, line).map_err(|found| fault(gil, found))?;
        }
    }
    Ok(())
}

/// Adds a rendered line, `Name: value`, with or without its CR.
pub fn add_line(head: &mut ReplyHead, line: &[u8]) -> std::result::Result<(), HeadFault> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Ok(());
    }
    let colon = memchr::memchr(b':', line).ok_or(HeadFault::Name)?;
    head.add(&line[..colon], line[colon + 1..].trim_ascii())
}

/// A callable and its exchange, waiting for a request.
pub struct Spare {
    callable: Owned,
    exchange: Rc<Exchange>,
}

/// A native `start_response`, for the time of one answer. Dropped, it ends the exchange, and keeps
/// both for the next request unless the application has a reference to the callable or to its `write`.
pub struct Native(Option<Spare>);

impl Native {
    /// One in which nothing was said.
    pub fn new(gil: Gil<'_>, site: &Site) -> Result<Native> {
        let spare = natives(gil).spare_starter.borrow_mut().take();
        if let Some(spare) = spare {
            spare.exchange.begin(site);
            return Ok(Native(Some(spare)));
        }
        let exchange = Rc::new(Exchange {
            base: RefCell::new(site.base.clone()),
            line: RefCell::new(Line::closed(site)),
            is_open: Cell::new(false),
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
    pub fn exchange(&self) -> &Exchange {
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
pub struct StartResponse(Rc<Exchange>);

/// The `write` that it returns.
pub struct Writer(Rc<Exchange>);

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
    const CALL: Option<Call<Self>> = Some(call);
    const GET: Option<Get<Self>> = Some(get);
    const SET: Option<Set<Self>> = Some(set);
}

impl Class for Writer {
    const NAME: &'static CStr = c"fapws._evwsgi.Writer";
    const DOC: &'static CStr = c"write(data)\n\nSends bytes before what the application returns.";
    const METHODS: &'static [Method<Self>] = &[];
    const CALL: Option<Call<Self>> = Some(write);
}
