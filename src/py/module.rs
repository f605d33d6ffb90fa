//! Making an extension module of a table of functions.

use std::ffi::CStr;
#[cfg(feature = "python3")]
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::call::Arguments;
use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::object::{Object, Owned};
use super::raised::{Raised, Result, check};

/// One function of a module.
pub struct Function {
    /// Its name in Python.
    pub name: &'static CStr,
    /// Its docstring.
    pub doc: &'static CStr,
    /// What it does.
    pub call: fn(Gil<'_>, &Arguments<'_>) -> Result<Owned>,
}

/// A module: its functions in a constant, so that each can have a C entry of its own.
pub trait Module {
    /// The last part of the dotted name, as the import system asks for it.
    const NAME: &'static CStr;
    /// The module's docstring.
    const DOC: &'static CStr;
    /// At most [`MAX_ENTRIES`] functions.
    const FUNCTIONS: &'static [Function];

    /// Adds what is no function, once an import.
    fn fill(gil: Gil<'_>, module: &Object) -> Result<()>;
}

/// How many entries a table of functions or methods can have.
pub const MAX_ENTRIES: usize = 24;

pub(super) type Entry = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

macro_rules! entries {
    ($entry:ident, $owner:ty) => {
        [
            $entry::<$owner, 0>,
            $entry::<$owner, 1>,
            $entry::<$owner, 2>,
            $entry::<$owner, 3>,
            $entry::<$owner, 4>,
            $entry::<$owner, 5>,
            $entry::<$owner, 6>,
            $entry::<$owner, 7>,
            $entry::<$owner, 8>,
            $entry::<$owner, 9>,
            $entry::<$owner, 10>,
            $entry::<$owner, 11>,
            $entry::<$owner, 12>,
            $entry::<$owner, 13>,
            $entry::<$owner, 14>,
            $entry::<$owner, 15>,
            $entry::<$owner, 16>,
            $entry::<$owner, 17>,
            $entry::<$owner, 18>,
            $entry::<$owner, 19>,
            $entry::<$owner, 20>,
            $entry::<$owner, 21>,
            $entry::<$owner, 22>,
            $entry::<$owner, 23>,
        ]
    };
}
pub(super) use entries;

/// Runs `body`; a panic in it becomes a `SystemError`, so that none crosses into C.
pub(super) fn guarded<T>(gil: Gil<'_>, body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(Raised::new(
            gil,
            Kind::SystemError,
            "internal error in fapws._evwsgi (a panic)",
        ))
    })
}

/// A result as the interpreter wants it.
pub(super) fn returned(result: Result<Owned>) -> *mut ffi::PyObject {
    result.map_or(std::ptr::null_mut(), Owned::into_ptr)
}

unsafe extern "C" fn entry<M: Module, const I: usize>(
    _: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls with the lock held, a live tuple, and null or a live dict.
    let (gil, args, keywords) = unsafe {
        let keywords = (!keywords.is_null()).then(|| Object::borrowed(keywords));
        (Gil::assume_held(), Object::borrowed(args), keywords)
    };
    let arguments = Arguments::from_tuple(gil, args, keywords);
    returned(guarded(gil, || {
        #[cfg(feature = "python2")]
        super::interpreter::expect_main(gil)?;
        (M::FUNCTIONS[I].call)(gil, &arguments)
    }))
}

/// The method definition that the interpreter calls `entry` by.
pub(super) fn definition(
    name: &'static CStr,
    doc: &'static CStr,
    entry: Entry,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        #[cfg(feature = "python2")]
        // SAFETY: with METH_KEYWORDS the interpreter calls this with three arguments.
        ml_meth: Some(unsafe { std::mem::transmute::<Entry, ffi::PyCFunction>(entry) }),
        #[cfg(feature = "python3")]
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionWithKeywords: entry },
        ml_flags: ffi::METH_VARARGS | ffi::METH_KEYWORDS,
        ml_doc: doc.as_ptr(),
    }
}

/// The end of a table of method definitions.
pub(super) fn sentinel() -> ffi::PyMethodDef {
    // SAFETY: all-zero is the end mark that the C-API documents, and valid for each field.
    unsafe { std::mem::zeroed() }
}

