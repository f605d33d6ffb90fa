//! What is made once an interpreter, at its first use: classes, constants, tables.

#![forbid(unsafe_code)]

use crate::py::{Gil, Result, State};

/// A value of the interpreter's; usable in a `static`.
pub struct Once<T: 'static>(State<T>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Once::new()
    }
}

impl<T> Once<T> {
    /// Not made yet.
    pub const fn new() -> Self {
        Once(State::new())
    }

    /// The value, if it was made.
    pub fn made<'g>(&'g self, gil: Gil<'g>) -> Option<&'g T> {
        self.0.get(gil)
    }

    /// Makes it `value`, unless it was made already.
    pub fn fill(&self, gil: Gil<'_>, value: T) {
        if self.made(gil).is_none() {
            self.0.set(gil, value);
        }
    }

    /// The value, made by `make` where there is none.
    pub fn get<'g>(
        &'g self,
        gil: Gil<'g>,
        make: impl FnOnce(Gil<'g>) -> Result<T>,
    ) -> Result<&'g T> {
        self.0.get_or_try_make(gil, || make(gil))
    }
}
