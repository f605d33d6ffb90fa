//! `werkzeug.socket`: the connection of a request with `Upgrade`, for an application that speaks another
//! protocol on it.
//!
//! The environ has a socket of `fapws.client_socket` that is none yet. When the application first asks
//! it for a method it calls [`Take`], which takes the descriptor out of the server: from then on that
//! socket owns it, and the server writes nothing, reads nothing, and drops the response. It ends the
//! connection when the call is over ([`Takeover::end`]).
//!
//! Before such a call the server has written what was to be written before, and watches the connection no
//! more (`server::connection::respond`); so nothing but the descriptor is left to be taken.
//!
//! Invariant: once the descriptor is out, no share in the [`Socket`] can reach it.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::rc::Rc;

use crate::app::child;
use crate::app::context::{AppContext, Flush};
use crate::app::exchange::Exchange;
use crate::app::exclusive::Exclusive;
use crate::app::start_response::StartResponse;
use crate::app::start_response::state::{Closed, ResponseState};
use crate::app::taken_sockets::TakenSockets;
use crate::py::call::import;
use crate::py::types::{Call, Class, ClassObject, Instance, Method, Owns};
use crate::py::{Arguments, Gil, Kind, Object, Owned, Raised, Result, State, container, names};
use crate::py::{number, text, threads};
use crate::queue::WriteQueue;
use crate::sys::poll;
use crate::sys::socket::Socket;

/// A connection that an application may take over.
pub struct Takeover {
    stage: Cell<Stage>,
    socket: Socket,
    /// What was received behind the request, for the application to read first.
    behind: Exclusive<Vec<u8>>,
    /// What `write()` has given may have to be sent first.
    state: Exclusive<Rc<ResponseState>>,
    flush: Flush,
    /// How long a client that reads nothing is waited for, in milliseconds.
    patience: i32,
    taken: Rc<TakenSockets>,
    /// The application's socket, once it has the descriptor.
    owner: Exclusive<Owned>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The application may take the connection.
    Offered,
    /// It has taken it.
    Taken,
    /// The response has begun, or the call is over.
    Over,
}

impl Takeover {
    /// Puts `werkzeug.socket` into the environ of a request with `Upgrade`.
    pub fn offer(
        gil: Gil<'_>,
        ctx: &AppContext,
        exchange: &mut Exchange,
        environ: &Object,
    ) -> Result<()> {
        if !exchange.framing.upgrades || !ctx.dialect.offers_socket() {
            return Ok(());
        }
        // The core alone, under a package of the program's own, has none.
        let module = match import(gil, c"fapws.client_socket") {
            Ok(module) => module,
            Err(raised) => return raised.unless(gil, Kind::ImportError),
        };
        let behind = exchange.input.get(exchange.behind..).unwrap_or_default();
        let takeover = Rc::new(Takeover {
            stage: Cell::new(Stage::Offered),
            socket: exchange.socket.clone(),
            behind: Exclusive::new(behind.to_vec()),
            state: Exclusive::default(),
            flush: ctx.flush,
            patience: (ctx.config.write_timeout * 1e3).min(f64::from(i32::MAX)) as i32,
            taken: ctx.taken.clone(),
            owner: Exclusive::default(),
        });
        let take = classes(gil)?.instantiate(gil, Take(takeover))?;
        let offer = text::interned(gil, c"offer")?;
        let socket = module.call_method(gil, &offer, &[&take])?;
        environ.dict_set(gil, &names(gil).werkzeug_socket, &socket)?;
        exchange.takeover = Some(take);
        Ok(())
    }

    /// What was offered to the application of this request.
    pub fn of(gil: Gil<'_>, exchange: &Exchange) -> Option<Rc<Takeover>> {
        let take = exchange.takeover.as_ref()?;
        let class = classes(gil).map_err(|raised| raised.clear(gil)).ok()?;
        class.instance(take).map(|take| take.0.clone())
    }

    /// The application is about to be called with this `start_response`.
    pub fn open(&self, start_response: &StartResponse) {
        if let StartResponse::Native(native) = start_response {
            self.state.put(native.state().clone());
        }
    }

