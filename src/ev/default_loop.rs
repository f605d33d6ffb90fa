//! The default loop: making it, running it, asking it.
//!
//! Owns the loop's address and what must be done once for it: SIGCHLD put back, the fork handler. Whose
//! loop it is at a time is `ownership`'s.

use super::event_descriptor;
use super::ffi::{self, EvLoop};
use super::ownership::{self, LoopGuard};
use super::panics::{guarded, report_fatal};
use super::verify::{can_poll, give_up_closed};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The default loop once it is made; it lives as long as the process.
static DEFAULT: AtomicPtr<EvLoop> = AtomicPtr::new(ptr::null_mut());

/// The version of the libev that is really loaded: major, minor.
pub fn version() -> (i32, i32) {
    // SAFETY: both only return a constant.
    unsafe { (ffi::ev_version_major(), ffi::ev_version_minor()) }
}

/// Why there is no loop to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopError {
    /// None of the backends that `LIBEV_FLAGS` allows works on this system.
    NoBackend,
    /// Another thread runs the loop or has watchers on it.
    OtherThread,
    /// The process has no descriptor left for the loop.
    NoDescriptor,
}

impl fmt::Display for LoopError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            LoopError::NoBackend => "libev has no usable backend (see LIBEV_FLAGS)",
            LoopError::OtherThread => "the event loop is in use by another thread",
            LoopError::NoDescriptor => "no file descriptor is left for the event loop",
        })
    }
}

impl std::error::Error for LoopError {}

const EVENT_DESCRIPTOR_LOST: &str =
    "eventfd: the program closed the descriptor that the loop is woken by";

/// libev's default loop. To have one of these is to know that the loop was made.
#[derive(Clone, Copy)]
pub struct Loop {
    not_send: PhantomData<*mut ()>,
}

impl Loop {
    /// The default loop, made by the first call with the backend that `LIBEV_FLAGS` asks for.
    pub fn default_loop() -> Result<Loop, LoopError> {
        let _guard = LoopGuard::try_new().map_err(|_| LoopError::OtherThread)?;
        if DEFAULT.load(Ordering::Relaxed).is_null() {
            DEFAULT.store(make_default_loop()?, Ordering::Relaxed);
        }
        Ok(Loop {
            not_send: PhantomData,
        })
    }

