//! Where lines of a log go: a file, or something that somebody has to read.
//!
//! A file takes what is written. A pipe, a terminal or a socket may be full, and its reader may be gone:
//! it is never waited for, and what cannot be written at once is lost. To ask first is not enough, since
//! another process may fill a pipe that both share; so pipes and terminals are opened a second time,
//! where `/proc` allows that, as a description that does not block: the flags of the first one belong
//! to everybody who has it. What goes at once is whole lines, so that no two processes mix theirs.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::file::duplicate;
use super::poll::{PIPE_BUF, writable_now};

const FLAGS: i32 = libc::O_APPEND | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;

/// Where lines go.
pub struct LogFile {
    file: OwnedFd,
    kind: Kind,
    /// What was written last ends within a line.
    torn: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A regular file.
    File,
    /// A description of our own that does not block.
    Own,
    /// A description that others have too.
    Shared,
    Socket,
}

impl LogFile {
    /// Opens a file to append to, and makes one that is not there. A pipe is not waited for.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let open = |flags: i32| -> io::Result<OwnedFd> {
            // SAFETY: the path ends in NUL and is only read; the result is a new descriptor.
            unsafe {
                let fd = syscall!(open(path.as_ptr(), flags | FLAGS, 0o644))?;
                Ok(OwnedFd::from_raw_fd(fd))
            }
        };
        let file = match open(libc::O_WRONLY | libc::O_CREAT) {
            // A pipe without a reader yet can be opened for both.
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => open(libc::O_RDWR)?,
            opened => opened?,
        };
        let kind = match mode(file.as_raw_fd())? {
            libc::S_IFREG => Kind::File,
            _ => Kind::Own,
        };
        Ok(LogFile::new(file, kind))
    }

    /// Writes to what a caller has open, by a descriptor of its own.
    ///
    /// # Errors
    /// `EBADF` and `EMFILE`.
    pub fn adopt(fd: RawFd) -> io::Result<LogFile> {
        let kind = match mode(fd)? {
            // The position belongs to all who have the file.
            libc::S_IFREG => Kind::File,
            libc::S_IFSOCK => Kind::Socket,
            _ => {
                if let Some(own) = open_again(fd) {
                    return Ok(LogFile::new(own, Kind::Own));
                }
                Kind::Shared
            }
        };
        Ok(LogFile::new(duplicate(fd)?, kind))
    }

    fn new(file: OwnedFd, kind: Kind) -> LogFile {
        LogFile {
            file,
            kind,
            torn: false,
        }
    }

    /// Writes whole lines, each with its end; how many were lost. `fit` shortens a line, without its end,
    /// to so many bytes, where one would be torn.
    pub fn write(&mut self, lines: &[u8], fit: impl Fn(&mut Vec<u8>, usize)) -> u64 {
        let mut rest = lines;
        while !rest.is_empty() {
            let fitted;
            let (mut piece, behind) = rest.split_at(self.piece(rest));
            if self.kind != Kind::File && piece.len() > PIPE_BUF {
                let mut line = piece[..piece.len() - 1].to_vec();
                fit(&mut line, PIPE_BUF - 1);
                line.truncate(PIPE_BUF - 1);
                line.push(b'\n');
                fitted = line;
                piece = &fitted;
            }
            if self.torn && matches!(self.write_piece(b"\n"), Ok(1..)) {
                self.torn = false;
            }
            let written = self.write_piece(piece).unwrap_or(0);
            self.torn |= written > 0 && piece[written - 1] != b'\n';
            if written < piece.len() {
                // What comes behind it would not be taken either.
                return count_lines(&piece[written..]) + count_lines(behind);
            }
            rest = behind;
        }
        0
    }

    /// How many of these bytes are written at once.
    fn piece(&self, lines: &[u8]) -> usize {
        if self.kind == Kind::File || lines.len() <= PIPE_BUF {
            return lines.len();
        }
        match memchr::memrchr(b'\n', &lines[..PIPE_BUF]) {
            Some(end) => end + 1,
            None => memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
        }
    }

    fn write_piece(&self, piece: &[u8]) -> io::Result<usize> {
        let fd = self.file.as_raw_fd();
        let (start, length) = (piece.as_ptr().cast(), piece.len());
        match self.kind {
            Kind::Socket => {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                // SAFETY: the bytes are only read.
                Ok(unsafe { syscall!(send(fd, start, length, flags)) }? as usize)
            }
            Kind::Shared if !writable_now(fd) => Err(io::ErrorKind::WouldBlock.into()),
            Kind::Own | Kind::Shared => {
                // SAFETY: the bytes are only read.
                Ok(unsafe { syscall!(write(fd, start, length)) }? as usize)
            }
            Kind::File => {
                let mut written = 0;
                while written < length {
                    // SAFETY: the bytes from there on are only read.
                    match unsafe {
                        syscall!(write(
                            fd,
                            piece[written..].as_ptr().cast(),
                            length - written
                        ))
                    } {
                        Ok(count) if count > 0 => written += count as usize,
                        _ => break,
                    }
                }
                Ok(written)
            }
        }
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// What kind of file it is.
fn mode(fd: RawFd) -> io::Result<libc::mode_t> {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills `about` in, if it does not fail.
    let about = unsafe {
        syscall!(fstat(fd, about.as_mut_ptr()))?;
        about.assume_init()
    };
    Ok(about.st_mode & libc::S_IFMT)
}

/// The same pipe or terminal, opened once more.
fn open_again(fd: RawFd) -> Option<OwnedFd> {
    let path = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
    // SAFETY: the path ends in NUL and is only read; the result is a new descriptor.
    unsafe {
        let own = syscall!(open(path.as_ptr(), libc::O_WRONLY | FLAGS)).ok()?;
        Some(OwnedFd::from_raw_fd(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::FileExt;
    use std::os::unix::net::UnixStream;

    fn cut(line: &mut Vec<u8>, most: usize) {
        line.truncate(most);
    }

    fn pipe() -> (std::fs::File, OwnedFd) {
        let mut ends = [0; 2];
        // SAFETY: the array has room for the two descriptors, which are new and nobody else's.
        unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            (
                std::fs::File::from(OwnedFd::from_raw_fd(ends[0])),
                OwnedFd::from_raw_fd(ends[1]),
            )
        }
    }

    #[test]
    fn a_file_gets_every_byte() {
        let spool = super::super::spool::Spool::new().unwrap();
        let mut log = LogFile::adopt(spool.as_raw_fd()).unwrap();
        let lines = [&b"x".repeat(PIPE_BUF * 3)[..], b"\nshort\n"].concat();
        assert_eq!(log.write(&lines, cut), 0);
        let mut read = vec![0; lines.len()];
        let file = std::fs::File::from(duplicate(spool.as_raw_fd()).unwrap());
        assert_eq!(file.read_at(&mut read, 0).unwrap(), lines.len());
        assert_eq!(read, lines);
    }

    #[test]
    fn a_full_pipe_loses_lines_and_is_not_waited_for() {
        let (mut reader, writer) = pipe();
        let mut log = LogFile::adopt(writer.as_raw_fd()).unwrap();
        let lines = b"0123456789\n".repeat(100_000);
        let lost = log.write(&lines, cut);
        assert!(lost > 0);
        drop((log, writer));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(count_lines(&read) + lost, 100_000);
        assert!(read.chunks(11).all(|line| line == b"0123456789\n"));
    }

    #[test]
    fn a_pipe_gets_a_long_line_shortened() {
        let (mut reader, writer) = pipe();
        let mut log = LogFile::adopt(writer.as_raw_fd()).unwrap();
        let lines = [b"a\n", &b"x".repeat(PIPE_BUF)[..], b"\nb\n"].concat();
        assert_eq!(log.write(&lines, cut), 0);
        drop((log, writer));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(
            read,
            [b"a\n", &b"x".repeat(PIPE_BUF - 1)[..], b"\nb\n"].concat()
        );
    }

    #[test]
    fn a_socket_without_a_reader_loses_lines() {
        let (near, far) = UnixStream::pair().unwrap();
        let mut log = LogFile::adopt(near.as_raw_fd()).unwrap();
        assert!(log.write(&b"line\n".repeat(1_000_000), cut) > 0);
        drop(far);
        assert_eq!(log.write(b"a\nb\n", cut), 2);
    }

    #[test]
    fn a_full_disk_loses_lines() {
        let mut log = LogFile::open(Path::new("/dev/full")).unwrap();
        assert_eq!(log.write(b"a\nb\n", cut), 2);
        assert!(LogFile::open(Path::new("/nowhere/a.log")).is_err());
        assert!(LogFile::adopt(-1).is_err());
    }
}
