//! Logs slow calls with the stacks of their threads: a thread of Python's that waits until the monitor
//! has seen one ([`super::slow_calls`]).

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::app::console;
use crate::py::out::Stream;
use crate::py::spawn::start_thread;
use crate::py::{Gil, Owned, Result, call, frames, names, number, threads};
use crate::server::monitor::Watch;
use crate::server::slow_calls::SlowCalls;
use crate::sys::thread_dump::ThreadDump;

/// How long the end of a run waits for the thread, in seconds.
const PATIENCE: i64 = 1;

/// The reporter of a run.
pub struct Reporter {
    slow: Arc<SlowCalls>,
    thread: Option<Owned>,
}

impl Reporter {
    /// Starts it. Where no thread can be made, the monitor logs by itself.
    pub fn start(gil: Gil<'_>, slow: &Arc<SlowCalls>, watch: &Arc<Watch>) -> Reporter {
        if let Err(raised) = prepare_dump(gil, slow) {
            raised.clear(gil);
        }
        let (mine, watch) = (slow.clone(), watch.clone());
        let thread = start_thread(gil, "fapws-slow-requests", move |gil| {
            report(gil, &mine, &watch);
            Ok(())
        });
        Reporter {
            slow: slow.clone(),
            thread: thread.map_err(|raised| raised.clear(gil)).ok(),
        }
    }

    /// Ends it, after the monitor.
    pub fn end(self, gil: Gil<'_>) {
        self.slow.finish();
        let ended = self.thread.map_or(Ok(()), |thread| join(gil, &thread));
        let dump = self.slow.take_dump();
        let uninstalled = ended.and_then(|()| match &dump {
            Some(dump) => faulthandler(gil, c"unregister", &[dump.signum().into()]).map(drop),
            None => Ok(()),
        });
        if let Err(raised) = uninstalled {
            raised.clear(gil);
        }
    }
}

fn join(gil: Gil<'_>, thread: &Owned) -> Result<()> {
    let join = names::interned(gil, c"join")?;
    thread
        .call_method(gil, &join, &[&*number::int(gil, PATIENCE)?])
        .map(drop)
}

/// Has `faulthandler` write stacks at a signal. Python 2 has none.
fn prepare_dump(gil: Gil<'_>, slow: &SlowCalls) -> Result<()> {
    let Ok(Some(dump)) = ThreadDump::new() else {
        return Ok(());
    };
    // register(signum, file, all_threads, chain)
    let arguments = [dump.signum().into(), dump.writer().into(), 0, 0];
    faulthandler(gil, c"register", &arguments)?;
    if dump.cover().is_ok() {
        slow.put_dump(dump);
    }
    Ok(())
}

fn faulthandler(gil: Gil<'_>, function: &std::ffi::CStr, arguments: &[i64]) -> Result<Owned> {
    let module = call::import(gil, c"faulthandler")?;
    let arguments = arguments
        .iter()
        .map(|&argument| number::int(gil, argument))
        .collect::<Result<Vec<Owned>>>()?;
    let arguments: Vec<_> = arguments.iter().map(|argument| &**argument).collect();
    module.call_method(gil, &*names::interned(gil, function)?, &arguments)
}

/// What the thread does until the run is over.
fn report(gil: Gil<'_>, slow: &SlowCalls, watch: &Watch) {
    while !slow.ended.load(Ordering::Acquire) {
        threads::without_lock(gil, || slow.reporter.park());
        for call in watch.calls() {
            if !slow.claim(&call) {
                continue;
            }
            let stack = frames::stack_of(gil, call.thread.ident).unwrap_or_else(|raised| {
                raised.clear(gil);
                Vec::new()
            });
            console::write(gil, Stream::Stderr, &slow.report(&call, &stack));
            if let Some(line) = slow.reported(&call) {
                console::write(gil, Stream::Stderr, &line);
            }
        }
    }
}
