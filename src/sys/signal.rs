//! What a signal does to the process, remembered and put back.
//!
//! The server borrows SIGINT, SIGTERM and SIGPIPE while it runs; the program's own handlers are
//! there again after it.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};

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

impl Disposition {
    /// Whether it was a handler, of the program's own.
    pub fn is_handler(&self) -> bool {
        !matches!(self.before.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
    }

    /// What it was, which is not put back.
    fn forget(self) -> libc::sigaction {
        let before = self.before;
        std::mem::forget(self);
        before
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

/// How many signals that end the process came since [`count_from_now`].
static ENDING: AtomicU32 = AtomicU32::new(0);

/// The number of the last of them.
static LAST: AtomicI32 = AtomicI32::new(0);

/// The handler that counts calls the one before it: one for each signal that is counted.
static CHAINED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// The signals that are counted.
const COUNTED: [c_int; 2] = [libc::SIGINT, libc::SIGTERM];

/// Nothing has come yet.
pub fn count_from_now() {
    ENDING.store(0, Ordering::Relaxed);
}

/// The signal that came when another one had come before it. Counting needs no thread of Python's: the
/// main one may hang.
pub fn insists() -> Option<c_int> {
    (ENDING.load(Ordering::Relaxed) > 1).then(|| LAST.load(Ordering::Relaxed))
}

/// Puts a handler over those of SIGINT and SIGTERM that counts, and calls the one that was there. Who
/// saved the dispositions ([`Disposition::save`]) takes it away.
///
/// # Errors
/// Those of sigaction(2): none for these signals.
pub fn count() -> io::Result<()> {
    for (signum, chained) in COUNTED.into_iter().zip(&CHAINED) {
        let mut action = Disposition::save(signum)?.forget();
        if action.sa_sigaction == on_ending_signal as *const () as libc::sighandler_t
            || action.sa_sigaction == libc::SIG_IGN
            || action.sa_flags & libc::SA_SIGINFO != 0
        {
            continue;
        }
        chained.store(action.sa_sigaction, Ordering::Relaxed);
        action.sa_sigaction = on_ending_signal as *const () as libc::sighandler_t;
        // SAFETY: the handler is one that a signal may run at any moment, see there.
        unsafe { syscall!(sigaction(signum, &raw const action, ptr::null_mut())) }?;
    }
    Ok(())
}

/// Changes atomics, and calls the handler that was there before, which is one already.
extern "C" fn on_ending_signal(signum: c_int) {
    ENDING.fetch_add(1, Ordering::Relaxed);
    LAST.store(signum, Ordering::Relaxed);
    let place = usize::from(signum != COUNTED[0]);
    let chained = CHAINED[place].load(Ordering::Relaxed);
    if chained != libc::SIG_DFL && chained != libc::SIG_IGN {
        // SAFETY: the kernel gave this address as a handler that takes a number.
        let chained: extern "C" fn(c_int) = unsafe { std::mem::transmute(chained) };
        chained(signum);
    }
}

/// Signals that the calling thread does not get until this is dropped.
pub struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    /// Every signal.
    pub fn all() -> Blocked {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the call fills the set in.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            Blocked::set(&all.assume_init())
        }
    }

    /// This one.
    pub fn one(signum: c_int) -> Blocked {
        Blocked::set(&set_of(signum))
    }

    fn set(set: &libc::sigset_t) -> Blocked {
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: the kernel reads one set and fills the other in; the call does not fail for these
        // arguments, and zeros are a set too.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, set, before.as_mut_ptr());
            Blocked {
                before: before.assume_init(),
            }
        }
    }

    /// Drops `signum` if it came meanwhile to this thread, unless it was blocked before: then it waits
    /// for the code that blocked it. (Apple's system has no call that takes a signal off without waiting;
    /// sockets raise none there.)
    pub fn discard(&self, signum: c_int) {
        // SAFETY: the sets are whole and live through the calls; the time is zero, so nothing waits.
        #[cfg(not(target_vendor = "apple"))]
        unsafe {
            if libc::sigismember(&self.before, signum) == 0 {
                let now: libc::timespec = std::mem::zeroed();
                libc::sigtimedwait(&set_of(signum), ptr::null_mut(), &now);
            }
        }
        #[cfg(target_vendor = "apple")]
        let _ = signum;
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: puts back what the kernel gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

fn set_of(signum: c_int) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call fills the set in; the second fails for a number that is no signal's, and
    // leaves it empty.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signum);
        set.assume_init()
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
