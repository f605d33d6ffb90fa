//! From received bytes to a request: its head, how it is delimited, and what is known of it already.

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::exchange::CacheResult;
use crate::http::error::HttpError;
use crate::http::framing::Framing;
use crate::http::head::{Head, HeadLimits, HeadSearch, parse_strict_line};
use crate::py::Gil;
use crate::server::connection::work::Connection;
use crate::server::registry::registry;

/// Parses the head at the start of `bytes` into `head`; `None` while it is not whole.
pub fn parse(
    gil: Gil<'_>,
    connection: &Connection,
    search: &mut HeadSearch,
    bytes: &[u8],
    head: &mut Head,
) -> Result<Option<(Framing, CacheResult)>, HttpError> {
    let ctx = &connection.reactor.ctx;
    let (dialect, config) = (ctx.dialect, &ctx.config);
    let limits = config.head_limits();
    if let Some(seen) = seen_before(gil, connection, bytes, &limits, head) {
        return Ok(Some(seen));
    }
    *head = Head {
        fields: std::mem::take(&mut head.fields),
        ..Head::default()
    };
    let Some(length) = dialect.search(search, bytes, &limits)? else {
        return Ok(None);
    };
    dialect.parse(bytes, length, &limits, head)?;
    let framing = dialect.framing(head, bytes, config.max_body_size)?;
    Ok(Some((framing, CacheResult::Miss)))
}

/// A head whose fields this connection sent before: only its request line is read.
fn seen_before(
    gil: Gil<'_>,
    connection: &Connection,
    bytes: &[u8],
    limits: &HeadLimits,
    head: &mut Head,
) -> Option<(Framing, CacheResult)> {
    let cache = &connection.reactor.ctx.environ_cache;
    let known = match cache.find(gil, connection.id().number, bytes) {
        Ok(known) => known?,
        Err(raised) => {
            raised.clear(gil);
            return None;
        }
    };
    if known.length > limits.head || parse_strict_line(bytes, limits, head).is_err() {
        return None;
    }
    head.len = known.length;
    Some((known.framing, CacheResult::Hit(known.environ)))
}

/// What can be said against a request before its body is here.
pub fn reject_early(
    gil: Gil<'_>,
    ctx: &AppContext,
    head: &Head,
    bytes: &[u8],
) -> Result<(), HttpError> {
    let dialect = ctx.dialect;
    if !dialect.rejects_early() {
        return Ok(());
    }
    let target = dialect.target(head.method.of(bytes), head.target.of(bytes))?;
    if dialect.is_about_server(target.path) {
        return Ok(());
    }
    let routes = registry(gil).routes.borrow();
    match routes.find(gil, ctx, target.origin) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(HttpError::NotFound),
        Err(raised) => {
            raised.clear(gil);
            Err(HttpError::Internal)
        }
    }
}

/// Whether a message that was not parsed begins like one that wants only the head of a response.
pub fn is_head_request(bytes: &[u8]) -> bool {
    let line = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    line.starts_with(b"HEAD ")
}
