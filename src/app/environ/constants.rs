//! Strings that environs have again and again, made once.

#![forbid(unsafe_code)]

use crate::py::{Gil, Object, Owned, Result, State, container, number, text};

/// The strings.
pub struct Constants {
    /// `""`.
    pub empty: Owned,
    versions: [Owned; 2],
    methods: Vec<(&'static [u8], Owned)>,
    http_1_0: Owned,
    http_1_1: Owned,
    http: Owned,
    version: Owned,
}

/// The strings, made at the first call.
pub fn constants(gil: Gil<'_>) -> Result<&Constants> {
    static CONSTANTS: State<Constants> = State::new();
    CONSTANTS.get_or_try_make(gil, || make(gil))
}

fn make(gil: Gil<'_>) -> Result<Constants> {
    const METHODS: [&[u8]; 7] = [
        b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH",
    ];
    Ok(Constants {
        empty: text::native(gil, b"")?,
        versions: [text::native(gil, b"1.0")?, text::native(gil, b"1.1")?],
        methods: METHODS
            .iter()
            .map(|&method| text::native(gil, method).map(|text| (method, text)))
            .collect::<Result<_>>()?,
        http_1_0: text::native(gil, b"HTTP/1.0")?,
        http_1_1: text::native(gil, b"HTTP/1.1")?,
        http: text::native(gil, b"HTTP")?,
        version: container::tuple(gil, &[&*number::int(gil, 1)?, &*number::int(gil, 0)?])?,
    })
}

impl Constants {
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
