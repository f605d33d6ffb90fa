//! The descriptor that libev is woken by: an eventfd, to which signals and other threads write.
//!
//! A program can close it by mistake. Then nothing wakes the loop any more, and what libev writes lands in
//! whatever has the number by then. libev does not say which number that is, so it is found when the loop
//! is made, on Linux. Each tick looks whether it is that descriptor still, and each `accept` whether it got
//! the number.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::OnceLock;

/// The descriptor, where it is known.
static MADE: OnceLock<Option<Descriptor>> = OnceLock::new();

#[derive(Clone, Copy, PartialEq, Eq)]
struct Descriptor {
    number: RawFd,
    device: libc::dev_t,
    inode: libc::ino_t,
}

/// libev has made it: it is the one that was not there `before`. A child of a fork has another one, of the
/// same number and kind.
pub fn note_made(before: &[RawFd]) {
    let mut new = event_descriptors();
    new.retain(|number| !before.contains(number));
    MADE.get_or_init(|| match *new {
        [number] => descriptor(number),
        // Another thread has made one meanwhile.
        _ => None,
    });
}

/// Whether it is closed, or its number another descriptor's.
pub fn is_lost() -> bool {
    known().is_some_and(|made| descriptor(made.number) != Some(made))
}

/// Whether it has this number.
pub fn has_number(number: RawFd) -> bool {
    known().is_some_and(|made| made.number == number)
}

fn known() -> Option<Descriptor> {
    MADE.get().copied().flatten()
}

fn descriptor(number: RawFd) -> Option<Descriptor> {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fills `about` in, unless it fails; the number is checked by the kernel.
    let about = unsafe {
        if libc::fstat(number, about.as_mut_ptr()) != 0 {
            return None;
        }
        about.assume_init()
    };
    Some(Descriptor {
        number,
        device: about.st_dev,
        inode: about.st_ino,
    })
}

/// The numbers of all that the process has; none where nobody can say.
pub fn event_descriptors() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let is_event = |entry: &std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path());
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[eventfd]")
    };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries
        .flatten()
        .filter(is_event)
        .filter_map(number)
        .collect()
}
