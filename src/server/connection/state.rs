//! The life of a connection, as data: what is read, what is written, and what comes after it.
//!
//! Everything that decides on keep-alive, on lingering and on the end is here; no socket, no Python. The
//! machine says which [`Stage`] comes, and a stage leaves a [`Step`] to the driver.
//! [`ARROWS`] is the whole machine: an event that has no arrow in a state is a defect of the driver.
//!
//! ```text
//! Proxy    Idle     Keep     --Introduced--> Head     Idle     Keep
//! Head     Idle     Keep     --BodyAhead-->  Body     Idle     Keep
//! Head     Idle     Keep     --Request-->    Paused   Calling  Keep
//! Body     Idle     Keep     --Request-->    Paused   Calling  Keep
//! Head     Idle     Keep     --Rejected-->   Paused   Sending  Linger
//! Body     Idle     Keep     --Rejected-->   Paused   Sending  Linger
//! Paused   Calling  Keep     --Responded-->  Paused   Sending  Keep
//! Paused   Calling  Keep     --Last-->       Paused   Sending  Close
//! Paused   Calling  Keep     --Rejected-->   Paused   Sending  Linger
//! Paused   Calling  Keep     --TakenOver-->  Closed   Idle     Close
//! Paused   Sending  Keep     --Last-->       Paused   Sending  Close
//! Paused   Sending  Close    --MoreInput-->  Paused   Sending  Linger
//! Paused   Sending  Keep     --Complete-->   Head     Idle     Keep
//! Paused   Sending  Close    --Sent-->       Closed   Idle     Close
//! Paused   Sending  Linger   --Sent-->       Discard  Idle     Linger
//! Discard  Idle     Linger   --PeerDone-->   Closed   Idle     Linger
//! ```
//!
//! Whatever the state, `Gone` (the client left, or its time is over) leads to `Closed`. A response that
//! is complete may still be queued: the next head is looked for while it waits to be written.

#![forbid(unsafe_code)]

use self::After::{Close, Keep, Linger};
use self::Event::{
    BodyAhead, Complete, Introduced, Last, MoreInput, PeerDone, Rejected, Request, Responded, Sent,
    TakenOver,
};
use self::Read::{Body, Closed, Discard, Head, Paused, Proxy};
use self::Write::{Calling, Idle, Sending};
use crate::ev::Interest;

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// Before the first head: the header of the PROXY protocol.
    Proxy,
    /// Before or in a head.
    Head,
    /// Behind a head, in the body.
    Body,
    /// Nothing: the message is whole, and its response comes first.
    Paused,
    /// What the client still sends is dropped (RFC 9112 section 9.6).
    Discard,
    /// Nothing any more.
    Closed,
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Write {
    /// Nothing new: what is queued belongs to responses that are complete.
    Idle,
    /// The application is called for it.
    Calling,
    /// A response, of which more may have to be pulled.
    Sending,
}

/// What comes after the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The next request (RFC 9112 section 9.3).
    Keep,
    /// The end.
    Close,
    /// The end, once the client has stopped sending: a close with input unread would make the kernel
    /// reset the connection, and the client might never see the response.
    Linger,
}

/// What happens to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The header of the PROXY protocol is whole.
    Introduced,
    /// A head is whole, and its body is on its way.
    BodyAhead,
    /// A request is whole.
    Request,
    /// A message is rejected, with the response queued.
    Rejected,
    /// The first part of a response is queued, and the connection can be kept.
    Responded,
    /// The response is the connection's last one.
    Last,
    /// Something stands behind the request that gets the last response.
    MoreInput,
    /// The application took the connection over for the time of its call, which is over.
    TakenOver,
    /// Nothing of the response is left to be pulled, and the connection is kept.
    Complete,
    /// The last response is written.
    Sent,
    /// The client stopped sending, or had its time.
    PeerDone,
    /// The client left.
    Gone,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// What is read.
    pub read: Read,
    /// What is written.
    pub write: Write,
    /// What comes after the response.
    pub after: After,
}

