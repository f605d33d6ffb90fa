//! The PROXY protocol, versions 1 and 2: what a proxy says of its client before the first request.
//!
//! The text of HAProxy's `doc/proxy-protocol.txt` is the standard. A receiver must not guess whether
//! the header is there: a client could forge one where its proxy sends none. So bytes that are no
//! header are malformed, and what is done with them is the caller's matter.
//!
//! Invariant: a header has 107 bytes at most in version 1 and 65,551 in version 2, and the result does
//! not depend on how the bytes were cut.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which versions a listener takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Versions {
    /// No header is expected.
    #[default]
    Off,
    /// The line of version 1.
    V1,
    /// The binary header of version 2.
    V2,
    /// Either.
    Auto,
}

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Its length, in bytes.
    pub length: usize,
    /// The client's address; `None` where the connection's own stays (`UNKNOWN`, `LOCAL`, a unix
    /// socket).
    pub source: Option<SocketAddr>,
}

/// The bytes are no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// How version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of version 2 before its addresses.
const FIXED: usize = 16;

/// How version 1 begins.
const WORD: &[u8] = b"PROXY ";

/// The longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;

/// Bytes of two addresses and two ports.
const INET: usize = 12;
/// The same of version 6.
const INET6: usize = 36;
/// Bytes of two paths of unix sockets.
const UNIX: usize = 216;

/// The type of the TLV that holds a checksum of the header.
const CRC32C: u8 = 0x03;

/// Looks for the header that `bytes` begins with; `None` while it is not whole.
///
/// # Errors
/// The bytes are none, or one of another version.
pub fn parse(versions: Versions, bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let begins = |word: &[u8]| {
        let length = word.len().min(bytes.len());
        bytes[..length] == word[..length]
    };
    match versions {
        Versions::V1 | Versions::Auto if begins(WORD) => line(bytes),
        Versions::V2 | Versions::Auto if begins(SIGNATURE) => binary(bytes),
        _ => Err(Malformed),
    }
}

/// Version 1: `PROXY TCP4 SOURCE DESTINATION PORT PORT`, in one line.
fn line(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let head = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = memchr::memchr(b'\n', head) else {
        return if head.len() < LONGEST_LINE {
            Ok(None)
        } else {
            Err(Malformed)
        };
    };
    let text = head[..end].strip_suffix(b"\r").ok_or(Malformed)?;
    let text = text.strip_prefix(WORD).ok_or(Malformed)?;
    Ok(Some(Header {
        length: end + 1,
        source: source_of_line(std::str::from_utf8(text).map_err(|_| Malformed)?)?,
    }))
}

fn source_of_line(text: &str) -> Result<Option<SocketAddr>, Malformed> {
    let mut words = text.split(' ');
    let family = words.next();
    if family == Some("UNKNOWN") {
        // What follows is to be ignored.
        return Ok(None);
    }
    let mut address = || -> Result<IpAddr, Malformed> {
        let word = words.next().ok_or(Malformed)?;
        match family {
            Some("TCP4") => word.parse().map(IpAddr::V4).map_err(|_| Malformed),
            Some("TCP6") => word.parse().map(IpAddr::V6).map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    };
    let (source, _) = (address()?, address()?);
    let mut port = || words.next().and_then(port_number).ok_or(Malformed);
    let (port, _) = (port()?, port()?);
    match words.next() {
        None => Ok(Some(SocketAddr::new(source.to_canonical(), port))),
        Some(_) => Err(Malformed),
    }
}

/// A port in decimal digits, with no zero before it.
fn port_number(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = word.len() == 1 || !word.starts_with('0');
    (is_plain && is_short).then(|| word.parse().ok())?
}

/// Version 2: signature, command, family, length, addresses, TLVs.
fn binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let [.., command, family, high, low] = *fixed;
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed),
    };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    let Some(header) = bytes.get(..length) else {
        return Ok(None);
    };
    if is_local {
        // The proxy speaks for itself: family, addresses and TLVs are to be ignored.
        return Ok(Some(Header {
            length,
            source: None,
        }));
    }
    let block = &header[FIXED..];
    let (source, rest) = match (family >> 4, family & 0x0f) {
        (0, 0) => (None, &[][..]),
        (1, 1 | 2) => split(block, INET, |addresses| {
            let &[a, b, c, d, _, _, _, _, high, low, ..] = addresses else {
                return None;
            };
            let port = u16::from_be_bytes([high, low]);
            Some((Ipv4Addr::new(a, b, c, d), port).into())
        })?,
        (2, 1 | 2) => split(block, INET6, |addresses| {
            let ip = Ipv6Addr::from(*addresses.first_chunk::<16>()?);
            let port = u16::from_be_bytes([*addresses.get(32)?, *addresses.get(33)?]);
            Some(SocketAddr::new(ip.to_canonical(), port))
        })?,
        (3, 1 | 2) => split(block, UNIX, |_| None)?,
        _ => return Err(Malformed),
    };
    check_tlvs(header, length - rest.len())?;
    Ok(Some(Header { length, source }))
}

