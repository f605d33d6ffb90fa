//! A request target and its query: no panic, parts that lie within the target and make it up again,
//! decoded texts that are never longer than the raw ones. The input is `METHOD TARGET ...`, so that
//! whole requests serve as seeds.

#![no_main]

use std::borrow::Cow;

use _evwsgi::http::grammar::is_host;
use _evwsgi::http::target::{self, Plus, Pairs, percent_decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut words = bytes.split(|&byte| byte == b' ');
    let (method, target) = (words.next().unwrap_or(b""), words.next().unwrap_or(bytes));
    if let Ok(parts) = target::parse(method, target) {
        assert!(parts.path == b"*" || parts.path.starts_with(b"/"));
        assert!(
            parts
                .authority
                .is_none_or(|authority| !authority.is_empty() && is_host(authority))
        );
        let query = parts
            .query
            .map_or(Vec::new(), |query| [b"?", query].concat());
        if parts.authority.is_none() {
            assert_eq!([parts.path, &query].concat(), target);
        } else {
            assert!(target.ends_with(&query));
        }
    }
    for plus in [Plus::Space, Plus::Keep] {
        let decoded = percent_decode(target, plus);
        assert!(decoded.len() <= target.len());
        if let Cow::Borrowed(same) = decoded {
            assert_eq!(same, target);
        }
    }
    let mut length = 0;
    let mut pairs = Pairs::of(target);
    while let Some((key, value)) = pairs.next_pair() {
        length += key.len() + value.len();
    }
    assert!(length <= target.len());
});
