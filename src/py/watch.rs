//! Dicts that say when they change, so that what was found in one need not be looked up again.
//!
//! From Python 3.12 on a dict can be watched (`PyDict_Watch`). All that are watched here share one count of
//! changes: while it stays, each of them is as it was. Before that, a dict of Python 3 has a version of its own
//! (PEP 509). Python 2 and the limited API have nothing of the kind. (Functions can be watched too, but all at once:
//! that costs every closure that an application makes more than it saves.)

use std::num::NonZeroU64;

use super::gil::Gil;
use super::object::{Object, Owned};

/// Another one after each change of a dict.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Changes(NonZeroU64);

/// A dict that says when it changes.
pub struct Watched(Owned);

impl Watched {
    /// Watches `dict`, where that is possible.
    pub fn new(gil: Gil<'_>, dict: &Object) -> Option<Watched> {
        let is_watched = dict.is_dict() && means::watch(gil, dict);
        is_watched.then(|| Watched(dict.own(gil)))
    }

    /// What changes with the dict.
    #[inline(always)]
    pub fn changes(&self, gil: Gil<'_>) -> Option<Changes> {
        means::changes(gil, &self.0).map(Changes)
    }
}

#[cfg(all(feature = "python3", not(feature = "abi3"), Py_3_12))]
mod means {
    use std::cell::Cell;
    use std::ffi::c_int;
    use std::num::NonZeroU64;

    use super::super::ffi;
    use super::super::gil::{Gil, GilCell};
    use super::super::object::Object;
    use super::super::raised::{Raised, Result};
    use super::super::state::State;

    static CHANGES: GilCell<Cell<NonZeroU64>> = GilCell::new(Cell::new(NonZeroU64::MIN));
    static WATCHER: State<c_int> = State::new();

    /// `PyDict_WatchCallback`: event, dict, key, new value.
    type Callback = unsafe extern "C" fn(
        c_int,
        *mut ffi::PyObject,
        *mut ffi::PyObject,
        *mut ffi::PyObject,
    ) -> c_int;

    unsafe extern "C" {
        fn PyDict_AddWatcher(callback: Callback) -> c_int;
    }

    /// A watched dict is about to change. Nothing runs before it has, and nothing is raised.
    unsafe extern "C" fn count_change(
        _: c_int,
        _: *mut ffi::PyObject,
        _: *mut ffi::PyObject,
        _: *mut ffi::PyObject,
    ) -> c_int {
        // SAFETY: the interpreter calls this while it changes a dict, for which it holds the lock.
        let gil = unsafe { Gil::assume_held() };
        CHANGES.get(gil).update(|changes| changes.saturating_add(1));
        0
    }

    fn add(gil: Gil<'_>, dict: &Object) -> Result<()> {
        let watcher = *WATCHER.get_or_try_make(gil, || {
            // SAFETY: the lock is held, and the callback is a function of this library, which is never unloaded.
            match unsafe { PyDict_AddWatcher(count_change) } {
                // SAFETY: -1 says that an exception is set: there are eight watchers at most.
                -1 => Err(unsafe { Raised::assume() }),
                watcher => Ok(watcher),
            }
        })?;
        // SAFETY: the lock is held; the watcher is this interpreter's, and what is no dict is rejected.
        match unsafe { ffi::PyDict_Watch(watcher, dict.as_ptr()) } {
            // SAFETY: -1 says that an exception is set.
            -1 => Err(unsafe { Raised::assume() }),
            _ => Ok(()),
        }
    }

    /// Watches `dict`; whether that is possible.
    pub fn watch(gil: Gil<'_>, dict: &Object) -> bool {
        add(gil, dict).map_err(|raised| raised.clear(gil)).is_ok()
    }

    /// The count now.
    #[inline(always)]
    pub fn changes(gil: Gil<'_>, _: &Object) -> Option<NonZeroU64> {
        Some(CHANGES.get(gil).get())
    }
}

#[cfg(all(feature = "python3", not(feature = "abi3"), not(Py_3_12)))]
mod means {
    use std::num::NonZeroU64;

    use super::super::ffi;
    use super::super::gil::Gil;
    use super::super::object::Object;

    /// Each dict has a version.
    pub fn watch(_: Gil<'_>, _: &Object) -> bool {
        true
    }

    /// The version of `dict`, which is one, now; no other dict ever had it.
    #[inline(always)]
    pub fn changes(_: Gil<'_>, dict: &Object) -> Option<NonZeroU64> {
        let dict: *const ffi::PyDictObject = dict.as_ptr().cast();
        // SAFETY: `Watched` owns it, and has found it to be a dict; the lock is held.
        NonZeroU64::new(unsafe { (*dict).ma_version_tag })
    }
}

#[cfg(any(not(feature = "python3"), feature = "abi3"))]
mod means {
    use std::num::NonZeroU64;

    use super::super::gil::Gil;
    use super::super::object::Object;

    /// No dict can be.
    pub fn watch(_: Gil<'_>, _: &Object) -> bool {
        false
    }

    /// There is nothing to see.
    #[inline(always)]
    pub fn changes(_: Gil<'_>, _: &Object) -> Option<NonZeroU64> {
        None
    }
}
