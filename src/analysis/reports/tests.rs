//! Makes calls up, and asks every report about none, one and failures only.

use super::call::{Call, Traits};
use super::listed::Listed;
use crate::analysis::paper::{Head, Paper};
use crate::analysis::render::Format;
use crate::analysis::render::paper::{json, write};
use crate::analysis::render::units::thousands;
use crate::analysis::tables::Window;
use crate::record::{KeyedHash, Language, Name, Outcome, ProviderKind, WallTime};

pub(super) fn head() -> Head {
    Head {
        window: Window {
            from: WallTime(0),
            until: WallTime(86_400_000_000),
        },
        made: WallTime(86_400_000_000),
        origin: "live".to_owned(),
        selection: Vec::new(),
        source: crate::analysis::paper::Source::Records,
        scanned: 0,
        taken: 0,
        excluded: Vec::new(),
        configs: Vec::new(),
        own_delay: None,
        seed: Some(1),
        method: "",
        hosted: Vec::new(),
        remarks: Vec::new(),
        sides: Vec::new(),
    }
}

/// The `n`th second's streamed answer of 200 tokens by gpt-4.1 at openai, its first token after
/// `first_ms`, 50 tokens a second, a tenth of a cent.
pub(super) fn made_up(n: usize, first_ms: f64) -> Call {
    let first = Some(first_ms * 1e6);
    let forward = |ms: f64| Some((first_ms + ms) * 1e6);
    Call {
        provider: Name::from("openai"),
        kind: ProviderKind::Direct,
        model: Some(Name::from("gpt-4.1")),
        asked: Some(Name::from("gpt-4.1")),
        same: None,
        region: None,
        served_by: None,
        started: WallTime(n as i64 * 1_000_000),
        traits: Traits {
            stream: true,
            tools: false,
            json: false,
            effort: None,
            prompt_log2: Some(9),
            cached: 0,
            reused: true,
            block: 0,
        },
        size: Some(600),
        failed: Some(false),
        first_token: first,
        first_answer: first,
        waited: [None; 3],
        rate: Some(50.0),
        no_first_token: None,
        no_rate: None,
        total: forward(9_980.0),
        connect: Some(0.0),
        headers: None,
        wait: None,
        streaming: None,
        reported: None,
        cost: Some(0.001),
        output_price: None,
        billed: None,
        maybe_billed: false,
        own_delay: Some(40_000.0),
        whole: forward(3_980.0),
        lost: false,
        connected: true,
        outcome: Outcome::Ok,
        class: None,
        status: Some(200),
        input: Some(600),
        cached_read: Some(0),
        output: Some(200),
        session: None,
        turn: Some(1),
        stalls: Some(0),
        pseudo_stream: false,
        answered: Some(Name::from("gpt-4.1-2025-04-14")),
        fingerprint: None,
        prompt: Some(KeyedHash(n as u64)),
        config: KeyedHash(7),
        language: Language::OpenAiChat,
        limits: [None, None],
        trace: [n as u8; 16],
    }
}

/// The same as a failure.
pub(super) fn failing(n: usize) -> Call {
    Call {
        failed: Some(true),
        first_token: Some(f64::INFINITY),
        first_answer: Some(f64::INFINITY),
        rate: Some(0.0),
        total: Some(f64::INFINITY),
        whole: Some(f64::INFINITY),
        cost: None,
        output: None,
        input: None,
        stalls: None,
        answered: None,
        outcome: Outcome::UpstreamError,
        class: Some(crate::record::ErrorClass::ServerError),
        status: Some(503),
        ..made_up(n, 1.0)
    }
}

/// The same call through a router.
pub(super) fn routed(call: Call, served_by: Option<&str>) -> Call {
    Call {
        provider: Name::from("openrouter"),
        kind: ProviderKind::Router,
        model: Some(Name::from("openai/gpt-4.1")),
        served_by: served_by.map(Name::from),
        ..call
    }
}

/// Dates that run backwards, before 1970 and past the window.
fn a_clock_that_jumped() -> Vec<Call> {
    let jumped = |n: usize| Call {
        started: WallTime((40 - n as i64) * 7_200_000_000),
        ..made_up(n, 300.0)
    };
    (0..80).map(jumped).collect()
}

/// A model with a price, one without, and one of whose requests some have none.
fn a_price_table_with_holes() -> Vec<Call> {
    let holed = |n: usize| {
        let call = made_up(n, 300.0);
        match n % 4 {
            0 => Call { cost: None, ..call },
            1 => Call {
                model: Some(Name::from("unknown")),
                cost: None,
                ..call
            },
            _ => call,
        }
    };
    (0..160).map(holed).collect()
}

/// A route that answered nobody: it is gone, or always second.
fn tries_that_all_went_elsewhere() -> Vec<Call> {
    let lost = |n: usize| Call {
        lost: true,
        ..failing(n)
    };
    (0..80).map(lost).collect()
}

/// A head of which everything is known.
pub(super) fn full_head() -> Head {
    Head {
        scanned: 1_234,
        taken: 1_200,
        excluded: vec![("background".to_owned(), 34)],
        configs: vec![KeyedHash(0xabc)],
        own_delay: Some((41_000.0, 120_000.0)),
        ..head()
    }
}

