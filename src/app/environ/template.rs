//! The dict that environs of the standard dialect begin as.

#![forbid(unsafe_code)]

use crate::app::endpoint::{Endpoint, Surroundings};
use crate::app::environ::constants::constants;
use crate::app::{errors, file_wrapper};
use crate::py::{Gil, Object, Owned, Result, container, names, text};

/// What a template says of a request unless the request says otherwise.
pub const DEFAULT_METHOD: &[u8] = b"GET";
/// The same of the protocol.
pub const DEFAULT_PROTOCOL: &[u8] = b"HTTP/1.1";

/// Room for this many keys beyond the template's own before the copy has to grow.
const SPARE: usize = 8;

/// What the plain dict of the standard dialect begins as.
///
/// CPython copies a dict in one piece when it has no deleted entries to speak of, and the copy has
/// the original's spare room; so the template is made with room for an ordinary request's keys.
pub fn template(
    gil: Gil<'_>,
    endpoint: &Endpoint,
    software: &Object,
    surroundings: Surroundings,
) -> Result<Owned> {
    let (names, constants) = (names(gil), constants(gil)?);
    let dict = container::dict(gil)?;
    let set = |key: &Object, value: &Object| dict.dict_set(gil, key, value);
    let (yes, no) = (Owned::boolean(gil, true), Owned::boolean(gil, false));
    set(
        &names.request_method,
        &*constants.method(gil, DEFAULT_METHOD)?,
    )?;
    set(&names.script_name, &constants.empty)?;
    set(&names.path_info, &constants.empty)?;
    set(&names.query_string, &constants.empty)?;
    set(&names.request_uri, &constants.empty)?;
    set(&names.raw_uri, &constants.empty)?;
    set(&names.server_name, &endpoint.standard.name)?;
    set(&names.server_port, &endpoint.standard.port)?;
    set(&names.server_software, software)?;
    set(
        &names.server_protocol,
        &*constants.protocol(gil, DEFAULT_PROTOCOL)?,
    )?;
    set(&names.remote_addr, &constants.empty)?;
    set(&names.remote_port, &constants.empty)?;
    set(&names.wsgi_version, constants.wsgi_version())?;
    set(&names.wsgi_url_scheme, &*text::native(gil, b"http")?)?;
    // Each request has its own: this keeps its place.
    set(&names.wsgi_input, &Owned::none(gil))?;
    set(&names.wsgi_errors, errors::stream(gil)?)?;
    set(
        &names.wsgi_multithread,
        &Owned::boolean(gil, surroundings.multithread),
    )?;
    set(
        &names.wsgi_multiprocess,
        &Owned::boolean(gil, surroundings.multiprocess),
    )?;
    set(&names.wsgi_run_once, &no)?;
    set(&names.wsgi_file_wrapper, file_wrapper::class(gil)?.object())?;
    set(&names.wsgi_input_terminated, &yes)?;
    let room: Vec<Owned> = (0..SPARE)
        .map(|index| text::native(gil, format!("fapws.room.{index}").as_bytes()))
        .collect::<Result<_>>()?;
    for key in &room {
        set(key, &constants.empty)?;
    }
    for key in &room {
        dict.dict_delete(gil, key)?;
    }
    Ok(dict)
}
