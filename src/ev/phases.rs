//! Watchers for the phases of the loop's turn: before the poll, after it, and when it found nothing.

use super::default_loop::Loop;
use super::ffi::{self, EvCheck, EvIdle, EvLoop, EvPrepare};
use super::watcher::{Boxed, Kind, stoppable};

macro_rules! phase_watcher {
    ($(#[$about:meta])* $name:ident, $raw:ident, $start:ident, $stop:ident) => {
        // SAFETY: the struct begins with its `Base`, and the function is as `Kind` wants it.
        unsafe impl Kind for $raw {
            const STOP: unsafe extern "C" fn(*mut EvLoop, *mut $raw) = ffi::$stop;
        }

        $(#[$about])*
        pub struct $name(Boxed<$raw>);

        impl $name {
            /// A watcher that is not started.
            pub fn new(callback: impl Fn() + 'static) -> $name {
                $name(Boxed::new(|base| $raw { base }, callback))
            }

            /// Starts it; nothing if it is started.
            pub fn start(&self, lp: Loop) {
                // SAFETY: `alter` holds the loop, and its box keeps the watcher in place; an active one is left alone.
                unsafe { self.0.alter(lp, |lp, watcher| ffi::$start(lp, watcher)) }
            }
        }

        stoppable!($name);
    };
}

phase_watcher! {
    /// Calls a closure each time the loop has polled, before the events are handled.
    Check, EvCheck, ev_check_start, ev_check_stop
}

phase_watcher! {
    /// Calls a closure each time the loop is about to poll.
    Prepare, EvPrepare, ev_prepare_start, ev_prepare_stop
}

phase_watcher! {
    /// Calls a closure whenever no I/O, timer or signal is pending; the loop does not block meanwhile.
    Idle, EvIdle, ev_idle_start, ev_idle_stop
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{Stream, alone};
    use super::super::{Interest, OnIo, Timer};
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn an_idle_watcher_waits_until_nothing_is_pending() {
        let (_turn, lp) = alone();
        let story = Rc::new(RefCell::new(Vec::new()));
        let [first, second] = [Rc::clone(&story), Rc::clone(&story)];
        let busy = Stream::new(|stream| {
            if stream.seen.borrow().len() == 3 {
                stream.io.stop();
            }
        });
        let timer = Timer::new(move || first.borrow_mut().push("timer"));
        let events = Rc::clone(&busy);
        let idle = Idle::new(move || {
            second.borrow_mut().push("idle");
            assert!(!events.io().is_active(), "idle while a stream is ready");
            lp.stop();
        });
        idle.start(lp);
        timer.start(lp, 0.0, 0.0);
        busy.watch(lp, Interest::WRITE);
        lp.run();
        assert_eq!(busy.seen.take().len(), 3);
        assert_eq!(*story.borrow(), ["timer", "idle"]);
        assert!(idle.is_active());
    }

    #[test]
    fn prepare_comes_before_the_poll_and_check_before_the_events() {
        let (_turn, lp) = alone();
        thread_local!(static STORY: RefCell<Vec<&'static str>> = RefCell::default());
        let note = |word| STORY.with_borrow_mut(|story| story.push(word));
        let prepare = Prepare::new(move || note("prepare"));
        let check = Check::new(move || note("check"));
        let stream = Stream::new(|stream| {
            STORY.with_borrow_mut(|story| story.push("event"));
            stream.io.stop();
        });
        lp.on_wait(
            || STORY.with_borrow_mut(|story| story.push("release")),
            || STORY.with_borrow_mut(|story| story.push("acquire")),
        );
        let stopper = Idle::new(move || lp.stop());
        for _ in 0..2 {
            check.start(lp); // twice is as once
        }
        prepare.start(lp);
        stream.watch(lp, Interest::WRITE);
        stopper.start(lp);
        lp.run();
        lp.on_wait(|| (), || ());
        let turn = STORY.take();
        let all = ["prepare", "release", "acquire", "check", "event", "prepare"];
        assert_eq!(turn[..6], all);
        assert!(check.is_active());
        check.stop();
        prepare.stop();
        assert!(!check.is_active() && !prepare.is_active());
    }

    #[test]
    fn a_panic_in_a_wait_hook_stays_there() {
        let (_turn, lp) = alone();
        lp.on_wait(|| panic!("as this test wants it"), || ());
        let timer = Timer::new(|| ());
        timer.start(lp, 0.0, 0.0);
        lp.run();
        lp.on_wait(|| (), || ());
        assert!(!timer.is_active());
    }
}
