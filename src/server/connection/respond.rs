//! The stage in which the application is called.

#![forbid(unsafe_code)]

use std::rc::Rc;
use std::sync::Arc;

use crate::app::call;
use crate::app::exchange::Exchange;
use crate::app::response::Response;
use crate::app::takeover::Takeover;
use crate::ev::Interest;
use crate::http::target::TargetSpans;
use crate::py::Gil;
use crate::queue::WriteQueue;
use crate::scoreboard;
use crate::server::connection::health;
use crate::server::connection::reject::reject;
use crate::server::connection::request::ParsedRequest;
use crate::server::connection::state::{Event, Step};
use crate::server::connection::work::{Connection, Quantum, Work};
use crate::server::connection::write::{Flushed, flush};
use crate::server::expectation::Places;
use crate::server::log::{AccessLog, LogEntry, Pending};
use crate::server::registry::{Registry, registry};
use crate::server::slow_calls::Called;
use crate::server::stats::count;
use crate::server::turn::Turn;
use crate::sys::clock;
use crate::sys::peer::TEXT_SIZE;

/// Calls the application for the request that is whole.
pub fn call(gil: Gil<'_>, turn: &Turn, connection: &Rc<Connection>, work: &mut Work) -> Step {
    let reactor = &connection.reactor;
    if reactor.ctx.config.health.is_some()
        && let Some(step) = health::respond(gil, connection, work)
    {
        return step;
    }
    if work.arrived == 0 {
        work.arrived = scoreboard::turn_began();
    }
    if let Some(step) = prepare_upgrade(gil, connection, work) {
        return step;
    }
    let foreseen = match foresee(turn, work) {
        Foreseen::Queue(waits) => return Step::Queue(waits),
        Foreseen::MakeWay => return Step::MakeWay,
        Foreseen::Call(foreseen) => foreseen,
    };
    let Some(request) = work.request.take() else {
        work.on(Event::Gone);
        return Step::Again;
    };
    let registry = registry(gil);
    count(&registry.stats.requests, 1);
    registry.trace(gil, || {
        let target = request.head.target.of(work.received());
        let target = String::from_utf8_lossy(target).into_owned();
        format!("fd={} request {target}", work.socket.number())
    });
    work.prepare_queue(connection);
    work.quantum = Quantum::default();
    let consumed = request.length;
    let held = turn.holds_loop();
    let clocks = foreseen.filter(|_| !held).map(|_| Clocks::now());
    let response = respond(gil, turn, registry, connection, work, request);
    if let Some(places) = foreseen {
        learn(turn, places, held, clocks);
    }
    work.at += consumed;
    work.unseen = work.at < work.input.len();
    let Some(response) = response else {
        return Step::Again;
    };
    work.served_any = true;
    work.fruitless_since = None;
    let step = match *reactor.ctx.exit.borrow() {
        Some(_) => Step::EndRun,
        None => Step::Again,
    };
    if response.is_taken_over {
        work.on(Event::TakenOver);
        return step;
    }
    work.response = response.body;
    let is_owned = work.response.is_some() && turn.crew.is_threaded();
    work.owner = is_owned.then(|| turn.own_stream());
    if response.lingers {
        work.on(Event::Rejected);
    } else if response.keep_alive {
        work.on(Event::Responded);
    } else {
        work.on(Event::Last);
        if work.unseen {
            work.on(Event::MoreInput);
        }
    }
    step
}

/// A request with `Upgrade`, whose connection the application may take over: what was to be written before
/// is written, and the connection is watched no more.
fn prepare_upgrade(gil: Gil<'_>, connection: &Rc<Connection>, work: &mut Work) -> Option<Step> {
    let request = work.request.as_ref();
    if !request.is_some_and(|request| request.framing.upgrades) {
        return None;
    }
    match flush(gil, &work.socket, &mut work.out) {
        Flushed::All => {
            connection.unwatch();
            connection.reactor.leave_poll(gil);
            None
        }
        Flushed::Blocked => Some(Step::Wait(Interest::WRITE)),
        Flushed::Gone => {
            work.on(Event::Gone);
            Some(Step::Again)
        }
    }
}

/// What is known of a call before it.
enum Foreseen {
    /// It has to wait for a thread; whether it is expected to wait in its turn.
    Queue(bool),
    /// It is to be made by another thread.
    MakeWay,
    /// It can begin. With threads: where the table of expectations has it.
    Call(Option<Places>),
}

/// With threads: a call that is expected to wait is another thread's, and waits for it; where there is none it
/// sets the loop free.
fn foresee(turn: &Turn, work: &Work) -> Foreseen {
    let crew = &turn.crew;
    let Some(request) = work.request.as_ref().filter(|_| crew.is_threaded()) else {
        return Foreseen::Call(None);
    };
    let bytes = work.received();
    let target = request.head.target.of(bytes);
    let places = Places::of(request.head.method.of(bytes), target);
    if !turn.holds_loop() {
        return Foreseen::Call(Some(places));
    }
    let waits = crew.expectation.waits(places);
    if crew.defers(waits) {
        return Foreseen::Queue(waits);
    }
    if turn.is_to_make_way() {
        return Foreseen::MakeWay;
    }
    if waits {
        turn.release_loop();
    }
    Foreseen::Call(Some(places))
}

