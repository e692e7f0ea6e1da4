//! Reads price tables: the shipped one, a user's file of the same shape, and rows of a config.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::{Amount, DateText, MillionRate, Part, PatternText, PriceTier};
use super::problem::{Finding, Findings, Problem, Problems, Severity, quoted};
use super::read::{At, Reader, Setting, table};
use crate::record::Name;
use crate::routing::pricing::{Days, LongContext, PriceRow, PriceTable, Prices, Span, Window};

table! {
    /// A file of prices.
    RawPriceFile {
        /// What the table is called; a date.
        version: String,
        /// Its rows.
        price: Vec<At<RawPriceRow>>,
    }
}

table! {
    /// What a model costs somewhere: US dollars per million tokens.
    RawPriceRow {
        /// Providers, as configured, or presets.
        providers: Vec<At<String>>,
        /// Models as they are called there; `*` at the end stands for anything.
        models: Vec<At<PatternText>>,
        /// How a call is worked on.
        tier: PriceTier,
        /// First moment at which the prices hold (UTC).
        valid_from: DateText,
        /// First moment at which they hold no more (UTC).
        valid_until: DateText,
        /// Prompt tokens.
        input: MillionRate,
        /// Prompt tokens read from the provider's cache.
        cached_read: MillionRate,
        /// Prompt tokens written to it for the usual time.
        cache_write: MillionRate,
        /// Prompt tokens written to it for an hour.
        cache_write_1h: MillionRate,
        /// Generated tokens.
        output: MillionRate,
        /// Reasoning tokens, where they are priced apart.
        reasoning: MillionRate,
        /// Audio tokens of the prompt.
        audio_input: MillionRate,
        /// Audio tokens of the answer.
        audio_output: MillionRate,
        /// Image tokens of the prompt.
        image_input: MillionRate,
        /// US dollars per request, beside its tokens.
        per_request: Amount,
        /// Share of these prices that a batch costs.
        batch: Part,
        /// Prices of long prompts.
        long_context: RawLong,
        /// Prices of parts of the day.
        windows: Vec<At<RawWindow>>,
        /// Why there is no verified price.
        unknown: String,
        /// Where the numbers are from.
        source: String,
        /// When they were read.
        read: DateText,
        /// To what day the source dates them.
        as_of: DateText,
        /// What else is to know.
        note: String,
    }
}

table! {
    /// Prices of long prompts: they hold for every token of such a call.
    RawLong {
        /// Prompt tokens beyond which they hold.
        over: u64,
        /// Prompt tokens.
        input: MillionRate,
        /// Prompt tokens read from the provider's cache.
        cached_read: MillionRate,
        /// Prompt tokens written to it.
        cache_write: MillionRate,
        /// Prompt tokens written to it for an hour.
        cache_write_1h: MillionRate,
        /// Generated tokens.
        output: MillionRate,
    }
}

table! {
    /// Prices of a part of the day.
    RawWindow {
        /// When it begins, UTC.
        from: String,
        /// When it ends, UTC; a window that ends before it begins goes over midnight.
        to: String,
        /// On which days it begins; every day unless given.
        days: Vec<At<String>>,
        /// Prompt tokens.
        input: MillionRate,
        /// Prompt tokens read from the provider's cache.
        cached_read: MillionRate,
        /// Generated tokens.
        output: MillionRate,
    }
}

/// The shipped table as text.
pub const PRICES: &str = include_str!("../../config/prices.toml");

/// The shipped table.
#[must_use]
pub fn shipped() -> Arc<PriceTable> {
    static TABLE: OnceLock<Arc<PriceTable>> = OnceLock::new();
    // A test holds the shipped file at no problem.
    let table = TABLE.get_or_init(|| Arc::new(read(PRICES, "prices.toml").unwrap_or_default()));
    Arc::clone(table)
}

