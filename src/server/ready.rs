//! What is ready to be worked on.
//!
//! libev's callbacks do one thing: they put what became ready on this list. The thread that holds the loop
//! works the list off, outside of libev ([`super::run`]).

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::VecDeque;

/// A connection, by its place in the table and its number, which is never used again in a run: what
/// was ready before the place changed hands finds nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Id {
    /// The place.
    pub slot: u32,
    /// The number, from 1 on.
    pub number: u32,
}

/// One thing that is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ready {
    /// A connection's socket can be read or written.
    Connection(Id),
    /// A client waits at the listener of this index.
    Listener(usize),
    /// The timer of this index fires.
    Timer(usize),
    /// Listeners that were paused may accept again.
    AcceptAgain,
    /// A signal came.
    Signal(i32),
    /// The timer of this index is to be started.
    StartTimer(usize),
    /// `stop()` was called.
    Stop,
    /// The interpreter is about to end.
    Drain,
    /// A deferred call was queued.
    Deferred,
    /// The coarse clock moves on.
    Tick,
}

impl Ready {
    fn is_timer(self) -> bool {
        matches!(self, Ready::Timer(_) | Ready::Tick)
    }
}

/// What is ready, in the order in which it became so.
#[derive(Default)]
pub struct ReadyList(RefCell<VecDeque<Ready>>);

impl ReadyList {
    /// Adds to the end.
    pub fn push(&self, ready: Ready) {
        self.0.borrow_mut().push_back(ready);
    }

    /// Takes the first.
    pub fn pop(&self) -> Option<Ready> {
        self.0.borrow_mut().pop_front()
    }

    /// Whether nothing is ready.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether the coarse clock moves on, and nothing else is to be done.
    pub fn is_tick_alone(&self) -> bool {
        *self.0.borrow() == [Ready::Tick]
    }

    /// Puts what one poll added into the order in which it became ready: of descriptors libev calls back
    /// for the last first, of timers for the first.
    pub fn order(&self) {
        let mut ready = self.0.borrow_mut();
        if ready.len() > 1 {
            let all = ready.make_contiguous();
            all.reverse();
            for timers in all.chunk_by_mut(|one, next| one.is_timer() && next.is_timer()) {
                timers.reverse();
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_and_timers_come_in_the_order_in_which_they_became_ready() {
        let list = ReadyList::default();
        let timers = [Ready::Timer(1), Ready::Tick, Ready::Timer(2)];
        let called_back = [&timers[..], &[Ready::Listener(2), Ready::Listener(1)]].concat();
        called_back.into_iter().for_each(|each| list.push(each));
        list.order();
        let order: Vec<Ready> = std::iter::from_fn(|| list.pop()).collect();
        assert_eq!(order[..2], [Ready::Listener(1), Ready::Listener(2)]);
        assert_eq!(order[2..], timers);
    }
}
