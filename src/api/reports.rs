//! What the server counts and does: for the program, for a master, for the access log.

#![forbid(unsafe_code)]

use crate::py::{Arguments, Gil, Object, Owned, Result, container, number, text};
use crate::scoreboard;
use crate::server::registry::registry;
use crate::server::slow_calls::{Call, Called};
use crate::sys::{fork, signal};

/// `stats()`.
pub fn stats(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "stats")?;
    let registry = registry(gil);
    let all = container::dict(gil)?;
    let mut counters = registry.stats.list();
    counters.push(("deferred", registry.deferred.queued() as u64));
    for (name, value) in counters {
        let name = text::native(gil, name.as_bytes())?;
        all.dict_set(gil, &name, &*number::int(gil, value as i64)?)?;
    }
    let calls = container::list(gil)?;
    // In a forked child what the monitor held at that moment is never given up.
    if let Some(reactor) = registry.reactor().filter(|_| !fork::is_child()) {
        for call in reactor.watch.calls() {
            calls.list_append(gil, &*call_in_flight(gil, &call)?)?;
        }
    }
    all.dict_set(gil, &*text::native(gil, b"calls")?, &calls)?;
    Ok(all)
}

/// A call as `stats()` shows it.
fn call_in_flight(gil: Gil<'_>, call: &Call) -> Result<Owned> {
    let shown = container::dict(gil)?;
    let (method, target, client) = match &*call.called {
        Called::Request {
            method,
            target,
            client,
        } => (method.as_str(), target.as_str(), client.as_str()),
        Called::Timer => ("", "timer", ""),
        Called::Deferred => ("", "deferred call", ""),
    };
    for (name, value) in [("method", method), ("target", target), ("client", client)] {
        let value = text::native(gil, value.as_bytes())?;
        shown.dict_set(gil, &*text::native(gil, name.as_bytes())?, &value)?;
    }
    let seconds = number::float(gil, call.seconds())?;
    shown.dict_set(gil, &*text::native(gil, b"seconds")?, &seconds)?;
    Ok(shown)
}

/// `share(descriptor, offset)`, `share(descriptor, offset, first, used)`.
pub fn share(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let place = |object: &Object| -> Result<u64> {
        Ok(u64::try_from(object.to_int(gil)?).unwrap_or(u64::MAX))
    };
    let (fd, offset, others) = if arguments.count() == 4 {
        let [fd, offset, first, used] = arguments.exactly(gil, "share")?;
        (fd, offset, Some((place(first)?, place(used)?)))
    } else {
        let [fd, offset] = arguments.exactly(gil, "share")?;
        (fd, offset, None)
    };
    let fd = i32::try_from(fd.to_int(gil)?).unwrap_or(-1);
    match scoreboard::share(fd, place(offset)?, others) {
        Ok(true) => {
            // Who shares is a master's worker.
            signal::expect_copies();
            Ok(Owned::none(gil))
        }
        Ok(false) => Err(registry(gil).error(gil, "share() was called before")),
        Err(error) => Err(registry(gil).error(gil, &format!("cannot share: {error}"))),
    }
}

/// `slot_fields()`.
pub fn slot_fields(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "slot_fields")?;
    let names = scoreboard::WORDS
        .iter()
        .map(|(_, name, _)| text::native(gil, name.as_bytes()))
        .collect::<Result<Vec<Owned>>>()?;
    let names: Vec<&Object> = names.iter().map(|name| &**name).collect();
    container::tuple(gil, &names)
}

/// `reopen_access_log()`.
pub fn reopen_access_log(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "reopen_access_log")?;
    // In a forked child what the monitor held at that moment is never given up.
    if let Some(reactor) = registry(gil).reactor().filter(|_| !fork::is_child())
        && let Some(log) = &reactor.log
    {
        log.reopen(gil)?;
    }
    Ok(Owned::none(gil))
}
