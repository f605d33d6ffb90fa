//! Where the server listens.

#![forbid(unsafe_code)]

use std::os::fd::AsRawFd;

use crate::api::arguments::native_argument;
use crate::app::console;
use crate::py::{Arguments, Gil, Kind, Object, Owned, Raised, Result, number, text};
use crate::server::listener::Origin;
use crate::server::registry::registry;
use crate::sys::listener::{ListenError, Listener};
use crate::sys::unix_listener::{self, Rights};

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

/// Why there is no listener, for people.
fn reason(error: &ListenError) -> String {
    let reason = match error {
        ListenError::Bind(reason) => reason.to_string(),
        other => other.to_string(),
    };
    // The number says nothing more to a reader than the words before it.
    let words = reason.split(" (os error").next();
    words.unwrap_or_default().to_owned()
}

/// Programs look for the words that a message begins with; the reason and the address come behind.
fn listen_error(gil: Gil<'_>, error: &ListenError, address: &str) -> Raised {
    let reason = reason(error);
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

/// `listen_unix(path, mode=-1, uid=-1, gid=-1)`.
pub fn listen_unix(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let Some(path) = arguments.get_or_keyword(gil, 0, "path") else {
        return Err(Raised::new(
            gil,
            Kind::TypeError,
            "listen_unix() needs a path",
        ));
    };
    let path = match path.as_bytes() {
        Some(path) => path.to_vec(),
        None => native_argument(gil, path, "path")?,
    };
    let option = |index, name| match arguments.get_or_keyword(gil, index, name) {
        Some(given) => Ok(u32::try_from(given.to_int(gil)?).ok()),
        None => Ok(None),
    };
    let rights = Rights {
        mode: option(1, "mode")?,
        uid: option(2, "uid")?,
        gid: option(3, "gid")?,
    };
    match unix_listener::listen_unix(&path, rights) {
        Ok(listener) => {
            let fd = listener.as_raw_fd();
            // It is the caller's.
            listener.disown();
            number::int(gil, i64::from(fd))
        }
        Err(error) => Err(registry(gil).error(gil, &reason(&error))),
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