/// When a call began, in wall-clock and in processor time.
struct Clocks(u64, u64);

/// A call that took as long, in microseconds, held others up.
const SLOW: u64 = 1_000;

impl Clocks {
    fn now() -> Clocks {
        Clocks(clock::monotonic_micros(), clock::thread_cpu_nanos() / 1_000)
    }

    /// Whether the call waited for something else than the processor.
    fn waited(&self) -> bool {
        let now = Clocks::now();
        let (took, computed) = (now.0 - self.0, now.1 - self.1);
        took >= SLOW && computed * 2 < took
    }
}

/// Learns from a call: one that was quick, one that was foreseen to wait, one that stalled the loop.
fn learn(turn: &Turn, places: Places, held: bool, clocks: Option<Clocks>) {
    let expectation = &turn.crew.expectation;
    match clocks {
        Some(clocks) => expectation.learn(places, clocks.waited()),
        // A call that computes is not learnt: handing over early gains nothing for it.
        None if held && !turn.holds_loop() => {
            expectation.stalled();
            if turn.crew.taken_quickly.get() {
                expectation.learn(places, true);
            }
        }
        None => expectation.learn(places, false),
    }
}

fn respond(
    gil: Gil<'_>,
    turn: &Turn,
    registry: &Registry,
    connection: &Rc<Connection>,
    work: &mut Work,
    request: ParsedRequest,
) -> Option<Response> {
    let reactor = &connection.reactor;
    let ctx = &reactor.ctx;
    let ParsedRequest {
        head,
        framing,
        cached,
        body,
        length,
    } = request;
    let end = if ctx.dialect.shows_what_was_received() {
        // COMPAT(fapws3): `fapws.raw_header` has what was received, were it more than the message.
        work.received().len().max(length)
    } else {
        head.len
    };
    let message = work.at..work.at + end;
    let behind = work.at + length;
    let range = message.clone();
    let bytes = &work.input[message.clone()];
    let target = match ctx
        .dialect
        .target(head.method.of(bytes), head.target.of(bytes))
    {
        Ok(target) => target,
        Err(error) => {
            let head_only = head.is_for_head(bytes);
            reject(gil, connection, work, error, head_only);
            work.served_any = true;
            return None;
        }
    };
    let route = registry.routes.borrow().find(gil, ctx, target.origin);
    let route = route.unwrap_or_else(|raised| {
        raised.clear(gil);
        None
    });
    let target = TargetSpans::locate(&target, bytes);
    let mut exchange = Exchange {
        input: std::mem::take(&mut work.input),
        message,
        behind,
        head,
        target,
        framing,
        cached,
        body,
        route,
        endpoint: connection.endpoint.clone(),
        client: connection.client.clone(),
        socket: work.socket.clone(),
        outbox: turn.outbox().clone(),
        gathers: ctx.dialect.gathers_chunks() && turn.watch().looks().is_some(),
        connection: connection.id().number,
        takeover: None,
        may_keep_alive: !reactor.is_draining(),
        logged: Vec::new(),
    };
    if reactor.log.is_some() {
        work.out.begin_response();
    }
    // A call that may take its connection over lasts as long as its client likes.
    let is_looked_for = turn.crew.looks_for_slow_calls && !exchange.framing.upgrades;
    work.called = is_looked_for.then(|| called(connection, &exchange));
    let arrived = std::mem::take(&mut work.arrived);
    let began = scoreboard::begin_call(arrived);
    let response = turn.enter(gil, work.called.as_ref(), || {
        call::respond(gil, ctx, &mut exchange, &mut work.out)
    });
    if response.is_taken_over {
        work.takeover = Takeover::of(gil, &exchange);
    } else {
        scoreboard::end_call(began);
    }
    let Exchange {
        input,
        head,
        logged,
        ..
    } = exchange;
    work.input = input;
    reactor.put_head(head);
    registry.stats.count_code(response.code);
    if let Some(log) = &reactor.log {
        let entry = LogEntry {
            request: &work.input[range],
            client: &connection.client,
            variables: &logged,
            status: response.code,
            arrived,
            called: began,
        };
        work.pending = begin_line(log, &entry, &response, &work.out);
    }
    Some(response)
}

/// What is called, for those who look for slow calls.
fn called(connection: &Connection, exchange: &Exchange) -> Arc<Called> {
    let mut buffer = [0; TEXT_SIZE];
    let client = connection.client.peer().address_text(&mut buffer);
    let target = exchange.head.target.of(exchange.message());
    Called::request(exchange.method(), target, client)
}

/// The access log's line of a response: now, where it is whole.
fn begin_line(
    log: &AccessLog,
    entry: &LogEntry<'_>,
    response: &Response,
    out: &WriteQueue,
) -> Option<Box<Pending>> {
    let bytes = match &response.body {
        Some(body) if !body.is_exhausted() => return log.begin(entry, out),
        // A page of the server's own is not queued item by item.
        None if out.body_bytes() == 0 => out.page_bytes(),
        _ => out.body_bytes(),
    };
    log.log(entry, out, bytes);
    None
}
