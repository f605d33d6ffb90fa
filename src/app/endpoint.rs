//! The address that a program gave to `start`, as its applications see it.

#![forbid(unsafe_code)]

use std::borrow::Cow;

use crate::app::exclusive::Exclusive;
use crate::config::Config;
use crate::py::{Gil, Owned, Result, text};
use crate::sys::fork;

/// The address of a listener.
pub struct Endpoint {
    /// As it was given, for the legacy dialect.
    pub given: Address,
    /// Such that a URL can be made of it, as PEP 3333 has it.
    pub standard: Address,
    /// What environs of the standard dialect begin as.
    pub template: Exclusive<EnvironTemplate>,
}

/// `SERVER_NAME` and `SERVER_PORT`.
pub struct Address {
    /// `SERVER_NAME`.
    pub name: Owned,
    /// `SERVER_PORT`.
    pub port: Owned,
}

/// A dict that environs begin as, and what of the run is in it.
pub struct EnvironTemplate {
    /// The dict.
    pub environ: Owned,
    /// `SERVER_SOFTWARE`.
    pub software: Owned,
    /// What else calls the application.
    pub surroundings: Surroundings,
}

/// Who may call the application meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Surroundings {
    /// Other threads: `wsgi.multithread`.
    pub multithread: bool,
    /// Other processes: `wsgi.multiprocess`.
    pub multiprocess: bool,
}

impl Surroundings {
    /// Those of a run.
    pub fn of(config: &Config) -> Surroundings {
        Surroundings {
            multithread: config.threads > 1,
            multiprocess: config.multiprocess.unwrap_or_else(fork::was_seen),
        }
    }
}

impl Endpoint {
    /// The endpoint of a listener.
    pub fn new(gil: Gil<'_>, name: &[u8], port: &[u8]) -> Result<Endpoint> {
        let address = |name: &[u8], port: &[u8]| -> Result<Address> {
            Ok(Address {
                name: text::native(gil, name)?,
                port: text::native(gil, port)?,
            })
        };
        let (url_name, url_port) = url_parts(name, port);
        Ok(Endpoint {
            given: address(name, port)?,
            standard: address(&url_name, url_port)?,
            template: Exclusive::default(),
        })
    }
}

/// Host and port of a URL: neither is ever empty (PEP 3333), an IPv6 address stands in brackets (RFC 3986
/// section 3.2.2), and a unix socket is behind a proxy on this machine.
fn url_parts<'a>(name: &'a [u8], port: &'a [u8]) -> (Cow<'a, [u8]>, &'a [u8]) {
    if port.starts_with(b"unix") || name.starts_with(b"/") || name.starts_with(b"\0") {
        return (Cow::Borrowed(b"localhost"), b"80");
    }
    let port = if port.is_empty() { b"80" } else { port };
    let name = match name {
        b"" => Cow::Borrowed(&b"localhost"[..]),
        [b'[', ..] => Cow::Borrowed(name),
        _ if name.contains(&b':') => Cow::Owned([b"[", name, b"]"].concat()),
        _ => Cow::Borrowed(name),
    };
    (name, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_can_be_made_of_each_address() {
        for (name, port, host, number) in [
            ("example.org", "8080", "example.org", "8080"),
            ("0.0.0.0", "80", "0.0.0.0", "80"),
            ("::1", "8080", "[::1]", "8080"),
            ("[::1]", "8080", "[::1]", "8080"),
            ("/run/app.sock", "unix", "localhost", "80"),
            ("/run/app.sock", "unix:", "localhost", "80"),
            ("\0app", "unix", "localhost", "80"),
            ("/run/app.sock", "", "localhost", "80"),
            ("", "", "localhost", "80"),
            ("", "8080", "localhost", "8080"),
        ] {
            let (found, port) = url_parts(name.as_bytes(), port.as_bytes());
            assert_eq!((&*found, port), (host.as_bytes(), number.as_bytes()));
        }
    }
}
