//! A file without a name, for what is too long to be kept in memory.
//!
//! Invariant: no directory entry leads to it, so nothing is left behind however the process ends;
//! and the descriptor's own position stays at 0, whatever is appended or read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// An unlinked temporary file that grows at its end.
pub struct Spool {
    file: File,
    len: u64,
}

impl Spool {
    /// An empty one, in `TMPDIR` or `/tmp`.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn new() -> io::Result<Spool> {
        let dir = std::env::temp_dir();
        let file = nameless(&dir).or_else(|_| named_and_unlinked(&dir))?;
        Ok(Spool { file, len: 0 })
    }

    /// Adds `bytes` at the end. A failure adds nothing that counts.
    ///
    /// # Errors
    /// Those of write(2): `ENOSPC`, `EDQUOT`, `EIO`, ...
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Reads from `offset`; the count is short at the end, and 0 past it.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        loop {
            match self.file.read_at(&mut buffer[..wanted], offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    /// How many bytes were appended.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The descriptor itself, positioned at the start.
    pub fn into_fd(self) -> OwnedFd {
        self.file.into()
    }
}

impl AsRawFd for Spool {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

#[cfg(target_os = "linux")]
fn nameless(dir: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(dir)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// For file systems without `O_TMPFILE` (NFS, older overlays) and other systems.
fn named_and_unlinked(dir: &Path) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("fapws-{}-{count}", std::process::id()));
        // Exclusive, so that nobody's link or file of that name is followed or shared.
        match OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
        }
    }
}
