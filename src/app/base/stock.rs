//! The effect of a base module's stock classes, produced natively.
//!
//! Which classes are stock is [`super::recognition`]'s. One that was derived, replaced or changed in any
//! method is not, and its methods are called ([`super::custom`], `environ::via_class`). Tests hold both
//! ways against each other.
//!
//! What is produced here is what a program can see: the same keys and attributes, in the same order
//! of insertion, since the order of a dict of Python 2 depends on it.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::app::base::recognition::recognise;
use crate::app::environ::constants::constants;
use crate::app::exclusive::Exclusive;
use crate::http::reply::is_folded_value;
use crate::http::response_head::{HeadFault, LONGEST_HEAD};
use crate::py::class::{Members, bare_dict, bare_instance};
use crate::py::{Gil, Kind, Object, Owned, Raised, Result, container, names, text};

/// The methods of `Environ` that are not called.
const ENVIRON: [&CStr; 4] = [
    c"__init__",
    c"update_headers",
    c"update_uri",
    c"update_from_request",
];

/// The methods of `Start_response` that are not called; `__call__` is, by the application.
const START_RESPONSE: [&CStr; 2] = [c"__init__", c"__str__"];

/// Digests of the pristine classes, compiled by Python 2.7.
const PRISTINE_ENVIRON: u64 = 0xecac_f941_425d_35a4;
const PRISTINE_START_RESPONSE: u64 = 0xd020_2d56_4456_a601;

/// A class whose effect is known.
pub struct Stock {
    members: Members,
    /// The makers of `wsgi.errors` and `wsgi.input`, where it is `Environ`.
    makers: Option<Makers>,
    /// The attributes of a new `Start_response` but its headers.
    attributes: Option<Owned>,
}

/// Judges the class `Environ` of `module`.
pub fn environ(gil: Gil<'_>, module: &Object, class: &Object) -> Result<Option<Stock>> {
    let Some(members) = recognise(gil, class, &ENVIRON, PRISTINE_ENVIRON)? else {
        return Ok(None);
    };
    Ok(Some(Stock {
        members,
        makers: Some(Makers::of(gil, module)?),
        attributes: None,
    }))
}

/// From what `Environ` makes its streams: looked up by name each time, as the class itself does.
struct Makers {
    module: Owned,
    /// The module's dict, where it has one.
    namespace: Option<Owned>,
    known: Exclusive<KnownMakers>,
}

/// What was found, and what that means.
struct KnownMakers {
    string_io: Option<Owned>,
    bytes_io: Option<Owned>,
    /// The makers of `wsgi.errors` and `wsgi.input`, if both can be called.
    makers: Option<(Owned, Owned)>,
}

impl Makers {
    fn of(gil: Gil<'_>, module: &Object) -> Result<Makers> {
        let namespace = module.optional_attr(gil, &names(gil).dict)?;
        Ok(Makers {
            module: module.own(gil),
            namespace: namespace.filter(|namespace| namespace.is_dict()),
            known: Exclusive::default(),
        })
    }

    /// As they are now.
    fn get(&self, gil: Gil<'_>) -> Result<Option<(Owned, Owned)>> {
        let names = names(gil);
        let string_io = self.find(gil, &names.string_io)?;
        let bytes_io = self.find(gil, &names.bytes_io)?;
        let same = |one: &Option<Owned>, other: &Option<Owned>| match (one, other) {
            (Some(one), Some(other)) => one.is(other),
            (None, None) => true,
            _ => false,
        };
        let known = self
            .known
            .take()
            .filter(|known| same(&known.string_io, &string_io) && same(&known.bytes_io, &bytes_io));
        let known = match known {
            Some(known) => known,
            None => KnownMakers::of(gil, string_io, bytes_io)?,
        };
        let makers = known.makers.as_ref();
        let makers = makers.map(|(errors, input)| (errors.own(gil), input.own(gil)));
        self.known.put(known);
        Ok(makers)
    }

    fn find(&self, gil: Gil<'_>, name: &Object) -> Result<Option<Owned>> {
        match &self.namespace {
            Some(namespace) => Ok(namespace.dict_get(gil, name)),
            None => self.module.optional_attr(gil, name),
        }
    }
}

impl KnownMakers {
    fn of(gil: Gil<'_>, string_io: Option<Owned>, bytes_io: Option<Owned>) -> Result<KnownMakers> {
        // The pristine module has the module `cStringIO` under this name.
        let maker = |found: &Option<Owned>| -> Result<Option<Owned>> {
            let Some(found) = found else { return Ok(None) };
            let within = found.optional_attr(gil, &names(gil).string_io)?;
            Ok(Some(within.unwrap_or_else(|| found.own(gil))))
        };
        let errors = maker(&string_io)?;
        let input = maker(if bytes_io.is_some() {
            &bytes_io
        } else {
            &string_io
        })?;
        let makers = errors
            .zip(input)
            .filter(|(errors, input)| errors.is_callable() && input.is_callable());
        Ok(KnownMakers {
            string_io,
            bytes_io,
            makers,
        })
    }
}

