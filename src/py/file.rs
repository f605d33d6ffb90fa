//! File objects: which of them stand for a descriptor whose bytes are what `read` would give.
//!
//! A `gzip.GzipFile` has a `fileno` too, of the compressed file; so the types that may go by
//! `sendfile` are a closed list, and everything else is read.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use super::call::import;
#[cfg(feature = "python2")]
use super::ffi;
use super::gil::Gil;
use super::names::names;
use super::object::{Object, Owned};
use super::raised::Result;
use super::state::State;
use super::text::interned;

/// The real file behind `object`, or `None` where it has to be read instead: a descriptor of it that is ours, and
/// where its next `read` would start, in bytes from the start of the file (what the object has read ahead is not
/// counted). `None` also where no descriptor is left.
pub fn real_file(gil: Gil<'_>, object: &Object) -> Result<Option<(OwnedFd, u64)>> {
    if !is_real(gil, object)? {
        return Ok(None);
    }
    let number = |name: &Object| -> Result<Option<i64>> {
        match object
            .call_method(gil, name, &[])
            .and_then(|number| number.to_int(gil))
        {
            Ok(value) => Ok((value >= 0).then_some(value)),
            // A pipe has no position, a closed file no descriptor: reading it says which.
            Err(raised) => {
                raised.clear(gil);
                Ok(None)
            }
        }
    };
    let names = names(gil);
    let descriptor = number(&names.fileno)?.and_then(|number| RawFd::try_from(number).ok());
    let Some(own) = descriptor.and_then(duplicate) else {
        return Ok(None);
    };
    // It may run Python code, of a raw stream under a buffered one.
    let position = number(&names.tell)?;
    Ok(position.map(|position| (own, position as u64)))
}

/// A descriptor of our own of the file that has this number just now: the file object's, which Python code may
/// close at any time.
fn duplicate(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: the number is not -1, as a negative one was rejected. It was the file object's a moment ago, and no
    // other code of Python's has run; should a program have closed it behind the object's back, the kernel says so.
    unsafe { BorrowedFd::borrow_raw(number) }
        .try_clone_to_owned()
        .ok()
}

/// Whether it is a file in memory, of which any amount is there at once.
pub fn is_in_memory(gil: Gil<'_>, object: &Object) -> Result<bool> {
    static CLASS: State<Owned> = State::new();
    let class = CLASS.get_or_try_make(gil, || {
        import(gil, c"io")?.attr(gil, &*interned(gil, c"BytesIO")?)
    })?;
    Ok(object.type_is(class))
}

/// Whether it is memory that can be written, read and moved in, and nothing else: an `io.BytesIO`, on Python 2 the
/// `StringO` of `cStringIO` too.
pub fn is_buffer(gil: Gil<'_>, object: &Object) -> Result<bool> {
    #[cfg(feature = "python2")]
    {
        static CLASS: State<Owned> = State::new();
        let class = CLASS.get_or_try_make(gil, || {
            import(gil, c"cStringIO")?.attr(gil, &*interned(gil, c"OutputType")?)
        })?;
        if object.type_is(class) {
            return Ok(true);
        }
    }
    is_in_memory(gil, object)
}

#[cfg(feature = "python2")]
fn is_real(_: Gil<'_>, object: &Object) -> Result<bool> {
    // SAFETY: the type object is the interpreter's and lives as long as it.
    Ok(object.type_is(unsafe { Object::borrowed((&raw mut ffi::PyFile_Type).cast()) }))
}

#[cfg(feature = "python3")]
fn is_real(gil: Gil<'_>, object: &Object) -> Result<bool> {
    static TYPES: State<[Owned; 4]> = State::new();
    let types = TYPES.get_or_try_make(gil, || {
        let io = import(gil, c"io")?;
        let class = |name| io.attr(gil, &*interned(gil, name)?);
        Ok([
            class(c"BufferedReader")?,
            class(c"FileIO")?,
            class(c"BufferedRandom")?,
            class(c"TextIOWrapper")?,
        ])
    })?;
    Ok(types.iter().any(|class| object.type_is(class)))
}
