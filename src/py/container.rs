//! Dicts, lists and tuples.
//!
//! The accessors check the type themselves, so that they are safe on any object: of another type,
//! a container is empty. What comes out of a dict or a list is owned, since Python code that runs
//! meanwhile can take it out; only a tuple keeps its items while it lives.

use super::ffi;
#[cfg(all(feature = "python3", not(feature = "abi3")))]
use super::ffi::{PyList_GET_ITEM, PyList_GET_SIZE, PyTuple_GET_ITEM, PyTuple_GET_SIZE};
// The macros' work, by functions that look again whether it is what it should be.
#[cfg(any(feature = "python2", feature = "abi3"))]
use super::ffi::{
    PyList_GetItem as PyList_GET_ITEM, PyList_Size as PyList_GET_SIZE,
    PyTuple_GetItem as PyTuple_GET_ITEM, PyTuple_Size as PyTuple_GET_SIZE,
};
use super::gil::Gil;
use super::object::{Object, Owned};
use super::raised::{Result, check};

/// `{}`.
pub fn dict(_: Gil<'_>) -> Result<Owned> {
    // SAFETY: the lock is held, the result is a new reference.
    unsafe { Owned::new_reference(ffi::PyDict_New()) }
}

/// `[]`.
pub fn list(_: Gil<'_>) -> Result<Owned> {
    // SAFETY: the lock is held, the result is a new reference.
    unsafe { Owned::new_reference(ffi::PyList_New(0)) }
}

/// `[item]`.
pub fn list_of(_: Gil<'_>, item: Owned) -> Result<Owned> {
    // SAFETY: the list is new and ours alone, with room for the one item, whose reference is stolen.
    unsafe {
        let list = Owned::new_reference(ffi::PyList_New(1))?;
        check(ffi::PyList_SetItem(list.as_ptr(), 0, item.into_ptr()))?;
        Ok(list)
    }
}

/// `tuple(items)`.
pub fn tuple(gil: Gil<'_>, items: &[&Object]) -> Result<Owned> {
    // SAFETY: the lock is held, the result is a new reference.
    let tuple = unsafe { Owned::new_reference(ffi::PyTuple_New(items.len() as _))? };
    for (index, item) in items.iter().enumerate() {
        // SAFETY: the tuple is new and ours alone, the index within it; the reference is stolen.
        unsafe {
            let item = item.own(gil).into_ptr();
            check(ffi::PyTuple_SetItem(tuple.as_ptr(), index as _, item))?;
        }
    }
    Ok(tuple)
}

