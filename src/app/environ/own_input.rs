//! The body for an `Environ` of the program's own: into whatever `wsgi.input` it supplies.

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::exchange::{Exchange, RequestBody};
use crate::app::input::content::{ReadFault, read_spool};
use crate::app::{input, params};
use crate::http::framing::BodyLength;
use crate::py::{Gil, Object, Owned, Result, names, number, text};

/// Bytes of a long body that a program's own object gets at a time.
const PIECE: usize = 64 * 1024;

/// Sets the input, `CONTENT_*` and what a form holds.
pub fn give_body(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &mut Exchange,
    environ: &Object,
) -> Result<()> {
    let names = names(gil);
    if ctx.dialect.repeats_content_fields() {
        let length = match exchange.framing.body {
            BodyLength::Fixed(length) => length,
            BodyLength::None | BodyLength::Chunked => 0,
        };
        environ.dict_set(
            gil,
            &names.content_length,
            &*number::int(gil, length as i64)?,
        )?;
    }
    let form = params::form(exchange, exchange.field(b"content-type"))
        .map(|form| params::parse_query(gil, &form))
        .transpose()?;
    let supplied = environ.dict_get(gil, &names.wsgi_input);
    match (&exchange.body, supplied) {
        // Another body is longer than a program's own object may want to hold in one piece.
        (
            RequestBody::Memory(_)
            | RequestBody::Object(_)
            | RequestBody::InInput(_)
            | RequestBody::Empty,
            Some(supplied),
        ) if supplied.optional_attr(gil, &names.write)?.is_some() => {
            let buffer = text::body_buffer(gil, exchange.body_in_memory().unwrap_or_default())?;
            supplied.call_method(gil, &names.write, &[&buffer])?;
            supplied.call_method(gil, &names.seek, &[&*number::int(gil, 0)?])?;
        }
        // Without `read` it cannot stand for the input: it takes the body in, as the package's
        // parser of forms does.
        (
            RequestBody::PooledObject(_) | RequestBody::Pooled(_) | RequestBody::Spooled(_),
            Some(supplied),
        ) if supplied.optional_attr(gil, &names.write)?.is_some()
            && supplied.optional_attr(gil, &names.read)?.is_none() =>
        {
            write_long(gil, exchange, &supplied)?;
            supplied.call_method(gil, &names.seek, &[&*number::int(gil, 0)?])?;
        }
        _ => {
            let input = input::of(gil, exchange)?;
            environ.dict_set(gil, &names.wsgi_input, &input)?;
        }
    }
    if ctx.dialect.repeats_content_fields() {
        let media = environ.dict_get(gil, &names.http_content_type);
        let media = media.unwrap_or_else(|| Owned::none(gil));
        environ.dict_set(gil, &names.content_type, &media)?;
    }
    match form {
        Some(form) => environ.dict_set(gil, &names.fapws_params, &form),
        None => Ok(()),
    }
}

/// Writes a long body to the program's own object in pieces, so that memory does not grow with it.
fn write_long(gil: Gil<'_>, exchange: &Exchange, taker: &Object) -> Result<()> {
    let write = |piece: &[u8]| -> Result<()> {
        let buffer = text::body_buffer(gil, piece)?;
        taker.call_method(gil, &names(gil).write, &[&buffer])?;
        Ok(())
    };
    let RequestBody::Spooled(spool) = &exchange.body else {
        let mut pieces = exchange.body_in_memory().unwrap_or_default().chunks(PIECE);
        return pieces.try_for_each(write);
    };
    let mut piece = vec![0; PIECE];
    let mut written = 0;
    while written < spool.len() {
        let length = (spool.len() - written).min(PIECE as u64) as usize;
        read_spool(spool, written, &mut piece[..length])
            .map_err(|error| ReadFault::File(error).raise(gil))?;
        write(&piece[..length])?;
        written += length as u64;
    }
    Ok(())
}
