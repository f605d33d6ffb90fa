//! The other side of a connection, as applications see it.

#![forbid(unsafe_code)]

use std::cell::OnceCell;

use crate::py::{Gil, Owned, Result, number, text};
use crate::sys::peer::Peer;

/// The other side of a connection, as applications see it.
pub struct Client {
    /// Its address.
    pub peer: Peer,
    /// Whether its `X-Forwarded-Proto` counts (`config.forwarded_allow_ips`).
    pub is_trusted: bool,
    address: OnceCell<Owned>,
    port: OnceCell<Owned>,
}

impl Client {
    /// The client at `peer`.
    pub fn new(peer: Peer, is_trusted: bool) -> Client {
        Client {
            peer,
            is_trusted,
            address: OnceCell::new(),
            port: OnceCell::new(),
        }
    }

    /// `REMOTE_ADDR`: empty for a unix socket.
    pub fn address(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(address) = self.address.get() {
            return Ok(address.own(gil));
        }
        let mut buffer = [0; 46];
        let made = text::native(gil, self.peer.address_text(&mut buffer).as_bytes())?;
        Ok(self.address.get_or_init(|| made).own(gil))
    }

    /// `REMOTE_PORT`, a string as CGI has it.
    pub fn port_text(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(port) = self.port.get() {
            return Ok(port.own(gil));
        }
        let made = text::native(gil, self.peer.port().to_string().as_bytes())?;
        Ok(self.port.get_or_init(|| made).own(gil))
    }

    /// `fapws.remote_port`, an int.
    pub fn port_number(&self, gil: Gil<'_>) -> Result<Owned> {
        number::int(gil, i64::from(self.peer.port()))
    }
}
