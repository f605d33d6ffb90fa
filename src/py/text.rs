//! Strings: the native one (PEP 3333), bytes, and what may stand in a body.
//!
//! The native string is bytes on Python 2 and text of code points below 256 on Python 3. Here it is
//! always a run of bytes: nothing above this file knows the difference.

use std::ops::Deref;

use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
pub use super::names::interned;
use super::names::names;
use super::object::{Object, Owned};
use super::raised::{Raised, Result};

/// A native string of these bytes.
pub fn native(gil: Gil<'_>, content: &[u8]) -> Result<Owned> {
    #[cfg(feature = "python2")]
    {
        bytes(gil, content)
    }
    #[cfg(all(feature = "python3", not(feature = "abi3")))]
    {
        let _ = gil;
        let largest = if content.is_ascii() { 0x7f } else { 0xff };
        // SAFETY: the new string is compact with one byte a character and ours alone, so that its
        // data may be written, `content.len()` bytes of it.
        unsafe {
            let text = Owned::new_reference(ffi::PyUnicode_New(content.len() as _, largest))?;
            if !content.is_empty() {
                std::ptr::copy_nonoverlapping(
                    content.as_ptr(),
                    ffi::PyUnicode_1BYTE_DATA(text.as_ptr()),
                    content.len(),
                );
            }
            Ok(text)
        }
    }
    #[cfg(feature = "abi3")]
    {
        let _ = gil;
        // SAFETY: pointer and length are the slice's; the result is a new reference.
        unsafe {
            Owned::new_reference(ffi::PyUnicode_DecodeLatin1(
                content.as_ptr().cast(),
                content.len() as _,
                std::ptr::null(),
            ))
        }
    }
}

/// A bytes object of these bytes.
pub fn bytes(_: Gil<'_>, content: &[u8]) -> Result<Owned> {
    // SAFETY: pointer and length are the slice's; the result is a new reference.
    unsafe {
        Owned::new_reference(ffi::PyBytes_FromStringAndSize(
            content.as_ptr().cast(),
            content.len() as _,
        ))
    }
}

/// A native string's bytes: a view of the object where it has them, else a copy.
pub enum Latin1<'a> {
    /// The object's own memory; strings and bytes do not change.
    View(&'a [u8]),
    /// An encoded copy.
    Copy(Owned),
}

impl Deref for Latin1<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Latin1::View(view) => view,
            Latin1::Copy(copy) => copy.as_bytes().unwrap_or_default(),
        }
    }
}

/// The bytes of a native string; `None` for what is none, or has a code point above 255.
pub fn latin1<'a>(gil: Gil<'_>, object: &'a Object) -> Option<Latin1<'a>> {
    #[cfg(feature = "python2")]
    {
        let _ = gil;
        object.as_bytes().map(Latin1::View)
    }
    #[cfg(all(feature = "python3", not(feature = "abi3")))]
    {
        if !object.is_text() {
            return None;
        }
        // SAFETY: `object` is a string; made ready it has its final form, and of kind 1 its data
        // is one byte a character, never changed while the object lives.
        unsafe {
            if ffi::PyUnicode_READY(object.as_ptr()) != 0 {
                Raised::assume().clear(gil);
                return None;
            }
            if ffi::PyUnicode_KIND(object.as_ptr()) != ffi::PyUnicode_1BYTE_KIND {
                return None;
            }
            let length = ffi::PyUnicode_GET_LENGTH(object.as_ptr()) as usize;
            let data = ffi::PyUnicode_1BYTE_DATA(object.as_ptr());
            Some(Latin1::View(std::slice::from_raw_parts(data, length)))
        }
    }
    #[cfg(feature = "abi3")]
    {
        if !object.is_text() {
            return None;
        }
        // SAFETY: `object` is a string, the lock is held, the result is a new reference.
        match unsafe { Owned::new_reference(ffi::PyUnicode_AsLatin1String(object.as_ptr())) } {
            Ok(copy) => Some(Latin1::Copy(copy)),
            Err(raised) => {
                raised.clear(gil);
                None
            }
        }
    }
}

/// Bytes of a text that is shown to people, at most.
pub const LONGEST_SHOWN: usize = 1 << 20;

