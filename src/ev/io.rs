//! I/O watchers: part of their owner, no allocation, one indirect call an event.
//!
//! Owns the reference that pins the owner (see "Pinning" in the module's essay), not the descriptor:
//! stop first, close then, or libev learns of a closed descriptor from the kernel's errors.
//!
//! Invariant: `data` is non-null from `start` to `release`, is then what `Rc::into_raw` gave, and
//! stands for one strong reference. A watcher that libev has in its tables has a non-null `data`.

use super::default_loop::{Loop, raw};
use super::ffi::{self, Base, EvIo, EvLoop};
use super::ownership;
use super::panics::guarded;
use super::verify::{Watched, is_open, note_change};
use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::rc::Rc;

/// What a watcher waits for, and what its descriptor turned out to be ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// A read would not block: data, the end, or an error is there.
    pub read: bool,
    /// A write would not block: there is room, or an error.
    pub write: bool,
}

impl Interest {
    /// Reading only.
    pub const READ: Interest = Interest {
        read: true,
        write: false,
    };
    /// Writing only.
    pub const WRITE: Interest = Interest {
        read: false,
        write: true,
    };
    /// Either.
    pub const BOTH: Interest = Interest {
        read: true,
        write: true,
    };

    fn events(self) -> c_int {
        let read = if self.read { ffi::EV_READ } else { 0 };
        let write = if self.write { ffi::EV_WRITE } else { 0 };
        read | write
    }

    fn of(events: c_int) -> Interest {
        Interest {
            read: events & ffi::EV_READ != 0,
            write: events & ffi::EV_WRITE != 0,
        }
    }
}

/// An owner of an I/O watcher.
pub trait OnIo: Sized + 'static {
    /// The watcher: a field of `self`.
    fn io(&self) -> &Io<Self>;

    /// The descriptor is ready for what `ready` says. Both are set when libev gave the descriptor up
    /// because it is closed or invalid; the watcher is then inactive.
    fn ready(self: &Rc<Self>, ready: Interest);

    /// `ready` panicked, and the panic was reported.
    fn panicked(self: &Rc<Self>);
}

/// A watcher for one descriptor, to be a field of `T`.
pub struct Io<T: OnIo> {
    watcher: UnsafeCell<EvIo>,
    owner: PhantomData<Rc<T>>,
}

impl<T: OnIo> Io<T> {
    /// A watcher at rest.
    #[allow(clippy::new_without_default)] // `const`, which `Default` cannot be
    pub const fn new() -> Io<T> {
        let watcher = EvIo {
            base: Base::new(fire::<T>),
            next: ptr::null_mut(),
            fd: -1,
            events: 0,
        };
        Io {
            watcher: UnsafeCell::new(watcher),
            owner: PhantomData,
        }
    }

    /// Watches `fd`; from now until it is stopped the watcher holds a reference to `owner`. An
    /// active one changes over to `fd`.
    ///
    /// # Panics
    /// If `owner.io()` is no part of `*owner`, or the loop is in use by another thread.
    pub fn start(owner: &Rc<T>, _lp: Loop, fd: BorrowedFd<'_>, interest: Interest) {
        let io = owner.io();
        assert!(
            lies_inside(io, owner),
            "a watcher must be a field of its owner"
        );
        let guard = ownership::LoopGuard::new();
        note_change(&guard, owner);
        if io.hold(owner) {
            guard.retain();
        }
        let watcher = io.watcher.get();
        // SAFETY: `_lp` says that the loop exists, the guard that it is this thread's. The watcher is
        // inside `*owner`, which the reference in `data` keeps alive and in place until `release`.
        unsafe {
            ffi::ev_io_stop(raw(), watcher);
            ffi::fapws_ev_io_set(watcher, fd.as_raw_fd(), interest.events());
            ffi::ev_io_start(raw(), watcher);
        }
    }

