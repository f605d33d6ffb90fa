//! One request in flight.
//!
//! An [`Exchange`] is data without behaviour: it owns all that the response needs and borrows nothing
//! of the connection or the loop, so that whichever thread holds the interpreter's lock can finish it.
//! [`super::call`] takes it to its response.

#![forbid(unsafe_code)]

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::app::buffer_pool::{PooledBuffer, PooledObject};
use crate::app::client::Client;
use crate::app::endpoint::Endpoint;
use crate::http::framing::{self, Framing, ReplyFraming};
use crate::http::head::{Head, Version};
use crate::http::response_head::ResponseHead;
use crate::http::target::{Target, TargetSpans};
use crate::outbox::Outbox;
use crate::py::Owned;
use crate::sys::socket::Socket;
use crate::sys::spool::Spool;

/// A whole request, and where it came from.
pub struct Exchange {
    /// What was received, with this message in it and perhaps others behind it.
    pub input: Vec<u8>,
    /// Where the message stands in `input`: its head, in the legacy dialect with its body. All offsets
    /// below are relative to its first byte.
    pub message: Range<usize>,
    /// Where in `input` the next message begins.
    pub behind: usize,
    /// The head. Of one that was found in the cache, only what the request line says.
    pub head: Box<Head>,
    /// The parts of the target.
    pub target: TargetSpans,
    /// How the message is delimited.
    pub framing: Framing,
    /// What the cache of environs says of the head.
    pub cached: CacheResult,
    /// The body, whole.
    pub body: RequestBody,
    /// Where the target leads; `None`: nowhere.
    pub route: Option<Route>,
    /// The listener it came by.
    pub endpoint: Rc<Endpoint>,
    /// Who sent it.
    pub client: Rc<Client>,
    /// The connection's socket.
    pub socket: Socket,
    /// Where the thread that calls has what is ready.
    pub outbox: Arc<Outbox>,
    /// Whether what `write()` is given may be gathered there.
    pub gathers: bool,
    /// The connection's number, under which heads are cached.
    pub connection: u32,
    /// What takes the connection over for the application ([`crate::app::takeover`]), where the client offers
    /// another protocol.
    pub takeover: Option<Owned>,
    /// Whether the connection may be kept; not when the server is about to end.
    pub may_keep_alive: bool,
    /// The environ's variables that the access log has, once the application was called.
    pub logged: Vec<Option<Vec<u8>>>,
}

/// What the cache of environs says of a head.
pub enum CacheResult {
    /// The environ of the same head, all but what the request line says.
    Hit(Owned),
    /// It was not seen before, and is to be cached.
    Miss,
    /// It is not to be cached: its body came later, so that its like would not be found.
    Bypass,
}

/// A request's body, whole.
pub enum RequestBody {
    /// There is none.
    Empty,
    /// It stands in the exchange's input, at these offsets from the message's first byte.
    InInput(Range<usize>),
    /// It is in memory of its own.
    Memory(Vec<u8>),
    /// It is a bytes object.
    Object(Owned),
    /// It is a bytes object in the memory for long ones.
    PooledObject(Box<PooledObject>),
    /// It is in the memory for long ones.
    Pooled(Box<PooledBuffer>),
    /// It is in a temporary file.
    Spooled(Spool),
}

/// The application that a target leads to.
pub struct Route {
    /// The application.
    pub callback: Owned,
    /// `SCRIPT_NAME`, where it is not empty.
    pub script_name: Option<Owned>,
    /// How much of the target it takes away from `PATH_INFO`.
    pub script_name_len: usize,
    /// Registered under a prefix by `wsgi_cb`, not as the generic callback.
    pub registered: bool,
}

/// What a request decides about the framing of its response.
#[derive(Clone, Copy, Default)]
pub struct FramingInputs {
    /// The client's version.
    pub version: Version,
    /// Only the head is wanted.
    pub head_only: bool,
    /// Both sides wish to go on.
    pub keep_alive: bool,
}

impl Exchange {
    /// The head's bytes, in the legacy dialect with the body's.
    pub fn message(&self) -> &[u8] {
        &self.input[self.message.clone()]
    }

    /// The method.
    pub fn method(&self) -> &[u8] {
        self.head.method.of(self.message())
    }

    /// The request as log lines name it: the method and the target.
    pub fn label(&self) -> Box<[u8]> {
        let target = self.head.target.of(self.message());
        [self.method(), b" ", target].concat().into()
    }

    /// The parts of the target.
    pub fn target(&self) -> Target<'_> {
        self.target.of(self.message())
    }

    /// The value of the last field of this name.
    pub fn field(&self, name: &[u8]) -> Option<&[u8]> {
        let message = self.message();
        let is_named =
            |field: &&crate::http::head::Field| field.name.of(message).eq_ignore_ascii_case(name);
        let field = self.head.fields.iter().rfind(is_named)?;
        Some(field.value.of(message))
    }

    /// Whether only the head of the response is wanted.
    pub fn is_head_request(&self) -> bool {
        self.head.is_for_head(self.message())
    }

    /// The body, unless it is in a file.
    pub fn body_in_memory(&self) -> Option<&[u8]> {
        match &self.body {
            RequestBody::Empty => Some(b""),
            RequestBody::InInput(range) => self.input[self.message.start..].get(range.clone()),
            RequestBody::Memory(body) => Some(body),
            RequestBody::Object(body) => body.as_bytes(),
            RequestBody::PooledObject(body) => body.object().as_bytes(),
            RequestBody::Pooled(body) => Some(&body.bytes),
            RequestBody::Spooled(_) => None,
        }
    }

    /// The body's length, in bytes.
    pub fn body_len(&self) -> u64 {
        match &self.body {
            RequestBody::Spooled(spool) => spool.len(),
            _ => self.body_in_memory().unwrap_or_default().len() as u64,
        }
    }

    /// What the request decides about the framing of its response.
    pub fn framing_inputs(&self) -> FramingInputs {
        FramingInputs {
            version: self.head.version,
            head_only: self.is_head_request(),
            keep_alive: self.framing.keep_alive && self.may_keep_alive,
        }
    }
}

impl FramingInputs {
    /// How a response with this head is framed; `known` is the length of a body that is there.
    pub fn framing(self, head: &ResponseHead, known: Option<u64>) -> ReplyFraming {
        framing::reply(
            self.version,
            self.head_only,
            head.code(),
            head.promised(),
            known,
            self.keep_alive,
        )
    }
}
