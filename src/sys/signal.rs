//! What a signal does to the process, remembered and put back.
//!
//! The server borrows SIGINT, SIGTERM and SIGPIPE while it runs; the program's own handlers are
//! there again after it.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};

use libc::c_int;

use super::fork;

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

    /// Another one is in force, which stays.
    pub fn keep_other(self) {
        self.forget();
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

/// How many signals that end the process came since [`count_from_now`]: from elsewhere, and from the
/// parent.
///
/// They are counted apart where the parent passes on what it gets ([`expect_copies`]): a terminal, a shell's job or
/// systemd sends one signal to a whole group of processes, so that its children get two, and are asked once. What
/// the process sends itself follows what its parent sent, if that was first.
static ENDING: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Places in [`ENDING`].
const ELSEWHERE: usize = 0;
const PARENT: usize = 1;

/// The parent passes on what it gets.
static COPIES: AtomicBool = AtomicBool::new(false);

/// The number of the last of them.
static LAST: AtomicI32 = AtomicI32::new(0);

/// The signals that end a run.
pub const ENDINGS: [c_int; 2] = [libc::SIGINT, libc::SIGTERM];

/// What is known of a signal that ends a run. Addresses are those of handlers that take a number, or 0.
struct Ending {
    /// The loop's handler, which wakes it.
    wakes: AtomicUsize,
    /// The program's handler: Python's.
    program: AtomicUsize,
    /// What was in force before the run, with its flags: for a child that the program forks.
    before: AtomicUsize,
    before_flags: AtomicI32,
    /// The handler over both has run since [`was_noted`] was asked.
    noted: AtomicBool,
}

static KNOWN: [Ending; 2] = [const { Ending::new() }; 2];

impl Ending {
    const fn new() -> Ending {
        Ending {
            wakes: AtomicUsize::new(0),
            program: AtomicUsize::new(0),
            before: AtomicUsize::new(0),
            before_flags: AtomicI32::new(0),
            noted: AtomicBool::new(false),
        }
    }

    fn of(signum: c_int) -> &'static Ending {
        &KNOWN[usize::from(signum != ENDINGS[0])]
    }
}

/// The parent is a master, which passes on what it gets; any other parent's signal counts as everybody's.
pub fn expect_copies() {
    COPIES.store(true, Ordering::Relaxed);
}

/// Nothing has come yet.
pub fn count_from_now() {
    for count in &ENDING {
        count.store(0, Ordering::Relaxed);
    }
}

