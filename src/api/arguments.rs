//! Checks of arguments that several functions take.

#![forbid(unsafe_code)]

use crate::py::{Gil, Kind, Object, Owned, Raised, Result, text};

pub fn native_argument(gil: Gil<'_>, given: &Object, what: &str) -> Result<Vec<u8>> {
    let given = text::argument(gil, given)?;
    let bytes = given.and_then(|given| text::latin1(gil, &given).map(|bytes| bytes.to_vec()));
    bytes.ok_or_else(|| Raised::new(gil, Kind::TypeError, &format!("{what} must be a str")))
}

/// Whether `object` can be called; a `TypeError` that names it otherwise.
pub fn expect_callable(gil: Gil<'_>, object: &Object, what: &str) -> Result<Owned> {
    if object.is_callable() {
        return Ok(object.own(gil));
    }
    Err(Raised::new(
        gil,
        Kind::TypeError,
        &format!("{what} must be callable"),
    ))
}
