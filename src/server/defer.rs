//! `defer`: calls that wait until no I/O and no timer is ready, one at a time.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::py::{Gil, Owned, Result};

#[derive(Clone)]
struct Call(Rc<(Owned, Owned)>);

/// The queue.
#[derive(Default)]
pub struct Deferred(RefCell<VecDeque<Call>>);

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
            let queued: Vec<Call> = self.0.borrow().iter().cloned().collect();
            for Call(call) in &queued {
                if call.0.equals(gil, &callable)? && call.1.equals(gil, &argument)? {
                    return Ok(());
                }
            }
        }
        let call = Call(Rc::new((callable, argument)));
        self.0.borrow_mut().push_back(call);
        Ok(())
    }

    /// How many calls are queued, the one that runs included.
    pub fn queued(&self) -> usize {
        self.0.borrow().len()
    }

    /// Runs the first call of the queue, which still counts meanwhile.
    pub fn run_one(&self, gil: Gil<'_>) -> Result<()> {
        let first = self.0.borrow().front().cloned();
        let Some(Call(call)) = first else {
            return Ok(());
        };
        let result = call.0.call(gil, &[&call.1]);
        let done = self.0.borrow_mut().pop_front();
        drop(done);
        result.map(drop)
    }
}
