//! `Start_response` classes that are not the stock ones, and those of the legacy dialect: called as
//! `docs/module.md` says.
//!
//! What a program's class does is its own affair; what reaches the wire is checked here, so that no
//! value can add a line to the head.

#![forbid(unsafe_code)]

use crate::http::reply::is_folded_value;
use crate::http::response_head::{HeadFault, LONGEST_HEAD, ResponseHead};
use crate::py::{Gil, Kind, Object, Owned, Raised, Result, names, text};

/// `base.Start_response()`, and its headers.
pub fn start_response(gil: Gil<'_>, class: &Object) -> Result<(Owned, Owned)> {
    let object = class.call(gil, &[])?;
    let headers = object.attr(gil, &names(gil).response_headers)?;
    Ok((object, headers))
}

/// The head that `str(start_response)` gives, checked: `ValueError` for a part that would split it.
pub fn head_text(gil: Gil<'_>, object: &Object) -> Result<Vec<u8>> {
    check_splitting(gil, object)?;
    let head = object.str(gil)?;
    let head = text::expect_latin1(gil, &head, "str(start_response)")?;
    if head.len() > LONGEST_HEAD {
        return Err(Raised::new(
            gil,
            Kind::ValueError,
            HeadFault::TooLong.message(),
        ));
    }
    Ok(head.to_vec())
}

/// The same as a head of the standard dialect.
pub fn standard_head(gil: Gil<'_>, object: &Object) -> Result<ResponseHead> {
    let rendered = head_text(gil, object)?;
    let mut lines = rendered.split(|&byte| byte == b'\n');
    let status = lines.next().unwrap_or_default().trim_ascii_end();
    let status = memchr::memchr(b' ', status).map_or(&b""[..], |space| &status[space + 1..]);
    let mut head = ResponseHead::default();
    let parsed = head
        .set_status(status)
        .and_then(|()| lines.try_for_each(|line| head.add_line(line)));
    match parsed {
        Ok(()) => Ok(head),
        Err(fault) => Err(Raised::new(gil, Kind::ValueError, fault.message())),
    }
}

/// DIFFERS(fapws3): the original sent such values as they were, and they split the response.
fn check_splitting(gil: Gil<'_>, object: &Object) -> Result<()> {
    let names = names(gil);
    for name in [&names.status_code, &names.status_reasons] {
        if let Some(part) = object.optional_attr(gil, name)? {
            check_line_end(gil, &part)?;
        }
    }
    if let Some(headers) = object.optional_attr(gil, &names.response_headers)? {
        for (name, value) in headers.dict_items(gil) {
            check_line_end(gil, &name)?;
            check_line_end(gil, &value)?;
        }
    }
    Ok(())
}

fn check_line_end(gil: Gil<'_>, part: &Object) -> Result<()> {
    // What is no string has been through `str()` when it is rendered, and a number has no line end.
    let Some(bytes) = text::latin1(gil, part) else {
        return Ok(());
    };
    if is_folded_value(&bytes) {
        return Ok(());
    }
    Err(Raised::new(
        gil,
        Kind::ValueError,
        "CR, LF or NUL in a header would split the response",
    ))
}
