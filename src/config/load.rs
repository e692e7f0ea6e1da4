//! Loads a config: text and environment in, settings or every problem at once out.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::catalogue;
use super::fingerprint::fingerprint;
use super::presets::presets;
use super::problem::{Finding, Findings, Problem, Problems, Severity};
use super::raw::RawConfig;
use super::read::{At, Reader, Setting};
use super::resolve::work::{Sources, Work};
use super::resolve::{
    experiments, listeners, models, numbers, prices, probes, providers, rules, runs, vain,
};
use super::settings::{Provider, Settings};
use crate::record::Name;

/// A config that was taken.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the program runs by.
    pub settings: Settings,
    /// What the user should know.
    pub warnings: Vec<Problem>,
    /// Providers whose key came from a variable of their preset's, with that variable.
    pub found: Vec<(Name, String)>,
}

/// Loads a config, or says everything that is wrong with it.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Problems> {
    load_by(sources, false)
}

/// The same for who sends nothing: secrets that are not set, or in files that cannot be read, are
/// no problem, and something of no use stands in their place.
pub fn load_without_secrets(sources: &Sources<'_>) -> Result<Loaded, Problems> {
    load_by(sources, true)
}

fn load_by(sources: &Sources<'_>, spares_secrets: bool) -> Result<Loaded, Problems> {
    let text = sources.text.unwrap_or_default();
    // Some editors put a byte order mark first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let problems = |list| Problems {
        file: sources.file.to_owned(),
        list,
    };
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => return Err(problems(syntax(text, &error))),
    };
    let root = Spanned::new(root.span(), DeValue::Table(root.into_inner()));
    let mut reader = Reader::new(sources.env);
    reader.spares_secrets = spares_secrets;
    let raw = RawConfig::read(&root, &mut reader).unwrap_or_default();
    let presets = presets();
    let mut work = Work {
        sources,
        presets: &presets,
        spares_secrets,
        findings: reader.findings,
    };
    let settings = resolve(raw, &mut work);
    let list = work.findings.locate(text);
    if list
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        return Err(problems(list));
    }
    let from_variable = |provider: &Arc<Provider>| {
        let source = provider.credential_from()?;
        let given = source.starts_with("api_key");
        (!given).then(|| (provider.name.clone(), source))
    };
    Ok(Loaded {
        found: settings
            .providers
            .iter()
            .filter_map(from_variable)
            .collect(),
        settings,
        warnings: list,
    })
}

fn resolve(raw: RawConfig, work: &mut Work<'_>) -> Settings {
    let mut raw_server = value(raw.server);
    let default_provider = raw_server.default_provider.take();
    let mut server = listeners::server(raw_server, work);
    let admin = listeners::admin(value(raw.admin), &server, work);
    let store = numbers::store(value(raw.store), work);
    let timeouts = numbers::timeouts(&value(raw.timeouts), work);
    let limits = numbers::limits(value(raw.limits), work);

    let listed = value(raw.providers);
    let mut names: Vec<String> = listed.0.iter().map(|(key, _)| key.value.clone()).collect();
    let none_listed = names.is_empty();
    let providers = if none_listed {
        providers::found((&server, &admin), work)
    } else {
        providers::configured(listed, (&server, &admin), work)
    };
    if none_listed {
        names.extend(providers.iter().map(|provider| provider.name.to_string()));
    }
    let catalogue = catalogue::with_own(value(raw.catalogue));
    let of = models::Known {
        names: &names,
        providers: &providers,
        catalogue: &catalogue,
    };
    let raw_models = value(raw.models);
    let model_spans: Vec<_> = raw_models
        .0
        .iter()
        .map(|(key, _)| key.span.clone())
        .collect();
    let raw_rules = raw.rules.iter().flat_map(|at| &at.value);
    let rule_spans: Vec<_> = raw_rules.map(|at| at.span.clone()).collect();
    let models = models::models(raw_models, of, work);
    let rules = rules::rules(raw.rules, &names, work);
    let said = vain::Said {
        models: &models,
        model_spans: &model_spans,
        rules: &rules,
        rule_spans: &rule_spans,
        of,
        any_name_goes: default_provider.is_some() || providers.len() == 1,
    };
    vain::vain(said, work);
    let failover = rules::failover(value(raw.failover), work);
    let probe_settings = probes::probes(value(raw.probes), &models, work);
    let alerts = probes::alerts(value(raw.alerts), work);
    let runs = runs::runs(value(raw.runs), &store, work);
    let experiments = experiments::experiments(value(raw.experiments), &models, work);
    let found = none_listed.then_some(providers.as_slice());
    server.default_provider =
        models::default_provider(default_provider.as_ref(), &names, found, work);
    let prices = prices::table(value(raw.prices), work);
    let mut settings = Settings {
        server,
        admin,
        store,
        timeouts,
        limits,
        providers,
        models,
        rules,
        failover,
        probes: probe_settings,
        alerts,
        runs,
        experiments,
        prices,
        catalogue,
        hash: 0,
    };
    settings.hash = fingerprint(&settings);
    settings
}

fn value<T: Default>(given: Option<At<T>>) -> T {
    given.map(|at| at.value).unwrap_or_default()
}

/// A text that is no TOML has one problem: what follows the first fault is guesswork.
fn syntax(text: &str, error: &toml::de::Error) -> Vec<Problem> {
    let mut findings = Findings::default();
    // Where the text cannot be read, nobody knows which of it is a secret.
    for span in suspicious(text) {
        findings.hide(span);
    }
    let says = |words: &[&str]| words.iter().any(|word| error.message().contains(word));
    let hint = if says(&["duplicate key"]) {
        Some("each key and each [table] may stand once")
    } else if says(&[
        "invalid float",
        "invalid integer",
        "invalid date",
        "invalid time",
        "quoted",
    ]) {
        Some("a text stands in quotes")
    } else {
        None
    };
    findings.push(Finding {
        key_path: String::new(),
        span: Some(error.span().unwrap_or(text.len()..text.len())),
        found: format!("a text that is not TOML: {}", error.message()),
        expected: "TOML".to_owned(),
        hint: hint.map(str::to_owned),
        severity: Severity::Error,
    });
    findings.locate(text)
}

/// What may be a secret in a text that cannot be read: what follows the `=` of a telling key,
/// and long words that hold digits and letters.
fn suspicious(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        let told = [
            "key",
            "token",
            "secret",
            "header",
            "authorization",
            "password",
        ]
        .iter()
        .filter_map(|word| lower.find(word))
        .min();
        if let Some(value) = told.and_then(|at| Some(at + line[at..].find('=')? + 1)) {
            spans.push(start + value..start + line.trim_end().len());
        }
        let mut at = start;
        for word in
            line.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        {
            let digits = word.bytes().any(|byte| byte.is_ascii_digit());
            if word.len() > 20 && digits {
                spans.push(at..at + word.trim_end().len());
            }
            at += word.len();
        }
        start += line.len();
    }
    spans
}
