//! HTTP as bytes: no socket, no interpreter, no clock, no system call.
//!
//! Everything here is a function of its arguments, so that all of it can be tested, fuzzed and
//! measured alone. In the order in which a request meets them:
//!
//! - [`head`]: where the head ends, and its lines as offsets; one grammar a dialect;
//! - [`framing`]: how long the body is, whether the connection stays; the same for responses;
//! - [`chunked`]: the chunked coding, in and out; [`body_encoder`]: how a response shows its end;
//! - [`target`]: path and query, percent decoding, pairs;
//! - [`reply`]: error responses, and what an application's head may hold; [`response_head`]: that head;
//! - [`forwarded`]: what proxies say of the client in the head;
//! - [`proxy_protocol`]: what a proxy says before the first request;
//! - [`date`]: the `Date` line's text;
//! - [`error`]: the rejections, by status; [`grammar`]: the characters under all of it.
//!
//! Two rules hold throughout. What could be read in two ways is rejected, never repaired: a proxy
//! in front of us may have repaired it differently. And no cost depends on the peer's cunning: each
//! byte is looked at a bounded number of times, and each length is checked before it is believed.

#![forbid(unsafe_code)]

pub mod body_encoder;
pub mod chunked;
pub mod date;
pub mod error;
pub mod forwarded;
pub mod framing;
pub mod grammar;
pub mod head;
pub mod proxy_protocol;
pub mod reply;
pub mod response_head;
pub mod target;
