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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::accept::{Accepted, accept};
    use super::super::trial::holds_in_child;
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    /// What the spare is for. Lowers the process's limit for good.
    fn turn_a_client_away(listener: &TcpListener) -> io::Result<bool> {
        let mut spare = Spare::new()?;
        let next_free = File::open("/dev/null")?.as_raw_fd();
        let limit = libc::rlimit {
            rlim_cur: next_free as u64,
            rlim_max: next_free as u64,
        };
        // SAFETY: the kernel reads `limit`.
        unsafe { syscall!(setrlimit(libc::RLIMIT_NOFILE, &raw const limit)) }?;

        let fd = listener.as_raw_fd();
        let exhausted = matches!(accept(fd)?, Accepted::Exhausted(_));
        let released = spare.release() && !spare.release();
        let Accepted::Client(client, _) = accept(fd)? else {
            return Ok(false);
        };
        let full = spare.refill().is_err();
        drop(client);
        spare.refill()?;
        let still_exhausted = matches!(accept(fd)?, Accepted::Exhausted(_));
        Ok(exhausted && released && full && still_exhausted)
    }

    #[test]
    fn without_descriptors_it_lets_one_client_be_turned_away() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let _clients = [(); 2].map(|()| TcpStream::connect(address).unwrap());
        assert!(holds_in_child(
            || turn_a_client_away(&listener).unwrap_or(false)
        ));
    }
}
