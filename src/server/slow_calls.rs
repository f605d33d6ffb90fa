//! Calls that take longer than `config.slow_request`: what the threads publish of those in flight, and
//! what the monitor does about a slow one.
//!
//! The monitor cannot look at Python. It asks a thread of Python's that waits for this
//! ([`super::slow_reports`]), which logs the call with the stack of its thread. Where that one does not
//! get the interpreter's lock within a second, since a call into C keeps it, the monitor has the calling
//! thread write its stack in the handler of a signal, which needs no lock, and logs by itself.
//!
//! Invariant: of each slow call one line says that it is slow and one that it has ended, in this order,
//! or one line both where it ends first. [`State`] says who owes which.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::access_log::escape::push_text;
use crate::scoreboard::{self, Word};
use crate::server_log::ServerLog;
use crate::sys::clock::monotonic_micros;
use crate::sys::park::Parker;
use crate::sys::stderr;
use crate::sys::thread::ThreadId;
use crate::sys::thread_dump::ThreadDump;

/// How long, in microseconds, something else is waited for: the interpreter's lock, a handler.
const PATIENCE: u64 = 1_000_000;

/// Between two looks at whether a handler has written.
const HANDLER: u64 = 10_000;

/// What is called.
pub enum Called {
    /// An application, for a request; the texts are escaped.
    Request {
        /// The method.
        method: String,
        /// The target, as it came.
        target: String,
        /// The client's address; empty for a unix socket.
        client: String,
    },
    /// A timer's callback.
    Timer,
    /// A deferred call.
    Deferred,
}

impl Called {
    /// An application, for a request.
    pub fn request(method: &[u8], target: &[u8], client: &str) -> Arc<Called> {
        let escaped = |bytes| {
            let mut text = Vec::new();
            push_text(&mut text, bytes);
            String::from_utf8_lossy(&text).into_owned()
        };
        Arc::new(Called::Request {
            method: escaped(method),
            target: escaped(target),
            client: client.to_owned(),
        })
    }
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Called::Request {
                method,
                target,
                client,
            } => {
                write!(f, "request: {method} {target}")?;
                match client.as_str() {
                    "" => Ok(()),
                    client => write!(f, " from {client}"),
                }
            }
            Called::Timer => f.write_str("timer"),
            Called::Deferred => f.write_str("deferred call"),
        }
    }
}

/// What is known of a call, and what is to be logged. Times are in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It is not slow, as far as anybody has seen.
    Running,
    /// It is slow since this time; the reporter is asked.
    Asked(u64),
    /// The reporter, or the monitor, is about to log it.
    Claimed,
    /// It is logged.
    Logged,
    /// It has ended and took so long; who claimed it logs that.
    Ended(u64),
}

/// A call in flight.
pub struct Call {
    /// What is called.
    pub called: Arc<Called>,
    /// When it began.
    pub began: u64,
    /// By which thread.
    pub thread: ThreadId,
    state: Mutex<State>,
}

/// The call that a thread is in.
#[derive(Default)]
pub struct Slot(Mutex<Option<Arc<Call>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is changed by single assignments.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// The call.
    pub fn get(&self) -> Option<Arc<Call>> {
        lock(&self.0).clone()
    }

    /// The thread enters one.
    pub fn begin(&self, called: &Arc<Called>) -> Arc<Call> {
        let call = Arc::new(Call {
            called: called.clone(),
            began: monotonic_micros(),
            thread: ThreadId::current(),
            state: Mutex::new(State::Running),
        });
        *lock(&self.0) = Some(call.clone());
        call
    }

    fn clear(&self) {
        *lock(&self.0) = None;
    }
}

impl Call {
    /// For how long it has been in flight, in seconds.
    pub fn seconds(&self) -> f64 {
        monotonic_micros().saturating_sub(self.began) as f64 / 1e6
    }

    fn slow_line(&self, then: &str) -> String {
        format!(
            "slow {} has taken {:.1} s so far{then}",
            self.called,
            self.seconds()
        )
    }

    fn end_line(&self, took: u64) -> String {
        format!(
            "slow {} has ended after {:.1} s",
            self.called,
            took as f64 / 1e6
        )
    }
}

/// The calls of a run that take longer than its `slow_request`.
pub struct SlowCalls {
    /// Longer than this a call is slow, in microseconds.
    limit: u64,
    /// Where the reporter waits.
    pub reporter: Parker,
    /// The run is over.
    pub ended: AtomicBool,
    /// How a thread writes its stack without the interpreter's lock, where it can.
    dumps: Mutex<Option<Dumps>>,
    log: ServerLog,
}

/// How threads are asked for their stacks, one after another.
struct Dumps {
    dump: ThreadDump,
    /// The call whose thread was asked last, and when, until its stack is logged.
    asked: Option<(Arc<Call>, u64)>,
}

