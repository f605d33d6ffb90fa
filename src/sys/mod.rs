//! System calls, made safe: sockets, files, signals and limits over plain descriptors. Nothing here
//! knows the loop, HTTP or Python.
//!
//! Every call goes through `syscall!`, which repeats an interrupted one; a socket that would block is
//! a value ([`stream::Flow::Blocked`], [`accept::Accepted::Empty`]). So `EINTR` and `EAGAIN` never
//! leave this module as errors, and an `io::Error` from here is news.
//!
//! Descriptors that are made here are owned from birth, closed on exec and, as sockets,
//! non-blocking. Functions that act on a caller's descriptor take its number.

/// Calls a libc function until it is not interrupted; -1 becomes `io::Error::last_os_error()`.
macro_rules! syscall {
    ($name:ident($($argument:expr),* $(,)?)) => {
        loop {
            let result = libc::$name($($argument),*);
            if result != -1 {
                break Ok(result);
            }
            let error = std::io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINTR) {
                break Err(error);
            }
        }
    };
}

pub mod accept;
pub mod clock;
pub mod file;
pub mod fork;
pub mod limits;
pub mod listener;
pub mod log_file;
pub mod memory;
mod option;
pub mod park;
pub mod peer;
pub mod poll;
pub mod shared_memory;
pub mod signal;
pub mod socket;
pub mod spool;
pub mod stderr;
pub mod stream;
#[cfg(test)]
mod test_support;
pub mod thread;
pub mod thread_dump;
mod unix_address;
pub mod unix_listener;
