//! The two dialects: every difference between them is a row here.
//!
//! `Legacy` is what a Fapws3 deployment sees, `Standard` is HTTP/1.1 and PEP 3333 (`docs/differences.md`).
//! The rest of the crate asks a question of this file; only where a whole flow is another one
//! (`app::response`, `app::failure`, the environ's keys) does it choose, once.

#![forbid(unsafe_code)]

use crate::http::error::HttpError;
use crate::http::framing::{self, Framing};
use crate::http::head::{self, Head, HeadLimits, HeadSearch};
use crate::http::target::{self, Plus, Target};

/// How the server speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// As Fapws3 0.11 did: HTTP/1.0, one request a connection.
    Legacy,
    /// HTTP/1.1 and PEP 3333.
    Standard,
}

use Dialect::{Legacy, Standard};

/// DIFFERS(fapws3): bytes of a body that the legacy dialect hands on in one piece, however long it is in
/// the original.
const WHOLE: u64 = 16 << 20;

/// What becomes of an item or result of an application that cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidItem {
    /// A line on stdout says so, and the rest is sent.
    Warn,
    /// Nothing is said of it, since only the head is sent (`HEAD` in the legacy dialect).
    Ignore,
    /// The application is at fault: a `TypeError`.
    Raise,
}

impl Dialect {
    /// The dialect of this name.
    pub fn named(name: &[u8]) -> Option<Dialect> {
        match name {
            b"legacy" => Some(Legacy),
            b"standard" => Some(Standard),
            _ => None,
        }
    }

