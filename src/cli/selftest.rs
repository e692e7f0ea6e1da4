//! `tollgate selftest`: Tollgate measures the simulator, and prints its own measuring error.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::output;
use crate::analysis::render::units::NOTHING;
use crate::app;
use crate::simulator::selftest::Verdict;

/// Measure the simulator and print Tollgate's own measuring error (exit code 1 if it is too large)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate selftest\n  tollgate selftest --pairs 1000 --format json\n\n\
    The bare reader is a plain socket reader beside Tollgate in the same run: what Tollgate's\n\
    mark is later than it is Tollgate's error; what the bare reader is late is the machine's.\n\
    A 99th percentile is told from 368 pairs on."
)]
pub(super) struct Args {
    /// Pairs of streams, one direct and one through Tollgate
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
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
    let verdict = match app::selftest::run(args.pairs as usize, &mut progress) {
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

fn table(verdict: &Verdict, pairs: u32) -> String {
    let mut text = format!("self-test over {pairs} pairs of streams\n\n");
    for figure in &verdict.figures {
        let Some(value) = figure.value else {
            let (has, needs) = figure.count;
            let _ = writeln!(
                text,
                "  {:<54}{NOTHING:>9}     {has} of {needs} pairs",
                figure.what
            );
            continue;
        };
        let asked = figure
            .at_most
            .zip(figure.is_met())
            .map_or_else(String::new, |(limit, met)| {
                let met = if met { "met" } else { "MISSED" };
                format!("≤ {limit} {}: {met}", figure.unit)
            });
        let _ = writeln!(
            text,
            "  {:<54}{value:>9.1} {:<3} {asked}",
            figure.what, figure.unit
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

fn json(verdict: &Verdict, pairs: u32) -> String {
    let figures: Vec<_> = verdict
        .figures
        .iter()
        .map(|figure| {
            serde_json::json!({
                "what": figure.what, "value": figure.value, "unit": figure.unit,
                "at_most": figure.at_most, "met": figure.is_met(),
                "pairs": figure.count.0, "pairs_needed": figure.count.1,
            })
        })
        .collect();
    serde_json::json!({
        "schema": "tollgate.selftest/1", "pairs": pairs, "good": verdict.is_good(),
        "figures": figures, "findings": verdict.findings,
    })
    .to_string()
}