/// What an expert asks of every report before any number is believed: each format that people
/// read says it in words, and JSON under its key. `paper` is of [`full_head`].
pub(super) fn says_what_it_stands_on(paper: &Paper, badge: &str) {
    // Two sides say it of each.
    let taken = if paper.head.sides.is_empty() {
        paper.head.taken
    } else {
        1_200
    };
    let taken = format!("{} exchanges of 1,234 looked at", thousands(taken));
    for format in [Format::Table, Format::Markdown, Format::Html] {
        // Lines are wrapped for terminals.
        let text = write(paper, format);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "1970-01-01 00:00",
            taken.as_str(),
            "Not taken: background 34",
            "added 41.0 µs at p50 and 120 µs at p99",
            "Seed 1.",
            "0000000000000abc",
            "Definitions 1, tollgate 0.",
            "95 %",
            badge,
        ] {
            assert!(
                text.contains(part),
                "{} {format:?} lacks {part}: {text}",
                paper.name
            );
        }
    }
    let value = json(paper);
    for key in [
        "from",
        "until",
        "made",
        "origin",
        "selection",
        "scanned",
        "taken",
        "excluded",
        "configs",
        "own_delay_p50_ms",
        "own_delay_p99_ms",
        "seed",
        "method",
        "definitions",
        "tollgate",
    ] {
        assert!(value["head"].get(key).is_some(), "{} {key}", paper.name);
    }
    let badged = paper.notes.iter().chain(&paper.findings);
    let badged = badged.filter(|note| note.contains(badge)).count();
    assert!(badged > 0, "{}", paper.name);
}

/// An outage of a minute fails thirty of thirty, and a burst repeats one prompt: shares of them are
/// of far fewer that say something of their own, in every report.
#[test]
fn what_comes_in_bursts_counts_as_few() {
    let calls: Vec<Call> = (0..1_440)
        .map(|minute| {
            let burst = (700..730).contains(&minute);
            let second = minute * 60;
            let call = if burst {
                failing(second)
            } else {
                made_up(second, 300.0)
            };
            let call = Call {
                // Of the outage, and of half an hour behind it.
                prompt: Some(KeyedHash(if (700..760).contains(&minute) {
                    7
                } else {
                    second as u64
                })),
                ..call
            };
            routed(call, Some(if burst { "Other" } else { "Most" }))
        })
        .collect();
    for (listed, key, column) in [
        (Listed::Regions, "regions", "success"),
        (Listed::Errors, "rates", "failed"),
        (Listed::Errors, "classes", "share"),
        (Listed::Backends, "backends", "share"),
        (Listed::Cache, "identical", "identical"),
    ] {
        let paper = listed.paper(&calls, head());
        let sheet = paper.sheets.iter().find(|sheet| sheet.key == key).unwrap();
        let at = sheet
            .columns
            .iter()
            .position(|of| of.key == column)
            .unwrap();
        let crate::analysis::paper::Cell::Share(share) = sheet.rows[0][at] else {
            panic!("{key}: {:?}", sheet.rows[0][at]);
        };
        assert!(share.design_effect() > 5.0, "{key}: {share:?}");
    }
}

#[test]
fn every_report_says_what_it_stands_on() {
    let calls: Vec<Call> = (0..1_200)
        .map(|n| {
            let call = made_up(n, 300.0 + (n % 50) as f64);
            if n % 2 == 0 {
                call
            } else {
                routed(call, Some("OpenAI"))
            }
        })
        .collect();
    let mut tax = super::tax::Tax::new(super::tax::Asked::default());
    calls.iter().for_each(|call| tax.add(call.clone()));
    let tax = super::Report::paper(&tax, full_head());
    let listed = Listed::ALL.map(|listed| listed.paper(&calls, full_head()));
    let compared = super::compare::compared(&listed[0], &listed[0], &["a".into(), "b".into()]);
    for paper in listed.iter().chain([&tax, &compared]) {
        says_what_it_stands_on(paper, "OBSERVATIONAL");
    }
}

#[test]
fn every_report_says_something_of_none_one_and_failures_only() {
    let worlds = [
        Vec::new(),
        vec![made_up(0, 300.0)],
        (0..80).map(failing).collect(),
        (0..80).map(|n| routed(failing(n), None)).collect(),
        a_clock_that_jumped(),
        a_price_table_with_holes(),
        tries_that_all_went_elsewhere(),
    ];
    for listed in Listed::ALL {
        for calls in &worlds {
            let paper = listed.paper(calls, head());
            let name = listed.name();
            assert_eq!(paper.name, name);
            assert!(!paper.findings.is_empty(), "{name}: {}", calls.len());
            assert!(!paper.head.method.is_empty(), "{name}");
            for sheet in &paper.sheets {
                for row in &sheet.rows {
                    assert_eq!(row.len(), sheet.columns.len(), "{name} {}", sheet.key);
                }
            }
            assert_eq!(
                json(&paper)["schema"],
                format!("tollgate.report.{name}/1"),
                "{name}"
            );
            for format in [
                Format::Table,
                Format::Markdown,
                Format::Json,
                Format::Csv,
                Format::Html,
            ] {
                let text = write(&paper, format);
                assert!(!text.contains("NaN"), "{name} {format:?}: {text}");
                assert!(format == Format::Csv || !text.is_empty(), "{name}");
            }
        }
        assert_eq!(Listed::from_name(listed.name()), Some(listed));
    }
}
