//! The `start_response` that an application gets: the standard dialect's own, or the base module's.

#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::app::base::BaseClass;
use crate::app::context::AppContext;
use crate::app::exchange::Exchange;
use crate::app::protocol;
use crate::app::sink::SentHead;
use crate::app::start_response::Native;
use crate::app::stock::Stock;
use crate::app::written::Written;
use crate::http::response_head::ResponseHead;
use crate::py::{Gil, Kind, Object, Owned, Raised, Result};
use crate::queue::WriteQueue;

/// The `start_response` that the application gets.
pub enum Starter {
    /// The standard dialect's own.
    Native(Native),
    /// The base module's, and what is known of its class.
    Protocol(Owned, Option<Rc<Stock>>),
}

impl Starter {
    /// The one that the base module's class asks for.
    pub fn new(gil: Gil<'_>, ctx: &AppContext) -> Result<Starter> {
        let BaseClass { class, stock } = ctx.base.start_response(gil)?;
        if stock.is_some() && ctx.dialect.has_native_start_response() {
            return Native::new(gil, ctx).map(Starter::Native);
        }
        let native = stock
            .as_ref()
            .map(|stock| stock.new_start_response(gil, ctx))
            .transpose()?;
        let object = match native.flatten() {
            Some(object) => object,
            None => protocol::start_response(gil, ctx, &class)?,
        };
        Ok(Starter::Protocol(object, stock))
    }

    /// What the application gets.
    pub fn object(&self) -> &Object {
        match self {
            Starter::Native(native) => native.object(),
            Starter::Protocol(object, _) => object,
        }
    }

    /// The application is about to be called: what it gives to `write` can be sent at once.
    pub fn open(&self, ctx: &AppContext, exchange: &Exchange, out: &mut WriteQueue) {
        if let Starter::Native(native) = self {
            native.exchange().open(ctx, exchange, out);
        }
    }

    /// The application returned: `out` is as `write` left it.
    pub fn close(&self, out: &mut WriteQueue) -> Option<SentHead> {
        match self {
            Starter::Native(native) => native.exchange().close(out),
            Starter::Protocol(..) => None,
        }
    }

    /// The head as the base module renders it.
    pub fn head_text(&self, gil: Gil<'_>) -> Result<Vec<u8>> {
        if let Starter::Protocol(object, Some(stock)) = self
            && let Some(head) = stock.head_text(gil, object)?
        {
            return Ok(head);
        }
        protocol::head_text(gil, self.object())
    }

    /// What was given to `write` since the last look.
    pub fn take_written(&self) -> Written {
        match self {
            Starter::Native(native) => native.exchange().take_written(),
            Starter::Protocol(..) => Written::default(),
        }
    }

    /// Brings the head to its final form and passes it to `push`.
    pub fn send_head<R>(&self, gil: Gil<'_>, push: impl FnOnce(&ResponseHead) -> R) -> Result<R> {
        match self {
            Starter::Native(native) if native.exchange().has_head() => {
                native.exchange().send_head(gil, push)
            }
            Starter::Native(_) => {
                let message = "the application did not call start_response";
                Err(Raised::new(gil, Kind::AssertionError, message))
            }
            Starter::Protocol(object, _) => Ok(push(&protocol::standard_head(gil, object)?)),
        }
    }
}