    /// Waits for something else on the same descriptor. Nothing while the watcher is inactive. Whether
    /// that is a change.
    pub fn change(&self, interest: Interest) -> bool {
        let watcher = self.watcher.get();
        // SAFETY: an active watcher was started, so the loop exists, and is held for it by the thread that
        // started it, or by those that take turns (`ownership`): as the type is not `Send`, this is that
        // thread, or one of those with their lock, and libev touches nothing meanwhile. The
        // watcher's `data` is the reference that `hold` put there, which stays there.
        unsafe {
            let both = ffi::EV_READ | ffi::EV_WRITE;
            if !self.is_active() || (*watcher).events & both == interest.events() {
                return false;
            }
            let owner = ManuallyDrop::new(Rc::<T>::from_raw((*watcher).base.data.cast()));
            note_change(&ownership::LoopGuard::new(), &owner);
            ffi::ev_io_stop(raw(), watcher);
            ffi::fapws_ev_io_modify(watcher, interest.events());
            ffi::ev_io_start(raw(), watcher);
        }
        true
    }

    /// Stops watching, and drops an event that is not handled yet. Returns the reference to the owner,
    /// which may be the last one: after this call, use only what you hold yourself.
    pub fn stop(&self) {
        // SAFETY: as in `change`; of a watcher that is not active nothing is touched but a pending
        // event. The caller has `&self` from a reference of its own, so it outlives the release.
        unsafe {
            if (*self.watcher.get()).base.data.is_null() {
                return;
            }
            ffi::ev_io_stop(raw(), self.watcher.get());
            drop(release::<T>(self.watcher.get()));
        }
    }

    /// Whether libev watches the descriptor.
    pub fn is_active(&self) -> bool {
        // SAFETY: the struct is initialised from `new` on.
        unsafe { ffi::fapws_ev_is_active(self.watcher.get().cast()) != 0 }
    }

    /// Puts a reference to the owner into the watcher; false if there is one already.
    fn hold(&self, owner: &Rc<T>) -> bool {
        // SAFETY: `data` is ours: libev hands it around unread. The watcher is a field of `*owner`,
        // so a reference that is there already is one to this very owner.
        unsafe {
            let data = &mut (*self.watcher.get()).base.data;
            let vacant = data.is_null();
            if vacant {
                *data = Rc::into_raw(Rc::clone(owner)).cast_mut().cast();
            }
            vacant
        }
    }
}

impl<T: OnIo> Watched for T {
    fn give_up_if_closed(self: Rc<Self>) -> bool {
        let watcher = self.io().watcher.get();
        // SAFETY: the struct is initialised from `new` on, and libev does not touch it meanwhile.
        let fd = unsafe { (*watcher).fd };
        if !self.io().is_active() || is_open(fd) {
            return false;
        }
        // SAFETY: an active watcher was started by the loop's owner, which called this. Stopped, it is
        // as libev leaves one that it gives up, and its `data` is not null; `self` keeps it alive.
        unsafe {
            ffi::ev_io_stop(raw(), watcher);
            fire::<T>(raw(), watcher, ffi::EV_READ | ffi::EV_WRITE);
        }
        true
    }
}

fn lies_inside<T: OnIo>(io: &Io<T>, owner: &Rc<T>) -> bool {
    let start = Rc::as_ptr(owner).addr();
    let at = ptr::from_ref(io).addr();
    at >= start && at + size_of::<Io<T>>() <= start + size_of::<T>()
}

/// Takes the reference out of a stopped watcher, and releases its hold on the loop.
///
/// # Safety
/// `watcher` belongs to an `Io<T>`, is not in libev's tables, and its `data` is not null.
unsafe fn release<T: OnIo>(watcher: *mut EvIo) -> Rc<T> {
    ownership::leave();
    // SAFETY: what is in `data` came from `Rc::into_raw` in `hold`; it is taken out once.
    unsafe {
        let data = ptr::replace(&raw mut (*watcher).base.data, ptr::null_mut());
        Rc::from_raw(data.cast_const().cast())
    }
}

