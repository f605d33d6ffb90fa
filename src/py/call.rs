//! Calling Python, and the arguments with which Python calls us.

use std::ffi::CStr;

#[cfg(any(feature = "python2", feature = "abi3"))]
use super::container::tuple;
use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::object::{Object, Owned};
use super::raised::{Raised, Result};
use super::text;

/// `import name`, and the module that the dotted name ends in is what counts (`sys.modules`).
pub fn import(_: Gil<'_>, name: &CStr) -> Result<Owned> {
    // SAFETY: the name ends in NUL, the lock is held, the result is a new reference.
    unsafe { Owned::new_reference(ffi::PyImport_ImportModule(name.as_ptr())) }
}

impl Object {
    /// `self(*args)`.
    pub fn call(&self, gil: Gil<'_>, args: &[&Object]) -> Result<Owned> {
        #[cfg(all(feature = "python3", not(feature = "abi3")))]
        {
            let _ = gil;
            // SAFETY: `&Object` is a pointer to an object, so the slice is the array of them that
            // the call wants; everything in it is alive, and the lock is held.
            unsafe {
                Owned::new_reference(ffi::PyObject_Vectorcall(
                    self.as_ptr(),
                    args.as_ptr().cast(),
                    args.len() as _,
                    std::ptr::null_mut(),
                ))
            }
        }
        #[cfg(any(feature = "python2", feature = "abi3"))]
        {
            let args = tuple(gil, args)?;
            // SAFETY: both are alive, the lock is held, the result is a new reference.
            unsafe {
                Owned::new_reference(ffi::PyObject_Call(
                    self.as_ptr(),
                    args.as_ptr(),
                    std::ptr::null_mut(),
                ))
            }
        }
    }

    /// `self.name(*args)`.
    pub fn call_method(&self, gil: Gil<'_>, name: &Object, args: &[&Object]) -> Result<Owned> {
        self.attr(gil, name)?.call(gil, args)
    }
}

/// More positional arguments than any function here takes.
const KEPT: usize = 4;

/// The arguments of a call from Python: the first few positional ones, how many there were, and
/// the keywords. The positional ones are alive until the call returns: they are held by a tuple, or by
/// the interpreter's stack.
pub struct Arguments<'a> {
    count: usize,
    items: [Option<&'a Object>; KEPT],
    keywords: Keywords<'a>,
}

enum Keywords<'a> {
    None,
    /// Owned: on Python 2 the dict is the caller's own (`f(**d)`), and code that runs while we look at
    /// one of them can empty it.
    Items(Vec<(Owned, Owned)>),
    #[cfg_attr(any(feature = "python2", feature = "abi3"), expect(dead_code))]
    Names(&'a Object, &'a [&'a Object]),
}

impl<'a> Arguments<'a> {
    /// From the tuple and dict of a `METH_VARARGS | METH_KEYWORDS` call.
    pub(super) fn from_tuple(gil: Gil<'_>, args: &'a Object, keywords: Option<&Object>) -> Self {
        let mut items = [None; KEPT];
        for (index, item) in items.iter_mut().enumerate() {
            *item = args.tuple_item(index);
        }
        let keywords = match keywords {
            Some(dict) if dict.dict_len() > 0 => Keywords::Items(dict.dict_items(gil)),
            _ => Keywords::None,
        };
        Arguments {
            count: args.tuple_len(),
            items,
            keywords,
        }
    }

    /// From the array of a vectorcall: `all` has `count` positional ones, then the keywords' values.
    #[cfg(all(feature = "python3", not(feature = "abi3")))]
    pub(super) fn from_vector(
        all: &'a [&'a Object],
        count: usize,
        names: Option<&'a Object>,
    ) -> Self {
        let mut items = [None; KEPT];
        for (item, &given) in items.iter_mut().zip(&all[..count]) {
            *item = Some(given);
        }
        let keywords = names.map_or(Keywords::None, |names| {
            Keywords::Names(names, &all[count..])
        });
        Arguments {
            count,
            items,
            keywords,
        }
    }

    /// How many positional arguments were given.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The positional argument at `index`.
    pub fn get(&self, index: usize) -> Option<&Object> {
        self.items.get(index).copied().flatten()
    }

    /// The positional argument at `index`, or the keyword argument `name`.
    #[inline]
    pub fn get_or_keyword(&self, gil: Gil<'_>, index: usize, name: &str) -> Option<&Object> {
        self.get(index).or_else(|| self.keyword(gil, name))
    }

    fn keyword(&self, gil: Gil<'_>, name: &str) -> Option<&Object> {
        let is_name = |key: &Object| text::latin1(gil, key).as_deref() == Some(name.as_bytes());
        match &self.keywords {
            Keywords::None => None,
            Keywords::Items(items) => {
                let item = items.iter().find(|(key, _)| is_name(key));
                item.map(|(_, value)| &**value)
            }
            Keywords::Names(names, values) => (0..names.tuple_len())
                .find(|&index| names.tuple_item(index).is_some_and(is_name))
                .and_then(|index| values.get(index).copied()),
        }
    }

    /// Exactly `N` positional arguments and no keywords, or a `TypeError` that names `function`.
    pub fn exactly<const N: usize>(&self, gil: Gil<'_>, function: &str) -> Result<[&Object; N]> {
        self.no_keywords(gil, function)?;
        if self.count == N {
            let found = std::array::from_fn(|index| self.get(index));
            if found.iter().all(Option::is_some) {
                return Ok(found.map(|item| item.expect("checked above")));
            }
        }
        let plural = if N == 1 { "" } else { "s" };
        let message = format!(
            "{function}() takes exactly {N} argument{plural} ({} given)",
            self.count
        );
        Err(Raised::new(gil, Kind::TypeError, &message))
    }

    /// Rejects keyword arguments.
    pub fn no_keywords(&self, gil: Gil<'_>, function: &str) -> Result<()> {
        match &self.keywords {
            Keywords::None => return Ok(()),
            Keywords::Names(names, _) if names.tuple_len() == 0 => return Ok(()),
            Keywords::Names(..) | Keywords::Items(_) => {}
        }
        let message = format!("{function}() takes no keyword arguments");
        Err(Raised::new(gil, Kind::TypeError, &message))
    }
}
