//! The open connections, each at a place of its own.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;
use std::rc::Rc;

use crate::scoreboard::{self, Word};
use crate::server::connection::work::Connection;
use crate::server::reactor::Reactor;
use crate::server::ready::Id;

/// The table.
#[derive(Default)]
pub struct Table {
    places: RefCell<Vec<Option<Rc<Connection>>>>,
    free: RefCell<Vec<u32>>,
    /// The number of the connection that was added last.
    numbered: Cell<u32>,
    /// Which connection has a descriptor, by the descriptor's number.
    descriptors: RefCell<Vec<Id>>,
}

impl Table {
    /// The connection that is in the table with this descriptor, when `accept` gives it to another: a
    /// program closed a number that was not its own.
    pub fn owner(&self, descriptor: RawFd) -> Option<Rc<Connection>> {
        let index = usize::try_from(descriptor).ok()?;
        let id = self.descriptors.borrow().get(index).copied()?;
        self.get(id)
    }

    /// Gives a connection its place and its number.
    pub fn add(&self, connection: &Rc<Connection>, descriptor: RawFd) {
        // 0 is nobody's.
        self.numbered
            .set(self.numbered.get().checked_add(1).unwrap_or(1));
        let mut places = self.places.borrow_mut();
        let slot = match self.free.borrow_mut().pop() {
            Some(slot) => slot,
            None => {
                places.push(None);
                (places.len() - 1) as u32
            }
        };
        connection.set_id(Id {
            slot,
            number: self.numbered.get(),
        });
        places[slot as usize] = Some(connection.clone());
        let index = usize::try_from(descriptor).unwrap_or(0);
        let mut descriptors = self.descriptors.borrow_mut();
        if descriptors.len() <= index {
            descriptors.resize(index + 1, Id::default());
        }
        descriptors[index] = connection.id();
        count_open(&connection.reactor, 1);
    }

    /// The connection that `id` names, while it is open.
    pub fn get(&self, id: Id) -> Option<Rc<Connection>> {
        let places = self.places.borrow();
        let connection = places.get(id.slot as usize)?.as_ref()?;
        (connection.id() == id).then(|| connection.clone())
    }

    /// A connection is over.
    pub fn remove(&self, connection: &Connection) {
        let id = connection.id();
        connection.reactor.ctx.environ_cache.evict(id.number);
        let removed = self.places.borrow_mut()[id.slot as usize].take();
        if removed.is_some() {
            self.free.borrow_mut().push(id.slot);
            count_open(&connection.reactor, -1);
        }
        drop(removed);
    }

    /// The open connections for which `wanted` holds.
    pub fn select(&self, wanted: impl Fn(&Rc<Connection>) -> bool) -> Vec<Rc<Connection>> {
        let places = self.places.borrow();
        let all = places.iter().flatten();
        all.filter(|connection| wanted(connection))
            .cloned()
            .collect()
    }

    /// Whether `holds` for every open connection.
    pub fn all(&self, holds: impl Fn(&Rc<Connection>) -> bool) -> bool {
        self.places.borrow().iter().flatten().all(holds)
    }
}

fn count_open(reactor: &Reactor, more: isize) {
    let open = reactor.open.get().saturating_add_signed(more);
    reactor.open.set(open);
    scoreboard::set(Word::Connections, open as u64);
}
