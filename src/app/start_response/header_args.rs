//! The arguments of `start_response`, checked and rendered: exceptions for bad ones.
//!
//! Owns what is wrong with an argument, and its message; what the rules are is [`ResponseHead`]'s.

#![forbid(unsafe_code)]

use crate::http::reply::{FieldRole, field_role};
use crate::http::response_head::{HeadFault, LONGEST_HEAD, ResponseHead};
use crate::py::{Gil, Kind, Object, Owned, Raised, Result, names, text};

/// The strings of a head. Request after request brings the same ones, literals even the very same
/// objects; strings never change, so neither does what was rendered from them.
pub struct RenderedCache {
    status: Owned,
    fields: Vec<(Owned, Owned)>,
}

impl RenderedCache {
    /// `None` where the headers are not a list of tuples of plain strings. A string of a derived class
    /// may refer to anything, and would be kept past its request.
    pub fn new(gil: Gil<'_>, status: &Object, headers: &Object) -> Option<RenderedCache> {
        let plain = |object: &Object| object.is_plain_native().then(|| object.own(gil));
        let pair = |index| {
            let pair = headers.list_item(gil, index)?;
            Some((plain(pair.tuple_item(0)?)?, plain(pair.tuple_item(1)?)?))
        };
        let fields = (0..headers.list_len())
            .map(pair)
            .collect::<Option<Vec<_>>>()?;
        let status = plain(status)?;
        headers
            .is_list()
            .then_some(RenderedCache { status, fields })
    }

    /// Whether these are its strings.
    pub fn is_of(&self, status: &Object, headers: &Object) -> bool {
        status.is_same_native(&self.status) && headers.is_list_of_pairs(&self.fields)
    }
}

/// Checks and renders the arguments of a call.
pub fn render(
    gil: Gil<'_>,
    head: &mut ResponseHead,
    status: &Object,
    headers: &Object,
) -> Result<()> {
    let line = text::expect_latin1(gil, status, "the status")?;
    head.set_status(&line).map_err(|found| fault(gil, found))?;
    render_fields(gil, head, headers)
}

/// Checks and renders a list of headers.
pub fn render_fields(gil: Gil<'_>, head: &mut ResponseHead, headers: &Object) -> Result<()> {
    if headers.is_list() {
        let mut index = 0;
        while let Some(pair) = headers.sequence_item(gil, index) {
            add_pair(gil, head, &pair)?;
            index += 1;
        }
        return Ok(());
    }
    let pairs = headers.iterate(gil)?;
    while let Some(pair) = pairs.next(gil)? {
        add_pair(gil, head, &pair)?;
    }
    Ok(())
}

/// Merges what a `base.Start_response` holds into `head`. Headers given to the call stay as they are,
/// repeated ones too, unless the program changed them in the object's dict afterwards.
pub fn merge(gil: Gil<'_>, head: &mut ResponseHead, compat: &Object) -> Result<()> {
    let names = names(gil);
    let part = |name: &Object| -> Result<Vec<u8>> {
        let value = compat.attr(gil, name)?.str(gil)?;
        let part = text::expect_latin1(gil, &value, "the status")?;
        if part.len() > LONGEST_HEAD {
            return Err(fault(gil, HeadFault::TooLong));
        }
        Ok(part.to_vec())
    };
    let mut status = part(&names.status_code)?;
    status.push(b' ');
    status.extend_from_slice(&part(&names.status_reasons)?);
    head.set_status(&status)
        .map_err(|found| fault(gil, found))?;
    for (name, value) in compat.attr(gil, &names.response_headers)?.dict_items(gil) {
        let (name, value) = (name.str(gil)?, value.str(gil)?);
        let name = text::expect_latin1(gil, &name, "a header name")?;
        let value = text::expect_latin1(gil, &value, "a header value")?;
        if head.value(&name) == Some(&value) {
            continue;
        }
        if field_role(&name) == FieldRole::ContentLength || head.value(&name).is_some() {
            head.remove(&name);
        }
        head.add(&name, &value)
            .map_err(|found| header_fault(gil, found, &name))?;
    }
    let cookies = compat.attr(gil, &names.cookies)?;
    if !cookies.is_none() {
        let lines = cookies.str(gil)?;
        let lines = text::expect_latin1(gil, &lines, "a cookie")?;
        for line in lines.split(|&byte| byte == b'\n') {
            head.add_line(line).map_err(|found| fault(gil, found))?;
        }
    }
    Ok(())
}

fn add_pair(gil: Gil<'_>, head: &mut ResponseHead, pair: &Object) -> Result<()> {
    let (Some(name), Some(value), 2) = (
        pair.sequence_item(gil, 0),
        pair.sequence_item(gil, 1),
        pair.sequence_len(),
    ) else {
        return Err(Raised::new(
            gil,
            Kind::TypeError,
            "a header is a (name, value) tuple",
        ));
    };
    add_header(gil, head, &name, &value)
}

fn add_header(gil: Gil<'_>, head: &mut ResponseHead, name: &Object, value: &Object) -> Result<()> {
    let name = text::expect_latin1(gil, name, "a header's name")?;
    let Some(value) = text::latin1(gil, value) else {
        let what = format!("the value of {}", shown(&name));
        return Err(text::no_native(gil, value, &what));
    };
    head.add(&name, &value)
        .map_err(|found| header_fault(gil, found, &name))
}

fn fault(gil: Gil<'_>, fault: HeadFault) -> Raised {
    Raised::new(gil, fault_kind(fault), fault.message())
}

fn fault_kind(fault: HeadFault) -> Kind {
    if fault.is_assertion() {
        Kind::AssertionError
    } else {
        Kind::ValueError
    }
}

/// What is wrong with the header of this name.
fn header_fault(gil: Gil<'_>, fault: HeadFault, name: &[u8]) -> Raised {
    let message = format!("{}: {}", shown(name), fault.message());
    Raised::new(gil, fault_kind(fault), &message)
}

/// A header's name in a message, however odd or long it is.
fn shown(name: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = name.iter().map(|&byte| char::from(byte));
    let more = if name.len() > SHOWN { "..." } else { "" };
    format!("header {:?}{more}", text.take(SHOWN).collect::<String>())
}
