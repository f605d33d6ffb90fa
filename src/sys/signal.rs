//! What a signal does to the process, remembered and put back.
//!
//! The server borrows SIGINT, SIGTERM and SIGPIPE while it runs; the program's own handlers are
//! there again after it.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use libc::c_int;

/// The disposition of a signal, put back when this is dropped.
pub struct Disposition {
    signum: c_int,
    before: libc::sigaction,
}

impl Disposition {
    /// Remembers what `signum` does now.
    ///
    /// # Errors
    /// `EINVAL`: there is no such signal.
    pub fn save(signum: c_int) -> io::Result<Disposition> {
        let mut before = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: asks only; the kernel fills `before` in, if it does not fail.
        let before = unsafe {
            syscall!(sigaction(signum, ptr::null(), before.as_mut_ptr()))?;
            before.assume_init()
        };
        Ok(Disposition { signum, before })
    }

    /// Remembers what `signum` does now and, if that is the default, ignores it from now on. A
    /// handler of the program's own stays.
    ///
    /// # Errors
    /// `EINVAL`: there is no such signal, or it cannot be ignored.
    pub fn ignore_if_default(signum: c_int) -> io::Result<Disposition> {
        let saved = Disposition::save(signum)?;
        if saved.before.sa_sigaction == libc::SIG_DFL {
            let mut ignore = saved.before;
            ignore.sa_sigaction = libc::SIG_IGN;
            // SAFETY: the kernel reads `ignore`, which installs no code of ours.
            unsafe { syscall!(sigaction(signum, &raw const ignore, ptr::null_mut())) }?;
        }
        Ok(saved)
    }
}

impl Drop for Disposition {
    fn drop(&mut self) {
        // SAFETY: puts back what the kernel itself gave. It was valid then; handlers are code that
        // Python or the C program never unloads.
        let _: io::Result<c_int> = unsafe {
            syscall!(sigaction(
                self.signum,
                &raw const self.before,
                ptr::null_mut()
            ))
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    /// The tests change what the whole process does about this signal.
    static TURN: Mutex<()> = Mutex::new(());
    const SIGNAL: c_int = libc::SIGUSR2;

    extern "C" fn handler(_: c_int) {}

    fn set(action: libc::sighandler_t) {
        // SAFETY: the default, or a handler that does nothing.
        unsafe { libc::signal(SIGNAL, action) };
    }

    fn action() -> libc::sighandler_t {
        Disposition::save(SIGNAL).unwrap().before.sa_sigaction
    }

    #[test]
    fn what_was_saved_is_put_back() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let own = handler as *const () as libc::sighandler_t;
        set(own);
        let saved = Disposition::save(SIGNAL).unwrap();
        set(libc::SIG_IGN);
        assert_eq!(action(), libc::SIG_IGN);
        drop(saved);
        assert_eq!(action(), own);
        set(libc::SIG_DFL);
    }

    #[test]
    fn only_the_default_gives_way_to_ignoring() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let ignored = Disposition::ignore_if_default(SIGNAL).unwrap();
        assert_eq!(action(), libc::SIG_IGN);
        drop(ignored);
        assert_eq!(action(), libc::SIG_DFL);

        let own = handler as *const () as libc::sighandler_t;
        set(own);
        let kept = Disposition::ignore_if_default(SIGNAL).unwrap();
        assert_eq!(action(), own);
        drop(kept);
        set(libc::SIG_DFL);
    }

    #[test]
    fn there_must_be_such_a_signal() {
        assert!(Disposition::save(-1).is_err());
        assert!(Disposition::save(10_000).is_err());
    }
}
