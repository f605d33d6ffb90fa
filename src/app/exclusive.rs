//! A value that is taken out by the code that works on it.
//!
//! Any call into Python can run anything, so nothing of ours may be borrowed meanwhile. Of an
//! [`Exclusive`] nothing can be borrowed: the code that works on the value has it, and code that comes
//! meanwhile finds none and says what that means.

#![forbid(unsafe_code)]

use std::cell::Cell;

/// The value, or none while it is out.
pub struct Exclusive<T>(Cell<Option<T>>);

impl<T> Default for Exclusive<T> {
    fn default() -> Self {
        Exclusive(Cell::new(None))
    }
}

impl<T> Exclusive<T> {
    /// With a value in it.
    pub const fn new(value: T) -> Self {
        Exclusive(Cell::new(Some(value)))
    }

    /// Takes the value out, if it is there.
    pub fn take(&self) -> Option<T> {
        self.0.take()
    }

    /// Puts a value in; what was there is dropped when nothing here is half done.
    pub fn put(&self, value: T) {
        drop(self.0.replace(Some(value)));
    }

    /// Works on the value, which is out meanwhile; `None` where it is out already.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = self.0.take()?;
        let result = work(&mut value);
        self.put(value);
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_out_while_it_is_worked_on() {
        let slot = Exclusive::new(1);
        let nested = slot.with(|value| {
            *value += 1;
            slot.with(|_| ())
        });
        assert_eq!(nested, Some(None));
        assert_eq!(slot.take(), Some(2));
        assert_eq!(slot.with(|_| ()), None);
    }

    #[test]
    fn a_destructor_may_come_back() {
        struct Nested<'s>(&'s Exclusive<u8>);
        impl Drop for Nested<'_> {
            fn drop(&mut self) {
                self.0.put(7);
            }
        }
        let (inner, outer) = (Exclusive::default(), Exclusive::default());
        outer.put(Nested(&inner));
        outer.put(Nested(&inner));
        assert_eq!(inner.take(), Some(7));
        drop(outer);
        assert_eq!(inner.take(), Some(7));
    }
}
