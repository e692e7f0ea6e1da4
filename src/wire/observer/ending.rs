//! Judges how a response ended, and puts together what was learned of it.

use serde::de::IgnoredAny;

use super::aliases::is_changed;
use super::content::Content;
use super::framed::Framed;
use super::observe::{Body, Observer, is_failing};
use super::reader::Reader;
use super::seen::{BodyEnd, Observation};
use crate::record::{
    Dialect, End, ErrorClass, FinishReason, Mark, Moment, Oddity, Outcome, RateLimitHeader,
    TokenSource, Tokens, Usage,
};
use crate::wire::dialect::errors::{
    Classified, classify_typed, in_band, is_error_body, is_flat_error, limits_in_body, outcome,
};
use crate::wire::dialect::finish::fault_class;
use crate::wire::dialect::language::{
    Form, counts_as_it_goes, ends_with_body, ends_with_done, form, is_handed_on, learn_whole,
};
use crate::wire::dialect::learned::Kinds;
use crate::wire::framing::sse::Splitter;

/// How a body ended, and what that means.
struct Ending {
    end: End,
    error: Option<Classified>,
    outcome: Outcome,
    limits: Vec<RateLimitHeader>,
}

impl Ending {
    fn new(end: End, outcome: Outcome) -> Self {
        Self {
            end,
            error: None,
            outcome,
            limits: Vec::new(),
        }
    }

    fn failed(end: End, class: ErrorClass) -> Self {
        Self {
            error: Some(Classified::bare(class)),
            ..Self::new(end, outcome(class))
        }
    }

    fn in_band(end: End, error: Classified) -> Self {
        Self {
            error: Some(error),
            ..Self::new(end, Outcome::InBandError)
        }
    }

    /// What the transport says, where the body says nothing.
    fn transport(how: BodyEnd) -> Self {
        match how {
            BodyEnd::Complete => Self::new(End::Complete, Outcome::Ok),
            BodyEnd::Truncated => Self::failed(End::Truncated, ErrorClass::Truncated),
            BodyEnd::Reset => Self::failed(End::Reset, ErrorClass::Truncated),
            BodyEnd::Stalled => Self {
                outcome: Outcome::Stalled,
                ..Self::failed(End::Stalled, ErrorClass::SilenceTimeout)
            },
            BodyEnd::ClientGone => Self::new(End::ClientGone, Outcome::ClientGone),
            BodyEnd::CutByLimit => Self::new(End::CutByLimit, Outcome::Truncated),
            BodyEnd::Shutdown => Self::new(End::CutByLimit, Outcome::Shutdown),
        }
    }
}

impl Observer {
    /// Whether a stream whose body is over, whole by its framing, is not by its language: neither a
    /// finish nor a terminator nor an error has come. Nothing is read after this. `false` where that
    /// cannot be told, or where the language has no terminator of its own.
    pub fn is_cut_short(&mut self) -> bool {
        let reader = &mut self.reader;
        match &mut self.body {
            Body::Stream(splitter) => {
                if !self.pending_read {
                    read_pending(reader, splitter);
                    self.pending_read = true;
                }
                if reader.events == 0 || is_error_body(splitter.raw()) {
                    return false;
                }
            }
            Body::Framed(_) => {}
            _ => return false,
        }
        let ends = reader.done || reader.failed || !reader.learned.finish.is_empty();
        let language = reader.language;
        let endless = ends_with_body(language) || is_handed_on(language);
        !ends && !endless && reader.learned.blocked.is_none() && !is_unread(reader)
    }

    /// Concludes, when the body ended at `at` in this way.
    #[must_use]
    pub fn end(mut self, at: Moment, how: BodyEnd) -> Observation {
        if matches!(how, BodyEnd::Complete | BodyEnd::Truncated | BodyEnd::Reset) {
            self.reader.timeline.set_first(Mark::Done, at);
        }
        conclude(self, how)
    }
}

