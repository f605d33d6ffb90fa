//! `wsgi.file_wrapper`: a file as a WSGI iterable (PEP 3333, "Optional platform-specific file handling").
//!
//! Returned as it is, [`super::body`] takes the file out of it; iterated, it reads blocks.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::py::types::{Class, ClassObject, Instance, Method, New, Next, Owns};
use crate::py::{Arguments, Gil, Kind, Owned, Raised, Result, State, names, number, text};

/// `wsgi.file_wrapper`: a file to send, and the size of the blocks in which to read it.
pub struct FileWrapper {
    /// What has `read`.
    pub file: Owned,
    /// Bytes.
    pub block: i64,
}

/// The class, made at the first call.
pub fn class(gil: Gil<'_>) -> Result<&ClassObject<FileWrapper>> {
    static CLASS: State<ClassObject<FileWrapper>> = State::new();
    CLASS.get_or_try_make(gil, || ClassObject::new(gil))
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
