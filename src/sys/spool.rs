//! A file without a name, for what is too long to be kept in memory.
//!
//! Invariant: no directory entry leads to it, so nothing is left behind however the process ends;
//! and the descriptor's own position stays at 0, whatever is appended or read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Names to try; each is this process's own, so that only files left by others are in the way.
const MAX_TRIES: usize = 1000;

/// Where temporary files are kept on every Unix, and those that are to survive a restart.
const USUAL: [&str; 2] = ["/tmp", "/var/tmp"];

/// An unlinked temporary file that grows at its end.
pub struct Spool {
    file: File,
    len: u64,
}

/// How many there are.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// How many spools the process has open, each with its descriptor.
pub fn open() -> usize {
    OPEN.load(Ordering::Relaxed)
}

impl Drop for Spool {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Spool {
    /// An empty one, in `TMPDIR`, or in the usual places where that cannot be used.
    ///
    /// # Errors
    /// Those of open(2) for the first folder.
    pub fn new() -> io::Result<Spool> {
        Spool::in_folder(&std::env::temp_dir()).or_else(|error| {
            let usual = USUAL.iter().map(Path::new);
            let made = usual.map(Spool::in_folder).find_map(Result::ok);
            made.ok_or(error)
        })
    }

    fn in_folder(dir: &Path) -> io::Result<Spool> {
        let file = nameless(dir).or_else(|_| named_and_unlinked(dir))?;
        OPEN.fetch_add(1, Ordering::Relaxed);
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
        if wanted == 0 {
            return Ok(0); // an offset far past the end is none for the system
        }
        loop {
            match self.file.read_at(&mut buffer[..wanted], offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
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
}

impl AsFd for Spool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
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
    for _ in 0..MAX_TRIES {
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
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file::duplicate;
    use std::io::Read;

    fn spools() -> [Spool; 2] {
        let file = named_and_unlinked(&std::env::temp_dir()).unwrap();
        [Spool::new().unwrap(), Spool { file, len: 0 }]
    }

    #[test]
    fn what_is_appended_can_be_read_anywhere() {
        for mut spool in spools() {
            assert!(spool.is_empty());
            spool.append(b"01234").unwrap();
            spool.append(b"").unwrap();
            spool.append(b"56789").unwrap();
            assert_eq!((spool.len(), spool.is_empty()), (10, false));
            let mut buffer = [0; 4];
            assert_eq!(spool.read_at(3, &mut buffer).unwrap(), 4);
            assert_eq!(&buffer, b"3456");
            assert_eq!(spool.read_at(8, &mut buffer).unwrap(), 2);
            assert_eq!(&buffer[..2], b"89");
            assert_eq!(spool.read_at(10, &mut buffer).unwrap(), 0);
            assert_eq!(spool.read_at(u64::MAX, &mut buffer).unwrap(), 0);

            let mut file = File::from(duplicate(spool.as_raw_fd()).unwrap());
            let mut whole = String::new();
            file.read_to_string(&mut whole).unwrap();
            assert_eq!(whole, "0123456789");
        }
    }

    #[test]
    fn no_name_leads_to_it_and_no_one_else_may_read_it() {
        use std::os::unix::fs::MetadataExt;
        for spool in spools() {
            let about = spool.file.metadata().unwrap();
            assert_eq!((about.nlink(), about.mode() & 0o777), (0, 0o600));
        }
    }

    #[test]
    fn a_failed_append_leaves_the_length() {
        let file = File::open("/dev/null").unwrap(); // not for writing
        let mut spool = Spool { file, len: 7 };
        assert!(spool.append(b"x").is_err());
        assert_eq!(spool.len(), 7);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_not_a_loop() {
        assert!(named_and_unlinked(Path::new("/nonexistent")).is_err());
    }
}
