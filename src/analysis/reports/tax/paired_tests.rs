//! Recovers known taxes from made-up pairs, and leaves out pairs whose halves are not alike.

use super::adjust::Metric;
use super::paired::{Compared, Dropped, PAIRS_MIN, Pairs, Told, both_sequences, sequence};
use super::paper::{Asked, Tax};
use crate::analysis::reports::Report as _;
use crate::analysis::reports::call::Call;
use crate::analysis::reports::tests::{head, made_up};
use crate::record::{Active, ExchangeRecord, Name, Pair, ProviderKind, WallTime};
use crate::sample::record;
use crate::statistics::compare::{Random, Verdict};
use crate::statistics::interval::{ALPHA, order_ci, wilson};
use crate::statistics::quantile::{Sample, sorted};

/// Half a pair: its number, whether it is the route's, its place, milliseconds to its first token.
fn half(number: u32, routed: bool, order: u8, first_ms: f64) -> (ExchangeRecord, Call) {
    let mut record = record();
    record.attempts.truncate(1);
    record.active = Some(Active {
        run: "run".into(),
        pair: Some(Pair { number, order }),
        ..Active::default()
    });
    let base = made_up(number as usize, first_ms);
    let (provider, kind, model) = if routed {
        ("openrouter", ProviderKind::Router, "openai/gpt-4.1")
    } else {
        ("openai", ProviderKind::Direct, "gpt-4.1")
    };
    let call = Call {
        provider: Name::from(provider),
        kind,
        model: Some(Name::from(model)),
        asked: None,
        same: None,
        served_by: routed.then(|| Name::from("OpenAI")),
        started: WallTime(i64::from(number) * 60_000_000 + i64::from(order)),
        failed: Some(false),
        first_token: Some(first_ms * 1e6),
        first_answer: Some(first_ms * 1e6),
        rate: None,
        total: None,
        cost: None,
        billed: None,
        cached_read: None,
        answered: None,
        fingerprint: None,
        ..base
    };
    (record, call)
}

