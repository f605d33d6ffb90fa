//! The functions that `include/evwsgi.h` declares: the entry points that the import system, or a C
//! program that embeds Python (`PyImport_AppendInittab`), calls.

use std::ffi::c_char;

use crate::module::Evwsgi;
use crate::py::module::{RawObject, initialise};

/// The version of this library, a constant that ends in NUL.
#[unsafe(no_mangle)]
pub extern "C" fn evwsgi_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The definition of the module `_evwsgi`, for Python 3, of which the import system makes the module (PEP
/// 489); NULL with an exception set where there is none.
///
/// # Safety
/// The interpreter calls it, with its lock held; or `PyImport_AppendInittab` is given it.
#[cfg(feature = "python3")]
#[allow(non_snake_case)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__evwsgi() -> *mut RawObject {
    // SAFETY: the caller's.
    unsafe { initialise::<Evwsgi>() }
}

/// Makes the module `_evwsgi`, for Python 2.7; an exception is set where it cannot.
///
/// # Safety
/// The interpreter calls it, with its lock held; or `PyImport_AppendInittab` is given it.
#[cfg(feature = "python2")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn init_evwsgi() {
    // SAFETY: the caller's. The module is in `sys.modules`; the reference of ours is kept for ever.
    let _module: *mut RawObject = unsafe { initialise::<Evwsgi>() };
}
