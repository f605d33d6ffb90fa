//! Words of memory that other processes see too: a shared mapping of a part of a file.
//!
//! The maker of the file may read and write it at any time, so the words are atomics, and no value in
//! them is trusted. A mapping lives as long as the process.

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::AtomicU64;

use super::file::size;

/// The bytes of a word.
pub const WORD: u64 = size_of::<AtomicU64>() as u64;

/// Maps `count` words of the file `fd` from byte `offset`, a multiple of [`WORD`], for reading and
/// writing. The file must not become shorter; `fd` may be closed.
///
/// # Errors
/// `InvalidInput` for an offset between two words, or words that the file does not have; those of
/// fstat(2) and mmap(2).
pub fn map_words(fd: RawFd, offset: u64, count: usize) -> io::Result<&'static [AtomicU64]> {
    let length = count as u64 * WORD;
    let end = offset.checked_add(length);
    if !offset.is_multiple_of(WORD) || end.is_none_or(|end| size(fd).is_ok_and(|size| end > size)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    size(fd)?;
    // A mapping begins at a page; sysconf(3) cannot fail for this name.
    // SAFETY: numbers only, which the kernel checks.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    let within = offset % page;
    // SAFETY: the kernel picks an address where nothing is.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            (within + length) as usize,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            fd,
            (offset - within) as libc::off_t,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping has `within + length` bytes, is never unmapped, begins at a page and so is
    // aligned at `within`, a multiple of a word. An `AtomicU64` may have any bits, and may be changed
    // by other processes as by other threads. The file is as long as the words need (above).
    Ok(
        unsafe {
            std::slice::from_raw_parts(start.cast::<u8>().add(within as usize).cast(), count)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::spool::Spool;
    use std::os::fd::AsRawFd;
    use std::sync::atomic::Ordering;

    fn file(bytes: usize) -> Spool {
        let mut spool = Spool::new().unwrap();
        spool.append(&vec![0; bytes]).unwrap();
        spool
    }

    #[test]
    fn what_one_mapping_writes_another_reads_and_the_file_has() {
        let spool = file(3 * 4096);
        let one = map_words(spool.as_raw_fd(), 4096 + 16, 3).unwrap();
        let other = map_words(spool.as_raw_fd(), 4096, 5).unwrap();
        one[1].store(0x1234, Ordering::Relaxed);
        assert_eq!(other[3].load(Ordering::Relaxed), 0x1234);
        let mut bytes = [0; 8];
        spool.read_at(4096 + 24, &mut bytes).unwrap();
        assert_eq!(u64::from_ne_bytes(bytes), 0x1234);
    }

    #[test]
    fn words_that_the_file_does_not_have_are_an_error() {
        let spool = file(64);
        let kind = |offset, count| {
            let mapped = map_words(spool.as_raw_fd(), offset, count);
            mapped.map(<[AtomicU64]>::len).map_err(|error| error.kind())
        };
        assert_eq!(kind(0, 8), Ok(8));
        assert_eq!(kind(8, 8), Err(io::ErrorKind::InvalidInput));
        assert_eq!(kind(u64::MAX - 7, 8), Err(io::ErrorKind::InvalidInput));
        assert_eq!(kind(4, 1), Err(io::ErrorKind::InvalidInput));
        assert!(map_words(-1, 0, 1).is_err());
    }
}
