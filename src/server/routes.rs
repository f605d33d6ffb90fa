//! Which application a target leads to: the first registered prefix, else the generic callback.

#![forbid(unsafe_code)]

use crate::app::exchange::Route;
use crate::dialect::Dialect;
use crate::py::{Gil, Owned, Result, text};

struct Registered {
    prefix: Vec<u8>,
    callback: Owned,
}

/// The registered applications, in the order of their registration.
#[derive(Default)]
pub struct Routes {
    registered: Vec<Registered>,
    generic: Option<Owned>,
}

impl Routes {
    /// Adds an application under a prefix of the raw target.
    pub fn add(&mut self, prefix: &[u8], callback: Owned) {
        self.registered.push(Registered {
            prefix: prefix.to_vec(),
            callback,
        });
    }

    /// Sets the fallback; returns the one before, to be dropped when nothing is borrowed.
    pub fn set_generic(&mut self, callback: Owned) -> Option<Owned> {
        self.generic.replace(callback)
    }

    /// Takes out everything that was registered under a prefix.
    pub fn take_registered(&mut self) -> Vec<Owned> {
        self.registered
            .drain(..)
            .map(|registered| registered.callback)
            .collect()
    }

    /// Where `target` leads: the first prefix that matches it as plain bytes, query included.
    pub fn find(&self, gil: Gil<'_>, dialect: Dialect, target: &[u8]) -> Result<Option<Route>> {
        let found = self.registered.iter().find(|route| {
            target.starts_with(&route.prefix) || dialect.is_for_all(&route.prefix, target)
        });
        if let Some(Registered { prefix, callback }) = found {
            let script_name = dialect.script_name(prefix);
            return Ok(Some(Route {
                callback: callback.own(gil),
                script_name: match script_name {
                    b"" => None,
                    name => Some(text::native(gil, name)?),
                },
                script_name_len: script_name.len(),
                registered: true,
            }));
        }
        Ok(self.generic.as_ref().map(|callback| Route {
            callback: callback.own(gil),
            script_name: None,
            script_name_len: 0,
            registered: false,
        }))
    }
}
