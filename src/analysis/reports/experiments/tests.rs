//! Looks at made-up experiments again and again, and checks what is said of each.

use std::sync::Arc;

use super::trial::Trials;
use super::{Asked, Experiments, Plans};
use crate::analysis::paper::Cell;
use crate::analysis::render::{Format, exchange::tests::full, paper};
use crate::analysis::reports::Report as _;
use crate::analysis::reports::tests::head;
use crate::record::{
    Arm, Assigned, AssignedUnit, AttemptRecord, Coin, End, Enrolment, ExchangeId, ExchangeRecord,
    KeyedHash, Mark, Moment, Nanos, NotEnrolled, Outcome, Session, SessionSource, Timeline,
    WallTime,
};
use crate::routing::experiment::{
    Bounds, Eligible, Experiment, Metric, Mode, Question, Route, Stop,
};
use crate::statistics::compare::{Margin, Random};
use crate::statistics::interval::wilson;

/// What a world is like.
#[derive(Clone, Copy)]
struct World {
    seed: u64,
    sessions: usize,
    /// What arm b adds to the first token, ms.
    shift: f64,
    /// The chance that arm a's exchanges are recorded, and arm b's.
    kept: [f64; 2],
    /// The chance of a failure, of an abort before the first token, in both arms.
    failing: f64,
    leaving: f64,
    /// Mean further exchanges of a session.
    further: f64,
}

const FAIR: World = World {
    seed: 1,
    sessions: 1_000,
    shift: 0.0,
    kept: [1.0; 2],
    failing: 0.02,
    leaving: 0.0,
    further: 1.0,
};

fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
}

/// One exchange whose first token came after `first_ms`.
fn exchange(at: i64, session: u64, arm: Arm, first_ms: f64) -> ExchangeRecord {
    let mut record = full();
    record.outcome = Outcome::Ok;
    record.attempts.remove(0);
    let started = WallTime(at);
    record.id = ExchangeId::new(started, (at as u64) << 20 | session);
    record.started = started;
    record.request.stream = true;
    record.session = Some(Session {
        hash: KeyedHash(session),
        source: SessionSource::Header,
        turn: 1,
    });
    record.experiment = Some(Enrolment {
        experiment: "tax".into(),
        part: Ok(Assigned {
            arm,
            coin: Coin(0),
            propensity: 500_000,
            unit: AssignedUnit::Session,
        }),
    });
    let zero = record.started_at;
    let attempt = &mut record.attempts[0];
    attempt.timeline = Timeline::default();
    attempt.end = Some(End::Complete);
    attempt.oddities.clear();
    attempt.provider = ["openai", "openrouter"][arm as usize].into();
    attempt.timeline.set(Mark::RouteChosen, zero);
    attempt.timeline.set(Mark::SendStart, zero);
    let at = |ms: f64| -> Moment { zero.plus(Nanos((ms * 1e6) as u64)) };
    for mark in [
        Mark::FirstEvent,
        Mark::FirstToken,
        Mark::FirstAnswer,
        Mark::FirstText,
    ] {
        attempt.timeline.set(mark, at(first_ms));
    }
    for mark in [Mark::LastToken, Mark::Done, Mark::Closed] {
        attempt.timeline.set(mark, at(first_ms + 900.0));
    }
    record.closed_at = at(first_ms + 900.0);
    record
}

/// The exchanges of a world, in order of time.
fn exchanges(world: World) -> Vec<ExchangeRecord> {
    let mut random = Random::new(world.seed);
    let mut all = Vec::new();
    for session in 0..world.sessions {
        let arm = [Arm::A, Arm::B][usize::from(random.unit() < 0.5)];
        if random.unit() > world.kept[arm as usize] {
            continue;
        }
        let own = 0.3 * normal(&mut random);
        let mut at = session as i64 * 60_000_000;
        loop {
            let like = 300.0 * (own + 0.3 * normal(&mut random)).exp();
            let shift = if arm == Arm::B { world.shift } else { 0.0 };
            let first = (like + shift).max(1.0);
            let mut record = exchange(at, session as u64, arm, first);
            let fate = random.unit();
            if fate < world.failing {
                record.outcome = Outcome::UpstreamError;
            } else if fate < world.failing + world.leaving {
                gone(&mut record, first * random.unit());
            }
            all.push(record);
            if random.unit() > world.further / (1.0 + world.further) {
                break;
            }
            at += 20_000_000;
        }
    }
    all.sort_by_key(|record| record.id);
    all
}