    /// What libev polls with: `select`, `poll`, `epoll`, `kqueue`, ...
    pub fn backend(self) -> &'static str {
        let _guard = LoopGuard::new();
        // SAFETY: the loop exists (`self`) and is this thread's (`_guard`).
        match unsafe { ffi::ev_backend(raw()) } {
            0x01 => "select",
            0x02 => "poll",
            0x04 => "epoll",
            0x08 => "kqueue",
            0x10 => "devpoll",
            0x20 => "port",
            0x40 => "linuxaio",
            0x80 => "iouring",
            _ => "unknown",
        }
    }

    /// Handles events until [`Loop::stop`], or until no watcher is left.
    pub fn run(self) {
        let guard = LoopGuard::new();
        give_up_closed(&guard);
        // SAFETY: the loop exists (`self`) and is this thread's (`_guard`) until the call returns.
        // Callbacks do not unwind: each catches its panics.
        unsafe { ffi::ev_run(raw(), 0) };
    }

    /// One turn: polls, waiting for an event if `wait`, and calls back for what is ready.
    pub fn poll(self, wait: bool) {
        let guard = LoopGuard::new();
        let news = give_up_closed(&guard);
        if news && !can_poll(self.backend()) {
            end_process("epoll: the program closed the loop's descriptor");
        }
        let flags = if wait && !news {
            ffi::EVRUN_ONCE
        } else {
            ffi::EVRUN_NOWAIT
        };
        ownership::set_busy(true);
        // SAFETY: as in `run`.
        unsafe { ffi::ev_run(raw(), flags) };
        ownership::set_busy(false);
    }

    /// Ends the process, with a line in the log, where the program closed the descriptor that the loop is woken
    /// by: no signal and no other thread could do so any more.
    pub fn verify(self) {
        if event_descriptor::is_lost() {
            end_process(EVENT_DESCRIPTOR_LOST);
        }
    }

    /// The same where a new descriptor got its number: libev would write to that one.
    pub fn verify_new(self, number: RawFd) {
        if event_descriptor::has_number(number) {
            end_process(EVENT_DESCRIPTOR_LOST);
        }
    }

    /// Whether threads take turns with the loop, each under one lock of theirs that it holds whenever it
    /// calls something here, and gives up only around the wait ([`Loop::on_wait`]).
    pub fn take_turns(self, turns: bool) {
        ownership::take_turns(turns);
    }

    /// Makes [`Loop::run`] return once the events at hand are handled, before it waits again. Means
    /// nothing while the loop does not run.
    pub fn stop(self) {
        let _guard = LoopGuard::new();
        // SAFETY: as in `backend`.
        unsafe { ffi::ev_break(raw(), ffi::EVBREAK_ALL) }
    }

    /// How many events were polled and are not handled yet.
    pub fn pending(self) -> u32 {
        let _guard = LoopGuard::new();
        // SAFETY: as in `backend`.
        unsafe { ffi::ev_pending_count(raw()) }
    }

    /// Seconds since the epoch when the loop last woke up.
    pub fn now(self) -> f64 {
        let _guard = LoopGuard::new();
        // SAFETY: as in `backend`.
        unsafe { ffi::ev_now(raw()) }
    }

    /// Reads the clock again, for timers that are started long after the loop woke up.
    pub fn update_now(self) {
        let _guard = LoopGuard::new();
        // SAFETY: as in `backend`.
        unsafe { ffi::ev_now_update(raw()) }
    }

    /// From now on calls `release` before each poll, blocking or not, and `acquire` after it. The
    /// last pair counts, in the thread that named it. Neither may touch the loop.
    pub fn on_wait(self, release: fn(), acquire: fn()) {
        let _guard = LoopGuard::new();
        RELEASE.set(release);
        ACQUIRE.set(acquire);
        // SAFETY: as in `backend`; both functions fit the type and do not unwind.
        unsafe { ffi::ev_set_loop_release_cb(raw(), Some(before_wait), Some(after_wait)) }
    }

    /// The same in another thread of those that take turns with the loop, while this one does not hold it.
    pub fn on_wait_here(self, release: fn(), acquire: fn()) {
        RELEASE.set(release);
        ACQUIRE.set(acquire);
    }
}

/// The default loop's address, for the thread that has a watcher on it or a [`LoopGuard`].
pub(super) fn raw() -> *mut EvLoop {
    DEFAULT.load(Ordering::Relaxed)
}

fn make_default_loop() -> Result<*mut EvLoop, LoopError> {
    if !descriptors_are_left() {
        return Err(LoopError::NoDescriptor);
    }
    let event_descriptors = event_descriptor::event_descriptors();
    let before = child_disposition();
    // SAFETY: the callback fits the type, and does not unwind: it does not return.
    unsafe { ffi::ev_set_syserr_cb(Some(fatal)) };
    // SAFETY: the caller's guard keeps other threads out.
    let made = unsafe { ffi::ev_default_loop(flags(std::env::var("LIBEV_FLAGS").ok())) };
    if made.is_null() {
        return Err(LoopError::NoBackend);
    }
    // SAFETY: `before` is what sigaction itself filled in.
    unsafe { libc::sigaction(libc::SIGCHLD, &before, ptr::null_mut()) };
    // SAFETY: the handler does not unwind and touches nothing but two atomics and a flag of libev's.
    // It fails for want of memory only; a child then shares its parent's, as without it.
    unsafe { libc::pthread_atfork(None, None, Some(renew_in_child)) };
    make_pipe(made);
    event_descriptor::note_made(&event_descriptors);
    Ok(made)
}

/// What a loop needs: one for epoll or kqueue, two for its pipe, and one to spare.
const DESCRIPTORS: usize = 4;

