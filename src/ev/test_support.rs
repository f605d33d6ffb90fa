//! What the tests of this module share: the loop for one test at a time, and an owner of an `Io`.

use super::default_loop::Loop;
use super::io::{Interest, Io, OnIo};
use super::timer::Timer;
use std::cell::{Cell, RefCell};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::rc::{Rc, Weak};
use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

thread_local!(static STREAMS: RefCell<Vec<Weak<Stream>>> = RefCell::default());

/// A test's time with the loop. Its end stops what a failed test left, which would keep the next
/// one's loop running.
pub struct Turn {
    _lock: MutexGuard<'static, ()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        for stream in STREAMS.take().iter().filter_map(Weak::upgrade) {
            stream.io.stop();
        }
    }
}

/// The process's one loop, until the turn ends.
pub fn alone() -> (Turn, Loop) {
    let turn = Turn {
        _lock: TURN.lock().unwrap_or_else(PoisonError::into_inner),
    };
    (
        turn,
        Loop::default_loop().expect("a loop that nobody else has"),
    )
}

/// Runs the loop until nothing is at hand any more (and not until a watcher is ready).
pub fn settle(lp: Loop) {
    let end = Timer::new(move || lp.stop());
    end.start(lp, 0.0, 0.0);
    lp.run();
}

/// One end of a socket pair with its watcher; each event runs `action`.
pub struct Stream {
    pub io: Io<Stream>,
    pub near: UnixStream,
    pub far: UnixStream,
    pub seen: RefCell<Vec<Interest>>,
    pub panics: Cell<u32>,
    pub action: fn(&Rc<Stream>),
}

impl Stream {
    pub fn new(action: fn(&Rc<Stream>)) -> Rc<Stream> {
        let (near, far) = UnixStream::pair().unwrap();
        for end in [&near, &far] {
            end.set_nonblocking(true).unwrap();
        }
        let stream = Rc::new(Stream {
            io: Io::new(),
            near,
            far,
            seen: RefCell::default(),
            panics: Cell::new(0),
            action,
        });
        STREAMS.with_borrow_mut(|streams| streams.push(Rc::downgrade(&stream)));
        stream
    }

    pub fn watch(self: &Rc<Self>, lp: Loop, interest: Interest) {
        Io::start(self, lp, self.near.as_fd(), interest);
    }
}

impl OnIo for Stream {
    fn io(&self) -> &Io<Stream> {
        &self.io
    }

    fn ready(self: &Rc<Self>, ready: Interest) {
        self.seen.borrow_mut().push(ready);
        (self.action)(self);
    }

    fn panicked(self: &Rc<Self>) {
        self.panics.set(self.panics.get() + 1);
        self.io.stop();
    }
}
