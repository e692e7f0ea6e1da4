//! Makes up a past: records of simulated exchanges, drawn from the cast's own behaviours.

use fastrand::Rng;

use super::cast::{PARTS, Part};
use super::habit::{Request, Served};
use super::provider::{Behaviour, Fault};
use crate::record::{
    AttemptRecord, End, ErrorClass, ExchangeId, ExchangeRecord, FinishReason, Gaps, KeyedHash,
    Mark, Moment, Name, Nanos, Origin, Outcome, OwnDelay, Protocol, ProviderKind, RequestFacts,
    Timeline, TokenSource, Tokens, Usage, WallTime,
};
use crate::statistics::sketch::Sketch;

/// The moment and the date that are now: what the past is counted back from.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// On the monotonic clock.
    pub moment: Moment,
    /// On the calendar.
    pub wall: WallTime,
}

/// `count` exchanges spread over the last `span`, oldest first; the same seed, the same past.
#[must_use]
pub fn past(count: usize, span: Nanos, now: Now, seed: u64) -> Vec<ExchangeRecord> {
    let mut rng = Rng::with_seed(seed);
    let behaviours: Vec<_> = PARTS.iter().map(|part| part.behaviour(now.wall)).collect();
    let shares: u32 = PARTS.iter().map(|part| part.traffic).sum();
    let mut ago: Vec<u64> = (0..count).map(|_| rng.u64(0..span.0.max(1))).collect();
    ago.sort_unstable_by(|one, other| other.cmp(one));
    ago.into_iter()
        .map(|ago| {
            let mut left = rng.u32(0..shares);
            let index = PARTS
                .iter()
                .position(|part| {
                    let mine = left < part.traffic;
                    left = left.saturating_sub(part.traffic);
                    mine
                })
                .unwrap_or(0);
            let at = Now {
                moment: Moment(now.moment.0.saturating_sub(ago)),
                wall: WallTime(now.wall.0 - (ago / 1000) as i64),
            };
            exchange(&PARTS[index], &behaviours[index], at, now.wall, &mut rng)
        })
        .collect()
}

/// One exchange with `part`, begun at `at`, as its `behaviour` has it, in the past of a demo that
/// began at `start`.
#[must_use]
pub fn exchange(
    part: &Part,
    behaviour: &Behaviour,
    at: Now,
    start: WallTime,
    rng: &mut Rng,
) -> ExchangeRecord {
    let fault = behaviour.draw_fault(at.wall, rng);
    let request = Request::draw(part, rng);
    let served = Served::draw(part, at.wall, start, rng);
    let factor = behaviour.factor(at.wall) * served.slower;
    let mut draft = Draft::begin(part, at, request, rng);
    draft.served(served);
    match fault {
        Some(Fault::RateLimit) => draft.refused(429, ErrorClass::RateLimited, Outcome::RateLimited),
        Some(Fault::CloseMid) => draft.streamed(part, behaviour, factor, true, rng),
        Some(_) => draft.refused(503, ErrorClass::Overloaded, Outcome::UpstreamError),
        None => draft.streamed(part, behaviour, factor, false, rng),
    }
    draft.record
}

struct Draft {
    record: ExchangeRecord,
    attempt: AttemptRecord,
    /// When the request was on its way.
    sent: Moment,
    request: Request,
}

