//! The body for an `Environ` of the program's own: into whatever `wsgi.input` it supplies.

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::exchange::{Exchange, RequestBody};
use crate::app::input::content::{ReadFault, read_spool};
use crate::app::{input, params};
use crate::http::framing::BodyLength;
use crate::py::file::is_buffer;
use crate::py::{Gil, Object, Owned, Raised, Result, names, number, text};
use crate::sys::memory;

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
    let form = params::form(gil, ctx.dialect, exchange, exchange.field(b"content-type"))?
        .map(|form| params::parse_query(gil, &form))
        .transpose()?;
    match environ.dict_get(gil, &names.wsgi_input) {
        Some(supplied) if takes_body(gil, ctx, exchange, environ, &supplied)? => {
            write_body(gil, ctx, exchange, &supplied)?;
            exchange.body = RequestBody::Empty;
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

/// Whether the body is written to the program's own object; otherwise an input of ours takes its place.
fn takes_body(
    gil: Gil<'_>,
    ctx: &AppContext,
    exchange: &Exchange,
    environ: &Object,
    supplied: &Owned,
) -> Result<bool> {
    let names = names(gil);
    if supplied.optional_attr(gil, &names.write)?.is_none() {
        return Ok(false);
    }
    if exchange.body_len() <= ctx.dialect.written_at_once(ctx.config.body_memory) {
        return Ok(true);
    }
    if ctx.dialect.writes_long_bodies() {
        // What holds all of it in memory, and nobody else knows, is as good as an input of ours.
        return Ok(!is_buffer(gil, supplied)? || !is_environs_alone(gil, environ, supplied)?);
    }
    // Without `read` it cannot stand for the input: it takes the body in, as the package's parser of
    // forms does.
    Ok(supplied.optional_attr(gil, &names.read)?.is_none())
}

/// Whether nobody but the environ has a reference to its input.
fn is_environs_alone(gil: Gil<'_>, environ: &Object, supplied: &Owned) -> Result<bool> {
    let key = &names(gil).wsgi_input;
    environ.dict_set(gil, key, &Owned::none(gil))?;
    let is_alone = supplied.is_unshared();
    environ.dict_set(gil, key, supplied)?;
    Ok(is_alone)
}

/// Writes the body to the program's own object: at once where it is short, else in pieces, so that memory does
/// not grow with it.
fn write_body(gil: Gil<'_>, ctx: &AppContext, exchange: &Exchange, taker: &Object) -> Result<()> {
    let names = names(gil);
    let length = exchange.body_len();
    let is_short = length <= ctx.dialect.written_at_once(ctx.config.body_memory);
    // What is longer than can be addressed is not short, and was not received either.
    let size = if is_short { length as usize } else { PIECE };
    let write = |piece: &[u8]| -> Result<()> {
        let buffer = text::body_buffer(gil, piece)?;
        taker.call_method(gil, &names.write, &[&buffer]).map(drop)
    };
    match &exchange.body {
        RequestBody::Spooled(spool) => {
            let mut piece = memory::with_capacity(size).map_err(|_| Raised::no_memory(gil))?;
            let mut written = 0;
            while written < length {
                piece.resize((length - written).min(size as u64) as usize, 0);
                read_spool(spool, written, &mut piece)
                    .map_err(|error| ReadFault::File(error).raise(gil))?;
                write(&piece)?;
                written += piece.len() as u64;
            }
        }
        _ if length == 0 => write(b"")?,
        _ => {
            let body = exchange.body_in_memory().unwrap_or_default();
            body.chunks(size).try_for_each(write)?;
        }
    }
    let start = number::int(gil, 0)?;
    taker.call_method(gil, &names.seek, &[&start]).map(drop)
}
