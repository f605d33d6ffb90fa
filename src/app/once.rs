//! What is made once an interpreter, at its first use: classes, constants, tables.

#![forbid(unsafe_code)]

use std::cell::OnceCell;

use crate::py::{Gil, GilCell, Result};

/// A value of the interpreter's; usable in a `static`.
pub struct Once<T>(GilCell<OnceCell<T>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Once::new()
    }
}

impl<T> Once<T> {
    /// Not made yet.
    pub const fn new() -> Self {
        Once(GilCell::new(OnceCell::new()))
    }

    /// The value, if it was made.
    pub fn made<'g>(&'g self, gil: Gil<'g>) -> Option<&'g T> {
        self.0.get(gil).get()
    }

    /// The value, made by `make` where there is none.
    pub fn get<'g>(
        &'g self,
        gil: Gil<'g>,
        make: impl FnOnce(Gil<'g>) -> Result<T>,
    ) -> Result<&'g T> {
        let cell = self.0.get(gil);
        if let Some(made) = cell.get() {
            return Ok(made);
        }
        // Making it may run Python code that comes here, too: the first one stays.
        let made = make(gil)?;
        Ok(cell.get_or_init(|| made))
    }
}
