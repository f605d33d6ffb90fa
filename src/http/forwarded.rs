//! What proxies say of the client: the `X-Forwarded-` fields, and `Forwarded` (RFC 7239).
//!
//! A list is read from its right end, where the nearest proxy wrote: the first hop that is not trusted
//! is the client. What cannot be read ends the trust there; it rejects no request.
//! `fapws/contrib/proxyfix.py` reads them the same way.
//!
//! The `X-Forwarded-` fields count where there are any, and `Forwarded` where there are none: a proxy
//! sets the kind that it knows.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv6Addr};

use super::grammar::{decimal, is_token_byte, list_elements, target_run};

/// What is said of the client.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its address, and its port where that is said.
    pub address: Option<(IpAddr, Option<u16>)>,
    /// The scheme that it speaks.
    pub scheme: Option<Scheme>,
    /// The host that it asked for, with a port where it named one.
    pub host: Option<Vec<u8>>,
    /// The port that it asked at.
    pub port: Option<u16>,
    /// What the proxies took off the path: it begins with `/` and does not end with one.
    pub prefix: Option<Vec<u8>>,
}

/// A client's scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// As `wsgi.url_scheme` has it.
    pub fn text(self) -> &'static [u8] {
        match self {
            Scheme::Http => b"http",
            Scheme::Https => b"https",
        }
    }

    /// The port of a URL that names none.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    fn named(word: &[u8]) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|scheme| word.eq_ignore_ascii_case(scheme.text()))
    }
}

/// What the fields of a head say of the client, where the peer is trusted; `None`: nothing.
pub fn client<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    trusts: impl Fn(IpAddr) -> bool,
) -> Option<Said> {
    let mut lists = Lists::default();
    for (name, value) in fields {
        lists.add(name, value);
    }
    if lists.has_x_forwarded() {
        lists.last_trusted(trusts)
    } else {
        let hops = elements(&lists.forwarded);
        last_trusted(hops.into_iter().rev().map(Some), trusts)
    }
}

/// The client: the last of the hops, of which the nearest is first, that a trusted one speaks of. `None`
/// among them is one that cannot be read.
fn last_trusted(
    hops: impl Iterator<Item = Option<Said>>,
    trusts: impl Fn(IpAddr) -> bool,
) -> Option<Said> {
    let mut client = None;
    for hop in hops {
        let Some(hop) = hop else { break };
        let is_trusted = hop.address.is_some_and(|(address, _)| trusts(address));
        client = Some(hop);
        if !is_trusted {
            break;
        }
    }
    client
}

/// The elements of each field, in the order of the head.
#[derive(Default)]
struct Lists<'a> {
    addresses: Vec<&'a [u8]>,
    schemes: Vec<&'a [u8]>,
    hosts: Vec<&'a [u8]>,
    ports: Vec<&'a [u8]>,
    prefixes: Vec<&'a [u8]>,
    /// The values of `Forwarded`, as one.
    forwarded: Vec<u8>,
}

impl<'a> Lists<'a> {
    fn add(&mut self, name: &[u8], value: &'a [u8]) {
        const START: &[u8] = b"x-forwarded-";
        let rest = match name.split_at_checked(START.len()) {
            Some((start, rest)) if start.eq_ignore_ascii_case(START) => rest,
            _ => {
                if name.eq_ignore_ascii_case(b"forwarded") {
                    if !self.forwarded.is_empty() {
                        self.forwarded.extend_from_slice(b", ");
                    }
                    self.forwarded.extend_from_slice(value);
                }
                return;
            }
        };
        let list = match rest.to_ascii_lowercase().as_slice() {
            b"for" => &mut self.addresses,
            b"proto" => &mut self.schemes,
            b"host" => &mut self.hosts,
            b"port" => &mut self.ports,
            b"prefix" => &mut self.prefixes,
            _ => return,
        };
        if !value.is_empty() {
            list.extend(list_elements(value));
        }
    }

