//! Reads traces of real traffic, and draws prompts and answers of real sizes.
//!
//! Formats: the Azure traces' CSV (`TIMESTAMP,ContextTokens,GeneratedTokens`), `BurstGPT`'s CSV
//! (`Timestamp`, `Request tokens`, `Response tokens`), and Mooncake's JSON lines (`timestamp` in
//! milliseconds, `input_length`, `output_length`).

use serde::Deserialize;

use crate::statistics::compare::Random;

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceRow {
    /// Seconds since the first.
    pub at_s: f64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}

/// A trace, by time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// Its requests.
    pub rows: Vec<TraceRow>,
}

/// Why a trace cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceFault {
    /// No known format.
    #[error(
        "line 1: no trace known here: expected TIMESTAMP,ContextTokens,GeneratedTokens or \
         Timestamp,…,Request tokens,Response tokens as CSV, or JSON lines with timestamp, \
         input_length, output_length"
    )]
    Format,
    /// A line is wrong.
    #[error("line {line}: {what}")]
    Line {
        /// Its number.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is nothing in it.
    #[error("the trace has no requests")]
    Empty,
}

/// Reads a trace of any known format.
pub fn read_trace(text: &str) -> Result<Trace, TraceFault> {
    let first = text.lines().next().ok_or(TraceFault::Empty)?;
    let mut rows = if first.trim_start().starts_with('{') {
        json_lines(text)?
    } else {
        csv(first, text)?
    };
    rows.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    let start = rows.first().ok_or(TraceFault::Empty)?.at_s;
    for row in &mut rows {
        row.at_s -= start;
    }
    Ok(Trace { rows })
}

#[derive(Deserialize)]
struct Mooncake {
    timestamp: f64,
    input_length: u64,
    output_length: u64,
}

fn json_lines(text: &str) -> Result<Vec<TraceRow>, TraceFault> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            let row: Mooncake = serde_json::from_str(line).map_err(|_| TraceFault::Line {
                line: at + 1,
                what: "expected an object with timestamp, input_length, output_length",
            })?;
            Ok(TraceRow {
                at_s: row.timestamp / 1e3,
                prompt_tokens: row.input_length,
                output_tokens: row.output_length,
            })
        })
        .collect()
}

fn csv(head: &str, text: &str) -> Result<Vec<TraceRow>, TraceFault> {
    let names: Vec<String> = head
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let place = |wanted: &[&str]| {
        let is = |name: &String| wanted.contains(&name.as_str());
        names.iter().position(is).ok_or(TraceFault::Format)
    };
    let at = place(&["timestamp"])?;
    let prompt = place(&["contexttokens", "request tokens"])?;
    let output = place(&["generatedtokens", "response tokens"])?;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        if line.trim().is_empty() {
            continue;
        }
        let fault = |what| TraceFault::Line {
            line: number + 1,
            what,
        };
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let count = |at: usize| field(at).parse::<u64>().ok();
        rows.push(TraceRow {
            at_s: seconds(field(at)).ok_or_else(|| fault("expected a date or seconds first"))?,
            prompt_tokens: count(prompt).ok_or_else(|| fault("expected prompt tokens"))?,
            output_tokens: count(output).ok_or_else(|| fault("expected answer tokens"))?,
        });
    }
    Ok(rows)
}

/// Seconds, or a date as `2023-11-16 18:15:46.6805900`.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let (date, clock) = text.split_once([' ', 'T'])?;
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let midnight = crate::record::WallTime::of_day(year, month, day)?;
    let mut parts = clock
        .trim_end_matches('Z')
        .split(':')
        .map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    Some(midnight.as_secs() as f64 + hour * 3_600.0 + minute * 60.0 + second)
}

/// Where prompts and answers have their sizes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Sizes {
    /// The conversations of the Azure trace, by 33 quantiles each.
    AzureConversations,
    /// The rows of a trace, any of them.
    Trace(Trace),
}

impl Sizes {
    /// The sizes of one request: prompt and answer.
    pub fn draw(&self, random: &mut Random) -> (u64, u64) {
        match self {
            Self::AzureConversations => (
                between(&CONTEXT, random.unit()),
                between(&GENERATED, random.unit()),
            ),
            Self::Trace(trace) => {
                let row = trace.rows[random.below(trace.rows.len().max(1))];
                (row.prompt_tokens, row.output_tokens)
            }
        }
    }
}

/// The value at a share of a table of quantiles.
fn between(quantiles: &[u16; 33], share: f64) -> u64 {
    let place = share * 32.0;
    let at = (place as usize).min(31);
    let (low, high) = (f64::from(quantiles[at]), f64::from(quantiles[at + 1]));
    (low + (high - low) * (place - at as f64)).round() as u64
}

/// Quantiles 0, 1/32, … 1 of `ContextTokens` of `AzureLLMInferenceTrace_conv` (2023, CC-BY 4.0).
const CONTEXT: [u16; 33] = [
    2, 165, 194, 206, 235, 374, 383, 391, 396, 401, 405, 412, 428, 818, 966, 1_001, 1_020, 1_037,
    1_052, 1_067, 1_083, 1_100, 1_120, 1_147, 1_189, 1_312, 1_335, 1_766, 2_309, 3_018, 4_079,
    4_089, 14_050,
];

/// The same of `GeneratedTokens`.
const GENERATED: [u16; 33] = [
    7, 33, 45, 53, 60, 68, 75, 81, 85, 89, 92, 95, 99, 104, 110, 118, 129, 141, 157, 171, 195, 223,
    377, 389, 395, 397, 402, 411, 416, 427, 440, 502, 1_000,
];
