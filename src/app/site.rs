//! What requests share: the native classes and constants of the module, and, for the time of one
//! `run`, the base module, the limits and the lines that every head ends with.

#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use crate::app::base::Base;
use crate::app::body::FileWrapper;
use crate::app::dialect::Dialect;
use crate::app::errors::Errors;
use crate::app::header_keys::HeaderKeys;
use crate::app::input::{Content, Input};
use crate::app::params::ParamNames;
use crate::app::start_response::{Spare, StartResponse, Writer};
use crate::config::Config;
use crate::http::date::imf_fixdate;
use crate::py::types::ClassObject;
use crate::py::{
    Exception, Gil, GilCell, Kind, Object, Owned, Result, container, names, number, text,
};
use crate::sys::peer::Peer;

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

/// The `Date` and `Server` lines, rendered once a second.
#[derive(Default)]
pub struct Stamp {
    second: i64,
    lines: Vec<u8>,
    date_ends: usize,
    /// The date as a native string, made when it is first wanted.
    date_text: Option<Owned>,
}

impl Stamp {
    const DATE: &'static [u8] = b"Date: ";

    fn render(&mut self, second: i64, ident: &[u8]) {
        self.second = second;
        self.date_text = None;
        self.lines.clear();
        if let Some(date) = imf_fixdate(second) {
            self.lines.extend_from_slice(Self::DATE);
            self.lines.extend_from_slice(&date);
            self.lines.extend_from_slice(b"\r\n");
        }
        self.date_ends = self.lines.len();
        if !ident.is_empty() {
            self.lines.extend_from_slice(b"Server: ");
            self.lines.extend_from_slice(ident);
            self.lines.extend_from_slice(b"\r\n");
        }
    }

    /// `Date: ...` with its line end.
    pub fn date_line(&self) -> &[u8] {
        &self.lines[..self.date_ends]
    }

    /// `Server: ...` with its line end; empty where `SERVER_IDENT` is.
    pub fn server_line(&self) -> &[u8] {
        &self.lines[self.date_ends..]
    }

    /// Both lines.
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// The date alone, 29 bytes.
    pub fn date(&self) -> &[u8] {
        let line = self.date_line();
        line.get(Self::DATE.len()..line.len().saturating_sub(2))
            .unwrap_or_default()
    }
}

/// What the requests of one `run` share.
pub struct Site {
    /// The dialect in force.
    pub dialect: Dialect,
    /// The limits and timeouts.
    pub config: Config,
    /// The base module.
    pub base: Rc<Base>,
    /// The `Date` and `Server` lines of this second.
    pub stamp: Rc<RefCell<Stamp>>,
    /// An exception that ends `run` once its client has been answered.
    pub exit: RefCell<Option<Exception>>,
    /// Counts every exception of an application, for `stats()`.
    pub failures: Cell<u64>,
}

impl Site {
    /// A site for a `run` that begins now.
    pub fn new(dialect: Dialect, config: Config, base: Rc<Base>) -> Site {
        Site {
            dialect,
            config,
            base,
            stamp: Rc::default(),
            exit: RefCell::default(),
            failures: Cell::default(),
        }
    }

    /// Whether this exception ends `run`, which then raises it: `SystemExit` in the legacy dialect.
    pub fn ends_run(&self, gil: Gil<'_>, exception: &Exception) -> bool {
        self.dialect.exit_ends_run() && exception.is(gil, Kind::SystemExit)
    }

    /// Puts `Date` and `Server` into the headers of a base module's `Start_response`.
    pub fn stamp_headers(&self, gil: Gil<'_>, headers: &Object) -> Result<()> {
        let names = names(gil);
        let mut stamp = self.stamp.borrow_mut();
        let date = match &stamp.date_text {
            Some(date) => date.own(gil),
            None => {
                let date = text::native(gil, stamp.date())?;
                stamp.date_text = Some(date.own(gil));
                date
            }
        };
        drop(stamp);
        headers.dict_set(gil, &names.date, &date)?;
        if self.dialect == Dialect::Standard && self.base.ident.is_empty() {
            return Ok(());
        }
        headers.dict_set(gil, &names.server, &self.base.ident_text)
    }

    /// The loop's clock says that it is `second` (Unix time).
    pub fn tell_time(&self, second: i64) {
        let mut stamp = self.stamp.borrow_mut();
        if stamp.second != second || stamp.lines.is_empty() {
            stamp.render(second, &self.base.ident);
        }
    }
}

/// The address that a program gave to `start`, as its applications see it.
pub struct Endpoint {
    /// `SERVER_NAME`.
    pub name: Owned,
    /// `SERVER_PORT`.
    pub port: Owned,
    /// The dict that the standard dialect's environ begins as; made at the first request.
    pub template: OnceCell<super::environ::Template>,
}

impl Endpoint {
    /// The endpoint of a listener.
    pub fn new(gil: Gil<'_>, name: &[u8], port: &[u8]) -> Result<Endpoint> {
        Ok(Endpoint {
            name: text::native(gil, name)?,
            port: text::native(gil, port)?,
            template: OnceCell::new(),
        })
    }
}

/// The other side of a connection, as applications see it.
pub struct Client {
    /// Its address.
    pub peer: Peer,
    address: OnceCell<Owned>,
    port: OnceCell<Owned>,
}

impl Client {
    /// The client at `peer`.
    pub fn new(peer: Peer) -> Client {
        Client {
            peer,
            address: OnceCell::new(),
            port: OnceCell::new(),
        }
    }

    /// `REMOTE_ADDR`: empty for a unix socket.
    pub fn address(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(address) = self.address.get() {
            return Ok(address.own(gil));
        }
        let mut buffer = [0; 46];
        let made = text::native(gil, self.peer.address_text(&mut buffer).as_bytes())?;
        Ok(self.address.get_or_init(|| made).own(gil))
    }

    /// `REMOTE_PORT`, a string as CGI has it.
    pub fn port_text(&self, gil: Gil<'_>) -> Result<Owned> {
        if let Some(port) = self.port.get() {
            return Ok(port.own(gil));
        }
        let made = text::native(gil, self.peer.port().to_string().as_bytes())?;
        Ok(self.port.get_or_init(|| made).own(gil))
    }

    /// `fapws.remote_port`, an int.
    pub fn port_number(&self, gil: Gil<'_>) -> Result<Owned> {
        number::int(gil, i64::from(self.peer.port()))
    }
}
