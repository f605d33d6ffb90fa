//! One request: from a parsed head to the bytes of its response.
//!
//! [`exchange`] is a request in flight, [`context`] what all requests of a run share. [`call`] is the
//! seam: [`environ`] and [`starter`] make the two arguments of the application, [`response`] turns
//! what it returned ([`body`]) into a queue of bytes, files and objects ([`crate::queue`]; [`sink`]:
//! while the application is called), [`failure`] makes the response when it raised. Where the two
//! dialects differ, [`dialect`] says how.

pub mod base;
pub mod body;
pub mod buffer_pool;
pub mod call;
pub mod child;
pub mod client;
pub mod console;
pub mod context;
pub mod delimiter;
pub mod dialect;
pub mod endpoint;
pub mod environ;
pub mod environ_cache;
pub mod errors;
pub mod exchange;
pub mod failure;
pub mod header_keys;
pub mod input;
pub mod natives;
pub mod params;
pub mod protocol;
pub mod response;
pub mod response_body;
pub mod said;
pub mod sink;
pub mod start_response;
pub mod starter;
pub mod stock;
pub mod written;
