//! The characters of HTTP's grammar (RFC 9110 section 5.6) and fast runs over them.
//!
//! Owns which byte may stand in a token, a field value, a target or a host; what a line made of
//! them means is the callers' matter. Everything that the peer or the application supplies as a
//! name or a value is judged by these tables and by no other.
//!
//! Each run and search has two parts. The first looks at a block of fixed size and only asks
//! whether any byte of it stops the run, in a form that the compiler turns into vector
//! instructions. The second finds that byte eight at a time: a word has its high bit set in each
//! byte that stops; a borrow can set a false bit, but only above a true one, and only the lowest
//! is used. `naive` versions in the tests say the same byte by byte.

#![forbid(unsafe_code)]

const TOKEN: u8 = 1;
const HOST: u8 = 2;
const PLAIN_NAME: u8 = 4;

/// In which parts of the grammar each byte may stand: `tchar` (RFC 9110 section 5.6.2), the same
/// without `_`, and what a registered name is made of (RFC 3986: `unreserved` and `sub-delims`).
///
/// Mutants live: the bits have nothing in common, so that `^` is `|`, and 128 is no letter.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            classes[byte] = TOKEN | PLAIN_NAME | HOST;
        }
        byte += 1;
    }
    classes = mark(classes, b"!#$%&'*+-.^`|~", TOKEN | PLAIN_NAME);
    classes = mark(classes, b"_", TOKEN);
    mark(classes, b"-._~!$&'()*+,;=", HOST)
};

const fn mark(mut classes: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut i = 0;
    while i < bytes.len() {
        classes[bytes[i] as usize] |= class;
        i += 1;
    }
    classes
}

/// Whether `byte` is a `tchar`.
pub fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & TOKEN != 0
}

/// Whether `bytes` is a `token`: one `tchar` or more.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_run(bytes) == bytes.len()
}

/// Length of the run of `tchar` that `bytes` begins with.
pub fn token_run(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&byte| !is_token_byte(byte))
        .unwrap_or(bytes.len())
}

/// Length of the run of `tchar` other than `_` that `bytes` begins with.
pub fn plain_name_run(bytes: &[u8]) -> usize {
    let stops = |&byte: &u8| CLASSES[byte as usize] & PLAIN_NAME == 0;
    bytes.iter().position(stops).unwrap_or(bytes.len())
}

/// Whether `bytes` can be sent as a field value: no control byte but HT, so no line end.
pub fn is_field_value(bytes: &[u8]) -> bool {
    value_run(bytes) == bytes.len()
}

/// Length of the run of bytes that a field value may hold (HT, SP, VCHAR, obs-text; RFC 9110
/// section 5.5) which `bytes` begins with.
pub fn value_run(bytes: &[u8]) -> usize {
    let mut length = 0;
    loop {
        length += run::<b' ', 0xff>(&bytes[length..]);
        match bytes.get(length) {
            Some(b'\t') => length += 1,
            _ => return length,
        }
    }
}

/// Length of the run of bytes that a request target may hold which `bytes` begins with: neither
/// blank nor control, nor above 127, which no URI has (RFC 3986 section 2).
pub fn target_run(bytes: &[u8]) -> usize {
    run::<b'!', 0x7f>(bytes)
}

/// Length of the run of bytes from `LOWEST` to `HIGHEST` and not DEL which `bytes` begins with.
/// `HIGHEST` is 127 or 255.
///
/// Mutants live, here and in [`stops_of_word`]: a byte stops the run for one reason, so that `^` is `|`.
fn run<const LOWEST: u8, const HIGHEST: u8>(bytes: &[u8]) -> usize {
    let stops = |byte: u8| (byte < LOWEST) | (byte > HIGHEST) | (byte == 0x7f);
    let (blocks, _) = bytes.as_chunks::<16>();
    let clean = |block: &[u8; 16]| !block.iter().fold(false, |any, &byte| any | stops(byte));
    let length = 16 * blocks.iter().take_while(|block| clean(block)).count();

    let (words, rest) = bytes[length..].as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let stops = stops_of_word::<LOWEST, HIGHEST>(u64::from_le_bytes(*word));
        if stops != 0 {
            return length + index * 8 + lowest(stops);
        }
    }
    let stop = rest
        .iter()
        .position(|&byte| stops(byte))
        .unwrap_or(rest.len());
    length + words.len() * 8 + stop
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The high bit of each byte of `word` at which [`run`] stops; exact up to the lowest.
fn stops_of_word<const LOWEST: u8, const HIGHEST: u8>(word: u64) -> u64 {
    let below = word.wrapping_sub(ONES * LOWEST as u64) & !word;
    let above = if HIGHEST == 0x7f { word } else { 0 };
    ((below | above) & (ONES << 7)) | zero_bytes(word ^ (ONES * 0x7f))
}

