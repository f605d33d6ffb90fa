//! `add_timer`, `stop_timer`, `restart_timer`.
//!
//! Timers belong to the process, in the order of adding; each `run` starts them and stops them when it
//! ends. A timer's callback may add, stop and restart timers, itself too.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::app::child;
use crate::ev::{Loop, Timer};
use crate::py::{Exception, Gil, Owned, threads};
use crate::server::callback_raised;

/// One timer.
struct Entry {
    delay: f64,
    callback: Owned,
    watcher: RefCell<Option<Rc<Timer>>>,
}

/// All timers.
#[derive(Default)]
pub struct Timers {
    entries: RefCell<Vec<Rc<Entry>>>,
    running: Cell<Option<Loop>>,
}

impl Timers {
    /// How many were added.
    pub fn count(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Adds a timer; `start` says whether one that is added while the loop runs starts at once.
    pub fn add(&self, delay: f64, callback: Owned, start: bool) -> usize {
        let entry = Rc::new(Entry {
            delay,
            callback,
            watcher: RefCell::default(),
        });
        self.entries.borrow_mut().push(entry.clone());
        if start
            && let Some(lp) = self.running.get()
            && threads::is_serving()
        {
            entry.start(lp);
        }
        self.count()
    }

    /// Stops the timer at `index`; false where there is none.
    pub fn stop(&self, index: usize) -> bool {
        let entry = self.entries.borrow().get(index).cloned();
        entry.map(|entry| entry.stop()).is_some()
    }

    /// Makes the timer at `index` fire `delay` seconds from now; false where there is none.
    pub fn restart(&self, index: usize) -> bool {
        let entry = self.entries.borrow().get(index).cloned();
        let Some(entry) = entry else { return false };
        if let Some(lp) = self.running.get()
            && threads::is_serving()
        {
            entry.stop();
            entry.start(lp);
        }
        true
    }

    /// The loop begins to run.
    pub fn start_all(&self, lp: Loop) {
        self.running.set(Some(lp));
        let entries = self.entries.borrow().clone();
        for entry in entries {
            entry.start(lp);
        }
    }

    /// The loop ended.
    pub fn stop_all(&self) {
        self.running.set(None);
        let entries = self.entries.borrow().clone();
        for entry in entries {
            entry.stop();
        }
    }
}

impl Entry {
    fn start(self: &Rc<Self>, lp: Loop) {
        let entry = Rc::downgrade(self);
        let watcher = Rc::new(Timer::new(move || {
            if let Some(entry) = entry.upgrade() {
                threads::in_callback(|gil| entry.fire(gil));
            }
        }));
        watcher.start(lp, self.delay, self.delay);
        self.watcher.replace(Some(watcher));
    }

    fn stop(&self) {
        let watcher = self.watcher.take();
        if let Some(watcher) = watcher {
            watcher.stop();
        }
    }

    /// Only the object `False` stops it: `None`, `0` and `True` do not.
    fn fire(&self, gil: Gil<'_>) {
        match child::exit_if_forked(gil, self.callback.call(gil, &[])) {
            Ok(answer) if !answer.is_false() => {}
            Ok(_) => self.stop(),
            Err(raised) => {
                callback_raised(gil, Exception::take(gil, raised));
                self.stop();
            }
        }
    }
}