/// The client leaves after `ms`, before its first token.
fn gone(record: &mut ExchangeRecord, ms: f64) {
    record.outcome = Outcome::ClientGone;
    record.closed_at = record.started_at.plus(Nanos((ms * 1e6) as u64));
    let attempt = &mut record.attempts[0];
    let sent = attempt.timeline.get(Mark::SendStart);
    *attempt = AttemptRecord {
        provider: attempt.provider.clone(),
        kind: attempt.kind,
        model: attempt.model.clone(),
        ..AttemptRecord::default()
    };
    for mark in [Mark::RouteChosen, Mark::SendStart] {
        attempt.timeline.set(mark, sent.unwrap_or_default());
    }
}

fn experiment(mode: Mode) -> Experiment {
    let route = |provider: &str| Route {
        provider: provider.into(),
        model: "gpt-4.1".into(),
    };
    Experiment {
        name: "tax".into(),
        model: "gpt-4.1".into(),
        routes: [route("openai"), route("openrouter")],
        mode,
        share: 1_000_000,
        split: 500_000,
        seed: 0,
        unit: AssignedUnit::Session,
        bounds: Bounds::default(),
        eligible: Eligible::default(),
        question: Question {
            metric: Metric::FirstToken,
            less_is_better: true,
            margin: Margin::NANOS,
            alpha: 0.05,
            power: 0.8,
            stop: Stop::Sequential,
        },
    }
}

fn report(records: &[ExchangeRecord], defined: &[Experiment]) -> Experiments {
    let mut report = Experiments::new(Asked {
        defined: Arc::from(defined),
        name: None,
    });
    for record in records {
        report.take(record, Vec::new());
    }
    report
}

fn findings(world: World, experiment: Experiment) -> String {
    let paper = report(&exchanges(world), &[experiment]).paper(head());
    paper.findings.join(" ")
}

#[test]
fn among_two_hundred_looks_an_a_a_experiment_alarms_seldom() {
    let worlds: u64 = std::env::var("WORLDS").map_or(40, |text| text.parse().unwrap());
    // Those that a tax by lot is told in: a median, and a rate with its exact sequences.
    let metrics = [Metric::FirstToken, Metric::Failure];
    let mut alarms = [0; 2];
    for seed in 0..worlds {
        let mut trials = Trials::default();
        let world = World {
            seed: 400 + seed,
            sessions: 1_200,
            further: 0.0,
            leaving: 0.01,
            failing: 0.1,
            ..FAIR
        };
        for record in exchanges(world) {
            trials.add(&record);
        }
        let (_, trial) = trials.iter().next().unwrap();
        for (alarms, metric) in alarms.iter_mut().zip(metrics) {
            let path = trial.path(metric, 0.05, 200);
            assert_eq!(path.len(), 200);
            let told: Vec<_> = path
                .iter()
                .filter_map(|(_, effect)| effect.difference.ok())
                .collect();
            assert!(told.len() > 100, "{metric:?}: {} looks", told.len());
            *alarms += u64::from(told.iter().any(|found| !found.interval.contains(0.0)));
        }
    }
    println!("200 looks at {worlds} worlds (seeds 400 on), {metrics:?}: {alarms:?} alarms");
    for alarms in alarms {
        let rate = wilson(alarms, worlds, 0.05).unwrap();
        assert!(rate.interval.low <= 0.05, "{alarms} of {worlds}");
    }
}

#[test]
fn an_experiment_says_what_it_stands_on() {
    use crate::analysis::reports::tests::{full_head, says_what_it_stands_on};
    for defined in [&[][..], &[experiment(Mode::Ab)]] {
        let paper = report(&exchanges(FAIR), defined).paper(full_head());
        says_what_it_stands_on(&paper, "RANDOMISED");
    }
}

