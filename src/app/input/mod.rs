//! `wsgi.input` of the standard dialect: the request's body, whole before the application is called.
//!
//! A short body is a bytes object, which `read()` can hand out as it is; a long one is in the pool or
//! in an unlinked temporary file. Reading never waits: the end of the body is `b""`
//! (`wsgi.input_terminated`). Each request has an input of its own; one without a body that nobody
//! kept is used again.

#![forbid(unsafe_code)]

pub mod content;
mod writable;

use std::ffi::CStr;

use crate::app::exchange::{Exchange, RequestBody};
use crate::app::exclusive::Exclusive;
use crate::app::input::content::{Content, ReadFault, Reader};
use crate::app::input::writable::Writable;
use crate::py::types::{Class, ClassObject, Get, Instance, Method, Next, Owns};
use crate::py::{
    Arguments, Gil, Kind, Object, Owned, Raised, Result, State, container, number, text,
};

/// The input object's value.
pub struct Input(Exclusive<Box<Reader>>);

/// The class, and an input without a body to be used again.
struct Shared {
    class: ClassObject<Input>,
    empty: Exclusive<Owned>,
}

fn shared(gil: Gil<'_>) -> Result<&Shared> {
    static SHARED: State<Shared> = State::new();
    SHARED.get_or_try_make(gil, || {
        Ok(Shared {
            class: ClassObject::new(gil)?,
            empty: Exclusive::default(),
        })
    })
}

/// The input of a request, which takes its body.
pub fn of(gil: Gil<'_>, exchange: &mut Exchange) -> Result<Owned> {
    let shared = shared(gil)?;
    let content = match std::mem::replace(&mut exchange.body, RequestBody::Empty) {
        RequestBody::Empty => return empty(gil, shared),
        RequestBody::InInput(range) => {
            let body = &exchange.input[exchange.message.start..][range];
            Content::Memory(text::bytes(gil, body)?)
        }
        RequestBody::Memory(body) => Content::Memory(text::bytes(gil, &body)?),
        RequestBody::Object(body) => Content::Memory(body),
        RequestBody::PooledObject(body) => Content::PooledObject(*body),
        RequestBody::Pooled(body) => Content::Pooled(*body),
        RequestBody::Spooled(spool) => Content::Spooled(spool),
    };
    make(gil, &shared.class, content)
}

fn make(gil: Gil<'_>, class: &ClassObject<Input>, content: Content) -> Result<Owned> {
    let reader = Box::new(Reader::new(content));
    class.instantiate(gil, Input(Exclusive::new(reader)))
}

/// The one of the last request without a body, unless somebody kept it.
fn empty(gil: Gil<'_>, shared: &Shared) -> Result<Owned> {
    let kept = shared.empty.take().filter(Owned::is_unshared);
    let input = match kept {
        Some(input) => {
            if let Some(value) = shared.class.instance(&input) {
                value.0.with(|reader| reader.seek(0, 0).is_ok());
            }
            input
        }
        None => make(gil, &shared.class, Content::Empty)?,
    };
    shared.empty.put(input.own(gil));
    Ok(input)
}

impl Input {
    fn with<R>(
        &self,
        gil: Gil<'_>,
        work: impl FnOnce(&mut Reader) -> std::result::Result<R, ReadFault>,
    ) -> Result<R> {
        match self.0.with(|reader| work(reader)) {
            Some(done) => done.map_err(|fault| fault.raise(gil)),
            None => {
                let message = "wsgi.input is being read by another call";
                Err(Raised::new(gil, Kind::RuntimeError, message))
            }
        }
    }
}

/// An optional size argument: `None`, absent and negative ones mean everything.
fn size(gil: Gil<'_>, arguments: &Arguments<'_>, name: &str) -> Result<u64> {
    match arguments.get_or_keyword(gil, 0, name) {
        None => Ok(u64::MAX),
        Some(size) if size.is_none() => Ok(u64::MAX),
        Some(size) => Ok(u64::try_from(size.to_int(gil)?).unwrap_or(u64::MAX)),
    }
}

fn read(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    let count = size(gil, arguments, "size")?;
    this.with(gil, |reader| reader.take(gil, count))
}

fn readline(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    let limit = size(gil, arguments, "size")?;
    this.with(gil, |reader| reader.take_line(gil, limit))
}

fn readlines(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    // A hint of 0 means no hint, as for files.
    let hint = match size(gil, arguments, "hint")? {
        0 => u64::MAX,
        hint => hint,
    };
    let lines = container::list(gil)?;
    let mut total = 0;
    while total < hint {
        let line = this.with(gil, |reader| reader.take_line(gil, u64::MAX))?;
        let length = line.as_bytes().map_or(0, <[u8]>::len);
        if length == 0 {
            break;
        }
        lines.list_append(gil, &line)?;
        total += length as u64;
    }
    Ok(lines)
}

/// `io.BufferedReader` reads by it.
fn readinto(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [buffer] = arguments.exactly(gil, "readinto")?;
    let into = Writable::new(gil, buffer)?;
    let piece = this.with(gil, |reader| reader.take(gil, into.len() as u64))?;
    into.fill(gil, &piece)?;
    number::int(gil, piece.as_bytes().map_or(0, <[u8]>::len) as i64)
}

