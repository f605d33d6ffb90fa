//! The `start_response` that an application gets: the standard dialect's own, or the base module's.

#![forbid(unsafe_code)]

pub mod header_args;
pub mod native;
pub mod overflow;
pub mod sink;
pub mod state;

use std::rc::Rc;

use crate::app::base::{BaseClass, custom};
use crate::app::context::AppContext;
use crate::app::exchange::Exchange;
use crate::app::start_response::native::NativeStartResponse;
use crate::app::start_response::overflow::OverflowBuffer;
use crate::app::start_response::state::Closed;
use crate::http::response_head::ResponseHead;
use crate::py::{Gil, Kind, Object, Owned, Raised, Result};
use crate::queue::WriteQueue;

/// The `start_response` that the application gets.
pub enum StartResponse {
    /// The standard dialect's own.
    Native(NativeStartResponse),
    /// The base module's, and its class.
    Custom(Owned, Rc<BaseClass>),
}

impl StartResponse {
    /// The one that the base module's class asks for.
    pub fn new(gil: Gil<'_>, ctx: &AppContext) -> Result<StartResponse> {
        if ctx.dialect.has_native_start_response() && ctx.base.has_stock_start_response(gil)? {
            return NativeStartResponse::new(gil, ctx).map(StartResponse::Native);
        }
        let base = ctx.base.start_response(gil)?;
        let made = match &base.stock {
            Some(stock) => {
                stock.new_start_response(gil, |headers| ctx.stamp_headers(gil, headers))?
            }
            None => None,
        };
        let object = match made {
            Some(object) => object,
            None => {
                let (object, headers) = custom::start_response(gil, &base.class)?;
                ctx.stamp_headers(gil, &headers)?;
                object
            }
        };
        Ok(StartResponse::Custom(object, base))
    }

    /// What the application gets.
    pub fn object(&self) -> &Object {
        match self {
            StartResponse::Native(native) => native.object(),
            StartResponse::Custom(object, _) => object,
        }
    }

    /// `wsgi.early_hints`, where it has one.
    pub fn early_hints(&self) -> Option<&Object> {
        match self {
            StartResponse::Native(native) => Some(native.early_hints()),
            StartResponse::Custom(..) => None,
        }
    }

    /// The application's first items are about to be drawn, before which it can send early hints.
    pub fn open_for_hints(&self, ctx: &AppContext, exchange: &Exchange, out: &mut WriteQueue) {
        if let StartResponse::Native(native) = self {
            native.state().open_for_hints(ctx, exchange, out);
        }
    }

    /// The application is about to be called: what it gives to `write` can be sent at once.
    pub fn open(&self, ctx: &AppContext, exchange: &Exchange, out: &mut WriteQueue) {
        if let StartResponse::Native(native) = self {
            native.state().open(ctx, exchange, out);
        }
    }

    /// The application returned: `out` is as `write` left it.
    pub fn close(&self, out: &mut WriteQueue) -> Closed {
        match self {
            StartResponse::Native(native) => native.state().close(out),
            StartResponse::Custom(..) => Closed::Unused,
        }
    }

    /// The head as the base module renders it.
    pub fn head_text(&self, gil: Gil<'_>) -> Result<Vec<u8>> {
        if let StartResponse::Custom(object, base) = self
            && let Some(stock) = &base.stock
            && let Some(head) = stock.head_text(gil, object)?
        {
            return Ok(head);
        }
        custom::head_text(gil, self.object())
    }

    /// What was given to `write` since the last look, if anything was.
    pub fn take_overflow(&self) -> Option<OverflowBuffer> {
        match self {
            StartResponse::Native(native) => native.state().take_overflow(),
            StartResponse::Custom(..) => None,
        }
    }

    /// Brings the head to its final form and passes it to `push`.
    pub fn send_head<R>(&self, gil: Gil<'_>, push: impl FnOnce(&ResponseHead) -> R) -> Result<R> {
        match self {
            StartResponse::Native(native) if native.state().has_head(gil) => {
                native.state().send_head(gil, push)
            }
            StartResponse::Native(_) => {
                let message = "the application did not call start_response";
                Err(Raised::new(gil, Kind::AssertionError, message))
            }
            StartResponse::Custom(object, _) => Ok(push(&custom::standard_head(gil, object)?)),
        }
    }
}
