//! Memory for bodies that are longer than `config.body_memory` and come fast enough to need no file.
//!
//! All of them together have a fixed room. What one had is used again for the next: fresh memory costs
//! a fault for each page, which is dearer than receiving the bytes.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How long such a body may be, and how much room all have together, in multiples of `body_memory`.
const LONGEST: u64 = 32;
const ALL: u64 = 128;

/// More memory than the body's, for what is received with its end.
const SLACK: usize = 64 << 10;

/// The room of one run.
pub struct Room {
    unit: u64,
    taken: Cell<u64>,
    spare: RefCell<Vec<Vec<u8>>>,
    /// Whether a body came since [`Room::tidy`].
    used: Cell<bool>,
}

/// A body in the room; dropped, its place is free.
pub struct LongBody {
    /// What came so far.
    pub bytes: Vec<u8>,
    length: u64,
    room: Rc<Room>,
}

impl Room {
    /// The room that goes with `body_memory`, in bytes.
    pub fn new(body_memory: usize) -> Rc<Room> {
        Rc::new(Room {
            unit: body_memory as u64,
            taken: Cell::new(0),
            spare: RefCell::default(),
            used: Cell::new(false),
        })
    }

    /// A place for a body of this length, if there is one.
    pub fn take(self: &Rc<Room>, length: u64) -> Option<LongBody> {
        let taken = self.taken.get().saturating_add(length);
        if length > LONGEST.saturating_mul(self.unit) || taken > self.size() {
            return None;
        }
        self.taken.set(taken);
        self.used.set(true);
        let mut bytes = self.spare.borrow_mut().pop().unwrap_or_default();
        bytes.reserve_exact(length as usize + SLACK);
        Some(LongBody {
            bytes,
            length,
            room: self.clone(),
        })
    }

    fn size(&self) -> u64 {
        ALL.saturating_mul(self.unit)
    }

    /// Gives memory back that nothing came for since the last time.
    pub fn tidy(&self) {
        if !self.used.replace(false) {
            self.spare.take();
        }
    }
}

impl Drop for LongBody {
    fn drop(&mut self) {
        let room = &self.room;
        room.taken.set(room.taken.get() - self.length);
        let mut spare = room.spare.borrow_mut();
        let kept: usize = spare.iter().map(Vec::capacity).sum();
        let kept = (kept + self.bytes.capacity()) as u64;
        if room.taken.get() + kept <= room.size() {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            spare.push(bytes);
        }
    }
}