#[test]
fn what_is_said_follows_what_is_there() {
    let tax = experiment(Mode::Ab);
    for (what, world, defined, expected) in [
        (
            "a large shift",
            World {
                shift: 90.0,
                ..FAIR
            },
            tax.clone(),
            "may stop: different, b is worse",
        ),
        (
            "a shift for the better",
            World {
                shift: -90.0,
                ..FAIR
            },
            tax.clone(),
            "may stop: different, b is better",
        ),
        (
            "no shift, and many sessions",
            World {
                sessions: 12_000,
                further: 0.0,
                ..FAIR
            },
            tax.clone(),
            "may stop: equivalent, within ±20.0 ms",
        ),
        (
            "no shift, and few",
            World {
                sessions: 300,
                ..FAIR
            },
            tax.clone(),
            "more sessions",
        ),
        (
            "hardly anybody",
            World {
                sessions: 40,
                ..FAIR
            },
            tax.clone(),
            "continue: ",
        ),
        (
            "a fair A/A",
            World {
                sessions: 12_000,
                further: 0.0,
                ..FAIR
            },
            experiment(Mode::Aa),
            "may stop: A/A holds",
        ),
        (
            "a broken A/A",
            World {
                shift: 90.0,
                ..FAIR
            },
            experiment(Mode::Aa),
            "A/A broken",
        ),
        (
            "records of an arm that get lost",
            World {
                kept: [1.0, 0.66],
                shift: 90.0,
                sessions: 3_000,
                ..FAIR
            },
            tax.clone(),
            "hidden: the arms' sizes do not fit",
        ),
        (
            "a fixed end that is to come",
            World {
                shift: 90.0,
                ..FAIR
            },
            Experiment {
                bounds: Bounds {
                    start: None,
                    end: Some(WallTime(90_000_000_000)),
                },
                question: Question {
                    stop: Stop::Fixed,
                    ..tax.question
                },
                ..tax.clone()
            },
            "continue until 1970-01-02 01:00, as was fixed",
        ),
        (
            "a fixed end that has come",
            World {
                shift: 90.0,
                ..FAIR
            },
            Experiment {
                bounds: Bounds {
                    start: None,
                    end: Some(WallTime(80_000_000_000)),
                },
                question: Question {
                    stop: Stop::Fixed,
                    ..tax.question
                },
                ..tax
            },
            "sessions: different, b is worse",
        ),
    ] {
        let text = findings(world, defined);
        assert!(text.contains(expected), "{what}: {text}");
        assert!(text.starts_with("RANDOMISED"), "{text}");
        assert_eq!(
            text.contains(" ms ["),
            !text.contains("hidden") && !what.contains("hardly"),
            "{text}"
        );
    }
}

#[test]
fn a_leak_of_one_arm_hides_every_effect_and_a_fair_one_none() {
    let (mut hidden, worlds) = ([0; 2], 20);
    for (at, kept) in [[1.0, 1.0], [1.0, 2.0 / 3.0]].into_iter().enumerate() {
        for seed in 0..worlds {
            let world = World {
                seed,
                kept,
                sessions: 1_500,
                further: 0.0,
                ..FAIR
            };
            let paper = report(&exchanges(world), &[]).paper(head());
            hidden[at] += usize::from(paper.findings[0].contains("hidden"));
        }
    }
    // 60 to 40 among a thousand and more; seeds 0 to 19.
    assert_eq!(hidden, [0, 20]);
}

#[test]
fn who_leaves_or_fails_or_moves_on_is_counted_where_the_coin_put_it() {
    let mut records = exchanges(World {
        leaving: 0.1,
        failing: 0.1,
        ..FAIR
    });
    for record in records.iter_mut().filter(|record| record.id.0[15] % 4 == 0) {
        let mut other = record.attempts[0].clone();
        other.provider = "elsewhere".into();
        record.attempts.push(other);
    }
    // The arm's own route answered after all: what was begun beside it stands before it.
    for record in records.iter_mut().filter(|record| record.id.0[15] % 4 == 1) {
        let mut beside = record.attempts[0].clone();
        beside.provider = "beside".into();
        beside.timeline.set(Mark::RouteChosen, record.closed_at);
        record.attempts.insert(0, beside);
        record.decision.get_or_insert_default().hedge = Some(0);
    }
    let mut pinned = exchange(1, 7, Arm::A, 100.0);
    pinned.experiment = Some(Enrolment {
        experiment: "tax".into(),
        part: Err(NotEnrolled::Pinned),
    });
    records.push(pinned);
    let paper = report(&records, &[]).paper(head());
    let sheet = |key: &str| paper.sheets.iter().find(|sheet| sheet.key == key).unwrap();
    let number = |key: &str, row: usize, column: &str| {
        let sheet = sheet(key);
        let at = sheet
            .columns
            .iter()
            .position(|one| one.key == column)
            .unwrap();
        sheet.rows[row][at].number().unwrap()
    };
    let requests: f64 = (0..2).map(|arm| number("arms", arm, "requests")).sum();
    assert_eq!(requests as usize, records.len() - 1);
    let units: f64 = (0..2).map(|arm| number("arms", arm, "units")).sum();
    assert_eq!(units as usize, 1_000);
    for arm in 0..2 {
        for (column, about) in [("failed", 0.1), ("given_up", 0.1)] {
            let found = number("arms", arm, column);
            assert!((found - about).abs() < 0.05, "{column} {found}");
        }
        let elsewhere = number("arms", arm, "served_elsewhere");
        assert!((0.1..0.4).contains(&elsewhere), "{elsewhere}");
    }
    assert_eq!(number("without_a_part", 0, "requests") as usize, 1);
    for format in [
        Format::Table,
        Format::Markdown,
        Format::Json,
        Format::Csv,
        Format::Html,
    ] {
        let text = paper::write(&paper, format);
        assert!(text.contains("tax") && !text.contains("NaN"), "{text}");
    }
}