    fn others(&self) -> [&[&'a [u8]]; 4] {
        [&self.schemes, &self.hosts, &self.ports, &self.prefixes]
    }

    fn has_x_forwarded(&self) -> bool {
        !self.addresses.is_empty() || self.others().iter().any(|list| !list.is_empty())
    }

    /// Proxies add to the addresses and often set the others: what the nearest one says of them holds
    /// for hops of which nothing is said.
    fn last_trusted(&self, trusts: impl Fn(IpAddr) -> bool) -> Option<Said> {
        let mut said = Said::default();
        let hops = (0..self.addresses.len().max(1)).map(|index| {
            if let Some(word) = from_right(&self.schemes, index) {
                said.scheme = Scheme::named(word);
            }
            if let Some(word) = from_right(&self.hosts, index) {
                said.host = is_host(word).then(|| word.to_vec());
            }
            if let Some(word) = from_right(&self.ports, index) {
                said.port = port(word);
            }
            if let Some(word) = from_right(&self.prefixes, index) {
                said.prefix = prefix(word);
            }
            said.address = match from_right(&self.addresses, index) {
                Some(word) => Some(node(word)?),
                None => None,
            };
            Some(said.clone())
        });
        last_trusted(hops, trusts)
    }
}

fn from_right<'a>(list: &[&'a [u8]], index: usize) -> Option<&'a [u8]> {
    list.iter().rev().nth(index).copied()
}

/// The elements of `Forwarded`; none where any is malformed: where a quote is not closed, nobody knows
/// what is in it.
fn elements(mut value: &[u8]) -> Vec<Said> {
    let mut elements = Vec::new();
    let mut element = Element::default();
    while !value.is_empty() {
        let Some((name, text, rest)) = pair(value) else {
            return Vec::new();
        };
        if !element.set(name, text) {
            return Vec::new();
        }
        let (separator, rest) = rest.split_first().unwrap_or((&b',', b""));
        if *separator == b',' {
            elements.push(std::mem::take(&mut element).said);
        }
        value = rest;
    }
    elements
}

/// An element in the making, and the names of its parameters.
#[derive(Default)]
struct Element {
    said: Said,
    names: Vec<Vec<u8>>,
}

impl Element {
    /// Adds a parameter; false for one that was there before.
    fn set(&mut self, name: &[u8], value: Vec<u8>) -> bool {
        let name = name.to_ascii_lowercase();
        if self.names.contains(&name) {
            return false;
        }
        match name.as_slice() {
            // Obfuscated (`_hidden`) or unknown: a client, but one without an address.
            b"for" => self.said.address = node(&value),
            b"proto" => self.said.scheme = Scheme::named(&value),
            b"host" => self.said.host = is_host(&value).then_some(value),
            _ => {}
        }
        self.names.push(name);
        true
    }
}

/// A parameter's name and value, and what follows from the separator on: `token "=" ( token /
/// quoted-string )` (RFC 7239 section 4). A node with a port should be quoted; many that write one do
/// not.
fn pair(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let text = text.trim_ascii_start();
    let at = text.iter().position(|&byte| !is_token_byte(byte))?;
    let (name, rest) = text.split_at(at);
    let rest = rest.strip_prefix(b"=").filter(|_| !name.is_empty())?;
    let (value, rest) = match rest.strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted)?,
        None => {
            let is_part = |byte: u8| is_token_byte(byte) || b":[]".contains(&byte);
            let stop = rest.iter().position(|&byte| !is_part(byte));
            let (value, rest) = rest.split_at(stop.unwrap_or(rest.len()));
            (!value.is_empty()).then(|| (value.to_vec(), rest))?
        }
    };
    let rest = rest.trim_ascii_start();
    matches!(rest.first(), None | Some(b',' | b';')).then_some((name, value, rest))
}

/// The text of a quoted string behind its first quote, and what follows its last.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut value, mut bytes) = (Vec::new(), text.iter());
    loop {
        match bytes.next()? {
            b'"' => return Some((value, bytes.as_slice())),
            b'\\' => value.push(*bytes.next()?),
            byte => value.push(*byte),
        }
    }
}

/// The address and the port of a node (RFC 7239 section 6); an IPv6 address also without brackets.
fn node(word: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let word = std::str::from_utf8(word).ok()?;
    if let Ok(address) = word.parse::<IpAddr>() {
        return Some((address.to_canonical(), None));
    }
    let (address, port_text) = match word.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (IpAddr::V6(address.parse::<Ipv6Addr>().ok()?), rest)
        }
        None => {
            let (address, _) = word.split_once(':')?;
            (IpAddr::V4(address.parse().ok()?), &word[address.len()..])
        }
    };
    let port = match port_text.strip_prefix(':') {
        None if port_text.is_empty() => None,
        None => return None,
        Some(digits) => Some(port(digits.as_bytes())?),
    };
    Some((address.to_canonical(), port))
}

