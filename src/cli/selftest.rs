//! `tollgate selftest`: Tollgate measures the simulator, and prints its own measuring error.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::output;
use crate::app;
use crate::simulator::selftest::Verdict;

/// Measure the simulator and print Tollgate's own measuring error (exit code 1 if it is too large)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate selftest\n  tollgate selftest --pairs 400 --format json\n\n\
    The bare reader is a plain socket reader beside Tollgate in the same run: what Tollgate's\n\
    mark is later than it is Tollgate's error; what the bare reader is late is the machine's."
)]
pub(super) struct Args {
    /// Pairs of streams, one direct and one through Tollgate
    #[arg(long, default_value_t = 200)]
    pairs: usize,
    /// How to print the result
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Findings listed in the table.
const FINDINGS_SHOWN: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let bar = std::io::stderr()
        .is_terminal()
        .then(|| indicatif::ProgressBar::new(1000));
    let mut progress = |share: f64| {
        if let Some(bar) = &bar {
            bar.set_position((share * 1000.0) as u64);
        }
    };
    let verdict = match app::selftest::run(args.pairs.max(1), &mut progress) {
        Ok(verdict) => verdict,
        Err(fault) => return output::fail(&fault),
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    match args.format {
        Format::Table => output::print(&table(&verdict, args.pairs)),
        Format::Json => output::print(&json(&verdict, args.pairs)),
    }
    if verdict.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}

fn table(verdict: &Verdict, pairs: usize) -> String {
    let mut text = format!("self-test over {pairs} pairs of streams\n\n");
    for figure in &verdict.figures {
        let asked = match figure.at_most {
            Some(limit) if figure.is_met() => format!("≤ {limit} {}: met", figure.unit),
            Some(limit) => format!("≤ {limit} {}: MISSED", figure.unit),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "  {:<54}{:>9.1} {:<3} {asked}",
            figure.what, figure.value, figure.unit
        );
    }
    if verdict.findings.is_empty() {
        text.push_str("\n  bytes identical, faults recorded as what they are\n");
    }
    for finding in verdict.findings.iter().take(FINDINGS_SHOWN) {
        let _ = writeln!(text, "\n  FINDING: {finding}");
    }
    let more = verdict.findings.len().saturating_sub(FINDINGS_SHOWN);
    if more > 0 {
        let _ = writeln!(text, "\n  and {more} more (--format json shows all)");
    }
    text
}

fn json(verdict: &Verdict, pairs: usize) -> String {
    let figures: Vec<_> = verdict
        .figures
        .iter()
        .map(|figure| {
            serde_json::json!({
                "what": figure.what, "value": figure.value, "unit": figure.unit,
                "at_most": figure.at_most, "met": figure.is_met(),
            })
        })
        .collect();
    serde_json::json!({
        "schema": "tollgate.selftest/1", "pairs": pairs, "good": verdict.is_good(),
        "figures": figures, "findings": verdict.findings,
    })
    .to_string()
}
