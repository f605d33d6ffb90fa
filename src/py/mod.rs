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
//!   the loop called us between [`threads::acquire`] and [`threads::release`], or [`threads`] took the lock.
//! - **A reference that is kept is an [`Owned`]**; `&Object` is a borrowed one, tied by its
//!   lifetime to the owner that keeps the object alive. Neither can leave its thread.
//! - **[`Raised`] means "a Python exception is set".** It is propagated to the interpreter, or
//!   taken with [`Exception::take`], in exactly one place.
//! - **No panic crosses into C**: each trampoline catches it and raises `SystemError`.
//! - Any call into Python can run anything, us included. No `&mut` of ours is alive across one.

pub mod bytes_builder;
pub mod call;
pub mod class;
mod collect;
pub mod container;
pub mod deferred_dict;
pub mod exception;
mod ffi;
#[cfg(feature = "python2")]
mod ffi2;
pub mod file;
pub mod frames;
pub mod gil;
#[cfg(all(feature = "python3", any(not(Py_3_14), feature = "abi3")))]
mod hanging;
mod instance;
pub mod interpreter;
pub mod kept;
pub mod kinds;
pub mod module;
pub mod names;
pub mod number;
pub mod object;
mod operations;
pub mod raised;
mod release;
mod slots;
pub mod spawn;
pub mod state;
pub mod stdio;
pub mod text;
pub mod threads;
pub mod types;
pub mod watch;

pub use call::Arguments;
pub use exception::Exception;
pub use gil::{Gil, GilCell};
pub use kept::{Kept, KeptBytes};
pub use kinds::Kind;
pub(crate) use names::names;
pub use object::{Object, Owned};
pub use raised::{Raised, Result};
pub use state::State;
pub use stdio as out;
