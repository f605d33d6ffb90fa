//! The sockets that applications have taken over ([`super::takeover`]), until they are closed.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;

use crate::py::{Gil, Object, Owned, names, number};

/// The sockets that applications have taken.
///
/// When a call is over its socket is shut down and closed at once, where nobody else refers to it. A
/// thread of the application's that does may be about to send its last words (the reply to a WebSocket's
/// closing frame), so it has from one tick to the next for that. Then the socket is shut down, which ends
/// what the thread waits for; and it is closed another tick later, so that its number does not become
/// another connection's while the thread is in one of its methods.
pub struct TakenSockets {
    /// What counts one that is taken, and one whose call is over.
    counts: (fn(), fn()),
    /// Those of calls that are not over.
    open: RefCell<Vec<Owned>>,
    /// Those of calls that have ended since the last tick.
    ended: RefCell<Vec<Owned>>,
    /// Since the one before.
    due: RefCell<Vec<Owned>>,
    /// Those that were shut down at the last tick.
    shut: RefCell<Vec<Owned>>,
}

impl TakenSockets {
    /// None yet.
    pub fn new(counts: (fn(), fn())) -> Rc<TakenSockets> {
        Rc::new(TakenSockets {
            counts,
            open: RefCell::default(),
            ended: RefCell::default(),
            due: RefCell::default(),
            shut: RefCell::default(),
        })
    }

    /// An application has taken this one.
    pub fn begin(&self, socket: Owned) {
        self.open.borrow_mut().push(socket);
        (self.counts.0)();
    }

    /// The call is over.
    pub fn end(&self, gil: Gil<'_>, socket: Owned) {
        let other = {
            let mut open = self.open.borrow_mut();
            let place = open.iter().position(|other| other.is(&socket));
            place.map(|place| open.swap_remove(place))
        };
        drop(other);
        (self.counts.1)();
        if socket.is_unshared() {
            shut_down(gil, &socket);
            close(gil, &socket);
        } else {
            self.ended.borrow_mut().push(socket);
        }
    }

    /// Some time has passed.
    pub fn tick(&self, gil: Gil<'_>) {
        let due = self.due.replace(self.ended.take());
        // Their methods are Python's: nothing is borrowed meanwhile.
        for socket in &due {
            shut_down(gil, socket);
        }
        let shut = self.shut.replace(due);
        for socket in shut {
            close(gil, &socket);
        }
    }

    /// Whether a thread of the application's has time for last words still: the run goes on for as long.
    pub fn have_last_words(&self) -> bool {
        !self.ended.borrow().is_empty() || !self.due.borrow().is_empty()
    }

    /// The run is over, and calls are not: shuts down what they have, so that they and the application's
    /// own threads come back. The thread that is to end the run may be in one.
    pub fn shut_down(&self, gil: Gil<'_>) {
        let open: Vec<Owned> = {
            let open = self.open.borrow();
            open.iter().map(|socket| socket.own(gil)).collect()
        };
        for socket in open {
            shut_down(gil, &socket);
        }
    }

    /// The run is over: ends all.
    pub fn close_ended(&self, gil: Gil<'_>) {
        let lists = [self.ended.take(), self.due.take(), self.shut.take()];
        for socket in lists.into_iter().flatten() {
            shut_down(gil, &socket);
            close(gil, &socket);
        }
    }
}

/// `socket.shutdown(SHUT_RDWR)`. That fails where the client is gone, or the application has closed it.
fn shut_down(gil: Gil<'_>, socket: &Object) {
    let both = number::int(gil, i64::from(libc::SHUT_RDWR));
    let ended = both.and_then(|both| socket.call_method(gil, &names(gil).shutdown, &[&both]));
    if let Err(raised) = ended {
        raised.clear(gil);
    }
}

fn close(gil: Gil<'_>, socket: &Object) {
    if let Err(raised) = socket.call_method(gil, &names(gil).close, &[]) {
        raised.clear(gil);
    }
}
