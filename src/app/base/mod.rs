//! The base module that the program registered, and its `config`.
//!
//! Everything in it but `SERVER_IDENT` and `date_format` is looked up by name at request time, so that
//! a program that changes it after `set_base_module` is obeyed (`docs/module.md`).

#![forbid(unsafe_code)]

pub mod custom;
mod recognition;
pub mod stock;

use std::rc::Rc;

use crate::app::base::stock::Stock;
use crate::app::exclusive::Exclusive;
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
    /// `SERVER_SOFTWARE`: the ident, or this package's name where there is none.
    pub software: Owned,
    /// The module's own dict: where the names are looked up at each request.
    namespace: Option<Owned>,
    /// What was found out about the classes when they were asked for last.
    environ: Exclusive<Rc<BaseClass>>,
    start_response: Exclusive<Rc<BaseClass>>,
}

/// A class of the base module.
pub struct BaseClass {
    /// The class.
    pub class: Owned,
    /// Its effect, where it is known, so that it can be produced natively.
    pub stock: Option<Stock>,
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
        Ok(Base {
            module: module.own(gil),
            config,
            ident,
            ident_text,
            software,
            namespace,
            environ: Exclusive::default(),
            start_response: Exclusive::default(),
        })
    }

    /// The class `Environ`.
    pub fn environ(&self, gil: Gil<'_>) -> Result<Rc<BaseClass>> {
        let class = self.name(gil, &names(gil).environ)?;
        self.recognise(gil, class, &self.environ, stock::environ)
    }

    /// The class `Start_response`.
    pub fn start_response(&self, gil: Gil<'_>) -> Result<Rc<BaseClass>> {
        let class = self.name(gil, &names(gil).start_response)?;
        self.recognise(gil, class, &self.start_response, stock::start_response)
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

    fn recognise(
        &self,
        gil: Gil<'_>,
        class: Owned,
        known: &Exclusive<Rc<BaseClass>>,
        judge: fn(Gil<'_>, &Object, &Object) -> Result<Option<Stock>>,
    ) -> Result<Rc<BaseClass>> {
        // Looking may run Python code that comes here, too: it looks for itself.
        let before = known.take().filter(|before| before.class.is(&class));
        let recognised = match before {
            Some(before) if before.is_unchanged(gil)? => before,
            _ => {
                let stock = judge(gil, &self.module, &class)?;
                Rc::new(BaseClass { class, stock })
            }
        };
        known.put(recognised.clone());
        Ok(recognised)
    }
}

impl BaseClass {
    /// Whether what was found out about the class is so still.
    fn is_unchanged(&self, gil: Gil<'_>) -> Result<bool> {
        match &self.stock {
            Some(stock) => stock.unchanged(gil),
            None => Ok(true),
        }
    }
}
