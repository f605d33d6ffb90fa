//! What a handler of a signal raises while the server itself runs Python code.
//!
//! Python calls handlers wherever its code runs, so that an exception which is meant for the program comes out of a
//! call of ours: a line's `write`, a traceback's formatting. It is kept until `run` can raise it.

#![forbid(unsafe_code)]

use crate::app::exclusive::Exclusive;
use crate::py::{Exception, Gil, Kind, Raised, Result, State};

/// The last that was kept, and not raised yet.
static KEPT: State<Exclusive<Exception>> = State::new();

fn keep(gil: Gil<'_>, exception: Exception) {
    match KEPT.get_or_try_make(gil, || Ok(Exclusive::default())) {
        Ok(kept) => kept.put(exception),
        Err(raised) => raised.clear(gil),
    }
}

/// Raises what was kept, in `run`.
pub fn raise(gil: Gil<'_>) -> Result<()> {
    match KEPT.get(gil).and_then(Exclusive::take) {
        Some(exception) => Err(exception.restore(gil)),
        None => Ok(()),
    }
}

/// A call failed whose own failures matter to nobody. What is no `Exception` is none of them, nor what
/// a handler of a signal raised. Whether it was a failure.
pub fn ignore_failure(gil: Gil<'_>, raised: Raised) -> bool {
    let exception = Exception::take(gil, raised);
    let is_failure = exception.is(gil, Kind::Exception) && !exception.is_of_signal_handler(gil);
    if !is_failure {
        keep(gil, exception);
    }
    is_failure
}

/// What `make` makes by Python code. What succeeds when it is done again was interrupted by a handler, but for want of
/// memory, which comes and goes by itself.
pub fn make_despite<T>(gil: Gil<'_>, make: impl Fn() -> Result<T>) -> Result<T> {
    make().or_else(|raised| {
        let exception = Exception::take(gil, raised);
        let made = make();
        if made.is_ok() && !exception.is(gil, Kind::MemoryError) {
            keep(gil, exception);
        }
        made
    })
}
