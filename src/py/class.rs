//! Python classes: what a class itself defines, whether that was changed, and instances made without
//! `__init__`.
//!
//! A class can be changed at any time (`base.Environ.update_uri = mine`), so code that relies on what a
//! class does has to look each time. CPython numbers the versions of a class for its own method
//! cache; while the number stays the same, nothing was changed in it. A function can be changed too
//! (`update_uri.__code__ = mine.__code__`), which no number says.

use std::cell::Cell;
use std::ffi::CStr;

use super::container;
use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::names::names;
use super::object::{Object, Owned};
use super::raised::{Raised, Result};
use super::text;

/// The members of a class, as they were when it was read.
pub struct Members {
    class: Owned,
    members: Vec<(Owned, Owned)>,
    /// Those that are functions, and what code they have.
    functions: Vec<(Owned, Owned)>,
    version: Cell<u32>,
}

impl Members {
    /// Every member that `class` itself has; `None` where it has no `__dict__`.
    pub fn read(gil: Gil<'_>, class: &Object) -> Result<Option<Members>> {
        let Some(namespace) = namespace(gil, class)? else {
            return Ok(None);
        };
        let members = namespace.dict_items(gil);
        let mut functions = Vec::new();
        for (_, member) in &members {
            #[cfg(not(feature = "abi3"))]
            if !is_function(member) {
                continue;
            }
            if let Some(code) = member.optional_attr(gil, &names(gil).code_of_function)? {
                functions.push((member.own(gil), code));
            }
        }
        Ok(Some(Members {
            class: class.own(gil),
            members,
            functions,
            version: Cell::new(0),
        }))
    }

    /// The class.
    pub fn class(&self) -> &Object {
        &self.class
    }

    /// Whether it is derived from nothing but `object` or `dict`, or is an old-style class without bases.
    pub fn has_builtin_bases(&self, gil: Gil<'_>) -> Result<bool> {
        let Some(bases) = self
            .class
            .optional_attr(gil, &*text::interned(gil, c"__bases__")?)?
        else {
            return Ok(true);
        };
        // SAFETY: the type objects are the interpreter's and live as long as it.
        let builtin = unsafe {
            [
                Object::borrowed((&raw mut ffi::PyBaseObject_Type).cast()),
                Object::borrowed((&raw mut ffi::PyDict_Type).cast()),
            ]
        };
        let is_builtin = |base: &Object| builtin.iter().any(|builtin| base.is(builtin));
        Ok((0..bases.tuple_len()).all(|index| bases.tuple_item(index).is_some_and(is_builtin)))
    }

    /// Names and members, in the order of the class's own dict.
    pub fn items(&self) -> impl Iterator<Item = (&Object, &Object)> {
        self.members
            .iter()
            .map(|(name, member)| (&**name, &**member))
    }

    /// The member of this name.
    pub fn get(&self, gil: Gil<'_>, name: &CStr) -> Option<&Object> {
        let wanted = name.to_bytes();
        let is_named = |name: &Object| text::latin1(gil, name).as_deref() == Some(wanted);
        let found = self.items().find(|(name, _)| is_named(name));
        found.map(|(_, member)| member)
    }

    /// Whether the class has the very members that it had, and no other, as far as numbers and addresses say.
    /// Each request asks this twice. `false` says nothing: then [`unchanged`](Self::unchanged) knows.
    #[cfg(not(feature = "abi3"))]
    #[inline(always)]
    pub fn seem_unchanged(&self) -> bool {
        let seen = self.version.get();
        // SAFETY: only a type object has a version, and it stays one.
        let is_seen = seen != 0 && seen == unsafe { version_of_type(&self.class) };
        is_seen && self.functions.iter().all(|(one, code)| has_code(one, code))
    }

    /// The limited API has no numbers.
    #[cfg(feature = "abi3")]
    pub fn seem_unchanged(&self) -> bool {
        false
    }