impl Draft {
    fn begin(part: &Part, at: Now, request: Request, rng: &mut Rng) -> Self {
        let zero = at.moment;
        let after = |micros: u64| zero.plus(Nanos(micros * 1000));
        let reused = rng.f64() > 0.06;
        let mut timeline = Timeline::default();
        timeline.set(Mark::RequestFirstByte, zero);
        timeline.set(Mark::RequestComplete, after(rng.u64(20..60)));
        timeline.set(Mark::RouteChosen, after(rng.u64(60..95)));
        timeline.set(Mark::PoolWait, after(98));
        let mut sent = after(rng.u64(110..150));
        if !reused {
            timeline.set(Mark::Dns, after(rng.u64(800..4_000)));
            timeline.set(Mark::Connect, after(rng.u64(9_000..22_000)));
            timeline.set(Mark::Tls, after(rng.u64(24_000..60_000)));
            sent = after(rng.u64(60_100..60_300));
        }
        timeline.set(Mark::SendStart, sent);
        timeline.set(Mark::RequestSent, sent.plus(Nanos(15_000)));
        let kind = if part.provider == "openrouter" {
            ProviderKind::Router
        } else {
            ProviderKind::Direct
        };
        let attempt = AttemptRecord {
            provider: Name::from(part.provider),
            kind,
            model: Some(Name::from(part.model)),
            reused,
            timeline,
            ..AttemptRecord::default()
        };
        let bytes = request.tokens * 5;
        let record = ExchangeRecord {
            id: ExchangeId::new(at.wall, rng.u64(..)),
            trace: None,
            started: at.wall,
            started_at: zero,
            origin: Origin::Demo,
            config: KeyedHash(0),
            endpoint: Name::from(part.endpoint()),
            language: part.language(),
            model: Some(Name::from(part.model)),
            tags: Vec::new(),
            client_key: None,
            session: request.session,
            client_retries: None,
            client_protocol: Protocol::Http1,
            request: RequestFacts {
                bytes,
                prompt_tokens_estimated: Some(request.tokens),
                messages: Some(request.session.map_or(1, |session| session.turn * 2)),
                response_format: request.format.clone(),
                prompt_hash: Some(request.prompt),
                prefix_hash: Some(request.prefix),
                stream: true,
                ..RequestFacts::default()
            },
            policy: Name::from("ordered"),
            reason: Name::from("base_url"),
            attempts: Vec::new(),
            outcome: Outcome::Ok,
            status: Some(200),
            response_bytes: 0,
            tokens: Tokens::default(),
            cost: None,
            no_cost: None,
            prices: None,
            experiment: None,
            decision: None,
            active: None,
            cost_billed: None,
            own: OwnDelay {
                inbound: Some(Nanos(rng.u64(45_000..95_000))),
                ..OwnDelay::default()
            },
            cached_answer: false,
            closed_at: zero,
        };
        Self {
            record,
            attempt,
            sent,
            request,
        }
    }

    fn served(&mut self, served: Served) {
        self.attempt.region = served.region;
        self.attempt.served_by = served.by;
        self.attempt.model_answered = Some(served.answered);
        self.attempt.rate_limits = served.limits;
    }

    fn refused(&mut self, status: u16, class: ErrorClass, outcome: Outcome) {
        let headers = self.sent.plus(Nanos::from_millis(90));
        self.attempt.timeline.set(Mark::Headers, headers);
        self.attempt.timeline.set(Mark::FirstByte, headers);
        self.attempt.status = Some(status);
        self.attempt.error_class = Some(class);
        self.attempt.end = Some(End::Complete);
        self.attempt.response_bytes = 240;
        self.record.outcome = outcome;
        self.record.status = Some(status);
        self.close(headers);
    }