/// The high bit of each byte of `word` that is zero; exact up to the lowest.
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// Index of the first byte whose high bit is set.
fn lowest(bits: u64) -> usize {
    bits.trailing_zeros() as usize / 8
}

/// Position of the first CR LF CR LF that begins at or after `from`.
///
/// What is searched is a CR two bytes before a CR: in a head that is no attack, only the blank
/// line has that.
///
/// Mutants live: one that finds a pair in a block or a word where there is none costs time alone.
pub fn find_blank_line(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<66>()) {
        let pair = |at: usize| (block[at] == b'\r') & (block[at + 2] == b'\r');
        if (0..64).fold(false, |any, at| any | pair(at)) {
            break;
        }
        at += 64;
    }
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<10>()) {
        let [first @ .., _, _] = *block;
        let [_, _, third @ ..] = *block;
        let not_cr = |bytes| u64::from_le_bytes(bytes) ^ (ONES * b'\r' as u64);
        let pairs = zero_bytes(not_cr(first) | not_cr(third));
        if pairs == 0 {
            at += 8;
            continue;
        }
        at += lowest(pairs);
        if bytes[at..].starts_with(BLANK_LINE) {
            return Some(at);
        }
        at += 1;
    }
    let rest = bytes.get(at..)?;
    rest.windows(4)
        .position(|window| window == BLANK_LINE)
        .map(|distance| at + distance)
}

const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// `bytes` without the blanks (SP and HT) around it: the grammar's OWS.
pub fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma-separated list (RFC 9110 section 5.6.1), without the blanks around
/// them, empty ones included. Quoted strings are not looked into: no list that this server reads
/// may hold one.
pub fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_blanks)
}

