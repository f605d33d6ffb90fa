//! The part of a response that is not in the queue yet: pulled, item by item, when what is queued
//! was written.

#![forbid(unsafe_code)]

use crate::app::body::{Body, QUEUED_AT_ONCE, Source};
use crate::app::context::AppContext;
use crate::app::exchange::FramingInputs;
use crate::app::failure;
use crate::app::start_response::StartResponse;
use crate::app::start_response::overflow::{self, OverflowBuffer};
use crate::app::{child, encode};
use crate::dialect::InvalidItem;
use crate::http::body_encoder::{BodyEncoder, Progress};
use crate::py::{Exception, Gil, Result};
use crate::queue::WriteQueue;

/// The rest of a response.
pub struct ResponseBody {
    /// Where the items come from.
    pub(super) body: Body,
    /// How their end is shown.
    pub(super) encoder: BodyEncoder,
    /// What the application gives to `write()` meanwhile.
    pub(super) start_response: StartResponse,
    /// The head is not queued yet: all items so far were empty.
    pub(super) unbegun: Option<Box<Unbegun>>,
    /// Nothing more is pulled: the body is only kept until everything is written.
    pub(super) exhausted: bool,
    /// The application failed in the middle.
    pub(super) truncated: bool,
}

/// What a response needs that has not begun.
pub struct Unbegun {
    /// What was produced of the body.
    pub first: OverflowBuffer,
    /// What the request decides about its framing.
    pub inputs: FramingInputs,
}

impl ResponseBody {
    /// Draws an item before the head is queued; `Some(0)` when the body ended without one.
    pub(super) fn draw_leading(
        &mut self,
        gil: Gil<'_>,
        first: &mut OverflowBuffer,
    ) -> Result<Option<u64>> {
        let item = self.body.next(gil, InvalidItem::Raise)?;
        let written = self.start_response.take_overflow();
        let mut added = written.map_or(Ok(()), |written| first.append(written));
        let mut known = None;
        match item {
            Some(item) => added = added.and_then(|()| first.push(item).map(drop)),
            None => known = Some(0),
        }
        added.map_err(|error| overflow::failed(gil, &error))?;
        Ok(known)
    }

    /// Queues the head and what there is of the body; the status, and whether the connection can be kept.
    pub(super) fn begin(
        &mut self,
        gil: Gil<'_>,
        ctx: &AppContext,
        inputs: FramingInputs,
        first: OverflowBuffer,
        known: Option<u64>,
        out: &mut WriteQueue,
    ) -> Result<(u16, bool)> {
        let ended = known == Some(0);
        let known = known.map(|known| known + first.len());
        let (framing, code) = self.start_response.send_head(gil, |head| {
            let framing = inputs.framing(head, known);
            head.push(out.buffer(), &framing, &ctx.lines.borrow());
            (framing, head.code())
        })?;
        self.encoder = BodyEncoder::new(&framing);
        let sent = first.send(gil, &mut self.encoder, out);
        let progress = if ended || sent == Progress::Complete || self.encoder.drops_body() {
            self.finish(gil, out)
        } else {
            self.push_ready(gil, out)
        };
        Ok((code, framing.keep_alive && progress != Progress::Truncated))
    }

    /// The same for a response that has not begun: draws one more item for it.
    fn pull_leading(
        &mut self,
        gil: Gil<'_>,
        ctx: &AppContext,
        mut unbegun: Box<Unbegun>,
        out: &mut WriteQueue,
    ) -> Progress {
        let begun = self
            .draw_leading(gil, &mut unbegun.first)
            .and_then(|known| {
                if unbegun.first.is_empty() && known.is_none() {
                    return Ok(None);
                }
                let first = std::mem::take(&mut unbegun.first);
                self.begin(gil, ctx, unbegun.inputs, first, known, out)
                    .map(Some)
            });
        match begun {
            Ok(None) => {
                self.unbegun = Some(unbegun);
                Progress::More
            }
            Ok(Some((_, true))) if self.exhausted => Progress::Complete,
            Ok(Some((_, true))) => Progress::More,
            // The response is the connection's last one.
            Ok(Some((_, false))) => Progress::Truncated,
            Err(raised) => {
                let exception = Exception::take(gil, raised);
                let head_only = unbegun.inputs.head_only;
                failure::push(gil, ctx, exception, self.body.request(), head_only, out);
                self.exhausted = true;
                Progress::Truncated
            }
        }
    }

    /// Pulls the next part of the body and puts it into the queue.
    pub fn pull(&mut self, gil: Gil<'_>, ctx: &AppContext, out: &mut WriteQueue) -> Progress {
        if self.exhausted {
            return Progress::Complete;
        }
        let progress = self.pull_next(gil, ctx, out);
        child::leave_if_forked(gil);
        progress
    }

    fn pull_next(&mut self, gil: Gil<'_>, ctx: &AppContext, out: &mut WriteQueue) -> Progress {
        if matches!(self.body.source(), Source::Items(_)) {
            return self.push_ready(gil, out);
        }
        if let Some(unbegun) = self.unbegun.take() {
            return self.pull_leading(gil, ctx, unbegun, out);
        }
        let item = self.body.next(gil, ctx.dialect.invalid_item());
        // Taken before anything else runs, which must not see it.
        let item = item.map_err(|raised| Exception::take(gil, raised));
        let written = self.start_response.take_overflow();
        let full = written
            .is_some_and(|written| written.send(gil, &mut self.encoder, out) == Progress::Complete);
        match item {
            Ok(_) if full => self.finish(gil, out),
            Ok(Some(item)) => match encode::push(gil, &mut self.encoder, item, out) {
                Progress::More => Progress::More,
                _ => self.finish(gil, out),
            },
            Ok(None) => self.finish(gil, out),
            Err(exception) => {
                failure::report(gil, ctx, &exception, self.body.request());
                self.exhausted = true;
                self.truncated = true;
                Progress::Truncated
            }
        }
    }

    /// Whether the response was cut short and nothing in it shows that: its end is the connection's.
    pub fn is_truncated_unseen(&self) -> bool {
        self.truncated && matches!(self.encoder, BodyEncoder::Close)
    }

    /// Whether nothing more is pulled.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Queues what is there: the items of a list, as many as are queued at once, or a file.
    pub(super) fn push_ready(&mut self, gil: Gil<'_>, out: &mut WriteQueue) -> Progress {
        match std::mem::replace(self.body.source(), Source::Nothing) {
            Source::Items(mut items) => {
                let mut queued = 0;
                while queued < QUEUED_AT_ONCE {
                    let Some(item) = items.next() else { break };
                    queued += item.as_bytes().map_or(0, <[u8]>::len);
                    if encode::push(gil, &mut self.encoder, item, out) != Progress::More {
                        return self.finish(gil, out);
                    }
                }
                if items.len() > 0 {
                    *self.body.source() = Source::Items(items);
                    return Progress::More;
                }
            }
            Source::File(part) => encode::push_file(&mut self.encoder, part, out),
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
        encode::finish(gil, self.encoder, out)
    }
}
