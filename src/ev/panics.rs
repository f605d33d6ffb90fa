//! The border that no panic crosses: C code above a callback cannot be unwound.
//!
//! Owns the process's panic hook for panics below [`guarded`] and leaves all others to the hook that
//! was there. A report is written after the unwinding, so that a reporter may do what it likes:
//! its own panic is swallowed.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Once, PoisonError, RwLock};

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static STORY: RefCell<String> = const { RefCell::new(String::new()) };
}

static REPORTER: RwLock<fn(&str)> = RwLock::new(to_stderr);

/// Sends the reports of caught panics (message, place, backtrace) to `reporter` instead of stderr.
pub fn report_panics_to(reporter: fn(&str)) {
    *REPORTER.write().unwrap_or_else(PoisonError::into_inner) = reporter;
}

/// Runs `action`; a panic in it is reported, and `None` is the answer.
///
/// For every function that C calls. What `action` was changing may be half changed, so the caller
/// gives up the object concerned (a connection, a timer's turn) and no more.
pub fn guarded<R>(action: impl FnOnce() -> R) -> Option<R> {
    tell_stories();
    DEPTH.set(DEPTH.get() + 1);
    let outcome = panic::catch_unwind(AssertUnwindSafe(action));
    DEPTH.set(DEPTH.get() - 1);
    match outcome {
        Ok(value) => Some(value),
        Err(payload) => {
            let story = STORY.take();
            let reporter = *REPORTER.read().unwrap_or_else(PoisonError::into_inner);
            let reported = panic::catch_unwind(AssertUnwindSafe(|| reporter(&story)));
            discard(payload);
            reported.unwrap_or_else(discard);
            None
        }
    }
}

/// A payload may panic as it is dropped; what that one carries is given up.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Only a panic hook sees where a panic arose; it leaves the story to [`guarded`].
fn tell_stories() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if DEPTH.get() == 0 {
                return others(panic);
            }
            let story = format!("{panic}\n{}", Backtrace::force_capture());
            STORY.set(story);
        }));
    });
}

/// A stderr that is closed or full loses the report, no more: `eprintln!` would panic.
fn to_stderr(story: &str) {
    let _ = writeln!(std::io::stderr(), "{story}");
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local!(static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });

    fn remember(story: &str) {
        SEEN.with_borrow_mut(|seen| seen.push(story.to_owned()));
        if story.contains("and the reporter too") {
            panic!("in the reporter");
        }
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_its_backtrace_and_goes_no_further() {
        report_panics_to(remember);
        assert_eq!(guarded(|| 7), Some(7));
        assert_eq!(guarded(|| -> u8 { panic!("told once") }), None);
        assert_eq!(guarded(|| -> u8 { panic!("and the reporter too") }), None);
        let nested = guarded(|| guarded(|| panic!("inner")).is_none());
        assert_eq!(nested, Some(true));
        report_panics_to(to_stderr);

        let seen = SEEN.take();
        assert_eq!(seen.len(), 3);
        assert!(
            seen[0].contains("told once") && seen[0].contains("panics.rs"),
            "{}",
            seen[0]
        );
        assert!(seen[0].contains("   0: "), "no backtrace: {}", seen[0]);
    }
}
