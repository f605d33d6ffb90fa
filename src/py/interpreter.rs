//! The interpreter that the module serves: the main one, of which a process may have several after one another.
//!
//! Interpreters beside the main one (`Py_NewInterpreter`) are rejected: objects of several would meet in
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
pub fn enter(gil: Gil<'_>) -> Result<bool> {
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

/// The number of this interpreter, by which what was kept for one before is known.
pub(super) fn number(gil: Gil<'_>) -> u32 {
    INTERPRETERS.get(gil).get()
}