/// The value of `1*DIGIT`, or why there is none.
pub fn decimal(digits: &[u8]) -> Result<u64, NotDecimal> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotDecimal::Malformed);
    }
    digits
        .iter()
        .try_fold(0u64, |value, &digit| {
            value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(NotDecimal::TooLarge)
}

/// Appends a number, in decimal.
pub fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Why [`decimal`] has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotDecimal {
    /// Not `1*DIGIT`.
    Malformed,
    /// Digits, of a number above `u64::MAX`.
    TooLarge,
}

/// Whether `bytes` is `uri-host [ ":" port ]` (RFC 3986 sections 3.2.2 and 3.2.3), a port only
/// after a host that is not empty. No userinfo: RFC 9110 section 4.2.4 has it treated as an error.
pub fn is_host(bytes: &[u8]) -> bool {
    let (host_is_valid, rest) = if bytes.first() == Some(&b'[') {
        match bytes.iter().position(|&byte| byte == b']') {
            Some(end) => (is_ip_literal(&bytes[1..end]), &bytes[end + 1..]),
            None => return false,
        }
    } else {
        let end = bytes
            .iter()
            .position(|&byte| byte == b':')
            .unwrap_or(bytes.len());
        (is_registered_name(&bytes[..end]), &bytes[end..])
    };
    let port_is_valid = match rest {
        [] => true,
        [b':', port @ ..] => rest.len() < bytes.len() && port.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    host_is_valid && port_is_valid
}

/// What may stand between the brackets: an IPv6 address or the `IPvFuture` form.
fn is_ip_literal(bytes: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = bytes {
        let Some(dot) = future.iter().position(|&byte| byte == b'.') else {
            return false;
        };
        let (version, address) = (&future[..dot], &future[dot + 1..]);
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && !address.is_empty()
            && address
                .iter()
                .all(|&byte| is_host_byte(byte) || byte == b':');
    }
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// `reg-name`, which covers IPv4 addresses too.
fn is_registered_name(mut bytes: &[u8]) -> bool {
    loop {
        match bytes {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes = rest;
            }
            [byte, rest @ ..] if is_host_byte(*byte) => bytes = rest,
            _ => return false,
        }
    }
}

/// `unreserved` or `sub-delims`.
fn is_host_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & HOST != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    mod naive {
        pub fn value_run(bytes: &[u8]) -> usize {
            let allowed = |&&byte: &&u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            bytes.iter().take_while(allowed).count()
        }

        pub fn target_run(bytes: &[u8]) -> usize {
            let allowed = |&&byte: &&u8| byte > b' ' && byte < 0x7f;
            bytes.iter().take_while(allowed).count()
        }

        pub fn find_blank_line(bytes: &[u8], from: usize) -> Option<usize> {
            (from..bytes.len()).find(|&at| bytes[at..].starts_with(b"\r\n\r\n"))
        }
    }

    #[test]
    fn each_byte_stops_a_run_wherever_it_stands_in_a_word() {
        for byte in 0..=255u8 {
            for position in 0..40 {
                for filler in [b'a', b'!', 0x80, 0xff] {
                    let mut bytes = [filler; 40];
                    bytes[position] = byte;
                    assert_eq!(value_run(&bytes), naive::value_run(&bytes), "{bytes:?}");
                    assert_eq!(target_run(&bytes), naive::target_run(&bytes), "{bytes:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn runs_are_those_of_the_naive_reference(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            prop_assert_eq!(value_run(&bytes), naive::value_run(&bytes));
            prop_assert_eq!(target_run(&bytes), naive::target_run(&bytes));
            prop_assert_eq!(is_field_value(&bytes), naive::value_run(&bytes) == bytes.len());
        }

        #[test]
        fn runs_among_mostly_good_bytes(bytes in "[ -~\t\u{80}-\u{ff}]{0,80}[\\x00-\\x7f]{0,9}") {
            let bytes = bytes.as_bytes();
            prop_assert_eq!(value_run(bytes), naive::value_run(bytes));
            prop_assert_eq!(target_run(bytes), naive::target_run(bytes));
        }

        #[test]
        fn the_blank_line_is_where_the_naive_search_finds_it(
            bytes in "[\r\na]{0,120}",
            from in 0usize..130,
        ) {
            let bytes = bytes.as_bytes();
            prop_assert_eq!(find_blank_line(bytes, from), naive::find_blank_line(bytes, from));
        }

        #[test]
        fn decimal_is_what_the_standard_library_reads(digits in "[0-9]{1,24}") {
            prop_assert_eq!(decimal(digits.as_bytes()).ok(), digits.parse().ok());
        }
    }

    #[test]
    fn a_token_is_made_of_the_characters_of_rfc_9110() {
        let tokens: Vec<u8> = (0..=255).filter(|&byte| is_token_byte(byte)).collect();
        let expected: &[u8] = b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ\
            ^_`abcdefghijklmnopqrstuvwxyz|~";
        assert_eq!(tokens, expected);
        assert!(is_token(b"X-Y") && !is_token(b"") && !is_token(b"X Y"));
    }

    #[test]
    fn a_token_run_ends_before_the_first_other_byte() {
        assert_eq!(token_run(b"X-Y_Z: ab"), 5);
        assert_eq!(token_run(b"token"), 5);
        assert_eq!(plain_name_run(b"X-Y_Z: ab"), 3);
        assert_eq!(plain_name_run(b"X-Y: a_b"), 3);
        assert_eq!(token_run(b""), 0);
    }

    #[test]
    fn a_number_is_appended_in_decimal() {
        let mut out = b"n=".to_vec();
        push_decimal(&mut out, 0);
        push_decimal(&mut out, u64::MAX);
        assert_eq!(out, b"n=018446744073709551615");
    }

    #[test]
    fn only_plain_digits_are_a_decimal() {
        assert_eq!(decimal(b"007"), Ok(7));
        assert_eq!(decimal(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), Err(NotDecimal::TooLarge));
        for text in [
            "", " 1", "1 ", "+1", "-1", "0x1", "1,1", "1_0", "1.0", "\u{661}",
        ] {
            assert_eq!(
                decimal(text.as_bytes()),
                Err(NotDecimal::Malformed),
                "{text:?}"
            );
        }
    }

    #[test]
    fn hosts() {
        for host in [
            "",
            "a",
            "a.b",
            "a:80",
            "a:",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "[v1.a:b]",
            "a_b",
            "a%20b",
            "a,b",
            "xn--caf-dma.example",
            "[::ffff:1.2.3.4]",
        ] {
            assert!(is_host(host.as_bytes()), "{host:?}");
        }
        for host in [
            ":80",
            "a b",
            "a/b",
            "u@a",
            "a:8x",
            "a:80:80",
            "a:-1",
            "[::1",
            "::1",
            "[]",
            "[::1]x",
            "[v.a]",
            "[v1.]",
            "[fe80::1%eth0]",
            "a%2",
            "a%zz",
            "a%2z",
            "a%z2",
            "a\\b",
            "a?b",
            "a#b",
            "caf\u{e9}",
            "a\"",
            "<a>",
            "[1.2.3.4]",
        ] {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
    }
}