const fn state(read: Read, write: Write, after: After) -> State {
    State { read, write, after }
}

/// Every arrow but those of [`Event::Gone`].
pub const ARROWS: [(State, Event, State); 16] = [
    (INTRODUCED_FIRST, Introduced, START),
    (START, BodyAhead, state(Body, Idle, Keep)),
    (START, Request, state(Paused, Calling, Keep)),
    (
        state(Body, Idle, Keep),
        Request,
        state(Paused, Calling, Keep),
    ),
    (START, Rejected, state(Paused, Sending, Linger)),
    (
        state(Body, Idle, Keep),
        Rejected,
        state(Paused, Sending, Linger),
    ),
    (
        state(Paused, Calling, Keep),
        Responded,
        state(Paused, Sending, Keep),
    ),
    (
        state(Paused, Calling, Keep),
        Last,
        state(Paused, Sending, Close),
    ),
    (
        state(Paused, Calling, Keep),
        Rejected,
        state(Paused, Sending, Linger),
    ),
    (
        state(Paused, Calling, Keep),
        TakenOver,
        state(Closed, Idle, Close),
    ),
    (
        state(Paused, Sending, Keep),
        Last,
        state(Paused, Sending, Close),
    ),
    (
        state(Paused, Sending, Close),
        MoreInput,
        state(Paused, Sending, Linger),
    ),
    (state(Paused, Sending, Keep), Complete, START),
    (
        state(Paused, Sending, Close),
        Sent,
        state(Closed, Idle, Close),
    ),
    (
        state(Paused, Sending, Linger),
        Sent,
        state(Discard, Idle, Linger),
    ),
    (
        state(Discard, Idle, Linger),
        PeerDone,
        state(Closed, Idle, Linger),
    ),
];

/// The state of a connection that was just accepted.
pub const START: State = state(Head, Idle, Keep);

/// The state of one that begins with a header of the PROXY protocol.
pub const INTRODUCED_FIRST: State = state(Proxy, Idle, Keep);

/// What the driver does next for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Look for the header of the PROXY protocol.
    Proxy,
    /// Look for a head, in what was read or in the socket.
    Head,
    /// Take in the body.
    Body,
    /// Call the application.
    Call,
    /// Write what is queued, and ask for more.
    Send,
    /// Read and drop.
    Discard,
    /// Close.
    Close,
}

/// What a stage leaves to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The next stage.
    Again,
    /// The socket has to become ready first.
    Wait(Interest),
    /// A body waits for a descriptor: the socket is not watched meanwhile.
    Pause,
    /// What is queued goes out when the turn ends, with others' responses.
    Batch,
    /// The call has to wait for a thread; whether it is expected to wait in its turn.
    Queue(bool),
    /// The call is to be made by another thread, which takes the loop.
    MakeWay,
    /// The application ends the run (`SystemExit` in the legacy dialect), which accepts no more before the response
    /// is written.
    EndRun,
    /// Nothing: the connection is over.
    Close,
}

impl State {
    /// The state after an event; `None` where the machine has no such arrow.
    pub fn after(self, event: Event) -> Option<State> {
        Some(match (self.read, self.write, self.after, event) {
            (_, _, after, Event::Gone) => state(Closed, Idle, after),
            (Proxy, Idle, Keep, Introduced) => START,
            (Head, Idle, Keep, BodyAhead) => state(Body, Idle, Keep),
            (Head | Body, Idle, Keep, Request) => state(Paused, Calling, Keep),
            (Head | Body, Idle, Keep, Rejected) => state(Paused, Sending, Linger),
            (Paused, Calling, Keep, Responded) => state(Paused, Sending, Keep),
            (Paused, Calling | Sending, Keep, Last) => state(Paused, Sending, Close),
            (Paused, Calling, Keep, Rejected) => state(Paused, Sending, Linger),
            (Paused, Calling, Keep, TakenOver) => state(Closed, Idle, Close),
            (Paused, Sending, Close, MoreInput) => state(Paused, Sending, Linger),
            (Paused, Sending, Keep, Complete) => START,
            (Paused, Sending, Close, Sent) => state(Closed, Idle, Close),
            (Paused, Sending, Linger, Sent) => state(Discard, Idle, Linger),
            (Discard, Idle, Linger, PeerDone) => state(Closed, Idle, Linger),
            _ => return None,
        })
    }

