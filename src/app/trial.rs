//! Makes up the past of the demo's experiment: sessions whose arms the real coin draws.

use fastrand::Rng;

use crate::record::{
    Arm, ExchangeRecord, KeyedHash, Mark, Moment, Name, Nanos, Outcome, Session, SessionSource,
    WallTime,
};
use crate::routing::experiment::{Applicant, Experiment, Route, enrol};
use crate::simulator::cast::{PARTS, Part};
use crate::simulator::history::{self, Now};

/// The demo's experiment, as its config says it.
pub(super) const CONFIG: &str = "\
[models.\"gpt-4.1\"]
routes = [{ provider = \"openai\" }, { provider = \"openrouter\", model = \"openai/gpt-4.1\" }]
[experiments.router-tax]
model = \"gpt-4.1\"
a = { provider = \"openai\" }
b = { provider = \"openrouter\" }
share = 0.5
";
/// The model that the experiment is about.
pub(super) const MODEL: &str = "gpt-4.1";
/// Sessions of the made-up day, and the chance that one goes on after an exchange.
const SESSIONS: usize = 2_400;
const GOES_ON: f64 = 0.45;
/// Longest pause within a session.
const PAUSE: Nanos = Nanos::from_millis(120_000);

/// The exchanges of a day of sessions with [`MODEL`], oldest first.
pub(super) fn past(
    experiments: &[Experiment],
    span: Nanos,
    now: Now,
    seed: u64,
) -> Vec<ExchangeRecord> {
    let mut rng = Rng::with_seed(seed ^ 0x74_72_69_61_6c);
    let mut all = Vec::new();
    for _ in 0..SESSIONS {
        let session = KeyedHash(rng.u64(..));
        let mut ago = rng.u64(0..span.0.max(1));
        let mut turn = 1;
        loop {
            let at = Now {
                moment: Moment(now.moment.0.saturating_sub(ago)),
                wall: WallTime(now.wall.0 - (ago / 1000) as i64),
            };
            let session = Session {
                hash: session,
                source: SessionSource::Header,
                turn,
            };
            all.extend(exchange(experiments, session, at, now.wall, &mut rng));
            let pause = rng.u64(0..PAUSE.0);
            if rng.f64() > GOES_ON || ago <= pause {
                break;
            }
            ago -= pause;
            turn += 1;
        }
    }
    all.sort_by_key(|record| record.id);
    all
}

/// One exchange by the arm's route, or by the first of the model; where that refuses, by the
/// other one, as the street does it.
fn exchange(
    experiments: &[Experiment],
    session: Session,
    at: Now,
    day: WallTime,
    rng: &mut Rng,
) -> Option<ExchangeRecord> {
    let experiment = experiments.iter().find(|one| &*one.model == MODEL)?;
    let [a, b] = [Arm::A, Arm::B].map(|arm| part_of(experiment.route(arm)));
    let (a, b) = (a?, b?);
    let by =
        |part: &Part, rng: &mut Rng| history::exchange(part, &part.behaviour(day), at, day, rng);
    let mut record = by(a, rng);
    let applicant = Applicant {
        id: record.id,
        started: record.started,
        model: MODEL,
        how_found: "model",
        policy_asked: false,
        session: Some(session.hash),
        tags: &[],
        client_key: None,
        endpoint: &record.endpoint,
        stream: record.request.stream,
    };
    let (enrolment, _) = enrol(experiments, &applicant, |_| true)?;
    let arm = enrolment.part.ok().map(|assigned| assigned.arm);
    if arm == Some(Arm::B) {
        record = by(b, rng);
    }
    if matches!(
        record.outcome,
        Outcome::UpstreamError | Outcome::RateLimited
    ) {
        let next = if arm == Some(Arm::B) { a } else { b };
        record = moved_on(record, next, day, rng);
    }
    record.model = Some(Name::from(MODEL));
    record.session = Some(session);
    record.reason = Name::from(if arm.is_some() { "experiment" } else { "model" });
    record.experiment = Some(enrolment);
    Some(record)
}

/// The part of the cast that plays a route.
fn part_of(route: &Route) -> Option<&'static Part> {
    PARTS
        .iter()
        .find(|part| part.provider == &*route.provider && part.model == &*route.model)
}

/// The same after a refusal: `next` is asked when the refusal is there.
fn moved_on(refused: ExchangeRecord, next: &Part, day: WallTime, rng: &mut Rng) -> ExchangeRecord {
    let waited = refused.closed_at.since(refused.started_at);
    let later = Now {
        moment: refused.closed_at,
        wall: WallTime(refused.started.0 + (waited.0 / 1000) as i64),
    };
    let mut record = history::exchange(next, &next.behaviour(day), later, day, rng);
    for attempt in &mut record.attempts {
        attempt
            .timeline
            .set(Mark::RequestFirstByte, refused.started_at);
    }
    ExchangeRecord {
        id: refused.id,
        started: refused.started,
        started_at: refused.started_at,
        request: refused.request,
        attempts: refused
            .attempts
            .into_iter()
            .chain(record.attempts)
            .collect(),
        ..record
    }
}
