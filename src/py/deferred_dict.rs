//! Dicts that are made when somebody looks.
//!
//! A deferred dict is an instance of a class derived from `dict`, which holds what the dict is made of under
//! one key that no program has. Whatever the interpreter calls of its class makes the dict, and turns
//! the instance into a plain one: it gets the class `dict` itself, which has the same layout, and the call is
//! made again. So `params["a"]`, `dict(params)`, `a | params`, `f(**params)`, `json.dumps`, `copy` and `pickle`
//! find a plain dict, and so does all that comes later.
//!
//! Not seen is only what reads a dict's memory without asking its class: `dict.get(params, ...)`, and C
//! code that takes every derived dict for a plain one (`PyDict_Next`), where nobody looked before. It
//! finds the one key, [`Ellipsis`](ffi::Py_Ellipsis).
//!
//! On Python 2 calls with `**` are of that kind, so there the dict is made at once.

use super::gil::Gil;
use super::object::{Object, Owned};
use super::raised::Result;
use super::state::State;

/// A kind of deferred dict.
pub trait Deferred: 'static {
    /// The dotted name of its class.
    const NAME: &'static std::ffi::CStr;

    /// Where its class is kept.
    fn class() -> &'static State<Owned>;

    /// Makes the dict, a plain one.
    fn make(gil: Gil<'_>, source: &Object) -> Result<Owned>;
}

/// The dict that is made of `source` when somebody looks.
#[cfg(feature = "python2")]
pub fn deferred_dict<T: Deferred>(gil: Gil<'_>, source: &Object) -> Result<Owned> {
    let _ = T::class;
    T::make(gil, source)
}

#[cfg(feature = "python3")]
pub use python3::deferred_dict;

#[cfg(feature = "python3")]
mod python3 {
    use std::ffi::{CStr, c_int, c_void};

    use super::super::container::tuple;
    use super::super::ffi;
    use super::super::gil::Gil;
    use super::super::module::{guarded, returned};
    use super::super::object::{Object, Owned};
    use super::super::raised::{Result, check};
    use super::super::text::interned;
    use super::Deferred;

    /// The dict that is made of `source` when somebody looks.
    pub fn deferred_dict<T: Deferred>(gil: Gil<'_>, source: &Object) -> Result<Owned> {
        let class = T::class().get_or_try_make(gil, || make_class::<T>(gil))?;
        let dict = class.call(gil, &[])?;
        dict.dict_set(gil, key(), source)?;
        Ok(dict)
    }

    /// The key under which the source stands.
    fn key<'a>() -> &'a Object {
        // SAFETY: the singleton lives as long as the interpreter.
        unsafe { Object::borrowed(ffi::Py_Ellipsis()) }
    }