/// Ends reading and puts the observation together.
fn conclude(mut observer: Observer, how: BodyEnd) -> Observation {
    let body = std::mem::replace(&mut observer.body, Body::Opaque);
    let streamed = matches!(body, Body::Stream(_) | Body::Framed(_) | Body::Over { .. });
    let comments = match &body {
        Body::Stream(splitter) => splitter.noticed().comments,
        Body::Over { comments } => *comments,
        _ => 0,
    };
    let failing = is_failing(observer.status);
    let ending = match body {
        Body::Whole(bytes) if failing => status(&observer, &bytes, how),
        Body::Dropped if failing => status(&observer, &[], how),
        Body::Whole(bytes) => whole(&mut observer.reader, &bytes, how),
        Body::Stream(splitter) => stream(&mut observer, splitter, how),
        Body::Framed(stream) => framed(&mut observer, &stream, how),
        Body::Over { .. } => over(&mut observer, how),
        Body::Undecided => nothing(&observer, how),
        Body::Dropped | Body::Opaque => Ending::transport(how),
    };
    assemble(observer, ending, streamed, comments)
}

/// A failing status: its body says what kind, and how it came does not matter.
fn status(observer: &Observer, body: &[u8], how: BodyEnd) -> Ending {
    let dialect = observer.reader.dialect;
    let error_type = observer.error_type.as_deref();
    let error = classify_typed(
        dialect,
        &observer.provider,
        observer.status,
        error_type,
        body,
    );
    let outcome = match how {
        BodyEnd::ClientGone => Outcome::ClientGone,
        _ => outcome(error.class),
    };
    Ending {
        error: Some(error),
        limits: limits_in_body(body),
        ..Ending::new(Ending::transport(how).end, outcome)
    }
}

/// A body of which nothing came, or blanks only.
fn nothing(observer: &Observer, how: BodyEnd) -> Ending {
    if how != BodyEnd::Complete || is_unread(&observer.reader) {
        Ending::transport(how)
    } else if observer.asked_stream {
        Ending::failed(End::Truncated, ErrorClass::Truncated)
    } else {
        Ending::failed(End::Truncated, ErrorClass::EmptyResponse)
    }
}

/// Whether the copy could not be read to its end, so that nothing follows from what is missing.
fn is_unread(reader: &Reader) -> bool {
    reader.ends_unread
        || reader
            .oddities
            .any(&[Oddity::Undecodable, Oddity::DecodedTooLarge])
}

/// Reads the event that the end of a stream left without its blank line, once.
fn read_pending(reader: &mut Reader, splitter: &mut Splitter) {
    let Some(event) = splitter.finish() else {
        return;
    };
    // The standard drops it; but servers forget the last blank line, and it may be the usage.
    let read = event.data.starts_with(b"[DONE]") || is_json(event.data);
    let whole = read || event.is_unread();
    reader.oddities.add(if read {
        Oddity::PendingEvent
    } else {
        Oddity::PartialEvent
    });
    if whole {
        let _ = reader.event(event);
    }
}

fn stream(observer: &mut Observer, mut splitter: Splitter, how: BodyEnd) -> Ending {
    let reader = &mut observer.reader;
    if !observer.pending_read {
        read_pending(reader, &mut splitter);
    }
    if reader.done || reader.failed {
        return over(observer, how);
    }
    let raw = splitter.raw();
    if is_error_body(raw) {
        reader.oddities.add(Oddity::RawErrorTail);
        return Ending::in_band(End::ErrorEvent, in_band(reader.dialect, raw));
    }
    if how == BodyEnd::Complete && reader.events == 0 && is_foreign(raw) {
        return Ending::failed(End::Truncated, ErrorClass::ProtocolError);
    }
    over(observer, how)
}

/// A stream of frames or objects, whose last whole one has been read.
fn framed(observer: &mut Observer, stream: &Framed, how: BodyEnd) -> Ending {
    let whole = stream.is_whole();
    if !whole {
        observer.reader.oddities.add(Oddity::PartialEvent);
    }
    let mut ending = over(observer, how);
    if !whole && ending.end == End::Complete && ending.error.is_none() {
        observer.reader.oddities.add(Oddity::MissingDone);
        ending.end = End::Unterminated;
    }
    ending
}