fn port(word: &[u8]) -> Option<u16> {
    let number = decimal(word).ok()?;
    u16::try_from(number).ok().filter(|&number| number > 0)
}

/// `uri-host [ ":" port ]` as far as it is harmless in a header or a URL.
fn is_host(word: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~-".contains(byte);
    let (host, rest) = match word.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = memchr::memchr(b']', rest) else {
                return false;
            };
            let text = std::str::from_utf8(&rest[..end]).unwrap_or_default();
            if text.parse::<Ipv6Addr>().is_err() {
                return false;
            }
            (&b"a"[..], &rest[end + 1..])
        }
        None => word.split_at(memchr::memchr(b':', word).unwrap_or(word.len())),
    };
    let port_is_valid = match rest {
        [] => true,
        [b':', digits @ ..] => port(digits).is_some(),
        _ => false,
    };
    !host.is_empty() && host.iter().all(is_plain) && port_is_valid
}

/// A path that a URL can begin with: `//host` would be another server's.
fn prefix(word: &[u8]) -> Option<Vec<u8>> {
    let end = word.iter().rposition(|&byte| byte != b'/')?;
    let word = &word[..=end];
    let is_path = word.starts_with(b"/") && !word.starts_with(b"//");
    let is_plain =
        target_run(word) == word.len() && !word.iter().any(|byte| b"?#\\".contains(byte));
    (is_path && is_plain).then(|| word.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is said where 10.0.0.0/8 is trusted.
    fn said(fields: &[(&str, &str)]) -> Option<Said> {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        client(fields, |address| address.to_string().starts_with("10."))
    }

    fn address_of(fields: &[(&str, &str)]) -> String {
        let address = said(fields).and_then(|said| said.address);
        address.map_or_else(String::new, |(address, port)| match port {
            Some(port) => format!("{address} {port}"),
            None => address.to_string(),
        })
    }

    #[test]
    fn the_first_hop_that_is_not_trusted_is_the_client() {
        for (value, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.9, 192.0.2.7", "192.0.2.7"),
            ("192.0.2.7, 10.0.0.1", "192.0.2.7"),
            ("192.0.2.9, 192.0.2.7,10.0.0.1 , 10.0.0.2", "192.0.2.7"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("nonsense, 10.0.0.2", "10.0.0.2"),
            ("192.0.2.9, nonsense", ""),
            ("192.0.2.9, ", ""),
            ("192.0.2.7:4711", "192.0.2.7 4711"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7 4711"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:70000", ""),
            ("192.0.2.7:", ""),
            ("[192.0.2.7]", ""),
            ("[2001:db8::7]4711", ""),
            ("", ""),
        ] {
            assert_eq!(
                address_of(&[("X-Forwarded-For", value)]),
                expected,
                "{value}"
            );
        }
        let lines = [
            ("x-forwarded-for", "192.0.2.7"),
            ("X-FORWARDED-FOR", "10.0.0.1"),
        ];
        assert_eq!(address_of(&lines), "192.0.2.7");
    }

    #[test]
    fn what_is_said_of_the_nearest_holds_for_the_others() {
        let seen = |proto: &str, hosts: &str| {
            let chain = ("X-Forwarded-For", "192.0.2.7, 10.0.0.1");
            let said = said(&[
                chain,
                ("X-Forwarded-Proto", proto),
                ("X-Forwarded-Host", hosts),
            ]);
            let said = said.unwrap();
            let host = said.host.map(|host| String::from_utf8(host).unwrap());
            (said.scheme, host)
        };
        let host = |text: &str| Some(text.to_owned());
        assert_eq!(seen("https", "a"), (Some(Scheme::Https), host("a")));
        assert_eq!(seen("http, https", "b, a"), (Some(Scheme::Http), host("b")));
        assert_eq!(seen("ftp", "a b"), (None, None));
        assert_eq!(
            seen("HTTPS", "[::1]:80"),
            (Some(Scheme::Https), host("[::1]:80"))
        );
    }

    #[test]
    fn ports_and_prefixes() {
        let port = |text| said(&[("X-Forwarded-Port", text)]).and_then(|said| said.port);
        assert_eq!(
            (port("8443"), port("0"), port("+1")),
            (Some(8443), None, None)
        );
        let prefix = |text| {
            let prefix = said(&[("X-Forwarded-Prefix", text)]).and_then(|said| said.prefix);
            prefix.map(|prefix| String::from_utf8(prefix).unwrap())
        };
        for (text, expected) in [
            ("/app", Some("/app")),
            ("/app/", Some("/app")),
            ("/a/b//", Some("/a/b")),
            ("app", None),
            ("/", None),
            ("//evil.example", None),
            ("/\\evil.example", None),
            ("/a?b", None),
            ("/a b", None),
        ] {
            assert_eq!(prefix(text).as_deref(), expected, "{text}");
        }
        for host in [
            "a/b", "", ":80", "a:", "a:0", "a@b", "[::1", "[::1]x", "[a]",
        ] {
            assert_eq!(
                said(&[("X-Forwarded-Host", host)]).and_then(|said| said.host),
                None
            );
        }
    }

    #[test]
    fn rfc_7239() {
        let address = |value| address_of(&[("Forwarded", value)]);
        for (value, expected) in [
            ("for=192.0.2.7", "192.0.2.7"),
            ("For=192.0.2.7;by=10.0.0.1, for=10.0.0.1", "192.0.2.7"),
            ("for=\"[2001:db8::7]:4711\"", "2001:db8::7 4711"),
            ("for=[2001:db8::7]:4711", "2001:db8::7 4711"),
            ("for=\"192.0.2.\\7\"", "192.0.2.7"),
            ("for=_hidden, for=10.0.0.1", ""),
            ("for=unknown", ""),
            ("for=192.0.2.7;for=192.0.2.8", ""),
            ("for=192.0.2.7, for=\"10.0.0.1", ""),
            ("for=192.0.2.7 x, for=10.0.0.1", ""),
            ("for=192.0.2.7;", ""),
            ("=192.0.2.7", ""),
            ("", ""),
        ] {
            assert_eq!(address(value), expected, "{value}");
        }
        let whole = said(&[(
            "Forwarded",
            "for=192.0.2.7;proto=HTTPS;host=\"a.example:8443\"",
        )]);
        let expected = Said {
            address: Some(("192.0.2.7".parse().unwrap(), None)),
            scheme: Some(Scheme::Https),
            host: Some(b"a.example:8443".to_vec()),
            ..Said::default()
        };
        assert_eq!(whole, Some(expected));
        let both = [
            ("Forwarded", "for=192.0.2.7"),
            ("X-Forwarded-For", "192.0.2.8"),
        ];
        assert_eq!(address_of(&both), "192.0.2.8");
    }

    #[test]
    fn a_head_without_them_says_nothing() {
        assert_eq!(
            said(&[
                ("Host", "a"),
                ("X-Forwarded-Server", "b"),
                ("X-Forwarded-", ""),
                ("Y-Forwarded-For", "192.0.2.7"),
            ]),
            None
        );
    }

    #[test]
    fn a_url_that_names_no_port_has_its_schemes() {
        assert_eq!(Scheme::Http.default_port(), 80);
        assert_eq!(Scheme::Https.default_port(), 443);
    }

    proptest! {
        /// Whatever is written, what is made of it is harmless.
        #[test]
        fn what_is_said_is_of_its_form(
            name in prop::sample::select(vec!["For", "Proto", "Host", "Port", "Prefix", "led"]),
            value in "[a-z0-9.:,;=/\"\\\\\\[\\] _-]{0,40}",
        ) {
            let name = if name == "led" { "Forwarded".to_owned() } else { format!("X-Forwarded-{name}") };
            if let Some(said) = said(&[(&name, &value)]) {
                prop_assert!(said.host.is_none_or(|host| crate::http::grammar::is_host(&host)));
                prop_assert!(said.prefix.is_none_or(|path| path.starts_with(b"/") && !path.ends_with(b"/")));
            }
        }
    }
}
