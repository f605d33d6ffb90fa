//! From a field name to its environ key: `User-Agent` to `HTTP_USER_AGENT`.
//!
//! Browsers and proxies send the same few dozen names at every request, so their keys are made once; other names go through a bounded table. Keys are interned, which spares the dict their
//! hashing and most comparisons.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;

use crate::py::{Gil, Object, Owned, Result, State, text};

/// The names worth a place of their own, in lower case.
const COMMON: [&str; 49] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "proxy-connection",
    "range",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-ctx",
    "sec-fetch-user",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade-insecure-requests",
    "user-agent",
    "x-csrf-token",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-requested-with",
];

/// The fields of the connection, which is the server's: what they ask for is done, or not, when the
/// application is called (RFC 9110 section 7.6.1; `Expect`: section 10.1.1; the body is decoded).
const CONNECTION_FIELDS: [&str; 7] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
];

/// More names than any program looks for; past it a key is made at each request.
const MAX_OTHERS: usize = 256;

/// Longer names are not worth keeping: they only come from somebody who wants to fill the table.
const MAX_NAME: usize = 64;

/// No common name is longer.
const FOLDED_LEN: usize = 32;

/// A name in lower case, with zeros behind it: two are compared in two steps, not letter by letter.
type Folded = [u8; FOLDED_LEN];

const BUCKETS: usize = 256;

/// The table of keys.
pub struct HeaderKeys {
    /// A bit for each common name of a field of the connection.
    pub of_connection: u64,
    /// The bit of `X-Forwarded-Proto`.
    pub forwarded_proto: u64,
    keys: Vec<Owned>,
    folded: [Folded; COMMON.len()],
    /// For each hash, the place of the first common name that has it, or none.
    first: [u8; BUCKETS],
    /// For each common name, the next one with the same hash.
    next: [u8; COMMON.len()],
    others: RefCell<HashMap<Box<[u8]>, Owned>>,
}

const NONE: u8 = u8::MAX;

/// The table, made at the first call.
pub fn header_keys(gil: Gil<'_>) -> Result<&HeaderKeys> {
    static KEYS: State<HeaderKeys> = State::new();
    KEYS.get_or_try_make(gil, || HeaderKeys::new(gil))
}

/// A key, and which of the common names it belongs to.
pub struct Key<'a> {
    key: Held<'a>,
    /// The name's place among the common ones, below 64; `None` for another name.
    pub common: Option<u8>,
}

enum Held<'a> {
    Common(&'a Object),
    Other(Owned),
}

impl Deref for Key<'_> {
    type Target = Object;

    fn deref(&self) -> &Object {
        match &self.key {
            Held::Common(key) => key,
            Held::Other(key) => key,
        }
    }
}

impl HeaderKeys {
    /// Makes the common keys.
    fn new(gil: Gil<'_>) -> Result<HeaderKeys> {
        let mut table = HeaderKeys {
            of_connection: 0,
            forwarded_proto: 0,
            keys: Vec::with_capacity(COMMON.len()),
            folded: COMMON.map(|name| fold(name.as_bytes())),
            first: [NONE; BUCKETS],
            next: [NONE; COMMON.len()],
            others: RefCell::default(),
        };
        for (place, name) in COMMON.iter().enumerate() {
            table.keys.push(make(gil, name.as_bytes())?);
            table.of_connection |= u64::from(CONNECTION_FIELDS.contains(name)) << place;
            table.forwarded_proto |= u64::from(*name == "x-forwarded-proto") << place;
            let bucket = &mut table.first[hash(name.len(), &table.folded[place])];
            table.next[place] = std::mem::replace(bucket, place as u8);
        }
        Ok(table)
    }

    /// The key of a field name in any case.
    pub fn get(&self, gil: Gil<'_>, name: &[u8]) -> Result<Key<'_>> {
        let mut place = NONE;
        let mut folded = [0; FOLDED_LEN];
        if name.len() <= FOLDED_LEN {
            folded = fold(name);
            place = self.first[hash(name.len(), &folded)];
        }
        while place != NONE {
            let index = usize::from(place);
            // A name that ends in zeros of its own is another one.
            if self.folded[index] == folded && COMMON[index].len() == name.len() {
                return Ok(Key {
                    key: Held::Common(&self.keys[index]),
                    common: Some(place),
                });
            }
            place = self.next[index];
        }
        self.other(gil, name).map(|key| Key {
            key: Held::Other(key),
            common: None,
        })
    }

    fn other(&self, gil: Gil<'_>, name: &[u8]) -> Result<Owned> {
        if let Some(key) = self.others.borrow().get(name) {
            return Ok(key.own(gil));
        }
        let key = make(gil, name)?;
        let mut others = self.others.borrow_mut();
        if others.len() < MAX_OTHERS && name.len() <= MAX_NAME {
            others.insert(name.into(), key.own(gil));
        }
        Ok(key)
    }
}

/// The key of `name`: `HTTP_`, then the name in upper case with `_` for `-`.
fn make(gil: Gil<'_>, name: &[u8]) -> Result<Owned> {
    let mut key = Vec::with_capacity(5 + name.len());
    key.extend_from_slice(b"HTTP_");
    key.extend(name.iter().map(|byte| match byte {
        b'-' => b'_',
        byte => byte.to_ascii_uppercase(),
    }));
    text::native(gil, &key)
}

/// `name`, of at most `FOLDED_LEN` bytes.
fn fold(name: &[u8]) -> Folded {
    let mut folded = [0; FOLDED_LEN];
    folded[..name.len()].copy_from_slice(name);
    folded.make_ascii_lowercase();
    folded
}

/// Length, first, middle and last letter are enough to distinguish the common names.
fn hash(length: usize, folded: &Folded) -> usize {
    let letter = |index: usize| usize::from(folded[index % FOLDED_LEN]);
    (length * 29 + letter(0) * 7 + letter(length / 2) * 3 + letter(length.wrapping_sub(1)))
        % BUCKETS
}
