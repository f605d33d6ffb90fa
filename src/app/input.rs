//! `wsgi.input` of the standard dialect: the request's body, whole before the application is called.
//!
//! A short body is a bytes object, which `read()` can give away as it is; a long one is in an
//! unlinked temporary file. Reading never waits: the end of the body is `b""` (`wsgi.input_terminated`).

#![forbid(unsafe_code)]

use std::cell::RefCell;

use crate::app::buffer_pool::PooledBuffer;
use crate::py::types::{Class, Get, Instance, Method, Next, Owns};
use crate::py::{Arguments, Gil, Kind, Object, Owned, Raised, Result, container, number, text};
use crate::sys::spool::Spool;

/// How much of a spooled body is read at a time, for lines and other small pieces.
const STRIDE: usize = 16 * 1024;

/// Where the body is.
pub enum Content {
    /// In a bytes object.
    Memory(Owned),
    /// In the memory for long ones.
    Long(PooledBuffer),
    /// In a temporary file.
    File(Spool),
}

/// The input object's value.
pub struct Input {
    state: RefCell<State>,
}

struct State {
    content: Content,
    position: u64,
    /// A part of the file, so that not every line is a system call, and where it begins.
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl Input {
    /// An input at its beginning.
    pub fn new(content: Content) -> Input {
        Input {
            state: RefCell::new(State {
                content,
                position: 0,
                ahead: Vec::new(),
                ahead_at: 0,
            }),
        }
    }
}

impl State {
    fn len(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.as_bytes().map_or(0, <[u8]>::len) as u64,
            Content::Long(body) => body.bytes.len() as u64,
            Content::File(spool) => spool.len(),
        }
    }

    fn left(&self) -> u64 {
        self.len().saturating_sub(self.position)
    }

    /// Bytes from `at` on, which is before the end: one at least.
    fn peek(&mut self, gil: Gil<'_>, at: u64) -> Result<&[u8]> {
        let left = self.len() - at;
        let spool = match &self.content {
            Content::Memory(bytes) => {
                return Ok(&bytes.as_bytes().unwrap_or_default()[at as usize..]);
            }
            Content::Long(body) => return Ok(&body.bytes[at as usize..]),
            Content::File(spool) => spool,
        };
        let known = self.ahead_at..self.ahead_at + self.ahead.len() as u64;
        if !known.contains(&at) {
            self.ahead.resize(left.min(STRIDE as u64) as usize, 0);
            if let Err(raised) = read_spool(gil, spool, at, &mut self.ahead) {
                self.ahead.clear();
                return Err(raised);
            }
            self.ahead_at = at;
        }
        Ok(&self.ahead[(at - self.ahead_at) as usize..])
    }

    /// Up to `count` bytes from the position on, which moves behind them.
    fn take(&mut self, gil: Gil<'_>, count: u64) -> Result<Owned> {
        let count = count.min(self.left());
        let start = self.position;
        let taken = match &self.content {
            Content::Memory(bytes) if start == 0 && count == self.len() => bytes.own(gil),
            Content::File(spool) if count > STRIDE as u64 => whole(gil, spool, start, count)?,
            _ if count == 0 => text::bytes(gil, b"")?,
            _ => match self.peek(gil, start)?.get(..count as usize) {
                Some(piece) => text::bytes(gil, piece)?,
                // It goes on behind what was read ahead.
                None => {
                    self.ahead.clear();
                    text::bytes(gil, &self.peek(gil, start)?[..count as usize])?
                }
            },
        };
        self.position += count;
        Ok(taken)
    }

    /// How many bytes the next line has, its line feed included, at most `limit`.
    fn line(&mut self, gil: Gil<'_>, limit: u64) -> Result<u64> {
        let most = limit.min(self.left());
        let mut looked = 0;
        while looked < most {
            let piece = self.peek(gil, self.position + looked)?;
            let piece = &piece[..piece.len().min((most - looked) as usize)];
            if let Some(at) = memchr::memchr(b'\n', piece) {
                return Ok(looked + at as u64 + 1);
            }
            looked += piece.len() as u64;
        }
        Ok(most)
    }
}

/// A long piece of the file, past what is read ahead.
fn whole(gil: Gil<'_>, spool: &Spool, start: u64, count: u64) -> Result<Owned> {
    let mut copy = Vec::new();
    if copy.try_reserve_exact(count as usize).is_err() {
        return Err(Raised::no_memory(gil));
    }
    copy.resize(count as usize, 0);
    read_spool(gil, spool, start, &mut copy)?;
    text::bytes(gil, &copy)
}

