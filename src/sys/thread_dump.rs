//! What a thread writes about itself in the handler of a signal, read by another thread.
//!
//! The handler is the program's (`faulthandler`'s), which writes into our pipe; ours over it says when
//! it has. The signal is one of the real-time ones that nobody uses. Linux only: elsewhere there are
//! none.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::thread::ThreadId;

/// The handler that writes; 0: there is none.
static WRITER: AtomicUsize = AtomicUsize::new(0);

/// A handler has written.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// A signal and the pipe that its handler writes into.
pub struct ThreadDump {
    signum: libc::c_int,
    reader: File,
    writer: OwnedFd,
    /// A thread was asked and has not written.
    is_owed: AtomicBool,
}

impl ThreadDump {
    /// A signal without a handler, and a pipe; `None` where every signal has one.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`.
    pub fn new() -> io::Result<Option<ThreadDump>> {
        let Some(signum) = unused_signal() else {
            return Ok(None);
        };
        let (reader, writer) = pipe()?;
        Ok(Some(ThreadDump {
            signum,
            reader: File::from(reader),
            writer,
            is_owed: AtomicBool::new(false),
        }))
    }

    /// The signal for which the program is to install its handler.
    pub fn signum(&self) -> i32 {
        self.signum
    }

    /// What that handler is to write into.
    pub fn writer(&self) -> RawFd {
        self.writer.as_raw_fd()
    }

    /// The handler is installed: from now on ours calls it.
    ///
    /// # Errors
    /// Those of sigaction(2).
    pub fn cover(&self) -> io::Result<()> {
        let mut action = action_of(self.signum)?;
        if action.sa_flags & libc::SA_SIGINFO != 0 {
            // It takes more than a number.
            return Err(io::ErrorKind::Unsupported.into());
        }
        WRITER.store(action.sa_sigaction, Ordering::Relaxed);
        action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        set_action(self.signum, &action)
    }

    /// Asks a thread of this process to write.
    pub fn ask(&self, thread: ThreadId) {
        // What one that was asked before wrote too late.
        self.read();
        WRITTEN.store(false, Ordering::Release);
        self.is_owed.store(true, Ordering::Relaxed);
        #[cfg(target_os = "linux")]
        // SAFETY: numbers only. Where no such thread is left it fails.
        unsafe {
            libc::syscall(libc::SYS_tgkill, libc::getpid(), thread.kernel, self.signum);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = thread;
    }

    /// Whether it has written.
    pub fn has_written(&self) -> bool {
        let written = WRITTEN.load(Ordering::Acquire);
        if written {
            self.is_owed.store(false, Ordering::Relaxed);
        }
        written
    }

    /// What it wrote.
    pub fn read(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // It ends with EAGAIN, since the pipe has a writer.
        let _ = (&self.reader).read_to_end(&mut text);
        text
    }
}

impl Drop for ThreadDump {
    fn drop(&mut self) {
        WRITER.store(0, Ordering::Relaxed);
        if let Ok(mut action) = action_of(self.signum) {
            // A thread that blocks the signal may take it later, and is not to die of that.
            action.sa_sigaction = if self.is_owed.load(Ordering::Relaxed) && !self.has_written() {
                libc::SIG_IGN
            } else {
                libc::SIG_DFL
            };
            let _ = set_action(self.signum, &action);
        }
    }
}

/// Calls the handler that writes, and stores to an atomic.
extern "C" fn on_signal(signum: libc::c_int) {
    let writer = WRITER.load(Ordering::Relaxed);
    if writer > libc::SIG_IGN {
        // SAFETY: the kernel gave this address as a handler that takes a number.
        let writer: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(writer) };
        writer(signum);
    }
    WRITTEN.store(true, Ordering::Release);
}

#[cfg(target_os = "linux")]
fn unused_signal() -> Option<libc::c_int> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .rev()
        .find(|&signum| action_of(signum).is_ok_and(|action| action.sa_sigaction == libc::SIG_DFL))
}

#[cfg(not(target_os = "linux"))]
fn unused_signal() -> Option<libc::c_int> {
    None
}

fn action_of(signum: libc::c_int) -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only; the kernel fills `action` in, if it does not fail.
    unsafe {
        syscall!(sigaction(signum, ptr::null(), action.as_mut_ptr()))?;
        Ok(action.assume_init())
    }
}

fn set_action(signum: libc::c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: the kernel reads `action`, whose handler is the default, none, or `on_signal`, which a
    // signal may run at any moment.
    unsafe { syscall!(sigaction(signum, action, ptr::null_mut())) }.map(drop)
}

/// Neither end waits.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel fills in two new descriptors, which nobody else has.
    unsafe {
        syscall!(pipe(ends.as_mut_ptr()))?;
        let (reader, writer) = (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]));
        for end in ends {
            syscall!(fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC))?;
            syscall!(fcntl(end, libc::F_SETFL, libc::O_NONBLOCK))?;
        }
        Ok((reader, writer))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI32;

    static PIPE: AtomicI32 = AtomicI32::new(-1);

    extern "C" fn write_a_word(_: libc::c_int) {
        // SAFETY: a constant, into the test's pipe.
        unsafe { libc::write(PIPE.load(Ordering::Relaxed), c"here".as_ptr().cast(), 4) };
    }

    #[test]
    fn a_thread_that_waits_writes() {
        let dump = ThreadDump::new().unwrap().unwrap();
        PIPE.store(dump.writer(), Ordering::Relaxed);
        // SAFETY: the handler writes a constant.
        unsafe {
            libc::signal(
                dump.signum(),
                write_a_word as *const () as libc::sighandler_t,
            )
        };
        dump.cover().unwrap();
        let (known, id) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            known.send(ThreadId::current()).unwrap();
            ended.recv()
        });
        dump.ask(id.recv().unwrap());
        while !dump.has_written() {
            std::thread::yield_now();
        }
        assert_eq!(dump.read(), b"here");
        assert_eq!(dump.read(), b"");
        drop(end);
        assert!(thread.join().unwrap().is_err());
        let signum = dump.signum();
        drop(dump);
        assert_eq!(action_of(signum).unwrap().sa_sigaction, libc::SIG_DFL);
    }
}
