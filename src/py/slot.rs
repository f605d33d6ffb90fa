//! A cell for what changes while Python code may run.
//!
//! Whatever calls Python can be called by it in turn: no borrow may be alive across such a call. A
//! [`Slot`] gives its value out (`take`, `replace`), takes one in (`put`), or lends it to a closure that
//! cannot call Python: it gets no [`Gil`], can capture none (captures must be `Send`), and what references it drops end
//! after it.

use std::cell::RefCell;

use super::gil::Gil;
use super::release::Hold;

/// A value that is never borrowed while Python code runs.
#[derive(Default)]
pub struct Slot<T>(RefCell<T>);

impl<T> Slot<T> {
    /// A slot with this in it.
    pub const fn new(value: T) -> Slot<T> {
        Slot(RefCell::new(value))
    }

    /// Puts `value` in, and returns what was there.
    pub fn replace(&self, value: T) -> T {
        self.0.replace(value)
    }

    /// Puts `value` in. What was there is dropped when the new value is in its place.
    pub fn put(&self, value: T) {
        drop(self.0.replace(value));
    }

    /// Takes the value out, and leaves an empty one.
    pub fn take(&self) -> T
    where
        T: Default,
    {
        self.0.take()
    }

    /// Lends the value. The references that the closure drops are released when it has returned.
    pub fn with<R>(&self, gil: Gil<'_>, look: impl FnOnce(&mut T) -> R + Send) -> R {
        let _hold = Hold::new(gil);
        look(&mut self.0.borrow_mut())
    }

    /// The same with a value to be moved in, a reference for instance, which a closure cannot capture.
    pub fn with_value<V: 'static, R>(
        &self,
        gil: Gil<'_>,
        value: V,
        look: impl FnOnce(&mut T, V) -> R + Send,
    ) -> R {
        let _hold = Hold::new(gil);
        look(&mut self.0.borrow_mut(), value)
    }

    /// For the collector, which looks while nothing else runs. `None` where the value is lent.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0
            .try_borrow_mut()
            .ok()
            .map(|mut value| look(&mut value))
    }
}
