//! The C-API under one set of names, whichever Python this is built for.

#[cfg(feature = "python2")]
pub use super::ffi2::*;
#[cfg(feature = "python3")]
pub use pyo3_ffi::*;