    /// The application returned. Where `write()` has sent a head the response has begun.
    pub fn returned(&self, closed: &Closed) {
        drop(self.state.take());
        if !matches!(closed, Closed::Unused) && !self.is_taken() {
            self.close();
        }
    }

    /// The connection cannot be taken any more. Whether it was.
    pub fn close(&self) -> bool {
        let is_taken = self.stage.replace(Stage::Over) == Stage::Taken;
        drop((self.state.take(), self.behind.take()));
        is_taken
    }

    /// Whether the application has taken the connection.
    pub fn is_taken(&self) -> bool {
        self.stage.get() == Stage::Taken
    }

    /// Ends the connection, when the call is over.
    pub fn end(&self, gil: Gil<'_>) {
        if let Some(socket) = self.owner.take() {
            self.taken.end(gil, socket);
        }
    }

    /// Gives the descriptor to `owner`, the application's socket: its number, and what was received.
    fn take(&self, gil: Gil<'_>, owner: &Object) -> Result<Owned> {
        // Not a byte of a forked child's: the connection is its parent's.
        child::leave_if_forked(gil);
        let over = || {
            let message = "the connection is the server's: the response has begun, or is over";
            Raised::new(gil, Kind::OSError, message)
        };
        if self.stage.get() != Stage::Offered {
            return Err(over());
        }
        let Some(queue) = self.written(gil) else {
            let message = "the response is being written by another thread";
            return Err(Raised::new(gil, Kind::RuntimeError, message));
        };
        self.stage.set(Stage::Taken);
        self.send(gil, queue);
        // The call may be over by now.
        if self.stage.get() != Stage::Taken {
            return Err(over());
        }
        let Some(descriptor) = self.socket.release() else {
            return Err(Raised::new(gil, Kind::OSError, "the connection is closed"));
        };
        let behind = self.behind.take().unwrap_or_default();
        let given = number::int(gil, i64::from(descriptor.as_raw_fd()))
            .and_then(|number| container::tuple(gil, &[&number, &*text::bytes(gil, &behind)?]))?;
        self.owner.put(owner.own(gil));
        self.taken.begin(owner.own(gil));
        // The socket's from now on.
        let _ = descriptor.into_raw_fd();
        Ok(given)
    }

    /// What `write()` has queued so far, which the kernel may not have taken yet; `None` while another
    /// thread is in it.
    fn written(&self, _: Gil<'_>) -> Option<WriteQueue> {
        match self.state.with(|state| state.clone()) {
            Some(state) => state.release_queue(),
            None => Some(WriteQueue::default()),
        }
    }

    fn send(&self, gil: Gil<'_>, mut queue: WriteQueue) {
        while !queue.is_empty() && (self.flush)(gil, &self.socket, &mut queue) && !queue.is_empty()
        {
            let (socket, patience) = (self.socket.clone(), self.patience);
            if !threads::without_lock(gil, move || poll::writable_in(socket.number(), patience)) {
                break;
            }
        }
        queue.clear(gil);
    }
}

/// Takes a connection over, when it is called with the socket that is to own it.
struct Take(Rc<Takeover>);

fn classes(gil: Gil<'_>) -> Result<&ClassObject<Take>> {
    static CLASS: State<ClassObject<Take>> = State::new();
    CLASS.get_or_try_make(gil, || ClassObject::new(gil))
}

fn take(gil: Gil<'_>, this: &Instance<Take>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [socket] = arguments.exactly(gil, "take")?;
    this.0.take(gil, socket)
}

impl Class for Take {
    const NAME: &'static CStr = c"fapws._evwsgi.Take";
    const DOC: &'static CStr = c"take(socket) -> (int, bytes)\n\n\
        Takes the connection over for this socket: the descriptor, which is the caller's from now on, and\n\
        what was received behind the request. An OSError once the response has begun.";
    const METHODS: &'static [Method<Self>] = &[];
    const OWNS: Owns<Self> = Owns::Nothing;
    const CALL: Option<Call<Self>> = Some(take);
}