/// The end has begun: where no signal was its cause, the next one is the second.
pub fn count_beginning() {
    if ENDING
        .iter()
        .all(|count| count.load(Ordering::Relaxed) == 0)
    {
        for count in &ENDING {
            // One that has just come stays the first of its kind.
            let _ = count.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// The signal that came when another one had come before it from the same place. Counting needs no thread
/// of Python's: the main one may hang.
pub fn insists() -> Option<c_int> {
    let repeated = |count: &AtomicU32| count.load(Ordering::Relaxed) > 1;
    ENDING
        .iter()
        .any(repeated)
        .then(|| LAST.load(Ordering::Relaxed))
}

/// Whether the second one of a parent that passes on what it gets has come.
pub fn parent_insists() -> bool {
    ENDING[PARENT].load(Ordering::Relaxed) > 1
}

/// The loop's handler of this signal is in force: it is what [`note`] calls. `before` was in force before
/// it.
///
/// # Errors
/// Those of sigaction(2): none for [`ENDINGS`].
pub fn remember(signum: c_int, before: &Disposition) -> io::Result<()> {
    let ending = Ending::of(signum);
    let before = &before.before;
    ending.before.store(before.sa_sigaction, Ordering::Relaxed);
    ending
        .before_flags
        .store(before.sa_flags, Ordering::Relaxed);
    ending.noted.store(false, Ordering::Relaxed);
    ending.program.store(libc::SIG_DFL, Ordering::Relaxed);
    let wakes = Disposition::save(signum)?.forget().sa_sigaction;
    ending.wakes.store(wakes, Ordering::Relaxed);
    Ok(())
}

/// Puts a handler over the one that is in force, unless it is there: it counts, wakes the loop and calls the
/// one below. Who saved the disposition ([`Disposition::save`]) takes it away.
///
/// # Errors
/// Those of sigaction(2): none for [`ENDINGS`].
pub fn cover(signum: c_int) -> io::Result<()> {
    let mut action = Disposition::save(signum)?.forget();
    if is_ours(&action) || action.sa_flags & libc::SA_SIGINFO != 0 {
        return Ok(());
    }
    let ending = Ending::of(signum);
    ending.program.store(action.sa_sigaction, Ordering::Relaxed);
    action.sa_sigaction = on_ending_signal as *const () as libc::sighandler_t;
    // It looks at who has sent the signal. What the application waits for goes on.
    action.sa_flags |= libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: the handler is one that a signal may run at any moment, see there.
    unsafe { syscall!(sigaction(signum, &raw const action, ptr::null_mut())) }.map(drop)
}

/// Whether that handler is in force.
pub fn is_covered(signum: c_int) -> bool {
    Disposition::save(signum).is_ok_and(|action| is_ours(&action.forget()))
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == on_ending_signal as *const () as libc::sighandler_t
}

/// From now on it calls the program's handler no more.
pub fn leave_program_alone(signum: c_int) {
    Ending::of(signum)
        .program
        .store(libc::SIG_DFL, Ordering::Relaxed);
}

/// A signal that ends the run came: counts it, and wakes the loop.
pub fn note(signum: c_int) {
    note_from(signum, ELSEWHERE);
}

fn note_from(signum: c_int, origin: usize) {
    ENDING[origin].fetch_add(1, Ordering::Relaxed);
    LAST.store(signum, Ordering::Relaxed);
    call(Ending::of(signum).wakes.load(Ordering::Relaxed), signum);
}

/// Whether the signal for which the program's handler runs was noted, by the handler over it.
pub fn was_noted(signum: c_int) -> bool {
    Ending::of(signum).noted.swap(false, Ordering::Relaxed)
}

/// Changes atomics, and calls handlers that were there before, which are some already. In a child that the
/// program forked what was in force before the run is put back, and takes the signal.
extern "C" fn on_ending_signal(
    signum: c_int,
    info: *const libc::siginfo_t,
    _context: *const libc::c_void,
) {
    let ending = Ending::of(signum);
    if fork::is_child() {
        // SAFETY: zeros are an action; what the kernel gave is put back, and both calls are allowed here.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            before.sa_sigaction = ending.before.load(Ordering::Relaxed);
            before.sa_flags = ending.before_flags.load(Ordering::Relaxed);
            libc::sigaction(signum, &raw const before, ptr::null_mut());
            libc::raise(signum);
        }
        return;
    }
    ending.noted.store(true, Ordering::Relaxed);
    // SAFETY: the kernel gives a handler with SA_SIGINFO what it knows of the signal. A number that is no
    // sender's, as for a terminal's signal, is 0. Both calls are allowed in handlers.
    let (sender, parent, own) = unsafe {
        let sender = if info.is_null() { 0 } else { (*info).si_pid() };
        (sender, libc::getppid(), libc::getpid())
    };
    let after_parent = ENDING[PARENT].load(Ordering::Relaxed) != 0;
    let is_copy =
        COPIES.load(Ordering::Relaxed) && (sender == parent || sender == own && after_parent);
    note_from(signum, if is_copy { PARENT } else { ELSEWHERE });
    call(ending.program.load(Ordering::Relaxed), signum);
}

/// Calls a handler, if it is none of the kernel's own.
fn call(handler: usize, signum: c_int) {
    if handler != libc::SIG_DFL && handler != libc::SIG_IGN {
        // SAFETY: the kernel gave this address as a handler that takes a number. Those of libev and Python
        // leave errno as it is.
        let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
        handler(signum);
    }
}

/// What the default of a signal does, to this process.
pub fn take_default(signum: c_int) {
    // SAFETY: numbers only, which the kernel checks.
    unsafe {
        libc::signal(signum, libc::SIG_DFL);
        libc::raise(signum);
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
    /// for the code that blocked it. (Apple's system and OpenBSD have no call that takes a signal off
    /// without waiting; what is sent there raises none.)
    pub fn discard(&self, signum: c_int) {
        // SAFETY: the sets are whole and live through the calls; the time is zero, so nothing waits.
        #[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
        unsafe {
            if libc::sigismember(&self.before, signum) == 0 {
                let now: libc::timespec = std::mem::zeroed();
                libc::sigtimedwait(&set_of(signum), ptr::null_mut(), &now);
            }
        }
        #[cfg(any(target_vendor = "apple", target_os = "openbsd"))]
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
