//! Makes calls up, and asks every report about none, one and failures only.

use super::call::{Call, Traits};
use super::listed::Listed;
use crate::analysis::paper::Head;
use crate::analysis::render::Format;
use crate::analysis::render::paper::{json, write};
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
        rate: Some(50.0),
        total: forward(9_980.0),
        connect: Some(0.0),
        headers: None,
        wait: None,
        streaming: None,
        reported: None,
        cost: Some(0.001),
        billed: None,
        maybe_billed: false,
        own_delay: Some(40_000.0),
        whole: forward(3_980.0),
        lost: false,
        outcome: Outcome::Ok,
        class: None,
        status: Some(200),
        input: Some(600),
        cached_read: Some(0),
        output: Some(200),
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

#[test]
fn every_report_says_something_of_none_one_and_failures_only() {
    let worlds: [Vec<Call>; 4] = [
        Vec::new(),
        vec![made_up(0, 300.0)],
        (0..80).map(failing).collect(),
        (0..80).map(|n| routed(failing(n), None)).collect(),
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
