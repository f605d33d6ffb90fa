//! What an application returned, as a source of chunks.
//!
//! A list or tuple is there at once, a real file goes by `sendfile`, everything else is asked for one
//! item after the other, the next only when the one before was written.
//!
//! Invariant: `close()` of the result is called exactly once, when the [`Body`] is dropped, whatever
//! happened before: the end, an exception, a client that left.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::app::natives::natives;
use crate::app::{child, console};
use crate::py::file::{is_in_memory, real_file};
use crate::py::types::{Class, Instance, Method, New, Next, Owns};
use crate::py::{
    Arguments, Exception, Gil, Kept, Kind, Object, Owned, Raised, Result, names, number, text,
};
use crate::queue::{FileOwner, FilePart};
use crate::sys::file::{FileSpan, duplicate};

/// Bytes that a file object without a descriptor is asked for at a time.
const BLOCK: i64 = 32 * 1024;

/// The same of a file in memory, which is never waited for, whatever the application asks.
const MEMORY_BLOCK: i64 = 256 * 1024;

/// `wsgi.file_wrapper`: a file to send, and the size of the blocks in which to read it.
pub struct FileWrapper {
    file: Owned,
    block: i64,
}

/// A source of chunks.
pub struct Body {
    source: Source,
    /// The result's `close` method.
    close: Option<Owned>,
}

/// Where the chunks come from.
pub enum Source {
    /// A list or tuple, made bytes already.
    Items(Vec<Owned>),
    /// A part of a real file.
    File(FilePart),
    /// A file object to be read in blocks of this size.
    Reader(Owned, i64),
    /// An iterator, and the number of its next item.
    Iterator(Owned, usize),
    /// Nothing that can be sent.
    Nothing,
}

impl Body {
    /// Takes the application's result. Items of a list that are no bytes go to `invalid_item`.
    pub fn new(gil: Gil<'_>, result: Owned, invalid_item: InvalidItem) -> Result<Body> {
        if result.is_plain_sequence() {
            return Ok(Body {
                source: items(gil, &result, invalid_item)?,
                close: None,
            });
        }
        let close = result.optional_attr(gil, &names(gil).close)?;
        let mut body = Body {
            source: Source::Nothing,
            close,
        };
        body.source = source(gil, &result, invalid_item)?;
        Ok(body)
    }

    /// A result of which nothing can be sent.
    pub fn nothing() -> Body {
        Body {
            source: Source::Nothing,
            close: None,
        }
    }

    /// Where the chunks come from.
    pub fn source(&mut self) -> &mut Source {
        &mut self.source
    }

    /// The body's length, where it is known before anything is asked for.
    pub fn known_length(&self) -> Option<u64> {
        match &self.source {
            Source::Items(items) => Some(
                items
                    .iter()
                    .filter_map(|item| item.as_bytes())
                    .map(|b| b.len() as u64)
                    .sum(),
            ),
            Source::File(part) => Some(part.remaining),
            Source::Nothing => Some(0),
            Source::Reader(..) | Source::Iterator(..) => None,
        }
    }

    /// The next chunk of a reader or iterator, an empty one included; `None` at the end.
    pub fn next(&mut self, gil: Gil<'_>, invalid_item: InvalidItem) -> Result<Option<Owned>> {
        let chunk = self.draw(gil, invalid_item);
        child::exit_if_forked(gil, chunk)
    }

