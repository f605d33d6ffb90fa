//! The monitor at work beside threads that call: outboxes, the baton and the spares, with a mutex in the
//! place of the interpreter's lock. ThreadSanitizer looks on (`make tsan`).

#![forbid(unsafe_code)]

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::thread;

use super::*;
use crate::outbox::Outbound;
use crate::queue::WriteQueue;
use crate::sys::socket::Socket;
use crate::sys::stream::Flow;

/// Pseudo-random numbers below `most`.
fn random(state: &mut u32, most: u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 16) % most
}

fn compute(rounds: u32) {
    for _ in 0..rounds {
        std::hint::spin_loop();
    }
}

/// A socket, and a thread that reads the other end: the numbers that arrive, in order.
fn read_numbers() -> (Socket, thread::JoinHandle<Vec<u32>>) {
    let (near, mut far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        let numbers = all.chunks_exact(4);
        assert!(numbers.remainder().is_empty());
        numbers
            .map(|each| u32::from_le_bytes(each.try_into().unwrap()))
            .collect()
    });
    (Socket::new(near.into()), reader)
}

/// A call that takes its time: until the monitor has looked and looked again.
fn wait_for_looks(watch: &Watch) {
    let before = watch.looks().unwrap();
    while watch.looks().unwrap() < before + 3 {
        thread::sleep(HURRY);
    }
}

fn write_all(socket: &Socket, queue: &mut WriteQueue) {
    while !queue.is_empty() {
        match queue.write_memory(socket).unwrap() {
            Flow::Done(_) => {}
            Flow::Blocked => thread::yield_now(),
            Flow::Closed => panic!("the reader is there"),
        }
    }
}

/// What a generator gives stands in the outbox while it makes more: the monitor sends it meanwhile, or
/// is about to when the call returns.
#[test]
fn bytes_arrive_once_and_in_order_by_either_sender() {
    const NUMBERS: u32 = 10_000;
    let watch = Watch::new(None);
    let seat = watch.seats.add();
    let (socket, reader) = read_numbers();
    let (other, other_reader) = read_numbers();
    let monitor = Monitor::start(&watch);
    let (mut queue, mut state) = (WriteQueue::default(), 1);
    for number in 0..NUMBERS {
        watch.begin_turn();
        queue.buffer().extend_from_slice(&number.to_le_bytes());
        let outbound = Outbound::new(socket.clone(), std::mem::take(&mut queue));
        seat.outbox.put(outbound);
        let mut batched = WriteQueue::default();
        batched.buffer().extend_from_slice(&number.to_le_bytes());
        watch.batch.put(Outbound::new(other.clone(), batched));
        watch.rouse_monitor();
        let ticket = watch.baton.enter();
        match random(&mut state, 200) {
            0 => wait_for_looks(&watch),
            rounds => compute(rounds),
        }
        assert!(watch.baton.leave(ticket), "nobody takes it");
        queue = seat.outbox.take_last().unwrap().into_queue();
        if random(&mut state, 8) == 0 {
            write_all(&socket, &mut queue);
        }
        for outbound in watch.batch.take_all() {
            write_all(&other, &mut outbound.into_queue());
        }
    }
    write_all(&socket, &mut queue);
    let sent = watch.take_sent();
    drop((monitor, socket, other));
    let expected: Vec<u32> = (0..NUMBERS).collect();
    assert!(reader.join().unwrap() == expected);
    assert!(other_reader.join().unwrap() == expected);
    assert!(sent > 0, "the monitor sent nothing");
}

/// Threads that hold the loop in turn, some of whose calls are slow, and are spare in between. A foreseen
/// one sets the loop free, as where no other thread can come for the queue.
#[test]
fn the_loop_is_always_served_and_by_one() {
    const CALLS: u32 = 3_000;
    const THREADS: usize = 4;
    let watch = Watch::new(None);
    watch.hand_over_slow_calls();
    watch.baton.release();
    let lock = Mutex::new(());
    let (calls, holders, handed_over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let monitor = Monitor::start(&watch);
    let serve = |number: u32| {
        let (seat, mut state) = (watch.seats.add(), number);
        let mut interpreter = lock.lock().unwrap();
        while calls.load(Ordering::Relaxed) < CALLS {
            if !watch.baton.take() {
                if watch.seats.become_spare(&seat, &watch.baton) {
                    drop(interpreter);
                    seat.parker
                        .park_for(Duration::from_millis(u64::from(number)));
                    interpreter = lock.lock().unwrap();
                    watch.seats.leave_spares(&seat);
                }
                continue;
            }
            loop {
                assert_eq!(holders.fetch_add(1, Ordering::Relaxed), 0);
                holders.fetch_sub(1, Ordering::Relaxed);
                watch.begin_turn();
                if calls.fetch_add(1, Ordering::Relaxed) >= CALLS {
                    watch.baton.release();
                    watch.seats.unpark_all();
                    break;
                }
                let foreseen = random(&mut state, 50) == 0;
                let ticket = if foreseen {
                    watch.baton.release();
                    watch.seats.wake_spare();
                    None
                } else {
                    Some(watch.baton.enter())
                };
                drop(interpreter);
                match random(&mut state, 40) {
                    0 => wait_for_looks(&watch),
                    rounds => compute(rounds),
                }
                interpreter = lock.lock().unwrap();
                match ticket {
                    Some(ticket) if watch.baton.leave(ticket) => {}
                    Some(_) => {
                        handed_over.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    None => break,
                }
            }
        }
        watch.seats.remove(&seat);
    };
    thread::scope(|scope| {
        for number in 1..=THREADS {
            let serve = &serve;
            scope.spawn(move || serve(number as u32));
        }
    });
    drop(monitor);
    assert!(calls.load(Ordering::Relaxed) >= CALLS);
    assert!(
        handed_over.load(Ordering::Relaxed) > 0,
        "no call was handed over"
    );
}
