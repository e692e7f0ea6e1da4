//! Reads the result of a run back, and lays it out for reports.

use serde_json::Value;

use super::result::{SCHEMA, is_warm_up, read_value};
use super::run::Measured;
use crate::analysis::paper::{Head, Source};
use crate::analysis::reports::Routed;
use crate::analysis::reports::bench::{Item, Kind, Run};
use crate::analysis::tables::Window;
use crate::analysis::tables::window::date;
use crate::record::{ExchangeRecord, KeyedHash, Name, WallTime};

/// A run that is over.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its name.
    pub run: String,
    /// When it began and ended.
    pub window: Window,
    /// What it asked: variants of the first route, of the second one, and so on.
    pub kinds: Vec<Kind>,
    /// Whether it asked pairs.
    pub is_paired: bool,
    /// Requests of one conversation.
    pub turns: u64,
    /// The provider that pairs were against, where one was named.
    pub reference: Option<String>,
    /// The seed of its prompts and orders.
    pub seed: u64,
    /// Everything that was measured, warm-ups too.
    pub all: Vec<Measured>,
    /// The rest of the file: environment, plan and what it came to.
    pub file: Value,
    variants: usize,
}

impl Finished {
    /// Reads the file of a run; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut file: Value = serde_json::from_str(text)
            .map_err(|error| format!("is no whole JSON ({error}): was it cut off?"))?;
        Self::check(&file)?;
        let exchanges = file["exchanges"].take();
        let exchanges = exchanges.as_array().ok_or("has no list `exchanges`")?;
        let all: Vec<Measured> = exchanges
            .iter()
            .enumerate()
            .map(|(place, value)| {
                read_value(value).map_err(|what| format!("exchanges[{place}]: {what}"))
            })
            .collect::<Result<_, _>>()?;
        let plan = &file["plan"];
        let (routes, variants) = (list(plan, "routes")?, list(plan, "variants")?);
        let kinds = routes.iter().flat_map(|route| {
            let kinds = variants.iter().map(move |variant| kind(route, variant));
            kinds.collect::<Vec<_>>()
        });
        let kinds: Vec<Kind> = kinds.collect::<Result<_, _>>()?;
        let variants = variants.len();
        let place = |of: &Measured| of.target * variants + of.variant;
        if let Some(at) = all.iter().position(|of| place(of) >= kinds.len()) {
            return Err(format!("exchanges[{at}] is of no route of the plan"));
        }
        let moment = |key: &str| {
            let found = date(field(&file, key)?, WallTime(0));
            found.map_err(|what| format!("has a wrong `{key}`: {what}"))
        };
        Ok(Self {
            run: field(&file, "run")?.to_owned(),
            window: Window {
                from: moment("began")?,
                until: WallTime(moment("ended")?.0 + 1),
            },
            is_paired: plan["design"] == "pairs",
            turns: plan["turns"].as_u64().unwrap_or(1),
            reference: plan["reference"].as_str().map(str::to_owned),
            seed: plan["seed"].as_u64().unwrap_or_default(),
            kinds,
            all,
            file,
            variants,
        })
    }

    /// Whether `file` is the result of a run that this program can read.
    fn check(file: &Value) -> Result<(), String> {
        let schema = file["schema"].as_str().unwrap_or_default();
        if schema == SCHEMA {
            return Ok(());
        }
        let family = SCHEMA.split('/').next().unwrap_or_default();
        match schema.split_once('/') {
            Some((of, _)) if of == family => Err(format!(
                "is of schema {schema}, and this program reads {SCHEMA}: a newer tollgate wrote it"
            )),
            _ => Err(format!("is no result of a run: its schema is not {SCHEMA}")),
        }
    }

    /// The routes of which nothing was measured, because every request failed.
    #[must_use]
    pub fn unanswered(&self) -> Vec<String> {
        let routes = self.file["routes"].as_array().into_iter().flatten();
        let failed =
            |route: &&Value| route["n"].as_u64() > Some(0) && route["n"] == route["failed"];
        let named = |route: &Value| {
            let text = |key: &str| route[key].as_str().unwrap_or_default().to_owned();
            format!("{} at {}", text("model"), text("route"))
        };
        routes.filter(failed).map(named).collect()
    }

    /// Its exchanges, for reports.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'_>> {
        let item = |of: &'_ Measured| (of.target * self.variants + of.variant, of.quality);
        self.all
            .iter()
            .map(|of| {
                let (kind, quality) = item(of);
                Item {
                    kind,
                    record: &of.record,
                    quality,
                }
            })
            .collect()
    }

    /// The same as a run among others.
    #[must_use]
    pub fn as_run(&self) -> Run<'_> {
        Run {
            name: self.run.clone(),
            kinds: self.kinds.clone(),
            items: self.items(),
        }
    }

    /// The models of its plan with their routes, by which every host's name means the model that
    /// was asked for.
    #[must_use]
    pub fn routed(&self) -> Vec<Routed> {
        let mut models: Vec<Routed> = Vec::new();
        for kind in &self.kinds {
            let there = kind.there.as_deref().unwrap_or(&kind.model);
            let route = (Name::from(kind.provider.as_str()), Name::from(there));
            match models.iter_mut().find(|(name, _)| **name == *kind.model) {
                Some((_, routes)) => routes.push(route),
                None => models.push((Name::from(kind.model.as_str()), vec![route])),
            }
        }
        models
    }

    /// The records of what was measured.
    pub fn records(&self) -> impl Iterator<Item = &ExchangeRecord> + '_ {
        let records = self.all.iter().map(|of| &of.record);
        records.filter(|record| !is_warm_up(record))
    }

    /// What it asked of every route, in words that tell one from another; the only one has none.
    #[must_use]
    pub fn variants(&self) -> Vec<Option<String>> {
        let kinds = self.kinds.iter().take(self.variants);
        kinds.map(|kind| kind.variant(self.kinds.iter())).collect()
    }

    /// The records of what was measured of `variant`, one of [`Self::variants`].
    pub fn records_of(&self, variant: Option<&str>) -> impl Iterator<Item = &ExchangeRecord> + '_ {
        let asked = |item: &Item<'_>| {
            let kind = item.kind_among(&self.kinds)?;
            kind.variant(self.kinds.iter())
        };
        let wanted = variant.map(str::to_owned);
        let items = self.items().into_iter();
        items
            .filter(move |item| asked(item) == wanted)
            .map(|item| item.record)
            .filter(|record| !is_warm_up(record))
    }

    /// What it can tell beside how fast each route is.
    #[must_use]
    pub fn asked(&self) -> Asked {
        let first = self.kinds.first();
        let differs = |kind: &Kind| first.is_some_and(|first| first.max_tokens != kind.max_tokens);
        Asked {
            sweep: self.kinds.iter().any(differs),
            json: self.kinds.iter().any(|kind| kind.json),
            regions: self.kinds.iter().any(|kind| {
                let first = first.and_then(|first| first.region.as_ref());
                kind.region.as_ref() != first
            }),
            backends: self.records().any(|record| {
                let mut tries = record.attempts.iter();
                tries.any(|attempt| attempt.served_by.is_some())
            }),
        }
    }
}