    /// Whether the class has the very members that it had, and no other. Python code may run.
    #[cold]
    pub fn unchanged(&self, gil: Gil<'_>) -> Result<bool> {
        for (function, code) in &self.functions {
            if !function.attr(gil, &names(gil).code_of_function)?.is(code) {
                return Ok(false);
            }
        }
        let Some(namespace) = namespace(gil, &self.class)? else {
            return Ok(false);
        };
        let is_there = |(name, member): (&Object, &Object)| {
            namespace
                .dict_get(gil, name)
                .is_some_and(|found| found.is(member))
        };
        if namespace.dict_len() != self.members.len()
            || !self.items().all(is_there)
            || !self.has_builtin_bases(gil)?
        {
            return Ok(false);
        }
        // Looking an attribute up is what makes the interpreter number the version, unless it is one that
        // every class has of its own class (`__module__`).
        let mut names = self.items().map(|(name, _)| name);
        while is_numbered(&self.class)
            && version(&self.class) == 0
            && let Some(name) = names.next()
        {
            self.class.attr(gil, name)?;
        }
        self.version.set(version(&self.class));
        Ok(true)
    }
}

/// The class's own dict, or a copy of it: functions, not methods, and nothing inherited.
fn namespace(gil: Gil<'_>, class: &Object) -> Result<Option<Owned>> {
    let Some(namespace) = class.optional_attr(gil, &names(gil).dict)? else {
        return Ok(None);
    };
    if namespace.is_dict() {
        return Ok(Some(namespace));
    }
    let copy = container::dict(gil)?;
    copy.dict_update(gil, &namespace)?;
    Ok(Some(copy))
}

/// The number of the class's version; 0 where it has none, as an old-style class.
#[cfg(not(feature = "abi3"))]
fn version(class: &Object) -> u32 {
    // SAFETY: the check only looks at the type of `class`, which is alive.
    if unsafe { ffi::PyType_Check(class.as_ptr()) } == 0 {
        return 0;
    }
    // SAFETY: it is a type object.
    unsafe { version_of_type(class) }
}

/// The same of what is known to be a type object.
///
/// Until Python 3.10 a change left the number as it was, and took a flag away.
///
/// # Safety
/// `class` is a type object.
#[cfg(not(feature = "abi3"))]
#[inline(always)]
unsafe fn version_of_type(class: &Object) -> u32 {
    /// `Py_TPFLAGS_VALID_VERSION_TAG` of Include/object.h.
    #[cfg(not(Py_3_10))]
    const VALID: u64 = 1 << 19;
    // SAFETY: the caller's, so that it has the layout of one; the fields are only read.
    unsafe {
        let class = class.as_ptr().cast::<ffi::PyTypeObject>();
        #[cfg(not(Py_3_10))]
        if (*class).tp_flags as u64 & VALID == 0 {
            return 0;
        }
        (*class).tp_version_tag
    }
}

/// Whether it is a function of Python's.
#[cfg(not(feature = "abi3"))]
fn is_function(object: &Object) -> bool {
    // SAFETY: the type object is the interpreter's and lives as long as it.
    object.type_is(unsafe { Object::borrowed((&raw mut ffi::PyFunction_Type).cast()) })
}

/// Whether a function has this code.
#[cfg(not(feature = "abi3"))]
#[inline(always)]
fn has_code(function: &Object, code: &Object) -> bool {
    debug_assert!(is_function(function));
    // SAFETY: `Members::read` found it to be a function, and nothing becomes one or ceases to be; the field is
    // only read.
    let now = unsafe { (*function.as_ptr().cast::<ffi::PyFunctionObject>()).func_code };
    now == code.as_ptr()
}

/// Whether the interpreter numbers the class's versions.
fn is_numbered(class: &Object) -> bool {
    // SAFETY: `class` is alive; the check only looks at its type.
    cfg!(not(feature = "abi3")) && unsafe { ffi::PyType_Check(class.as_ptr()) != 0 }
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
