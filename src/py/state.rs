//! What the module keeps for an interpreter: made anew when it is imported into another one.
//!
//! A program that embeds Python may end the interpreter and start a new one in the same process. Objects
//! of the old one are not to be touched then, not even to release them: what was kept for it is left where
//! it is.

use std::cell::Cell;

use super::gil::{Gil, GilCell};
use super::interpreter;
use super::raised::Result;

/// A value that is made once an interpreter: a class, constants, a table.
pub struct State<T: 'static>(GilCell<Cell<Option<(u32, &'static T)>>>);

impl<T> State<T> {
    /// One that is not made yet; usable in a `static`.
    pub const fn new() -> State<T> {
        State(GilCell::new(Cell::new(None)))
    }

    /// The value, if it was made in this interpreter.
    pub fn get(&self, gil: Gil<'_>) -> Option<&'static T> {
        let (made_in, value) = self.0.get(gil).get()?;
        (made_in == interpreter::number(gil)).then_some(value)
    }

    /// Makes it: this value counts from now on, and as long as the interpreter lives.
    pub fn set(&self, gil: Gil<'_>, value: T) -> &'static T {
        let value: &'static T = Box::leak(Box::new(value));
        let made_in = interpreter::number(gil);
        self.0.get(gil).set(Some((made_in, value)));
        value
    }

    /// The value, made by `make` where it is not there yet.
    #[inline]
    pub fn get_or_try_make(
        &self,
        gil: Gil<'_>,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<&'static T> {
        match self.get(gil) {
            Some(value) => Ok(value),
            None => self.try_make(gil, make),
        }
    }

    #[cold]
    fn try_make(&self, gil: Gil<'_>, make: impl FnOnce() -> Result<T>) -> Result<&'static T> {
        // Making it may run Python code that comes here, too: the first one stays.
        let made = make()?;
        Ok(match self.get(gil) {
            Some(first) => first,
            None => self.set(gil, made),
        })
    }

    /// The value of the interpreter before this one, where none was made in this one yet.
    pub fn before(&self, gil: Gil<'_>) -> Option<&'static T> {
        let (made_in, value) = self.0.get(gil).get()?;
        (made_in != interpreter::number(gil)).then_some(value)
    }
}

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State::new()
    }
}
