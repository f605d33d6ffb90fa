//! The native `start_response` of the standard dialect, and the `write` that it returns.
//!
//! Both are kept for the next request, unless the application has a reference to one of them.

#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::rc::Rc;

use crate::app::context::AppContext;
use crate::app::exclusive::Exclusive;
use crate::app::start_response::state::ResponseState;
use crate::py::types::{Call, Class, ClassObject, Get, Instance, Method, Owns, Set};
use crate::py::{Arguments, Gil, Object, Owned, Result, State};

/// A callable, the one for early hints, and the state of both.
struct Pair {
    callable: Owned,
    early_hints: Owned,
    state: Rc<ResponseState>,
}

/// The classes, and a pair that waits for a request.
struct Shared {
    callables: ClassObject<Callable>,
    writes: ClassObject<Write>,
    early_hints: ClassObject<EarlyHints>,
    pooled: Exclusive<Pair>,
}

fn shared(gil: Gil<'_>) -> Result<&Shared> {
    static SHARED: State<Shared> = State::new();
    SHARED.get_or_try_make(gil, || {
        Ok(Shared {
            callables: ClassObject::new(gil)?,
            writes: ClassObject::new(gil)?,
            early_hints: ClassObject::new(gil)?,
            pooled: Exclusive::default(),
        })
    })
}

/// A native `start_response`, for the time of one response. Dropped, it ends the state.
pub struct NativeStartResponse(Option<Pair>);

impl NativeStartResponse {
    /// One that was not called.
    pub fn new(gil: Gil<'_>, ctx: &AppContext) -> Result<NativeStartResponse> {
        let shared = shared(gil)?;
        if let Some(pair) = shared.pooled.take() {
            pair.state.begin(ctx);
            return Ok(NativeStartResponse(Some(pair)));
        }
        let state = ResponseState::new(ctx);
        let value = Callable {
            state: state.clone(),
            write: shared.writes.instantiate(gil, Write(state.clone()))?,
        };
        let callable = shared.callables.instantiate(gil, value)?;
        let early_hints = EarlyHints(state.clone());
        Ok(NativeStartResponse(Some(Pair {
            callable,
            early_hints: shared.early_hints.instantiate(gil, early_hints)?,
            state,
        })))
    }

    fn pair(&self) -> &Pair {
        self.0.as_ref().expect("taken only when it is dropped")
    }

    /// What the application gets.
    pub fn object(&self) -> &Object {
        &self.pair().callable
    }

    /// `wsgi.early_hints` of the same response.
    pub fn early_hints(&self) -> &Object {
        &self.pair().early_hints
    }

    /// What the application gave to it.
    pub fn state(&self) -> &Rc<ResponseState> {
        &self.pair().state
    }
}

impl Drop for NativeStartResponse {
    fn drop(&mut self) {
        let Some(pair) = self.0.take() else { return };
        pair.state.end();
        if !pair.callable.is_unshared() || !pair.early_hints.is_unshared() {
            return;
        }
        // A reference that outlives the move of the pair, for its lock.
        let callable = pair.callable.own(pair.callable.gil());
        let Ok(shared) = shared(callable.gil()) else {
            return;
        };
        let value = shared.callables.instance(&callable);
        if value.is_some_and(|value| value.write.is_unshared()) {
            shared.pooled.put(pair);
        }
    }
}

/// The callable that applications get.
struct Callable {
    state: Rc<ResponseState>,
    write: Owned,
}

/// The `write` that it returns.
struct Write(Rc<ResponseState>);

/// `wsgi.early_hints`, as gunicorn has it.
struct EarlyHints(Rc<ResponseState>);

fn send_early_hints(
    gil: Gil<'_>,
    this: &Instance<EarlyHints>,
    args: &Arguments<'_>,
) -> Result<Owned> {
    let [headers] = args.exactly(gil, "early_hints")?;
    this.0.send_early_hints(gil, headers)?;
    Ok(Owned::none(gil))
}

fn call(gil: Gil<'_>, this: &Instance<Callable>, args: &Arguments<'_>) -> Result<Owned> {
    this.state.start(gil, args)?;
    Ok(this.write.own(gil))
}

fn get(gil: Gil<'_>, this: &Instance<Callable>, name: &Object) -> Result<Owned> {
    this.state.compat_object(gil)?.attr(gil, name)
}

fn set(gil: Gil<'_>, this: &Instance<Callable>, name: &Object, value: &Object) -> Result<()> {
    this.state.compat_object(gil)?.set_attr(gil, name, value)
}

fn write(gil: Gil<'_>, this: &Instance<Write>, args: &Arguments<'_>) -> Result<Owned> {
    let [data] = args.exactly(gil, "write")?;
    this.0.write(gil, data)?;
    Ok(Owned::none(gil))
}

impl Class for Callable {
    const NAME: &'static CStr = c"fapws._evwsgi.StartResponse";
    const DOC: &'static CStr =
        c"start_response(status, response_headers, exc_info=None) -> write\n\n\
        As PEP 3333 has it. The attributes of fapws.base.Start_response work too.";
    const METHODS: &'static [Method<Self>] = &[];
    // The state has references only while its request is in flight, and then it is no garbage.
    const OWNS: Owns<Self> = Owns::Objects(|callable, visitor| visitor.object(&callable.write));
    const CALL: Option<Call<Self>> = Some(call);
    const GET: Option<Get<Self>> = Some(get);
    const SET: Option<Set<Self>> = Some(set);
}

impl Class for Write {
    const NAME: &'static CStr = c"fapws._evwsgi.Writer";
    const DOC: &'static CStr = c"write(data)\n\nSends bytes before what the application returns.";
    const METHODS: &'static [Method<Self>] = &[];
    const OWNS: Owns<Self> = Owns::Nothing; // as of `Callable`
    const CALL: Option<Call<Self>> = Some(write);
}

impl Class for EarlyHints {
    const NAME: &'static CStr = c"fapws._evwsgi.EarlyHints";
    const DOC: &'static CStr = c"early_hints(headers)\n\n\
        Sends them as a 103 response before the head, to clients of HTTP/1.1; nothing after it.";
    const METHODS: &'static [Method<Self>] = &[];
    const OWNS: Owns<Self> = Owns::Nothing; // as of `Callable`
    const CALL: Option<Call<Self>> = Some(send_early_hints);
}