/// Whether the process may open that many. libev cannot say that it could not.
fn descriptors_are_left() -> bool {
    let opened: Vec<_> = (0..DESCRIPTORS)
        .map_while(|_| std::fs::File::open("/dev/null").ok())
        .collect();
    opened.len() == DESCRIPTORS
}

/// Has libev make the pipe now that signals and other threads wake it by: later there may be no
/// descriptor left for it.
fn make_pipe(lp: *mut EvLoop) {
    unsafe extern "C" fn nothing(_: *mut EvLoop, _: *mut ffi::EvAsync, _: std::ffi::c_int) {}
    let mut watcher = ffi::EvAsync {
        base: ffi::Base::new(nothing),
        sent: 0,
    };
    // SAFETY: the loop was just made, by this thread. The watcher stays where it is until it is stopped.
    unsafe {
        ffi::ev_async_start(lp, &raw mut watcher);
        ffi::ev_async_stop(lp, &raw mut watcher);
    }
}

/// libev met an error that it cannot go on after. It calls from anywhere, maybe without the
/// interpreter's lock, cannot be unwound, and where this returned some of its callers would try for ever.
unsafe extern "C" fn fatal(what: *const std::ffi::c_char) {
    let error = std::io::Error::last_os_error();
    // SAFETY: libev passes a constant that ends in NUL, or null.
    let what = (!what.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(what) });
    let what = what.unwrap_or(c"libev").to_string_lossy();
    end_process(&format!("{what}: {error}"))
}

fn end_process(why: &str) -> ! {
    report_fatal(why);
    // SAFETY: never returns, and runs nothing of this process's.
    unsafe { libc::_exit(1) }
}

fn child_disposition() -> libc::sigaction {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only, into a struct of the right type, for a signal that exists; all zeros
    // (the default action) is a valid value should it fail.
    unsafe {
        libc::sigaction(libc::SIGCHLD, ptr::null(), now.as_mut_ptr());
        now.assume_init()
    }
}

/// What libev would read from the variable, less the flag that takes SIGCHLD from Python.
fn flags(variable: Option<String>) -> u32 {
    let text = variable.unwrap_or_default();
    let digits = text.trim_start().bytes().take_while(u8::is_ascii_digit);
    let value = digits.fold(0u32, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))
    });
    (value & !ffi::EVFLAG_SIGNALFD) | ffi::EVFLAG_NOENV
}

unsafe extern "C" fn renew_in_child() {
    let lp = raw();
    if !lp.is_null() {
        ownership::inherit_after_fork();
        // SAFETY: the loop exists, and the child has no other thread that could use it.
        unsafe { ffi::ev_loop_fork(lp) }
    }
}

thread_local! {
    static RELEASE: Cell<fn()> = const { Cell::new(|| ()) };
    static ACQUIRE: Cell<fn()> = const { Cell::new(|| ()) };
}

unsafe extern "C" fn before_wait(_: *mut EvLoop) {
    ownership::set_busy(false);
    guarded(RELEASE.get());
}

