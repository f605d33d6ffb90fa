//! Listening sockets: opened, watched, closed at the graceful end and opened again by the next run.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;

use crate::app::endpoint::Endpoint;
use crate::ev::{Interest, Io, Loop, OnIo};
use crate::py::{Gil, Result};
use crate::server::ready::{Ready, ReadyList};
use crate::sys::accept::Accepted;
use crate::sys::listener::{ListenError, Listener};
use crate::sys::unix_listener::{Rights, listen_unix};

/// Where a listening socket came from.
#[derive(PartialEq, Eq)]
pub enum Origin {
    /// `start(host, port)`.
    Tcp(String, String),
    /// `start(path, "unix")`.
    Unix(Vec<u8>),
    /// `start_fd`: only its opener could do that again.
    Adopted,
}

impl Origin {
    /// Listens there.
    pub fn listen(&self) -> std::result::Result<Listener, ListenError> {
        match self {
            Origin::Tcp(host, port) => Listener::tcp(host, port),
            Origin::Unix(path) => listen_unix(path, Rights::default()),
            Origin::Adopted => Err(ListenError::NotASocket),
        }
    }
}

/// A listening socket and its watcher.
pub struct Acceptor {
    io: Io<Acceptor>,
    /// The socket; `None` after a run that ended gracefully, until the next one.
    listener: RefCell<Option<Listener>>,
    /// How to listen again.
    origin: Origin,
    /// Its address, as applications see it.
    pub endpoint: Rc<Endpoint>,
    /// Where to put it when a client waits, and its index there.
    watched: RefCell<Option<(Rc<ReadyList>, usize)>>,
}

impl OnIo for Acceptor {
    fn io(&self) -> &Io<Acceptor> {
        &self.io
    }

    fn ready(self: &Rc<Self>, _: Interest) {
        if let Some((ready, index)) = &*self.watched.borrow() {
            ready.push(Ready::Listener(*index));
        }
    }

    fn panicked(self: &Rc<Self>) {}
}

impl Acceptor {
    fn new(listener: Listener, origin: Origin, endpoint: Rc<Endpoint>) -> Acceptor {
        Acceptor {
            io: Io::new(),
            listener: RefCell::new(Some(listener)),
            origin,
            endpoint,
            watched: RefCell::default(),
        }
    }

    /// The listening socket's descriptor, while there is one.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.listener.borrow().as_ref().map(AsRawFd::as_raw_fd)
    }

    /// The program closed the socket's number: its own are left alone. Whether that was so.
    fn disown_if_closed(&self) -> Option<RawFd> {
        let number = self.descriptor()?;
        if self
            .listener
            .borrow()
            .as_ref()
            .is_some_and(Listener::is_intact)
        {
            return None;
        }
        self.disown();
        Some(number)
    }

    fn disown(&self) {
        self.io.stop();
        if let Some(listener) = self.listener.take() {
            listener.disown();
        }
    }

    /// The next client who waits, while there is a socket; see [`Listener::accept`].
    pub fn accept(&self) -> Option<io::Result<Accepted>> {
        self.listener.borrow().as_ref().map(Listener::accept)
    }

    /// Lets it accept.
    pub fn watch(self: &Rc<Self>, lp: Loop) {
        if !self.io.is_active()
            && let Some(listener) = &*self.listener.borrow()
        {
            Io::start(self, lp, listener.as_fd(), Interest::READ);
        }
    }

    /// Accepts no more for now.
    pub fn pause(&self) {
        self.io.stop();
    }

    /// Releases the address, as far as this process is concerned. A number that is another's by now is left alone.
    pub fn close(&self) {
        self.io.stop();
        self.disown_if_closed();
        let closed = self.listener.take();
        drop(closed);
    }

    /// Whether it has a socket, or can have one again.
    fn can_listen(&self) -> bool {
        !matches!(self.origin, Origin::Adopted) || self.descriptor().is_some()
    }
}

/// All listening sockets, in the order of `start`.
#[derive(Default)]
pub struct Listeners(RefCell<Vec<Rc<Acceptor>>>);