impl Object {
    /// Whether it is a dict or of a class derived from it.
    pub fn is_dict(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyDict_Check(self.as_ptr()) != 0 }
    }

    /// Whether it is a list or a tuple and nothing derived from them, which can have no attributes
    /// of its own.
    pub fn is_plain_sequence(&self) -> bool {
        // SAFETY: the type objects are the interpreter's and live as long as it.
        let (list, tuple) = unsafe {
            (
                Object::borrowed((&raw mut ffi::PyList_Type).cast()),
                Object::borrowed((&raw mut ffi::PyTuple_Type).cast()),
            )
        };
        self.type_is(list) || self.type_is(tuple)
    }

    /// Whether it is a list or of a class derived from it.
    pub fn is_list(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyList_Check(self.as_ptr()) != 0 }
    }

    /// Whether it is a tuple or of a class derived from it.
    pub fn is_tuple(&self) -> bool {
        // SAFETY: `self` is alive; the check only looks at the type.
        unsafe { ffi::PyTuple_Check(self.as_ptr()) != 0 }
    }

    /// A list's length.
    pub fn list_len(&self) -> usize {
        if !self.is_list() {
            return 0;
        }
        // SAFETY: `is_list` looked just now; the borrow keeps it alive.
        unsafe { PyList_GET_SIZE(self.as_ptr()) as usize }
    }

    /// A list's item, borrowed: the caller runs no Python code while it uses it, which could take it off
    /// the list.
    fn list_peek(&self, index: usize) -> Option<&Object> {
        if index >= self.list_len() {
            return None;
        }
        // SAFETY: `self` is a list and has that index, so the result is a live borrowed item.
        Some(unsafe { Object::borrowed(PyList_GET_ITEM(self.as_ptr(), index as _)) })
    }

    /// A list's item.
    pub fn list_item(&self, gil: Gil<'_>, index: usize) -> Option<Owned> {
        self.list_peek(index).map(|item| item.own(gil))
    }

    /// Whether it is a list of tuples, two items each, that are these strings.
    pub fn is_list_of_pairs(&self, pairs: &[(Owned, Owned)]) -> bool {
        let same = |(index, (first, second)): (usize, &(Owned, Owned))| {
            self.list_peek(index).is_some_and(|pair| {
                pair.tuple_len() == 2
                    && pair
                        .tuple_item(0)
                        .is_some_and(|item| item.is_same_native(first))
                    && pair
                        .tuple_item(1)
                        .is_some_and(|item| item.is_same_native(second))
            })
        };
        self.is_list() && self.list_len() == pairs.len() && pairs.iter().enumerate().all(same)
    }

    /// A tuple's length.
    pub fn tuple_len(&self) -> usize {
        if !self.is_tuple() {
            return 0;
        }
        // SAFETY: `is_tuple` looked just now; the borrow keeps it alive.
        unsafe { PyTuple_GET_SIZE(self.as_ptr()) as usize }
    }

    /// A tuple's item.
    pub fn tuple_item(&self, index: usize) -> Option<&Object> {
        if index >= self.tuple_len() {
            return None;
        }
        // SAFETY: `self` is a tuple and has that index; a tuple keeps its items while it lives.
        Some(unsafe { Object::borrowed(PyTuple_GET_ITEM(self.as_ptr(), index as _)) })
    }

    /// The length of a list or tuple.
    pub fn sequence_len(&self) -> usize {
        if self.is_list() {
            self.list_len()
        } else {
            self.tuple_len()
        }
    }

    /// An item of a list or tuple, borrowed as [`list_peek`](Self::list_peek) does.
    fn sequence_peek(&self, index: usize) -> Option<&Object> {
        if self.is_list() {
            self.list_peek(index)
        } else {
            self.tuple_item(index)
        }
    }

    /// The bytes in all items of a list or tuple (and of nothing derived from them); `None` where it
    /// is something else, or an item is not a bytes object.
    pub fn plain_bytes_len(&self) -> Option<u64> {
        if !self.is_plain_sequence() {
            return None;
        }
        let mut length = 0;
        let mut index = 0;
        while let Some(item) = self.sequence_peek(index) {
            length += item.as_bytes()?.len() as u64;
            index += 1;
        }
        Some(length)
    }

    /// An item of a list or tuple.
    pub fn sequence_item(&self, gil: Gil<'_>, index: usize) -> Option<Owned> {
        self.sequence_peek(index).map(|item| item.own(gil))
    }

    /// `list.append(item)`.
    pub fn list_append(&self, _: Gil<'_>, item: &Object) -> Result<()> {
        // SAFETY: the borrows keep both alive, the token says that the lock is held; the call itself rejects what is no list.
        unsafe { check(ffi::PyList_Append(self.as_ptr(), item.as_ptr())) }
    }

    /// Whether it is a dict and of no class derived from it.
    pub fn is_plain_dict(&self) -> bool {
        // SAFETY: the type object is the interpreter's and lives as long as it.
        self.type_is(unsafe { Object::borrowed((&raw mut ffi::PyDict_Type).cast()) })
    }

    /// The dict's item at `position`, which begins at 0, and moves behind it. Both are borrowed: the
    /// caller runs no Python code while it uses them, which could take them out of the dict.
    fn dict_peek(&self, position: &mut isize) -> Option<(&Object, &Object)> {
        if !self.is_dict() {
            return None;
        }
        let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: `self` is a dict; both are filled with live objects of it when the result is not 0.
        unsafe {
            let found = ffi::PyDict_Next(self.as_ptr(), position, &mut key, &mut value);
            (found != 0).then(|| (Object::borrowed(key), Object::borrowed(value)))
        }
    }

    /// How many keys a dict has.
    pub fn dict_len(&self) -> usize {
        let mut position = 0;
        std::iter::from_fn(|| self.dict_peek(&mut position)).count()
    }

    /// A dict's items, in the dict's order.
    pub fn dict_items(&self, gil: Gil<'_>) -> Vec<(Owned, Owned)> {
        let mut position = 0;
        std::iter::from_fn(|| self.dict_peek(&mut position))
            .map(|(key, value)| (key.own(gil), value.own(gil)))
            .collect()
    }

    /// `dict.get(key)`; an exception in a key's `__eq__` counts as absence.
    pub fn dict_get(&self, gil: Gil<'_>, key: &Object) -> Option<Owned> {
        if !self.is_dict() {
            return None;
        }
        // SAFETY: `self` is a dict and the lock is held. The result is borrowed from the dict, and
        // nothing runs before it is owned.
        unsafe {
            let value = ffi::PyDict_GetItem(self.as_ptr(), key.as_ptr());
            (!value.is_null()).then(|| Object::borrowed(value).own(gil))
        }
    }

    /// `dict[key] = value`.
    pub fn dict_set(&self, _: Gil<'_>, key: &Object, value: &Object) -> Result<()> {
        // SAFETY: all are alive and the lock is held; the call itself rejects what is no dict.
        unsafe {
            check(ffi::PyDict_SetItem(
                self.as_ptr(),
                key.as_ptr(),
                value.as_ptr(),
            ))
        }
    }

    /// `del dict[key]`.
    pub fn dict_delete(&self, _: Gil<'_>, key: &Object) -> Result<()> {
        // SAFETY: the borrows keep both alive, the token says that the lock is held; the call itself rejects what is no dict.
        unsafe { check(ffi::PyDict_DelItem(self.as_ptr(), key.as_ptr())) }
    }

    /// `dict.copy()`.
    pub fn dict_copy(&self, _: Gil<'_>) -> Result<Owned> {
        // SAFETY: `self` is alive, the lock is held, the result is a new reference.
        unsafe { Owned::new_reference(ffi::PyDict_Copy(self.as_ptr())) }
    }

    /// `dict.update(other)`.
    pub fn dict_update(&self, _: Gil<'_>, other: &Object) -> Result<()> {
        // SAFETY: the borrows keep both alive, the token says that the lock is held.
        unsafe { check(ffi::PyDict_Update(self.as_ptr(), other.as_ptr())) }
    }
}
