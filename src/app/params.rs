//! `fapws.params`: the pairs of a query or of a form, as a dict of lists.
//!
//! To parse a form of ten kilobytes takes ten times as long as the rest of its request, and most
//! applications read the body themselves. So in the standard dialect it is parsed when the application
//! looks ([`crate::py::deferred_dict`]).
//!
//! A program's forms have the same names again and again, so the strings of those seen last are kept:
//! the dict finds them hashed already. The same table knows which names are new in a dict, which
//! spares looking for them there.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::ffi::CStr;

use crate::app::exchange::{Exchange, RequestBody};
use crate::app::exclusive::Exclusive;
use crate::app::input::content::{ReadFault, read_spool};
use crate::dialect::Dialect;
use crate::http::target::Pairs;
use crate::py::deferred_dict::{Deferred, deferred_dict};
use crate::py::{Gil, Object, Owned, Raised, Result, State, container, text};
use crate::sys::memory;

/// The body of a form, if it is one, and not too long to be parsed. `media` is its `Content-Type`.
pub fn form<'a>(
    gil: Gil<'_>,
    dialect: Dialect,
    exchange: &'a Exchange,
    media: Option<&[u8]>,
) -> Result<Option<Cow<'a, [u8]>>> {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    let is_form = exchange.method() == b"POST"
        && media
            .and_then(|media| media.get(..FORM.len()))
            .is_some_and(|media| media.eq_ignore_ascii_case(FORM));
    if !is_form || exchange.body_len() > dialect.longest_form() {
        return Ok(None);
    }
    let RequestBody::Spooled(spool) = &exchange.body else {
        return Ok(exchange.body_in_memory().map(Cow::Borrowed));
    };
    // It is no longer than a form may be: the cast loses nothing.
    let length = spool.len() as usize;
    let mut whole = memory::with_capacity(length).map_err(|_| Raised::no_memory(gil))?;
    whole.resize(length, 0);
    read_spool(spool, 0, &mut whole).map_err(|error| ReadFault::File(error).raise(gil))?;
    Ok(Some(Cow::Owned(whole)))
}

/// The pairs of the form, or else of the query, as soon as the application looks.
pub fn when_asked(
    gil: Gil<'_>,
    dialect: Dialect,
    exchange: &mut Exchange,
    media: Option<&[u8]>,
) -> Result<Owned> {
    let form = match form(gil, dialect, exchange, media)? {
        Some(form) => Some(text::bytes(gil, &form)?),
        None => None,
    };
    let source = match form {
        Some(form) => {
            if let RequestBody::InInput(_) | RequestBody::Memory(_) = exchange.body {
                // The input reads the same object.
                exchange.body = RequestBody::Object(form.own(gil));
            }
            form
        }
        None => text::bytes(gil, exchange.target().query.unwrap_or_default())?,
    };
    if source.as_bytes() == Some(b"") {
        return container::dict(gil);
    }
    deferred_dict::<Params>(gil, &source)
}

/// The pairs of the query or form that is looked at.
struct Params;

impl Deferred for Params {
    const NAME: &'static CStr = c"fapws._evwsgi.Params";

    fn class() -> &'static State<Owned> {
        static CLASS: State<Owned> = State::new();
        &CLASS
    }

    fn make(gil: Gil<'_>, source: &Object) -> Result<Owned> {
        parse_query(gil, source.as_bytes().unwrap_or_default())
    }
}

/// `parse_query` of the module: a dict of lists.
pub fn parse_query(gil: Gil<'_>, query: &[u8]) -> Result<Owned> {
    let params = container::dict(gil)?;
    static NAMES: State<ParamNames> = State::new();
    let table = NAMES.get_or_try_make(gil, || Ok(ParamNames::default()))?;
    // Making an object may run the garbage collector, that a program's code, and that may parse a
    // query, which then has a table of its own.
    let mut names = table.take().unwrap_or_default();
    let filled = fill(gil, &params, &mut names, query);
    table.put(names);
    filled.map(|()| params)
}

fn fill(gil: Gil<'_>, params: &Object, names: &mut Table, query: &[u8]) -> Result<()> {
    names.round = names.round.wrapping_add(1);
    let mut pairs = Pairs::of(query).ok_or_else(|| Raised::no_memory(gil))?;
    while let Some((name, value)) = pairs.next_pair() {
        let Name { text: name, is_new } = names.get(gil, name)?;
        let value = text::native(gil, value)?;
        let before = if is_new {
            None
        } else {
            params.dict_get(gil, &name)
        };
        match before {
            Some(values) => values.list_append(gil, &value)?,
            None => params.dict_set(gil, &name, &*container::list_of(gil, value)?)?,
        }
    }
    Ok(())
}

/// The names seen last, in no more memory than a table of a fixed size.
type ParamNames = Exclusive<Box<Table>>;

/// A power of two, and many times the names of an ordinary form.
const NAME_SLOTS: usize = 1024;

/// Longer names are made anew each time.
const MAX_NAME: usize = 64;

struct Table {
    /// Counts the dicts that were filled.
    round: u32,
    slots: [Place; NAME_SLOTS],
}

#[derive(Default)]
struct Place {
    /// The last dict that had a name of this slot.
    round: u32,
    name: Option<Owned>,
}

struct Name {
    text: Owned,
    /// The dict of this round does not have it. Where it is not known to be so, this is false.
    is_new: bool,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            round: 0,
            slots: std::array::from_fn(|_| Place::default()),
        }
    }
}

impl Table {
    fn get(&mut self, gil: Gil<'_>, name: &[u8]) -> Result<Name> {
        if name.len() > MAX_NAME {
            let (text, is_new) = (text::native(gil, name)?, false);
            return Ok(Name { text, is_new });
        }
        let slot = &mut self.slots[place(name)];
        let is_new = std::mem::replace(&mut slot.round, self.round) != self.round;
        let known = slot
            .name
            .as_ref()
            .filter(|known| text::latin1(gil, known).is_some_and(|known| *known == *name));
        let text = match known {
            Some(known) => known.own(gil),
            None => {
                let text = text::native(gil, name)?;
                // Of two names with one slot, the first of a form keeps it.
                if is_new {
                    slot.name = Some(text.own(gil));
                }
                text
            }
        };
        Ok(Name { text, is_new })
    }
}

/// The slot of a name: of its length, and of its first and last eight bytes or whatever it has.
fn place(name: &[u8]) -> usize {
    let (first, last) = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (
            name.iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte)),
            0,
        ),
    };
    // The multiplier is 2^64 over the golden ratio: the product's upper bits depend on all of them.
    let mixed =
        (first ^ last.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - NAME_SLOTS.ilog2())) as usize
}