/// The table of a text, or everything that is wrong with it; `file` is for the messages.
pub fn read(text: &str, file: &str) -> Result<PriceTable, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let problems = |list: Vec<Problem>| Problems {
        file: file.to_owned(),
        list,
    };
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let mut findings = Findings::default();
            findings.push(Finding {
                key_path: String::new(),
                span: Some(error.span().unwrap_or(text.len()..text.len())),
                found: format!("a text that is not TOML: {}", error.message()),
                expected: "TOML".to_owned(),
                hint: None,
                severity: Severity::Error,
            });
            return Err(problems(findings.locate(text)));
        }
    };
    let root = Spanned::new(root.span(), DeValue::Table(root.into_inner()));
    let no_env = |_: &str| None;
    let mut reader = Reader::new(&no_env);
    let raw = RawPriceFile::read(&root, &mut reader).unwrap_or_default();
    let mut findings = reader.findings;
    let version = raw.version.map_or_else(
        || {
            refuse(
                &mut findings,
                "version".to_owned(),
                0..0,
                "nothing",
                "what the table is called, such as version = \"2026-11-22\"",
            );
            String::new()
        },
        |at| at.value,
    );
    let given = raw.price.map_or_else(Vec::new, |at| at.value);
    let rows = rows(given, "price", &mut findings);
    let list = findings.locate(text);
    if list.is_empty() {
        Ok(PriceTable::new(version, rows))
    } else {
        Err(problems(list))
    }
}

/// The rows of a list, each checked by itself and against those before it.
pub(super) fn rows(
    given: Vec<At<RawPriceRow>>,
    path: &str,
    findings: &mut Findings,
) -> Vec<PriceRow> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut rows = Vec::new();
    for (index, at) in given.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        let span = at.span.clone();
        let Some(row) = row(&path, at, findings) else {
            continue;
        };
        match seen.insert(row.key(), index) {
            Some(twin) => refuse(
                findings,
                path,
                span,
                &format!("a second row for what row [{twin}] is for"),
                "each provider, model, tier and date once",
            ),
            None => rows.push(row),
        }
    }
    rows
}

/// One row, or nothing and what is wrong with it.
fn row(path: &str, at: At<RawPriceRow>, findings: &mut Findings) -> Option<PriceRow> {
    let At { value: raw, span } = at;
    let prices = Prices {
        input: rate(raw.input.as_ref()),
        cached_read: rate(raw.cached_read.as_ref()),
        cache_write: rate(raw.cache_write.as_ref()),
        cache_write_1h: rate(raw.cache_write_1h.as_ref()),
        output: rate(raw.output.as_ref()),
        reasoning: rate(raw.reasoning.as_ref()),
        audio_input: rate(raw.audio_input.as_ref()),
        audio_output: rate(raw.audio_output.as_ref()),
        image_input: rate(raw.image_input.as_ref()),
        per_request: raw.per_request.as_ref().map(|at| at.value.0),
    };
    let providers: Vec<Name> = texts(raw.providers);
    let models: Vec<Name> = raw
        .models
        .into_iter()
        .flat_map(|at| at.value)
        .map(|at| Name::from(at.value.0))
        .collect();
    let unknown = raw.unknown.map(|at| at.value);
    // What a key that is wrong leaves empty would only be noise.
    if findings.has_under(path) {
        return None;
    }
    let mut wrong = |key: &str, found: &str, expected: &str| {
        refuse(
            findings,
            format!("{path}{key}"),
            span.clone(),
            found,
            expected,
        );
    };
    if providers.is_empty() {
        wrong(
            ".providers",
            "nothing",
            "the providers that the row is for, such as [\"openai\"]",
        );
        return None;
    }
    if models.is_empty() {
        wrong(
            ".models",
            "nothing",
            "the models that the row is for, such as [\"gpt-4.1\"] or [\"gpt-4.1-*\"]",
        );
        return None;
    }
    match (&unknown, prices.is_empty()) {
        (Some(_), false) => {
            wrong(
                ".unknown",
                "a price that is unknown, and prices",
                "one of the two",
            );
            return None;
        }
        (None, true) => {
            wrong(
                "",
                "a row without any price",
                "at least one price, or `unknown` with the reason",
            );
            return None;
        }
        _ => {}
    }
    let valid_from = raw.valid_from.map(|at| at.value.0);
    let valid_until = raw.valid_until.map(|at| at.value.0);
    if let (Some(from), Some(until)) = (valid_from, valid_until)
        && until <= from
    {
        wrong(
            ".valid_until",
            "an end that is not after the beginning",
            "a later date than `valid_from`; the end itself is not included",
        );
        return None;
    }
    let long = match raw.long_context {
        None => None,
        Some(at) => Some(long(&format!("{path}.long_context"), at, findings)?),
    };
    let mut windows = Vec::new();
    for (index, at) in raw.windows.into_iter().flat_map(|at| at.value).enumerate() {
        windows.push(window(&format!("{path}.windows[{index}]"), at, findings)?);
    }
    Some(PriceRow {
        providers,
        models,
        tier: raw.tier.map(|at| at.value.0).unwrap_or_default(),
        valid_from,
        valid_until,
        prices,
        batch: raw.batch.map(|at| at.value.0),
        long,
        windows,
        unknown,
        source: raw.source.map(|at| at.value).unwrap_or_default(),
        read: raw.read.map(|at| at.value.0),
        as_of: raw.as_of.map(|at| at.value.0),
        note: raw.note.map(|at| at.value),
        own: false,
    })
}