unsafe extern "C" fn fire<T: OnIo>(_: *mut EvLoop, watcher: *mut EvIo, events: c_int) {
    // SAFETY: libev calls for a watcher that was started and whose event was not cleared by a stop,
    // so `data` is the reference that `hold` put there; the callback adds one of its own.
    let owner: Rc<T> = unsafe {
        let data: *const T = (*watcher).base.data.cast_const().cast();
        Rc::increment_strong_count(data);
        Rc::from_raw(data)
    };
    // SAFETY: `owner` keeps the watcher alive.
    let given_up = unsafe { ffi::fapws_ev_is_active(watcher.cast()) == 0 };
    if given_up {
        // SAFETY: libev stopped it, and `data` was not null a moment ago. `owner` is not the last.
        drop(unsafe { release::<T>(watcher) });
    }
    if guarded(|| owner.ready(Interest::of(events))).is_none() {
        guarded(|| owner.panicked());
    }
    guarded(move || drop(owner));
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{Stream, alone, settle};
    use super::*;
    use std::cell::Cell;
    use std::io::{Read, Write};
    use std::os::fd::{AsFd, AsRawFd};
    use std::os::unix::net::UnixStream;

    fn stop(stream: &Rc<Stream>) {
        stream.io.stop();
    }

    #[test]
    fn it_is_no_larger_than_libevs_struct() {
        assert_eq!(size_of::<Io<Stream>>(), size_of::<EvIo>());
        assert!(size_of::<Io<Stream>>() <= 56);
    }

    #[test]
    fn data_makes_it_readable_and_room_makes_it_writable() {
        let (_turn, lp) = alone();
        let stream = Stream::new(stop);
        stream.watch(lp, Interest::BOTH);
        lp.run(); // until the watcher, the only one, is stopped
        assert_eq!(stream.seen.take(), [Interest::WRITE]);

        stream.watch(lp, Interest::READ);
        settle(lp);
        assert_eq!(stream.seen.take(), []);
        (&stream.far).write_all(b"x").unwrap();
        lp.run();
        assert_eq!(stream.seen.take(), [Interest::READ]);

        stream.watch(lp, Interest::BOTH);
        lp.run();
        assert_eq!(stream.seen.take(), [Interest::BOTH]);
    }

    #[test]
    fn a_change_of_interest_keeps_the_references_as_they_are() {
        let (_turn, lp) = alone();
        let stream = Stream::new(stop);
        stream.watch(lp, Interest::READ);
        assert_eq!(Rc::strong_count(&stream), 2);
        settle(lp);
        assert_eq!(stream.seen.take(), []);
        for interest in [
            Interest::WRITE,
            Interest::WRITE,
            Interest::READ,
            Interest::WRITE,
        ] {
            stream.io.change(interest);
            assert_eq!(Rc::strong_count(&stream), 2);
        }
        lp.run();
        assert_eq!(stream.seen.take(), [Interest::WRITE]);
        assert_eq!(Rc::strong_count(&stream), 1);

        stream.io.change(Interest::READ);
        assert!(!stream.io.is_active(), "a change does not start");
    }

    #[test]
    fn without_interest_nothing_comes_and_nothing_spins() {
        const NONE: Interest = Interest {
            read: false,
            write: false,
        };
        let (_turn, lp) = alone();
        let stream = Stream::new(stop);
        stream.watch(lp, Interest::READ);
        settle(lp);
        stream.io.change(NONE);
        (&stream.far).write_all(b"x").unwrap();
        stream.far.shutdown(std::net::Shutdown::Both).unwrap();
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        let check = super::super::Check::new(move || counted.set(counted.get() + 1));
        check.start(lp);
        let end = super::super::Timer::new(move || lp.stop());
        end.start(lp, 0.2, 0.0);
        lp.run();
        assert_eq!(stream.seen.take(), []);
        assert!(
            turns.get() < 10,
            "{} turns in a fifth of a second",
            turns.get()
        );
        check.stop();
        stream.io.change(Interest::READ);
        lp.run();
        assert_eq!(stream.seen.take(), [Interest::READ]);
    }

    #[test]
    fn the_owner_lives_until_it_is_stopped() {
        let (_turn, lp) = alone();
        let stream = Stream::new(stop);
        let (weak, mut far) = (Rc::downgrade(&stream), stream.far.try_clone().unwrap());
        stream.watch(lp, Interest::READ);
        drop(stream);
        settle(lp);
        assert!(weak.upgrade().is_some());
        far.write_all(b"x").unwrap();
        lp.run(); // the callback stops, with no reference but the loop's
        assert!(weak.upgrade().is_none());
        assert_eq!(
            far.read(&mut [0]).unwrap_or(0),
            0,
            "the descriptor is closed"
        );
    }

    #[test]
    fn stopping_drops_an_event_that_is_at_hand() {
        let (_turn, lp) = alone();
        thread_local!(static PAIR: Cell<Option<[Rc<Stream>; 2]>> = const { Cell::new(None) });
        let both_stop = |_: &Rc<Stream>| {
            let pair = PAIR.take().expect("one event for the two");
            pair.iter().for_each(stop);
        };
        let pair = [Stream::new(both_stop), Stream::new(both_stop)];
        pair.iter()
            .for_each(|stream| stream.watch(lp, Interest::WRITE));
        PAIR.set(Some(pair.clone()));
        lp.run();
        let seen: usize = pair.iter().map(|stream| stream.seen.borrow().len()).sum();
        assert_eq!(seen, 1);
        assert_eq!(pair.each_ref().map(Rc::strong_count), [1, 1]);
    }

    #[test]
    fn started_again_it_watches_the_new_descriptor() {
        let (_turn, lp) = alone();
        let stream = Stream::new(stop);
        stream.watch(lp, Interest::READ);
        settle(lp);
        Io::start(&stream, lp, stream.far.as_fd(), Interest::READ);
        assert_eq!(Rc::strong_count(&stream), 2);
        (&stream.far).write_all(b"x").unwrap(); // which makes the near end readable
        settle(lp);
        assert_eq!(stream.seen.take(), []);
        (&stream.near).write_all(b"x").unwrap();
        lp.run();
        assert_eq!(stream.seen.take(), [Interest::READ]);
    }

    #[test]
    fn a_panic_reaches_the_owner_and_not_the_loop() {
        let (_turn, lp) = alone();
        let stream = Stream::new(|_| panic!("as this test wants it"));
        let other = Stream::new(stop);
        stream.watch(lp, Interest::WRITE);
        other.watch(lp, Interest::WRITE);
        lp.run();
        assert_eq!((stream.panics.get(), stream.seen.take().len()), (1, 1));
        assert_eq!(other.seen.take(), [Interest::WRITE]);
        assert_eq!(Rc::strong_count(&stream), 1);
    }

    #[test]
    fn a_descriptor_that_was_closed_is_given_up_before_libev_aborts() {
        let (_turn, lp) = alone();
        let others_stop = Stream::new(stop);
        for change in [false, true] {
            let stream = Stream::new(stop);
            stream.watch(lp, Interest::READ);
            if change {
                lp.poll(false); // libev knows it, and is to change it
                stream.io.change(Interest::WRITE);
            }
            others_stop.watch(lp, Interest::READ);
            let number = stream.near.as_raw_fd();
            // SAFETY: numbers only; the copy takes the number's place again below.
            let copy = unsafe {
                let copy = libc::dup(number);
                libc::close(number);
                copy
            };
            lp.poll(true); // does not wait: there is news
            assert_eq!(stream.seen.take(), [Interest::BOTH]);
            assert!(!stream.io.is_active());
            assert_eq!(Rc::strong_count(&stream), 1);
            assert!(others_stop.io.is_active());
            // SAFETY: as above.
            unsafe {
                libc::dup2(copy, number);
                libc::close(copy);
            }
            (&others_stop.far).write_all(b"x").unwrap();
            lp.poll(true);
            assert_eq!(others_stop.seen.take(), [Interest::READ]);
            (&others_stop.near).read_exact(&mut [0]).unwrap();
        }
    }

    /// An owner whose watcher is not a part of it: nothing would pin that one.
    struct Stray(Box<Io<Stray>>);

    impl OnIo for Stray {
        fn io(&self) -> &Io<Stray> {
            &self.0
        }
        fn ready(self: &Rc<Self>, _: Interest) {}
        fn panicked(self: &Rc<Self>) {}
    }

    #[test]
    #[should_panic(expected = "a field of its owner")]
    fn a_watcher_outside_its_owner_is_rejected() {
        let (_turn, lp) = alone();
        let (near, _far) = UnixStream::pair().unwrap();
        let stray = Rc::new(Stray(Box::new(Io::new())));
        Io::start(&stray, lp, near.as_fd(), Interest::READ);
    }
}
