//! The end of the process where libev cannot go on: first what is ready is sent, and the access log written.
//!
//! Any thread may come here, without the interpreter's lock, out of libev's code. No lock of ours is held
//! there, and a thread that holds one lets go of it soon: none is held while Python runs.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, PoisonError};

use crate::app::console;
use crate::server::monitor::Watch;
use crate::sys::fork;

/// What the run that serves now has ready.
static SERVING: Mutex<Option<Arc<Watch>>> = Mutex::new(None);

/// As long as it is kept, what the run has ready is sent before the process ends.
pub struct Serving(());

impl Serving {
    /// A run serves from now on.
    pub fn begin(watch: &Arc<Watch>) -> Serving {
        set(Some(watch.clone()));
        Serving(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        set(None);
    }
}

fn set(watch: Option<Arc<Watch>>) {
    *SERVING.lock().unwrap_or_else(PoisonError::into_inner) = watch;
}

/// Logs why the process ends, and sends what is ready. What a forked child has copies of is its parent's.
pub fn report(why: &str) {
    console::log_fatal(why);
    if fork::is_child() {
        return;
    }
    let serving = SERVING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watch) = &*serving {
        watch.send_all();
    }
}
