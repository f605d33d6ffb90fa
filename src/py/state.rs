//! What the module keeps for an interpreter: made anew when it is imported into another one.
//!
//! A program that embeds Python may end the interpreter and start a new one in the same process. Objects
//! of the old one are not to be touched then, not even to release them: what was kept for it is left where
//! it is. Interpreters beside the main one (`Py_NewInterpreter`) are rejected: objects of several would meet in
//! what the process has once, the loop and its callbacks.

use std::cell::Cell;

use super::call::import;
use super::ffi;
use super::gil::{Gil, GilCell};
use super::kinds::Kind;
use super::names::interned;
use super::object::Owned;
use super::raised::{Raised, Result};

/// How many interpreters the module was imported into.
static INTERPRETERS: GilCell<Cell<u32>> = GilCell::new(Cell::new(0));

/// The module is imported. Whether that is the first time in this interpreter: the same library may be
/// imported under two names, which share all that it keeps.
///
/// Raises `ImportError` in an interpreter that is not the main one.
pub fn enter_interpreter(gil: Gil<'_>) -> Result<bool> {
    expect_main(gil)?;
    // Named by the library's place in memory: a copy of it in another file is another module.
    let name = format!("_fapws_{:x}\0", (&raw const INTERPRETERS).addr());
    let name = std::ffi::CStr::from_bytes_with_nul(name.as_bytes()).unwrap_or(c"_fapws");
    let (sys, name) = (import(gil, c"sys")?, interned(gil, name)?);
    if sys.optional_attr(gil, &name)?.is_some() {
        return Ok(false);
    }
    sys.set_attr(gil, &name, &Owned::boolean(gil, true))?;
    INTERPRETERS.get(gil).update(|count| count + 1);
    Ok(true)
}

/// Raises `ImportError` in an interpreter that is not the main one. Python 2 runs a module's code in the first
/// interpreter that imports it, and copies what came of it into others: there each function asks.
pub(super) fn expect_main(gil: Gil<'_>) -> Result<()> {
    if is_main() {
        return Ok(());
    }
    let message = "fapws._evwsgi serves the main interpreter only, and this is another one";
    Err(Raised::new(gil, Kind::ImportError, message))
}

#[cfg(feature = "python3")]
fn is_main() -> bool {
    // Identifiers are counted from the main one's, which is 0. (`PyInterpreterState_Main` is not in the
    // stable ABI, which the wheel keeps to.)
    // SAFETY: the lock is held, as a module is imported; both calls only read.
    unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) == 0 }
}

/// The main interpreter is the one that was made first: the list's last.
#[cfg(feature = "python2")]
fn is_main() -> bool {
    // SAFETY: the lock is held, as a module is imported or a function of it is called, so there is a thread state
    // with an interpreter, and the list of interpreters does not change.
    unsafe {
        let mut main = ffi::PyInterpreterState_Head();
        loop {
            let next = ffi::PyInterpreterState_Next(main);
            if next.is_null() {
                break;
            }
            main = next;
        }
        (*ffi::PyThreadState_Get()).interp == main
    }
}

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
        (made_in == INTERPRETERS.get(gil).get()).then_some(value)
    }

    /// Makes it: this value counts from now on, and as long as the interpreter lives.
    pub fn set(&self, gil: Gil<'_>, value: T) -> &'static T {
        let value: &'static T = Box::leak(Box::new(value));
        let made_in = INTERPRETERS.get(gil).get();
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
        (made_in != INTERPRETERS.get(gil).get()).then_some(value)
    }
}

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State::new()
    }
}
