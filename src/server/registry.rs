//! What the program registered with the module: base module, applications, timers, deferred calls.
//!
//! There is one [`Registry`] a process, as there is one module. All of it belongs to the interpreter
//! lock, and no part of it is borrowed while Python runs: an application may call any function of the
//! module from inside a request.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::app::base::Base;
use crate::app::console;
use crate::dialect::Dialect;
use crate::py::{Gil, Owned, Raised, Result, State, module};
use crate::server::defer::Deferred;
use crate::server::listener::Listeners;
use crate::server::reactor::Reactor;
use crate::server::routes::Routes;
use crate::server::stats::Stats;
use crate::server::timers::Timers;

/// Everything that the module's functions work on.
pub struct Registry {
    base: RefCell<Option<Rc<Base>>>,
    /// The registered applications.
    pub routes: RefCell<Routes>,
    /// The timers.
    pub timers: Timers,
    /// The deferred calls.
    pub deferred: Deferred,
    /// The listening sockets.
    pub listeners: Listeners,
    /// The counters.
    pub stats: Stats,
    /// What `set_debug` set.
    pub debug: Cell<i64>,
    /// What `on_ready` set.
    pub on_ready: RefCell<Option<Owned>>,
    /// A run begins, serves or ends.
    runs: Cell<bool>,
    /// What the run that serves now works with.
    reactor: RefCell<Option<Rc<Reactor>>>,
}

/// As long as it is kept, no other run begins.
pub struct Running<'r>(&'r Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

static REGISTRY: State<Registry> = State::new();

/// The registry.
pub fn registry(gil: Gil<'_>) -> &Registry {
    match REGISTRY.get(gil) {
        Some(registry) => registry,
        None => {
            // Nobody can stop what an interpreter that has ended listens on.
            if let Some(before) = REGISTRY.before(gil) {
                before.listeners.close();
            }
            REGISTRY.set(gil, Registry::new())
        }
    }
}

/// The class `_evwsgi.error`.
pub fn error_class(gil: Gil<'_>) -> Result<&Owned> {
    static ERROR: State<Owned> = State::new();
    ERROR.get_or_try_make(gil, || module::new_exception(gil, c"_evwsgi.error"))
}

impl Registry {
    fn new() -> Registry {
        Registry {
            base: RefCell::default(),
            routes: RefCell::default(),
            timers: Timers::default(),
            deferred: Deferred::default(),
            listeners: Listeners::default(),
            stats: Stats::default(),
            debug: Cell::new(0),
            on_ready: RefCell::default(),
            runs: Cell::new(false),
            reactor: RefCell::default(),
        }
    }

    /// Raises `_evwsgi.error`.
    pub fn error(&self, gil: Gil<'_>, message: &str) -> Raised {
        match error_class(gil) {
            Ok(class) => Raised::of_class(gil, class, message),
            Err(raised) => raised,
        }
    }

    /// A run begins; `None` where there is one.
    pub fn begin_run(&self) -> Option<Running<'_>> {
        let begins = !self.runs.replace(true);
        // Made only where it begins: dropped, it ends the run.
        begins.then(|| Running(&self.runs))
    }

    /// What the run that serves now works with; `None` while none does.
    pub fn reactor(&self) -> Option<Rc<Reactor>> {
        self.reactor.borrow().clone()
    }

    /// A run begins or ends.
    pub fn set_reactor(&self, reactor: Option<Rc<Reactor>>) {
        let replaced = self.reactor.replace(reactor);
        drop(replaced);
    }

    /// The base module, when there is one.
    pub fn base(&self) -> Option<Rc<Base>> {
        self.base.borrow().clone()
    }

    /// Remembers the base module and empties the list of registered applications.
    pub fn set_base(&self, base: Base) {
        let replaced = self.base.replace(Some(Rc::new(base)));
        let unregistered = self.routes.borrow_mut().take_registered();
        drop((replaced, unregistered));
    }

    /// The dialect in force now.
    pub fn dialect(&self, gil: Gil<'_>) -> Result<Dialect> {
        let base = self.base();
        crate::config::dialect(gil, base.as_ref().map(|base| &*base.config))
    }

    /// Writes a line about a connection on stdout, where `set_debug` turned that on.
    pub fn trace(&self, gil: Gil<'_>, line: impl FnOnce() -> String) {
        if self.debug.get() != 0 {
            console::print_line(gil, &line());
        }
    }
}
