//! The program's standard output and error, as Python has them.
//!
//! On Python 2 `print` and C share the C library's `stdout`, so ours goes there, and a program that
//! replaced `sys.stdout` sees none of it. On Python 3 the buffer is Python's own, so ours
//! goes through `sys.stdout`. Either way our lines keep their place among the program's. A stream
//! that is closed or broken loses the lines.

use std::ffi::CStr;
use std::os::fd::RawFd;

use super::ffi;
use super::gil::Gil;
use super::names::names;
use super::object::{Object, Owned};
use super::raised::Result;
use super::text;

/// One of the program's two output streams.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// The stream object that Python code would write to now; `None` where there is none.
pub fn object(gil: Gil<'_>, stream: Stream) -> Option<Owned> {
    let name = match stream {
        #[cfg(feature = "python2")]
        Stream::Stdout => c"__stdout__",
        #[cfg(feature = "python3")]
        Stream::Stdout => c"stdout",
        Stream::Stderr => c"stderr",
    };
    in_sys(gil, name)
}

/// The stream object that there was when the interpreter started.
pub fn original(gil: Gil<'_>, stream: Stream) -> Option<Owned> {
    let name = match stream {
        Stream::Stdout => c"__stdout__",
        Stream::Stderr => c"__stderr__",
    };
    in_sys(gil, name)
}

fn in_sys(gil: Gil<'_>, name: &CStr) -> Option<Owned> {
    // SAFETY: the name ends in NUL and is only read; the result is null or borrowed from `sys`.
    let found = unsafe {
        let found = ffi::PySys_GetObject(name.as_ptr().cast_mut());
        (!found.is_null()).then(|| Object::borrowed(found).own(gil))
    };
    found.filter(|stream| !stream.is_none())
}

/// The descriptor it writes to.
///
/// Raises what `fileno()` does, which it has to where there is none.
pub fn descriptor(gil: Gil<'_>, stream: &Object) -> Result<Option<RawFd>> {
    let number = stream.call_method(gil, &names(gil).fileno, &[])?;
    Ok(RawFd::try_from(number.to_int(gil)?).ok())
}

/// Writes out what a stream has kept back.
pub fn flush(gil: Gil<'_>, stream: Stream) {
    if let Some(stream) = object(gil, stream)
        && let Err(raised) = stream.call_method(gil, &names(gil).flush, &[])
    {
        raised.clear(gil);
    }
}

/// Writes `content` to a stream object and flushes it.
///
/// Raises what the stream does, and what a handler of a signal does meanwhile.
#[cfg(feature = "python2")]
pub fn write(gil: Gil<'_>, stream: &Object, content: &[u8]) -> Result<()> {
    // SAFETY: the call gives null for anything but a file object that is open.
    let file = unsafe { ffi::PyFile_AsFile(stream.as_ptr()) };
    if file.is_null() {
        let line = text::native(gil, content)?;
        return stream
            .call_method(gil, &names(gil).write, &[&line])
            .map(drop);
    }
    // SAFETY: the C library's stream is open while the file object is, and that is alive.
    unsafe {
        libc::fwrite(content.as_ptr().cast(), 1, content.len(), file);
        libc::fflush(file);
    }
    Ok(())
}

/// Writes `content` to a stream object and flushes it.
///
/// Raises what the stream does, and what a handler of a signal does meanwhile.
#[cfg(feature = "python3")]
pub fn write(gil: Gil<'_>, stream: &Object, content: &[u8]) -> Result<()> {
    let line = text::from_utf8(gil, content)?;
    stream.call_method(gil, &names(gil).write, &[&line])?;
    stream.call_method(gil, &names(gil).flush, &[]).map(drop)
}
