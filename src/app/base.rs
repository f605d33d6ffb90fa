//! The base module that the program registered, and its `config`.
//!
//! Everything in it but `SERVER_IDENT` and `date_format` is looked up by name at request time, so that
//! a program that changes it after `set_base_module` is obeyed (`api.md`).

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;

use crate::app::stock::{self, Stock};
use crate::http::reply::is_field_value;
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
    /// The module's own dict: where the names are looked up at each request.
    namespace: Option<Owned>,
    environ: RefCell<Option<Verdict>>,
    start_response: RefCell<Option<Verdict>>,
}

/// What was found out about the class that stood under a name last.
struct Verdict {
    class: Owned,
    stock: Option<Rc<Stock>>,
}

/// A class of the base module.
pub struct BaseClass {
    /// The class as it is now.
    pub class: Owned,
    /// Its effect, where it is known, so that it can be produced natively.
    pub stock: Option<Rc<Stock>>,
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
        let namespace = module
            .optional_attr(gil, &names.dict)?
            .filter(|dict| dict.is_dict());
        Ok(Base {
            module: module.own(gil),
            config,
            ident,
            ident_text,
            namespace,
            environ: RefCell::default(),
            start_response: RefCell::default(),
        })
    }

    /// The class `Environ`.
    pub fn environ(&self, gil: Gil<'_>) -> Result<BaseClass> {
        let class = self.name(gil, &names(gil).environ)?;
        self.verdict(gil, class, &self.environ, stock::environ)
    }

    /// The class `Start_response`.
    pub fn start_response(&self, gil: Gil<'_>) -> Result<BaseClass> {
        let class = self.name(gil, &names(gil).start_response)?;
        self.verdict(gil, class, &self.start_response, stock::start_response)
    }

    /// What the module has under `name` now.
    fn name(&self, gil: Gil<'_>, name: &Object) -> Result<Owned> {
        let found = self
            .namespace
            .as_ref()
            .and_then(|dict| dict.dict_get(gil, name));
        match found {
            Some(found) => Ok(found),
            // An object of another kind, or one with a `__getattr__`.
            None => self.module.attr(gil, name),
        }
    }

    fn verdict(
        &self,
        gil: Gil<'_>,
        class: Owned,
        slot: &RefCell<Option<Verdict>>,
        judge: fn(Gil<'_>, &Object, &Object) -> Result<Option<Stock>>,
    ) -> Result<BaseClass> {
        let seen = match &*slot.borrow() {
            Some(seen) if seen.class.is(&class) => Some(seen.stock.clone()),
            _ => None,
        };
        let stock = match seen {
            Some(None) => None,
            Some(Some(stock)) if stock.unchanged(gil)? => Some(stock),
            _ => {
                let stock = judge(gil, &self.module, &class)?.map(Rc::new);
                let verdict = Verdict {
                    class: class.own(gil),
                    stock: stock.clone(),
                };
                let replaced = slot.replace(Some(verdict));
                drop(replaced);
                stock
            }
        };
        Ok(BaseClass { class, stock })
    }
}
