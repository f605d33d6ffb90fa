//! Python classes: what a class itself defines, whether that was changed, and instances made without
//! `__init__`.
//!
//! A class can be changed at any time (`base.Environ.update_uri = mine`), so whoever relies on what a
//! class does has to look each time. CPython numbers the versions of a class for its own method
//! cache; while the number stays the same, nothing was changed.

use std::cell::Cell;
use std::ffi::CStr;

use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::names::names;
use super::object::{Object, Owned};
use super::raised::{Raised, Result};
use super::text;

/// Some members of a class, as they were when it was read.
pub struct Members {
    class: Owned,
    members: Vec<(Owned, Owned)>,
    version: Cell<u32>,
}

impl Members {
    /// The members of `class` with these names; `None` where the class itself lacks one.
    pub fn read(gil: Gil<'_>, class: &Object, wanted: &[&CStr]) -> Result<Option<Members>> {
        let mut members = Vec::with_capacity(wanted.len());
        for name in wanted {
            let name = text::interned(gil, name)?;
            match own_member(gil, class, &name)? {
                Some(member) => members.push((name, member)),
                None => return Ok(None),
            }
        }
        Ok(Some(Members {
            class: class.own(gil),
            members,
            version: Cell::new(0),
        }))
    }

    /// The class.
    pub fn class(&self) -> &Object {
        &self.class
    }

    /// The members, in the order in which they were asked for.
    pub fn values(&self) -> impl Iterator<Item = &Object> {
        self.members.iter().map(|(_, member)| &**member)
    }

    /// Whether every member is still what it was.
    pub fn unchanged(&self, gil: Gil<'_>) -> Result<bool> {
        let now = version(&self.class);
        if now != 0 && now == self.version.get() {
            return Ok(true);
        }
        for (name, member) in &self.members {
            if !own_member(gil, &self.class, name)?.is_some_and(|found| found.is(member)) {
                return Ok(false);
            }
        }
        // Looking an attribute up is what makes the interpreter number the version.
        if let Some((name, _)) = self.members.first() {
            self.class.attr(gil, name)?;
        }
        self.version.set(version(&self.class));
        Ok(true)
    }
}

/// What the class itself has under `name`: not what it inherits, and a function, not a method.
fn own_member(gil: Gil<'_>, class: &Object, name: &Object) -> Result<Option<Owned>> {
    let Some(namespace) = class.optional_attr(gil, &names(gil).dict)? else {
        return Ok(None);
    };
    if !namespace.contains(gil, name)? {
        return Ok(None);
    }
    // SAFETY: both are alive, the lock is held, the result is a new reference.
    unsafe { Owned::new_reference(ffi::PyObject_GetItem(namespace.as_ptr(), name.as_ptr())) }
        .map(Some)
}

/// The number of the class's version; 0 where it has none.
#[cfg(all(feature = "python3", not(feature = "abi3")))]
fn version(class: &Object) -> u32 {
    // SAFETY: a type object has the layout of one; the field is only read.
    unsafe {
        if ffi::PyType_Check(class.as_ptr()) == 0 {
            return 0;
        }
        (*class.as_ptr().cast::<ffi::PyTypeObject>()).tp_version_tag
    }
}

/// The number of the class's version; 0 where it has none, as an old-style class.
#[cfg(feature = "python2")]
fn version(class: &Object) -> u32 {
    /// `Py_TPFLAGS_VALID_VERSION_TAG` of Include/object.h.
    const VALID: std::ffi::c_long = 1 << 19;
    // SAFETY: a type object has the layout of one; the fields are only read.
    unsafe {
        if ffi::PyType_Check(class.as_ptr()) == 0 {
            return 0;
        }
        let class = class.as_ptr().cast::<ffi::PyTypeObject>();
        if (*class).tp_flags & VALID == 0 {
            0
        } else {
            (*class).tp_version_tag
        }
    }
}

/// The limited API has no versions.
#[cfg(feature = "abi3")]
fn version(_: &Object) -> u32 {
    0
}

/// What a function is made of, as text: its code, its constants and the names it uses. Two functions
/// with the same text do the same.
pub fn code_text(gil: Gil<'_>, function: &Object) -> Result<Vec<u8>> {
    let attribute = |object: &Object, name: &CStr| object.attr(gil, &*text::interned(gil, name)?);
    let code = attribute(function, c"__code__")?;
    let mut whole = text::display(gil, &*attribute(&code, c"co_code")?)?;
    for name in [c"co_consts", c"co_names", c"co_varnames"] {
        whole.push(b'\n');
        whole.extend_from_slice(&text::display(gil, &*attribute(&code, name)?)?);
    }
    Ok(whole)
}

/// An instance of `class` whose `__init__` was not called, with `attributes` (a dict) as its own.
/// `None` where the class is of a kind of which none can be made so.
pub fn bare_instance(gil: Gil<'_>, class: &Object, attributes: &Object) -> Result<Option<Owned>> {
    #[cfg(feature = "python2")]
    // SAFETY: the type object is the interpreter's; for an old-style class and a dict the call gives
    // a new reference, and takes none of ours.
    unsafe {
        if class.type_is(Object::borrowed((&raw mut ffi::PyClass_Type).cast())) {
            let instance = ffi::PyInstance_NewRaw(class.as_ptr(), attributes.as_ptr());
            return Owned::new_reference(instance).map(Some);
        }
    }
    let _ = (gil, class, attributes);
    Ok(None)
}

/// A new dict of a class derived from `dict`, whose `__init__` was not called.
pub fn bare_dict(gil: Gil<'_>, class: &Object) -> Result<Owned> {
    let new = class.attr(gil, &*text::interned(gil, c"__new__")?)?;
    let made = new.call(gil, &[class])?;
    if made.is_dict() {
        return Ok(made);
    }
    Err(Raised::new(
        gil,
        Kind::TypeError,
        "the class does not derive from dict",
    ))
}
