//! A head of the legacy dialect: no panic, no offset outside the head, and the same verdict for
//! every cut but in blank lines before the request, which are answered when nothing else came.

#![no_main]

use _evwsgi::http::error::HttpError;
use _evwsgi::http::framing::{self, Framing};
use _evwsgi::http::grammar::find_blank_line;
use _evwsgi::http::head::{Head, HeadLimits, HeadSearch, parse_lenient};
use libfuzzer_sys::fuzz_target;

/// Small, so that the fuzzer comes to them.
const LIMITS: HeadLimits = HeadLimits {
    request_line: 100,
    head: 600,
    fields: 12,
};

fuzz_target!(|bytes: &[u8]| {
    let whole = judge(bytes, bytes.len().max(1));
    let line_ends = bytes
        .iter()
        .take_while(|byte| b"\r\n".contains(byte))
        .count();
    for size in [1, 3, 16] {
        let in_pieces = judge(bytes, size);
        if find_blank_line(&bytes[..line_ends], 0).is_none() {
            assert_eq!(in_pieces, whole);
        }
    }
    if let Ok(Some((head, _))) = whole {
        let bytes = &bytes[..head.len];
        assert!(!head.method.of(bytes).is_empty() && !head.target.of(bytes).is_empty());
        assert!(head.protocol.of(bytes).len() >= 4);
        for field in &head.fields {
            assert!(!field.name.of(bytes).contains(&b':'));
            assert!(!field.value.of(bytes).contains(&b'\r'));
        }
    }
});

fn judge(bytes: &[u8], size: usize) -> Result<Option<(Head, Framing)>, HttpError> {
    let mut search = HeadSearch::default();
    for start in (0..bytes.len()).step_by(size) {
        let arrived = &bytes[..bytes.len().min(start + size)];
        if let Some(len) = search.lenient(arrived, &LIMITS)? {
            let mut head = Head::default();
            parse_lenient(arrived, len, &LIMITS, &mut head)?;
            let framing = framing::lenient(&head, arrived, 1000)?;
            return Ok(Some((head, framing)));
        }
    }
    Ok(None)
}
