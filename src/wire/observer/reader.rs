//! Reads the events of one response as they come, and marks what they are.

use std::ops::ControlFlow;

use super::gaps::GapMeter;
use super::oddities::Oddities;
use super::seen::{Seen, TokenKind};
use super::template::Template;
use crate::record::{Dialect, ErrorClass, Language, Mark, Moment, Oddity, Timeline};
use crate::wire::dialect::errors::{Classified, in_band};
use crate::wire::dialect::language::learn_event;
use crate::wire::dialect::learned::{Kinds, Learned, Signal};
use crate::wire::framing::sse::Event;

/// Everything that reading events changes.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) dialect: Dialect,
    pub(super) language: Language,
    pub(super) learned: Learned,
    pub(super) timeline: Timeline,
    pub(super) meter: GapMeter,
    template: Template,
    pub(super) oddities: Oddities,
    /// Events with data, `[DONE]` aside.
    pub(super) events: u32,
    /// Number of the current socket read, and its moment.
    pub(super) read: u32,
    pub(super) at: Moment,
    /// The terminator came.
    pub(super) done: bool,
    /// Reading ended with an error.
    pub(super) failed: bool,
    /// Nothing that follows counts.
    pub(super) over: bool,
    /// The copy is decoded late: what came is read, and when it came is not known.
    pub(super) untimed: bool,
    pub(super) first_token: Option<(u32, TokenKind)>,
    pub(super) first_text: Option<u32>,
    /// What this read brought so far.
    pub(super) seen: Seen,
}

impl Reader {
    pub(super) fn new(dialect: Dialect, language: Language) -> Self {
        Self {
            dialect,
            language,
            learned: Learned::default(),
            timeline: Timeline::default(),
            meter: GapMeter::default(),
            template: Template::default(),
            oddities: Oddities::default(),
            events: 0,
            read: 0,
            at: Moment::default(),
            done: false,
            failed: false,
            over: false,
            untimed: false,
            first_token: None,
            first_text: None,
            seen: Seen::default(),
        }
    }

    /// Reads one event; breaks where nothing after it counts.
    pub(super) fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        self.seen.events = self.seen.events.saturating_add(1);
        // A prefix, as the provider's own SDK tests it.
        let terminator = event.data.starts_with(b"[DONE]");
        if self.done && !terminator {
            self.oddities.add(Oddity::BytesAfterDone);
        }
        if self.done || terminator {
            self.finish();
            self.over = true;
            return ControlFlow::Break(());
        }
        let index = self.events;
        self.events = self.events.saturating_add(1);
        self.mark_first(Mark::FirstEvent);
        if !event.error
            && let Some(signal) = self.template.recognise(event.data)
        {
            self.take(index, signal);
            return ControlFlow::Continue(());
        }
        let signal = learn_event(self.dialect, self.language, event.data, &mut self.learned);
        let Some(signal) = signal else {
            self.oddities.add(Oddity::BadJson);
            return self.fail(Classified::bare(ErrorClass::ProtocolError));
        };
        self.take(index, signal);
        if event.error && self.learned.error.is_none() {
            self.learned.error = Some(in_band(self.dialect, event.data));
        }
        if let Some(error) = self.learned.error.take() {
            return self.fail(error);
        }
        if self.learned.ended {
            self.finish();
        } else if signal.is_only_tokens() && !event.error {
            self.template.keep(event.data, signal);
        }
        ControlFlow::Continue(())
    }

    /// Takes what an event is, wherever it came from.
    fn take(&mut self, index: u32, signal: Signal) {
        if signal.kinds.is_empty() {
            if signal.role {
                self.mark_first(Mark::FirstRole);
            }
        } else {
            self.token(index, signal.kinds);
        }
        if signal.usage {
            if !self.untimed {
                self.timeline.set(Mark::Usage, self.at);
            }
            if !signal.kinds.is_empty() {
                self.oddities.add(Oddity::UsageOnTokenEvent);
            }
        }
        if signal.unknown {
            self.oddities.add(Oddity::UnknownEvent);
        }
    }

    fn token(&mut self, index: u32, kinds: Kinds) {
        if self.first_token.is_none() {
            self.first_token = Some((index, TokenKind::of(kinds)));
            self.seen.first_token = true;
        }
        if kinds.any(Kinds::TEXT) && self.first_text.is_none() {
            self.first_text = Some(index);
        }
        self.seen.token_events = self.seen.token_events.saturating_add(1);
        self.meter.token(self.at, self.read);
        for (kind, mark) in [
            (Kinds::REASONING, Mark::FirstReasoning),
            (Kinds::ANSWER, Mark::FirstAnswer),
            (Kinds::TEXT, Mark::FirstText),
            (Kinds::TOOL, Mark::FirstToolCall),
        ] {
            if kinds.any(kind) {
                self.mark_first(mark);
            }
        }
        self.mark_first(Mark::FirstToken);
        if !self.untimed {
            self.timeline.set(Mark::LastToken, self.at);
        }
    }

    fn mark_first(&mut self, mark: Mark) {
        if !self.untimed {
            self.timeline.set_first(mark, self.at);
        }
    }

    fn finish(&mut self) {
        self.done = true;
        self.seen.done = true;
        self.mark_first(Mark::Done);
    }

    /// Ends reading with an error.
    pub(super) fn fail(&mut self, error: Classified) -> ControlFlow<()> {
        self.learned.error = Some(error);
        self.failed = true;
        self.over = true;
        self.seen.failed = true;
        ControlFlow::Break(())
    }
}
