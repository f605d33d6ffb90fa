//! Signals while the loop runs: SIGINT and SIGTERM end it, SIGPIPE never does, and a handler of the
//! program's own for any other signal runs soon after it.
//!
//! Python knows the handler that is in force, an object of ours: so a program that saves and restores it,
//! or `asyncio.run`, which replaces `signal.default_int_handler` alone, keeps the graceful end. Over
//! Python's handler in C there is one of ours ([`signal::cover`]), which needs no thread of Python's: the
//! main one may hang. Restoring takes that one away, so it is put back at the next tick. A program that
//! installs a handler of its own meanwhile has that one, and a signal ends nothing.
//!
//! Only the main thread may install handlers: a run in another one leaves signals alone.
//!
//! Invariant: what was in force before `run` is in force again after it, unless the program has
//! installed something else.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::rc::Rc;

use crate::dialect::Dialect;
use crate::ev::{Loop, Signal};
use crate::py::types::{Class, ClassObject, Instance, Method, Owns, Visitor};
use crate::py::{
    Arguments, Exception, Gil, Kind, Object, Owned, Raised, Result, State, call, names, number,
};
use crate::server::ready::{Ready, ReadyList};
use crate::sys::fork;
use crate::sys::signal::{self, Disposition, ENDINGS};

/// What a run does about signals.
pub struct Signals {
    taken: RefCell<Vec<Taken>>,
    handler: Owned,
    pipe: RefCell<Option<Pipe>>,
}

/// What is done about SIGPIPE. The watcher comes first, so that it is dropped first.
struct Pipe {
    _watcher: Option<Signal>,
    _before: Disposition,
}

/// A signal that ends the run.
struct Taken {
    number: i32,
    watcher: Signal,
    saved: Disposition,
    before: Owned,
}

/// Handlers by their signals' numbers.
type Handlers = Vec<(i32, Owned)>;

/// The handler that `signal.getsignal` gives during a run.
struct EndRun {
    /// What was in force before, by the signals' numbers: for a child that the program forks, and for a
    /// program that installs this one again after the run.
    before: RefCell<Handlers>,
    has_ended: Cell<bool>,
}

impl Class for EndRun {
    const NAME: &'static CStr = c"fapws._evwsgi.EndRun";
    const DOC: &'static CStr =
        c"EndRun(number, frame)\n\nHandles SIGINT and SIGTERM while run() serves: \
        ends it gracefully.";
    const METHODS: &'static [Method<Self>] = &[];
    // A handler of before may refer to this one, which it found in force.
    const OWNS: Owns<Self> = Owns::Objects(|this, visitor| {
        let see = |before: &Handlers, visitor: &mut Visitor<'_>| {
            before
                .iter()
                .for_each(|(_, handler)| visitor.object(handler));
        };
        visitor.cell(&this.before, see, Handlers::clear);
    });
    const CALL: Option<crate::py::types::Call<Self>> = Some(handle);
}

/// Python calls it in the main thread, some time after the signal; a program's own handler may do so, too.
fn handle(gil: Gil<'_>, this: &Instance<EndRun>, arguments: &Arguments<'_>) -> Result<Owned> {
    let signum = match arguments.get(0) {
        Some(number) => number.to_int(gil)?,
        None => {
            return Err(Raised::new(
                gil,
                Kind::TypeError,
                "a signal's number is missing",
            ));
        }
    };
    let Some(signum) = ENDINGS.into_iter().find(|&each| i64::from(each) == signum) else {
        return Ok(Owned::none(gil));
    };
    if fork::is_child() || this.has_ended.get() {
        return handle_as_before(gil, this, signum, arguments);
    }
    if !signal::was_noted(signum) {
        signal::note(signum);
    }
    Ok(Owned::none(gil))
}

fn handle_as_before(
    gil: Gil<'_>,
    this: &Instance<EndRun>,
    signum: i32,
    arguments: &Arguments<'_>,
) -> Result<Owned> {
    let before = {
        let all = this.before.borrow();
        all.iter()
            .find(|(number, _)| *number == signum)
            .map(|(_, before)| before.own(gil))
    };
    match before {
        Some(before) if before.is_callable() => {
            let none = Owned::none(gil);
            let frame = arguments.get(1).unwrap_or(&none);
            before.call(gil, &[&*number::int(gil, signum.into())?, frame])
        }
        Some(before) if before.is_int() && before.to_int(gil)? == 0 => {
            signal::take_default(signum);
            Ok(Owned::none(gil))
        }
        _ => Ok(Owned::none(gil)),
    }
}

/// `signal.function(*arguments)`.
fn python(gil: Gil<'_>, function: &CStr, arguments: &[&Object]) -> Result<Owned> {
    call::import(gil, c"signal")?.call_method(gil, &*names::interned(gil, function)?, arguments)
}

fn get(gil: Gil<'_>, signum: i32) -> Result<Owned> {
    python(gil, c"getsignal", &[&*number::int(gil, signum.into())?])
}

fn set(gil: Gil<'_>, signum: i32, handler: &Object) -> Result<()> {
    python(
        gil,
        c"signal",
        &[&*number::int(gil, signum.into())?, handler],
    )
    .map(drop)
}

fn class(gil: Gil<'_>) -> Result<&ClassObject<EndRun>> {
    static CLASS: State<ClassObject<EndRun>> = State::new();
    CLASS.get_or_try_make(gil, || ClassObject::new(gil))
}