/// What an object shows on a terminal, for messages: its `str()`, in UTF-8 on Python 3, cut at
/// [`LONGEST_SHOWN`].
pub fn display(gil: Gil<'_>, object: &Object) -> Result<Vec<u8>> {
    let text = object.str(gil)?;
    #[cfg(feature = "python3")]
    // SAFETY: `str()` gave a string, both names end in NUL, the result is a new reference.
    let text = unsafe {
        Owned::new_reference(ffi::PyUnicode_AsEncodedString(
            text.as_ptr(),
            c"utf-8".as_ptr(),
            c"backslashreplace".as_ptr(),
        ))?
    };
    let shown = text.as_bytes().unwrap_or_default();
    Ok(shown[..shown.len().min(LONGEST_SHOWN)].to_vec())
}

/// The item of a body as a bytes object: bytes are themselves, another buffer is copied, text is
/// encoded as UTF-8. `None`: it is none of these.
pub fn body_item(gil: Gil<'_>, item: &Object) -> Result<Option<Owned>> {
    if item.as_bytes().is_some() {
        return Ok(Some(item.own(gil)));
    }
    if item.is_text() {
        return utf8(gil, item).map(Some);
    }
    buffer_copy(gil, item)
}

#[cfg(feature = "python3")]
fn utf8(_: Gil<'_>, text: &Object) -> Result<Owned> {
    // SAFETY: `text` is a string, the lock is held, the result is a new reference.
    unsafe { Owned::new_reference(ffi::PyUnicode_AsUTF8String(text.as_ptr())) }
}

#[cfg(feature = "python2")]
fn utf8(gil: Gil<'_>, text: &Object) -> Result<Owned> {
    let codec = native(gil, b"utf-8")?;
    text.call_method(gil, &names(gil).encode, &[&codec])
}

#[cfg(feature = "python3")]
fn buffer_copy(gil: Gil<'_>, item: &Object) -> Result<Option<Owned>> {
    // A view first: `bytes()` alone would take a list of numbers too.
    // SAFETY: `item` is alive, the lock is held, the result is a new reference.
    match unsafe { Owned::new_reference(ffi::PyMemoryView_FromObject(item.as_ptr())) } {
        Ok(view) => {
            // SAFETY: as above.
            unsafe { Owned::new_reference(ffi::PyBytes_FromObject(view.as_ptr())) }.map(Some)
        }
        Err(raised) => raised.unless(gil, Kind::TypeError).map(|()| None),
    }
}

#[cfg(feature = "python2")]
fn buffer_copy(gil: Gil<'_>, item: &Object) -> Result<Option<Owned>> {
    let (mut start, mut length) = (std::ptr::null(), 0);
    // SAFETY: `item` is alive and the lock is held; the two are filled when the result is 0.
    if unsafe { ffi::PyObject_AsReadBuffer(item.as_ptr(), &mut start, &mut length) } != 0 {
        // SAFETY: the call raised.
        return unsafe { Raised::assume() }
            .unless(gil, Kind::TypeError)
            .map(|()| None);
    }
    // SAFETY: the buffer stays as it is while nothing else is called; the copy is a new reference.
    unsafe { Owned::new_reference(ffi::PyBytes_FromStringAndSize(start.cast(), length)) }.map(Some)
}

/// The body of a request as the object that `wsgi.input.write` gets: on Python 2 a `buffer`.
pub fn body_buffer(gil: Gil<'_>, body: &[u8]) -> Result<Owned> {
    let copy = bytes(gil, body)?;
    #[cfg(feature = "python2")]
    // SAFETY: the copy is alive and the lock is held; the buffer keeps the copy; -1 is "to its end".
    let copy = unsafe { Owned::new_reference(ffi::PyBuffer_FromObject(copy.as_ptr(), 0, -1))? };
    Ok(copy)
}

/// A native string given as an argument, where Python 2 takes ASCII `unicode` too.
pub fn argument(gil: Gil<'_>, object: &Object) -> Result<Option<Owned>> {
    if object.is_native() {
        return Ok(Some(object.own(gil)));
    }
    if cfg!(feature = "python2") && object.is_text() {
        return object.str(gil).map(Some);
    }
    Ok(None)
}

