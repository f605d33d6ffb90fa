//! Native classes: making them, and instances of them.
//!
//! A class is a Rust type that implements [`Class`]; its methods take `&Instance<Self>`, so a value
//! that changes does so through cells. Instances are made only by [`ClassObject::instantiate`]
//! (or by calling the class, where [`Class::NEW`] says how), and the classes cannot be derived from. What
//! the interpreter calls is in `slots.rs`.

#[cfg(feature = "python3")]
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

pub use super::collect::{Owns, Visitor};
use super::ffi;
use super::gil::Gil;
pub use super::instance::{Call, Class, Get, Instance, Method, New, Next, Set};
use super::module::{MAX_ENTRIES, definition, entries, sentinel};
use super::object::{Object, Owned};
use super::raised::Result;
use super::slots::{
    call, clear, dealloc, get, iterate, method, new, new_instance, next, set, traverse,
};

/// A native class, made.
pub struct ClassObject<T: Class> {
    class: Owned,
    _of: PhantomData<T>,
}

impl<T: Class> ClassObject<T> {
    /// Makes the class; once, when the module is imported.
    pub fn new(gil: Gil<'_>) -> Result<Self> {
        assert!(
            T::METHODS.len() <= MAX_ENTRIES,
            "a class has at most {MAX_ENTRIES} methods"
        );
        let mut methods: Vec<_> = T::METHODS
            .iter()
            .zip(entries!(method, T))
            .map(|(method, entry)| definition(method.name, method.doc, entry))
            .collect();
        methods.push(sentinel());
        let class = make_class::<T>(gil, Vec::leak(methods).as_mut_ptr())?;
        Ok(ClassObject {
            class,
            _of: PhantomData,
        })
    }

    /// The class as an object.
    pub fn object(&self) -> &Object {
        &self.class
    }

    /// A new instance around `value`.
    pub fn instantiate(&self, _: Gil<'_>, value: T) -> Result<Owned> {
        // SAFETY: the class was made by `make_class::<T>`.
        unsafe { new_instance(self.class.as_ptr().cast(), value) }
    }

    /// `object` as an instance of this class, if it is one.
    pub fn instance<'a>(&self, object: &'a Object) -> Option<&'a Instance<T>> {
        // SAFETY: the classes cannot be derived from, so one of this type has our layout.
        object
            .type_is(&self.class)
            .then(|| unsafe { &*object.as_ptr().cast::<Instance<T>>() })
    }
}

#[cfg(feature = "python3")]
fn make_class<T: Class>(_: Gil<'_>, methods: *mut ffi::PyMethodDef) -> Result<Owned> {
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = vec![
        slot(ffi::Py_tp_dealloc, dealloc::<T> as *mut c_void),
        slot(ffi::Py_tp_new, new::<T> as *mut c_void),
        slot(ffi::Py_tp_methods, methods.cast()),
        slot(ffi::Py_tp_doc, T::DOC.as_ptr().cast_mut().cast()),
    ];
    let mut flags = ffi::Py_TPFLAGS_DEFAULT;
    if let Owns::Objects(_) = T::OWNS {
        flags |= ffi::Py_TPFLAGS_HAVE_GC;
        slots.push(slot(ffi::Py_tp_traverse, traverse::<T> as *mut c_void));
        slots.push(slot(ffi::Py_tp_clear, clear::<T> as *mut c_void));
    }
    if T::CALL.is_some() {
        slots.push(slot(ffi::Py_tp_call, call::<T> as *mut c_void));
        #[cfg(not(feature = "abi3"))]
        {
            flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
            let members = vec![
                ffi::PyMemberDef {
                    name: c"__vectorcalloffset__".as_ptr(),
                    type_code: ffi::Py_T_PYSSIZET,
                    offset: std::mem::offset_of!(Instance<T>, vector) as _,
                    flags: ffi::Py_READONLY,
                    doc: std::ptr::null(),
                },
                // SAFETY: all-zero is the end mark that the C-API documents.
                unsafe { std::mem::zeroed() },
            ];
            slots.push(slot(
                ffi::Py_tp_members,
                Vec::leak(members).as_mut_ptr().cast(),
            ));
        }
    }
    if T::NEXT.is_some() {
        slots.push(slot(ffi::Py_tp_iter, iterate as *mut c_void));
        slots.push(slot(ffi::Py_tp_iternext, next::<T> as *mut c_void));
    }
    if T::GET.is_some() {
        slots.push(slot(ffi::Py_tp_getattro, get::<T> as *mut c_void));
    }
    if T::SET.is_some() {
        slots.push(slot(ffi::Py_tp_setattro, set::<T> as *mut c_void));
    }
    slots.push(slot(0, std::ptr::null_mut()));
    let mut spec = ffi::PyType_Spec {
        name: T::NAME.as_ptr(),
        basicsize: size_of::<Instance<T>>() as c_int,
        itemsize: 0,
        flags: flags as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec is whole and its slots have the signatures that their names ask for; the
    // interpreter copies it, and what it keeps pointers to (names, methods, members) lives for ever.
    unsafe { Owned::new_reference(ffi::PyType_FromSpec(&mut spec)) }
}

#[cfg(feature = "python2")]
fn make_class<T: Class>(_: Gil<'_>, methods: *mut ffi::PyMethodDef) -> Result<Owned> {
    // SAFETY: all-zero is a valid type that leaves each slot to be inherited.
    let class: &mut ffi::PyTypeObject = Box::leak(Box::new(unsafe { std::mem::zeroed() }));
    class.ob_refcnt = 1;
    class.ob_type = &raw mut ffi::PyType_Type;
    class.tp_name = T::NAME.as_ptr();
    class.tp_doc = T::DOC.as_ptr();
    class.tp_basicsize = size_of::<Instance<T>>() as ffi::Py_ssize_t;
    class.tp_flags = ffi::Py_TPFLAGS_DEFAULT;
    if let Owns::Objects(_) = T::OWNS {
        class.tp_flags |= ffi::Py_TPFLAGS_HAVE_GC;
        class.tp_traverse = Some(traverse::<T>);
        class.tp_clear = Some(clear::<T>);
    }
    class.tp_methods = methods;
    class.tp_dealloc = Some(dealloc::<T>);
    class.tp_new = Some(new::<T>);
    class.tp_call = T::CALL.map(|_| call::<T> as ffi::ternaryfunc);
    class.tp_iter = T::NEXT.map(|_| iterate as ffi::unaryfunc);
    class.tp_iternext = T::NEXT.map(|_| next::<T> as ffi::unaryfunc);
    class.tp_getattro = T::GET.map(|_| get::<T> as ffi::getattrofunc);
    class.tp_setattro = T::SET.map(|_| set::<T> as ffi::setattrofunc);
    // SAFETY: the type is whole and lives for ever; its one reference becomes ours.
    unsafe {
        super::raised::check(ffi::PyType_Ready(class))?;
        Owned::new_reference((&raw mut *class).cast())
    }
}
