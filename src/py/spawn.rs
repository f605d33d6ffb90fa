//! Python threads that run code of ours.
//!
//! They are made by `threading`, which thus knows them by name: thread-locals, debuggers, profilers
//! and `threading.enumerate` work as in any thread of the program. They are daemons: the interpreter
//! does not wait for them when it ends.
//!
//! A body need not be `Send`, as no value of a native class need be (`instance`): it begins, runs and is dropped
//! with the lock held, and what it shares with other threads is touched by each with the lock held only.

use std::cell::Cell;
use std::ffi::CStr;

use super::call::{Arguments, import};
use super::gil::Gil;
use super::object::Owned;
use super::raised::Result;
use super::state::State;
use super::text;
use super::types::{Class, ClassObject, Instance, Method, Owns};

/// What a thread runs, once; an exception goes to `threading.excepthook` (on Python 2 to stderr).
pub type Body = Box<dyn FnOnce(Gil<'_>) -> Result<()>>;

struct Target(Cell<Option<Body>>);

impl Class for Target {
    const NAME: &'static CStr = c"fapws._evwsgi.ThreadTarget";
    const DOC: &'static CStr = c"What a thread of the server runs.";
    const METHODS: &'static [Method<Self>] = &[];
    // The body's references are released when it has run, or with the thread object.
    const OWNS: Owns<Self> = Owns::Nothing;
    const CALL: Option<super::types::Call<Self>> = Some(run);
}

fn run(gil: Gil<'_>, this: &Instance<Target>, _: &Arguments<'_>) -> Result<Owned> {
    if let Some(body) = this.0.take() {
        body(gil)?;
    }
    Ok(Owned::none(gil))
}

/// `threading.Thread(target=body, name=name)`, a daemon, started; the thread object. The body is
/// called with the interpreter's lock held, and dropped where it ran.
///
/// Raises what `threading` raises: `RuntimeError` ("can't start new thread"), on Python 2
/// `thread.error`.
pub fn start_thread(
    gil: Gil<'_>,
    name: &str,
    body: impl FnOnce(Gil<'_>) -> Result<()> + 'static,
) -> Result<Owned> {
    static CLASS: State<ClassObject<Target>> = State::new();
    let class = CLASS.get_or_try_make(gil, || ClassObject::new(gil))?;
    let target = class.instantiate(gil, Target(Cell::new(Some(Box::new(body)))))?;
    let string = |text| text::interned(gil, text);
    let threading = import(gil, c"threading")?.attr(gil, &*string(c"Thread")?)?;
    // Thread(group, target, name); `daemon` is no argument on Python 2.
    let none = Owned::none(gil);
    let name = text::native(gil, name.as_bytes())?;
    let thread = threading.call(gil, &[&none, &target, &name])?;
    thread.set_attr(gil, &*string(c"daemon")?, &Owned::boolean(gil, true))?;
    thread.call_method(gil, &*string(c"start")?, &[])?;
    Ok(thread)
}
