//! The CPython island: the only place that names a C-API symbol.
//!
//! # Two Pythons, one vocabulary
//!
//! Python 3.9 and later is reached through `pyo3-ffi`, Python 2.7 through the declarations of
//! `ffi2`, which has the frozen ABI of 2.7 under the same names. What differs between them (the
//! native string, the file object, the type object, the way a call is made) is settled in the
//! file that owns the matter, so that everything above this island is written once.
//!
//! # The rules that make the surface safe
//!
//! - **The interpreter lock is an argument.** A [`Gil`] proves that the calling thread holds it.
//!   It can be had in three ways: the interpreter called us ([`module`] and [`types`] make one),
//!   the loop called us between [`threads::acquire`] and [`threads::release`], or it was asked for.
//! - **A reference that is kept is an [`Owned`]**; `&Object` is a borrowed one, tied by its
//!   lifetime to whoever keeps the object alive. Neither can leave its thread.
//! - **[`Raised`] means "a Python exception is set".** It is propagated to the interpreter, or
//!   taken with [`error::Exception::take`], in exactly one place.
//! - **No panic crosses into C**: each trampoline catches it and raises `SystemError`.
//! - Any call into Python can run anything, us included. No `&mut` of ours is alive across one.

#[cfg(feature = "python2")]
mod ffi2;
#[cfg(feature = "python2")]
use ffi2 as ffi;
#[cfg(feature = "python3")]
use pyo3_ffi as ffi;

pub mod call;
pub mod class;
pub mod container;
pub mod error;
pub mod file;
pub mod kept;
pub mod module;
pub mod names;
pub mod number;
pub mod object;
pub mod out;
pub mod spawn;
pub mod text;
pub mod threads;
pub mod types;

pub use call::Arguments;
pub use error::{Exception, Kind, Raised, Result};
pub use kept::{Kept, KeptBytes};
pub use names::names;
pub use object::{Gil, GilCell, Object, Owned};
