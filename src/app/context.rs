//! What the requests of one `run` share: the dialect, the limits, the base module, the cache of
//! environs, and the lines that every head ends with.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::app::base::Base;
use crate::app::environ::cache::EnvironCache;
use crate::app::logged::Logged;
use crate::app::taken_sockets::TakenSockets;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::http::error::HttpError;
use crate::http::reply::{LegacyPage, push_error, push_legacy_page};
use crate::http::response_head::DateServerLines;
use crate::py::{Exception, Gil, Kind, Object, Owned, Result, names, text};
use crate::queue::WriteQueue;
use crate::sys::socket::Socket;

/// Writes what is queued, as far as a socket takes it; whether there is still a client.
pub type Flush = fn(Gil<'_>, &Socket, &mut WriteQueue) -> bool;

/// What the requests of one `run` share.
pub struct AppContext {
    /// The dialect in force.
    pub dialect: Dialect,
    /// The limits and timeouts.
    pub config: Config,
    /// The base module.
    pub base: Rc<Base>,
    /// Environs of heads that were seen before.
    pub environ_cache: EnvironCache,
    /// How `write()` writes in the middle of a call.
    pub flush: Flush,
    /// The `Date` and `Server` lines of this second.
    pub lines: Rc<RefCell<DateServerLines>>,
    /// The date of this second as a native string, made when it is first wanted.
    date_text: RefCell<Option<Owned>>,
    /// An exception that ends `run` once its client has its response.
    pub exit: RefCell<Option<Exception>>,
    /// The sockets that applications have taken over.
    pub taken: Rc<TakenSockets>,
    /// What the access log has of the environ.
    pub logged: Logged,
    /// Counts every exception of an application, for `stats()`.
    pub failures: Cell<u64>,
}

impl AppContext {
    /// For a `run` that begins now.
    pub fn new(
        dialect: Dialect,
        config: Config,
        base: Rc<Base>,
        flush: Flush,
        taken: Rc<TakenSockets>,
    ) -> AppContext {
        AppContext {
            dialect,
            config,
            base,
            environ_cache: EnvironCache::default(),
            flush,
            lines: Rc::default(),
            date_text: RefCell::default(),
            exit: RefCell::default(),
            taken,
            logged: Logged::default(),
            failures: Cell::default(),
        }
    }

    /// Whether this exception ends `run`, which then raises it: `SystemExit` in the legacy dialect.
    pub fn ends_run(&self, gil: Gil<'_>, exception: &Exception) -> bool {
        self.dialect.exit_ends_run() && exception.is(gil, Kind::SystemExit)
    }

    /// Puts `Date` and `Server` into the headers of a base module's `Start_response`.
    pub fn stamp_headers(&self, gil: Gil<'_>, headers: &Object) -> Result<()> {
        let names = names(gil);
        let known = self.date_text.borrow().as_ref().map(|date| date.own(gil));
        let date = match known {
            Some(date) => date,
            None => {
                let date = text::native(gil, self.lines.borrow().date())?;
                let replaced = self.date_text.replace(Some(date.own(gil)));
                drop(replaced);
                date
            }
        };
        headers.dict_set(gil, &names.date, &date)?;
        if self.dialect == Dialect::Standard && self.base.ident.is_empty() {
            return Ok(());
        }
        headers.dict_set(gil, &names.server, &self.base.ident_text)
    }

    /// The loop's clock says that it is `second` (Unix time).
    pub fn update_clock(&self, second: i64) {
        if self.lines.borrow_mut().update(second, &self.base.ident) {
            let replaced = self.date_text.take();
            drop(replaced);
        }
    }

    /// Queues the response to a message that is rejected; its status.
    pub fn push_rejection(&self, out: &mut Vec<u8>, error: HttpError, head_only: bool) -> u16 {
        match self.dialect {
            Dialect::Legacy => {
                let page = legacy_page(error);
                push_legacy_page(out, page, &self.base.ident);
                page.status()
            }
            Dialect::Standard => {
                push_error(out, error, self.lines.borrow().lines(), None, head_only);
                error.status()
            }
        }
    }
}

fn legacy_page(error: HttpError) -> LegacyPage {
    match error {
        HttpError::NotFound => LegacyPage::NotFound,
        HttpError::LengthRequired => LegacyPage::LengthRequired,
        HttpError::NotImplemented => LegacyPage::NotImplemented,
        HttpError::RequestTimeout => LegacyPage::RequestTimeout,
        HttpError::BodyTooLarge => LegacyPage::BodyTooLarge,
        HttpError::TargetTooLong => LegacyPage::TargetTooLong,
        HttpError::HeadTooLarge => LegacyPage::HeadTooLarge,
        _ => LegacyPage::Internal,
    }
}