    fn streamed(
        &mut self,
        part: &Part,
        behaviour: &Behaviour,
        factor: f64,
        cut: bool,
        rng: &mut Rng,
    ) {
        let scaled = |span: Nanos| Nanos((span.0 as f64 * factor) as u64);
        let (reading, effort) = self.request.effort(part);
        let thinking = scaled(behaviour.first_token.draw(rng)).0 as f64 * effort;
        let first = self.sent.plus(Nanos(thinking as u64 + reading));
        let whole = ((f64::from(part.tokens) * self.request.length) as u32).max(2);
        let tokens = if cut { rng.u32(1..whole) } else { whole };
        let mut sketch = Sketch::default();
        let (mut last, mut longest) = (first, Nanos(0));
        for _ in 1..tokens {
            let gap = scaled(behaviour.gap.draw(rng));
            sketch.insert(gap.0);
            longest = longest.max(gap);
            last = last.plus(gap);
        }
        let headers = Moment(first.0 - (first.0 - self.sent.0) / 3);
        let delay = Nanos(rng.u64(18_000..70_000));
        let timeline = &mut self.attempt.timeline;
        for (mark, at) in [
            (Mark::Headers, headers),
            (Mark::FirstByte, headers.plus(Nanos(80_000))),
            (Mark::FirstEvent, headers.plus(Nanos(80_000))),
            (Mark::FirstRole, headers.plus(Nanos(80_000))),
            (Mark::FirstToken, first),
            (Mark::FirstAnswer, first),
            (Mark::FirstText, first),
            (Mark::LastToken, last),
            (Mark::ClientFirstToken, first.plus(delay)),
            (Mark::ClientLastToken, last.plus(delay)),
        ] {
            timeline.set(mark, at);
        }
        self.attempt.status = Some(200);
        self.attempt.response_bytes = u64::from(tokens) * 240;
        self.attempt.gaps = Some(Gaps {
            token_events: tokens,
            token_reads: tokens,
            first_event_tokens: 1,
            sketch: sketch.into_bins(),
            longest,
            ..Gaps::default()
        });
        let own = &mut self.record.own;
        own.first_token = Some(delay);
        own.chunk_max = Some(Nanos(delay.0 + rng.u64(0..90_000)));
        own.chunk_p99 = own.chunk_max;
        own.last = Some(delay);
        if cut {
            self.attempt.end = Some(End::Truncated);
            self.attempt.error_class = Some(ErrorClass::Truncated);
            self.record.outcome = Outcome::Truncated;
        } else {
            self.attempt.end = Some(End::Complete);
            self.attempt.finish = vec![FinishReason::Stop];
            self.attempt
                .timeline
                .set(Mark::Usage, last.plus(Nanos(300_000)));
            self.attempt
                .timeline
                .set(Mark::Done, last.plus(Nanos(350_000)));
            self.record.tokens = Tokens {
                usage: Usage {
                    input: self.record.request.prompt_tokens_estimated,
                    cached_read: Some(self.request.cached),
                    output: Some(u64::from(tokens)),
                    reasoning: Some(0),
                    ..Usage::default()
                },
                source: Some(TokenSource::Usage),
            };
        }
        self.record.response_bytes = self.attempt.response_bytes;
        self.close(last.plus(Nanos(400_000)));
    }

    fn close(&mut self, at: Moment) {
        self.attempt.timeline.set(Mark::Closed, at);
        self.record.closed_at = at;
        self.record.attempts.push(std::mem::take(&mut self.attempt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::paper::Source;
    use crate::analysis::render::paper::json;
    use crate::analysis::reports::tax::{Asked, Tax};
    use crate::analysis::reports::{Choice, Gathered};
    use crate::analysis::tables::{Origins, Window};

    #[test]
    fn the_confounded_router_seems_faster_and_is_slower() {
        let now = Now {
            moment: Moment(90_000_000_000_000_000),
            wall: WallTime(1_795_307_749_000_000),
        };
        let mut tax = Tax::new(Asked::default());
        let choice = Choice {
            models: vec!["gpt-4o-mini".to_owned()],
            ..Choice::default()
        };
        let origins = Origins::from_name("demo").unwrap();
        let mut gathered = Gathered::new(&mut tax, origins, &choice);
        for record in past(40_000, Nanos::from_millis(86_400_000), now, 1) {
            gathered.add(&record);
        }
        let window = Window {
            from: now.wall.plus_secs(-86_400),
            until: now.wall,
        };
        let found = json(&gathered.paper(window, now.wall, Source::Records));
        let row = &found["tables"]["effects"][0];
        let millis = |key: &str| row[key].as_f64().unwrap();
        assert_eq!(row["badge"], "OBSERVATIONAL tax");
        assert!(millis("naive_difference_high") < -20.0, "{row}");
        assert!(
            millis("difference_low") > 20.0 && millis("difference_high") < 60.0,
            "40 ms are true: {row}"
        );
    }

    #[test]
    fn the_past_is_in_order_and_repeatable() {
        let now = Now {
            moment: Moment(90_000_000_000_000_000),
            wall: WallTime(1_795_307_749_000_000),
        };
        let day = Nanos::from_millis(86_400_000);
        let records = past(2_000, day, now, 7);
        assert_eq!(records.len(), 2_000);
        assert!(records.is_sorted_by_key(|record| record.started));
        assert_eq!(records, past(2_000, day, now, 7));
        assert!(records.iter().all(|record| record.attempts.len() == 1));
        for outcome in [Outcome::Ok, Outcome::RateLimited, Outcome::UpstreamError] {
            assert!(
                records.iter().any(|record| record.outcome == outcome),
                "{outcome:?}"
            );
        }
    }
}