    /// Looks for the end of a head.
    pub fn search(
        self,
        search: &mut HeadSearch,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HttpError> {
        match self {
            Legacy => search.lenient(bytes, limits),
            Standard => search.strict(bytes, limits),
        }
    }

    /// Parses a head of `length` bytes.
    pub fn parse(
        self,
        bytes: &[u8],
        length: usize,
        limits: &HeadLimits,
        head: &mut Head,
    ) -> Result<(), HttpError> {
        match self {
            Legacy => head::parse_lenient(bytes, length, limits, head),
            Standard => head::parse_strict(bytes, length, limits, head),
        }
    }

    /// How the message is delimited.
    pub fn framing(self, head: &Head, bytes: &[u8], max_body: u64) -> Result<Framing, HttpError> {
        match self {
            Legacy => framing::lenient(head, bytes, max_body),
            Standard => framing::strict(head, bytes, max_body),
        }
    }

    /// The parts of the target. In the legacy dialect every target is one, with nothing special.
    pub fn target<'b>(self, method: &[u8], target: &'b [u8]) -> Result<Target<'b>, HttpError> {
        match self {
            Legacy => {
                let query = memchr::memchr(b'?', target);
                Ok(Target {
                    authority: None,
                    origin: target,
                    path: &target[..query.unwrap_or(target.len())],
                    query: query.map(|at| &target[at + 1..]),
                })
            }
            Standard => target::parse(method, target),
        }
    }

    /// Whether a path asks about the server, not about one of its resources (`OPTIONS *`).
    pub fn is_about_server(self, path: &[u8]) -> bool {
        self == Standard && path == b"*"
    }

    /// Whether an application registered under `prefix` serves everything, so `OPTIONS *` too.
    pub fn is_for_all(self, prefix: &[u8], target: &[u8]) -> bool {
        self == Standard && prefix == b"/" && target == b"*"
    }

    /// Whether a stock `Environ` is replaced by a plain dict.
    pub fn has_plain_environ(self) -> bool {
        self == Standard
    }

    /// Whether `supported_HTTP_command` says which methods there are, and is the response to `OPTIONS`.
    pub fn checks_method(self) -> bool {
        self == Legacy
    }

    /// Whether the environ has what PEP 3333 asks for, whatever the base module's class gives.
    pub fn promises_pep_3333(self) -> bool {
        self == Standard
    }

    /// Whether the body of a request with this method is handed on.
    pub fn gives_body(self, method: &[u8]) -> bool {
        self == Standard || method == b"POST"
    }

    /// Whether a body without a Content-Length is rejected with 411.
    pub fn needs_length(self) -> bool {
        self == Legacy
    }

    /// Whether `CONTENT_LENGTH` (an int) and `CONTENT_TYPE` are set beside their `HTTP_` twins.
    pub fn repeats_content_fields(self) -> bool {
        self == Legacy
    }

    /// What `+` means in a path.
    pub fn plus_in_path(self) -> Plus {
        match self {
            Legacy => Plus::Space,
            Standard => Plus::Keep,
        }
    }

    /// Whether a request that no application is registered for, or that is rejected for its
    /// framing, has its response before its body is read.
    pub fn rejects_early(self) -> bool {
        self == Standard
    }

    /// Whether `config.health` names a path that is the server's own.
    pub fn has_health(self) -> bool {
        self == Standard
    }

    /// Whether `config.proxy_headers` is read.
    pub fn has_proxy_headers(self) -> bool {
        self == Standard
    }

    /// Bytes of a body that is kept together with the head until both are whole, so that
    /// `fapws.raw_header` can show them; a longer one is taken off the buffer as it comes. `memory` is
    /// `config.body_memory`.
    pub fn body_kept_with_head(self, memory: usize) -> u64 {
        match self {
            Legacy => memory as u64,
            Standard => 0,
        }
    }

    /// Whether `fapws.raw_header` has whatever was received with the head.
    pub fn shows_what_was_received(self) -> bool {
        self == Legacy
    }

    /// Bytes of a body that `wsgi.input.write` of the program gets at once, as the original gave all of
    /// them: its own parser of forms knows only whole bodies.
    pub fn written_at_once(self, memory: usize) -> u64 {
        match self {
            Legacy => WHOLE.max(memory as u64),
            Standard => memory as u64,
        }
    }

    /// Whether a body that is longer is written in parts to whatever object the program supplies;
    /// otherwise an object that could be read as well is replaced by an input of ours.
    pub fn writes_long_bodies(self) -> bool {
        self == Legacy
    }

    /// Bytes of a form that is parsed for `fapws.params`: it is in memory twice over.
    pub fn longest_form(self) -> u64 {
        match self {
            Legacy => WHOLE,
            Standard => 1 << 20,
        }
    }

    /// `SCRIPT_NAME` for a registered prefix: PEP 3333 wants `/` to be the empty one.
    pub fn script_name(self, prefix: &[u8]) -> &[u8] {
        match (self, prefix) {
            (Standard, b"/") => b"",
            _ => prefix,
        }
    }

    /// Whether a stock `Start_response` is replaced by the native one.
    pub fn has_native_start_response(self) -> bool {
        self == Standard
    }

    /// What becomes of an item or result that is no bytes.
    pub fn invalid_item(self) -> InvalidItem {
        match self {
            Legacy => InvalidItem::Warn,
            Standard => InvalidItem::Raise,
        }
    }

    /// Whether what can be iterated is iterated although it has `read`, and a list or tuple of a derived
    /// class by its own `__iter__`.
    pub fn iterates_live_results(self) -> bool {
        self == Standard
    }

    /// How many items of an iterator are sent before other connections have their turn.
    pub fn items_a_turn(self) -> usize {
        match self {
            Legacy => 1,
            Standard => 32,
        }
    }

    /// Whether applications can be called in more than one thread.
    pub fn may_have_threads(self) -> bool {
        self == Standard && cfg!(feature = "python3")
    }

    /// Whether an application may take over the connection of a request with `Upgrade`.
    pub fn offers_socket(self) -> bool {
        self == Standard && cfg!(feature = "python3")
    }

    /// Whether the parts of a response are gathered while the application goes on, which the monitor
    /// makes possible (PEP 3333, "Buffering and Streaming").
    pub fn gathers_chunks(self) -> bool {
        self == Standard
    }

    /// Whether a response that ends with its connection, and was cut short, ends with a reset: a plain
    /// close would pass for its end.
    pub fn resets_what_was_cut(self) -> bool {
        self == Standard
    }

    /// How many timers can be added, if there is a limit.
    pub fn most_timers(self) -> Option<usize> {
        match self {
            Legacy => Some(10),
            Standard => None,
        }
    }

    /// Whether a timer added while the loop runs starts at once.
    pub fn timers_start_at_once(self) -> bool {
        self == Standard
    }

    /// Whether `run` without `start` runs timers and deferred calls.
    pub fn runs_without_listener(self) -> bool {
        self == Legacy
    }

    /// Whether a line on stdout says that SIGPIPE came.
    pub fn reports_sigpipe(self) -> bool {
        self == Legacy
    }

    /// Whether `SystemExit` from an application ends `run`.
    pub fn exit_ends_run(self) -> bool {
        self == Legacy
    }
}