fn long(path: &str, at: At<RawLong>, findings: &mut Findings) -> Option<LongContext> {
    let At { value: raw, span } = at;
    let Some(over) = raw.over else {
        let expected = "the prompt tokens beyond which these prices hold, such as over = 200000";
        refuse(findings, format!("{path}.over"), span, "nothing", expected);
        return None;
    };
    Some(LongContext {
        over: over.value,
        prices: Prices {
            input: rate(raw.input.as_ref()),
            cached_read: rate(raw.cached_read.as_ref()),
            cache_write: rate(raw.cache_write.as_ref()),
            cache_write_1h: rate(raw.cache_write_1h.as_ref()),
            output: rate(raw.output.as_ref()),
            ..Prices::default()
        },
    })
}

fn window(path: &str, at: At<RawWindow>, findings: &mut Findings) -> Option<Window> {
    let At { value: raw, span } = at;
    let hours = raw.from.as_ref().zip(raw.to.as_ref());
    let Some((from, to)) = hours else {
        let expected = "both ends, such as from = \"16:30\", to = \"00:30\" (UTC)";
        refuse(findings, path.to_owned(), span, "half a window", expected);
        return None;
    };
    let given: Option<Vec<Name>> = raw.days.map(|days| texts(Some(days)));
    let days = match &given {
        None => Some(Days::ALL),
        Some(names) => Days::of(names.iter().map(|name| &**name)),
    };
    let Some(days) = days else {
        let expected = format!("days out of {}", Days::NAMES.join(", "));
        refuse(
            findings,
            format!("{path}.days"),
            span,
            "other days",
            &expected,
        );
        return None;
    };
    let Some(span_of_day) = Span::between(&from.value, &to.value, days) else {
        refuse(
            findings,
            path.to_owned(),
            span,
            &format!("{} to {}", quoted(&from.value), quoted(&to.value)),
            "two different hours such as \"16:30\" and \"00:30\" (UTC)",
        );
        return None;
    };
    Some(Window {
        span: span_of_day,
        prices: Prices {
            input: rate(raw.input.as_ref()),
            cached_read: rate(raw.cached_read.as_ref()),
            output: rate(raw.output.as_ref()),
            ..Prices::default()
        },
    })
}

fn rate(at: Option<&At<MillionRate>>) -> Option<crate::routing::pricing::Rate> {
    at.map(|at| at.value.0)
}

fn texts(given: Option<At<Vec<At<String>>>>) -> Vec<Name> {
    given
        .into_iter()
        .flat_map(|at| at.value)
        .map(|at| Name::from(at.value))
        .collect()
}

fn refuse(
    findings: &mut Findings,
    key_path: String,
    span: std::ops::Range<usize>,
    found: &str,
    expected: &str,
) {
    findings.push(Finding {
        key_path,
        span: Some(span),
        found: found.to_owned(),
        expected: expected.to_owned(),
        hint: None,
        severity: Severity::Error,
    });
}

#[cfg(test)]
#[path = "prices_tests.rs"]
mod tests;
