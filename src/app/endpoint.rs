//! The address that a program gave to `start`, as its applications see it.

#![forbid(unsafe_code)]

use std::cell::OnceCell;

use crate::py::{Gil, Owned, Result, text};

/// The address that a program gave to `start`, as its applications see it.
pub struct Endpoint {
    /// `SERVER_NAME`.
    pub name: Owned,
    /// `SERVER_PORT`.
    pub port: Owned,
    /// The dict that the standard dialect's environ begins as; made at the first request.
    pub template: OnceCell<Owned>,
}

impl Endpoint {
    /// The endpoint of a listener.
    pub fn new(gil: Gil<'_>, name: &[u8], port: &[u8]) -> Result<Endpoint> {
        Ok(Endpoint {
            name: text::native(gil, name)?,
            port: text::native(gil, port)?,
            template: OnceCell::new(),
        })
    }
}
