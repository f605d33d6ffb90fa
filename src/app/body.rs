//! What an application returned, as a source of chunks.
//!
//! A list or tuple is there at once, a regular file goes by `sendfile`, everything else is pulled one
//! item after the other, the next only when the one before was written. What can be iterated and has
//! `read` besides (a pipe, an HTTP client's response) is iterated, as PEP 3333 has it; the legacy
//! dialect reads it.
//!
//! Invariant: `close()` of the result is called exactly once, when the [`Body`] is dropped, whatever
//! happened before: the end, an exception, a client that left.

#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use crate::app::exchange::Exchange;
use crate::app::{child, console, failure, file_wrapper, invalid_item};
use crate::dialect::{Dialect, InvalidItem};
use crate::py::file::{is_in_memory, real_file};
use crate::py::{
    Exception, Gil, Kept, Kind, Object, Owned, Raised, Result, container, names, number, text,
};
use crate::queue::segment::{FileOwner, FilePart};
use crate::sys::file::FileSpan;

/// Bytes of one `read` from a file object without a descriptor.
const BLOCK: i64 = 32 * 1024;

/// The same of a file in memory, which is never waited for, whatever block size the application names.
const MEMORY_BLOCK: i64 = 256 * 1024;

/// Bytes of a list's items that are queued at once: a response of many short ones would be copied
/// whole for a client that may be slow.
pub const QUEUED_AT_ONCE: usize = 256 * 1024;

/// A list of no more items is queued whole, however long they are: long ones are not copied.
const FEW: usize = 16;

/// A source of chunks.
pub struct Body {
    source: Source,
    /// The result's `close` method.
    close: Option<Owned>,
    /// The request's label, where Python code of the body may raise in the standard dialect.
    request: Box<[u8]>,
}

/// Where the chunks come from.
pub enum Source {
    /// The items of a list or tuple, made bytes already.
    Items(std::vec::IntoIter<Owned>),
    /// A part of a real file.
    File(FilePart),
    /// What reads a block of this size, in bytes.
    Reader(Owned, i64),
    /// An iterator, and the number of its next item.
    Iterator(Owned, usize),
    /// Nothing that can be sent.
    Nothing,
}

impl Body {
    /// Takes the application's result; `policy` is for items of a list that cannot be sent.
    /// With `exchange` the log of what it raises names the request.
    pub fn new(
        gil: Gil<'_>,
        dialect: Dialect,
        result: Owned,
        policy: InvalidItem,
        exchange: Option<&Exchange>,
    ) -> Result<Body> {
        if result.is_plain_sequence() {
            return Ok(Body {
                source: items(gil, &result, policy)?,
                close: None,
                request: Box::default(),
            });
        }
        let close = result.optional_attr(gil, &names(gil).close)?;
        let mut body = Body {
            source: Source::Nothing,
            close,
            request: exchange.map(Exchange::label).unwrap_or_default(),
        };
        body.source = source(gil, dialect, &result, policy)?;
        Ok(body)
    }

    /// A result of which nothing can be sent.
    pub fn nothing() -> Body {
        Body {
            source: Source::Nothing,
            close: None,
            request: Box::default(),
        }
    }

    /// The request's label; empty in the legacy dialect.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Where the chunks come from.
    pub fn source(&mut self) -> &mut Source {
        &mut self.source
    }

    /// The body's length, where it is known before anything is pulled.
    pub fn known_length(&self) -> Option<u64> {
        let length = |item: &Owned| item.as_bytes().map_or(0, <[u8]>::len) as u64;
        match &self.source {
            Source::Items(items) => Some(items.as_slice().iter().map(length).sum()),
            Source::File(part) => Some(part.remaining),
            Source::Nothing => Some(0),
            Source::Reader(..) | Source::Iterator(..) => None,
        }
    }

    /// The next chunk of a reader or iterator, an empty one included; `None` at the end.
    pub fn next(&mut self, gil: Gil<'_>, policy: InvalidItem) -> Result<Option<Owned>> {
        let chunk = self.draw(gil, policy);
        child::exit_if_forked(gil, chunk)
    }

