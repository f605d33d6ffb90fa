//! Exceptions that were taken off the thread: showing them, asking them, setting them again.
//!
//! Invariant: an [`Exception`] owns what it was made of, and is no longer set on the thread.

#![allow(
    deprecated,
    reason = "fetch and restore are what 2.7 and 3.9 have; 3.12 only advises"
)]

use super::call::import;
use super::ffi;
use super::gil::Gil;
use super::kinds::Kind;
use super::names::{self, names};
use super::number;
use super::object::{Object, Owned};
use super::raised::{Raised, Result};
use super::stdio::{self, Stream};
use super::text;

/// An exception that was taken off the thread: its class, value and traceback.
pub struct Exception {
    class: Owned,
    value: Option<Owned>,
    traceback: Option<Owned>,
}

impl Exception {
    /// Takes the exception that is set, normalized.
    pub fn take(gil: Gil<'_>, raised: Raised) -> Exception {
        let _ = raised;
        let mut class = std::ptr::null_mut();
        let mut value = std::ptr::null_mut();
        let mut traceback = std::ptr::null_mut();
        // SAFETY: the lock is held; fetching hands over references, normalizing replaces them.
        unsafe {
            ffi::PyErr_Fetch(&mut class, &mut value, &mut traceback);
            ffi::PyErr_NormalizeException(&mut class, &mut value, &mut traceback);
        }
        // SAFETY: each is null or a reference that is now ours; null leaves nothing to own.
        let own = |pointer| unsafe { Owned::new_reference(pointer) }.ok();
        Exception {
            class: own(class).unwrap_or_else(|| Kind::SystemError.class().own(gil)),
            value: own(value),
            traceback: own(traceback),
        }
    }

    /// Sets it again.
    pub fn restore(self, _: Gil<'_>) -> Raised {
        let pointer = |part: Option<Owned>| part.map_or(std::ptr::null_mut(), Owned::into_ptr);
        // SAFETY: the three references are ours (`self`) and given away; an exception is set then.
        unsafe {
            ffi::PyErr_Restore(
                self.class.into_ptr(),
                pointer(self.value),
                pointer(self.traceback),
            );
            Raised::assume()
        }
    }

    /// Sets a `sys.exc_info()` tuple, as PEP 3333 has an application pass it.
    pub fn raise_info(gil: Gil<'_>, info: &Object) -> Raised {
        let part = |index| info.tuple_item(index).filter(|part| !part.is_none());
        match (part(0), part(1), part(2)) {
            // The interpreter takes the three as they are: anything else would crash it later.
            (Some(class), value, traceback)
                if is_exception_class(class) && traceback.is_none_or(is_traceback) =>
            {
                Exception {
                    class: class.own(gil),
                    value: value.map(|value| value.own(gil)),
                    traceback: traceback.map(|traceback| traceback.own(gil)),
                }
                .restore(gil)
            }
            _ => {
                let message = "exc_info must be a sys.exc_info() tuple";
                Raised::new(gil, Kind::TypeError, message)
            }
        }
    }

    /// Whether it is of this kind.
    pub fn is(&self, _: Gil<'_>, kind: Kind) -> bool {
        // SAFETY: both are live classes and the lock is held.
        unsafe { ffi::PyErr_GivenExceptionMatches(self.class.as_ptr(), kind.class().as_ptr()) != 0 }
    }

    /// Whether it came out of a Python function that handles a signal now.
    pub fn is_of_signal_handler(&self, gil: Gil<'_>) -> bool {
        let Some(traceback) = &self.traceback else {
            return false;
        };
        let raised_by = |(codes, handlers): (Vec<Owned>, Vec<Owned>)| {
            codes
                .iter()
                .any(|code| handlers.iter().any(|handler| handler.is(code)))
        };
        codes_of(gil, traceback)
            .and_then(|codes| Ok((codes, codes_of_handlers(gil)?)))
            .map_or_else(
                |raised| {
                    raised.clear(gil);
                    false
                },
                raised_by,
            )
    }

    /// The exit code that `SystemExit` asks for; what is no number is shown on stderr, and 1.
    pub fn exit_code(&self, gil: Gil<'_>) -> i32 {
        let code = match &self.value {
            Some(value) => value.optional_attr(gil, &names(gil).code),
            None => return 0,
        };
        match code {
            Ok(None) => 0,
            Ok(Some(code)) if code.is_none() => 0,
            Ok(Some(code)) => match code.to_int(gil) {
                Ok(number) => number as i32,
                Err(raised) => {
                    raised.clear(gil);
                    if let Some(stream) = stdio::object(gil, Stream::Stderr)
                        && let Ok(mut text) = text::display(gil, &code)
                    {
                        text.push(b'\n');
                        stdio::write(gil, &stream, &text)
                            .unwrap_or_else(|raised| raised.clear(gil));
                    }
                    1
                }
            },
            Err(raised) => {
                raised.clear(gil);
                1
            }
        }
    }

