//! Which application a target leads to: the first registered prefix, else the generic callback.

#![forbid(unsafe_code)]

use crate::app::context::AppContext;
use crate::app::exchange::Route;
use crate::config::RootPath;
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

    /// Where `target` leads: the first prefix that matches it as plain bytes, query included, behind the
    /// root path where that is still there.
    pub fn find(&self, gil: Gil<'_>, ctx: &AppContext, target: &[u8]) -> Result<Option<Route>> {
        let (dialect, root) = (ctx.dialect, &ctx.config.root_path);
        let root_len = root.length_in(target);
        let target = &target[root_len..];
        let found = self.registered.iter().find(|route| {
            target.starts_with(&route.prefix) || dialect.is_for_all(&route.prefix, target)
        });
        if let Some(Registered { prefix, callback }) = found {
            let script_name = dialect.script_name(prefix);
            return Ok(Some(Route {
                callback: callback.own(gil),
                script_name: script_name_of(gil, root, script_name)?,
                script_name_len: root_len + script_name.len(),
                registered: true,
            }));
        }
        let Some(callback) = &self.generic else {
            return Ok(None);
        };
        Ok(Some(Route {
            callback: callback.own(gil),
            script_name: script_name_of(gil, root, b"")?,
            script_name_len: root_len,
            registered: false,
        }))
    }
}

/// `SCRIPT_NAME`, where it is not empty.
fn script_name_of(gil: Gil<'_>, root: &RootPath, name: &[u8]) -> Result<Option<Owned>> {
    match (root.bytes(), name) {
        (b"", b"") => Ok(None),
        (b"", name) => text::native(gil, name).map(Some),
        (root, name) => text::native(gil, &[root, name].concat()).map(Some),
    }
}
