//! The form of the server's own lines: time, process, level, text, as the command writes them
//! (`fapws/server_log.py`). At the other end of the journal's socket each line has a priority instead.

#![forbid(unsafe_code)]

use std::time::{SystemTime, UNIX_EPOCH};

use crate::sys::clock::{LocalTime, local_time};
use crate::sys::file;

/// A level's name, and its priority (syslog(3)).
struct Level(&'static str, &'static str);

const WARNING: Level = Level("WARNING", "<4>");
const ERROR: Level = Level("ERROR", "<3>");

/// Where the lines go.
pub struct ServerLog {
    in_journal: bool,
}

impl ServerLog {
    /// The process's stderr, as it is now.
    pub fn of_stderr() -> ServerLog {
        ServerLog {
            in_journal: is_journal(),
        }
    }

    /// A text of one or more lines, as a warning.
    pub fn warning(&self, text: &[u8]) -> Vec<u8> {
        self.lines(WARNING, text)
    }

    /// The same as an error.
    pub fn error(&self, text: &[u8]) -> Vec<u8> {
        self.lines(ERROR, text)
    }

    fn lines(&self, Level(name, priority): Level, text: &[u8]) -> Vec<u8> {
        let text = text.trim_ascii_end();
        if self.in_journal {
            return with_priority(priority, text);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time = time_text(local_time(now.map_or(0, |now| now.as_secs() as i64)));
        let process = std::process::id();
        let mut lines = format!("[{time}] [{process}] [{name}] ").into_bytes();
        lines.extend_from_slice(text);
        lines.push(b'\n');
        lines
    }
}

fn with_priority(priority: &str, text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len() + 64);
    for line in text.split(|&byte| byte == b'\n') {
        lines.extend_from_slice(priority.as_bytes());
        lines.extend_from_slice(line);
        lines.push(b'\n');
    }
    lines
}

fn time_text(at: LocalTime) -> String {
    format!("{} {} {}", at.date(), at.time(), at.offset(""))
}

/// Whether stderr is what `JOURNAL_STREAM` names: a device and an inode.
fn is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    let identity = file::identity(2).map(|(device, inode)| format!("{device}:{inode}"));
    identity.is_ok_and(|identity| *stream == *identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_when_and_who() {
        let log = ServerLog { in_journal: false };
        let lines = String::from_utf8(log.warning(b"one\n  two\n")).unwrap();
        let process = std::process::id();
        assert!(
            lines.ends_with(&format!("] [{process}] [WARNING] one\n  two\n")),
            "{lines}"
        );
        assert_eq!(lines.find(']'), Some("[2026-01-02 03:04:05 +0000".len()));
    }

    #[test]
    fn in_the_journal_each_line_has_a_priority() {
        let log = ServerLog { in_journal: true };
        assert_eq!(log.warning(b"one\n  two\n"), b"<4>one\n<4>  two\n");
        assert_eq!(log.error(b"one"), b"<3>one\n");
    }
}