/// A stream whose last event has been read.
fn over(observer: &mut Observer, how: BodyEnd) -> Ending {
    let reader = &mut observer.reader;
    if reader.failed {
        let error = reader.learned.error.clone();
        let error = error.unwrap_or_else(|| Classified::bare(ErrorClass::ServerError));
        return Ending::in_band(End::ErrorEvent, error);
    }
    if let Some(failed) = failed_finish(reader) {
        return failed;
    }
    let finishes = reader.learned.finish.len();
    if reader.done {
        return if finishes > 0 {
            success(reader, End::Complete)
        } else if reader.meter.events() > 0 {
            Ending::failed(End::Truncated, ErrorClass::Truncated)
        } else {
            Ending::failed(End::Truncated, ErrorClass::EmptyResponse)
        };
    }
    if how != BodyEnd::Complete || is_unread(reader) {
        return Ending::transport(how);
    }
    if ends_with_body(reader.language) {
        let begun = reader.learned.choices.clamp(1, CHOICES_COUNTED) as usize;
        return if finishes >= begun {
            success(reader, End::Complete)
        } else {
            Ending::failed(End::Truncated, ErrorClass::Truncated)
        };
    }
    let expected = observer.choices.clamp(1, CHOICES_COUNTED) as usize;
    if finishes >= expected || (finishes > 0 && !ends_with_done(reader.language)) {
        reader.oddities.add(Oddity::MissingDone);
        success(reader, End::Unterminated)
    } else {
        Ending::failed(End::Truncated, ErrorClass::Truncated)
    }
}

/// Finish reasons are kept for so many choices.
const CHOICES_COUNTED: u32 = 8;

fn whole(reader: &mut Reader, body: &[u8], how: BodyEnd) -> Ending {
    let signal = learn_whole(reader.dialect, reader.language, body, &mut reader.learned);
    let Some(signal) = signal else {
        if how != BodyEnd::Complete {
            return Ending::transport(how);
        }
        let cut = serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof());
        reader.oddities.add(if cut {
            Oddity::PartialEvent
        } else {
            Oddity::BadJson
        });
        return Ending::failed(
            End::Truncated,
            if cut {
                ErrorClass::Truncated
            } else {
                ErrorClass::ProtocolError
            },
        );
    };
    if let Some(error) = reader.learned.error.take() {
        return Ending::in_band(End::ErrorEvent, error);
    }
    if signal.unknown && (is_error_body(body) || is_flat_error(body)) {
        return Ending::in_band(End::ErrorEvent, in_band(reader.dialect, body));
    }
    if let Some(failed) = failed_finish(reader) {
        return failed;
    }
    if how != BodyEnd::Complete {
        return Ending::transport(how);
    }
    reader.kinds.add(signal.kinds, true);
    let generated = form(reader.language) == Form::Generated;
    if !generated || !signal.kinds.is_empty() {
        return Ending::new(End::Complete, Outcome::Ok);
    }
    if signal.unknown && is_handed_on(reader.language) {
        // A model of whose language nothing is known here: that it says nothing cannot be told.
        reader.oddities.add(Oddity::UnknownEvent);
        return Ending::new(End::Complete, Outcome::Ok);
    }
    success(reader, End::Complete)
}

/// A finish: a success, unless it has nothing where content was asked for.
fn success(reader: &Reader, end: End) -> Ending {
    let tokens = reader.meter.events() > 0 || reader.learned.usage.output.unwrap_or(0) > 0;
    let meant = reader
        .learned
        .finish
        .iter()
        .any(|(_, reason)| !matches!(reason, FinishReason::Stop | FinishReason::Other));
    if tokens || meant || reader.learned.without_content {
        Ending::new(end, Outcome::Ok)
    } else {
        Ending::failed(end, ErrorClass::EmptyResponse)
    }
}

/// The failure that a finish reason reports, or a prompt that was refused inside a success.
fn failed_finish(reader: &Reader) -> Option<Ending> {
    if let Some(reason) = &reader.learned.blocked {
        let class = ErrorClass::ContentFilter;
        let code = Some(reason.clone()).filter(|reason| reason.len() <= 64);
        // The caller's matter, as it is where a status says it.
        return Some(Ending {
            error: Some(Classified { class, code }),
            ..Ending::new(End::Complete, outcome(class))
        });
    }
    let mut reasons = reader.learned.finish.iter();
    reasons.find(|(_, reason)| *reason == FinishReason::Error)?;
    let word = reader.learned.finish_word.clone();
    let class = fault_class(word.as_deref().unwrap_or_default());
    let code = word.filter(|word| word.len() <= 64);
    Some(Ending::in_band(End::Complete, Classified { class, code }))
}

fn is_json(data: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(data).is_ok()
}

