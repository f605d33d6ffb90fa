//! The settings of the core: one table, and how it is read from the base module's `config`.
//!
//! A row is an attribute of `config` with its default in either dialect; an attribute that is
//! missing (a legacy `config` has none of them) leaves the default in force. `docs/settings.md` says
//! what a request past a limit gets.

#![forbid(unsafe_code)]

use crate::dialect::Dialect;
use crate::http::chunked::ChunkLimits;
use crate::http::head::HeadLimits;
use crate::http::proxy_protocol::Versions;
use crate::networks::Networks;
use crate::py::{Gil, Kind, Object, Owned, Raised, Result, names, text};

macro_rules! table {
    (
        $($(#[$doc:meta])* $name:ident: $kind:ident, standard $standard:expr, legacy $legacy:expr;)*
        { $($(#[$other_doc:meta])* $other:ident: $other_kind:ty;)* }
    ) => {
        /// What is in force, read when `run` begins.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[$doc])* pub $name: $kind,)*
            $($(#[$other_doc])* pub $other: $other_kind,)*
        }

        impl Config {
            /// The defaults of a dialect.
            pub fn defaults(dialect: Dialect) -> Config {
                match dialect {
                    Dialect::Standard => Config {
                        $($name: $standard,)*
                        $($other: Default::default(),)*
                    },
                    Dialect::Legacy => Config {
                        $($name: $legacy,)*
                        $($other: Default::default(),)*
                    },
                }
            }

            /// What `config` (a module or any object) says, over the defaults of `dialect`.
            /// `TypeError` or `ValueError` for an attribute that it cannot have.
            pub fn read(gil: Gil<'_>, config: &Object, dialect: Dialect) -> Result<Config> {
                let mut read = Config::defaults(dialect);
                $(if let Some(value) = number(gil, config, stringify!($name))? {
                    read.$name = $kind::from_number(value);
                })*
                $(if let Some(value) = attribute(gil, config, stringify!($other))? {
                    read.$other = <$other_kind>::from_object(gil, &value, stringify!($other))?;
                })*
                Ok(read)
            }
        }
    };
}

table! {
    /// Bytes of the request line, past which 414. Nearly twice the longest URL browsers send.
    max_request_line: usize, standard 8190, legacy 1 << 20;
    /// Bytes of the whole head, past which 431. DIFFERS(fapws3): the original held whatever came.
    max_header_size: usize, standard 65536, legacy 1 << 20;
    /// Header fields, past which 431.
    max_header_count: usize, standard 128, legacy 1000;
    /// Bytes of one chunk's extensions, past which 400; sixteen times that for a whole message.
    max_chunk_extension: usize, standard 4096, legacy 4096;
    /// Bytes of a request body, past which 413; 0 for no limit.
    max_body_size: u64, standard 1 << 30, legacy 1 << 30;
    /// Bytes of a body kept in memory; a longer one goes to a temporary file.
    body_memory: usize, standard 65536, legacy 65536;
    /// Seconds for the whole head, from the accept or, on a persistent connection, its first byte.
    header_timeout: f64, standard 20.0, legacy 20.0;
    /// Seconds without a byte of the body.
    body_timeout: f64, standard 60.0, legacy 60.0;
    /// Bytes a second of the body, after its first twenty seconds.
    body_min_rate: f64, standard 500.0, legacy 500.0;
    /// Seconds without progress in writing.
    write_timeout: f64, standard 60.0, legacy 60.0;
    /// Seconds between two requests: above the 60 of proxies' own pools, which would otherwise
    /// race our close.
    keep_alive_timeout: f64, standard 65.0, legacy 65.0;
    /// Connections at a time; 0 for the descriptor limit less a reserve.
    max_connections: usize, standard 0, legacy 0;
    /// Seconds that SIGTERM gives to requests in flight.
    graceful_timeout: f64, standard 30.0, legacy 30.0;
    /// Applications that may wait in a call at a time; 1 for the loop's own thread alone.
    threads: usize, standard 1, legacy 1;
    /// Seconds, past which a call is logged, with its stack; 0 for none.
    slow_request: f64, standard 0.0, legacy 0.0;
    /// Connections that wait to be accepted; 0 for what the socket has, by default the kernel's limit.
    backlog: usize, standard 0, legacy 0;
    /// Whether the kernel reports a connection only when its first bytes are there (Linux).
    tcp_defer_accept: bool, standard true, legacy true;
    /// Whether peers of `forwarded_allow_ips` say who their client is, in the standard dialect.
    proxy_headers: bool, standard false, legacy false;
    /// Seconds for which SIGTERM lets the server go on, before it drains.
    shutdown_delay: f64, standard 0.0, legacy 0.0;

    // What is no number; each type has its default.
    {
        /// The path whose response is the server's own, in the standard dialect.
        health: Option<HealthPath>;
        /// Whether other processes serve the same application; `None` where that is for forks to say.
        multiprocess: Option<bool>;
        /// The prefix of the application's URLs.
        root_path: RootPath;
        /// The versions of the PROXY protocol that connections begin with.
        proxy_protocol: Versions;
        /// Peers that may speak it.
        proxy_allow_from: Networks;
        /// Peers whose `X-Forwarded-Proto` decides `wsgi.url_scheme`, in the standard dialect.
        forwarded_allow_ips: Networks;
    }
}

/// The environment variable that wins over `config.dialect`.
pub const VARIABLE: &str = "FAPWS_DIALECT";

/// The dialect in force: the environment's word, else `config.dialect`, else legacy. `ValueError` for
/// a word that is neither.
pub fn dialect(gil: Gil<'_>, config: Option<&Object>) -> Result<Dialect> {
    if let Some(word) = std::env::var_os(VARIABLE)
        && !word.is_empty()
    {
        return named(gil, word.as_encoded_bytes(), VARIABLE);
    }
    let Some(config) = config else {
        return Ok(Dialect::Legacy);
    };
    match config.optional_attr(gil, &names(gil).dialect)? {
        Some(word) => named(gil, &text::display(gil, &word)?, "config.dialect"),
        None => Ok(Dialect::Legacy),
    }
}

fn named(gil: Gil<'_>, word: &[u8], place: &str) -> Result<Dialect> {
    Dialect::named(word).ok_or_else(|| {
        let word = String::from_utf8_lossy(word);
        let message = format!("{place} is {word:?}; it can be \"legacy\" or \"standard\"");
        Raised::new(gil, Kind::ValueError, &message)
    })
}

/// The path that asks for the server's health; it begins with `/`.
#[derive(Clone, Debug)]
pub struct HealthPath(pub Vec<u8>);

/// The path under which the applications are: nothing, or it begins with `/` and does not end with one.
#[derive(Clone, Debug, Default)]
pub struct RootPath(Vec<u8>);

impl RootPath {
    /// Whether they are at the top.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How much of a target's path it is: nothing where the proxy has taken it off.
    pub fn length_in(&self, target: &[u8]) -> usize {
        match target.strip_prefix(self.0.as_slice()) {
            Some([] | [b'/' | b'?', ..]) => self.0.len(),
            _ => 0,
        }
    }
}

trait FromObject: Sized {
    /// What `config.name` says: `TypeError` or `ValueError` for what it cannot say.
    fn from_object(gil: Gil<'_>, value: &Object, name: &str) -> Result<Self>;
}

impl FromObject for Option<HealthPath> {
    fn from_object(gil: Gil<'_>, value: &Object, name: &str) -> Result<Self> {
        let path = words(gil, value, name)?;
        if !path.is_empty() && !path.starts_with(b"/") {
            let message = format!("config.{name} must be a path that begins with \"/\"");
            return Err(Raised::new(gil, Kind::ValueError, &message));
        }
        Ok((!path.is_empty()).then_some(HealthPath(path)))
    }
}

impl FromObject for Option<bool> {
    fn from_object(gil: Gil<'_>, value: &Object, name: &str) -> Result<Self> {
        if value.is_int() {
            return Ok(Some(value.to_int(gil)? != 0));
        }
        let class = value.class_name(gil)?;
        let message = format!("config.{name} must be a bool or None, not {class}");
        Err(Raised::new(gil, Kind::TypeError, &message))
    }
}

impl FromObject for RootPath {
    fn from_object(gil: Gil<'_>, value: &Object, name: &str) -> Result<Self> {
        let mut path = words(gil, value, name)?;
        while path.ends_with(b"/") {
            path.pop();
        }
        if !path.is_empty() && !path.starts_with(b"/") {
            let message = format!("config.{name} must be a path that begins with \"/\"");
            return Err(Raised::new(gil, Kind::ValueError, &message));
        }
        Ok(RootPath(path))
    }
}

impl FromObject for Versions {
    fn from_object(gil: Gil<'_>, value: &Object, name: &str) -> Result<Self> {
        match words(gil, value, name)?.as_slice() {
            b"off" => Ok(Versions::Off),
            b"v1" => Ok(Versions::V1),
            b"v2" => Ok(Versions::V2),
            b"auto" => Ok(Versions::Auto),
            _ => {
                let message = format!("config.{name} can be \"off\", \"v1\", \"v2\" or \"auto\"");
                Err(Raised::new(gil, Kind::ValueError, &message))
            }
        }
    }
}

impl FromObject for Networks {
    /// A string with commas, or a list or tuple of strings.
    fn from_object(gil: Gil<'_>, value: &Object, name: &str) -> Result<Self> {
        let mut whole = Vec::new();
        if value.is_plain_sequence() {
            for index in 0..value.sequence_len() {
                if let Some(item) = value.sequence_item(gil, index) {
                    whole.extend(words(gil, &item, name)?);
                    whole.push(b',');
                }
            }
        } else {
            whole = words(gil, value, name)?;
        }
        let whole = String::from_utf8_lossy(&whole);
        Networks::parse(whole.split(',')).map_err(|word| {
            let message = format!("config.{name}: {word:?} is no address, network or \"*\"");
            Raised::new(gil, Kind::ValueError, &message)
        })
    }
}

/// The text of `config.name`.
fn words(gil: Gil<'_>, value: &Object, name: &str) -> Result<Vec<u8>> {
    if !value.is_text() && !value.is_native() {
        let class = value.class_name(gil)?;
        let message = format!("config.{name} must be a string, not {class}");
        return Err(Raised::new(gil, Kind::TypeError, &message));
    }
    text::display(gil, value)
}

/// `config.name`, unless it is not there or None.
fn attribute(gil: Gil<'_>, config: &Object, name: &str) -> Result<Option<Owned>> {
    let value = config.optional_attr(gil, &*text::native(gil, name.as_bytes())?)?;
    Ok(value.filter(|value| !value.is_none()))
}

trait FromNumber {
    fn from_number(number: f64) -> Self;
}

impl FromNumber for f64 {
    fn from_number(number: f64) -> Self {
        number
    }
}

// A float converts by saturation, so that `float("inf")` is the greatest integer: no limit.
impl FromNumber for usize {
    fn from_number(number: f64) -> Self {
        number as usize
    }
}

impl FromNumber for u64 {
    fn from_number(number: f64) -> Self {
        number as u64
    }
}

impl FromNumber for bool {
    fn from_number(number: f64) -> Self {
        number != 0.0
    }
}

fn number(gil: Gil<'_>, config: &Object, name: &str) -> Result<Option<f64>> {
    let Some(value) = attribute(gil, config, name)? else {
        return Ok(None);
    };
    let number = match value.to_float(gil) {
        Ok(number) => number,
        Err(raised) => {
            raised.unless(gil, Kind::TypeError)?;
            let class = value.class_name(gil)?;
            let message = format!("config.{name} must be a number, not {class}");
            return Err(Raised::new(gil, Kind::TypeError, &message));
        }
    };
    if number.is_nan() || number < 0.0 {
        let message = format!("config.{name} must be a number not below 0");
        return Err(Raised::new(gil, Kind::ValueError, &message));
    }
    Ok(Some(number))
}

impl Config {
    /// The limits of a request head.
    pub fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            request_line: self.max_request_line,
            head: self.max_header_size,
            fields: self.max_header_count,
        }
    }

    /// The limits of a chunked request body.
    pub fn chunk_limits(&self) -> ChunkLimits {
        ChunkLimits {
            line_extension: self.max_chunk_extension,
            total_extension: self.max_chunk_extension.saturating_mul(16),
            trailer: self.max_header_size,
            trailer_fields: self.max_header_count,
            body: self.max_body_size,
        }
    }
}
