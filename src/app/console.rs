//! Lines on the program's stdout and stderr, which never block the loop.
//!
//! A pipe whose reader has stopped would block a writer for ever; so the descriptor is polled first,
//! and what it cannot take is lost. A pipe that is ready takes `PIPE_BUF` bytes at least, so longer
//! text goes in pieces of that.

#![forbid(unsafe_code)]

use std::cell::Cell;

use crate::app::interruption;
use crate::py::out::{self, Stream};
use crate::py::{Exception, Gil, Object, Owned, Raised, State};
use crate::sys::poll::{PIPE_BUF, takes_now};
use crate::sys::stderr;

thread_local! {
    /// A stream of the program's is being written to.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

/// The object that passes on to stderr what is written to it (`wsgi.errors`), once it is made.
static RELAY: State<Owned> = State::new();

/// `stream` writes to stderr by way of [`write`].
pub fn set_relay(gil: Gil<'_>, stream: &Object) {
    if RELAY.get(gil).is_none() {
        RELAY.set(gil, stream.own(gil));
    }
}

/// The stream that lines go to. A program may have put `wsgi.errors` in the place of stderr, or a
/// stream of its own that writes there: what comes back to us goes to the original one.
pub fn target(gil: Gil<'_>, stream: Stream) -> Option<Owned> {
    if WRITING.get() {
        return out::original(gil, stream);
    }
    match out::object(gil, stream) {
        Some(found) if is_relay(gil, &found) => out::original(gil, stream),
        found => found,
    }
}

fn is_relay(gil: Gil<'_>, stream: &Object) -> bool {
    RELAY.get(gil).is_some_and(|relay| stream.is(relay))
}

/// Writes `text` as it is.
pub fn write(gil: Gil<'_>, stream: Stream, text: &[u8]) {
    let Some(target) = target(gil, stream) else {
        return;
    };
    let nested = WRITING.replace(true);
    write_to(gil, &target, text);
    WRITING.set(nested);
}

fn write_to(gil: Gil<'_>, target: &Object, text: &[u8]) {
    let descriptor = out::descriptor(gil, target).unwrap_or_else(|raised| {
        interruption::ignore_failure(gil, raised);
        None
    });
    for piece in pieces(text) {
        if descriptor.is_some_and(|descriptor| !takes_now(descriptor)) {
            return;
        }
        if let Err(raised) = out::write(gil, target, piece) {
            // A stream's own failure loses the line.
            interruption::ignore_failure(gil, raised);
        }
    }
}

/// The text in pieces of at most [`PIPE_BUF`] bytes, none of which begins within a character of UTF-8.
fn pieces(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let mut end = text.len().min(PIPE_BUF);
        let is_within = |&byte: &u8| byte & 0xc0 == 0x80;
        while end > PIPE_BUF - 4 && text.get(end).is_some_and(is_within) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        text = rest;
        Some(piece)
    })
}

/// Writes a line on stdout.
pub fn print_line(gil: Gil<'_>, line: &str) {
    write(gil, Stream::Stdout, format!("{line}\n").as_bytes());
}

/// Writes a line on stderr.
pub fn log_error(gil: Gil<'_>, line: &str) {
    write(gil, Stream::Stderr, format!("{line}\n").as_bytes());
}

/// Writes a panic's message and place: Python may be in any state.
pub fn log_panic(text: &str) {
    stderr::write(text.as_bytes());
}

/// Writes why the process ends: whichever thread calls may lack the interpreter's lock.
pub fn log_fatal(text: &str) {
    stderr::write(format!("fapws: {text}; the process ends\n").as_bytes());
}

/// Takes the exception that is set and writes its traceback on stderr.
pub fn log_raised(gil: Gil<'_>, raised: Raised) {
    let exception = Exception::take(gil, raised);
    log_exception(gil, &exception);
}

/// Writes an exception's traceback on stderr.
pub fn log_exception(gil: Gil<'_>, exception: &Exception) {
    match interruption::make_despite(gil, || exception.text(gil)) {
        Ok(text) => write(gil, Stream::Stderr, &text),
        Err(raised) => raised.clear(gil),
    }
}
