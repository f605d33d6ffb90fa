//! Timers and deferred calls.

#![forbid(unsafe_code)]

use crate::api::arguments::expect_callable;
use crate::app::console;
use crate::py::{Arguments, Gil, Kind, Owned, Raised, Result, number, threads};
use crate::server::ready::Ready;
use crate::server::registry::registry;

/// `add_timer(delay, callable)`.
pub fn add_timer(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [delay, callback] = arguments.exactly(gil, "add_timer")?;
    let delay = delay.to_float(gil)?;
    let callback = expect_callable(gil, callback, "the timer's callback")?;
    if delay < 0.0 || !delay.is_finite() {
        let message = "the delay must be a number of seconds, not below 0";
        return Err(Raised::new(gil, Kind::ValueError, message));
    }
    let registry = registry(gil);
    let dialect = registry.dialect(gil)?;
    if let Some(most) = dialect.most_timers()
        && registry.timers.count() >= most
    {
        console::print_line(
            gil,
            &format!("Limit of maximum {most} timers has been reached"),
        );
        return number::int(gil, most as i64);
    }
    let count = registry.timers.add(delay, callback);
    if dialect.timers_start_at_once() {
        start_timer(gil, count - 1);
    }
    number::int(gil, count as i64)
}

/// `stop_timer(index)`.
pub fn stop_timer(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let index = index(gil, arguments, "stop_timer")?;
    if !registry(gil).timers.stop(index) {
        return Err(Raised::new(gil, Kind::IndexError, "index out of range"));
    }
    Ok(Owned::none(gil))
}

/// `restart_timer(index)`.
pub fn restart_timer(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let index = index(gil, arguments, "restart_timer")?;
    if registry(gil).timers.stop(index) {
        start_timer(gil, index);
    } else {
        console::print_line(gil, "index out of range");
    }
    Ok(Owned::none(gil))
}

/// Starts a timer while the loop runs: in its own threads at once, from another by way of it.
fn start_timer(gil: Gil<'_>, index: usize) {
    let registry = registry(gil);
    let Some(reactor) = registry.reactor() else {
        return;
    };
    if threads::is_serving() {
        registry.timers.start(index);
        reactor.wake_if_waiting();
    } else {
        reactor.submit(Ready::StartTimer(index));
    }
}

fn index(gil: Gil<'_>, arguments: &Arguments<'_>, function: &str) -> Result<usize> {
    let [index] = arguments.exactly(gil, function)?;
    // Below zero is out of range too.
    Ok(usize::try_from(index.to_int(gil)?).unwrap_or(usize::MAX))
}

/// `defer(callable, argument, combine)`.
pub fn defer(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [callable, argument, combine] = arguments.exactly(gil, "defer")?;
    let callable = expect_callable(gil, callable, "the deferred function")?;
    registry(gil)
        .deferred
        .push(gil, callable, argument.own(gil), combine.is_true())?;
    if let Some(reactor) = registry(gil).reactor() {
        if threads::is_serving() {
            reactor.wake_if_waiting();
        } else {
            reactor.submit(Ready::Deferred);
        }
    }
    Ok(Owned::none(gil))
}

/// `defer_queue_size()`.
pub fn defer_queue_size(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "defer_queue_size")?;
    match registry(gil).deferred.queued() {
        0 => Ok(Owned::none(gil)),
        queued => number::int(gil, queued as i64),
    }
}
