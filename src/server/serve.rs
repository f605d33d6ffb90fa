//! One `run`: sets up what serves, serves, and takes it down.
//!
//! What can fail, fails before anything is served.

#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::access_log::settings::AccessLogSettings;
use crate::app::base::Base;
use crate::app::console;
use crate::app::context::AppContext;
use crate::app::interruption;
use crate::app::logged::Logged;
use crate::app::taken_sockets::TakenSockets;
use crate::config::{self, Config};
use crate::ev::{Loop, Wake};
use crate::py::call::import;
use crate::py::{Gil, Kind, Raised, Result, threads};
use crate::scoreboard;
use crate::server::connection::write::flush_now;
use crate::server::crew::Crew;
use crate::server::fair_share::FairShare;
use crate::server::fatal::Serving;
use crate::server::log::AccessLog;
use crate::server::monitor::Watch;
use crate::server::reactor::Reactor;
use crate::server::ready::ReadyList;
use crate::server::registry::registry;
use crate::server::run::Run;
use crate::server::slow_calls::SlowCalls;
use crate::server::slow_reports::Reporter;
use crate::server::table::Table;
use crate::server::turn::Turn;
use crate::sys::{fork, memory};

/// Serves until a signal ends it.
pub fn serve(gil: Gil<'_>) -> Result<()> {
    let registry = registry(gil);
    // What follows runs code of the program's, which may call `run`, too.
    let Some(running) = registry.begin_run() else {
        return Err(registry.error(gil, "run() is serving already"));
    };
    let base = match registry.base() {
        Some(base) => base,
        None if registry.listeners.can_listen() => {
            return Err(registry.error(gil, "Base module not set"));
        }
        // Timers need none.
        None => stock_base(gil)?,
    };
    let dialect = config::dialect(gil, Some(&base.config))?;
    if !registry.listeners.can_listen() {
        if !dialect.runs_without_listener() {
            return Err(not_started(gil));
        }
        let line = "run() without start(): nothing listens; timers and deferred calls run";
        console::log_error(gil, line);
    }
    let config = Config::read(gil, &base.config, dialect)?;
    if config.threads > 1 && !dialect.may_have_threads() {
        let message = "config.threads above 1 needs the standard dialect and Python 3";
        return Err(Raised::new(gil, Kind::ValueError, message));
    }
    let log = AccessLogSettings::read(gil, &base.config)?;
    let lp = match Loop::default_loop() {
        Ok(lp) => lp,
        Err(error) => return Err(registry.error(gil, &error.to_string())),
    };
    threads::prepare(gil);
    fork::mark();
    memory::refill();
    console::print_line(gil, &format!("Using {} as event backend", lp.backend()));
    let ready = Rc::new(ReadyList::default());
    let wake = Wake::new(|| ());
    let slow = SlowCalls::longer_than(config.slow_request);
    let watch = Watch::new(slow.clone());
    let longest_line = config.max_request_line;
    let believes = config.proxy_headers && dialect.has_proxy_headers();
    let believed = believes.then(|| config.forwarded_allow_ips.clone());
    let log = log
        .map(|settings| AccessLog::open(gil, settings, longest_line, believed, &watch))
        .transpose()?;
    let taken = TakenSockets::new((scoreboard::begin_socket, scoreboard::end_socket));
    let mut ctx = AppContext::new(dialect, config, base, flush_now, taken);
    if let Some(log) = &log {
        ctx.logged = Logged::new(gil, log.variables(), log.wants_response_head())?;
        log.begin_turn(lp.now() as i64);
    }
    // Last of what can fail: nothing is open where `run` raises that was not before.
    let opened = registry
        .listeners
        .open(&ready, ctx.config.tcp_defer_accept, ctx.config.backlog);
    let acceptors = match opened {
        Ok(acceptors) => acceptors,
        Err(error) => return Err(registry.error(gil, &error.to_string())),
    };
    let reactor = Reactor::new(lp, ctx, log, watch.clone(), ready.clone(), wake.waker());
    reactor.ctx.update_clock(lp.now() as i64);
    let crew = Crew::new(
        reactor.ctx.config.threads,
        ready,
        watch.clone(),
        slow.is_some(),
    );
    let reporter = slow.map(|slow| Reporter::start(gil, &slow, &watch));
    let run = Rc::new(Run {
        reactor: reactor.clone(),
        table: Table::default(),
        acceptors,
        crew: crew.clone(),
        watch,
        fair_share: FairShare::new(&reactor.ready),
        signals: OnceCell::new(),
        counted: Cell::new(None),
        lost_lines: Cell::new((0, 0)),
    });
    registry.set_reactor(Some(reactor));
    scoreboard::begin_run(crew.limit as u64);
    let turn = Turn::new(crew);
    let serving = Serving::begin(&run.watch);
    threads::serving(gil, || run.turns(gil, &turn, wake));
    scoreboard::end_run();
    let ending = run.finish(gil, &turn);
    run.finish_log(gil);
    drop(serving);
    if let Some(reporter) = reporter {
        reporter.end(gil);
    }
    registry.set_reactor(None);
    drop(running);
    match ending {
        Some(exception) => Err(exception.restore(gil)),
        None => interruption::raise(gil),
    }
}

fn not_started(gil: Gil<'_>) -> Raised {
    registry(gil).error(gil, "start() must be called before run()")
}

/// The package's own base module, for a program that registered none and listens nowhere.
fn stock_base(gil: Gil<'_>) -> Result<Rc<Base>> {
    let base = import(gil, c"fapws.base").and_then(|module| Base::new(gil, &module));
    base.map(Rc::new).map_err(|raised| {
        raised.clear(gil);
        not_started(gil)
    })
}