/// What a run was to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Whether the rate holds as answers grow.
    pub sweep: bool,
    /// What JSON costs.
    pub json: bool,
    /// How regions differ.
    pub regions: bool,
    /// Who serves behind a router.
    pub backends: bool,
}

/// The head of a report over `runs`.
#[must_use]
pub fn head(runs: &[Finished], made: WallTime) -> Head {
    let from = runs.iter().map(|run| run.window.from).min();
    let until = runs.iter().map(|run| run.window.until).max();
    let records = || runs.iter().flat_map(|run| &run.all).map(|of| &of.record);
    let warm_ups = records().filter(|record| is_warm_up(record)).count() as u64;
    let scanned = records().count() as u64;
    let mut configs: Vec<KeyedHash> = Vec::new();
    for record in records() {
        if !configs.contains(&record.config) {
            configs.push(record.config);
        }
    }
    Head {
        window: Window {
            from: from.unwrap_or(made),
            until: until.unwrap_or(WallTime(made.0 + 1)),
        },
        made,
        origin: "bench".to_owned(),
        selection: runs.iter().map(|run| format!("run {}", run.run)).collect(),
        source: Source::Records,
        scanned,
        taken: scanned - warm_ups,
        excluded: vec![("warm_up".to_owned(), warm_ups)],
        configs,
        own_delay: None,
        seed: runs.first().map(|run| run.seed),
        method: "",
        hosted: Vec::new(),
        remarks: Vec::new(),
        sides: Vec::new(),
    }
}

fn field<'a>(of: &'a Value, key: &str) -> Result<&'a str, String> {
    of[key]
        .as_str()
        .ok_or_else(|| format!("has no text `{key}`"))
}

fn list<'a>(plan: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    plan[key]
        .as_array()
        .ok_or_else(|| format!("has no list `plan.{key}`"))
}

fn kind(route: &Value, variant: &Value) -> Result<Kind, String> {
    let maybe = |key: &str| route[key].as_str().map(str::to_owned);
    Ok(Kind {
        model: field(route, "model")?.to_owned(),
        provider: field(route, "provider")?.to_owned(),
        there: maybe("there"),
        region: maybe("region"),
        max_tokens: variant["max_tokens"].as_u64().unwrap_or_default(),
        json: variant["json"] == true,
        prompt_tokens: variant["prompt_tokens"].as_u64(),
        cold: variant["cold"] == true,
    })
}
