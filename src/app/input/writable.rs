//! A buffer of the program's that bytes are read into: anything that `memoryview` takes.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::py::call::import;
use crate::py::{Gil, Kind, Object, Owned, Raised, Result, number, text};

/// The buffer, as a `memoryview` of bytes.
pub struct Writable {
    view: Owned,
    len: usize,
}

fn builtin(gil: Gil<'_>, name: &CStr) -> Result<Owned> {
    let module = if cfg!(feature = "python2") {
        c"__builtin__"
    } else {
        c"builtins"
    };
    import(gil, module)?.attr(gil, &*text::interned(gil, name)?)
}

impl Writable {
    /// `TypeError` for what cannot be written to.
    pub fn new(gil: Gil<'_>, buffer: &Object) -> Result<Writable> {
        let name = |name| text::interned(gil, name);
        let mut view = builtin(gil, c"memoryview")?.call(gil, &[buffer])?;
        if !view.attr(gil, &*name(c"readonly")?)?.is_false() {
            let message = "readinto() needs a buffer that can be written to";
            return Err(Raised::new(gil, Kind::TypeError, message));
        }
        if cfg!(feature = "python3") {
            view = view.call_method(gil, &*name(c"cast")?, &[&*text::native(gil, b"B")?])?;
        }
        let len = view
            .call_method(gil, &*name(c"__len__")?, &[])?
            .to_int(gil)?;
        Ok(Writable {
            view,
            len: len as usize,
        })
    }

    /// Its length, in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Writes `piece`, a bytes object no longer than it, to its beginning.
    pub fn fill(&self, gil: Gil<'_>, piece: &Object) -> Result<()> {
        let length = piece.as_bytes().map_or(0, <[u8]>::len);
        let (start, end) = (number::int(gil, 0)?, number::int(gil, length as i64)?);
        let range = builtin(gil, c"slice")?.call(gil, &[&start, &end])?;
        let set = text::interned(gil, c"__setitem__")?;
        self.view.call_method(gil, &set, &[&range, piece]).map(drop)
    }
}