    fn draw(&mut self, gil: Gil<'_>, invalid_item: InvalidItem) -> Result<Option<Owned>> {
        match &mut self.source {
            Source::Reader(file, block) => {
                let (file, block) = (file.own(gil), number::int(gil, *block)?);
                let chunk = file.call_method(gil, &names(gil).read, &[&block])?;
                match text::body_item(gil, &chunk)? {
                    Some(chunk) if chunk.as_bytes().is_some_and(<[u8]>::is_empty) => Ok(None),
                    Some(chunk) => Ok(Some(chunk)),
                    None => Err(Raised::new(
                        gil,
                        Kind::TypeError,
                        "read() must return bytes",
                    )),
                }
            }
            Source::Iterator(iterator, index) => {
                let (iterator, place) = (iterator.own(gil), *index);
                *index += 1;
                let Some(item) = iterator.next(gil)? else {
                    return Ok(None);
                };
                match text::body_item(gil, &item)? {
                    Some(chunk) => Ok(Some(chunk)),
                    None => {
                        invalid_item.item(gil, &item, place, "iterator")?;
                        Ok(Some(natives(gil).no_bytes.own(gil)))
                    }
                }
            }
            Source::Items(_) | Source::File(_) | Source::Nothing => Ok(None),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let Some(close) = self.close.take() else {
            return;
        };
        let gil = close.gil();
        // An exception may be on its way to whoever answers for it; `close` must not see it.
        let pending = Raised::occurred(gil).map(|raised| Exception::take(gil, raised));
        if let Err(raised) = child::exit_if_forked(gil, close.call(gil, &[])) {
            console::log_raised(gil, raised);
        }
        if let Some(pending) = pending {
            // Whoever holds the `Raised` goes on holding it.
            let _ = pending.restore(gil);
        }
    }
}

/// What becomes of what cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum InvalidItem {
    /// A line on stdout says so, and the rest is sent (legacy dialect).
    Warn,
    /// Nothing is said of it, since only the head is sent (`HEAD` in the legacy dialect).
    Ignore,
    /// The application is at fault: a `TypeError` (standard dialect).
    Raise,
}

impl InvalidItem {
    fn item(self, gil: Gil<'_>, item: &Object, index: usize, kind: &str) -> Result<()> {
        match self {
            InvalidItem::Warn => {
                console::print_line(
                    gil,
                    &format!(
                        "The item {index} of your {kind} is not a string!!!!  It will be skipped"
                    ),
                );
                Ok(())
            }
            InvalidItem::Ignore => Ok(()),
            InvalidItem::Raise => {
                let class = text::display(gil, &item.class(gil))?;
                let class = String::from_utf8_lossy(&class);
                let message = format!("item {index} of the response is no bytes but {class}");
                Err(Raised::new(gil, Kind::TypeError, &message))
            }
        }
    }

    fn result(self, gil: Gil<'_>, result: &Object) -> Result<Source> {
        match self {
            InvalidItem::Warn => {
                console::print_line(
                    gil,
                    "wsgi output of is neither a list, neither a fileobject, \
                     neither an iterable object!!!!!",
                );
                Ok(Source::Nothing)
            }
            InvalidItem::Ignore => Ok(Source::Nothing),
            InvalidItem::Raise => {
                let class = text::display(gil, &result.class(gil))?;
                let class = String::from_utf8_lossy(&class);
                let message = format!("the application returned no iterable of bytes but {class}");
                Err(Raised::new(gil, Kind::TypeError, &message))
            }
        }
    }
}

fn source(gil: Gil<'_>, result: &Object, invalid_item: InvalidItem) -> Result<Source> {
    if result.is_generator() {
        return Ok(Source::Iterator(result.own(gil), 0));
    }
    if result.is_list() || result.is_tuple() {
        return items(gil, result, invalid_item);
    }
    if let Some(wrapper) = natives(gil).file_wrapper.instance(result) {
        return match file(gil, &wrapper.file)? {
            Some(source) => Ok(source),
            None => reader(gil, &wrapper.file, wrapper.block),
        };
    }
    if let Some(source) = file(gil, result)? {
        return Ok(source);
    }
    if let Some(item) = text::body_item(gil, result)? {
        return Ok(Source::Items(vec![item]));
    }
    // Iterating a file object would send it line by line, or byte by byte. What has `read` alone may
    // mean anything by it, so it is iterated where it can be.
    let names = names(gil);
    let reads = result.optional_attr(gil, &names.read)?.is_some();
    if reads && result.optional_attr(gil, &names.readline)?.is_some() {
        return reader(gil, result, BLOCK);
    }
    match result.iterate(gil) {
        Ok(iterator) => Ok(Source::Iterator(iterator, 0)),
        Err(raised) if reads => {
            raised.unless(gil, Kind::TypeError)?;
            Ok(Source::Reader(result.own(gil), BLOCK))
        }
        // What has `next` but no `__iter__` was served by the original.
        Err(raised) => {
            raised.unless(gil, Kind::TypeError)?;
            if result.is_iterator() {
                Ok(Source::Iterator(result.own(gil), 0))
            } else {
                invalid_item.result(gil, result)
            }
        }
    }
}