#[test]
fn what_is_known_of_one_arm_only_is_not_compared() {
    let mut records = exchanges(FAIR);
    let arm = |record: &ExchangeRecord| {
        let enrolment = record.experiment.as_ref().unwrap();
        enrolment.assigned().unwrap().1.arm
    };
    // Nobody knows what arm b costs, but where it moved on.
    for record in &mut records {
        if arm(record) == Arm::B && record.id.0[15] % 16 != 0 {
            (record.cost, record.cost_billed) = (None, None);
        }
    }
    let paper = report(&records, &[]).paper(head());
    let sheet = paper.sheets.iter().find(|sheet| sheet.key == "effects");
    let rows = &sheet.unwrap().rows;
    let cost = rows
        .iter()
        .find(|row| row[2] == Cell::text("cost"))
        .unwrap();
    assert_eq!(
        cost[10],
        Cell::absent("known of another share of either arm: not comparable")
    );
}

#[test]
fn a_tax_is_the_router_less_the_provider_whichever_arm_it_is() {
    use crate::record::ProviderKind::{Direct, Router};
    for (kinds, sign) in [
        ([Direct, Router], Some(1.0)),
        ([Router, Direct], Some(-1.0)),
        ([Direct, Direct], None),
        ([Router, Router], None),
    ] {
        let mut trials = Trials::default();
        for mut record in exchanges(World {
            shift: 90.0,
            ..FAIR
        }) {
            let attempt = &mut record.attempts[0];
            attempt.kind = kinds[usize::from(&*attempt.provider == "openrouter")];
            attempt.served_by = Some("OpenAI".into());
            trials.add(&record);
        }
        let found = trials.taxed(None);
        assert_eq!(found.len(), usize::from(sign.is_some()), "{kinds:?}");
        let (Some(found), Some(sign)) = (found.first(), sign) else {
            continue;
        };
        let (metric, effect) = &found.effects[0];
        assert_eq!(*metric, Metric::FirstToken);
        let difference = effect.difference.unwrap();
        let known = [difference.interval.low, difference.interval.high];
        assert!(
            known.iter().all(|end| end * sign > 0.0),
            "{kinds:?}: {known:?}"
        );
        assert!((effect.ratio.unwrap().value - 1.0) * sign > 0.0);
        let [reference, route] = effect.values.map(Option::unwrap);
        assert!((route - reference) * sign > 0.0);
        // Who is served by the reference is what the name says.
        assert_eq!(found.pinned, &*found.reference == "openai");
        assert!(trials.taxed(Some("elsewhere")).is_empty());
    }
}

#[test]
fn a_plan_says_what_it_needs_or_why_it_cannot() {
    let plan = |records: &[ExchangeRecord]| {
        let mut plan = Plans::new(experiment(Mode::Ab));
        for record in records {
            plan.take(record, Vec::new());
        }
        plan.paper(head())
    };
    let none = plan(&[]);
    assert!(none.findings[0].contains("cannot be planned: no history"));
    let few = plan(&exchanges(World {
        sessions: 20,
        ..FAIR
    }));
    assert!(
        few.findings[0].contains("too little history: 20 sessions"),
        "{:?}",
        few.findings
    );
    let paper = plan(&exchanges(FAIR));
    let found = &paper.findings[0];
    assert!(found.contains("about 1,000 sessions a day"), "{found}");
    assert!(found.contains("To find a difference of 20.0 ms"), "{found}");
    let sizes: Vec<f64> = paper.sheets[0]
        .rows
        .iter()
        .filter_map(|row| row[3].number())
        .collect();
    assert_eq!(sizes.len(), 6);
    assert!(sizes.windows(2).all(|pair| pair[1] < pair[0]), "{sizes:?}");
}
