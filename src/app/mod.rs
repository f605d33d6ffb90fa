//! One request: from a parsed head to the bytes of its answer.
//!
//! [`site`] is what all requests of a run share. [`environ`] and [`start_response`] make the two
//! arguments of the application, [`request`] calls it, [`reply`] turns what it returned ([`body`]) into
//! a queue of bytes, files and objects ([`crate::queue`]; [`line`]: while the application is called),
//! [`failure`] makes the response when it raised. Where the two dialects differ, [`dialect`] says how.

pub mod base;
pub mod body;
pub mod child;
pub mod console;
pub mod delimiter;
pub mod dialect;
pub mod environ;
pub mod errors;
pub mod failure;
pub mod header_keys;
pub mod input;
pub mod line;
pub mod long_body;
pub mod memo;
pub mod params;
pub mod protocol;
pub mod reply;
pub mod reply_head;
pub mod request;
pub mod said;
pub mod site;
pub mod start_response;
pub mod stock;
pub mod written;
