//! The border that no panic crosses: C code above a callback cannot be unwound.
//!
//! Owns the catching; reporting is left to Rust's panic hook, which alone sees where a panic arose.
//! In an extension module that hook sees this crate's panics and no others, as the standard library
//! is linked into it.

use std::backtrace::Backtrace;
use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;

/// Reports every panic (message, place, backtrace) to `reporter`, as it arises, caught or not. Without
/// this the standard library writes its line on stderr.
///
/// `reporter` must not panic (Rust ends the process for it) and holds no lock: it can be called
/// from anywhere.
pub fn report_panics_to(reporter: fn(&str)) {
    panic::set_hook(Box::new(move |panic| {
        reporter(&format!("{panic}\n{}\n", Backtrace::force_capture()));
    }));
}

static FATAL: OnceLock<fn(&str)> = OnceLock::new();

/// Logs errors that end the process by `reporter`, the first that is named, in place of stderr. It can be
/// called from anywhere, without the interpreter's lock too; what it wrote must have left the process when
/// it returns.
pub fn report_fatal_to(reporter: fn(&str)) {
    FATAL.get_or_init(|| reporter);
}

/// Logs an error that ends the process.
pub(super) fn report_fatal(message: &str) {
    match FATAL.get() {
        Some(reporter) => drop(guarded(|| reporter(message))),
        None => eprintln!("{message}"),
    }
}

/// Runs `action`; `None` if it panicked.
///
/// For every function that C calls. What `action` was changing may be half changed, so the caller
/// gives up the object concerned (a connection, a timer's turn) and no more.
pub fn guarded<R>(action: impl FnOnce() -> R) -> Option<R> {
    panic::catch_unwind(AssertUnwindSafe(action)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    thread_local!(static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });

    #[test]
    fn a_panic_is_reported_with_its_place_and_its_backtrace_and_goes_no_further() {
        let others = panic::take_hook();
        report_panics_to(|story| SEEN.with_borrow_mut(|seen| seen.push(story.to_owned())));
        let first = guarded(|| -> u8 { panic!("reported once") });
        let nested = guarded(|| guarded(|| panic!("inner")).is_none());
        panic::set_hook(others);

        assert_eq!((first, nested, guarded(|| 7)), (None, Some(true), Some(7)));
        let seen = SEEN.take();
        assert_eq!(seen.len(), 2);
        assert!(
            seen[0].contains("reported once") && seen[0].contains("panics.rs"),
            "{}",
            seen[0]
        );
        assert!(seen[0].contains("   0: "), "no backtrace: {}", seen[0]);
    }
}
