//! Judges Tollgate by the simulator's stamps: marking error, byte identity, fault classes.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::bare::{self, ReadEnd};
use super::provider::{Script, Simulator};
use crate::record::{ExchangeRecord, Mark, Moment, Nanos, Outcome};
use crate::statistics::quantile::minimum_count;

/// What a self-test works with.
pub struct Stage<'a> {
    /// The simulator, whose stamps are the truth.
    pub simulator: &'a Simulator,
    /// Tollgate, with the simulator as its only provider.
    pub through: SocketAddr,
    /// Takes the record of the exchange that has just ended.
    pub record: &'a mut dyn FnMut() -> Option<ExchangeRecord>,
    /// Pairs of streams, one direct and one through.
    pub pairs: usize,
    /// Called after each step with a share done.
    pub progress: &'a mut dyn FnMut(f64),
}

impl std::fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

/// One figure beside what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is.
    pub what: &'static str,
    /// Its value; absent where too few numbers stand behind it.
    pub value: Option<f64>,
    /// Numbers that stand behind it, and those that it needs.
    pub count: (u64, u64),
    /// Its unit.
    pub unit: &'static str,
    /// The largest value that is good; absent where it is only told.
    pub at_most: Option<f64>,
}

impl Figure {
    /// Whether the figure is as good as asked; absent where nothing is asked, or nobody knows.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        Some(self.value? <= self.at_most?)
    }
}

/// What a self-test found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Figures.
    pub figures: Vec<Figure>,
    /// What went wrong, each with its reason.
    pub findings: Vec<String>,
}

impl Verdict {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.figures.iter().all(|of| of.is_met() != Some(false))
    }
}

/// A stream slow enough that every chunk stands alone, and no longer than its first token needs.
const STREAM: &str = "sim:ft-8ms:gap-4ms:n-8";
/// The model that the known stream is played for.
const KNOWN_MODEL: &str = "selftest-known";
/// How long the record of an exchange that has ended may take.
const RECORD_TRIES: usize = 200;

/// Faults with the outcome that each must be recorded as.
const FAULTS: [(&str, Outcome); 9] = [
    ("sim:n-8:gap-1ms:fault-close_mid:at-4", Outcome::Truncated),
    ("sim:n-8:gap-1ms:fault-reset_mid:at-4", Outcome::Truncated),
    ("sim:n-8:gap-1ms:fault-end_mid:at-4", Outcome::Truncated),
    ("sim:n-8:fault-missing_done", Outcome::Ok),
    ("sim:n-8:gap-1ms:fault-error_mid:at-4", Outcome::InBandError),
    ("sim:n-8:fault-error_first", Outcome::InBandError),
    ("sim:n-8:fault-http_503", Outcome::UpstreamError),
    ("sim:n-8:fault-rate_limit", Outcome::RateLimited),
    ("sim:n-8:fault-empty_stream", Outcome::Empty),
];

/// Runs the self-test. An error is one of the machine's (sockets), not a finding.
pub fn run(stage: &mut Stage<'_>) -> io::Result<Verdict> {
    let mut verdict = Verdict::default();
    identity(stage, &mut verdict)?;
    marking_error(stage, &mut verdict)?;
    faults(stage, &mut verdict)?;
    Ok(verdict)
}

fn request(model: &str) -> Vec<u8> {
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":true,\"stream_options\":{{\"include_usage\":true}},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"self-test\"}}]}}"
    );
    bare::post("/v1/chat/completions", "", &body)
}

