//! The other side of a connection, as applications see it.

#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell};

use crate::py::{Gil, Owned, Result, number, text};
use crate::sys::peer::Peer;

/// The other side of a connection, as applications see it.
pub struct Client {
    /// Its address: the socket's, or what the PROXY protocol says.
    peer: Cell<Peer>,
    /// Whether the socket's peer is one of `config.forwarded_allow_ips`: its `X-Forwarded-Proto` counts.
    pub is_trusted: bool,
    address: OnceCell<Owned>,
    port: OnceCell<Owned>,
}

impl Client {
    /// The client at `peer`.
    pub fn new(peer: Peer, is_trusted: bool) -> Client {
        Client {
            peer: Cell::new(peer),
            is_trusted,
            address: OnceCell::new(),
            port: OnceCell::new(),
        }
    }

    /// A proxy that may do so says who the client is, before the first request.
    pub fn introduce(&self, client: Peer) {
        self.peer.set(client);
    }

    /// Its address.
    pub fn peer(&self) -> Peer {
        self.peer.get()
    }

    /// `REMOTE_ADDR`: empty for a unix socket.
    pub fn address(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(address) = self.address.get() {
            return Ok(address.own(gil));
        }
        let mut buffer = [0; 46];
        let made = text::native(gil, self.peer().address_text(&mut buffer).as_bytes())?;
        Ok(self.address.get_or_init(|| made).own(gil))
    }

    /// `REMOTE_PORT`, a string as CGI has it.
    pub fn port_text(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(port) = self.port.get() {
            return Ok(port.own(gil));
        }
        let made = text::native(gil, self.peer().port().to_string().as_bytes())?;
        Ok(self.port.get_or_init(|| made).own(gil))
    }

    /// `fapws.remote_port`, an int.
    pub fn port_number(&self, gil: Gil<'_>) -> Result<Owned> {
        number::int(gil, i64::from(self.peer().port()))
    }
}
