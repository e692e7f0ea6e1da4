//! `tollgate prices`: the price table in force, how old it is, and what a newer one would change.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::output;
use super::stored::Stop;
use crate::analysis::render::csv;
use crate::app::sources;
use crate::clock::Clock;
use crate::config::prices;
use crate::record::{Name, WallTime};
use crate::routing::pricing::{Change, PriceRow, PriceTable, diff};

/// Show what models cost, how old each price is, and what another table would change
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate prices --provider anthropic\n  \
    tollgate prices --model gpt-4.1 --format json\n  \
    tollgate prices --diff newer.toml\n  \
    tollgate prices --refresh newer.toml --output prices.toml\n\n\
    Prices are US dollars per million tokens. A price that nobody has verified is shown with the reason.\n\
    Nothing is fetched: a newer table is a local file in the shape of the shipped one (config/prices.toml).\n\
    To use it, name it in the config: [prices] file = \"prices.toml\". With --diff, exit code 1 says that\n\
    something differs.")]
pub(super) struct Args {
    /// Only this provider
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// Only rows that price this model, or whose models' names hold this text
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Also rows that are not valid today
    #[arg(long)]
    all: bool,
    /// Compare the table in force with this file, and change nothing
    #[arg(long, value_name = "FILE", conflicts_with = "refresh")]
    diff: Option<PathBuf>,
    /// Compare with this file, and write it to --output if it has no problem
    #[arg(long, value_name = "FILE", requires = "output")]
    refresh: Option<PathBuf>,
    /// Where --refresh writes the new table; best the `file` of the config's [prices]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take also prices that changed more than tenfold
    #[arg(long, requires = "refresh")]
    accept: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// A table
    Table,
    /// JSON of the schema tollgate.prices/1
    Json,
    /// Comma-separated values (RFC 4180)
    Csv,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    match prices(args, config) {
        Ok(code) => code,
        Err(stop) => stop.exit(),
    }
}

fn prices(args: &Args, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let now = Clock::system().wall();
    // A file is compared also where the config that names it cannot be loaded because of it.
    let comparing = args.diff.as_ref().or(args.refresh.as_ref());
    let path = sources::config_path(config);
    let table = match (sources::load_to_read(path.as_deref()), comparing) {
        (Ok(loaded), _) => loaded.settings.prices,
        (Err(_), Some(_)) => prices::shipped(),
        (Err(fault), None) => return Err(Stop::Config(fault)),
    };
    match comparing {
        Some(file) => compare(args, &table, file),
        None => Ok(show(args, &table, now)),
    }
}