unsafe extern "C" fn after_wait(_: *mut EvLoop) {
    guarded(ACQUIRE.get());
    ownership::set_busy(true);
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{Stream, alone, settle};
    use super::super::{Interest, Timer};
    use super::*;
    use std::io::{Read, Write};
    use std::process::Command;
    use std::rc::Rc;

    /// Names the backend that the tests are to find; set by the one test that runs the others anew.
    const EXPECTED: &str = "FAPWS_TEST_BACKEND";

    #[test]
    fn it_is_the_version_that_the_package_has() {
        let (major, minor) = version();
        assert_eq!(major, 4);
        assert!(minor >= 1, "{minor}");
    }

    #[test]
    fn libev_flags_choose_the_backend() {
        let (_turn, lp) = alone();
        match std::env::var(EXPECTED) {
            Ok(expected) => assert_eq!(lp.backend(), expected),
            Err(_) => {
                assert!(["epoll", "kqueue", "port", "poll", "select"].contains(&lp.backend()))
            }
        }
    }

    #[test]
    fn every_test_here_passes_with_every_common_backend() {
        if std::env::var_os(EXPECTED).is_some() {
            return; // this is one of the runs below
        }
        let mut backends = vec![("1", "select"), ("2", "poll")];
        backends.extend(cfg!(target_os = "linux").then_some(("4", "epoll")));
        for (flags, backend) in backends {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["ev::", "--test-threads=1"])
                .env("LIBEV_FLAGS", flags)
                .env(EXPECTED, backend)
                .output()
                .unwrap();
            let log = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "with {backend}: {log}");
            assert!(
                log.contains("libev_flags_choose_the_backend ... ok"),
                "{log}"
            );
        }
    }

    /// Set in the process that a test below starts anew, for what can be tried once a process.
    const ALONE: &str = "FAPWS_TEST_ALONE";

    /// Runs `test` of this file by itself; what it wrote on stderr, and its exit code.
    fn in_own_process(test: &str) -> (String, Option<i32>) {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg(format!("ev::default_loop::tests::{test}"))
            .env(ALONE, "1")
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        (log, output.status.code())
    }

    #[test]
    fn without_descriptors_there_is_an_error_and_no_abort() {
        if std::env::var_os(ALONE).is_none() {
            let test = "without_descriptors_there_is_an_error_and_no_abort";
            let (log, code) = in_own_process(test);
            assert_eq!(code, Some(0), "{log}");
            return;
        }
        let (first, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let taken: Vec<_> = (0..)
            .map_while(|_| first.try_clone().ok())
            .take(100_000)
            .collect();
        let error = Loop::default_loop().err();
        drop(taken);
        assert_eq!(error, Some(LoopError::NoDescriptor));
        assert!(Loop::default_loop().is_ok());
    }

    #[test]
    fn what_libev_cannot_go_on_after_is_logged_and_ends_the_process() {
        if std::env::var_os(ALONE).is_none() {
            let test = "what_libev_cannot_go_on_after_is_logged_and_ends_the_process";
            let (log, code) = in_own_process(test);
            assert_eq!(code, Some(1), "{log}");
            assert!(log.contains("(libev) epoll_wait: "), "{log}");
            return;
        }
        // SAFETY: a constant that ends in NUL; the call does not return.
        unsafe { fatal(c"(libev) epoll_wait".as_ptr()) };
        panic!("it returned");
    }

    #[test]
    fn flags_are_read_as_libev_reads_them() {
        let read = |text: &str| flags(Some(text.to_owned()));
        assert_eq!(flags(None), ffi::EVFLAG_NOENV);
        assert_eq!(read("4"), ffi::EVFLAG_NOENV | 4);
        assert_eq!(read(" 10x"), ffi::EVFLAG_NOENV | 10);
        assert_eq!(read("select"), ffi::EVFLAG_NOENV);
        assert_eq!(
            read("2097153"),
            ffi::EVFLAG_NOENV | 1,
            "the signalfd flag is left out"
        );
    }

    #[test]
    fn stop_ends_a_run_that_has_more_to_do_and_not_the_next_one() {
        let (_turn, lp) = alone();
        let stream = Stream::new(|_| Loop::default_loop().unwrap().stop());
        stream.watch(lp, Interest::WRITE);
        lp.stop(); // no run to stop
        lp.run();
        lp.run();
        assert_eq!(stream.seen.take().len(), 2);
        stream.io.stop();
    }

    #[test]
    fn a_child_process_is_left_for_its_parent_to_wait_for() {
        let (_turn, lp) = alone();
        let mut child = Command::new("true").spawn().unwrap();
        let mut about = MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: waits until the child ended, leaving it to be waited for; fills `about` in.
        let ended = unsafe {
            let wait = libc::WEXITED | libc::WNOWAIT;
            // Of 64 bits on FreeBSD.
            let id = child.id() as libc::id_t;
            libc::waitid(libc::P_PID, id, about.as_mut_ptr(), wait)
        };
        assert_eq!(ended, 0);
        settle(lp);
        settle(lp);
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn another_thread_gets_the_loop_only_when_nothing_ties_it_here() {
        let (_turn, lp) = alone();
        let elsewhere = || {
            let ask = || Loop::default_loop().map(Loop::run).err();
            std::thread::spawn(ask).join().unwrap()
        };
        assert_eq!(elsewhere(), None);
        let stream = Stream::new(|_| ());
        stream.watch(lp, Interest::READ);
        let timer = Timer::new(|| ());
        timer.start(lp, 0.0, 0.0);
        assert_eq!(elsewhere(), Some(LoopError::OtherThread));
        stream.io.stop();
        assert_eq!(elsewhere(), Some(LoopError::OtherThread));
        lp.run(); // the timer fires, and is not active any more
        assert_eq!(elsewhere(), None);
    }

    /// Forks: 0 in the child, which the kernel ends should its loop hang, and must leave by `exit`.
    fn fork() -> libc::pid_t {
        // SAFETY: the child uses no other thread's locks but the allocator's, which glibc frees.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            // SAFETY: numbers only, which the kernel checks.
            unsafe { libc::alarm(60) };
        }
        pid
    }

    fn exit(well: bool) -> ! {
        // SAFETY: ends the process without running what other threads would have to.
        unsafe { libc::_exit(i32::from(!well)) }
    }

    fn ended_well(child: libc::pid_t) -> bool {
        let mut status = 0;
        // SAFETY: waits for a child of ours, and fills the status in.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }

    /// What this process's epoll instances watch; nothing with another backend.
    fn watched_by_epoll() -> Vec<String> {
        let mut watched = Vec::new();
        for entry in std::fs::read_dir("/proc/self/fdinfo")
            .into_iter()
            .flatten()
            .flatten()
        {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let lines = text.lines().filter(|line| line.starts_with("tfd:"));
            watched.extend(lines.map(String::from));
        }
        watched
    }

    #[test]
    fn a_child_has_a_loop_of_its_own() {
        let (_turn, lp) = alone();
        let echo = |stream: &Rc<Stream>| {
            let _ = (&stream.near).read(&mut [0]);
            stream.io.stop();
        };
        let old = Stream::new(echo);
        old.watch(lp, Interest::READ);
        settle(lp);
        let before = watched_by_epoll();

        let child = fork();
        if child == 0 {
            let lp = Loop::default_loop().unwrap();
            let new = Stream::new(echo);
            new.watch(lp, Interest::READ);
            settle(lp);
            (&new.far).write_all(b"x").unwrap();
            old.io.change(Interest::WRITE);
            lp.run();
            exit(new.seen.take() == [Interest::READ] && old.seen.take() == [Interest::WRITE]);
        }
        assert!(ended_well(child));
        assert_eq!(
            watched_by_epoll(),
            before,
            "the child changed its parent's set"
        );
        (&old.far).write_all(b"x").unwrap();
        lp.run();
        assert_eq!(old.seen.take(), [Interest::READ]);
    }

    #[test]
    fn a_child_forked_in_a_callback_goes_on_with_a_loop_of_its_own() {
        let (_turn, lp) = alone();
        let stream = Stream::new(|stream| {
            if stream.seen.borrow().len() > 1 {
                exit(*stream.seen.borrow() == [Interest::WRITE, Interest::READ]);
            }
            let before = watched_by_epoll();
            let child = fork();
            if child == 0 {
                // As the child of an application that forks: back to the loop, for the next event.
                stream.io.change(Interest::READ);
                (&stream.far).write_all(b"x").unwrap();
                return;
            }
            assert!(ended_well(child));
            assert_eq!(
                watched_by_epoll(),
                before,
                "the child changed its parent's set"
            );
            stream.io.stop();
        });
        stream.watch(lp, Interest::WRITE);
        lp.run();
        assert_eq!((stream.seen.take().len(), stream.panics.get()), (1, 0));
    }
}