/// Fills `into` from `offset`: `OSError` when the file has less, or cannot be read.
pub(super) fn read_spool(gil: Gil<'_>, spool: &Spool, offset: u64, into: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    while filled < into.len() {
        match spool.read_at(offset + filled as u64, &mut into[filled..]) {
            Ok(0) => {
                return Err(Raised::new(
                    gil,
                    Kind::OSError,
                    "the spooled body was cut short",
                ));
            }
            Ok(count) => filled += count,
            Err(error) => return Err(Raised::new(gil, Kind::OSError, &error.to_string())),
        }
    }
    Ok(())
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
    this.state.borrow_mut().take(gil, count)
}

fn readline(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    let limit = size(gil, arguments, "size")?;
    let mut state = this.state.borrow_mut();
    let length = state.line(gil, limit)?;
    state.take(gil, length)
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
        let mut state = this.state.borrow_mut();
        let length = state.line(gil, u64::MAX)?;
        if length == 0 {
            break;
        }
        let line = state.take(gil, length)?;
        drop(state);
        lines.list_append(gil, &line)?;
        total += length;
    }
    Ok(lines)
}

fn next(gil: Gil<'_>, this: &Instance<Input>) -> Result<Option<Owned>> {
    let mut state = this.state.borrow_mut();
    match state.line(gil, u64::MAX)? {
        0 => Ok(None),
        length => state.take(gil, length).map(Some),
    }
}

fn seek(gil: Gil<'_>, this: &Instance<Input>, arguments: &Arguments<'_>) -> Result<Owned> {
    let integer = |object: Option<&Object>| object.map_or(Ok(0), |object| object.to_int(gil));
    let (offset, whence) = (integer(arguments.get(0))?, integer(arguments.get(1))?);
    let mut state = this.state.borrow_mut();
    let from = match whence {
        0 => 0,
        1 => state.position,
        2 => state.len(),
        _ => {
            return Err(Raised::new(
                gil,
                Kind::ValueError,
                "whence must be 0, 1 or 2",
            ));
        }
    };
    let Some(position) = (from as i64)
        .checked_add(offset)
        .filter(|&position| position >= 0)
    else {
        return Err(Raised::new(gil, Kind::ValueError, "negative seek position"));
    };
    state.position = position as u64;
    number::int(gil, position)
}

fn tell(gil: Gil<'_>, this: &Instance<Input>, _: &Arguments<'_>) -> Result<Owned> {
    number::int(gil, this.state.borrow().position as i64)
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

impl Class for Input {
    const NAME: &'static std::ffi::CStr = c"fapws._evwsgi.Input";
    const DOC: &'static std::ffi::CStr = c"The body of one request (PEP 3333, wsgi.input).";
    // Bytes and files of ours.
    const OWNS: Owns<Self> = Owns::Nothing;
    const METHODS: &'static [Method<Input>] = &[
        Method {
            name: c"read",
            doc: c"read(size=-1) -> bytes\n\nUp to size bytes, or the rest; b'' at the end.",
            call: read,
        },
        Method {
            name: c"readline",
            doc: c"readline(size=-1) -> bytes\n\nThe next line with its LF, at most size bytes.",
            call: readline,
        },
        Method {
            name: c"readlines",
            doc: c"readlines(hint=-1) -> list of bytes\n\nLines until they have hint bytes.",
            call: readlines,
        },
        Method {
            name: c"seek",
            doc: c"seek(offset, whence=0) -> int\n\nMoves within the body.",
            call: seek,
        },
        Method {
            name: c"tell",
            doc: c"tell() -> int\n\nThe position, in bytes.",
            call: tell,
        },
        Method {
            name: c"readable",
            doc: c"readable() -> True",
            call: yes,
        },
        Method {
            name: c"read1",
            doc: c"read1(size=-1) -> bytes\n\nAs read.",
            call: read,
        },
        Method {
            name: c"writable",
            doc: c"writable() -> False",
            call: no,
        },
        Method {
            name: c"flush",
            doc: c"flush() -> None\n\nNothing: it is not written to.",
            call: nothing,
        },
        Method {
            name: c"seekable",
            doc: c"seekable() -> True",
            call: yes,
        },
        Method {
            name: c"close",
            doc: c"close() -> None\n\nNothing: the server closes it with the request.",
            call: nothing,
        },
        Method {
            name: c"__enter__",
            doc: c"The input itself.",
            call: enter,
        },
        Method {
            name: c"__exit__",
            doc: c"Nothing: see close.",
            call: nothing,
        },
    ];
    const NEXT: Option<Next<Self>> = Some(next);
    const GET: Option<Get<Self>> = Some(get);
}
