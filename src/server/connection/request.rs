//! A request before it is in flight: its head parsed, its body on its way.

#![forbid(unsafe_code)]

use crate::app::exchange::{CacheResult, RequestBody};
use crate::http::chunked::Decoder;
use crate::http::framing::Framing;
use crate::http::head::Head;
use crate::server::body_buffer::BodyBuffer;

/// A request whose head was parsed.
pub struct ParsedRequest {
    /// Its head; the spans are offsets into what was received from its first byte on.
    pub head: Box<Head>,
    /// How the message is delimited.
    pub framing: Framing,
    /// What the cache of environs says of it.
    pub cached: CacheResult,
    /// The body, once it is whole.
    pub body: RequestBody,
    /// Bytes of the message that stand in the input, from the head's first byte on.
    pub length: usize,
}

/// A request whose body is on its way.
pub struct Incoming {
    /// The request.
    pub request: ParsedRequest,
    /// The head's bytes; in the legacy dialect with the body behind them, otherwise with what was
    /// received and not decoded.
    pub input: Vec<u8>,
    /// The body.
    pub progress: BodyProgress,
    /// When the body began, in seconds of the run's clock.
    pub began: f64,
    /// No descriptor is left for the file that the body belongs in: nothing more is read until there is
    /// one.
    pub awaits_descriptor: bool,
}

/// The body so far, and what is due.
pub enum BodyProgress {
    /// It stays behind the head until it has this many bytes.
    InPlace(usize),
    /// Of a known length, of which this much is due, moved off the buffer.
    Fixed(BodyBuffer, u64),
    /// Chunked.
    Chunked(BodyBuffer, Decoder),
}

impl Incoming {
    /// Where the body is kept, unless it stays behind the head.
    pub fn buffer(&mut self) -> Option<&mut BodyBuffer> {
        match &mut self.progress {
            BodyProgress::InPlace(_) => None,
            BodyProgress::Fixed(buffer, _) | BodyProgress::Chunked(buffer, _) => Some(buffer),
        }
    }

    /// Whether only the head of the response is wanted.
    pub fn is_head_request(&self) -> bool {
        self.request.head.is_for_head(&self.input)
    }

    /// Bytes of the body so far.
    pub fn received(&self) -> u64 {
        match &self.progress {
            BodyProgress::InPlace(_) => (self.input.len() - self.request.head.len) as u64,
            BodyProgress::Fixed(buffer, _) | BodyProgress::Chunked(buffer, _) => buffer.length(),
        }
    }
}
