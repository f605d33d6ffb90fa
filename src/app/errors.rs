//! `wsgi.errors` of the standard dialect: the program's stderr, for lines that may be lost.
//!
//! An application that writes to `sys.stderr` itself waits for its reader, and gets an
//! exception where there is none; one that writes here does neither: nothing the terminal does stops the
//! server. Whatever `sys.stderr` is at the moment of a write gets it.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use crate::app::console;
use crate::py::out::Stream;
use crate::py::types::{Class, ClassObject, Get, Instance, Method, Owns};
use crate::py::{Arguments, Gil, Kind, Object, Owned, Raised, Result, State, text};

/// The value of the one instance.
pub struct Errors;

/// The one instance, made at the first call.
pub fn stream(gil: Gil<'_>) -> Result<&Object> {
    static STREAM: State<Owned> = State::new();
    let stream = STREAM.get_or_try_make(gil, || {
        let stream = ClassObject::new(gil)?.instantiate(gil, Errors)?;
        console::set_relay(gil, &stream);
        Ok(stream)
    })?;
    Ok(stream)
}

fn write(gil: Gil<'_>, _: &Instance<Errors>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [line] = arguments.exactly(gil, "write")?;
    put(gil, line)?;
    Ok(Owned::none(gil))
}

fn put(gil: Gil<'_>, line: &Object) -> Result<()> {
    if !line.is_text() && !line.is_native() {
        let message = "wsgi.errors takes native strings (PEP 3333)";
        return Err(Raised::new(gil, Kind::TypeError, message));
    }
    let encoded = match text::body_item(gil, line) {
        Ok(encoded) => encoded,
        // What cannot be encoded is shown as far as it can be.
        Err(raised) => {
            raised.clear(gil);
            None
        }
    };
    match encoded.as_ref().and_then(|encoded| encoded.as_bytes()) {
        Some(bytes) => console::write(gil, Stream::Stderr, bytes),
        None => console::write(gil, Stream::Stderr, &text::display(gil, line)?),
    }
    Ok(())
}

fn writelines(gil: Gil<'_>, _: &Instance<Errors>, arguments: &Arguments<'_>) -> Result<Owned> {
    let [lines] = arguments.exactly(gil, "writelines")?;
    let lines = lines.iterate(gil)?;
    while let Some(line) = lines.next(gil)? {
        put(gil, &line)?;
    }
    Ok(Owned::none(gil))
}

fn flush(gil: Gil<'_>, _: &Instance<Errors>, _: &Arguments<'_>) -> Result<Owned> {
    // Every write is flushed.
    Ok(Owned::none(gil))
}

/// `encoding`, `isatty`, `fileno`, ...: what stderr says of itself.
fn get(gil: Gil<'_>, _: &Instance<Errors>, name: &Object) -> Result<Owned> {
    match console::target(gil, Stream::Stderr) {
        Some(stream) => stream.attr(gil, name),
        None => {
            let name = String::from_utf8_lossy(&text::display(gil, name)?).into_owned();
            let message = format!("stderr is closed; no attribute {name}");
            Err(Raised::new(gil, Kind::AttributeError, &message))
        }
    }
}

impl Class for Errors {
    const NAME: &'static CStr = c"fapws._evwsgi.Errors";
    const DOC: &'static CStr = c"The program's stderr (PEP 3333, wsgi.errors); never blocks.";
    const OWNS: Owns<Self> = Owns::Nothing;
    const METHODS: &'static [Method<Errors>] = &[
        Method {
            name: c"write",
            doc: c"write(text)\n\nWrites a native string; what stderr cannot take is lost.",
            call: write,
        },
        Method {
            name: c"writelines",
            doc: c"writelines(lines)\n\nWrites one string after the other.",
            call: writelines,
        },
        Method {
            name: c"flush",
            doc: c"flush()\n\nNothing: every write is flushed.",
            call: flush,
        },
    ];
    const GET: Option<Get<Self>> = Some(get);
}