fn is_asked(dumps: &Option<Dumps>) -> bool {
    dumps.as_ref().is_some_and(|dumps| dumps.asked.is_some())
}

impl SlowCalls {
    /// `limit` is in seconds; `None`: no call is slow.
    pub fn longer_than(limit: f64) -> Option<Arc<SlowCalls>> {
        (limit > 0.0 && limit.is_finite()).then(|| {
            Arc::new(SlowCalls {
                limit: (limit * 1e6) as u64,
                reporter: Parker::new(),
                ended: AtomicBool::new(false),
                dumps: Mutex::new(None),
                log: ServerLog::of_stderr(),
            })
        })
    }

    /// A text as a line of the server's own.
    pub fn warning(&self, text: &[u8]) -> Vec<u8> {
        self.log.warning(text)
    }

    /// A thread leaves its call; the line that is due.
    pub fn end(&self, slot: &Slot, call: &Call) -> Option<Vec<u8>> {
        slot.clear();
        let took = monotonic_micros().saturating_sub(call.began);
        let before = std::mem::replace(&mut *lock(&call.state), State::Ended(took));
        let line = match before {
            State::Running if took < self.limit => return None,
            State::Running | State::Asked(_) => {
                if before == State::Running {
                    scoreboard::count_shared(Word::SlowRequests);
                }
                format!("slow {} has taken {:.1} s", call.called, took as f64 / 1e6)
            }
            State::Logged => call.end_line(took),
            State::Claimed | State::Ended(_) => return None,
        };
        Some(self.warning(line.as_bytes()))
    }

    /// The reporter has the interpreter's lock: whether this call is to be logged by it.
    pub fn claim(&self, call: &Call) -> bool {
        let mut state = lock(&call.state);
        let is_asked = matches!(*state, State::Asked(_));
        if is_asked {
            *state = State::Claimed;
        }
        is_asked
    }

    /// The line of a call that was claimed.
    pub fn report(&self, call: &Call, stack: &[u8]) -> Vec<u8> {
        let mut text = call.slow_line("").into_bytes();
        if stack.is_empty() {
            text.extend_from_slice(b"; its stack is not known");
        } else {
            text.extend_from_slice(b"; its stack:\n");
            text.extend_from_slice(stack);
        }
        self.warning(&text)
    }

    /// It is written; the line that is due if the call has ended meanwhile.
    pub fn reported(&self, call: &Call) -> Option<Vec<u8>> {
        let mut state = lock(&call.state);
        match *state {
            State::Ended(took) => Some(self.warning(call.end_line(took).as_bytes())),
            _ => {
                *state = State::Logged;
                None
            }
        }
    }

    /// A look of the monitor at the calls in flight.
    pub fn look(&self, slots: &mut dyn Iterator<Item = &Slot>) {
        let now = monotonic_micros();
        self.look_at_dump(now);
        for slot in slots {
            if let Some(call) = slot.get() {
                self.look_at(&call, now);
            }
        }
    }

    fn look_at(&self, call: &Arc<Call>, now: u64) {
        let mut state = lock(&call.state);
        match *state {
            State::Running if now.saturating_sub(call.began) >= self.limit => {
                *state = State::Asked(now);
                scoreboard::count_shared(Word::SlowRequests);
                self.reporter.unpark();
            }
            State::Asked(since) if now.saturating_sub(since) >= PATIENCE => {
                let mut dumps = lock(&self.dumps);
                if is_asked(&dumps) {
                    return;
                }
                *state = State::Claimed;
                drop(state);
                if let Some(dumps) = dumps.as_mut() {
                    dumps.dump.ask(call.thread);
                    dumps.asked = Some((call.clone(), now));
                } else {
                    drop(dumps);
                    self.log_natively(call, b"");
                }
            }
            _ => {}
        }
    }

    /// Logs the call whose thread was asked for its stack, when it has written that, or in vain.
    fn look_at_dump(&self, now: u64) {
        let mut dumps = lock(&self.dumps);
        let Some(Dumps { dump, asked }) = dumps.as_mut() else {
            return;
        };
        let is_due = |(_, since): &mut (Arc<Call>, u64)| {
            dump.has_written() || now.saturating_sub(*since) >= PATIENCE
        };
        if let Some((call, _)) = asked.take_if(is_due) {
            let stack = dump.read();
            drop(dumps);
            self.log_natively(&call, &innermost_last(&stack));
        }
    }

    /// Logs a call without the interpreter's lock.
    fn log_natively(&self, call: &Call, stack: &[u8]) {
        const LOCKED: &str = ", while a call into C keeps the interpreter's lock";
        let then = match stack {
            b"" => format!("{LOCKED}; its stack is not known"),
            _ => format!("{LOCKED}; its stack:\n"),
        };
        let mut text = call.slow_line(&then).into_bytes();
        text.extend_from_slice(stack);
        stderr::write(&self.warning(&text));
        if let Some(line) = self.reported(call) {
            stderr::write(&line);
        }
    }