    fn make_class<T: Deferred>(_: Gil<'_>) -> Result<Owned> {
        let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
        let methods = vec![
            ffi::PyMethodDef {
                ml_name: c"__reversed__".as_ptr(),
                ml_meth: ffi::PyMethodDefPointer {
                    PyCFunction: reversed::<T>,
                },
                ml_flags: ffi::METH_NOARGS,
                ml_doc: std::ptr::null(),
            },
            ffi::PyMethodDef {
                ml_name: REDUCE.as_ptr(),
                ml_meth: ffi::PyMethodDefPointer {
                    PyCFunction: reduce::<T>,
                },
                ml_flags: ffi::METH_O,
                ml_doc: std::ptr::null(),
            },
            ffi::PyMethodDef::zeroed(),
        ];
        let mut slots = [
            slot(ffi::Py_tp_getattro, attribute::<T> as *mut c_void),
            slot(ffi::Py_tp_setattro, set_attribute::<T> as *mut c_void),
            slot(ffi::Py_tp_iter, iterate::<T> as *mut c_void),
            slot(ffi::Py_tp_repr, show::<T> as *mut c_void),
            slot(ffi::Py_tp_richcompare, compare::<T> as *mut c_void),
            slot(ffi::Py_mp_length, length::<T> as *mut c_void),
            slot(ffi::Py_mp_subscript, item::<T> as *mut c_void),
            slot(ffi::Py_mp_ass_subscript, set_item::<T> as *mut c_void),
            slot(ffi::Py_sq_contains, contains::<T> as *mut c_void),
            slot(ffi::Py_nb_or, union::<T> as *mut c_void),
            slot(ffi::Py_nb_inplace_or, update::<T> as *mut c_void),
            slot(ffi::Py_tp_methods, Vec::leak(methods).as_mut_ptr().cast()),
            slot(0, std::ptr::null_mut()),
        ];
        let mut spec = ffi::PyType_Spec {
            name: T::NAME.as_ptr(),
            basicsize: 0, // the base's
            itemsize: 0,
            flags: ffi::Py_TPFLAGS_DEFAULT as _,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: the spec is whole and its slots have the signatures that their names ask for; the
        // interpreter copies it, and what it keeps pointers to (the name, the methods) lives for ever.
        unsafe {
            let bases = ffi::PyTuple_New(1);
            let bases = Owned::new_reference(bases)?;
            let dict: *mut ffi::PyObject = (&raw mut ffi::PyDict_Type).cast();
            ffi::Py_INCREF(dict);
            check(ffi::PyTuple_SetItem(bases.as_ptr(), 0, dict))?;
            Owned::new_reference(ffi::PyType_FromSpecWithBases(&mut spec, bases.as_ptr()))
        }
    }

    /// Makes the dict, and turns `this` into it.
    fn settle<T: Deferred>(gil: Gil<'_>, this: &Object) -> Result<()> {
        let is_deferred = || T::class().get(gil).is_some_and(|class| this.type_is(class));
        if !is_deferred() {
            return Ok(());
        }
        if let Some(source) = this.dict_get(gil, key()) {
            let made = T::make(gil, &source)?;
            // Making objects may run the collector, and that a program's code, which may look as well.
            if !is_deferred() {
                return Ok(());
            }
            // From here on nothing runs but the dict's own code: the keys are plain strings.
            // SAFETY: `this` is a dict, and the lock is held.
            unsafe { ffi::PyDict_Clear(this.as_ptr()) };
            if let Err(raised) = this.dict_update(gil, &made) {
                this.dict_set(gil, key(), &source)?;
                return Err(raised);
            }
        }
        // SAFETY: the class adds nothing to what an instance of `dict` has, neither size nor dict nor weak
        // references, so an instance is one of `dict` but for its type; it holds a reference to the class,
        // which is on the heap, and needs none to `dict`, which is not.
        unsafe {
            let object = this.as_ptr();
            let class = ffi::Py_TYPE(object);
            (*object).ob_type = &raw mut ffi::PyDict_Type;
            ffi::Py_DECREF(class.cast());
        }
        Ok(())
    }

    /// Calls `body` when `this`, an argument of a slot, is a plain dict.
    ///
    /// # Safety
    /// Called by the interpreter: `this` is alive, and the lock is held.
    unsafe fn settled<T: Deferred>(
        this: *mut ffi::PyObject,
        body: impl FnOnce(*mut ffi::PyObject) -> *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: the caller's; what `body` returns is what a slot does.
        unsafe {
            let gil = Gil::assume_held();
            returned(guarded(gil, || {
                settle::<T>(gil, Object::borrowed(this))?;
                Owned::new_reference(body(this))
            }))
        }
    }

    /// The same for slots that return a number, of which -1 means that an exception is set.
    ///
    /// # Safety
    /// As of [`settled`].
    unsafe fn settled_number<T: Deferred, N: From<i8>>(
        this: *mut ffi::PyObject,
        body: impl FnOnce(*mut ffi::PyObject) -> N,
    ) -> N {
        // SAFETY: the caller's.
        let (gil, this) = unsafe { (Gil::assume_held(), Object::borrowed(this)) };
        let number = guarded(gil, || {
            settle::<T>(gil, this)?;
            Ok(body(this.as_ptr()))
        });
        number.unwrap_or_else(|_| N::from(-1))
    }

    macro_rules! slots {
        ($($name:ident($this:ident $(, $argument:ident: $type:ty)*) = $call:expr;)*) => {$(
            unsafe extern "C" fn $name<T: Deferred>(
                $this: *mut ffi::PyObject
                $(, $argument: $type)*
            ) -> *mut ffi::PyObject {
                // SAFETY: the slot's arguments are alive, and the lock is held.
                unsafe { settled::<T>($this, |$this| $call) }
            }
        )*};
    }

    slots! {
        iterate(this) = ffi::PyObject_GetIter(this);
        show(this) = ffi::PyObject_Repr(this);
        compare(this, other: *mut ffi::PyObject, how: c_int) =
            ffi::PyObject_RichCompare(this, other, how);
        item(this, key: *mut ffi::PyObject) = ffi::PyObject_GetItem(this, key);
        update(this, other: *mut ffi::PyObject) = ffi::PyNumber_InPlaceOr(this, other);
    }

    /// What `copy` and `pickle` call. Of a plain dict they do not, and it supports some of their
    /// protocols only.
    const REDUCE: &CStr = c"__reduce_ex__";

    unsafe extern "C" fn attribute<T: Deferred>(
        this: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: both are alive, and the lock is held.
        unsafe {
            let reduce = match interned(Gil::assume_held(), REDUCE) {
                Ok(reduce) => reduce,
                Err(raised) => return returned(Err(raised)),
            };
            if Object::borrowed(name).is_same_native(&reduce) {
                return ffi::PyObject_GenericGetAttr(this, name);
            }
            settled::<T>(this, |this| ffi::PyObject_GetAttr(this, name))
        }
    }

    /// `(dict, (), None, None, iter(self.items()))`: the copy is a plain dict.
    unsafe extern "C" fn reduce<T: Deferred>(
        this: *mut ffi::PyObject,
        _: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: `this` is alive, and the lock is held; the type lives as long as the interpreter.
        unsafe {
            settled::<T>(this, |this| {
                let (gil, this) = (Gil::assume_held(), Object::borrowed(this));
                let dict = Object::borrowed((&raw mut ffi::PyDict_Type).cast());
                returned((|| {
                    let items = this.call_method(gil, &*interned(gil, c"items")?, &[])?;
                    let (items, none) = (items.iterate(gil)?, Owned::none(gil));
                    tuple(gil, &[dict, &*tuple(gil, &[])?, &none, &none, &items])
                })())
            })
        }
    }

    unsafe extern "C" fn set_attribute<T: Deferred>(
        this: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
        value: *mut ffi::PyObject,
    ) -> c_int {
        // SAFETY: `this` and `name` are alive, `value` is or is null, and the lock is held.
        unsafe { settled_number::<T, _>(this, |this| ffi::PyObject_SetAttr(this, name, value)) }
    }

    /// `one | other`, of which either is deferred, or both.
    unsafe extern "C" fn union<T: Deferred>(
        one: *mut ffi::PyObject,
        other: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: both are alive, and the lock is held.
        unsafe {
            settled::<T>(one, |one| {
                settled::<T>(other, |other| ffi::PyNumber_Or(one, other))
            })
        }
    }

    unsafe extern "C" fn reversed<T: Deferred>(
        this: *mut ffi::PyObject,
        _: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: `this` is alive, and the lock is held.
        unsafe {
            settled::<T>(this, |this| {
                let (gil, this) = (Gil::assume_held(), Object::borrowed(this));
                let name = interned(gil, c"__reversed__");
                returned(name.and_then(|name| this.call_method(gil, &name, &[])))
            })
        }
    }

    unsafe extern "C" fn length<T: Deferred>(this: *mut ffi::PyObject) -> ffi::Py_ssize_t {
        // SAFETY: `this` is alive, and the lock is held.
        unsafe { settled_number::<T, _>(this, |this| ffi::PyDict_Size(this)) }
    }

    unsafe extern "C" fn contains<T: Deferred>(
        this: *mut ffi::PyObject,
        key: *mut ffi::PyObject,
    ) -> c_int {
        // SAFETY: both are alive, and the lock is held.
        unsafe { settled_number::<T, _>(this, |this| ffi::PySequence_Contains(this, key)) }
    }

    unsafe extern "C" fn set_item<T: Deferred>(
        this: *mut ffi::PyObject,
        key: *mut ffi::PyObject,
        value: *mut ffi::PyObject,
    ) -> c_int {
        // SAFETY: `this` and `key` are alive, `value` is or is null, and the lock is held.
        unsafe {
            settled_number::<T, _>(this, |this| {
                if value.is_null() {
                    ffi::PyObject_DelItem(this, key)
                } else {
                    ffi::PyObject_SetItem(this, key, value)
                }
            })
        }
    }
}
