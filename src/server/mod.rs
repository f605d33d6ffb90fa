//! The server: what the program registered, and the run that serves it.
//!
//! There is one [`Server`] a process, as there is one module. All of it belongs to the interpreter
//! lock, and no part of it is borrowed while Python runs: an application may call any function of the
//! module from inside a request.

#![forbid(unsafe_code)]

pub mod accept;
pub mod conn;
pub mod deadlines;
pub mod defer;
pub mod deliver;
pub mod gather;
pub mod io;
pub mod output;
pub mod receive;
pub mod routes;
pub mod run;
pub mod serve;
pub mod signals;
pub mod stats;
pub mod timers;

use std::cell::{Cell, OnceCell, RefCell};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

use crate::app::base::Base;
use crate::app::child;
use crate::app::console;
use crate::app::context::AppContext;
use crate::app::dialect::Dialect;
use crate::app::endpoint::Endpoint;
use crate::config::Config;
use crate::ev::{Check, Interest, Io, Loop, OnIo, Prepare, Timer};
use crate::py::{Exception, Gil, GilCell, Kind, Object, Owned, Raised, Result, threads};
use crate::server::deadlines::PERIOD;
use crate::server::defer::Deferred;
use crate::server::routes::Routes;
use crate::server::run::Run;
use crate::server::signals::Signals;
use crate::server::stats::Stats;
use crate::server::timers::Timers;
use crate::sys::fork;
use crate::sys::listener::{ListenError, Listener};

/// Everything that the module's functions work on.
pub struct Server {
    base: RefCell<Option<Rc<Base>>>,
    /// The registered applications.
    pub routes: RefCell<Routes>,
    /// The timers.
    pub timers: Timers,
    /// The deferred calls.
    pub deferred: Deferred,
    /// The counters.
    pub stats: Stats,
    /// What `set_debug` set.
    pub debug: Cell<i64>,
    acceptors: RefCell<Vec<Rc<Acceptor>>>,
    run: RefCell<Option<Rc<Run>>>,
    error: OnceCell<Owned>,
}

static SERVER: GilCell<OnceCell<Server>> = GilCell::new(OnceCell::new());

/// The server.
pub fn server(gil: Gil<'_>) -> &Server {
    SERVER.get(gil).get_or_init(Server::new)
}

/// A listening socket and its watcher.
pub struct Acceptor {
    io: Io<Acceptor>,
    /// The socket; `None` after a run that ended gracefully, until the next one.
    listener: RefCell<Option<Listener>>,
    /// How to listen again.
    origin: Origin,
    /// Its address, as applications see it.
    pub endpoint: Rc<Endpoint>,
}

/// Where a listening socket came from.
pub enum Origin {
    /// `start(host, port)`.
    Tcp(String, String),
    /// `start(path, "unix")`.
    Unix(Vec<u8>),
    /// `start_fd`: only whoever opened it could do that again.
    Adopted,
}

impl Origin {
    /// Listens there.
    pub fn listen(&self) -> std::result::Result<Listener, ListenError> {
        match self {
            Origin::Tcp(host, port) => Listener::tcp(host, port),
            Origin::Unix(path) => Listener::unix(path),
            Origin::Adopted => Err(ListenError::NotASocket),
        }
    }
}

impl OnIo for Acceptor {
    fn io(&self) -> &Io<Acceptor> {
        &self.io
    }

    fn ready(self: &Rc<Self>, _: Interest) {
        threads::in_callback(|gil| {
            let run = server(gil).run.borrow().clone();
            if let Some(run) = run {
                accept::accept(gil, &run, self);
            }
        });
    }

    fn panicked(self: &Rc<Self>) {
        threads::in_callback(|gil| {
            let run = server(gil).run.borrow().clone();
            if let Some(run) = run {
                run.abandon(gil);
            }
        });
    }
}

impl Acceptor {
    /// The listening socket's descriptor, while there is one.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.listener.borrow().as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Gives the address free for a successor, as far as this process is concerned.
    fn close(&self) {
        self.io.stop();
        self.listener.take();
    }

    /// Whether it has a socket, or can have one again.
    fn is_of_use(&self) -> bool {
        !matches!(self.origin, Origin::Adopted) || self.listener.borrow().is_some()
    }

