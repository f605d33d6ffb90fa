//! Who is at the other end of a connection, as the kernel reports it.
//!
//! Invariant: an IPv4 client is IPv4 here, also when a dual-stack socket calls it `::ffff:a.b.c.d`:
//! programs compare `REMOTE_ADDR` with dotted addresses.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The longest text of an address, `INET6_ADDRSTRLEN`.
pub const TEXT_SIZE: usize = 46;

/// A client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The client of a unix socket, which has no address.
    Unix,
    /// The client of a TCP socket.
    Inet(SocketAddr),
}

impl Peer {
    /// The address without its port and scope, written into `buffer`; empty for a unix socket.
    pub fn address_text<'b>(&self, buffer: &'b mut [u8; TEXT_SIZE]) -> &'b str {
        let length = match self {
            Peer::Unix => 0,
            Peer::Inet(SocketAddr::V4(address)) => write_dotted(address.ip().octets(), buffer),
            Peer::Inet(SocketAddr::V6(address)) => {
                let mut rest = &mut buffer[..];
                write!(rest, "{}", address.ip()).expect("no address is longer");
                TEXT_SIZE - rest.len()
            }
        };
        std::str::from_utf8(&buffer[..length]).expect("an address is ASCII")
    }

    /// The client's port; 0 for a unix socket.
    pub fn port(&self) -> u16 {
        match self {
            Peer::Unix => 0,
            Peer::Inet(address) => address.port(),
        }
    }

    /// Reads what `accept` filled in. A family that is not IP is taken for one without address.
    pub(super) fn from_storage(storage: &libc::sockaddr_storage) -> Peer {
        match i32::from(storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that a `sockaddr_in` is there, and the storage is large
                // and aligned enough for every address.
                let v4: &libc::sockaddr_in = unsafe { &*(&raw const *storage).cast() };
                let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
                Peer::Inet((ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above, with `sockaddr_in6`.
                let v6: &libc::sockaddr_in6 = unsafe { &*(&raw const *storage).cast() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Peer::Inet(match ip.to_ipv4_mapped() {
                    Some(ip) => (ip, port).into(),
                    None => SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into(),
                })
            }
            _ => Peer::Unix,
        }
    }
}

/// Writes four numbers with points between them; how many bytes that are. As `Display` does, which
/// takes ten times as long.
fn write_dotted(octets: [u8; 4], buffer: &mut [u8; TEXT_SIZE]) -> usize {
    let mut length = 0;
    for (index, octet) in octets.into_iter().enumerate() {
        let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
        let zeros = usize::from(octet < 100) + usize::from(octet < 10);
        let point: &[u8] = if index == 0 { b"" } else { b"." };
        for &byte in point.iter().chain(&digits[zeros..]) {
            buffer[length] = byte;
            length += 1;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem;

    fn text(peer: Peer) -> String {
        peer.address_text(&mut [b'x'; TEXT_SIZE]).to_owned()
    }

    fn v6_storage(ip: &str, port: u16) -> libc::sockaddr_storage {
        // SAFETY: all zeros is a valid value of both plain structs.
        let (mut storage, mut v6): (libc::sockaddr_storage, libc::sockaddr_in6) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
        v6.sin6_port = port.to_be();
        v6.sin6_addr.s6_addr = ip.parse::<Ipv6Addr>().unwrap().octets();
        // SAFETY: the storage has room for it.
        unsafe { (&raw mut storage).cast::<libc::sockaddr_in6>().write(v6) };
        storage
    }

    #[test]
    fn a_unix_client_has_no_address() {
        assert_eq!(text(Peer::Unix), "");
        assert_eq!(Peer::Unix.port(), 0);
    }

    #[test]
    fn addresses_are_written_without_port_and_scope() {
        assert_eq!(
            text(Peer::Inet("192.168.100.200:80".parse().unwrap())),
            "192.168.100.200"
        );
        assert_eq!(
            text(Peer::Inet("[fe80::1%7]:80".parse().unwrap())),
            "fe80::1"
        );
        let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"
            .parse()
            .unwrap();
        assert_eq!(
            text(Peer::Inet(longest)),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        );
        assert_eq!(Peer::Inet(longest).port(), 65535);
    }

    #[test]
    fn every_octet_is_written_as_display_does() {
        for octet in 0..=255 {
            let address = Ipv4Addr::new(octet, 255 - octet, octet / 3, octet.wrapping_mul(7));
            assert_eq!(text(Peer::Inet((address, 80).into())), address.to_string());
        }
    }

    #[test]
    fn an_ipv4_client_of_a_dual_stack_socket_is_dotted() {
        let peer = Peer::from_storage(&v6_storage("::ffff:10.1.2.3", 4321));
        assert_eq!((text(peer).as_str(), peer.port()), ("10.1.2.3", 4321));
        let peer = Peer::from_storage(&v6_storage("2001:db8::1", 4321));
        assert_eq!((text(peer).as_str(), peer.port()), ("2001:db8::1", 4321));
    }
}