impl Listeners {
    /// Closes every socket, and forgets where they listened. Releases no Python object.
    pub fn close(&self) {
        for acceptor in self.0.take() {
            acceptor.close();
            std::mem::forget(acceptor);
        }
    }

    /// Adds one.
    pub fn add(
        &self,
        gil: Gil<'_>,
        listener: Listener,
        origin: Origin,
        name: &[u8],
        port: &[u8],
    ) -> Result<()> {
        let endpoint = Rc::new(Endpoint::new(gil, name, port)?);
        let acceptor = Rc::new(Acceptor::new(listener, origin, endpoint));
        self.0.borrow_mut().push(acceptor);
        Ok(())
    }

    /// The descriptor of the last one.
    pub fn last_descriptor(&self) -> Option<RawFd> {
        let listeners = self.0.borrow();
        listeners.iter().rev().find_map(|last| last.descriptor())
    }

    /// Whether one has this descriptor, which is intact.
    pub fn have(&self, number: RawFd) -> bool {
        let listeners = self.0.borrow();
        let has = |each: &&Rc<Acceptor>| each.descriptor() == Some(number);
        listeners
            .iter()
            .find(has)
            .is_some_and(|owner| owner.disown_if_closed().is_none())
    }

    /// The kernel gave a number to a client that a listener has: a program closed that one's.
    pub fn disown(&self, number: RawFd) {
        let listeners = self.0.borrow();
        let has = |each: &&Rc<Acceptor>| each.descriptor() == Some(number);
        if let Some(robbed) = listeners.iter().find(has) {
            robbed.disown();
        }
    }

    /// Has the listener of before that came from `origin` listen again, if there is one that a run closed.
    /// Whether there is.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn listen_again(&self, origin: &Origin) -> std::result::Result<bool, ListenError> {
        let listeners = self.0.borrow();
        let is_same = |each: &&Rc<Acceptor>| each.origin == *origin && each.descriptor().is_none();
        let Some(known) = listeners.iter().find(is_same) else {
            return Ok(false);
        };
        known.listener.replace(Some(origin.listen()?));
        Ok(true)
    }

    /// Whether there is one that can listen.
    pub fn can_listen(&self) -> bool {
        self.0.borrow().iter().any(|each| each.can_listen())
    }

    /// Makes every one listen that can, for a run that works `ready` off. A `backlog` of 0 leaves what
    /// there is.
    ///
    /// # Errors
    /// Why one cannot; the others are as they were.
    pub fn open(
        &self,
        ready: &Rc<ReadyList>,
        defer_accept: bool,
        backlog: usize,
    ) -> std::result::Result<Vec<Rc<Acceptor>>, ListenError> {
        let closed: Vec<RawFd> = {
            let listeners = self.0.borrow();
            listeners
                .iter()
                .filter_map(|each| each.disown_if_closed())
                .collect()
        };
        if let Some(number) = closed.first() {
            return Err(ListenError::Closed(*number));
        }
        let usable = self.usable();
        let mut opened = Vec::new();
        for acceptor in &usable {
            if acceptor.descriptor().is_some() {
                continue;
            }
            match acceptor.origin.listen() {
                Ok(listener) => {
                    acceptor.listener.replace(Some(listener));
                    opened.push(acceptor);
                }
                // All or nothing: what was opened for this run is closed again.
                Err(error) => {
                    opened.iter().for_each(|opened| opened.close());
                    return Err(error);
                }
            }
        }
        for (index, acceptor) in usable.iter().enumerate() {
            acceptor.watched.replace(Some((ready.clone(), index)));
            if let Some(listener) = &*acceptor.listener.borrow() {
                // A unix socket has no such option, and the kernel may not either.
                let _ = listener.set_defer_accept(defer_accept);
                if backlog > 0 {
                    listener.set_backlog(backlog).map_err(ListenError::Listen)?;
                }
            }
        }
        self.0.borrow_mut().clone_from(&usable);
        Ok(usable)
    }

    fn usable(&self) -> Vec<Rc<Acceptor>> {
        let listeners = self.0.borrow();
        let usable = listeners.iter().filter(|each| each.can_listen());
        usable.cloned().collect()
    }
}
