//! Peers that a setting trusts: addresses and networks.
//!
//! The kernel's word counts, never a field of the request.

#![forbid(unsafe_code)]

use std::net::IpAddr;

use crate::sys::peer::Peer;

/// Who is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks {
    every: bool,
    list: Vec<(IpAddr, u32)>,
}

/// This machine, over TCP.
const LOCAL: [&str; 2] = ["127.0.0.1", "::1"];

impl Default for Networks {
    /// This machine, over TCP and unix sockets.
    fn default() -> Networks {
        Networks::parse(LOCAL.into_iter()).expect("they are addresses")
    }
}

impl Networks {
    /// Addresses, `ADDRESS/BITS`, or `*`; an error is the word that is none of these.
    pub fn parse<'w>(words: impl Iterator<Item = &'w str>) -> Result<Networks, &'w str> {
        let (mut every, mut list) = (false, Vec::new());
        for word in words.map(str::trim).filter(|word| !word.is_empty()) {
            if word == "*" {
                every = true;
            } else {
                list.push(network(word).ok_or(word)?);
            }
        }
        Ok(Networks { every, list })
    }

    /// Whether `peer` is one of them. The peer of a unix socket has no address: it is where this
    /// machine's own addresses are.
    pub fn contain(&self, peer: &Peer) -> bool {
        match peer {
            _ if self.every => true,
            Peer::Unix => LOCAL.iter().all(|local| self.has(local.parse().ok())),
            Peer::Inet(address) => self.has(Some(address.ip())),
        }
    }

    /// Whether this address is one of them.
    pub fn contain_address(&self, address: IpAddr) -> bool {
        self.every || self.has(Some(address))
    }

    fn has(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| {
            let mut networks = self.list.iter();
            networks.any(|&(network, bits)| is_in(address, network, bits))
        })
    }
}

fn network(word: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match word.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (word, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
        Some(_) => return None,
        None => most,
    };
    if bits > most {
        return None;
    }
    // The clients of a dual-stack socket are IPv4 here.
    match address {
        IpAddr::V6(v6) if bits >= 96 && v6.to_ipv4_mapped().is_some() => {
            Some((v6.to_ipv4_mapped()?.into(), bits - 96))
        }
        _ => Some((address, bits)),
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            (a.to_bits() ^ n.to_bits())
                .checked_shr(32 - bits)
                .unwrap_or(0)
                == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            (a.to_bits() ^ n.to_bits())
                .checked_shr(128 - bits)
                .unwrap_or(0)
                == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(words: &str, address: &str) -> bool {
        let peer = Peer::Inet((address.parse::<IpAddr>().unwrap(), 1).into());
        Networks::parse(words.split(',')).unwrap().contain(&peer)
    }

    #[test]
    fn an_address_is_in_its_networks() {
        for (words, address, expected) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.0.0.0/8, 192.168.1.0/24", "192.168.1.9", true),
            ("10.0.0.0/8,192.168.1.0/24", "192.168.2.9", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("", "127.0.0.1", false),
            ("*", "8.8.8.8", true),
        ] {
            assert_eq!(contain(words, address), expected, "{words} {address}");
        }
    }

    #[test]
    fn a_unix_socket_is_where_this_machine_is() {
        assert!(Networks::default().contain(&Peer::Unix));
        for (words, expected) in [("*", true), ("10.0.0.1", false), ("", false)] {
            let networks = Networks::parse(words.split(',')).unwrap();
            assert_eq!(networks.contain(&Peer::Unix), expected, "{words}");
        }
    }

    #[test]
    fn other_words_are_errors() {
        for word in [
            "localhost",
            "10.0.0.0/33",
            "10.0.0.1/",
            "10.0.0.1/+8",
            "::/129",
            "/8",
            "1.2.3",
        ] {
            let whole = format!("127.0.0.1,{word}");
            let parsed = Networks::parse(whole.split(','));
            assert_eq!(parsed, Err(word));
        }
    }
}