    /// What is to be done in this state.
    ///
    /// What is written is looked at first: that is soonest found out, four times a request.
    pub fn stage(self) -> Stage {
        match (self.write, self.read) {
            (Calling, _) => Stage::Call,
            (Sending, _) => Stage::Send,
            (Idle, Head | Paused) => Stage::Head,
            (Idle, Body) => Stage::Body,
            (Idle, Proxy) => Stage::Proxy,
            (Idle, Discard) => Stage::Discard,
            (Idle, Closed) => Stage::Close,
        }
    }

    /// Whether the connection ends with the response.
    pub fn ends(self) -> bool {
        self.after != Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS: [Read; 6] = [Proxy, Head, Body, Paused, Discard, Closed];
    const WRITES: [Write; 3] = [Idle, Calling, Sending];
    const AFTERS: [After; 3] = [Keep, Close, Linger];
    const EVENTS: [Event; 12] = [
        Introduced,
        BodyAhead,
        Request,
        Rejected,
        Responded,
        Last,
        MoreInput,
        TakenOver,
        Complete,
        Sent,
        PeerDone,
        Event::Gone,
    ];

    fn all() -> impl Iterator<Item = State> {
        READS.into_iter().flat_map(|read| {
            WRITES.into_iter().flat_map(move |write| {
                AFTERS
                    .into_iter()
                    .map(move |after| state(read, write, after))
            })
        })
    }

    #[test]
    fn the_arrows_are_all_that_there_is() {
        for from in all() {
            for event in EVENTS {
                let drawn = ARROWS
                    .iter()
                    .find(|(start, on, _)| (*start, *on) == (from, event))
                    .map(|(_, _, to)| *to);
                let expected = match event {
                    Event::Gone => Some(state(Closed, Idle, from.after)),
                    _ => drawn,
                };
                assert_eq!(from.after(event), expected, "{from:?} on {event:?}");
            }
        }
    }

    #[test]
    fn the_picture_above_has_the_arrows_in_their_order() {
        let picture = include_str!("state.rs")
            .lines()
            .filter(|line| line.starts_with("//! ") && line.contains("-->"));
        let words = |state: &State| format!("{:?} {:?} {:?}", state.read, state.write, state.after);
        let drawn: Vec<String> = picture
            .map(|line| line[4..].split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let arrows: Vec<String> = ARROWS
            .iter()
            .map(|(from, event, to)| format!("{} --{event:?}--> {}", words(from), words(to)))
            .collect();
        assert_eq!(drawn, arrows);
    }

    #[test]
    fn every_state_is_reached_and_leads_to_the_end() {
        let begins = |at: State| at == START || at == INTRODUCED_FIRST;
        let reached = |to: State| begins(to) || ARROWS.iter().any(|(_, _, end)| *end == to);
        for (from, _, to) in ARROWS {
            assert!(reached(from), "{from:?}");
            let goes_on = ARROWS.iter().any(|(start, _, _)| *start == to);
            assert_eq!(goes_on, to.read != Closed, "{to:?}");
        }
    }

    #[test]
    fn the_stage_follows_from_the_state() {
        assert_eq!(START.stage(), Stage::Head);
        assert_eq!(state(Body, Idle, Keep).stage(), Stage::Body);
        assert_eq!(state(Paused, Calling, Keep).stage(), Stage::Call);
        assert_eq!(state(Paused, Sending, Linger).stage(), Stage::Send);
        assert_eq!(state(Discard, Idle, Linger).stage(), Stage::Discard);
        assert_eq!(state(Closed, Idle, Close).stage(), Stage::Close);
        assert!(!START.ends() && state(Paused, Sending, Close).ends());
    }
}
