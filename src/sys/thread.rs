//! Threads of our own, which Python never sees.
//!
//! All their signals are blocked, so that handlers run in the program's threads as without us, and
//! system calls here are not interrupted. Such a thread has no interpreter's lock and never asks for
//! it. It is not there in the child of a fork.

use super::signal::Blocked;
use std::io;
use std::thread::{Builder, JoinHandle};

/// What a thread without deep calls needs, with a wide margin; the least that Linux's and Apple's
/// libraries allow is a fourth of it.
pub const SMALL_STACK: usize = 64 * 1024;

/// Starts a thread called `name` (as `ps -L` and debuggers show it, the first 15 bytes) with a stack of
/// `stack` bytes.
///
/// # Errors
/// Those of pthread_create(3): `EAGAIN` where the system allows no more threads.
pub fn spawn(
    name: &str,
    stack: usize,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    // A thread inherits the mask: blocked before it begins, no signal finds it unprepared.
    let _blocked = Blocked::all();
    Builder::new()
        .name(name.to_owned())
        .stack_size(stack)
        .spawn(body)
}

/// By how much the kernel may lengthen the waits of the calling thread, to end several at once
/// (Linux; elsewhere nothing changes). 0 is the process's default, 50,000 as a rule.
pub fn set_timer_slack(nanoseconds: u64) {
    #[cfg(target_os = "linux")]
    // SAFETY: numbers only; the call does not fail for any of them.
    unsafe {
        let nanoseconds = libc::c_ulong::try_from(nanoseconds).unwrap_or(libc::c_ulong::MAX);
        libc::prctl(libc::PR_SET_TIMERSLACK, nanoseconds);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = nanoseconds;
}

/// What a thread is known by, to Python and to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadId {
    /// `threading.get_ident()`.
    pub ident: i64,
    /// The kernel's number (Linux; elsewhere 0).
    pub kernel: i32,
}

impl ThreadId {
    /// The calling thread's.
    pub fn current() -> ThreadId {
        // SAFETY: both ask for a number.
        unsafe {
            ThreadId {
                ident: libc::pthread_self() as i64,
                #[cfg(target_os = "linux")]
                kernel: libc::gettid(),
                #[cfg(not(target_os = "linux"))]
                kernel: 0,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;

    /// Whether the calling thread blocks `signal`.
    fn blocks(signal: libc::c_int) -> bool {
        let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: asks only, into a set of ours.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), mask.as_mut_ptr());
            libc::sigismember(mask.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn its_signals_are_blocked_and_ours_are_not() {
        let body = || {
            assert_eq!(std::thread::current().name(), Some("fapws-test"));
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGPROF, libc::SIGPIPE] {
                assert!(blocks(signal), "{signal}");
            }
        };
        let thread = spawn("fapws-test", SMALL_STACK, body).unwrap();
        thread.join().unwrap();
        assert!(!blocks(libc::SIGINT));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn its_slack_is_its_own() {
        // SAFETY: asks for a number.
        let slack = || unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) };
        let before = slack();
        let body = move || {
            set_timer_slack(4_000_000);
            assert_eq!(slack(), 4_000_000);
            set_timer_slack(0);
            assert_eq!(slack(), before);
        };
        spawn("fapws-test", SMALL_STACK, body)
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(slack(), before);
    }
}
