//! The functions of the module: arguments unpacked and checked, the server called.
//!
//! `api.md` has what each takes, returns and raises. Nothing is changed before every argument is known
//! to be good.

#![forbid(unsafe_code)]

use crate::app::base::Base;
use crate::app::console;
use crate::app::params;
use crate::ev;
use crate::http::date::imf_fixdate;
use crate::py::{
    Arguments, Gil, Kind, Object, Owned, Raised, Result, container, number, text, threads,
};
use crate::scoreboard;
use crate::server::listener::Origin;
use crate::server::ready::Ready;
use crate::server::registry::registry;
use crate::server::serve::serve;
use crate::server::slow_calls::{Call, Called};
use crate::sys::fork;
use crate::sys::listener::{ListenError, Listener};

/// `start(host, port)`.
pub fn start(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "start")?;
    let registry = registry(gil);
    let malformed = || {
        registry.error(
            gil,
            "Failed to parse the start parameters. Must be 2 strings.",
        )
    };
    let (Some(host), Some(port), 2) = (arguments.get(0), arguments.get(1), arguments.count())
    else {
        return Err(malformed());
    };
    let Some(port) = port_text(gil, port)? else {
        return Err(malformed());
    };
    let unix = port.starts_with(b"unix");
    let host = match text::argument(gil, host)? {
        Some(host) => text::latin1(gil, &host).map(|host| host.to_vec()),
        None if unix => host.as_bytes().map(<[u8]>::to_vec),
        None => None,
    };
    let Some(host) = host else {
        return Err(malformed());
    };
    let origin = if unix {
        Origin::Unix(host.clone())
    } else {
        match (
            String::from_utf8(host.clone()),
            String::from_utf8(port.clone()),
        ) {
            (Ok(host), Ok(port)) if !host.contains('\0') && !port.contains('\0') => {
                Origin::Tcp(host, port)
            }
            _ => return Err(malformed()),
        }
    };
    let address = match host.split_first() {
        Some((0, name)) if unix => {
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            format!("@{}:unix", String::from_utf8_lossy(name))
        }
        _ => format!(
            "{}:{}",
            String::from_utf8_lossy(&host),
            String::from_utf8_lossy(&port)
        ),
    };
    // After a run that has closed its sockets it is the same listener again, and not a second one.
    let listens = registry
        .listeners
        .listen_again(&origin)
        .map_err(|error| listen_error(gil, &error, &address))?;
    if !listens {
        let listener = origin
            .listen()
            .map_err(|error| listen_error(gil, &error, &address))?;
        registry
            .listeners
            .add(gil, listener, origin, &host, &port)?;
    }
    console::print_line(gil, &format!("listen on {address}"));
    Ok(Owned::none(gil))
}

fn port_text(gil: Gil<'_>, port: &Object) -> Result<Option<Vec<u8>>> {
    // Old deployments pass an int.
    let port = if port.is_int() {
        port.str(gil)?
    } else {
        port.own(gil)
    };
    let port = text::argument(gil, &port)?;
    Ok(port.and_then(|port| text::latin1(gil, &port).map(|port| port.to_vec())))
}

/// Programs look for the words that a message begins with; the reason and the address come behind.
fn listen_error(gil: Gil<'_>, error: &ListenError, address: &str) -> Raised {
    let reason = match error {
        ListenError::Bind(reason) => reason.to_string(),
        other => other.to_string(),
    };
    // The number says nothing more to a reader than the words before it.
    let reason = reason.split(" (os error").next().unwrap_or_default();
    let message = match error {
        ListenError::Resolve(_) => format!("{reason} ({address})"),
        _ => format!("server: failed to bind: {reason} ({address})"),
    };
    registry(gil).error(gil, &message)
}

/// `start_fd(fd, name="", port="")`.
pub fn start_fd(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let registry = registry(gil);
    let Some(fd) = arguments.get_or_keyword(gil, 0, "fd") else {
        return Err(Raised::new(
            gil,
            Kind::TypeError,
            "start_fd() needs a descriptor",
        ));
    };
    let fd = i32::try_from(fd.to_int(gil)?).unwrap_or(-1);
    let word = |index, name| -> Result<Vec<u8>> {
        match arguments.get_or_keyword(gil, index, name) {
            Some(given) => native_argument(gil, given, name),
            None => Ok(Vec::new()),
        }
    };
    let (name, port) = (word(1, "name")?, word(2, "port")?);
    if registry.listeners.have(fd) {
        let message = format!("start_fd: descriptor {fd} is served already");
        return Err(registry.error(gil, &message));
    }
    let listener = Listener::adopt(fd).map_err(|error| registry.error(gil, &error.to_string()))?;
    registry
        .listeners
        .add(gil, listener, Origin::Adopted, &name, &port)?;
    Ok(Owned::none(gil))
}

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