/// Judges the class `Start_response` of a module.
pub fn start_response(gil: Gil<'_>, _: &Object, class: &Object) -> Result<Option<Stock>> {
    let Some(members) = recognise(gil, class, &START_RESPONSE, PRISTINE_START_RESPONSE)? else {
        return Ok(None);
    };
    let names = names(gil);
    let attributes = container::dict(gil)?;
    let none = Owned::none(gil);
    attributes.dict_set(gil, &names.status_code, &*text::native(gil, b"200")?)?;
    attributes.dict_set(gil, &names.status_reasons, &*text::native(gil, b"OK")?)?;
    attributes.dict_set(gil, &names.response_headers, &none)?;
    attributes.dict_set(gil, &names.exc_info, &none)?;
    attributes.dict_set(gil, &names.cookies, &none)?;
    attributes.dict_set(gil, &names.sent, &Owned::boolean(gil, false))?;
    Ok(Some(Stock {
        members,
        makers: None,
        attributes: Some(attributes),
    }))
}

impl Stock {
    /// Whether the class is still what it was, as far as can be seen at once.
    #[inline(always)]
    pub fn seems_unchanged(&self) -> bool {
        self.members.seem_unchanged()
    }

    /// Whether the class is still what it was.
    pub fn unchanged(&self, gil: Gil<'_>) -> Result<bool> {
        self.members.unchanged(gil)
    }

    /// What `Environ()` gives.
    pub fn new_environ(&self, gil: Gil<'_>) -> Result<Owned> {
        let makers = match &self.makers {
            Some(makers) => makers.get(gil)?,
            None => None,
        };
        let Some((errors, input)) = makers else {
            return self.members.class().call(gil, &[]);
        };
        let names = names(gil);
        let environ = bare_dict(gil, self.members.class())?;
        let set = |key: &Object, value: &Object| environ.dict_set(gil, key, value);
        set(&names.wsgi_version, constants(gil)?.wsgi_version())?;
        set(&names.wsgi_errors, &*errors.call(gil, &[])?)?;
        set(&names.wsgi_input, &*input.call(gil, &[])?)?;
        set(&names.wsgi_multithread, &Owned::boolean(gil, false))?;
        set(&names.wsgi_multiprocess, &Owned::boolean(gil, true))?;
        set(&names.wsgi_run_once, &Owned::boolean(gil, false))?;
        set(&names.fapws_params, &*container::dict(gil)?)?;
        Ok(environ)
    }

    /// What `Start_response()` gives, with the headers that `fill` puts into a dict.
    pub fn new_start_response(
        &self,
        gil: Gil<'_>,
        fill: impl FnOnce(&Object) -> Result<()>,
    ) -> Result<Option<Owned>> {
        let Some(attributes) = &self.attributes else {
            return Ok(None);
        };
        let names = names(gil);
        let attributes = attributes.dict_copy(gil)?;
        let headers = container::dict(gil)?;
        fill(&headers)?;
        attributes.dict_set(gil, &names.response_headers, &headers)?;
        bare_instance(gil, self.members.class(), &attributes)
    }

    /// What `str(start_response)` gives, checked as `custom::head_text` does. `None` where an attribute
    /// is not what the class itself puts there, so that only Python knows how it is rendered.
    pub fn head_text(&self, gil: Gil<'_>, object: &Object) -> Result<Option<Vec<u8>>> {
        let names = names(gil);
        let attribute = |name: &Object| object.attr(gil, name);
        let code = attribute(&names.status_code)?;
        let reasons = attribute(&names.status_reasons)?;
        let headers = attribute(&names.response_headers)?;
        let cookies = attribute(&names.cookies)?;
        let (Some(code), Some(reasons), true, true) = (
            text::latin1(gil, &code),
            text::latin1(gil, &reasons),
            headers.is_plain_dict(),
            cookies.is_none(),
        ) else {
            return Ok(None);
        };
        let mut head = Vec::with_capacity(256);
        head.extend_from_slice(b"HTTP/1.0 ");
        push_part(gil, &mut head, &code)?;
        head.push(b' ');
        push_part(gil, &mut head, &reasons)?;
        head.extend_from_slice(b"\r\n");
        for (name, value) in headers.dict_items(gil) {
            let (Some(name), Some(value)) = (text::latin1(gil, &name), text::latin1(gil, &value))
            else {
                return Ok(None);
            };
            push_part(gil, &mut head, &name)?;
            head.extend_from_slice(b": ");
            push_part(gil, &mut head, &value)?;
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok(Some(head))
    }
}

/// Adds a part of the head that must not end its line.
fn push_part(gil: Gil<'_>, head: &mut Vec<u8>, part: &[u8]) -> Result<()> {
    if !is_folded_value(part) {
        let message = "CR, LF or NUL in a header would split the response";
        return Err(Raised::new(gil, Kind::ValueError, message));
    }
    if head.len() + part.len() > LONGEST_HEAD {
        return Err(Raised::new(
            gil,
            Kind::ValueError,
            HeadFault::TooLong.message(),
        ));
    }
    head.extend_from_slice(part);
    Ok(())
}
