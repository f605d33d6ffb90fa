//! A head of the standard dialect, its framing and its target: no panic, the same verdict for
//! every cut, and nothing accepted that breaks a rule which can be said in one line.

#![no_main]

use _evwsgi::http::error::HttpError;
use _evwsgi::http::framing::{self, BodyLength, Framing};
use _evwsgi::http::head::{Head, HeadLimits, HeadSearch, parse_strict};
use _evwsgi::http::target;
use libfuzzer_sys::fuzz_target;

/// Small, so that the fuzzer comes to them.
const LIMITS: HeadLimits = HeadLimits {
    request_line: 100,
    head: 600,
    fields: 12,
};

type Verdict = Result<Option<(Head, Framing)>, HttpError>;

fuzz_target!(|bytes: &[u8]| {
    let whole = judge(bytes, bytes.len().max(1));
    for size in [1, 3, 16] {
        assert_eq!(judge(bytes, size), whole);
    }
    if let Ok(Some((head, framing))) = whole {
        check(&bytes[..head.len], &head, framing);
        let _ = target::parse(head.method.of(bytes), head.target.of(bytes));
    }
});

fn judge(bytes: &[u8], size: usize) -> Verdict {
    let mut search = HeadSearch::default();
    for start in (0..bytes.len()).step_by(size) {
        let arrived = &bytes[..bytes.len().min(start + size)];
        if let Some(len) = search.strict(arrived, &LIMITS)? {
            let mut head = Head::default();
            parse_strict(arrived, len, &LIMITS, &mut head)?;
            let framing = framing::strict(&head, arrived, 1000)?;
            return Ok(Some((head, framing)));
        }
    }
    Ok(None)
}

fn check(bytes: &[u8], head: &Head, framing: Framing) {
    assert!(bytes.ends_with(b"\r\n\r\n"));
    let lines = bytes.windows(2).filter(|pair| pair == b"\r\n").count();
    for byte in [b'\r', b'\n'] {
        assert_eq!(
            bytes.iter().filter(|&&other| other == byte).count(),
            lines,
            "a bare line end"
        );
    }
    assert!(!bytes.contains(&0));
    let named = |name: &[u8]| {
        head.fields
            .iter()
            .filter(|field| field.name.of(bytes).eq_ignore_ascii_case(name))
            .count()
    };
    assert!(named(b"host") <= 1 && named(b"content-length") <= 1);
    let chunked = named(b"transfer-encoding") == 1;
    assert_eq!(framing.body == BodyLength::Chunked, chunked);
    assert!(!chunked || named(b"content-length") == 0);
}