/// The whole body, or with a true argument what was read of it, as `cStringIO` has it.
fn getvalue(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    let only_read = match arguments.get_or_keyword(gil, 0, "use_pos") {
        Some(flag) => flag.to_int(gil)? != 0,
        None => false,
    };
    this.with(gil, |reader| {
        let position = reader.position();
        reader.seek(0, 0)?;
        let whole = reader.take(gil, if only_read { position } else { u64::MAX });
        reader.seek(position as i64, 0)?;
        whole
    })
}

fn next(gil: Gil<'_>, this: &Instance<Input>) -> Result<Option<Owned>> {
    let line = this.with(gil, |reader| reader.take_line(gil, u64::MAX))?;
    Ok(Some(line).filter(|line| line.as_bytes() != Some(b"")))
}

fn seek(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    let integer = |object: Option<&Object>| object.map_or(Ok(0), |object| object.to_int(gil));
    let (offset, whence) = (integer(arguments.get(0))?, integer(arguments.get(1))?);
    let position = this.with(gil, |reader| reader.seek(offset, whence))?;
    number::int(gil, position as i64)
}

fn reset(gil: Gil<'_>, this: &Instance<Input>, _: &Arguments<'_>) -> Result<Owned> {
    this.with(gil, |reader| reader.seek(0, 0))?;
    Ok(Owned::none(gil))
}

fn tell(gil: Gil<'_>, this: &Instance<Input>, _: &Arguments<'_>) -> Result<Owned> {
    let position = this.with(gil, |reader| Ok(reader.position()))?;
    number::int(gil, position as i64)
}

fn enter(gil: Gil<'_>, this: &Instance<Input>, _: &Arguments<'_>) -> Result<Owned> {
    Ok(this.object().own(gil))
}

fn nothing(gil: Gil<'_>, _: &Instance<Input>, _: &Arguments<'_>) -> Result<Owned> {
    Ok(Owned::none(gil))
}

fn yes(gil: Gil<'_>, _: &Instance<Input>, _: &Arguments<'_>) -> Result<Owned> {
    Ok(Owned::boolean(gil, true))
}

fn no(gil: Gil<'_>, _: &Instance<Input>, _: &Arguments<'_>) -> Result<Owned> {
    Ok(Owned::boolean(gil, false))
}

/// `io.TextIOWrapper` asks for `closed`.
fn get(gil: Gil<'_>, _: &Instance<Input>, name: &Object) -> Result<Owned> {
    let wanted = text::latin1(gil, name);
    if wanted.as_deref() == Some(b"closed") {
        return Ok(Owned::boolean(gil, false));
    }
    let wanted = String::from_utf8_lossy(wanted.as_deref().unwrap_or_default()).into_owned();
    let message = format!("wsgi.input has no attribute {wanted:?}");
    Err(Raised::new(gil, Kind::AttributeError, &message))
}

const fn method(name: &'static CStr, doc: &'static CStr, call: Call) -> Method<Input> {
    Method { name, doc, call }
}

type Call = crate::py::types::Call<Input>;

impl Class for Input {
    const NAME: &'static CStr = c"fapws._evwsgi.Input";
    const DOC: &'static CStr = c"The body of one request (PEP 3333, wsgi.input).";
    // Bytes and files of ours.
    const OWNS: Owns<Self> = Owns::Nothing;
    const METHODS: &'static [Method<Input>] = &[
        method(
            c"read",
            c"read(size=-1) -> bytes\n\nUp to size bytes, or the rest; b'' at the end.",
            read,
        ),
        method(
            c"readline",
            c"readline(size=-1) -> bytes\n\nThe next line with its LF, at most size bytes.",
            readline,
        ),
        method(
            c"readlines",
            c"readlines(hint=-1) -> list of bytes\n\nLines until they have hint bytes.",
            readlines,
        ),
        method(
            c"readinto",
            c"readinto(buffer) -> int\n\nReads into a buffer; how many bytes that were.",
            readinto,
        ),
        method(c"read1", c"read1(size=-1) -> bytes\n\nAs read.", read),
        method(
            c"readinto1",
            c"readinto1(buffer) -> int\n\nAs readinto.",
            readinto,
        ),
        method(
            c"getvalue",
            c"getvalue(use_pos=False) -> bytes\n\nThe whole body, or what was read of it.",
            getvalue,
        ),
        method(
            c"seek",
            c"seek(offset, whence=0) -> int\n\nMoves within the body.",
            seek,
        ),
        method(c"reset", c"reset() -> None\n\nAs seek(0).", reset),
        method(c"tell", c"tell() -> int\n\nThe position, in bytes.", tell),
        method(c"isatty", c"isatty() -> False", no),
        method(c"readable", c"readable() -> True", yes),
        method(c"writable", c"writable() -> False", no),
        method(c"seekable", c"seekable() -> True", yes),
        method(
            c"flush",
            c"flush() -> None\n\nNothing: it is not written to.",
            nothing,
        ),
        method(
            c"close",
            c"close() -> None\n\nNothing: the server closes it with the request.",
            nothing,
        ),
        method(c"__enter__", c"The input itself.", enter),
        method(c"__exit__", c"Nothing: see close.", nothing),
    ];
    const NEXT: Option<Next<Self>> = Some(next);
    const GET: Option<Get<Self>> = Some(get);
}
