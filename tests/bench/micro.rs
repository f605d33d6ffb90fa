//! Times of the pure parts, `cargo bench --no-default-features`: what the protocol costs a
//! request, without socket and interpreter.
//!
//! Owns no judgement: the numbers are for comparing two commits on one machine. `httparse` is
//! timed on the same heads for scale; it does less (no search for the end, no framing, and it takes
//! what we refuse).

use std::hint::black_box;

use _evwsgi::http::chunked::{ChunkLimits, Decoder};
use _evwsgi::http::framing;
use _evwsgi::http::head::{Head, HeadLimits, HeadSearch, parse_lenient, parse_strict};
use _evwsgi::http::target::{self, Plus};
use divan::{Bencher, counter::BytesCount};

fn main() {
    divan::main();
}

const LIMITS: HeadLimits = HeadLimits {
    request_line: 8190,
    head: 65_536,
    fields: 128,
};

/// What wrk sends.
const HELLO: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// Thirteen fields, as a browser sends them.
const BROWSER: &[u8] = b"GET /account/orders?page=3&sort=date HTTP/1.1\r\n\
    Host: shop.example.net\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/124.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Referer: https://shop.example.net/account\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: en-GB,en;q=0.9,fr;q=0.8\r\n\
    Cookie: session=8a1f0c2e9b7d4e35a6c1; theme=dark; consent=1; _ga=GA1.2.1035.1713\r\n\r\n";

fn head_bytes(name: &str) -> &'static [u8] {
    if name == "hello" { HELLO } else { BROWSER }
}

#[divan::bench(args = ["hello", "browser"])]
fn head_end(bencher: Bencher, name: &str) {
    let bytes = head_bytes(name);
    bencher.bench_local(|| HeadSearch::default().strict(black_box(bytes), &LIMITS));
}

#[divan::bench(args = ["hello", "browser"])]
fn head_parse(bencher: Bencher, name: &str) {
    let bytes = head_bytes(name);
    let mut head = Head::default();
    bencher
        .bench_local(|| parse_strict(black_box(bytes), bytes.len(), &LIMITS, &mut head).unwrap());
}

#[divan::bench(args = ["hello", "browser"])]
fn whole_request(bencher: Bencher, name: &str) {
    let bytes = head_bytes(name);
    let mut head = Head::default();
    bencher.bench_local(|| {
        let bytes = black_box(bytes);
        let len = HeadSearch::default()
            .strict(bytes, &LIMITS)
            .unwrap()
            .unwrap();
        parse_strict(bytes, len, &LIMITS, &mut head).unwrap();
        framing::strict(&head, bytes, 1 << 30)
    });
}

#[divan::bench(args = ["hello", "browser"])]
fn whole_request_legacy(bencher: Bencher, name: &str) {
    let bytes = head_bytes(name);
    let mut head = Head::default();
    bencher.bench_local(|| {
        let bytes = black_box(bytes);
        let len = HeadSearch::default()
            .lenient(bytes, &LIMITS)
            .unwrap()
            .unwrap();
        parse_lenient(bytes, len, &LIMITS, &mut head).unwrap();
        framing::lenient(&head, bytes, 1 << 30)
    });
}

#[divan::bench(args = ["hello", "browser"])]
fn httparse_for_scale(bencher: Bencher, name: &str) {
    let bytes = head_bytes(name);
    bencher.bench_local(|| {
        let mut fields = [httparse::EMPTY_HEADER; 16];
        httparse::Request::new(&mut fields)
            .parse(black_box(bytes))
            .unwrap()
            .is_complete()
    });
}

#[divan::bench(args = ["/account/orders", "/caf%C3%A9/men%C3%BC/of%20the%20day"])]
fn percent_decode(bencher: Bencher, path: &str) {
    bencher.bench_local(|| target::percent_decode(black_box(path.as_bytes()), Plus::Keep).len());
}

#[divan::bench(args = ["short", "long"])]
fn form_pairs(bencher: Bencher, values: &str) {
    let form = match values {
        "short" => b"name=Ada+Lovelace&comment=%C3%A9l%C3%A9gant%21&page=3&".repeat(200),
        _ => [b"a=b&text=".as_slice(), &b"some+more+words%21".repeat(600)].concat(),
    };
    bencher
        .counter(BytesCount::new(form.len()))
        .bench_local(|| {
            let mut pairs = target::Pairs::of(black_box(&form)).unwrap();
            let mut bytes = 0;
            while let Some((key, value)) = pairs.next_pair() {
                bytes += key.len() + value.len();
            }
            bytes
        });
}

#[divan::bench(args = [16, 1024, 65_536])]
fn chunked_decode(bencher: Bencher, chunk: usize) {
    let data = vec![b'x'; chunk];
    let mut body = Vec::new();
    while body.len() < 65_536 {
        _evwsgi::http::chunked::push_chunk_size(&mut body, chunk as u64);
        body.extend_from_slice(&data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(_evwsgi::http::chunked::LAST_CHUNK);
    let limits = ChunkLimits {
        line_extension: 4096,
        total_extension: 65_536,
        trailer: 65_536,
        trailer_fields: 128,
        body: 0,
    };
    bencher
        .counter(BytesCount::new(body.len()))
        .bench_local(|| {
            let mut bytes = 0;
            Decoder::new(limits)
                .decode(black_box(&body), &mut |data| bytes += data.len())
                .unwrap();
            bytes
        });
}