fn reader(gil: Gil<'_>, file: &Object, block: i64) -> Result<Source> {
    let block = if is_in_memory(gil, file)? {
        MEMORY_BLOCK
    } else {
        block
    };
    Ok(Source::Reader(file.own(gil), block))
}

/// The length of a list or tuple that holds nothing but bytes, the ordinary answer: it can be sent
/// as it is.
pub fn plain_length(result: &Object) -> Option<u64> {
    result.plain_bytes_len()
}

fn items(gil: Gil<'_>, result: &Object, invalid_item: InvalidItem) -> Result<Source> {
    // The original said "list" of both.
    let kind = if invalid_item == InvalidItem::Raise && result.is_tuple() {
        "tuple"
    } else {
        "list"
    };
    let mut items = Vec::with_capacity(result.sequence_len());
    let mut index = 0;
    while let Some(item) = result.sequence_item(gil, index) {
        match text::body_item(gil, &item)? {
            Some(bytes) => items.push(bytes),
            None => invalid_item.item(gil, &item, index, kind)?,
        }
        index += 1;
    }
    Ok(Source::Items(items))
}

/// A real file: by `sendfile` where it is a regular one, else read (a pipe, a terminal).
fn file(gil: Gil<'_>, object: &Object) -> Result<Option<Source>> {
    let Some(real) = real_file(gil, object)? else {
        return Ok(None);
    };
    let span = FileSpan::of(real.descriptor).ok().flatten();
    Ok(Some(match span {
        Some(span) => Source::File(FilePart {
            owner: FileOwner::Object(Kept::new(object.own(gil)), duplicate(real.descriptor).ok()),
            offset: real.position,
            remaining: (span.offset + span.remaining).saturating_sub(real.position),
        }),
        None => Source::Reader(object.own(gil), BLOCK),
    }))
}

fn wrap(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<FileWrapper> {
    let Some(file) = arguments.get_or_keyword(gil, 0, "filelike") else {
        return Err(Raised::new(
            gil,
            Kind::TypeError,
            "file_wrapper() needs a file",
        ));
    };
    let block = match arguments.get_or_keyword(gil, 1, "block_size") {
        Some(size) => size.to_int(gil)?.max(1),
        None => 8192,
    };
    Ok(FileWrapper {
        file: file.own(gil),
        block,
    })
}

fn next_block(gil: Gil<'_>, this: &Instance<FileWrapper>) -> Result<Option<Owned>> {
    let block = this
        .file
        .call_method(gil, &names(gil).read, &[&*number::int(gil, this.block)?])?;
    match text::body_item(gil, &block)? {
        Some(bytes) if bytes.as_bytes().is_some_and(<[u8]>::is_empty) => Ok(None),
        _ => Ok(Some(block)),
    }
}

fn close(gil: Gil<'_>, this: &Instance<FileWrapper>, _: &Arguments<'_>) -> Result<Owned> {
    match this.file.optional_attr(gil, &names(gil).close)? {
        Some(close) => close.call(gil, &[]),
        None => Ok(Owned::none(gil)),
    }
}

impl Class for FileWrapper {
    const NAME: &'static CStr = c"fapws._evwsgi.FileWrapper";
    const DOC: &'static CStr = c"file_wrapper(filelike, block_size=8192)\n\n\
        A file as a WSGI iterable; returned as it is, it goes by sendfile (PEP 3333).";
    const METHODS: &'static [Method<Self>] = &[Method {
        name: c"close",
        doc: c"close()\n\nCloses the file.",
        call: close,
    }];
    const OWNS: Owns<Self> = Owns::Objects(|wrapper, visitor| visitor.object(&wrapper.file));
    const NEXT: Option<Next<Self>> = Some(next_block);
    const NEW: Option<New<Self>> = Some(wrap);
}
