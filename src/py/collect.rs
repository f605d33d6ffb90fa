//! What a native class owns, shown to Python's cyclic collector.
//!
//! Every class says what references its instances own ([`Owns`]); `tp_traverse` and `tp_clear` follow from
//! that. What is not shown keeps what it refers to, and all that leads to the instance from there, for
//! ever; what is shown twice for one reference ends in a crash. So a reference that several instances
//! share is shown by none but its only owner ([`Visitor::shared`]).

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use super::ffi;
use super::object::Owned;

/// What the instances of a class own.
pub enum Owns<T> {
    /// No reference, or none that can be part of a cycle (to `bytes`, to a file descriptor).
    Nothing,
    /// What this function shows.
    Objects(fn(&T, &mut Visitor<'_>)),
}

/// To whom references are shown: to the collector, which counts them, or to `tp_clear`, which ends those
/// that a slot holds. Nothing is called in Python meanwhile.
pub struct Visitor<'a>(Task<'a>);

enum Task<'a> {
    See {
        visit: ffi::visitproc,
        data: *mut c_void,
        result: &'a mut c_int,
    },
    Clear,
}

impl<'a> Visitor<'a> {
    /// # Safety
    /// The two are what `tp_traverse` was called with.
    pub(super) unsafe fn seeing(
        visit: ffi::visitproc,
        data: *mut c_void,
        result: &'a mut c_int,
    ) -> Visitor<'a> {
        Visitor(Task::See {
            visit,
            data,
            result,
        })
    }

    pub(super) fn clearing() -> Visitor<'a> {
        Visitor(Task::Clear)
    }

    /// A reference that stays as long as the instance does. A cycle of such references alone cannot
    /// arise: each is to something older.
    pub fn object(&mut self, object: &Owned) {
        if let Task::See {
            visit,
            data,
            result,
        } = &mut self.0
            && **result == 0
        {
            // SAFETY: `seeing`'s caller gave both for this; the object is alive.
            **result = unsafe { visit(object.as_ptr(), *data) };
        }
    }

    /// References that may come and go, in a cell: `see` shows them, `clear` drops them. It may be borrowed just
    /// now: then nothing is shown, which keeps it.
    pub fn cell<T>(
        &mut self,
        cell: &RefCell<T>,
        see: impl FnOnce(&T, &mut Visitor<'a>),
        clear: impl FnOnce(&mut T),
    ) {
        if let Ok(mut value) = cell.try_borrow_mut() {
            match self.0 {
                Task::See { .. } => see(&value, self),
                Task::Clear => clear(&mut value),
            }
        }
    }

    /// What the instance shares with code of ours: shown only where the instance is its last owner.
    pub fn shared<T>(&mut self, shared: &Rc<T>, see: impl FnOnce(&T, &mut Visitor<'a>)) {
        if Rc::strong_count(shared) == 1 {
            see(shared, self);
        }
    }
}
