//! Lines of the access log that are gathered, and written together.
//!
//! A line is written at the monitor's second look after it came, or when so many are gathered that the
//! turn does it. Two mutexes: a line is never waited for by what writes the ones before it. Nothing is
//! locked while Python runs. What cannot be written at once is lost, and counted.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::access_log::escape::shorten_json;
use crate::sys::log_file::LogFile;

/// Bytes that are gathered at most before the turn writes them.
const GATHERED: usize = 64 << 10;

/// Bytes that are kept while a disk takes its time; what comes then is lost.
const MOST: usize = 4 << 20;

/// A buffer that grew beyond this is freed.
const KEPT: usize = 256 << 10;

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// The monitor has looked since the first of them came.
    seen: bool,
}

#[derive(Default)]
struct Writer {
    file: Option<LogFile>,
    is_json: bool,
    spare: Vec<u8>,
}

/// The lines of a run.
#[derive(Default)]
pub struct LogLines {
    gathered: Mutex<Gathered>,
    writer: Mutex<Writer>,
    lost: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it was locked left a line cut at most.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogLines {
    /// From now on lines go to `file`; those that are gathered still go where they went before.
    pub fn set_file(&self, file: LogFile, is_json: bool) {
        let mut writer = lock(&self.writer);
        self.write(&mut writer);
        writer.file = Some(file);
        writer.is_json = is_json;
    }

    /// Adds a line, which `push` puts behind those that are there.
    pub fn add(&self, push: impl FnOnce(&mut Vec<u8>)) {
        let mut gathered = lock(&self.gathered);
        if gathered.bytes.len() < MOST {
            push(&mut gathered.bytes);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A look of the monitor: writes what was there at the look before.
    pub fn look(&self) {
        {
            let mut gathered = lock(&self.gathered);
            if gathered.bytes.is_empty() || !std::mem::replace(&mut gathered.seen, true) {
                return;
            }
        }
        self.try_flush();
    }

    /// The turn ends: writes what is gathered, if it is much, or nobody else will.
    pub fn end_turn(&self, has_monitor: bool) {
        let length = lock(&self.gathered).bytes.len();
        if length >= GATHERED || length > 0 && !has_monitor {
            self.try_flush();
        }
    }

    /// Writes what is gathered, unless another thread writes.
    fn try_flush(&self) {
        match self.writer.try_lock() {
            Ok(mut writer) => self.write(&mut writer),
            Err(TryLockError::Poisoned(writer)) => self.write(&mut writer.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Writes what is gathered.
    pub fn flush(&self) {
        self.write(&mut lock(&self.writer));
    }

    /// Lines that were lost since the last time.
    pub fn take_lost(&self) -> u64 {
        match self.lost.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.lost.swap(0, Ordering::Relaxed),
        }
    }

    fn write(&self, writer: &mut Writer) {
        let spare = std::mem::take(&mut writer.spare);
        let mut lines = {
            let mut gathered = lock(&self.gathered);
            gathered.seen = false;
            std::mem::replace(&mut gathered.bytes, spare)
        };
        if !lines.is_empty()
            && let Some(file) = &mut writer.file
        {
            let is_json = writer.is_json;
            let lost = file.write(&lines, |line, most| {
                if is_json {
                    shorten_json(line, most);
                }
            });
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
        lines.clear();
        if lines.capacity() <= KEPT {
            writer.spare = lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;

    use crate::sys::file::duplicate;
    use crate::sys::spool::Spool;

    fn content(spool: &Spool) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        let file = File::from(duplicate(spool.as_raw_fd()).unwrap());
        let length = file.read_at(&mut bytes, 0).unwrap();
        bytes.truncate(length);
        bytes
    }

    fn add(lines: &LogLines, line: &[u8]) {
        lines.add(|out| out.extend_from_slice(line));
    }

    #[test]
    fn a_line_is_written_at_the_second_look() {
        let (spool, lines) = (Spool::new().unwrap(), LogLines::default());
        lines.set_file(LogFile::adopt(spool.as_raw_fd()).unwrap(), false);
        add(&lines, b"one\n");
        lines.look();
        assert_eq!(content(&spool), b"");
        add(&lines, b"two\n");
        lines.look();
        assert_eq!(content(&spool), b"one\ntwo\n");
        add(&lines, b"three\n");
        lines.look();
        assert_eq!(content(&spool), b"one\ntwo\n");
        lines.end_turn(true);
        assert_eq!(content(&spool), b"one\ntwo\n", "the monitor does it");
        lines.end_turn(false);
        assert_eq!(content(&spool), b"one\ntwo\nthree\n");
    }

    #[test]
    fn a_turn_writes_what_is_much() {
        let (spool, lines) = (Spool::new().unwrap(), LogLines::default());
        lines.set_file(LogFile::adopt(spool.as_raw_fd()).unwrap(), false);
        add(&lines, &b"x\n".repeat(GATHERED / 2));
        lines.end_turn(true);
        assert_eq!(content(&spool).len(), GATHERED);
        assert_eq!(lines.take_lost(), 0);
    }

    #[test]
    fn what_came_before_the_file_changed_goes_to_the_old_one() {
        let (old, new, lines) = (
            Spool::new().unwrap(),
            Spool::new().unwrap(),
            LogLines::default(),
        );
        lines.set_file(LogFile::adopt(old.as_raw_fd()).unwrap(), false);
        add(&lines, b"one\n");
        lines.set_file(LogFile::adopt(new.as_raw_fd()).unwrap(), false);
        add(&lines, b"two\n");
        lines.flush();
        assert_eq!(
            (content(&old), content(&new)),
            (b"one\n".to_vec(), b"two\n".to_vec())
        );
    }

    #[test]
    fn memory_is_bounded_and_what_is_lost_is_counted() {
        let lines = LogLines::default();
        add(&lines, &b"x".repeat(MOST));
        add(&lines, b"one\n");
        add(&lines, b"two\n");
        assert_eq!((lines.take_lost(), lines.take_lost()), (2, 0));
    }
}
