//! The process's own stderr, for those who cannot ask Python: a panic, the monitor.

use std::io::Write;

use super::poll::{PIPE_BUF, takes_now};

/// Writes as far as it is taken at once; the rest is lost.
pub fn write(text: &[u8]) {
    let mut stderr = std::io::stderr();
    for piece in text.chunks(PIPE_BUF) {
        if !takes_now(libc::STDERR_FILENO) || stderr.write_all(piece).is_err() {
            return;
        }
    }
}
