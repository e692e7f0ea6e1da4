//! Reads what `--compare` sets side by side: two windows, or two exported files.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::stored::Stop;
use crate::analysis::paper::Paper;
use crate::analysis::render::exchange;
use crate::analysis::reports::compare::compared;
use crate::analysis::tables::Window;
use crate::record::{ExchangeRecord, WallTime};
use crate::ui::papers::{self, Question};

/// The two sides of a comparison.
#[derive(Debug)]
pub(super) enum Sides {
    /// Two spans of time in the store.
    Windows([Window; 2]),
    /// Two files that `tollgate export` wrote.
    Files([PathBuf; 2]),
}

impl Sides {
    /// Reads `A..B`. Where both are files that are there, they are meant; names may have dots.
    pub(super) fn read(text: &str, until: Option<&str>, now: WallTime) -> Result<Self, Stop> {
        let splits = text
            .match_indices("..")
            .map(|(at, _)| (&text[..at], &text[at + 2..]));
        let named: Vec<(&str, &str)> = splits
            .filter(|(a, b)| [a, b].iter().all(|side| is_export(side)))
            .collect();
        let there = |(a, b): &&(&str, &str)| Path::new(a).is_file() && Path::new(b).is_file();
        if let Some((a, b)) = named.iter().find(there).or(named.first()) {
            return Ok(Self::Files([a, b].map(PathBuf::from)));
        }
        Window::pair(text, until, now)
            .map(Self::Windows)
            .map_err(|fault| Stop::Usage(format!("{fault}{}", of_file(text))))
    }
}

/// What is to be added where a side is a file that is no export as it is compared.
fn of_file(text: &str) -> &'static str {
    let mut splits = text.match_indices("..");
    let is_file = splits.any(|(at, _)| {
        let sides = [&text[..at], &text[at + 2..]];
        sides.iter().any(|side| Path::new(side).is_file())
    });
    if is_file {
        "; of files, two exports as JSON lines are compared: `tollgate export --format jsonl --output a.jsonl`"
    } else {
        ""
    }
}

fn is_export(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("jsonl"))
}

/// The report of either file, side by side.
pub(super) fn of_files(
    question: &Question,
    files: &[PathBuf; 2],
    made: WallTime,
) -> Result<Paper, Stop> {
    let [a, b] = files
        .each_ref()
        .map(|file| papers::of_records(question, records(file)?, made));
    let what = files.each_ref().map(|file| file.display().to_string());
    Ok(compared(&a?, &b?, &what))
}

/// The records of a file, with what is wrong with the first bad line.
fn records(path: &Path) -> Result<impl Iterator<Item = Result<ExchangeRecord, Stop>> + '_, Stop> {
    let name = path.display();
    let file =
        File::open(path).map_err(|error| Stop::Usage(format!("cannot read {name}: {error}")))?;
    let lines = BufReader::new(file).lines().zip(1_u64..);
    Ok(lines.map(move |(line, number)| {
        let wrong = |what: String| Stop::Usage(format!("{name} line {number}: {what}"));
        let line = line.map_err(|error| wrong(error.to_string()))?;
        exchange::read(&line).map_err(wrong)
    }))
}
