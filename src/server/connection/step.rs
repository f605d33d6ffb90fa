//! What a stage of a connection leaves to be done.

#![forbid(unsafe_code)]

use crate::ev::Interest;

/// What a stage leaves to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The next stage.
    Again,
    /// The socket has to become ready first.
    Wait(Interest),
    /// What is queued goes out when the turn ends, with others' responses.
    Batch,
    /// The call waits for a thread.
    Queue,
    /// The call is to be made by another thread, which takes the loop.
    MakeWay,
    /// A body waits for a descriptor: the socket is not watched meanwhile.
    Pause,
}