    fn draw(&mut self, gil: Gil<'_>, policy: InvalidItem) -> Result<Option<Owned>> {
        match &mut self.source {
            Source::Reader(read, block) => {
                let (read, block) = (read.own(gil), number::int(gil, *block)?);
                let chunk = read.call(gil, &[&block])?;
                match text::body_item(gil, &chunk)? {
                    Some(chunk) if chunk.as_bytes().is_some_and(<[u8]>::is_empty) => Ok(None),
                    Some(chunk) => Ok(Some(chunk)),
                    None => {
                        let message = "read() must return bytes";
                        Err(Raised::new(gil, Kind::TypeError, message))
                    }
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
                        invalid_item::item(gil, policy, &item, place, "iterator")?;
                        text::bytes(gil, b"").map(Some)
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
        // An exception may be on its way up; `close` must not see it.
        let pending = Raised::occurred(gil).map(|raised| Exception::take(gil, raised));
        if let Err(raised) = child::exit_if_forked(gil, close.call(gil, &[])) {
            let exception = Exception::take(gil, raised);
            if self.request.is_empty() {
                console::log_exception(gil, &exception);
            } else {
                failure::report_close(gil, &exception, &self.request);
            }
        }
        if let Some(pending) = pending {
            // It is set again, and its `Raised` is still held by a caller.
            let _ = pending.restore(gil);
        }
    }
}

fn source(gil: Gil<'_>, dialect: Dialect, result: &Object, policy: InvalidItem) -> Result<Source> {
    if result.is_generator() {
        return Ok(Source::Iterator(result.own(gil), 0));
    }
    if (result.is_list() || result.is_tuple())
        && !(dialect.iterates_live_results() && has_own_iter(gil, result)?)
    {
        return items(gil, result, policy);
    }
    if let Some(wrapper) = file_wrapper::class(gil)?.instance(result) {
        if let Some(part) = regular_file(gil, &wrapper.file)? {
            return Ok(Source::File(part));
        }
        if dialect.iterates_live_results()
            && let Some(read1) = optional_method(gil, &wrapper.file, c"read1")?
        {
            // What is there now: a pipe's other end may be slow.
            return Ok(Source::Reader(read1, wrapper.block));
        }
        return reader(gil, &wrapper.file, wrapper.block);
    }
    if let Some(part) = regular_file(gil, result)? {
        return Ok(Source::File(part));
    }
    if let Some(item) = text::body_item(gil, result)? {
        return Ok(Source::Items(vec![item].into_iter()));
    }
    if is_in_memory(gil, result)? {
        return reader(gil, result, MEMORY_BLOCK);
    }
    let names = names(gil);
    let reads = result.optional_attr(gil, &names.read)?.is_some();
    // Iterating a file object would send it line by line, or byte by byte. What has `read` alone may
    // mean anything by it, so it is iterated where it can be.
    if !dialect.iterates_live_results()
        && reads
        && result.optional_attr(gil, &names.readline)?.is_some()
    {
        return reader(gil, result, BLOCK);
    }
    match result.iterate(gil) {
        Ok(iterator) => Ok(Source::Iterator(iterator, 0)),
        Err(raised) if reads => {
            raised.unless(gil, Kind::TypeError)?;
            reader(gil, result, BLOCK)
        }
        // What has `next` but no `__iter__` was served by the original.
        Err(raised) => {
            raised.unless(gil, Kind::TypeError)?;
            if result.is_iterator() {
                Ok(Source::Iterator(result.own(gil), 0))
            } else {
                invalid_item::result(gil, policy, result)?;
                Ok(Source::Nothing)
            }
        }
    }
}

fn optional_method(gil: Gil<'_>, object: &Object, name: &CStr) -> Result<Option<Owned>> {
    object.optional_attr(gil, &*text::interned(gil, name)?)
}

/// Whether a list or tuple is of a derived class that says itself how it is iterated.
fn has_own_iter(gil: Gil<'_>, result: &Object) -> Result<bool> {
    let plain = if result.is_list() {
        container::list(gil)?
    } else {
        container::tuple(gil, &[])?
    };
    let iter = |object: &Object| optional_method(gil, &object.class(gil), c"__iter__");
    Ok(match (iter(&plain)?, iter(result)?) {
        (Some(plain), Some(own)) => !plain.is(&own),
        _ => false,
    })
}

fn reader(gil: Gil<'_>, file: &Object, block: i64) -> Result<Source> {
    let block = if is_in_memory(gil, file)? {
        MEMORY_BLOCK
    } else {
        block
    };
    Ok(Source::Reader(file.attr(gil, &names(gil).read)?, block))
}

/// The length of a list or tuple that holds nothing but bytes, and not many: the ordinary response,
/// which can be queued as it is.
pub fn plain_length(result: &Object) -> Option<u64> {
    let length = result.plain_bytes_len()?;
    let is_short = length <= QUEUED_AT_ONCE as u64 || result.sequence_len() <= FEW;
    is_short.then_some(length)
}

fn items(gil: Gil<'_>, result: &Object, policy: InvalidItem) -> Result<Source> {
    // The original said "list" of both.
    let kind = if policy == InvalidItem::Raise && result.is_tuple() {
        "tuple"
    } else {
        "list"
    };
    let mut items = Vec::new();
    if items.try_reserve_exact(result.sequence_len()).is_err() {
        return Err(Raised::no_memory(gil));
    }
    let mut index = 0;
    while let Some(item) = result.sequence_item(gil, index) {
        match text::body_item(gil, &item)? {
            Some(bytes) => items.push(bytes),
            None => invalid_item::item(gil, policy, &item, index, kind)?,
        }
        index += 1;
    }
    Ok(Source::Items(items.into_iter()))
}

/// A regular file, to go by `sendfile`.
fn regular_file(gil: Gil<'_>, object: &Object) -> Result<Option<FilePart>> {
    let Some((descriptor, position)) = real_file(gil, object)? else {
        return Ok(None);
    };
    let span = FileSpan::of(descriptor.as_raw_fd()).ok().flatten();
    Ok(span.map(|span| FilePart {
        owner: FileOwner::Object(Kept::new(object.own(gil)), descriptor),
        offset: position,
        remaining: (span.offset + span.remaining).saturating_sub(position),
    }))
}