/// `run()`.
pub fn run(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "run")?;
    serve(gil)?;
    Ok(Owned::none(gil))
}

/// `parse_query(str)`.
pub fn parse_query(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [query] = arguments.exactly(gil, "parse_query")?;
    let query = native_argument(gil, query, "the query")?;
    if query.contains(&0) {
        return Err(Raised::new(
            gil,
            Kind::TypeError,
            "the query must not hold NUL",
        ));
    }
    params::parse_query(gil, &query)
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

/// `libev_version()`.
pub fn libev_version(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "libev_version")?;
    let (major, minor) = ev::version();
    let (major, minor) = (
        number::int(gil, major.into())?,
        number::int(gil, minor.into())?,
    );
    container::tuple(gil, &[&major, &minor])
}

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

/// Starts a timer while the loop runs: in its own thread at once, from another by way of it.
fn start_timer(gil: Gil<'_>, index: usize) {
    let registry = registry(gil);
    if threads::is_serving() {
        registry.timers.start(index);
    } else if let Some(reactor) = registry.reactor() {
        reactor.submit(Ready::StartTimer(index));
    }
}

fn index(gil: Gil<'_>, arguments: &Arguments<'_>, function: &str) -> Result<usize> {
    let [index] = arguments.exactly(gil, function)?;
    // Below zero is out of range too.
    Ok(usize::try_from(index.to_int(gil)?).unwrap_or(usize::MAX))
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

/// `defer(callable, argument, combine)`.
pub fn defer(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [callable, argument, combine] = arguments.exactly(gil, "defer")?;
    let callable = expect_callable(gil, callable, "the deferred function")?;
    registry(gil)
        .deferred
        .push(gil, callable, argument.own(gil), combine.is_true())?;
    if !threads::is_serving()
        && let Some(reactor) = registry(gil).reactor()
    {
        reactor.submit(Ready::Deferred);
    }
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

/// `defer_queue_size()`.
pub fn defer_queue_size(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "defer_queue_size")?;
    match registry(gil).deferred.queued() {
        0 => Ok(Owned::none(gil)),
        queued => number::int(gil, queued as i64),
    }
}

/// `rfc1123_date(seconds)`.
pub fn rfc1123_date(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [seconds] = arguments.exactly(gil, "rfc1123_date")?;
    let seconds = if seconds.is_int() {
        Some(seconds.to_int(gil)?)
    } else {
        // Truncated towards zero; a number too large saturates, and is out of range then.
        let seconds = seconds.to_float(gil)?;
        (!seconds.is_nan()).then_some(seconds as i64)
    };
    match seconds.and_then(imf_fixdate) {
        Some(date) => text::native(gil, &date),
        None => Err(Raised::new(
            gil,
            Kind::ValueError,
            "the time is out of range",
        )),
    }
}

/// `socket_fd()`.
pub fn socket_fd(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "socket_fd")?;
    number::long(
        gil,
        i64::from(registry(gil).listeners.last_descriptor().unwrap_or(-1)),
    )
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
        Ok(true) => Ok(Owned::none(gil)),
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

fn native_argument(gil: Gil<'_>, given: &Object, what: &str) -> Result<Vec<u8>> {
    let given = text::argument(gil, given)?;
    let bytes = given.and_then(|given| text::latin1(gil, &given).map(|bytes| bytes.to_vec()));
    bytes.ok_or_else(|| Raised::new(gil, Kind::TypeError, &format!("{what} must be a str")))
}

/// Whether `object` can be called; a `TypeError` that names it otherwise.
fn expect_callable(gil: Gil<'_>, object: &Object, what: &str) -> Result<Owned> {
    if object.is_callable() {
        return Ok(object.own(gil));
    }
    Err(Raised::new(
        gil,
        Kind::TypeError,
        &format!("{what} must be callable"),
    ))
}
