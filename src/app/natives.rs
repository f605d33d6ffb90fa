//! The native classes and constants of the module.

#![forbid(unsafe_code)]

use std::cell::{OnceCell, RefCell};

use crate::app::body::FileWrapper;
use crate::app::errors::Errors;
use crate::app::header_keys::HeaderKeys;
use crate::app::input::{Content, Input};
use crate::app::params::ParamNames;
use crate::app::start_response::{Spare, StartResponse, Writer};
use crate::py::types::ClassObject;
use crate::py::{Gil, GilCell, Object, Owned, Result, container, number, text};

/// The classes and constants that live as long as the module.
pub struct Natives {
    /// `start_response` of the standard dialect.
    pub start_response: ClassObject<StartResponse>,
    /// What `start_response` returns.
    pub writer: ClassObject<Writer>,
    /// `wsgi.input`.
    pub input: ClassObject<Input>,
    /// `wsgi.file_wrapper`.
    pub file_wrapper: ClassObject<FileWrapper>,
    /// `wsgi.errors`.
    pub errors: Owned,
    /// Environ keys of header fields.
    pub header_keys: HeaderKeys,
    /// Names in queries and forms.
    pub param_names: ParamNames,
    /// `""`.
    pub empty: Owned,
    /// `b""`.
    pub no_bytes: Owned,
    /// The input of a request without a body, which is at its end for everyone.
    pub no_input: Owned,
    /// A `start_response` to be used again.
    pub spare_starter: RefCell<Option<Spare>>,
    versions: [Owned; 2],
    methods: Vec<(&'static [u8], Owned)>,
    http_1_0: Owned,
    http_1_1: Owned,
    http: Owned,
    version: Owned,
}

static NATIVES: GilCell<OnceCell<Natives>> = GilCell::new(OnceCell::new());

/// Makes the classes and constants; called once when the module is imported.
pub fn prepare(gil: Gil<'_>) -> Result<()> {
    const METHODS: [&[u8]; 7] = [
        b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH",
    ];
    let input = ClassObject::new(gil)?;
    let no_bytes = text::bytes(gil, b"")?;
    let natives = Natives {
        no_input: input.instantiate(gil, Input::new(Content::Memory(no_bytes.own(gil))))?,
        spare_starter: RefCell::default(),
        versions: [text::native(gil, b"1.0")?, text::native(gil, b"1.1")?],
        start_response: ClassObject::new(gil)?,
        writer: ClassObject::new(gil)?,
        input,
        file_wrapper: ClassObject::new(gil)?,
        errors: ClassObject::new(gil)?.instantiate(gil, Errors)?,
        header_keys: HeaderKeys::new(gil)?,
        param_names: ParamNames::default(),
        empty: text::native(gil, b"")?,
        no_bytes,
        methods: METHODS
            .iter()
            .map(|&method| text::native(gil, method).map(|text| (method, text)))
            .collect::<Result<_>>()?,
        http_1_0: text::native(gil, b"HTTP/1.0")?,
        http_1_1: text::native(gil, b"HTTP/1.1")?,
        http: text::native(gil, b"HTTP")?,
        version: container::tuple(gil, &[&*number::int(gil, 1)?, &*number::int(gil, 0)?])?,
    };
    let _ = NATIVES.get(gil).set(natives);
    Ok(())
}

/// The classes and constants.
pub fn natives(gil: Gil<'_>) -> &Natives {
    NATIVES
        .get(gil)
        .get()
        .expect("made when the module was imported")
}

impl Natives {
    /// A method as a native string.
    pub fn method(&self, gil: Gil<'_>, method: &[u8]) -> Result<Owned> {
        match self.methods.iter().find(|(known, _)| *known == method) {
            Some((_, text)) => Ok(text.own(gil)),
            None => text::native(gil, method),
        }
    }

    /// `(1, 0)`, the version of PEP 3333.
    pub fn wsgi_version(&self) -> &Object {
        &self.version
    }

    /// What stands before the version in a protocol.
    pub fn scheme(&self, gil: Gil<'_>, scheme: &[u8]) -> Result<Owned> {
        match scheme {
            b"HTTP" => Ok(self.http.own(gil)),
            other => text::native(gil, other),
        }
    }

    /// A protocol's last three characters, `1.1`.
    pub fn major_minor(&self, gil: Gil<'_>, version: &[u8]) -> Result<Owned> {
        match version {
            b"1.0" => Ok(self.versions[0].own(gil)),
            b"1.1" => Ok(self.versions[1].own(gil)),
            other => text::native(gil, other),
        }
    }

    /// A protocol as a native string.
    pub fn protocol(&self, gil: Gil<'_>, protocol: &[u8]) -> Result<Owned> {
        match protocol {
            b"HTTP/1.1" => Ok(self.http_1_1.own(gil)),
            b"HTTP/1.0" => Ok(self.http_1_0.own(gil)),
            other => text::native(gil, other),
        }
    }
}