fn show(args: &Args, table: &PriceTable, now: WallTime) -> ExitCode {
    let rows: Vec<&PriceRow> = table
        .rows()
        .iter()
        .filter(|row| args.takes(row) && (args.all || row.is_valid(now)))
        .collect();
    output::print(&match args.format {
        Shape::Table => as_table(table, &rows, now),
        Shape::Json => format!(
            "{:#}",
            json!({
                "schema": "tollgate.prices/1",
                "version": table.version().as_str(),
                "unit": "USD per million tokens",
                "rows": rows.iter().map(|row| view(row, now)).collect::<Vec<_>>(),
            })
        ),
        Shape::Csv => as_csv(&rows, now),
    });
    if rows.is_empty() {
        output::note(
            "tollgate: no row is of that kind; without --provider and --model the whole table is \
             shown, with --all also what is not valid today",
        );
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

impl Args {
    fn takes(&self, row: &PriceRow) -> bool {
        let provider = self
            .provider
            .as_ref()
            .is_none_or(|wanted| row.providers.iter().any(|name| **name == **wanted));
        let model = self.model.as_ref().is_none_or(|wanted| {
            let all = row.models.iter().any(|model| &**model == "*");
            let part = row
                .models
                .iter()
                .any(|model| model.contains(wanted.as_str()));
            part || (row.closeness(wanted).is_some() && (!all || self.provider.is_some()))
        });
        provider && model
    }
}

fn names(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    names.join(" ")
}

fn date(at: Option<WallTime>) -> Option<String> {
    at.map(|at| at.rfc3339()[..16].trim_end_matches("T00:00").to_owned())
}

/// What a row has beside its plain prices, in words.
fn extras(row: &PriceRow) -> String {
    let mut words = Vec::new();
    if row.own {
        words.push("yours".to_owned());
    }
    if row.tier.name() != "standard" {
        words.push(row.tier.name().to_owned());
    }
    if let Some(long) = &row.long {
        let rates: Vec<String> = long
            .prices
            .rates()
            .map(|(name, rate)| format!("{name} {rate}"))
            .collect();
        words.push(format!("over {} tokens: {}", long.over, rates.join(", ")));
    }
    if !row.windows.is_empty() {
        words.push("by the hour of the day".to_owned());
    }
    if let Some(batch) = row.batch {
        words.push(format!("batch x {batch}"));
    }
    for (name, rate) in row.prices.rates() {
        if !["input", "cached_read", "cache_write", "output"].contains(&name) {
            words.push(format!("{name} {rate}"));
        }
    }
    if let Some(price) = row.prices.per_request {
        words.push(format!("request {}", price.as_dollars()));
    }
    if let Some(from) = date(row.valid_from) {
        words.push(format!("from {from}"));
    }
    if let Some(until) = date(row.valid_until) {
        words.push(format!("until {until}"));
    }
    words.join("; ")
}

fn as_table(table: &PriceTable, rows: &[&PriceRow], now: WallTime) -> String {
    let mut shown = Table::new();
    shown
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "provider", "model", "input", "cached", "written", "output", "age", "beside",
        ]);
    for row in rows {
        let rate = |name: &str| {
            let mut rates = row.prices.rates();
            let found = rates.find(|(known, _)| *known == name);
            found.map_or_else(|| "-".to_owned(), |(_, rate)| rate.to_string())
        };
        // What no source dates is as old as its reading at least.
        let age = match (row.age_days(now), row.as_of) {
            (None, _) => "-".to_owned(),
            (Some(days), Some(_)) => format!("{days} d"),
            (Some(days), None) => format!("read {days} d"),
        };
        let beside = match &row.unknown {
            Some(reason) => format!("unknown: {reason}"),
            None => extras(row),
        };
        let first = row.models.first().map_or("", |model| &**model);
        let more = row.models.len().saturating_sub(1);
        let model = if more > 0 {
            format!("{first} +{more}")
        } else {
            first.to_owned()
        };
        shown.add_row([
            names(&row.providers),
            model,
            rate("input"),
            rate("cached_read"),
            rate("cache_write"),
            rate("output"),
            age,
            beside,
        ]);
    }
    for at in 2..=6 {
        if let Some(column) = shown.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = format!(
        "Prices {}, US dollars per million tokens\n\n",
        table.version()
    );
    for line in shown.lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let dated = rows.iter().filter(|row| row.as_of.is_some());
    let ages: Vec<i64> = dated.filter_map(|row| row.age_days(now)).collect();
    let old = ages.iter().filter(|days| **days > OLD).count();
    let unknown = rows.iter().filter(|row| row.unknown.is_some()).count();
    let _ = writeln!(
        text,
        "\n{} rows, {unknown} without a verified price; {old} of the {} that their source dates are \
         older than {OLD} days\nAges are counted from the date that the source gives; `read`: it \
         gives none, and this is when it was read",
        rows.len(),
        ages.len()
    );
    text
}

/// Days after which a price deserves another look.
const OLD: i64 = 90;

fn view(row: &PriceRow, now: WallTime) -> Value {
    let rates = |prices: &crate::routing::pricing::Prices| -> Value {
        let rates = prices.rates();
        Value::Object(
            rates
                .map(|(name, rate)| (name.to_owned(), json!(rate.to_string())))
                .collect(),
        )
    };
    json!({
        "providers": row.providers.iter().map(Name::as_str).collect::<Vec<_>>(),
        "models": row.models.iter().map(Name::as_str).collect::<Vec<_>>(),
        "tier": row.tier.name(),
        "valid_from": date(row.valid_from),
        "valid_until": date(row.valid_until),
        "prices": rates(&row.prices),
        "per_request": row.prices.per_request.map(crate::record::PicoDollars::as_dollars),
        "batch": row.batch.map(|share| share.to_string()),
        "long_context": row.long.as_ref().map(|long| json!({ "over": long.over, "prices": rates(&long.prices) })),
        "windows": row.windows.iter().map(|window| json!({ "span": window.span.to_string(), "prices": rates(&window.prices) })).collect::<Vec<_>>(),
        "unknown": row.unknown,
        "source": Some(&row.source).filter(|source| !source.is_empty()),
        "read": date(row.read),
        "as_of": date(row.as_of),
        "age_days": row.age_days(now),
        "note": row.note,
        "own": row.own,
    })
}

fn as_csv(rows: &[&PriceRow], now: WallTime) -> String {
    let mut text = csv::line(
        [
            "providers",
            "models",
            "tier",
            "valid_from",
            "valid_until",
            "input",
            "cached_read",
            "cache_write",
            "cache_write_1h",
            "output",
            "beside",
            "unknown",
            "age_days",
            "source",
        ]
        .into_iter(),
    );
    for row in rows {
        let rate = |name: &str| {
            let mut rates = row.prices.rates();
            let found = rates.find(|(known, _)| *known == name);
            found.map_or_else(String::new, |(_, rate)| rate.to_string())
        };
        let fields = [
            names(&row.providers),
            names(&row.models),
            row.tier.name().to_owned(),
            date(row.valid_from).unwrap_or_default(),
            date(row.valid_until).unwrap_or_default(),
            rate("input"),
            rate("cached_read"),
            rate("cache_write"),
            rate("cache_write_1h"),
            rate("output"),
            extras(row),
            row.unknown.clone().unwrap_or_default(),
            row.age_days(now)
                .map_or_else(String::new, |days| days.to_string()),
            row.source.clone(),
        ];
        text.push_str(&csv::line(fields.iter().map(String::as_str)));
    }
    text
}

fn compare(args: &Args, table: &PriceTable, file: &Path) -> Result<ExitCode, Stop> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Stop::Usage(format!("cannot read {shown}: {error}")))?;
    let new = prices::read(&text, &shown).map_err(|problems| {
        output::note(&problems.to_string());
        Stop::Usage(format!(
            "{shown} has {} problem(s); nothing was changed",
            problems.list.len()
        ))
    })?;
    // The config's own rows go before those of any file: they stay.
    let (own, shared): (Vec<PriceRow>, Vec<PriceRow>) =
        table.rows().iter().cloned().partition(|row| row.own);
    let changes: Vec<Change> = diff(&shared, new.rows())
        .into_iter()
        .filter(|change| args.takes(of(change)))
        .collect();
    output::print(&match args.format {
        Shape::Json => format!(
            "{:#}",
            json!({
                "schema": "tollgate.prices.diff/1",
                "old": table.version().as_str(),
                "new": new.version().as_str(),
                "changes": changes.iter().map(change_view).collect::<Vec<_>>(),
            })
        ),
        Shape::Table | Shape::Csv => changes_text(table, &new, &changes),
    });
    if !own.is_empty() {
        output::note(&format!(
            "{} row(s) of the config's own stay as they are, and go before those of the file",
            own.len()
        ));
    }
    let Some(target) = args.output.as_ref().filter(|_| args.refresh.is_some()) else {
        return Ok(ExitCode::from(u8::from(!changes.is_empty())));
    };
    let leaps = changes.iter().filter(|change| is_leap(change)).count();
    if leaps > 0 && !args.accept {
        return Err(Stop::Nothing(format!(
            "{leaps} price(s) changed more than tenfold, which is a slip more often than a price; \
             nothing was written: look at them and add --accept"
        )));
    }
    std::fs::write(target, &text)
        .map_err(|error| Stop::Runtime(format!("cannot write {}: {error}", target.display())))?;
    output::note(&format!(
        "wrote {}; it is in force where the config says [prices] file = \"{}\"",
        target.display(),
        target.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn of(change: &Change) -> &PriceRow {
    match change {
        Change::Added(row) | Change::Removed(row) => row,
        Change::Changed { new, .. } => new,
    }
}

/// Whether a price became more than ten times what it was, or less than a tenth.
fn is_leap(change: &Change) -> bool {
    let Change::Changed { old, new } = change else {
        return false;
    };
    old.prices.rates().any(|(name, before)| {
        let mut rates = new.prices.rates();
        let after = rates.find(|(known, _)| *known == name);
        after.is_some_and(|(_, after)| {
            let (low, high) = (before.0.min(after.0), before.0.max(after.0));
            high > low.saturating_mul(10)
        })
    })
}

/// A row's prices in one line.
fn line(row: &PriceRow) -> String {
    if let Some(reason) = &row.unknown {
        return format!("unknown: {reason}");
    }
    let rates: Vec<String> = row
        .prices
        .rates()
        .filter(|(name, _)| ["input", "cached_read", "cache_write", "output"].contains(name))
        .map(|(name, rate)| format!("{name} {rate}"))
        .collect();
    let beside = extras(row);
    let between = if beside.is_empty() { "" } else { "; " };
    format!("{}{between}{beside}", rates.join(", "))
}

fn changes_text(old: &PriceTable, new: &PriceTable, changes: &[Change]) -> String {
    let mut text = format!("{} -> {}\n", old.version(), new.version());
    for change in changes {
        let row = of(change);
        let title = format!("{} {}", names(&row.providers), names(&row.models));
        let _ = match change {
            Change::Added(row) => writeln!(text, "\n+ {title}\n    {}", line(row)),
            Change::Removed(row) => writeln!(text, "\n- {title}\n    {}", line(row)),
            Change::Changed { old, new } => {
                writeln!(text, "\n~ {title}\n  - {}\n  + {}", line(old), line(new))
            }
        };
    }
    let count = |wanted: fn(&Change) -> bool| changes.iter().filter(|one| wanted(one)).count();
    let _ = writeln!(
        text,
        "\n{} new, {} gone, {} changed",
        count(|change| matches!(change, Change::Added(_))),
        count(|change| matches!(change, Change::Removed(_))),
        count(|change| matches!(change, Change::Changed { .. }))
    );
    text
}

fn change_view(change: &Change) -> Value {
    let (kind, old, new) = match change {
        Change::Added(row) => ("added", None, Some(row)),
        Change::Removed(row) => ("removed", Some(row), None),
        Change::Changed { old, new } => ("changed", Some(&**old), Some(&**new)),
    };
    let row = of(change);
    json!({
        "change": kind,
        "providers": row.providers.iter().map(Name::as_str).collect::<Vec<_>>(),
        "models": row.models.iter().map(Name::as_str).collect::<Vec<_>>(),
        "old": old.map(line),
        "new": new.map(line),
    })
}
