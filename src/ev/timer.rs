//! Timers, once or repeated, on the loop's monotonic clock.

use super::default_loop::Loop;
use super::ffi::{self, EvLoop, EvTimer};
use super::watcher::{Boxed, Kind, stoppable};

// SAFETY: `EvTimer` begins with its `Base`, and `ev_timer_stop` is as `Kind` wants it.
unsafe impl Kind for EvTimer {
    const STOP: unsafe extern "C" fn(*mut EvLoop, *mut EvTimer) = ffi::ev_timer_stop;
}

/// Calls a closure after some seconds, and again every so many.
pub struct Timer(Boxed<EvTimer>);

impl Timer {
    /// A timer that is not started.
    pub fn new(callback: impl Fn() + 'static) -> Timer {
        Timer(Boxed::new(
            |base| EvTimer {
                base,
                at: 0.0,
                repeat: 0.0,
            },
            callback,
        ))
    }

    /// Fires `after` seconds from the time the loop woke up, then every `repeat` seconds; a `repeat`
    /// of 0 is once. A started timer starts over.
    ///
    /// # Panics
    /// If a time is not a number or `repeat` is negative.
    pub fn start(&self, lp: Loop, after: f64, repeat: f64) {
        assert!(
            !after.is_nan() && repeat >= 0.0,
            "a timer of {after} s, every {repeat} s"
        );
        // SAFETY: stops, sets and starts; libev asserts no more than what is asserted above.
        unsafe {
            self.0.alter(lp, |lp, timer| {
                ffi::ev_timer_stop(lp, timer);
                ffi::fapws_ev_timer_set(timer, after, repeat);
                ffi::ev_timer_start(lp, timer);
            });
        }
    }
}

stoppable!(Timer);

#[cfg(test)]
mod tests {
    use super::super::test_support::{alone, settle};
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    /// A counter, and a closure's share of it.
    fn counter() -> (Rc<Cell<u32>>, Rc<Cell<u32>>) {
        let count = Rc::new(Cell::new(0));
        (Rc::clone(&count), count)
    }

    fn increment(count: &Cell<u32>) -> u32 {
        count.set(count.get() + 1);
        count.get()
    }

    #[test]
    fn without_repeat_it_fires_once_and_lets_the_loop_end() {
        let (_turn, lp) = alone();
        let (count, mine) = counter();
        let timer = Timer::new(move || _ = increment(&mine));
        assert!(!timer.is_active());
        timer.start(lp, 0.001, 0.0);
        assert!(timer.is_active());
        lp.run();
        assert!(!timer.is_active());
        timer.start(lp, 0.001, 0.0);
        lp.run();
        assert_eq!(count.get(), 2);
    }

    #[test]
    fn it_fires_no_earlier_than_it_should() {
        let (_turn, lp) = alone();
        lp.update_now();
        let before = lp.now();
        let timer = Timer::new(|| ());
        timer.start(lp, 0.05, 0.0);
        lp.run();
        assert!(lp.now() - before > 0.049, "{}", lp.now() - before);
    }

    #[test]
    fn with_repeat_it_fires_until_its_callback_stops_it() {
        let (_turn, lp) = alone();
        let (count, mine) = counter();
        let own: Rc<RefCell<Option<Timer>>> = Rc::default();
        let weak = Rc::downgrade(&own);
        let timer = Timer::new(move || {
            if increment(&mine) == 3 {
                weak.upgrade().unwrap().borrow().as_ref().unwrap().stop();
            }
        });
        timer.start(lp, 0.0, 0.001);
        own.replace(Some(timer));
        lp.run();
        assert_eq!(count.get(), 3);
        assert!(!own.borrow().as_ref().unwrap().is_active());
    }

    #[test]
    fn its_callback_may_drop_it() {
        let (_turn, lp) = alone();
        let (count, mine) = counter();
        let own: Rc<RefCell<Option<Timer>>> = Rc::default();
        let shared = Rc::clone(&own);
        let timer = Timer::new(move || {
            shared.take();
            increment(&mine); // what the closure captured is still there
        });
        timer.start(lp, 0.0, 0.001);
        own.replace(Some(timer));
        lp.run();
        assert_eq!(
            (
                count.get(),
                Rc::strong_count(&count),
                Rc::strong_count(&own)
            ),
            (1, 1, 1)
        );
    }

    #[test]
    fn dropping_a_started_one_stops_it() {
        let (_turn, lp) = alone();
        let (count, mine) = counter();
        let timer = Timer::new(move || _ = increment(&mine));
        timer.start(lp, 0.0, 0.001);
        drop(timer);
        settle(lp);
        assert_eq!((count.get(), Rc::strong_count(&count)), (0, 1));
    }

    #[test]
    fn a_panic_costs_one_turn() {
        let (_turn, lp) = alone();
        let (count, mine) = counter();
        let timer = Timer::new(move || {
            if increment(&mine) == 2 {
                lp.stop();
            }
            panic!("as this test wants it");
        });
        timer.start(lp, 0.0, 0.001);
        lp.run();
        assert_eq!(count.get(), 2);
    }

    #[test]
    fn libevs_assertions_are_met_before_it_aborts() {
        let (_turn, lp) = alone();
        let timer = Timer::new(|| ());
        let bad = [(f64::NAN, 0.0), (0.0, -1.0), (0.0, f64::NAN)];
        for (after, repeat) in bad {
            let start = std::panic::AssertUnwindSafe(|| timer.start(lp, after, repeat));
            assert!(std::panic::catch_unwind(start).is_err());
        }
        timer.start(lp, -5.0, 0.0); // long overdue
        lp.run();
        timer.start(lp, f64::INFINITY, 0.0);
        settle(lp);
        assert!(timer.is_active());
    }
}
