//! The end of the interpreter while a run serves in another thread: a daemon, which nothing waits for.
//!
//! Owns what `atexit` calls. By then `threading` has waited for every thread but the daemons, and none was
//! ended yet, so that the run can end as it does otherwise. One that does not, because an application takes
//! longer, ends with the process: its thread sleeps from the moment it asks for the interpreter's
//! lock (`py/hanging.rs`).
//!
//! Invariant: when the interpreter takes its objects apart no native thread of ours looks at one of them.

#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::time::{Duration, Instant};

use crate::py::call::import;
use crate::py::types::{Call, Class, ClassObject, Instance, Method, Owns};
use crate::py::{Arguments, Gil, Owned, Result, names, threads};
use crate::server::reactor::Reactor;
use crate::server::ready::Ready;
use crate::server::registry::registry;
use crate::sys::fork;

/// How long requests in flight may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the run may take to end without waiting for them.
const LAST_PATIENCE: Duration = Duration::from_millis(250);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

struct AtExit;

impl Class for AtExit {
    const NAME: &'static CStr = c"fapws._evwsgi.AtExit";
    const DOC: &'static CStr = c"What the server does before the interpreter ends.";
    const METHODS: &'static [Method<Self>] = &[];
    const OWNS: Owns<Self> = Owns::Nothing;
    const CALL: Option<Call<Self>> = Some(end);
}

/// Has the interpreter end what serves before it ends itself.
pub fn register(gil: Gil<'_>) -> Result<()> {
    let callback = ClassObject::new(gil)?.instantiate(gil, AtExit)?;
    let atexit = import(gil, c"atexit")?;
    atexit
        .call_method(gil, &names(gil).register, &[&callback])
        .map(drop)
}

fn end(gil: Gil<'_>, _: &Instance<AtExit>, _: &Arguments<'_>) -> Result<Owned> {
    // A forked child has neither the thread nor the monitor.
    if !fork::is_child()
        && !threads::is_serving()
        && let Some(reactor) = registry(gil).reactor()
    {
        reactor.submit(Ready::Drain);
        if !wait(gil, PATIENCE, || registry(gil).reactor().is_none()) {
            reactor.stop();
            reactor.waker.wake();
            wait(gil, LAST_PATIENCE, || registry(gil).reactor().is_none());
            end_monitor(gil, &reactor);
        }
    }
    Ok(Owned::none(gil))
}

fn end_monitor(gil: Gil<'_>, reactor: &Reactor) {
    reactor.watch.end();
    wait(gil, LAST_PATIENCE, || reactor.watch.looks().is_none());
}

/// Lets others run until `is_over`, for a time; whether it is.
fn wait(gil: Gil<'_>, patience: Duration, is_over: impl Fn() -> bool) -> bool {
    // By the clock: where another thread computes, each pause ends only when it lets the lock go.
    let deadline = Instant::now() + patience;
    while !is_over() {
        if Instant::now() >= deadline {
            return false;
        }
        threads::without_lock(gil, || std::thread::sleep(PAUSE));
    }
    true
}
