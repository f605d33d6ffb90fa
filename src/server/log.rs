//! The access log of a run: what happened to a request becomes a line.
//!
//! A response that is whole when it is queued has its line at once; one whose body is still to come
//! keeps what was known at its beginning, and has its line when the last of it is queued.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;

use crate::access_log::head::{RequestLine, fields};
use crate::access_log::line::{Known, Outcome, Scratch, Unfinished, push_line};
use crate::access_log::settings::{AccessLogSettings, Target};
use crate::app::client::Client;
use crate::http::forwarded;
use crate::networks::Networks;
use crate::py::{Gil, Kind, Raised, Result};
use crate::queue::WriteQueue;
use crate::server::monitor::Watch;
use crate::sys::clock::{self, LocalTime};
use crate::sys::log_file::LogFile;
use crate::sys::peer::{Peer, TEXT_SIZE};

// English whatever the locale, for those who parse the log.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The access log of a run.
pub struct AccessLog {
    settings: AccessLogSettings,
    /// Bytes of a request line that are shown.
    longest_line: usize,
    watch: Arc<Watch>,
    scratch: RefCell<Scratch>,
    /// The second that `time` shows.
    second: Cell<i64>,
    time: RefCell<Vec<u8>>,
    process: u32,
    wants_head: bool,
    /// Whose word on the client counts: `config.proxy_headers`.
    believed: Option<Networks>,
}

/// A request and what became of it, when the head of its response is queued.
pub struct LogEntry<'a> {
    /// The request's head, or what came of it.
    pub request: &'a [u8],
    /// Who sent it.
    pub client: &'a Client,
    /// The environ's variables that the format names.
    pub variables: &'a [Option<Vec<u8>>],
    /// The status.
    pub status: u16,
    /// When the request was there, in microseconds.
    pub arrived: u64,
    /// When the application was called, in microseconds.
    pub called: u64,
}

/// The line of a response that is not whole yet.
pub struct Pending {
    line: Unfinished,
    called: u64,
}

impl AccessLog {
    /// Opens the log; an `OSError` where that is not possible.
    pub fn open(
        gil: Gil<'_>,
        settings: AccessLogSettings,
        longest_line: usize,
        believed: Option<Networks>,
        watch: &Arc<Watch>,
    ) -> Result<AccessLog> {
        let wants_head = settings.format.wants_response_head();
        let log = AccessLog {
            settings,
            longest_line,
            watch: watch.clone(),
            scratch: RefCell::default(),
            second: Cell::new(i64::MIN),
            time: RefCell::default(),
            process: std::process::id(),
            wants_head,
            believed,
        };
        let opened = log
            .open_file()
            .map_err(|error| os_error(gil, "config.access_log: ", &error))?;
        log.watch
            .lines
            .set_file(opened, log.settings.format.is_json);
        Ok(log)
    }

    fn open_file(&self) -> io::Result<LogFile> {
        match &self.settings.target {
            Target::Path(path) => LogFile::open(path),
            Target::Descriptor(fd) => LogFile::adopt(*fd),
        }
    }

    /// Opens a file anew; what the program has open stays. An `OSError` where that is not possible: the
    /// old file stays in use then.
    pub fn reopen(&self, gil: Gil<'_>) -> Result<()> {
        if matches!(self.settings.target, Target::Descriptor(_)) {
            return Ok(());
        }
        let opened = self
            .open_file()
            .map_err(|error| os_error(gil, "", &error))?;
        self.watch
            .lines
            .set_file(opened, self.settings.format.is_json);
        Ok(())
    }

    /// The environ variables that the format names.
    pub fn variables(&self) -> &[Vec<u8>] {
        &self.settings.format.variables
    }

    /// Whether the format needs the heads of responses.
    pub fn wants_response_head(&self) -> bool {
        self.wants_head
    }

    /// The loop has something to do; it is `second` (Unix time).
    pub fn begin_turn(&self, second: i64) {
        if self.second.replace(second) != second {
            let is_json = self.settings.format.is_json;
            self.time
                .replace(time_text(clock::local_time(second), is_json).into_bytes());
        }
    }