    /// Listens again after [`close`](Self::close).
    fn reopen(&self) -> std::result::Result<(), ListenError> {
        if self.listener.borrow().is_none() {
            self.listener.replace(Some(self.origin.listen()?));
        }
        Ok(())
    }

    /// Accepts no more for now: `Server::accept_again` goes on.
    pub fn pause(&self) {
        self.io.stop();
    }
}

impl Server {
    fn new() -> Server {
        Server {
            base: RefCell::default(),
            routes: RefCell::default(),
            timers: Timers::default(),
            deferred: Deferred::default(),
            stats: Stats::default(),
            debug: Cell::new(0),
            acceptors: RefCell::default(),
            run: RefCell::default(),
            error: OnceCell::new(),
        }
    }

    /// Makes `class` what [`Server::error`] raises; once, at import.
    pub fn set_error_class(&self, class: Owned) {
        let _ = self.error.set(class);
    }

    /// Raises `_evwsgi.error`.
    pub fn error(&self, gil: Gil<'_>, message: &str) -> Raised {
        match self.error.get() {
            Some(class) => Raised::of_class(gil, class, message),
            None => Raised::new(gil, Kind::RuntimeError, message),
        }
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
        Dialect::choose(gil, base.as_ref().map(|base| &*base.config))
    }

    /// Adds a listening socket.
    pub fn listen(
        &self,
        gil: Gil<'_>,
        listener: Listener,
        origin: Origin,
        name: &[u8],
        port: &[u8],
    ) -> Result<()> {
        let endpoint = Rc::new(Endpoint::new(gil, name, port)?);
        let listener = RefCell::new(Some(listener));
        let acceptor = Rc::new(Acceptor {
            io: Io::new(),
            listener,
            origin,
            endpoint,
        });
        self.acceptors.borrow_mut().push(acceptor);
        Ok(())
    }

    /// The descriptor of the last listening socket.
    pub fn listening(&self) -> Option<RawFd> {
        self.acceptors
            .borrow()
            .iter()
            .rev()
            .find_map(|acceptor| acceptor.descriptor())
    }

    /// Lets every listener accept, as far as there is room.
    pub fn accept_again(&self, run: &Run) {
        if run.is_draining() || !run.has_room() {
            return;
        }
        for acceptor in &*self.acceptors.borrow() {
            if !acceptor.io.is_active()
                && let Some(descriptor) = acceptor.descriptor()
            {
                Io::start(acceptor, run.lp, descriptor, Interest::READ);
            }
        }
    }

    /// Lets no listener accept.
    pub fn stop_accepting(&self) {
        for acceptor in &*self.acceptors.borrow() {
            acceptor.io.stop();
        }
    }

    /// Takes in who waits at the listeners, and gives their addresses free.
    pub fn leave_listeners(&self, gil: Gil<'_>, run: &Rc<Run>) {
        let acceptors = self.acceptors.borrow().clone();
        for acceptor in acceptors {
            accept::accept_all(gil, run, &acceptor);
            acceptor.close();
        }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.run.borrow().as_ref().map_or(0, |run| run.open())
    }

    /// Writes a line about a connection on stdout, where `set_debug` asked for it.
    pub fn trace(&self, gil: Gil<'_>, line: impl FnOnce() -> String) {
        if self.debug.get() != 0 {
            console::print_line(gil, &line());
        }
    }

