//! A descriptor kept for the moment when there is none left.
//!
//! At `EMFILE` a client that waits in the queue can be neither served nor refused. Closing the
//! spare makes room for exactly one: accept it, close it, and take the spare back.

use std::fs::File;
use std::io;

/// Something open that is of no use but for its place.
pub struct Spare {
    place: Option<File>,
}

impl Spare {
    /// Takes a place.
    ///
    /// # Errors
    /// Those of opening `/dev/null`.
    pub fn new() -> io::Result<Spare> {
        let mut spare = Spare { place: None };
        spare.refill()?;
        Ok(spare)
    }

    /// Gives the place away; false if it was not held.
    pub fn release(&mut self) -> bool {
        self.place.take().is_some()
    }

    /// Takes a place again, unless one is held.
    ///
    /// # Errors
    /// Those of opening `/dev/null`; `EMFILE` when the place is taken.
    pub fn refill(&mut self) -> io::Result<()> {
        if self.place.is_none() {
            self.place = Some(File::open("/dev/null")?);
        }
        Ok(())
    }
}