impl Object {
    /// A bytes object's content.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        // SAFETY: of a bytes object this is its memory, which does not change while the
        // object lives.
        unsafe {
            if ffi::PyBytes_Check(self.as_ptr()) == 0 {
                return None;
            }
            #[cfg(all(feature = "python3", not(feature = "abi3")))]
            let (start, length) = (
                ffi::PyBytes_AS_STRING(self.as_ptr()),
                ffi::Py_SIZE(self.as_ptr()),
            );
            #[cfg(any(feature = "python2", feature = "abi3"))]
            let (start, length) = {
                let (mut start, mut length) = (std::ptr::null_mut(), 0);
                ffi::PyBytes_AsStringAndSize(self.as_ptr(), &mut start, &mut length);
                (start, length)
            };
            Some(std::slice::from_raw_parts(start.cast(), length as usize))
        }
    }

    /// The type's name, for messages.
    pub fn class_name(&self, gil: Gil<'_>) -> Result<String> {
        let name = self.class(gil).attr(gil, &names(gil).name)?;
        let name = display(gil, &name)?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// Whether it is text: `unicode` on Python 2, `str` on Python 3.
    pub fn is_text(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyUnicode_Check(self.as_ptr()) != 0 }
    }

    /// Whether it is a native string.
    pub fn is_native(&self) -> bool {
        if cfg!(feature = "python2") {
            self.as_bytes().is_some()
        } else {
            self.is_text()
        }
    }
}

impl Object {
    /// Whether it is a native string and of no class derived from it, which could have attributes.
    pub fn is_plain_native(&self) -> bool {
        // SAFETY: the type object is the interpreter's and lives as long as it.
        self.type_is(unsafe { Object::borrowed((&raw mut NATIVE).cast()) })
    }

    /// Whether it is this native string, or another with the same characters. Of a derived class only
    /// the very same object is: it could say itself what it equals.
    pub fn is_same_native(&self, other: &Object) -> bool {
        self.is(other)
            || self.is_plain_native() && other.is_plain_native() && has_same_text(self, other)
    }
}

#[cfg(feature = "python2")]
fn has_same_text(one: &Object, other: &Object) -> bool {
    one.as_bytes() == other.as_bytes()
}

#[cfg(feature = "python3")]
fn has_same_text(one: &Object, other: &Object) -> bool {
    // SAFETY: both are alive, and strings, which are compared without Python code. Where there is no
    // memory to give an old one its final form, which versions before 3.12 had, an exception is set.
    unsafe {
        let order = ffi::PyUnicode_Compare(one.as_ptr(), other.as_ptr());
        if order == -1 && !ffi::PyErr_Occurred().is_null() {
            ffi::PyErr_Clear();
        }
        order == 0
    }
}

#[cfg(feature = "python2")]
use super::ffi::PyString_Type as NATIVE;
#[cfg(feature = "python3")]
use super::ffi::PyUnicode_Type as NATIVE;

/// A native string's bytes, or a `TypeError` that says `what` must be one.
pub fn expect_latin1<'a>(gil: Gil<'_>, object: &'a Object, what: &str) -> Result<Latin1<'a>> {
    latin1(gil, object).ok_or_else(|| no_native(gil, object, what))
}

/// A `TypeError` that says what `what` is in the place of a native string.
pub fn no_native(gil: Gil<'_>, object: &Object, what: &str) -> Raised {
    let message = match object.class_name(gil) {
        Ok(_) if object.is_native() => format!("{what} has characters outside of latin-1"),
        Ok(class) => format!("{what} must be str, not {class} (PEP 3333: native strings)"),
        Err(raised) => return raised,
    };
    Raised::new(gil, Kind::TypeError, &message)
}

/// Text for a stream: what is no UTF-8 shows as replacement characters.
#[cfg(feature = "python3")]
pub(super) fn from_utf8(_: Gil<'_>, content: &[u8]) -> Result<Owned> {
    // SAFETY: pointer and length are the slice's, the name ends in NUL, a new reference.
    unsafe {
        Owned::new_reference(ffi::PyUnicode_DecodeUTF8(
            content.as_ptr().cast(),
            content.len() as _,
            c"replace".as_ptr(),
        ))
    }
}