/// A normal number by the sum of twelve.
fn normal(random: &mut Random) -> f64 {
    (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
}

/// Milliseconds of either half where `shared` of the noise is the hour's, and the second sent
/// takes `late` more.
fn world(seed: u64, count: u32, tax: f64, late: f64) -> Pairs {
    let mut random = Random::new(seed);
    let mut pairs = Pairs::default();
    for number in 0..count {
        let hour = 0.3 * normal(&mut random);
        let route_first = random.unit() < 0.5;
        for order in 0..2 {
            let routed = route_first == (order == 0);
            let base = 300.0 * (hour + 0.3 * normal(&mut random)).exp();
            let first = base + if routed { tax } else { 0.0 } + f64::from(order) * late;
            let (record, call) = half(number, routed, order, first);
            assert!(pairs.add(&record, vec![call]).is_ok());
        }
    }
    pairs
}

fn first_token(found: &[Compared]) -> &Told {
    let [only] = found else {
        panic!("{} comparisons", found.len())
    };
    let of = only
        .told
        .iter()
        .find(|(metric, _)| *metric == Metric::FirstToken);
    of.unwrap().1.as_ref().unwrap()
}

/// 50 worlds here, as many as `WORLDS` says where it is set: the interval must hold the truth as
/// often as it says.
#[test]
fn a_known_tax_is_found_in_pairs_as_often_as_is_said() {
    let worlds: u64 = std::env::var("WORLDS").map_or(50, |text| text.parse().unwrap());
    for (tax, late) in [(30.0, 0.0), (0.0, 0.0), (-15.0, 0.0), (30.0, 60.0)] {
        let (mut held, mut sum) = (0, 0.0);
        for seed in 0..worlds {
            let found = world(seed, 100, tax, late).compared(None, seed);
            let told = first_token(&found);
            let truth = told.difference.interval.contains(tax * 1e6);
            held += u64::from(truth);
            sum += told.difference.value / 1e6;
        }
        let rate = wilson(held, worlds, 0.05).unwrap();
        let mean = sum / worlds as f64;
        println!("tax {tax}, late {late}: mean {mean:.2} ms, held {held} of {worlds}");
        assert!(
            rate.interval.high >= 0.95,
            "seeds 0..{worlds}, tax {tax}: held {held}"
        );
        let near = 3.0 * 25.0 / (worlds as f64).sqrt() + 1.0;
        assert!(
            (mean - tax).abs() < near,
            "seeds 0..{worlds}: {mean} for {tax}"
        );
    }
}

/// How often an interval of pairs without a tax ever leaves zero in two hundred looks, every five
/// of a thousand: as it is told at any look, of either order's mean, and for one look.
#[test]
fn two_hundred_looks_at_pairs_without_a_tax_seldom_find_one() {
    let worlds: u64 = std::env::var("WORLDS").map_or(40, |text| text.parse().unwrap());
    let mut alarms = [0; 3];
    for seed in 0..worlds {
        let mut random = Random::new(700 + seed);
        let mut differences = Vec::new();
        let mut orders: [Vec<f64>; 2] = Default::default();
        let mut left = [false; 3];
        for _look in 0..200 {
            for _ in 0..5 {
                // Heavy tails, and zero in the middle.
                let difference = 100.0 * normal(&mut random).powi(3);
                differences.push(difference);
                orders[random.below(2)].push(difference);
            }
            let (values, _) = sorted(differences.iter().copied());
            let once = order_ci(Sample::new(&values, 0), 0.5, ALPHA).bounds();
            let told = [sequence(&differences, ALPHA), both_sequences(&orders), once];
            for (left, interval) in left.iter_mut().zip(told) {
                *left |= !interval.contains(0.0);
            }
        }
        for (alarms, left) in alarms.iter_mut().zip(left) {
            *alarms += u64::from(left);
        }
    }
    let rates = alarms.map(|count| wilson(count, worlds, 0.05).unwrap());
    println!("200 looks at {worlds} worlds (seeds 700 on): {alarms:?} alarms");
    for rate in &rates[..2] {
        assert!(rate.interval.low <= 0.05, "{alarms:?} of {worlds}");
    }
    assert!(
        rates[2].interval.low > 0.05,
        "looking would find nothing anyway: {alarms:?} of {worlds}"
    );
}

#[test]
fn where_order_matters_both_orders_weigh_the_same() {
    // Nearly every pair sends the route second, and whoever is second takes longer.
    let mut random = Random::new(5);
    let mut pairs = Pairs::default();
    for number in 0..200 {
        let route_first = number % 5 == 0;
        for order in 0..2 {
            let routed = route_first == (order == 0);
            let noise = 5.0 * normal(&mut random);
            let first = 300.0 + noise + if routed { 20.0 } else { 0.0 } + 80.0 * f64::from(order);
            let (record, call) = half(number, routed, order, first);
            assert!(pairs.add(&record, vec![call]).is_ok());
        }
    }
    let found = pairs.compared(None, 1);
    let told = first_token(&found);
    assert!(told.balanced && told.order.unwrap().p_value < 0.001);
    let value = told.difference.value / 1e6;
    assert!((value - 20.0).abs() < 3.0, "{value} ms is about 20");
    assert!(told.difference.interval.contains(20e6));
}

#[test]
fn a_pair_is_left_out_whole_where_its_halves_are_not_alike() {
    let other = |change: fn(&mut Call)| {
        let mut pairs = Pairs::default();
        for number in 0..10 {
            for routed in [true, false] {
                let (record, mut call) = half(number, routed, u8::from(routed), 300.0);
                if number == 3 && routed {
                    change(&mut call);
                }
                assert!(pairs.add(&record, vec![call]).is_ok());
            }
        }
        pairs.compared(None, 1)
    };
    let cases: [(fn(&mut Call), Dropped); 5] = [
        (|call| call.failed = Some(true), Dropped::Failed),
        (|call| call.cached_read = Some(64), Dropped::Cached),
        (
            |call| call.served_by = Some("Azure".into()),
            Dropped::Upstream,
        ),
        (|call| call.served_by = None, Dropped::Upstream),
        (|call| call.failed = None, Dropped::Failed),
    ];
    for (change, why) in cases {
        let found = other(change);
        let [only] = found.as_slice() else {
            panic!("{why:?}: {} comparisons", found.len())
        };
        assert_eq!((only.pairs, only.used), (10, 9), "{why:?}");
        assert_eq!(only.dropped[why as usize], 1, "{why:?}");
        assert!(only.pinned, "{why:?}");
    }
    // One connection new, the other one not: no group of the alike ones has it.
    let found = other(|call| call.traits.reused = !call.traits.reused);
    let mixed = found.iter().find(|of| of.key.warm.is_none()).unwrap();
    assert_eq!((mixed.pairs, mixed.used), (1, 0));
    assert_eq!(mixed.dropped[Dropped::Connection as usize], 1);
    // Failures are counted of all halves.
    let found = other(|call| call.failed = Some(true));
    assert_eq!(found[0].failures, [(1, 10), (0, 10)]);
}

#[test]
fn failures_have_a_verdict_and_are_told() {
    // How many of 120 halves of the route fail, and what is said.
    for (failing, told) in [
        (0, "failure rate 0.00 pp [−3.10 pp, +3.10 pp], inconclusive"),
        (36, "failure rate +30.00 pp ["),
        (
            120,
            "fewer than 6 pairs can be compared; failure rate +100.00 pp [",
        ),
    ] {
        let mut pairs = Pairs::default();
        for number in 0..120 {
            for routed in [true, false] {
                let (record, mut call) = half(number, routed, u8::from(routed), 300.0);
                call.failed = Some(routed && number < failing);
                assert!(pairs.add(&record, vec![call]).is_ok());
            }
        }
        let found = pairs.compared(None, 1);
        let said = super::paired_paper::finding(&found[0]);
        assert!(said.contains(told), "{failing}: {said}");
        let verdict = if failing > 0 { "], different." } else { "." };
        assert!(said.ends_with(verdict), "{failing}: {said}");
        let sheet = super::paired_paper::sheet(&found);
        let last = sheet.rows.last().and_then(|row| row.last());
        assert!(
            last.is_some_and(|cell| *cell != crate::analysis::paper::Cell::text("")),
            "{failing}: {last:?}"
        );
    }
}

#[test]
fn a_version_differs_where_both_hosts_name_one() {
    // The name there and the one answered, of the route and of the reference; whether asked alike.
    for (route, reference, asked, why) in [
        (
            ["openai/gpt-4.1", "openai/gpt-4.1"],
            ["gpt-4.1", "gpt-4.1-2025-04-14"],
            false,
            None,
        ),
        (
            ["openai/gpt-4.1", "gpt-4.1-2025-04-14"],
            ["gpt-4.1", "gpt-4.1-2025-04-14"],
            false,
            None,
        ),
        (
            ["openai/gpt-4.1", "gpt-4.1-2025-08-01"],
            ["gpt-4.1", "gpt-4.1-2025-04-14"],
            false,
            Some(Dropped::Version),
        ),
        // An alias that is answered as asked, and one that nobody asked for as the same model.
        (
            ["ours", "ours"],
            ["gpt-4.1", "gpt-4.1-2025-04-14"],
            true,
            None,
        ),
        (
            ["ours", "ours"],
            ["gpt-4.1", "gpt-4.1"],
            false,
            Some(Dropped::OtherModel),
        ),
    ] {
        let mut pairs = Pairs::default();
        for number in 0..8 {
            for routed in [true, false] {
                let (record, mut call) = half(number, routed, u8::from(routed), 300.0);
                let [there, answered] = if routed { route } else { reference };
                call.model = Some(there.into());
                call.answered = Some(answered.into());
                call.asked = asked.then(|| "prod".into());
                assert!(pairs.add(&record, vec![call]).is_ok());
            }
        }
        let found = pairs.compared(None, 1);
        let model = if asked {
            "prod"
        } else {
            route[0].trim_start_matches("openai/")
        };
        assert_eq!(found[0].key.model, model, "{route:?}");
        let dropped = |why: Option<Dropped>| why.map_or(0, |why| found[0].dropped[why as usize]);
        let all = if why.is_some() { 8 } else { 0 };
        assert_eq!(
            (found[0].used, dropped(why)),
            (8 - all as usize, all),
            "{route:?} {reference:?}"
        );
    }
}

#[test]
fn few_pairs_are_no_answer_and_equal_routes_are_told_so() {
    let few = world(1, PAIRS_MIN as u32 - 1, 40.0, 0.0).compared(None, 1);
    let told = &few[0].told[0].1;
    assert_eq!(told, &Err(PAIRS_MIN - 1));
    // The same half twice: A/A.
    let mut random = Random::new(9);
    let mut pairs = Pairs::default();
    for number in 0..400 {
        for order in 0..2 {
            let first = 300.0 + 10.0 * normal(&mut random);
            let (record, call) = half(number, false, order, first);
            assert!(pairs.add(&record, vec![call]).is_ok());
        }
    }
    let found = pairs.compared(None, 1);
    assert_eq!(found[0].key.route, found[0].key.reference);
    assert_eq!(first_token(&found).verdict, Verdict::Equivalent);
    // A provider that is in none of the pairs is compared with nothing.
    assert!(
        world(1, 20, 40.0, 0.0)
            .compared(Some("other"), 1)
            .is_empty()
    );
}

#[test]
fn the_paper_leads_with_pairs_and_pools_them_with_nothing() {
    let mut tax = Tax::new(Asked::default());
    let mut random = Random::new(2);
    for number in 0..100 {
        for (order, routed) in [(0, number % 2 == 0), (1, number % 2 == 1)] {
            let first = 300.0 + 20.0 * normal(&mut random) + if routed { 40.0 } else { 0.0 };
            let (record, call) = half(number, routed, order, first);
            tax.take(&record, vec![call]);
        }
    }
    let (record, call) = half(1_000, true, 0, 300.0);
    tax.take(&record, vec![call]);
    let paper = tax.paper(head());
    assert_eq!(paper.sheets[0].key, "paired");
    let first = &paper.findings[0];
    assert!(
        first.starts_with("Router tax of gpt-4.1, openrouter against openai (PAIRED, "),
        "{first}"
    );
    assert!(first.contains("different"), "{first}");
    let observed = paper
        .sheets
        .iter()
        .find(|sheet| sheet.key == "effects")
        .unwrap();
    assert!(observed.rows.is_empty(), "pairs are no observed traffic");
    assert!(
        paper.notes[0].contains("1 halves have no partner"),
        "{}",
        paper.notes[0]
    );
}
