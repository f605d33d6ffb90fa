//! An application that raised: what is logged, and what the client gets.

#![forbid(unsafe_code)]

use crate::app::console;
use crate::app::context::AppContext;
use crate::app::interruption;
use crate::dialect::Dialect;
use crate::http::error::HttpError;
use crate::http::reply::{push_error, push_legacy_failure_head};
use crate::py::out::Stream;
use crate::py::{Exception, Gil, Result, names, text};
use crate::queue::WriteQueue;
use crate::server_log::ServerLog;

/// Logs the exception, and queues the 500 page; its status.
pub fn push(
    gil: Gil<'_>,
    ctx: &AppContext,
    exception: Exception,
    request: &[u8],
    head_only: bool,
    out: &mut WriteQueue,
) -> u16 {
    let traceback = report(gil, ctx, &exception, request);
    match ctx.dialect {
        Dialect::Legacy => {
            push_legacy_failure_head(out.buffer(), &ctx.base.ident);
            if !head_only {
                push_legacy_page(gil, ctx, &traceback, out.buffer());
            }
        }
        Dialect::Standard => {
            let shown = shows_traceback(gil, ctx).then_some(traceback.as_slice());
            let lines = ctx.lines.borrow();
            push_error(
                out.buffer(),
                HttpError::Internal,
                lines.lines(),
                shown,
                head_only,
            );
        }
    }
    if ctx.ends_run(gil, &exception) {
        let replaced = ctx.exit.replace(Some(exception));
        drop(replaced);
    }
    HttpError::Internal.status()
}

/// Logs an exception: on stdout in the legacy dialect, else on stderr, with its `request`; the traceback.
pub fn report(gil: Gil<'_>, ctx: &AppContext, exception: &Exception, request: &[u8]) -> Vec<u8> {
    ctx.failures.set(ctx.failures.get() + 1);
    match ctx.dialect {
        Dialect::Legacy => {
            let text = interruption::make_despite(gil, || redirected(gil, ctx, exception));
            let text = text.unwrap_or_else(|raised| {
                raised.clear(gil);
                plain(gil, exception)
            });
            console::print_line(gil, "Python error!!!");
            let mut shown = text.clone();
            shown.push(b'\n');
            console::write(gil, Stream::Stdout, &shown);
            text
        }
        Dialect::Standard => {
            let text = plain(gil, exception);
            log(gil, request, &text);
            text
        }
    }
}

/// Logs what `close()` of a result raised.
pub fn report_close(gil: Gil<'_>, exception: &Exception, request: &[u8]) {
    log(gil, request, &plain(gil, exception));
}

fn log(gil: Gil<'_>, request: &[u8], traceback: &[u8]) {
    let text = [b"the application failed: ", request, b"\n", traceback].concat();
    let lines = ServerLog::of_stderr().error(&text);
    console::write(gil, Stream::Stderr, &lines);
}

fn plain(gil: Gil<'_>, exception: &Exception) -> Vec<u8> {
    interruption::make_despite(gil, || exception.text(gil)).unwrap_or_else(|raised| {
        raised.clear(gil);
        b"(the traceback could not be rendered)\n".to_vec()
    })
}

/// The traceback by way of `base.redirectStdErr`, which programs may have replaced: it puts an object
/// with `write` and `getvalue` in the place of `sys.stderr`.
///
/// DIFFERS(fapws3): `sys.stderr` is put back; the original never did.
fn redirected(gil: Gil<'_>, ctx: &AppContext, exception: &Exception) -> Result<Vec<u8>> {
    let names = names(gil);
    let sys = ctx.base.module.attr(gil, &names.sys)?;
    let before = sys.attr(gil, &names.stderr)?;
    let shown = ctx
        .base
        .module
        .call_method(gil, &names.redirect_stderr, &[])
        .and_then(|_| exception.show(gil))
        .and_then(|()| {
            sys.attr(gil, &names.stderr)?
                .call_method(gil, &names.getvalue, &[])
        });
    let restored = match shown {
        Ok(shown) => sys.set_attr(gil, &names.stderr, &before).map(|()| shown),
        Err(raised) => {
            let failed = Exception::take(gil, raised);
            sys.set_attr(gil, &names.stderr, &before)?;
            Err(failed.restore(gil))
        }
    };
    text::display(gil, &*restored?)
}

fn shows_traceback(gil: Gil<'_>, ctx: &AppContext) -> bool {
    match ctx
        .base
        .config
        .attr(gil, &names(gil).send_traceback_to_browser)
    {
        Ok(shown) => shown.is_true(),
        Err(raised) => {
            raised.clear(gil);
            false
        }
    }
}

fn push_legacy_page(gil: Gil<'_>, ctx: &AppContext, traceback: &[u8], out: &mut Vec<u8>) {
    if shows_traceback(gil, ctx) {
        out.extend_from_slice(b"<h1>Error</h1><pre>");
        // COMPAT(fapws3): not escaped.
        out.extend_from_slice(traceback);
        out.extend_from_slice(b"</pre>");
        return;
    }
    let short = ctx.base.config.attr(gil, &names(gil).send_traceback_short);
    match short.and_then(|short| text::display(gil, &short)) {
        Ok(short) => out.extend_from_slice(&short),
        Err(raised) => raised.clear(gil),
    }
}
