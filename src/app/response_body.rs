//! The part of a response that is not in the queue yet: asked for, item by item, when what is queued
//! was written.

#![forbid(unsafe_code)]

use crate::app::body::{Body, Source};
use crate::app::context::AppContext;
use crate::app::delimiter::{Delimiter, Progress};
use crate::app::failure;
use crate::app::starter::Starter;
use crate::py::{Exception, Gil};
use crate::queue::WriteQueue;

/// The rest of a response.
pub struct ResponseBody {
    /// Where the items come from.
    pub(super) body: Body,
    /// How they are delimited.
    pub(super) delimiter: Delimiter,
    /// What the application gives to `write()` meanwhile.
    pub(super) starter: Starter,
    /// Nothing more is asked for: the body is only kept until everything is written.
    pub(super) exhausted: bool,
    /// The application failed in the middle.
    pub(super) truncated: bool,
}

impl ResponseBody {
    /// Asks for the next part of the body and puts it into the queue.
    pub fn pull(&mut self, gil: Gil<'_>, ctx: &AppContext, out: &mut WriteQueue) -> Progress {
        if self.exhausted {
            return Progress::Complete;
        }
        let item = self.body.next(gil, ctx.dialect.invalid_item());
        // Taken before anything else runs, which must not see it.
        let item = item.map_err(|raised| Exception::take(gil, raised));
        let written = self.starter.take_written();
        let full = written.send(gil, &mut self.delimiter, out) == Progress::Complete;
        match item {
            Ok(_) if full => self.finish(gil, out),
            Ok(Some(item)) => match self.delimiter.push(gil, item, out) {
                Progress::More => Progress::More,
                _ => self.finish(gil, out),
            },
            Ok(None) => self.finish(gil, out),
            Err(exception) => {
                failure::report(gil, ctx, &exception);
                self.exhausted = true;
                self.truncated = true;
                Progress::Truncated
            }
        }
    }

    /// Whether the response was cut short and nothing in it shows that: its end is the connection's.
    pub fn is_truncated_unseen(&self) -> bool {
        self.truncated && matches!(self.delimiter, Delimiter::Close)
    }

    /// Whether nothing more is asked for.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Queues what is there at once: the items of a list, a file.
    pub(super) fn push_ready(&mut self, gil: Gil<'_>, out: &mut WriteQueue) -> Progress {
        match std::mem::replace(self.body.source(), Source::Nothing) {
            Source::Items(items) => {
                for item in items {
                    if self.delimiter.push(gil, item, out) != Progress::More {
                        break;
                    }
                }
            }
            Source::File(part) => self.delimiter.push_file(part, out),
            Source::Nothing => {}
            source @ (Source::Reader(..) | Source::Iterator(..)) => {
                *self.body.source() = source;
                return Progress::More;
            }
        }
        self.finish(gil, out)
    }

    pub(super) fn finish(&mut self, gil: Gil<'_>, out: &mut WriteQueue) -> Progress {
        self.exhausted = true;
        self.delimiter.finish(gil, out)
    }
}