/// Whether lines that no event stream has are something else, and not the first bytes of a field.
fn is_foreign(raw: &[u8]) -> bool {
    let text = raw.trim_ascii();
    let fields = [&b"data"[..], b"event", b"id", b"retry"];
    !text.is_empty() && !fields.iter().any(|field| field.starts_with(text))
}

fn assemble(observer: Observer, ending: Ending, streamed: bool, comments: u32) -> Observation {
    let reader = observer.reader;
    let (learned, meter, mut oddities) = (reader.learned, reader.meter, reader.oddities);
    if learned.usage_objects > 1 && !counts_as_it_goes(reader.language) {
        oddities.add(Oddity::UsageTwice);
    }
    let (asked, answered) = (observer.model_asked.as_deref(), learned.model.as_deref());
    // A deployment at Azure has any name.
    if reader.dialect != Dialect::Azure && is_changed(asked, answered) {
        oddities.add(Oddity::ModelChanged);
    }
    let usage = learned.normalised();
    let content = Content {
        kinds: reader.kinds,
        usage: &usage,
        model: answered.or(asked),
        streamed,
    };
    content.note(&mut oddities);
    if meter.is_lossy() {
        oddities.add(Oddity::LimitReached);
    }
    let token_events = meter.events();
    let counted = tokens(
        usage,
        observer.usage_injected,
        (token_events, reader.usage_early),
    );
    let summary = oddities.any(&[Oddity::ReasoningSummary]);
    let plain = reader.kinds.any(Kinds::REASONING) && !summary;
    // The time of an answer behind a summary begins with the answer (measurement.md 2.6).
    let text = if summary { reader.answer } else { reader.text };
    // Of an event that was too large to be read, nobody knows how much it was.
    let first_tokens =
        text.first_tokens(streamed_tokens(&counted.usage, plain).filter(|_| !reader.blind));
    let timed = streamed && !reader.untimed;
    if streamed && reader.untimed {
        oddities.add(Oddity::DecodedLate);
    }
    Observation {
        gaps: meter
            .finish(observer.started, first_tokens)
            .filter(|_| timed),
        timeline: reader.timeline,
        events: reader.events,
        comments,
        tokens: counted,
        provider_usage: usage,
        finish: learned
            .finish
            .into_iter()
            .map(|(_, reason)| reason)
            .collect(),
        finish_word: learned.finish_word,
        end: ending.end,
        error: ending.error,
        limits: ending.limits,
        outcome_hint: ending.outcome,
        model_answered: learned.model,
        answer_id: learned.answer_id,
        kept_as: learned.kept_as,
        fingerprint: learned.fingerprint,
        service_tier: learned.service_tier,
        served_by: learned.served_by,
        server_timings: learned.server_timings,
        cost_billed: learned.cost,
        cached_answer: learned.cached_answer,
        oddities: oddities.list(),
        first_token_index: reader.first_token.map(|(index, _)| index),
        first_token_kind: reader.first_token.map(|(_, kind)| kind),
        first_text_index: reader.first_text,
        token_events,
        streamed,
    }
}

/// Output tokens that were streamed; reasoning is of them where it came in plain.
fn streamed_tokens(usage: &Usage, plain: bool) -> Option<u64> {
    let hidden = usage.reasoning.filter(|_| !plain).unwrap_or(0);
    usage.output.map(|output| output.saturating_sub(hidden))
}

/// The counts to record: the provider's, or of the output at least the number of token events.
///
/// A count that came before the last tokens did, and is smaller than their events, was not the last.
fn tokens(provider: Usage, injected: bool, (token_events, early): (u32, bool)) -> Tokens {
    let own = if injected {
        TokenSource::UsageInjected
    } else {
        TokenSource::Usage
    };
    let least = u64::from(token_events);
    let overtaken = early && provider.output.is_some_and(|output| output < least);
    if token_events > 0 && (provider.output.is_none() || overtaken) {
        return Tokens {
            usage: Usage {
                output: Some(least),
                // A part told for the whole answer is none of what came of it.
                reasoning: provider.reasoning.filter(|part| *part <= least),
                ..provider
            },
            source: Some(TokenSource::Chunks),
        };
    }
    Tokens {
        usage: provider,
        source: (!provider.is_unknown()).then_some(own),
    }
}
