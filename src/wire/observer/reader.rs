//! Reads the events of one response as they come, and marks what they are.

use std::ops::ControlFlow;

use super::gaps::GapMeter;
use super::oddities::Oddities;
use super::seen::{Seen, TokenKind};
use super::share::Share;
use super::template::{Template, text_bytes};
use crate::record::{Dialect, ErrorClass, Language, Mark, Moment, Oddity, Timeline};
use crate::wire::dialect::errors::{Classified, classify_typed, in_band};
use crate::wire::dialect::language::{counts_as_it_goes, learn_event, learn_frame};
use crate::wire::dialect::learned::{Kinds, Learned, Signal};
use crate::wire::framing::event_stream::{Frame, Message};
use crate::wire::framing::sse::Event;

/// Everything that reading events changes.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) dialect: Dialect,
    pub(super) language: Language,
    pub(super) learned: Learned,
    pub(super) timeline: Timeline,
    pub(super) meter: GapMeter,
    /// The text of all token events.
    pub(super) text: Share,
    /// That of those with an answer.
    pub(super) answer: Share,
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
    /// An event was too large to be read: what was not seen before it may have been in it.
    pub(super) blind: bool,
    /// So was the last one.
    pub(super) ends_unread: bool,
    /// The copy is decoded late: what came is read, and when it came is not known.
    pub(super) untimed: bool,
    pub(super) first_token: Option<(u32, TokenKind)>,
    /// All kinds of content that came.
    pub(super) kinds: Kinds,
    /// Tokens came behind the last usage numbers.
    pub(super) usage_early: bool,
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
            text: Share::default(),
            answer: Share::default(),
            template: Template::default(),
            oddities: Oddities::default(),
            events: 0,
            read: 0,
            at: Moment::default(),
            done: false,
            failed: false,
            over: false,
            blind: false,
            ends_unread: false,
            untimed: false,
            first_token: None,
            kinds: Kinds::default(),
            usage_early: false,
            first_text: None,
            seen: Seen::default(),
        }
    }

    /// Reads one event; breaks where nothing after it counts.
    pub(super) fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        self.seen.events = self.seen.events.saturating_add(1);
        if event.is_unread() {
            self.unread();
            return ControlFlow::Continue(());
        }
        self.ends_unread = false;
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
        let index = self.begin();
        if !event.error
            && let Some((signal, text)) = self.template.recognise(event.data)
        {
            self.take(index, signal, text);
            return ControlFlow::Continue(());
        }
        let signal = learn_event(self.dialect, self.language, event.data, &mut self.learned);
        if event.error && self.learned.error.is_none() {
            let error = in_band(self.dialect, event.data);
            if signal.is_none() {
                // In plain words.
                self.oddities.add(Oddity::BadJson);
                return self.fail(error);
            }
            self.learned.error = Some(error);
        }
        self.learnt(index, signal, Some(event.data).filter(|_| !event.error))
    }

    /// Reads one frame of Amazon's; breaks where nothing after it counts.
    pub(super) fn frame(&mut self, frame: &Frame<'_>) -> ControlFlow<()> {
        self.seen.events = self.seen.events.saturating_add(1);
        if self.done {
            self.oddities.add(Oddity::BytesAfterDone);
            self.over = true;
            return ControlFlow::Break(());
        }
        let index = self.begin();
        let kind = match frame.message() {
            Message::Event(kind) => kind,
            Message::Exception(name) | Message::Error { code: name, .. } => {
                let (dialect, name) = (self.dialect, Some(name));
                return self.fail(classify_typed(dialect, "", 200, name, frame.payload));
            }
        };
        // Its name is a part of what an event says.
        let delta = kind == "contentBlockDelta";
        if delta && let Some((signal, text)) = self.template.recognise(frame.payload) {
            self.take(index, signal, text);
            return ControlFlow::Continue(());
        }
        let (dialect, language) = (self.dialect, self.language);
        let signal = learn_frame(dialect, language, kind, frame.payload, &mut self.learned);
        self.learnt(index, signal, Some(frame.payload).filter(|_| delta))
    }

    /// Counts an event; returns its index.
    fn begin(&mut self) -> u32 {
        let index = self.events;
        self.events = self.events.saturating_add(1);
        self.mark_first(Mark::FirstEvent);
        index
    }

    /// Takes what was learned of an event, if it could be read; `alike` is what others like it may
    /// be compared with.
    fn learnt(
        &mut self,
        index: u32,
        signal: Option<Signal>,
        alike: Option<&[u8]>,
    ) -> ControlFlow<()> {
        let Some(signal) = signal else {
            return self.unreadable();
        };
        let text = alike.filter(|_| !signal.kinds.is_empty()).map(text_bytes);
        self.take(index, signal, text.unwrap_or(0));
        if let Some(error) = self.learned.error.take() {
            return self.fail(error);
        }
        if self.learned.ended {
            self.finish();
        } else if let Some(data) = alike.filter(|_| signal.is_only_tokens()) {
            self.template.keep(data, signal);
        }
        ControlFlow::Continue(())
    }

    /// Passes over an event that was too large to be read. So much is content, whatever it is: no
    /// other provider is asked after it. Which of the marks it would have set, nobody knows.
    pub(super) fn unread(&mut self) {
        self.begin();
        self.oddities.add(Oddity::EventTooLarge);
        (self.blind, self.ends_unread) = (true, true);
        self.seen.token_events = self.seen.token_events.saturating_add(1);
        self.timeline.unset(Mark::LastToken);
    }

    /// Ends reading where something stands that is no JSON.
    pub(super) fn unreadable(&mut self) -> ControlFlow<()> {
        self.oddities.add(Oddity::BadJson);
        self.fail(Classified::bare(ErrorClass::ProtocolError))
    }

    /// Takes what an event is, wherever it came from, and of how many bytes its text is.
    fn take(&mut self, index: u32, signal: Signal, text: u64) {
        self.kinds.add(signal.kinds, true);
        if signal.kinds.is_empty() {
            if signal.role {
                self.mark_first(Mark::FirstRole);
            }
        } else {
            self.token(index, signal.kinds, text);
        }
        if signal.usage {
            self.usage_early = false;
            if !self.untimed {
                self.timeline.set(Mark::Usage, self.at);
            }
            if !signal.kinds.is_empty() && !counts_as_it_goes(self.language) {
                self.oddities.add(Oddity::UsageOnTokenEvent);
            }
        }
        if signal.unknown {
            self.oddities.add(Oddity::UnknownEvent);
        }
    }

    fn token(&mut self, index: u32, kinds: Kinds, text: u64) {
        if self.first_token.is_none() {
            self.first_token = Some((index, TokenKind::of(kinds)));
            self.seen.first_token = true;
        }
        if kinds.any(Kinds::TEXT) && self.first_text.is_none() {
            self.first_text = Some(index);
        }
        self.usage_early = true;
        self.seen.token_events = self.seen.token_events.saturating_add(1);
        self.meter.token(self.at, self.read);
        self.text.event(text);
        if kinds.any(Kinds::ANSWER) {
            self.answer.event(text);
        }
        for (kind, mark) in [
            (Kinds::REASONING, Mark::FirstReasoning),
            (Kinds::ANSWER, Mark::FirstAnswer),
            (Kinds::TEXT, Mark::FirstText),
            (Kinds::TOOL, Mark::FirstToolCall),
        ] {
            if kinds.any(kind) && !self.blind {
                self.mark_first(mark);
            }
        }
        if !self.blind {
            self.mark_first(Mark::FirstToken);
        }
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
