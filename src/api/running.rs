//! The run, and what ends it.

#![forbid(unsafe_code)]

use crate::py::{Arguments, Gil, Owned, Result};
use crate::server::ready::Ready;
use crate::server::registry::registry;
use crate::server::serve::serve;

/// `run()`.
pub fn run(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "run")?;
    serve(gil)?;
    Ok(Owned::none(gil))
}

/// `stop()`.
pub fn stop(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "stop")?;
    if let Some(reactor) = registry(gil).reactor() {
        reactor.submit(Ready::Stop);
    }
    Ok(Owned::none(gil))
}
