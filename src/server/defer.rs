//! `defer`: calls that wait until no I/O and no timer is pending, one at a time.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::app::{child, console};
use crate::ev::{Idle, Loop};
use crate::py::{Exception, Gil, Owned, Result, threads};
use crate::server::callback_raised;

#[derive(Clone)]
struct Call(Rc<(Owned, Owned)>);

/// The queue.
#[derive(Default)]
pub struct Deferred {
    queue: RefCell<VecDeque<Call>>,
    idle: RefCell<Option<Rc<Idle>>>,
    running: Cell<Option<Loop>>,
}

impl Deferred {
    /// Queues `callable(argument)`; with `combine` only where no equal call is queued.
    pub fn push(
        &self,
        gil: Gil<'_>,
        callable: Owned,
        argument: Owned,
        combine: bool,
    ) -> Result<()> {
        if combine {
            let queued: Vec<Call> = self.queue.borrow().iter().cloned().collect();
            for Call(call) in &queued {
                if call.0.equals(gil, &callable)? && call.1.equals(gil, &argument)? {
                    return Ok(());
                }
            }
        }
        self.queue
            .borrow_mut()
            .push_back(Call(Rc::new((callable, argument))));
        // Another thread's call is seen at the loop's next tick.
        if threads::is_serving() {
            self.wake();
        }
        Ok(())
    }

    /// How many calls are queued, the one that runs included.
    pub fn queued(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Lets the loop work on the queue, if it has to.
    pub fn wake(&self) {
        let (Some(lp), false) = (self.running.get(), self.queue.borrow().is_empty()) else {
            return;
        };
        if let Some(idle) = &*self.idle.borrow() {
            idle.start(lp);
        }
    }

    /// The loop begins to run; `serve` is what its idle moments call.
    pub fn start(&self, lp: Loop, serve: fn(Gil<'_>)) {
        self.running.set(Some(lp));
        self.idle.replace(Some(Rc::new(Idle::new(move || {
            threads::in_callback(serve)
        }))));
        self.wake();
    }

    /// The loop ended.
    pub fn stop(&self) {
        self.running.set(None);
        let idle = self.idle.take();
        drop(idle);
    }

    /// Runs the first call of the queue, which still counts meanwhile.
    pub fn run_one(&self, gil: Gil<'_>) {
        let first = self.queue.borrow().front().cloned();
        if let Some(Call(call)) = first {
            if let Err(raised) = child::exit_if_forked(gil, call.0.call(gil, &[&call.1])) {
                // Before a word is said: on Python 3 that runs Python code, which would lose it.
                let exception = Exception::take(gil, raised);
                console::print_line(gil, "ERROR!!!! Defer callback function as a problem. ");
                console::print_line(gil, "I remind that it takes always one argumet");
                callback_raised(gil, exception);
            }
            let done = self.queue.borrow_mut().pop_front();
            drop(done);
        }
        if self.queue.borrow().is_empty() {
            let idle = self.idle.borrow().clone();
            if let Some(idle) = idle {
                idle.stop();
            }
        }
    }
}
