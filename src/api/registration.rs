//! What a program registers before it serves.

#![forbid(unsafe_code)]

use crate::api::arguments::{expect_callable, native_argument};
use crate::app::base::Base;
use crate::py::{Arguments, Gil, Kind, Owned, Raised, Result, number};
use crate::server::registry::registry;

/// `set_base_module(module)`.
pub fn set_base_module(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [module] = arguments.exactly(gil, "set_base_module")?;
    registry(gil).set_base(Base::new(gil, module)?);
    Ok(Owned::none(gil))
}

/// `wsgi_cb((uri, callable))`.
pub fn wsgi_cb(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [pair] = arguments.exactly(gil, "wsgi_cb")?;
    let registry = registry(gil);
    if registry.base().is_none() {
        return Err(registry.error(gil, "Base module not set"));
    }
    let (Some(uri), Some(callback), 2) = (pair.tuple_item(0), pair.tuple_item(1), pair.tuple_len())
    else {
        let message = "wsgi_cb() takes a tuple of a URI and a callable";
        return Err(Raised::new(gil, Kind::TypeError, message));
    };
    // Programs for the original's Python 3 branch give bytes.
    let uri = match uri.as_bytes() {
        Some(uri) => uri.to_vec(),
        None => native_argument(gil, uri, "the URI")?,
    };
    let callback = expect_callable(gil, callback, "the application")?;
    registry.routes.borrow_mut().add(&uri, callback);
    Ok(Owned::none(gil))
}

/// `wsgi_gen_cb(callable)`.
pub fn wsgi_gen_cb(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [callback] = arguments.exactly(gil, "wsgi_gen_cb")?;
    let callback = expect_callable(gil, callback, "the application")?;
    let replaced = registry(gil).routes.borrow_mut().set_generic(callback);
    drop(replaced);
    Ok(Owned::none(gil))
}

/// `on_ready(callable)`.
pub fn on_ready(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [callback] = arguments.exactly(gil, "on_ready")?;
    let callback = match callback.is_none() {
        true => None,
        false => Some(expect_callable(gil, callback, "the callback")?),
    };
    let replaced = registry(gil).on_ready.replace(callback);
    drop(replaced);
    Ok(Owned::none(gil))
}

/// `set_debug(int)`.
pub fn set_debug(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [level] = arguments.exactly(gil, "set_debug")?;
    let level = level.to_int(gil)?;
    if i32::try_from(level).is_err() {
        let message = "set_debug() takes a C int";
        return Err(Raised::new(gil, Kind::OverflowError, message));
    }
    registry(gil).debug.set(level);
    Ok(Owned::none(gil))
}

/// `get_debug()`.
pub fn get_debug(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "get_debug")?;
    number::int(gil, registry(gil).debug.get())
}