    /// A response that is whole: `bytes` are those of its body.
    pub fn log(&self, entry: &LogEntry<'_>, out: &WriteQueue, bytes: u64) {
        let line = RequestLine::of(entry.request, self.longest_line);
        if self.skips(&line) {
            return;
        }
        let outcome = outcome(entry.called, bytes);
        self.with_known(entry, line, out, |known, scratch| {
            let format = &self.settings.format;
            let lines = &self.watch.lines;
            lines.add(|lines| push_line(format, known, outcome, scratch, lines));
        });
    }

    /// A page of the server's own, queued since [`WriteQueue::begin_response`].
    pub fn log_page(&self, request: &[u8], client: &Client, status: u16, out: &WriteQueue) {
        let now = clock::monotonic_micros();
        let entry = LogEntry {
            request,
            client,
            variables: &[],
            status,
            arrived: now,
            called: now,
        };
        self.log(&entry, out, out.page_bytes());
    }

    /// A response whose body is still to come.
    pub fn begin(&self, entry: &LogEntry<'_>, out: &WriteQueue) -> Option<Box<Pending>> {
        let line = RequestLine::of(entry.request, self.longest_line);
        if self.skips(&line) {
            return None;
        }
        self.with_known(entry, line, out, |known, scratch| {
            Some(Box::new(Pending {
                line: Unfinished::begin(&self.settings.format, known, scratch),
                called: entry.called,
            }))
        })
    }

    /// The last of it is queued, or its client is gone: `bytes` of its body were.
    pub fn finish(&self, pending: &Pending, bytes: u64) {
        let outcome = outcome(pending.called, bytes);
        self.watch
            .lines
            .add(|lines| pending.line.finish(outcome, lines));
    }

    fn skips(&self, line: &RequestLine<'_>) -> bool {
        let skipped = &self.settings.skipped;
        !skipped.is_empty()
            && line
                .path()
                .is_some_and(|path| skipped.iter().any(|skipped| skipped == path))
    }

    fn with_known<R>(
        &self,
        entry: &LogEntry<'_>,
        line: RequestLine<'_>,
        out: &WriteQueue,
        work: impl FnOnce(&Known<'_>, &mut Scratch) -> R,
    ) -> R {
        let mut buffer = [0; TEXT_SIZE];
        let time = self.time.borrow();
        let known = Known {
            request: entry.request,
            line,
            response: if self.wants_head {
                out.response_head()
            } else {
                b""
            },
            client: self.client(entry).address_text(&mut buffer),
            variables: entry.variables,
            status: entry.status,
            waited: entry.called.saturating_sub(entry.arrived),
            process: self.process,
            time: &time,
        };
        work(&known, &mut self.scratch.borrow_mut())
    }
}

impl AccessLog {
    /// Who sent the request, as the application sees it.
    fn client(&self, entry: &LogEntry<'_>) -> Peer {
        let client = entry.client;
        let believed = self.believed.as_ref().filter(|_| client.is_trusted);
        let said = believed.and_then(|trusted| {
            let trusts = |address| trusted.contain_address(address);
            forwarded::client(fields(entry.request), trusts)?.address
        });
        match said {
            Some((address, port)) => Peer::Inet((address, port.unwrap_or(0)).into()),
            None => client.peer(),
        }
    }
}

fn outcome(called: u64, bytes: u64) -> Outcome {
    Outcome {
        bytes,
        micros: clock::monotonic_micros() - called,
    }
}

fn time_text(at: LocalTime, is_json: bool) -> String {
    let (time, year, day) = (at.time(), at.year, at.day);
    if is_json {
        return format!("{}T{time}{}", at.date(), at.offset(":"));
    }
    let month = MONTHS.get(at.month).unwrap_or(&"-");
    format!("[{day:02}/{month}/{year}:{time} {}]", at.offset(""))
}

/// An `OSError` with the system's words, without its number.
fn os_error(gil: Gil<'_>, before: &str, error: &io::Error) -> Raised {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    Raised::new(gil, Kind::OSError, &format!("{before}{reason}"))
}