impl Signals {
    /// Takes SIGINT and SIGTERM, in the main thread; a signal that came is put on `ready`.
    ///
    /// Raises what a handler of the program raises for a signal that came before.
    pub fn take(
        gil: Gil<'_>,
        lp: Loop,
        ready: &Rc<ReadyList>,
        dialect: Dialect,
    ) -> Result<Signals> {
        let handler = class(gil)?.instantiate(
            gil,
            EndRun {
                before: RefCell::default(),
                has_ended: Cell::new(false),
            },
        )?;
        let signals = Signals {
            taken: RefCell::default(),
            handler,
            pipe: RefCell::default(),
        };
        signal::count_from_now();
        if let Err(raised) = signals.take_endings(gil, lp, ready) {
            let exception = Exception::take(gil, raised);
            if let Err(raised) = signals.restore(gil) {
                raised.clear(gil);
            }
            return Err(exception.restore(gil));
        }
        let reports = dialect.reports_sigpipe() && !signals.taken.borrow().is_empty();
        signals.pipe.replace(Pipe::take(lp, ready, reports));
        Ok(signals)
    }

    fn take_endings(&self, gil: Gil<'_>, lp: Loop, ready: &Rc<ReadyList>) -> Result<()> {
        for signum in ENDINGS {
            let Some(taken) = Taken::take(gil, lp, ready, signum, &self.handler)? else {
                return Ok(());
            };
            if let Some(this) = class(gil)?.instance(&self.handler) {
                let before = (signum, taken.before.own(gil));
                this.before.borrow_mut().push(before);
            }
            self.taken.borrow_mut().push(taken);
        }
        Ok(())
    }

    /// Puts the handler in C back where Python's own has come over it, and Python knows ours.
    pub fn keep(&self, gil: Gil<'_>) -> Result<()> {
        let taken: Vec<i32> = self.taken.borrow().iter().map(|each| each.number).collect();
        for signum in taken {
            if !signal::is_covered(signum) && self.is_known(gil, signum)? {
                let _ = signal::cover(signum);
            }
        }
        Ok(())
    }

    /// Whether Python knows our handler of this signal.
    fn is_known(&self, gil: Gil<'_>, signum: i32) -> Result<bool> {
        Ok(get(gil, signum)?.is(&self.handler))
    }

    /// The run is over.
    ///
    /// Raises what a handler of the program raises for a signal that came meanwhile.
    pub fn restore(&self, gil: Gil<'_>) -> Result<()> {
        self.pipe.take();
        let taken = self.taken.take();
        // What Python has noted is handled while it means the run.
        for each in &taken {
            signal::leave_program_alone(each.number);
        }
        let mut result = Raised::check_signals(gil);
        for each in taken {
            let given = self
                .is_known(gil, each.number)
                .and_then(|ours| each.restore(gil, ours));
            match given {
                Err(raised) if result.is_err() => raised.clear(gil),
                given => result = result.and(given),
            }
        }
        if let Some(this) = class(gil)?.instance(&self.handler) {
            this.has_ended.set(true);
        }
        result
    }
}

impl Pipe {
    /// Ignores it. `reports`: a signal that came is put on `ready`, unless the program has a handler.
    fn take(lp: Loop, ready: &Rc<ReadyList>, reports: bool) -> Option<Pipe> {
        // One that cannot be saved was no signal of this system.
        let before = Disposition::ignore_if_default(libc::SIGPIPE).ok()?;
        let watcher = (reports && !before.is_handler()).then(|| watch(lp, ready, libc::SIGPIPE));
        Some(Pipe {
            _watcher: watcher,
            _before: before,
        })
    }
}

fn watch(lp: Loop, ready: &Rc<ReadyList>, signum: i32) -> Signal {
    let ready = ready.clone();
    let watcher = Signal::new(signum, move || ready.push(Ready::Signal(signum)));
    watcher.start(lp);
    watcher
}

impl Taken {
    /// `None` outside of the main thread, where nothing is changed.
    fn take(
        gil: Gil<'_>,
        lp: Loop,
        ready: &Rc<ReadyList>,
        signum: i32,
        handler: &Object,
    ) -> Result<Option<Taken>> {
        let Ok(saved) = Disposition::save(signum) else {
            return Ok(None);
        };
        let before = get(gil, signum)?;
        let watcher = watch(lp, ready, signum);
        let remembered = signal::remember(signum, &saved);
        if let Err(raised) = set(gil, signum, handler) {
            // libev leaves the default behind, over which the saved disposition is put.
            drop(watcher);
            drop(saved);
            raised.unless(gil, Kind::ValueError)?;
            return Ok(None);
        }
        if remembered.is_ok() {
            let _ = signal::cover(signum);
        }
        Ok(Some(Taken {
            number: signum,
            watcher,
            saved,
            before,
        }))
    }

    /// `is_ours`: Python knows our handler. Another one is the program's.
    fn restore(self, gil: Gil<'_>, is_ours: bool) -> Result<()> {
        let Taken {
            number: signum,
            watcher,
            saved,
            before,
        } = self;
        if is_ours {
            drop(watcher);
            // A handler that Python does not know has no other name for it.
            let known = if before.is_none() {
                number::int(gil, 0)?
            } else {
                before
            };
            let result = set(gil, signum, &known);
            drop(saved);
            return result;
        }
        let own = Disposition::save(signum);
        saved.keep_other();
        drop(watcher);
        drop(own);
        Ok(())
    }
}
