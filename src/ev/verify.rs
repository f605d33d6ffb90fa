//! Descriptors that were closed behind the loop's back.
//!
//! A program can close a descriptor that is not its own. libev finds out when it hands a changed watcher
//! to the kernel, right before it polls, and aborts the process (an assertion, with epoll). So before each
//! poll the watchers that were started or changed since the last one are looked at: one whose number is
//! no open descriptor is stopped, and its owner called, as for any descriptor that libev gives up.
//!
//! What was watched before is no danger: the kernel forgets a descriptor that is closed.

use super::ownership::{LoopGuard, OwnerCell};
use std::cell::RefCell;
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};

/// A watcher's owner.
pub trait Watched {
    /// Gives the watcher up if its descriptor is not open; whether it did.
    fn give_up_if_closed(self: Rc<Self>) -> bool;
}

type Changed = RefCell<Vec<Weak<dyn Watched>>>;

static CHANGED: OwnerCell<Changed> = OwnerCell::new(RefCell::new(Vec::new()));

/// The watcher of `owner` is another than at the last poll.
pub fn note_change<T: Watched + 'static>(guard: &LoopGuard, owner: &Rc<T>) {
    let owner: Weak<T> = Rc::downgrade(owner);
    CHANGED.get(guard).borrow_mut().push(owner);
}

/// Looks at every changed watcher; whether one was given up. Their owners are called, and may change
/// others meanwhile, which are looked at too.
pub fn give_up_closed(guard: &LoopGuard) -> bool {
    let changed = CHANGED.get(guard);
    if changed.borrow().is_empty() {
        return false;
    }
    let mut looked_at = Vec::new();
    let mut any = false;
    loop {
        let next = changed.borrow_mut().pop();
        let Some(next) = next else { break };
        if let Some(owner) = next.upgrade()
            && owner.give_up_if_closed()
        {
            any = true;
            // Its owner may have closed what was found open before.
            changed.borrow_mut().append(&mut looked_at);
        } else {
            looked_at.push(next);
        }
    }
    looked_at.clear();
    let mut empty = changed.borrow_mut();
    if empty.capacity() == 0 {
        *empty = looked_at; // keeps its memory
    }
    any
}

/// Whether the process still has a descriptor of the kind that libev polls with: who closes many numbers may have
/// closed that one too. Asked when another was found closed, as it looks through all there are; true where
/// nobody can say.
pub fn can_poll(backend: &str) -> bool {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else {
        return true;
    };
    let is_poll = |entry: std::io::Result<std::fs::DirEntry>| {
        let target = entry.and_then(|entry| std::fs::read_link(entry.path()));
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]")
    };
    backend != "epoll" || descriptors.into_iter().any(is_poll)
}

/// Whether the number is an open descriptor's.
pub fn is_open(fd: RawFd) -> bool {
    // SAFETY: numbers only, which the kernel checks.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}
