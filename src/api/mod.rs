//! The functions of the module: arguments unpacked and checked, the server called. What each takes,
//! returns and raises is in `docs/module.md`.
//!
//! Nothing is changed before every argument is known to be good.

#![forbid(unsafe_code)]

mod arguments;
pub mod callbacks;
pub mod formats;
pub mod listening;
pub mod registration;
pub mod reports;
pub mod running;
