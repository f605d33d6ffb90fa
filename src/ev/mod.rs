//! libev, made safe: the default loop, I/O watchers that live in their owners, and boxed watchers
//! for timers, signals and the loop's phases. Nothing else in the crate names libev; nothing here
//! knows Python, HTTP or sockets beyond a descriptor's number.
//!
//! # Pinning
//!
//! libev keeps the address of every started watcher in its own tables and writes through it. Two
//! things must hold from start to stop: the watcher does not move, and it is not freed.
//!
//! An [`Io`] is a field of its owner (a connection), so that a connection is one allocation and an
//! event finds it without a look-up. The owner lives in an `Rc`, which never moves its value;
//! starting puts one strong reference to it into the watcher's `data` pointer, and stopping
//! takes it back. While that reference exists, safe code has no way to move the owner
//! (`Rc::get_mut` and `Rc::try_unwrap` want to be alone) nor to drop it. [`Io::start`] checks
//! by address that the watcher really lies inside the owner: a type whose `OnIo::io` hands out some
//! other watcher is stopped there by a panic.
//!
//! A callback holds a reference of its own until it returns. `stop` may thus be called from inside
//! it, and release the loop's reference, with the owner's methods still on the stack.
//!
//! The other watchers are few. Each owns a small `Rc` with libev's struct and a closure, stops when
//! it is dropped, and is kept by its callback in the same way while that runs.
//!
//! # Whose loop it is
//!
//! libev has one default loop a process, and no locks. Our handles are neither `Send` nor `Sync`,
//! but any thread can ask for one, so `ownership` counts what ties the loop to a thread (active
//! watchers, calls into it) and rejects the others meanwhile.
//!
//! # Waiting
//!
//! The thread that runs the loop holds the interpreter's lock all the way through a batch of events.
//! [`Loop::on_wait`] names two functions that libev calls right before and right after each poll, so
//! the lock is free while there is nothing to do and is not passed around per event.
//!
//! # Forking
//!
//! A child shares its parent's epoll (or kqueue) descriptor; waiting on it would take the parent's
//! events. `ev_loop_fork` merely notes that the kernel side must be made anew before the next poll,
//! so the child's atfork handler may call it whatever the parent was doing, a callback included.
//!
//! # Children
//!
//! Making the default loop installs libev's SIGCHLD handler, which reaps every child of the process:
//! the `wait` of Python's `subprocess` would find its child gone. The disposition of before is put
//! back at once. The same would happen through a signalfd, which is why that flag of
//! `LIBEV_FLAGS` is not passed on.

mod default_loop;
mod event_descriptor;
mod ffi;
mod io;
#[cfg(test)]
mod locate;
mod ownership;
mod panics;
mod phases;
mod signal;
#[cfg(test)]
mod test_support;
mod timer;
mod verify;
mod wake;
mod watcher;

pub use default_loop::{Loop, LoopError, version};
pub use io::{Interest, Io, OnIo};
pub use panics::{guarded, report_fatal_to, report_panics_to};
pub use phases::{Check, Idle, Prepare};
pub use signal::Signal;
pub use timer::Timer;
pub use wake::{Wake, Waker};
