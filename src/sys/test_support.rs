//! What the tests of this module share: a process of their own, for what would disturb the others; a server's part.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;

use super::accept::{Accepted, accept};
use super::listener::Listener;

/// Whether `check` holds in a forked child, which ends with it.
pub fn holds_in_child(check: impl FnOnce() -> bool) -> bool {
    let mut status = 0;
    // SAFETY: the child uses no lock of other threads but the allocator's, which glibc frees, and
    // leaves by `_exit`, a panic included; the parent waits for a child of its own.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check));
            libc::_exit(i32::from(!held.unwrap_or(false)));
        }
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
    }
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// Accepts one client and sends it a byte.
pub fn greet(listener: &Listener) {
    let Accepted::Client(client, _) = accept(listener.as_raw_fd()).unwrap() else {
        panic!("no client");
    };
    File::from(client).write_all(b"!").unwrap();
}
