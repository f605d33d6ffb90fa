//! Where another thread's Python code is.

use super::call::import;
use super::gil::Gil;
use super::number;
use super::object::Owned;
use super::raised::Result;
use super::{names, text};

/// Calls that are shown of a stack, the innermost ones.
const MOST: usize = 100;

/// A call of the stack.
struct Call {
    file: Owned,
    line: Owned,
    function: Owned,
    globals: Owned,
}

/// The stack of the thread that `threading.get_ident` knows by this number, in lines as a traceback has
/// them, the innermost call last. Empty where that thread runs no Python code.
pub fn stack_of(gil: Gil<'_>, ident: i64) -> Result<Vec<u8>> {
    let calls = walk(gil, ident)?;
    let mut text = Vec::new();
    for call in calls.iter().rev() {
        show(gil, call, &mut text)?;
    }
    Ok(text)
}

/// Runs no Python code: the thread goes on only afterwards.
fn walk(gil: Gil<'_>, ident: i64) -> Result<Vec<Call>> {
    let name = |name| names::interned(gil, name);
    let (file, function) = (name(c"co_filename")?, name(c"co_name")?);
    let (code, line) = (name(c"f_code")?, name(c"f_lineno")?);
    let (back, globals) = (name(c"f_back")?, name(c"f_globals")?);
    let sys = import(gil, c"sys")?;
    let frames = sys.call_method(gil, &*name(c"_current_frames")?, &[])?;
    let mut frame = frames.dict_get(gil, &*number::int(gil, ident)?);
    let mut calls = Vec::new();
    while let Some(this) = frame.filter(|frame| !frame.is_none() && calls.len() < MOST) {
        let code = this.attr(gil, &code)?;
        calls.push(Call {
            file: code.attr(gil, &file)?,
            line: this.attr(gil, &line)?,
            function: code.attr(gil, &function)?,
            globals: this.attr(gil, &globals)?,
        });
        frame = Some(this.attr(gil, &back)?);
    }
    Ok(calls)
}

fn show(gil: Gil<'_>, call: &Call, out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(b"  File \"");
    out.extend_from_slice(&text::display(gil, &call.file)?);
    out.extend_from_slice(b"\", line ");
    out.extend_from_slice(&text::display(gil, &call.line)?);
    out.extend_from_slice(b", in ");
    out.extend_from_slice(&text::display(gil, &call.function)?);
    out.push(b'\n');
    // The source may be gone, or no text.
    match source(gil, call) {
        Ok(source) if !source.is_empty() => {
            out.extend_from_slice(b"    ");
            out.extend_from_slice(&source);
            out.push(b'\n');
        }
        Ok(_) => {}
        Err(raised) => raised.clear(gil),
    }
    Ok(())
}

fn source(gil: Gil<'_>, call: &Call) -> Result<Vec<u8>> {
    let linecache = import(gil, c"linecache")?;
    let line = linecache.call_method(
        gil,
        &*names::interned(gil, c"getline")?,
        &[&call.file, &call.line, &call.globals],
    )?;
    Ok(text::display(gil, &line)?.trim_ascii().to_vec())
}
