//! One request: from a parsed head to the bytes of its response.
//!
//! [`exchange`] is a request in flight, [`context`] what all requests of a run share. [`call`] is the
//! seam: [`environ`] and [`start_response`] make the two arguments of the application, [`response`]
//! turns what it returned ([`body`]) into a queue of bytes, files and objects ([`crate::queue`]),
//! [`failure`] makes the response when it raised. Where the two dialects differ, [`crate::dialect`]
//! says how.

pub mod base;
pub mod body;
pub mod buffer_pool;
pub mod call;
pub mod child;
pub mod client;
pub mod console;
pub mod context;
pub mod encode;
pub mod endpoint;
pub mod environ;
pub mod errors;
pub mod exchange;
pub mod exclusive;
pub mod failure;
pub mod file_wrapper;
pub mod input;
pub mod interruption;
pub mod invalid_item;
pub mod logged;
pub mod params;
pub mod response;
pub mod response_body;
pub mod start_response;
pub mod taken_sockets;
pub mod takeover;