/// The table of a module's functions, which lives as long as the process, as the interpreter wants.
fn methods<M: Module>() -> *mut ffi::PyMethodDef {
    assert!(
        M::FUNCTIONS.len() <= MAX_ENTRIES,
        "a module has at most {MAX_ENTRIES} functions"
    );
    let mut methods: Vec<_> = M::FUNCTIONS
        .iter()
        .zip(entries!(entry, M))
        .map(|(function, entry)| definition(function.name, function.doc, entry))
        .collect();
    methods.push(sentinel());
    Vec::leak(methods).as_mut_ptr()
}

/// What the import system calls: makes the module object, and fills it by `M::fill`.
///
/// # Safety
/// The interpreter calls it, so the lock is held.
#[cfg(feature = "python2")]
pub(crate) unsafe fn initialise<M: Module>() -> *mut ffi::PyObject {
    // SAFETY: the caller's.
    let gil = unsafe { Gil::assume_held() };
    returned(guarded(gil, || {
        // SAFETY: the tables live for ever; the result is null with an exception, or borrowed from
        // `sys.modules`.
        let module = unsafe {
            let module = ffi::Py_InitModule4_64(
                M::NAME.as_ptr(),
                methods::<M>(),
                M::DOC.as_ptr(),
                std::ptr::null_mut(),
                ffi::PYTHON_API_VERSION,
            );
            if module.is_null() {
                return Err(Raised::assume());
            }
            Object::borrowed(module).own(gil)
        };
        M::fill(gil, &module)?;
        Ok(module)
    }))
}

/// What the import system calls: the module's definition, which it makes an object of and fills by
/// `M::fill`, in each interpreter anew (PEP 489), so that each can be rejected.
///
/// # Safety
/// The interpreter calls it, so the lock is held.
#[cfg(feature = "python3")]
pub(crate) unsafe fn initialise<M: Module>() -> *mut ffi::PyObject {
    /// The address of the definition, of which the process has one.
    static DEFINITION: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let definition = *DEFINITION.get_or_init(|| {
        let slots = vec![
            ffi::PyModuleDef_Slot {
                slot: ffi::Py_mod_exec,
                value: fill::<M> as unsafe extern "C" fn(*mut ffi::PyObject) -> c_int
                    as *mut c_void,
            },
            // The end of the table.
            ffi::PyModuleDef_Slot::default(),
        ];
        let definition = Box::leak(Box::new(ffi::PyModuleDef {
            m_base: ffi::PyModuleDef_HEAD_INIT,
            m_name: M::NAME.as_ptr(),
            m_doc: M::DOC.as_ptr(),
            m_size: 0,
            m_methods: methods::<M>(),
            m_slots: Vec::leak(slots).as_mut_ptr(),
            m_traverse: None,
            m_clear: None,
            m_free: None,
        }));
        std::ptr::from_mut(definition).expose_provenance()
    });
    // SAFETY: the definition and its tables live for ever, and are the interpreter's from now on.
    unsafe { ffi::PyModuleDef_Init(std::ptr::with_exposed_provenance_mut(definition)) }
}

#[cfg(feature = "python3")]
unsafe extern "C" fn fill<M: Module>(module: *mut ffi::PyObject) -> c_int {
    // SAFETY: the interpreter calls with the lock held and a live module.
    let (gil, module) = unsafe { (Gil::assume_held(), Object::borrowed(module)) };
    match guarded(gil, || M::fill(gil, module)) {
        Ok(()) => 0,
        Err(raised) => {
            // The exception stays set, as the interpreter wants it with -1.
            let _ = raised;
            -1
        }
    }
}

/// `module.name = value`.
pub fn add(gil: Gil<'_>, module: &Object, name: &'static CStr, value: &Object) -> Result<()> {
    // SAFETY: all are alive and the lock is held; the call steals the new reference when it
    // succeeds, and failing leaks it, at import, once.
    unsafe {
        let value = value.own(gil).into_ptr();
        check(ffi::PyModule_AddObject(
            module.as_ptr(),
            name.as_ptr(),
            value,
        ))
    }
}

/// A new exception class; `name` is dotted. Its base is `Exception`.
pub fn new_exception(_: Gil<'_>, name: &'static CStr) -> Result<Owned> {
    // SAFETY: the name ends in NUL and is only read; base and dict default; a new reference.
    unsafe {
        Owned::new_reference(ffi::PyErr_NewException(
            name.as_ptr().cast_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        ))
    }
}

/// The raw object pointer, for the entry points' signatures.
pub(crate) type RawObject = ffi::PyObject;
