//! A header of the PROXY protocol: no panic, a length that is there, the same verdict for every cut,
//! and no header where its word or signature is not.

#![no_main]

use _evwsgi::http::proxy_protocol::{LONGEST, Versions, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(Versions::Auto, bytes);
    for cut in 0..bytes.len() {
        match parse(Versions::Auto, &bytes[..cut]) {
            Ok(None) => {}
            verdict => assert_eq!(verdict, whole),
        }
    }
    if let Ok(Some(header)) = whole {
        assert!(header.length <= bytes.len() && header.length <= LONGEST);
        let is_line = bytes.starts_with(b"PROXY ");
        assert!(is_line || bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
        assert!(!is_line || bytes[..header.length].ends_with(b"\r\n"));
        let other = if is_line { Versions::V2 } else { Versions::V1 };
        assert!(parse(other, bytes).is_err());
    }
});