/// What the addresses at the start of `block` say, and the TLVs behind them.
fn split(
    block: &[u8],
    size: usize,
    source: impl FnOnce(&[u8]) -> Option<SocketAddr>,
) -> Result<(Option<SocketAddr>, &[u8]), Malformed> {
    let (addresses, tlvs) = block.split_at_checked(size).ok_or(Malformed)?;
    Ok((source(addresses), tlvs))
}

/// Whether the TLVs from `at` on fill the header, and its checksum is right where it has one.
fn check_tlvs(header: &[u8], mut at: usize) -> Result<(), Malformed> {
    while let Some(tlv) = header.get(at..).filter(|rest| !rest.is_empty()) {
        let &[kind, high, low, ..] = tlv else {
            return Err(Malformed);
        };
        let value = at + 3;
        at = value + usize::from(u16::from_be_bytes([high, low]));
        let stated = header.get(value..at).ok_or(Malformed)?;
        if kind == CRC32C {
            let stated: [u8; 4] = stated.try_into().map_err(|_| Malformed)?;
            if checksum(header, value) != u32::from_be_bytes(stated) {
                return Err(Malformed);
            }
        }
    }
    Ok(())
}

/// CRC-32C (RFC 3720 section 12.1) of a header, with zeros for the four bytes of the checksum.
fn checksum(header: &[u8], stated_at: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !0;
    for (at, &byte) in header.iter().enumerate() {
        let is_stated = (stated_at..stated_at + 4).contains(&at);
        crc ^= u32::from(if is_stated { 0 } else { byte });
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v1(text: &str) -> Result<Option<Header>, Malformed> {
        parse(Versions::V1, text.as_bytes())
    }

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = (block.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, block].concat()
    }

    fn source(bytes: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
        let header = parse(Versions::Auto, bytes)?.expect("it is whole");
        assert_eq!(header.length, bytes.len());
        Ok(header.source)
    }

    fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind], &(value.len() as u16).to_be_bytes()[..], value].concat()
    }

    /// 10.0.0.1:80 to 10.0.0.2:81.
    const ADDRESSES: [u8; INET] = [10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 0, 81];

    #[test]
    fn a_line_names_the_client() {
        for (text, expected) in [
            ("TCP4 10.0.0.1 10.0.0.2 80 81", Some("10.0.0.1:80")),
            (
                "TCP4 255.255.255.255 255.255.255.255 65535 65535",
                Some("255.255.255.255:65535"),
            ),
            ("TCP6 2001:db8::1 ::1 0 81", Some("[2001:db8::1]:0")),
            ("TCP6 ::ffff:10.0.0.1 ::1 80 81", Some("10.0.0.1:80")),
            ("UNKNOWN", None),
            ("UNKNOWN whatever follows", None),
        ] {
            let bytes = format!("PROXY {text}\r\n");
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(source(bytes.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_lines_are_malformed() {
        for text in [
            "",
            "TCP4",
            "TCP5 10.0.0.1 10.0.0.2 80 81",
            "tcp4 10.0.0.1 10.0.0.2 80 81",
            "TCP4 10.0.0.1 10.0.0.2 80",
            "TCP4 10.0.0.1 10.0.0.2 80 81 ",
            "TCP4 10.0.0.1  10.0.0.2 80 81",
            "TCP4 10.0.0.1 10.0.0.2 80 65536",
            "TCP4 10.0.0.1 10.0.0.2 +80 81",
            "TCP4 10.0.0.1 10.0.0.2 080 81",
            "TCP4 10.0.0.1 10.0.0.2  81",
            "TCP4 10.0.0.01 10.0.0.2 80 81",
            "TCP4 ::1 ::1 80 81",
            "TCP6 10.0.0.1 10.0.0.2 80 81",
            "TCP6 fe80::1%eth0 ::1 80 81",
            "UNKNOWNS",
        ] {
            assert_eq!(v1(&format!("PROXY {text}\r\n")), Err(Malformed), "{text}");
        }
        assert_eq!(v1("PROXY UNKNOWN\n"), Err(Malformed));
        assert_eq!(v1("GET / HTTP/1.1\r\n"), Err(Malformed));
        assert_eq!(v1("PROXY\r\n"), Err(Malformed));
        assert_eq!(
            parse(Versions::Auto, b"PROXY UNKNOWN \xff\r\n"),
            Err(Malformed)
        );
    }

    #[test]
    fn a_line_has_107_bytes_at_most() {
        let line = |length: usize| format!("PROXY UNKNOWN{:1$}\r\n", "", length - 15);
        assert_eq!(v1(&line(107)).map(|found| found.unwrap().length), Ok(107));
        assert_eq!(v1(&line(108)), Err(Malformed));
        assert_eq!(v1(&line(107)[..106]), Ok(None));
    }

    #[test]
    fn a_binary_header_names_the_client() {
        let wide = |ip: &str| {
            let ip: Ipv6Addr = ip.parse().unwrap();
            [&ip.octets()[..], &[0; 16], &[0x1f, 0x90, 0, 81]].concat()
        };
        let with_tlvs = [&ADDRESSES[..], &tlv(4, b""), &tlv(0xea, b"vpce-1")].concat();
        for (header, expected) in [
            (v2(0x21, 0x11, &ADDRESSES), Some("10.0.0.1:80")),
            (v2(0x21, 0x12, &ADDRESSES), Some("10.0.0.1:80")),
            (v2(0x21, 0x11, &with_tlvs), Some("10.0.0.1:80")),
            (
                v2(0x21, 0x21, &wide("2001:db8::1")),
                Some("[2001:db8::1]:8080"),
            ),
            (
                v2(0x21, 0x21, &wide("::ffff:10.0.0.1")),
                Some("10.0.0.1:8080"),
            ),
            (v2(0x21, 0x31, &[b'/'; UNIX]), None),
            (v2(0x21, 0x00, b""), None),
            (v2(0x21, 0x00, b"ignored"), None),
            (v2(0x20, 0x00, b""), None),
            (v2(0x20, 0x11, &ADDRESSES), None),
            (v2(0x20, 0x77, b"ignored"), None),
            (v2(0x20, 0x00, &[0; 65535]), None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(source(&header), Ok(expected), "{header:x?}");
        }
    }

    #[test]
    fn other_binary_headers_are_malformed() {
        let cut = |tlv: &[u8]| [&ADDRESSES[..], tlv].concat();
        for header in [
            v2(0x11, 0x11, &ADDRESSES),
            v2(0x22, 0x11, &ADDRESSES),
            v2(0x21, 0x41, &ADDRESSES),
            v2(0x21, 0x13, &ADDRESSES),
            v2(0x21, 0x10, &ADDRESSES),
            v2(0x21, 0x01, &ADDRESSES),
            v2(0x21, 0x11, &ADDRESSES[..11]),
            v2(0x21, 0x21, &ADDRESSES),
            v2(0x21, 0x31, &ADDRESSES),
            v2(0x21, 0x11, &cut(&[4])),
            v2(0x21, 0x11, &cut(&[4, 0])),
            v2(0x21, 0x11, &cut(&[4, 0, 1])),
            v2(0x21, 0x11, &cut(&tlv(CRC32C, b"abc"))),
            v2(0x21, 0x11, &cut(&tlv(CRC32C, b"abcd"))),
        ] {
            assert_eq!(source(&header), Err(Malformed), "{header:x?}");
        }
    }

    #[test]
    fn a_checksum_is_checked() {
        // The check value of the polynomial, with nothing left out.
        assert_eq!(checksum(b"123456789", 100), 0xe306_9283);
        let stated_at = FIXED + INET + 3;
        let block = [&ADDRESSES[..], &tlv(CRC32C, &[0; 4]), &tlv(4, b"x")].concat();
        let mut header = v2(0x21, 0x11, &block);
        let right = checksum(&header, stated_at).to_be_bytes();
        header[stated_at..stated_at + 4].copy_from_slice(&right);
        assert!(source(&header).is_ok());
        let last = header.len() - 1;
        header[last] ^= 1;
        assert_eq!(source(&header), Err(Malformed));
    }

    #[test]
    fn a_version_that_is_not_taken_is_malformed() {
        let (one, two) = (&b"PROXY UNKNOWN\r\n"[..], &v2(0x20, 0, b"")[..]);
        for (versions, takes_one, takes_two) in [
            (Versions::Off, false, false),
            (Versions::V1, true, false),
            (Versions::V2, false, true),
            (Versions::Auto, true, true),
        ] {
            assert_eq!(parse(versions, one).is_ok(), takes_one, "{versions:?}");
            assert_eq!(parse(versions, two).is_ok(), takes_two, "{versions:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        /// What the headers say is what was put in, whatever follows and however they are cut.
        #[test]
        fn a_header_is_read_as_it_was_written(
            ip in any::<IpAddr>(),
            port in any::<u16>(),
            binary in any::<bool>(),
            tlvs in prop::collection::vec((4u8..=255, prop::collection::vec(any::<u8>(), 0..40)), 0..4),
            behind in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            let mut bytes = if binary {
                let family = if ip.is_ipv4() { 0x11 } else { 0x21 };
                let ports = [&port.to_be_bytes()[..], &[0, 1]].concat();
                let tlvs = tlvs.iter().flat_map(|(kind, value)| tlv(*kind, value));
                let tlvs: Vec<u8> = tlvs.collect();
                v2(0x21, family, &[octets(ip), octets(ip), ports, tlvs].concat())
            } else {
                let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
                format!("PROXY {family} {ip} {ip} {port} 1\r\n").into_bytes()
            };
            let length = bytes.len();
            bytes.extend_from_slice(&behind);
            for cut in 0..bytes.len() {
                let found = parse(Versions::Auto, &bytes[..cut]);
                prop_assert_eq!(found.map(|header| header.is_some()), Ok(cut >= length));
            }
            let expected = SocketAddr::new(ip.to_canonical(), port);
            let header = Header { length, source: Some(expected) };
            prop_assert_eq!(parse(Versions::Auto, &bytes), Ok(Some(header)));
        }

        /// The verdict on a piece holds for the whole.
        #[test]
        fn a_verdict_is_final(
            start in prop::sample::select(vec![
                b"PROXY TCP4 1.2.3.4 ".to_vec(),
                b"PROXY TCP6 ::1 ::2 1".to_vec(),
                v2(0x21, 0x11, &ADDRESSES),
                v2(0x20, 0x11, &ADDRESSES)[..15].to_vec(),
                Vec::new(),
            ]),
            rest in prop::collection::vec(prop::sample::select(&b"PROXY TC46.: 0123\r\n\0"[..]), 0..120),
        ) {
            let bytes = [start, rest].concat();
            let whole = parse(Versions::Auto, &bytes);
            for cut in 0..bytes.len() {
                match parse(Versions::Auto, &bytes[..cut]) {
                    Ok(None) => {}
                    verdict => prop_assert_eq!(verdict, whole),
                }
            }
        }
    }
}
