//! The access log: a line for each response, made of what was received and what was queued.
//!
//! [`format`] compiles the notation of gunicorn once into a list of parts; [`head`] finds in raw heads
//! what the parts ask for; [`escape`] keeps bytes from saying more than they are; [`line`](mod@line)
//! renders. All of it is pure: who writes the lines is the server's.

#![forbid(unsafe_code)]

pub mod escape;
pub mod format;
pub mod head;
pub mod line;
#[cfg(interpreter)]
pub mod settings;
