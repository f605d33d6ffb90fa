//! What the server parses and writes, as functions.

#![forbid(unsafe_code)]

use crate::api::arguments::native_argument;
use crate::app::params;
use crate::ev;
use crate::http::date::imf_fixdate;
use crate::py::{Arguments, Gil, Kind, Owned, Raised, Result, container, number, text};

/// `parse_query(str)`.
pub fn parse_query(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [query] = arguments.exactly(gil, "parse_query")?;
    let query = native_argument(gil, query, "the query")?;
    if query.contains(&0) {
        return Err(Raised::new(
            gil,
            Kind::TypeError,
            "the query must not hold NUL",
        ));
    }
    params::parse_query(gil, &query)
}

/// `rfc1123_date(seconds)`.
pub fn rfc1123_date(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [seconds] = arguments.exactly(gil, "rfc1123_date")?;
    let seconds = if seconds.is_int() {
        Some(seconds.to_int(gil)?)
    } else {
        // Truncated towards zero; a number too large saturates, and is out of range then.
        let seconds = seconds.to_float(gil)?;
        (!seconds.is_nan()).then_some(seconds as i64)
    };
    match seconds.and_then(imf_fixdate) {
        Some(date) => text::native(gil, &date),
        None => Err(Raised::new(
            gil,
            Kind::ValueError,
            "the time is out of range",
        )),
    }
}

/// `libev_version()`.
pub fn libev_version(gil: Gil<'_>, arguments: &Arguments<'_>) -> Result<Owned> {
    arguments.no_keywords(gil, "libev_version")?;
    let (major, minor) = ev::version();
    let (major, minor) = (
        number::int(gil, major.into())?,
        number::int(gil, minor.into())?,
    );
    container::tuple(gil, &[&major, &minor])
}