    /// How long the monitor may wait until something is due.
    pub fn wait(&self, slots: &mut dyn Iterator<Item = &Slot>) -> Option<Duration> {
        let now = monotonic_micros();
        let dump = is_asked(&lock(&self.dumps)).then_some(now + HANDLER);
        let due = |call: Arc<Call>| match *lock(&call.state) {
            State::Running => Some(call.began + self.limit),
            State::Asked(since) => Some((since + PATIENCE).max(now + HANDLER)),
            State::Claimed | State::Logged | State::Ended(_) => None,
        };
        let next = slots.filter_map(|slot| slot.get().and_then(due)).min();
        let next = next.into_iter().chain(dump).min()?;
        Some(Duration::from_micros(next.saturating_sub(now)))
    }

    /// From now on threads can be asked for their stacks by way of `dump`.
    pub fn put_dump(&self, dump: ThreadDump) {
        *lock(&self.dumps) = Some(Dumps { dump, asked: None });
    }

    /// None is asked any more.
    pub fn take_dump(&self) -> Option<ThreadDump> {
        lock(&self.dumps).take().map(|dumps| dumps.dump)
    }

    /// The run is over: the reporter is to end.
    pub fn finish(&self) {
        self.ended.store(true, Ordering::Release);
        self.reporter.unpark();
    }
}

/// What `faulthandler` writes, which has the innermost call first, in the order of a traceback.
fn innermost_last(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|&byte| byte == b'\n');
    let calls: Vec<&[u8]> = lines.filter(|line| line.starts_with(b"  ")).collect();
    let mut turned = Vec::with_capacity(text.len());
    for call in calls.into_iter().rev() {
        turned.extend_from_slice(call);
        turned.push(b'\n');
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow() -> Arc<SlowCalls> {
        SlowCalls::longer_than(1e-6).unwrap()
    }

    fn wait(call: &Call) {
        while call.seconds() < 2e-6 {}
    }

    fn text(line: Option<Vec<u8>>) -> String {
        String::from_utf8(line.unwrap_or_default()).unwrap()
    }

    #[test]
    fn no_limit_is_no_watch() {
        for limit in [0.0, f64::INFINITY] {
            assert!(SlowCalls::longer_than(limit).is_none());
        }
    }

    #[test]
    fn a_call_that_ends_before_it_is_seen_has_one_line() {
        let (slow, slot) = (slow(), Slot::default());
        let call = slot.begin(&Called::request(b"GET", b"/a\n", "::1"));
        wait(&call);
        let line = text(slow.end(&slot, &call));
        assert!(
            line.contains("slow request: GET /a\\x0a from ::1 has taken 0.0 s\n"),
            "{line}"
        );
        assert!(slot.get().is_none());
    }

    #[test]
    fn one_that_is_seen_has_two_in_either_order() {
        for ends_first in [true, false] {
            let (slow, slot) = (slow(), Slot::default());
            let call = slot.begin(&Arc::new(Called::Timer));
            assert!(!slow.claim(&call));
            wait(&call);
            slow.look(&mut [&slot].into_iter());
            assert!(slow.claim(&call) && !slow.claim(&call));
            let first = String::from_utf8(slow.report(&call, b"  here\n")).unwrap();
            assert!(first.contains("slow timer has taken 0.0 s so far; its stack:\n  here\n"));
            let mut end = Vec::new();
            if ends_first {
                end.push(slow.end(&slot, &call));
                end.push(slow.reported(&call));
            } else {
                end.push(slow.reported(&call));
                end.push(slow.end(&slot, &call));
            }
            assert!(end[0].is_none());
            assert!(text(end.pop().unwrap()).contains("slow timer has ended after 0.0 s\n"));
        }
    }

    #[test]
    fn one_that_is_quick_has_none() {
        let (slow, slot) = (SlowCalls::longer_than(60.0).unwrap(), Slot::default());
        let call = slot.begin(&Arc::new(Called::Deferred));
        slow.look(&mut [&slot].into_iter());
        let wait = slow.wait(&mut [&slot].into_iter()).unwrap();
        assert!(wait > Duration::from_secs(1) && wait <= Duration::from_secs(60));
        assert!(slow.end(&slot, &call).is_none());
        assert!(slow.wait(&mut [&slot].into_iter()).is_none());
    }

    #[test]
    fn a_stack_is_turned_round() {
        let text = b"Stack (most recent call first):\n  File \"b\", line 2 in b\n  File \"a\", line 1 in a\n";
        assert_eq!(
            innermost_last(text),
            b"  File \"a\", line 1 in a\n  File \"b\", line 2 in b\n"
        );
    }
}
