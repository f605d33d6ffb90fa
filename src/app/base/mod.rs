//! The base module that the program registered, and its `config`.
//!
//! Everything in it but `SERVER_IDENT` and `date_format` is looked up by name at request time, so that
//! a change after `set_base_module` takes effect (`docs/module.md`).

#![forbid(unsafe_code)]

pub mod custom;
mod recognition;
pub mod stock;

use std::cell::Cell;
use std::rc::Rc;

use crate::app::base::stock::Stock;
use crate::app::exclusive::Exclusive;
use crate::http::reply::is_field_value;
use crate::py::watch::{Changes, Watched};
use crate::py::{Gil, Kind, Object, Owned, Raised, Result, names, text};

/// A registered base module.
pub struct Base {
    /// The object given to `set_base_module`.
    pub module: Owned,
    /// Its `config`.
    pub config: Owned,
    /// `config.SERVER_IDENT` as it was then, empty for `None`.
    pub ident: Vec<u8>,
    /// The same as a native string.
    pub ident_text: Owned,
    /// `SERVER_SOFTWARE`: the ident, or this package's name where there is none.
    pub software: Owned,
    /// The module's own dict: where the names are looked up at each request.
    namespace: Option<Owned>,
    /// The dict, where it says when it changes, so that they need not be.
    watched: Option<Watched>,
    /// What was found out about the classes when they were looked up last.
    environ: Exclusive<Rc<BaseClass>>,
    start_response: Exclusive<Rc<BaseClass>>,
}

/// Finds out whether a class of a module is stock.
type Judge = fn(Gil<'_>, &Object, &Object) -> Result<Option<Stock>>;

/// A class of the base module.
pub struct BaseClass {
    /// The class.
    pub class: Owned,
    /// Its effect, where it is known, so that it can be produced natively.
    pub stock: Option<Stock>,
    /// When the module, which is watched, was seen to have it.
    seen: Cell<Option<Changes>>,
}

impl Base {
    /// Reads what `set_base_module` promises to read: `AttributeError` for what is missing.
    pub fn new(gil: Gil<'_>, module: &Object) -> Result<Base> {
        let names = names(gil);
        let config = module.attr(gil, &names.config)?;
        let ident = config.attr(gil, &names.server_ident)?;
        config.attr(gil, &names.date_format)?;
        let ident = if ident.is_none() {
            Vec::new()
        } else {
            text::display(gil, &ident)?
        };
        if !is_field_value(&ident) {
            let message = "config.SERVER_IDENT is sent as a header: it must be one line";
            return Err(Raised::new(gil, Kind::ValueError, message));
        }
        let ident_text = text::native(gil, &ident)?;
        let software = match &*ident {
            b"" => text::native(gil, b"fapws")?,
            _ => ident_text.own(gil),
        };
        let namespace = module
            .optional_attr(gil, &names.dict)?
            .filter(|dict| dict.is_dict());
        let watched = namespace.as_ref().and_then(|dict| Watched::new(gil, dict));
        Ok(Base {
            module: module.own(gil),
            config,
            ident,
            ident_text,
            software,
            namespace,
            watched,
            environ: Exclusive::default(),
            start_response: Exclusive::default(),
        })
    }

    /// Whether the class `Environ` is one whose effect is known.
    #[inline]
    pub fn has_stock_environ(&self, gil: Gil<'_>) -> Result<bool> {
        if self.is_seen_stock(gil, &self.environ) {
            return Ok(true);
        }
        Ok(self.environ(gil)?.stock.is_some())
    }

    /// The class `Environ`.
    pub fn environ(&self, gil: Gil<'_>) -> Result<Rc<BaseClass>> {
        self.class(gil, &names(gil).environ, &self.environ, stock::environ)
    }

    /// Whether the class `Start_response` is one whose effect is known.
    #[inline]
    pub fn has_stock_start_response(&self, gil: Gil<'_>) -> Result<bool> {
        if self.is_seen_stock(gil, &self.start_response) {
            return Ok(true);
        }
        Ok(self.start_response(gil)?.stock.is_some())
    }

    /// The class `Start_response`.
    pub fn start_response(&self, gil: Gil<'_>) -> Result<Rc<BaseClass>> {
        let name = &names(gil).start_response;
        self.class(gil, name, &self.start_response, stock::start_response)
    }

    /// The class that the module has under `name` now. Python code may run, and come here, too: it looks for
    /// itself.
    fn class(
        &self,
        gil: Gil<'_>,
        name: &Object,
        known: &Exclusive<Rc<BaseClass>>,
        judge: Judge,
    ) -> Result<Rc<BaseClass>> {
        let now = self.changes(gil);
        let (class, is_in_namespace) = match self.found(gil, name) {
            Some(class) => (class, true),
            // An object of another kind, or one with a `__getattr__`.
            None => (self.module.attr(gil, name)?, false),
        };
        let seen = now.filter(|_| is_in_namespace);
        let before = known.take().filter(|before| before.class.is(&class));
        let recognised = match before {
            Some(before) if before.seems_unchanged() || before.is_unchanged(gil)? => before,
            _ => {
                let stock = judge(gil, &self.module, &class)?;
                Rc::new(BaseClass {
                    class,
                    stock,
                    seen: Cell::default(),
                })
            }
        };
        recognised.seen.set(seen);
        known.put(recognised.clone());
        Ok(recognised)
    }

    /// What changes with the module's dict.
    #[inline(always)]
    fn changes(&self, gil: Gil<'_>) -> Option<Changes> {
        self.watched.as_ref()?.changes(gil)
    }

    /// Whether a class was found to be stock, and nothing has changed, as far as can be seen at once.
    #[inline(always)]
    fn is_seen_stock(&self, gil: Gil<'_>, known: &Exclusive<Rc<BaseClass>>) -> bool {
        let is_stock = |known: &mut Rc<BaseClass>| {
            let seen = known.seen.get();
            seen.is_some()
                && seen == self.changes(gil)
                && known.stock.as_ref().is_some_and(Stock::seems_unchanged)
        };
        known.with(is_stock).unwrap_or(false)
    }

    /// What the module's dict has under `name` now.
    fn found(&self, gil: Gil<'_>, name: &Object) -> Option<Owned> {
        let namespace = self.namespace.as_ref()?;
        namespace.dict_get(gil, name)
    }
}

impl BaseClass {
    /// Whether it is as it was found, as far as can be seen at once.
    #[inline(always)]
    fn seems_unchanged(&self) -> bool {
        self.stock.as_ref().is_none_or(Stock::seems_unchanged)
    }

    /// Whether what was found out about the class is so still.
    fn is_unchanged(&self, gil: Gil<'_>) -> Result<bool> {
        match &self.stock {
            Some(stock) => stock.unchanged(gil),
            None => Ok(true),
        }
    }
}