/// The record of the last exchange; it follows the last write by a moment.
fn record(stage: &mut Stage<'_>) -> Option<ExchangeRecord> {
    for _ in 0..RECORD_TRIES {
        if let Some(record) = (stage.record)() {
            return Some(record);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// The same stream in turn direct and through: the bare reader's error is what this machine can
/// do at this moment, and what ours is above it is our own.
fn marking_error(stage: &mut Stage<'_>, verdict: &mut Verdict) -> io::Result<()> {
    let request = request(STREAM);
    let mut direct = bare::Connection::open(stage.simulator.addr())?;
    let mut through = bare::Connection::open(stage.through)?;
    let (mut bare_errors, mut our_errors, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..stage.pairs {
        let reading = direct.exchange(&request)?;
        let bare_error =
            first_token_error(stage, &reading.body, |body| token_arrival(&reading, body));
        let reading = through.exchange(&request)?;
        let Some(record) = record(stage) else {
            verdict
                .findings
                .push(format!("stream {pair}: no record within a second"));
            continue;
        };
        let marked = record
            .attempts
            .last()
            .and_then(|last| last.timeline.get(Mark::FirstToken));
        let our_error = first_token_error(stage, &reading.body, |_| marked);
        if let (Some(bare_error), Some(our_error)) = (bare_error, our_error) {
            differences.push(our_error - bare_error);
            bare_errors.push(bare_error);
            our_errors.push(our_error);
        }
        (stage.progress)((pair + 1) as f64 / stage.pairs as f64);
    }
    for (what, values, limits) in [
        (
            "first token: bare reader − simulator's stamp",
            &mut bare_errors,
            (None, None),
        ),
        (
            "first token: mark − simulator's stamp",
            &mut our_errors,
            (None, None),
        ),
        (
            "marking error: mark − bare reader",
            &mut differences,
            (Some(20.0), Some(100.0)),
        ),
    ] {
        values.sort_by(f64::total_cmp);
        for (suffix, share, at_most) in [(" (median)", 0.5, limits.0), (" (p99)", 0.99, limits.1)] {
            let index = ((values.len() as f64 - 1.0) * share).round() as usize;
            let count = values.len() as u64;
            // As in every report: the interval of a quantile has two ends from so many on.
            let needs = minimum_count(share, 0.05).unwrap_or(u64::MAX);
            verdict.figures.push(Figure {
                what: title(what, suffix),
                value: values.get(index).copied().filter(|_| count >= needs),
                count: (count, needs),
                unit: "µs",
                at_most,
            });
        }
    }
    Ok(())
}

fn title(what: &'static str, suffix: &str) -> &'static str {
    match (what, suffix) {
        ("first token: bare reader − simulator's stamp", " (p99)") => {
            "first token: bare reader − simulator's stamp, p99"
        }
        ("first token: mark − simulator's stamp", " (p99)") => {
            "first token: mark − simulator's stamp, p99"
        }
        ("marking error: mark − bare reader", " (p99)") => {
            "marking error: mark − bare reader, p99"
        }
        (what, _) => what,
    }
}

/// Moment found minus the stamp of the write that carried the first token, µs.
fn first_token_error(
    stage: &Stage<'_>,
    body: &[u8],
    found: impl FnOnce(&[u8]) -> Option<Moment>,
) -> Option<f64> {
    let truth = stage.simulator.truth(&completion_id(body)?)?;
    let stamp = truth.token_at(0)?;
    let found = found(body)?;
    Some((found.0 as f64 - stamp.0 as f64) / 1e3)
}

/// When the bare reader had the first event that carries content.
fn token_arrival(reading: &bare::Reading, _: &[u8]) -> Option<Moment> {
    reading
        .events()
        .into_iter()
        .find(|event| {
            let bytes = reading.body.get(event.range.clone()).unwrap_or_default();
            let text = String::from_utf8_lossy(bytes);
            text.contains("\"content\":\"") && !text.contains("\"content\":\"\"")
        })
        .map(|event| event.at)
}

fn completion_id(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let start = text.find("\"id\":\"")? + 6;
    let length = text.get(start..)?.find('"')?;
    text.get(start..start + length).map(str::to_owned)
}

/// A stream whose bytes are known, cut into writes in every way that matters: what the client
/// reads is what was played, byte for byte.
fn identity(stage: &mut Stage<'_>, verdict: &mut Verdict) -> io::Result<()> {
    let body = Bytes::from(known_stream());
    let cuts: [Vec<usize>; 4] = [
        Vec::new(),
        (1..body.len()).collect(),
        (1..body.len()).step_by(7).collect(),
        memchr::memmem::find_iter(&body, b"\n\n")
            .map(|at| at + 1)
            .collect(),
    ];
    for (number, cuts) in cuts.iter().enumerate() {
        let script = Script::cut("text/event-stream", &body, cuts, Nanos(0));
        stage.simulator.play(KNOWN_MODEL, script);
        let reading = bare::Connection::open(stage.through)?.exchange(&request(KNOWN_MODEL))?;
        if reading.body != body {
            verdict.findings.push(format!(
                "known stream in {} writes (way {number}): the client read other bytes",
                cuts.len() + 1
            ));
        }
        if record(stage).is_none() {
            verdict
                .findings
                .push(format!("known stream (way {number}): no record"));
        }
    }
    stage.simulator.forget(KNOWN_MODEL);
    Ok(())
}

/// Comments, CRLF, text outside ASCII, padding: what a re-encoding proxy would change.
fn known_stream() -> String {
    let mut text = String::from(": waiting\r\n\r\n");
    for piece in ["", "Grüße", " 🙂", " \\u00e9", " tail"] {
        let _ = write!(
            text,
            "data:  {{\"id\":\"k\",\"choices\":[{{\"index\":0, \"delta\":\
             {{\"content\":\"{piece}\"}}}}],\"obfuscation\":\"x\"}}\n\n"
        );
    }
    text.push_str(
        "data: {\"id\":\"k\",\"choices\":[{\"index\":0,\"delta\":{},\
         \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    );
    text
}

/// Every fault is recorded as what it is, and never as a success.
fn faults(stage: &mut Stage<'_>, verdict: &mut Verdict) -> io::Result<()> {
    for (model, wanted) in FAULTS {
        let mut connection = bare::Connection::open(stage.through)?;
        let reading = connection.exchange(&request(model))?;
        let Some(record) = record(stage) else {
            verdict
                .findings
                .push(format!("{model}: no record within a second"));
            continue;
        };
        if record.outcome != wanted {
            verdict.findings.push(format!(
                "{model}: recorded as {}, is {}",
                record.outcome.name(),
                wanted.name()
            ));
        }
        if wanted == Outcome::Truncated && reading.end != ReadEnd::Complete {
            verdict
                .findings
                .push(format!("{model}: the client's stream broke without a word"));
        }
    }
    Ok(())
}
