//! What a program asks for: the attributes of `config` whose names begin with `access_log`.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::access_log::format::Format;
use crate::py::{Gil, Kind, Object, Owned, Raised, Result, text};

/// Where lines go.
#[derive(Clone, Debug)]
pub enum Target {
    /// A file, by an absolute path: it is opened anew wherever the program is by then.
    Path(PathBuf),
    /// What the program has open.
    Descriptor(RawFd),
}

/// An access log, as the settings describe it.
#[derive(Debug)]
pub struct AccessLogSettings {
    /// Where lines go.
    pub target: Target,
    /// What they hold.
    pub format: Format,
    /// Paths without lines.
    pub skipped: Vec<Vec<u8>>,
}

const STDOUT: RawFd = 1;

impl AccessLogSettings {
    /// Reads the attributes; `None` without a log. A `TypeError` or `ValueError` names the attribute.
    pub fn read(gil: Gil<'_>, config: &Object) -> Result<Option<AccessLogSettings>> {
        let Some(target) = attribute(gil, config, "access_log")? else {
            return Ok(None);
        };
        let Some(target) = read_target(gil, &target)? else {
            return Ok(None);
        };
        let pattern = attribute(gil, config, "access_log_format")?
            .map(|pattern| content(gil, &pattern, "access_log_format", "a str"))
            .transpose()?;
        let is_json = match attribute(gil, config, "access_log_json")? {
            None => false,
            Some(json) if json.is_int() => json.to_int(gil)? != 0,
            Some(other) => return Err(mistyped(gil, &other, "access_log_json", "a bool")),
        };
        let format = Format::compile(pattern.as_deref(), is_json).map_err(|error| {
            let message = format!("config.access_log_format: {error}");
            Raised::new(gil, Kind::ValueError, &message)
        })?;
        let mut skipped = Vec::new();
        if let Some(paths) = attribute(gil, config, "access_log_skip")? {
            const SKIP: &str = "access_log_skip";
            const PATHS: &str = "a list of paths";
            if paths.is_text() || paths.as_bytes().is_some() {
                return Err(mistyped(gil, &paths, SKIP, PATHS));
            }
            let items = match paths.iterate(gil) {
                Ok(items) => items,
                Err(raised) => {
                    raised.clear(gil);
                    return Err(mistyped(gil, &paths, SKIP, PATHS));
                }
            };
            while let Some(path) = items.next(gil)? {
                skipped.push(content(gil, &path, SKIP, PATHS)?);
            }
        }
        Ok(Some(AccessLogSettings {
            target,
            format,
            skipped,
        }))
    }
}

fn read_target(gil: Gil<'_>, target: &Object) -> Result<Option<Target>> {
    const KINDS: &str = "a path, a descriptor or \"-\"";
    if target.is_false() {
        return Ok(None);
    }
    if target.is_int() {
        let number = RawFd::try_from(target.to_int(gil)?).unwrap_or(-1);
        return Ok(Some(Target::Descriptor(number)));
    }
    let path = content(gil, target, "access_log", KINDS)?;
    if path.is_empty() {
        return Ok(None);
    }
    if path == b"-" {
        return Ok(Some(Target::Descriptor(STDOUT)));
    }
    let path = PathBuf::from(OsString::from_vec(path));
    let path = std::path::absolute(&path).unwrap_or(path);
    Ok(Some(Target::Path(path)))
}

fn attribute(gil: Gil<'_>, config: &Object, name: &str) -> Result<Option<Owned>> {
    let value = config.optional_attr(gil, &*text::native(gil, name.as_bytes())?)?;
    Ok(value.filter(|value| !value.is_none()))
}

/// The bytes of a string.
fn content(gil: Gil<'_>, value: &Object, name: &str, what: &str) -> Result<Vec<u8>> {
    if let Some(bytes) = value.as_bytes() {
        return Ok(bytes.to_vec());
    }
    if value.is_text() {
        return text::display(gil, value);
    }
    Err(mistyped(gil, value, name, what))
}

fn mistyped(gil: Gil<'_>, value: &Object, name: &str, what: &str) -> Raised {
    match value.class_name(gil) {
        Ok(class) => {
            let message = format!("config.{name} must be {what}, not {class}");
            Raised::new(gil, Kind::TypeError, &message)
        }
        Err(raised) => raised,
    }
}