    /// Serves until a signal ends it.
    pub fn serve(&self, gil: Gil<'_>) -> Result<()> {
        if self.run.borrow().is_some() {
            return Err(self.error(gil, "run() is serving already"));
        }
        self.acceptors
            .borrow_mut()
            .retain(|acceptor| acceptor.is_of_use());
        if self.acceptors.borrow().is_empty() {
            return Err(self.error(gil, "start() must be called before run()"));
        }
        let Some(base) = self.base() else {
            return Err(self.error(gil, "Base module not set"));
        };
        let dialect = self.dialect(gil)?;
        let config = Config::read(gil, &base.config, dialect)?;
        let lp = match Loop::default_loop() {
            Ok(lp) => lp,
            Err(error) => return Err(self.error(gil, &error.to_string())),
        };
        threads::prepare(gil);
        fork::mark();
        console::print_line(gil, &format!("Using {} as event backend", lp.backend()));
        for acceptor in &*self.acceptors.borrow() {
            if let Err(error) = acceptor.reopen() {
                return Err(self.error(gil, &error.to_string()));
            }
            if let Some(listener) = &*acceptor.listener.borrow() {
                // A unix socket has no such option, and the kernel may not either.
                let _ = listener.set_defer_accept(config.tcp_defer_accept);
            }
        }
        let run = Run::new(
            lp,
            AppContext::new(dialect, config, base, deliver::flush_now),
        );
        run.site.update_clock(lp.now() as i64);
        self.run.replace(Some(run.clone()));
        threads::serving(gil, || self.turn(lp, &run));
        let ending = run.finish(gil);
        self.run.take();
        match ending {
            Some(exception) => Err(exception.restore(gil)),
            None => Ok(()),
        }
    }

    /// Runs the loop with its watchers; everything is as it was when it returns.
    fn turn(&self, lp: Loop, run: &Rc<Run>) {
        let signals = Signals::watch(lp, signalled);
        let ticking = run.clone();
        let ticker = Timer::new(move || {
            threads::in_callback(|gil| {
                ticking.tick(gil);
                let server = server(gil);
                server.deferred.wake();
                server.accept_again(&ticking);
            });
        });
        ticker.start(lp, PERIOD, PERIOD);
        let checked = run.clone();
        let check = Check::new(move || {
            threads::in_callback(|gil| {
                checked.gathered.begin_turn();
                checked.site.update_clock(lp.now() as i64);
                if let Err(raised) = child::exit_if_forked(gil, Raised::check_signals(gil)) {
                    checked.fail(Exception::take(gil, raised));
                }
            });
        });
        check.start(lp);
        let ended = run.clone();
        let prepare = Prepare::new(move || {
            threads::in_callback(|gil| {
                // A child that was forked wherever it was has copies of the parent's answers.
                drop(child::exit_if_forked(gil, Ok(())));
                ended.gathered.write(gil);
            });
        });
        prepare.start(lp);
        self.timers.start_all(lp);
        self.deferred.start(lp, run_deferred);
        self.accept_again(run);
        lp.on_wait(before_wait, threads::acquire);
        lp.run();
        self.stop_accepting();
        self.deferred.stop();
        self.timers.stop_all();
        drop((check, prepare, ticker, signals));
    }
}

/// The loop is about to wait. A child that the program forked, wherever that was, does not come this
/// far: it would take the parent's events.
fn before_wait() {
    if fork::is_child() {
        threads::in_callback(|gil| drop(child::exit_if_forked(gil, Ok(()))));
    }
    threads::release();
}

/// A timer's callback or a deferred call raised. In the legacy dialect `SystemExit` ends `run`,
/// which raises it, as an application's does; anything else is told on stderr and ends nothing.
pub fn callback_raised(gil: Gil<'_>, exception: Exception) {
    let run = server(gil).run.borrow().clone();
    match run {
        Some(run) if run.site.ends_run(gil, &exception) => {
            let replaced = run.site.exit.replace(Some(exception));
            drop(replaced);
            if !run.is_draining() {
                run.drain(gil);
            }
        }
        _ => console::log_exception(gil, &exception),
    }
}

fn run_deferred(gil: Gil<'_>) {
    server(gil).deferred.run_one(gil);
}

fn signalled(gil: Gil<'_>, number: i32) {
    let server = server(gil);
    let run = server.run.borrow().clone();
    if number == libc::SIGINT && run.as_ref().is_some_and(|run| !run.is_draining()) {
        console::print_line(gil, "Bye.");
    }
    if let Some(run) = run {
        run.drain(gil);
    }
}

/// Whether `object` can be called; a `TypeError` that names it otherwise.
pub fn expect_callable(gil: Gil<'_>, object: &Object, what: &str) -> Result<Owned> {
    if object.is_callable() {
        return Ok(object.own(gil));
    }
    Err(Raised::new(
        gil,
        Kind::TypeError,
        &format!("{what} must be callable"),
    ))
}
