//! `add_timer`, `stop_timer`, `restart_timer`.
//!
//! Timers belong to the process, in the order of adding; each `run` starts them and stops them when it
//! ends. A timer's callback may add, stop and restart timers, itself too.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;

use crate::ev::{Loop, Timer};
use crate::py::{Gil, Owned, Result};
use crate::server::ready::{Ready, ReadyList};

/// One timer.
struct Entry {
    delay: f64,
    callback: Owned,
    watcher: RefCell<Option<Timer>>,
}

/// All timers.
#[derive(Default)]
pub struct Timers {
    entries: RefCell<Vec<Rc<Entry>>>,
    running: RefCell<Option<(Loop, Rc<ReadyList>)>>,
}

impl Timers {
    /// How many were added.
    pub fn count(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Adds a timer; how many there are.
    pub fn add(&self, delay: f64, callback: Owned) -> usize {
        let entry = Rc::new(Entry {
            delay,
            callback,
            watcher: RefCell::default(),
        });
        self.entries.borrow_mut().push(entry);
        self.count()
    }

    /// Stops the timer at `index`; false where there is none.
    pub fn stop(&self, index: usize) -> bool {
        let entry = self.entries.borrow().get(index).cloned();
        entry.map(|entry| entry.stop()).is_some()
    }

    /// The loop begins to run.
    pub fn start_all(&self, lp: Loop, ready: &Rc<ReadyList>) {
        self.running.replace(Some((lp, ready.clone())));
        for index in 0..self.count() {
            self.start(index);
        }
    }

    /// The loop ended.
    pub fn stop_all(&self) {
        self.running.take();
        for index in 0..self.count() {
            self.stop(index);
        }
    }

    /// Starts the timer at `index`, where the loop runs in this thread.
    pub fn start(&self, index: usize) {
        let running = self.running.borrow();
        let (Some((lp, ready)), Some(entry)) =
            (&*running, self.entries.borrow().get(index).cloned())
        else {
            return;
        };
        let ready = ready.clone();
        let watcher = Timer::new(move || ready.push(Ready::Timer(index)));
        watcher.start(*lp, entry.delay, entry.delay);
        let replaced = entry.watcher.replace(Some(watcher));
        drop(replaced);
    }

    /// Calls the timer at `index`, if it was not stopped since it became ready. Only the object `False`
    /// stops it, and an exception: `None`, `0` and `True` do not.
    pub fn fire(&self, gil: Gil<'_>, index: usize) -> Result<()> {
        let entry = self.entries.borrow().get(index).cloned();
        let Some(entry) = entry.filter(|entry| entry.watcher.borrow().is_some()) else {
            return Ok(());
        };
        let result = entry.callback.call(gil, &[]);
        if result.as_ref().map_or(true, |result| result.is_false()) {
            entry.stop();
        }
        result.map(drop)
    }
}

impl Entry {
    fn stop(&self) {
        let watcher = self.watcher.take();
        drop(watcher);
    }
}
