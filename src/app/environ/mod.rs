//! The environ, dialect by dialect.
//!
//! That of the standard dialect is a plain dict (PEP 3333), made natively in [`standard`]. A program's
//! own `Environ` class and the legacy dialect get theirs in [`parts`], by the methods of the class
//! ([`via_class`]).
//!
//! Invariant: an environ is whole before the application sees it; whatever is in it is owned by it.

#![forbid(unsafe_code)]

pub mod cache;
pub mod constants;
pub mod forwarded;
pub mod header_keys;
pub mod own_input;
pub mod parts;
pub mod standard;
pub mod template;
pub mod via_class;