    /// Shows it as `sys.excepthook` does, on whatever `sys.stderr` is now. Unlike `PyErr_Print`
    /// this neither ends the process for `SystemExit` nor keeps the traceback in `sys`.
    pub fn show(&self, gil: Gil<'_>) -> Result<()> {
        let none = Owned::none(gil);
        let hook = import(gil, c"sys")?.attr(gil, &names(gil).excepthook)?;
        let value = self.value.as_ref().unwrap_or(&none);
        let traceback = self.traceback.as_ref().unwrap_or(&none);
        hook.call(gil, &[&self.class, value, traceback]).map(drop)
    }

    /// What [`show`](Self::show) would write, as bytes (UTF-8 on Python 3).
    pub fn text(&self, gil: Gil<'_>) -> Result<Vec<u8>> {
        let none = Owned::none(gil);
        let format = import(gil, c"traceback")?.attr(gil, &names(gil).format_exception)?;
        let value = self.value.as_ref().unwrap_or(&none);
        let traceback = self.traceback.as_ref().unwrap_or(&none);
        let lines = format.call(gil, &[&self.class, value, traceback])?;
        let mut text = Vec::new();
        for index in 0..lines.list_len() {
            if let Some(line) = lines.list_item(gil, index) {
                text.extend_from_slice(&text::display(gil, &line)?);
                if text.len() >= text::LONGEST_SHOWN {
                    text.truncate(text::LONGEST_SHOWN);
                    break;
                }
            }
        }
        Ok(text)
    }
}

/// The code of the functions that a traceback passes. Runs no Python code.
fn codes_of(gil: Gil<'_>, traceback: &Object) -> Result<Vec<Owned>> {
    let (frame, next) = (
        names::interned(gil, c"tb_frame")?,
        names::interned(gil, c"tb_next")?,
    );
    let code = names::interned(gil, c"f_code")?;
    let mut codes = Vec::new();
    let mut entry = traceback.own(gil);
    while !entry.is_none() {
        codes.push(entry.attr(gil, &frame)?.attr(gil, &code)?);
        entry = entry.attr(gil, &next)?;
    }
    Ok(codes)
}

/// The code of the functions that handle signals: functions, bound methods, what `functools.partial` wraps, objects
/// with `__call__`.
fn codes_of_handlers(gil: Gil<'_>) -> Result<Vec<Owned>> {
    // The module of that name on Python 3 is Python code, in which handlers would run.
    #[cfg(feature = "python3")]
    let module = import(gil, c"_signal")?;
    #[cfg(feature = "python2")]
    let module = import(gil, c"signal")?;
    let get = names::interned(gil, c"getsignal")?;
    let count = module.attr(gil, &*names::interned(gil, c"NSIG")?)?;
    let code = &names(gil).code_of_function;
    let within = [
        names::interned(gil, c"func")?,
        names::interned(gil, c"__call__")?,
    ];
    let mut codes = Vec::new();
    for signum in 1..count.to_int(gil)? {
        let handler = module.call_method(gil, &get, &[&*number::int(gil, signum)?])?;
        if !handler.is_callable() {
            continue;
        }
        codes.extend(handler.optional_attr(gil, code)?);
        for name in &within {
            if let Some(inner) = handler.optional_attr(gil, name)? {
                codes.extend(inner.optional_attr(gil, code)?);
            }
        }
    }
    Ok(codes)
}

fn is_exception_class(object: &Object) -> bool {
    #[cfg(feature = "python2")]
    // SAFETY: the type object is the interpreter's; any class of the old kind can be raised.
    unsafe {
        if object.type_is(Object::borrowed((&raw mut ffi::PyClass_Type).cast())) {
            return true;
        }
    }
    let base = Kind::BaseException.class();
    // SAFETY: both are alive; the second call takes any object and only looks at its type.
    unsafe {
        ffi::PyType_Check(object.as_ptr()) != 0
            && ffi::PyErr_GivenExceptionMatches(object.as_ptr(), base.as_ptr()) != 0
    }
}

fn is_traceback(object: &Object) -> bool {
    // SAFETY: the type object is the interpreter's and lives as long as it.
    object.type_is(unsafe { Object::borrowed((&raw mut ffi::PyTraceBack_Type).cast()) })
}
