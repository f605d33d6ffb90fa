//! Whether a class of a base module is one whose effect is known.
//!
//! Two base modules are known: this package's own, whose classes say `__fapws_native__ = True` in their
//! body, and the pristine one of Fapws3 0.11, whose classes are recognised by the code of their methods.
//! Programs patch them (`base.Environ.update_uri = mine`), so the mark alone says nothing: every member
//! must be what the class's own module put there. A function is, if it was compiled under its name, with
//! the names of that module and from one file with the others; anything but functions and what Python
//! itself puts into a class is not.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::py::class::{Members, code_text};
use crate::py::{Gil, Object, Owned, Result, names, text};

/// The mark of this package's classes.
const MARK: &CStr = c"__fapws_native__";

/// What Python, or the class statement, puts into a class.
const METADATA: [&[u8]; 9] = [
    b"__annotations__",
    b"__dict__",
    b"__doc__",
    b"__fapws_native__",
    b"__firstlineno__",
    b"__module__",
    b"__qualname__",
    b"__static_attributes__",
    b"__weakref__",
];

/// The members of `class`, if it is a class that is known: it has `methods`, whose pristine code has
/// the digest `pristine` where there is no mark, and nothing that another module put there.
pub fn recognise(
    gil: Gil<'_>,
    class: &Object,
    methods: &[&CStr],
    pristine: u64,
) -> Result<Option<Members>> {
    let Some(members) = Members::read(gil, class)? else {
        return Ok(None);
    };
    let is_marked = members.get(gil, MARK).is_some_and(Object::is_true);
    let has_methods = methods.iter().all(|name| members.get(gil, name).is_some());
    let is_candidate = has_methods && (is_marked || cfg!(feature = "python2"));
    let is_candidate = is_candidate && members.has_builtin_bases(gil)?;
    if !is_candidate || !is_of_one_module(gil, &members)? {
        return Ok(None);
    }
    let is_known = is_marked || digest(gil, &members, methods)? == pristine;
    Ok(is_known.then_some(members))
}

/// Whether every member came from the module that the class says it is of.
fn is_of_one_module(gil: Gil<'_>, members: &Members) -> Result<bool> {
    let mut origin: Option<(Owned, Owned)> = None;
    for (name, member) in members.items() {
        let Some(name) = text::latin1(gil, name) else {
            return Ok(false);
        };
        if METADATA.contains(&&*name) {
            continue;
        }
        let Some(function) = Function::read(gil, member)? else {
            return Ok(false);
        };
        if text::latin1(gil, &function.name).as_deref() != Some(&*name) {
            return Ok(false);
        }
        match &origin {
            Some((globals, file)) => {
                if !function.globals.is(globals) || !function.file.equals(gil, file)? {
                    return Ok(false);
                }
            }
            None => origin = Some((function.globals, function.file)),
        }
    }
    let Some((globals, _)) = origin else {
        return Ok(false);
    };
    let module = globals.dict_get(gil, &names(gil).name);
    match (module, members.get(gil, c"__module__")) {
        (Some(module), Some(own)) => module.equals(gil, own),
        _ => Ok(false),
    }
}

/// Where a function came from.
struct Function {
    /// The name under which it was compiled.
    name: Owned,
    file: Owned,
    globals: Owned,
}

impl Function {
    /// `None` for what is no function of Python.
    fn read(gil: Gil<'_>, object: &Object) -> Result<Option<Function>> {
        let part = |object: &Object, name| object.optional_attr(gil, &*text::interned(gil, name)?);
        let Some(code) = part(object, c"__code__")? else {
            return Ok(None);
        };
        let parts = (
            part(&code, c"co_name")?,
            part(&code, c"co_filename")?,
            part(object, c"__globals__")?,
        );
        Ok(match parts {
            (Some(name), Some(file), Some(globals)) => Some(Function {
                name,
                file,
                globals,
            }),
            _ => None,
        })
    }
}

/// A digest (FNV-1a) of what the methods are made of.
fn digest(gil: Gil<'_>, members: &Members, methods: &[&CStr]) -> Result<u64> {
    let mut digest = 0xcbf2_9ce4_8422_2325u64;
    for method in methods.iter().filter_map(|name| members.get(gil, name)) {
        for byte in code_text(gil, method)? {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    Ok(digest)
}
