//! The grammar of a head in the legacy dialect: what Fapws3's own scanner made of its bytes.
//!
//! That scanner went byte by byte and knew three marks: a blank ends the method and the target,
//! a CR ends the protocol and each value, a `:` ends a name. Everything else is content, LF
//! included, except LF, CR and blanks before a part begins. Each part is found here with the same
//! marks. Where the scanner wrote or read outside its memory (a part that is empty or missing)
//! the head is refused.
//!
//! Invariant: in a head that was parsed, method and target are not empty and the protocol has
//! four bytes or more (programs are given what stands before its last four, `/1.1`).

#![forbid(unsafe_code)]

use memchr::{memchr, memchr2};

use super::{Field, Head, HeadLimits, Span, Version};
use crate::http::error::HttpError;

/// Reads the head in the first `len` bytes of `buf` (what [`super::HeadSearch::lenient`] found)
/// into `head`, whose list of fields is reused.
///
/// # Errors
/// [`HttpError::NotImplemented`] when there is no method or no target, [`HttpError::Internal`]
/// when the protocol is missing or shorter than four bytes, [`HttpError::TargetTooLong`] and
/// [`HttpError::HeadTooLarge`] past the limits. After an error `head` holds nothing of use.
pub fn parse(
    buf: &[u8],
    len: usize,
    limits: &HeadLimits,
    head: &mut Head,
) -> Result<(), HttpError> {
    let text = text(&buf[..len]);
    let fields_start = request_line(&buf[..len], text, limits, head)?;

    head.version = Version::Http10;
    head.fields.clear();
    head.len = len;
    let mut at = fields_start;
    while let Some((field, next)) = field(text, at) {
        if head.fields.len() == limits.fields {
            return Err(HttpError::HeadTooLarge);
        }
        head.fields.push(field);
        at = next;
    }
    Ok(())
}

/// Where a head begins, and what is known of its request line.
#[derive(Clone, Default, Debug)]
pub(super) struct Start {
    /// The first byte that is neither CR nor LF, or where to look for it.
    at: usize,
    /// Up to where the request line is known to hold no CR.
    open_until: usize,
    request_line_ended: bool,
}

impl Start {
    /// Skips the blank lines before the request line.
    pub(super) fn find(&mut self, buf: &[u8]) -> usize {
        self.at = skip(buf, self.at, |byte| matches!(byte, b'\r' | b'\n'));
        self.open_until = self.open_until.max(self.at);
        self.at
    }

    /// # Errors
    /// [`HttpError::TargetTooLong`] when no CR came within the limit.
    pub(super) fn check_request_line(
        &mut self,
        buf: &[u8],
        limits: &HeadLimits,
    ) -> Result<(), HttpError> {
        if self.request_line_ended {
            return Ok(());
        }
        let end = memchr(b'\r', &buf[self.open_until..]);
        self.request_line_ended = end.is_some();
        self.open_until += end.unwrap_or(buf.len() - self.open_until);
        if self.open_until - self.at > limits.request_line {
            return Err(HttpError::TargetTooLong);
        }
        Ok(())
    }
}

/// COMPAT(fapws3): a NUL ends the text, as it ended every C string made from it. The fields before
/// it count, the one it stands in does not.
fn text(head: &[u8]) -> &[u8] {
    &head[..memchr(0, head).unwrap_or(head.len())]
}

/// Finds the three parts of the request line; gives the offset at which the fields begin.
fn request_line(
    whole: &[u8],
    text: &[u8],
    limits: &HeadLimits,
    head: &mut Head,
) -> Result<usize, HttpError> {
    let start = skip(text, 0, |byte| matches!(byte, b'\r' | b'\n'));
    if memchr(b'\r', &whole[start..]).is_some_and(|length| length > limits.request_line) {
        return Err(HttpError::TargetTooLong);
    }

    let method_end = before(text, start, b' ').ok_or(HttpError::NotImplemented)?;
    if method_end == start || text[start..method_end].contains(&b'\r') {
        return Err(HttpError::NotImplemented);
    }
    let target_start = method_end + 1;
    let target_end = before(text, target_start, b' ').unwrap_or(text.len());
    // DIFFERS(fapws3): a line that ends before the protocol took its target from the lines that
    // follow, or was a null pointer.
    if memchr::memmem::find(&text[target_start..target_end], b"\r\n").is_some()
        || target_end == text.len()
    {
        let has_target = !matches!(text.get(target_start), None | Some(b'\r' | b' '));
        return Err(if has_target {
            HttpError::Internal
        } else {
            HttpError::NotImplemented
        });
    }
    let target_start = skip(text, target_start, |byte| matches!(byte, b'\r' | b'\n'));
    if target_start >= target_end {
        return Err(HttpError::NotImplemented);
    }
    let protocol_start = skip(text, target_end + 1, |byte| matches!(byte, b'\n' | b' '));
    let protocol_end = before(text, protocol_start, b'\r').ok_or(HttpError::Internal)?;
    if protocol_end - protocol_start < 4 {
        return Err(HttpError::Internal);
    }
    head.method = Span::new(start, method_end);
    head.target = Span::new(target_start, target_end);
    head.protocol = Span::new(protocol_start, protocol_end);
    Ok(protocol_end + 1)
}

/// The field that begins at `at`, and where the next one does.
///
/// COMPAT(fapws3): a line without `:` ends the headers, a name keeps what stands before its colon,
/// blanks and LF included, a value ends at a CR even without LF and keeps its trailing blanks.
fn field(text: &[u8], at: usize) -> Option<(Field, usize)> {
    let name_start = skip(text, at, |byte| matches!(byte, b'\n' | b' '));
    let name_end = name_start + memchr2(b':', b'\r', &text[name_start..])?;
    if text[name_end] == b'\r' {
        return None;
    }
    let value_start = skip(text, name_end + 1, |byte| matches!(byte, b'\n' | b' '));
    let value_end = before(text, value_start, b'\r')?;
    let field = Field {
        name: Span::new(name_start, name_end),
        value: Span::new(value_start, value_end),
    };
    Some((field, value_end + 1))
}

fn skip(text: &[u8], from: usize, dropped: impl Fn(u8) -> bool) -> usize {
    let kept = text[from..].iter().position(|&byte| !dropped(byte));
    kept.map_or(text.len(), |distance| from + distance)
}

/// Position of the first `mark` at or after `from`.
fn before(text: &[u8], from: usize, mark: u8) -> Option<usize> {
    memchr(mark, &text[from..]).map(|distance| from + distance)
}
