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
