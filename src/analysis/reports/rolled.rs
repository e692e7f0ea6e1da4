//! Answers reports from roll-ups: sums and sketches of minutes and hours instead of records.

use std::collections::BTreeMap;
use std::ops::Range;

use super::call::plain_name;
use super::choice::Choice;
use super::figures::{Route, cut_short};
use super::listed::Listed;
use super::same::SameModel;
use super::spend::Outlay;
use super::sums::{Routes, Sums};
use super::{consistency, cost, errors, models, trend};
use crate::analysis::paper::{Head, Paper, Source};
use crate::analysis::tables::{Origins, Window};
use crate::record::{Name, Note, Origin, PicoDollars, ProviderKind, WallTime};
use crate::statistics::Rollup;
use crate::statistics::interval::order;
use crate::statistics::sketch::Sketch;

/// Which route's roll-up it is, of which minute or hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of<'a> {
    /// When that was.
    pub span: &'a Range<WallTime>,
    /// The provider.
    pub provider: &'a str,
    /// Whether it is a router.
    pub kind: ProviderKind,
    /// The model's name there.
    pub model: &'a str,
    /// Where the exchanges come from.
    pub origin: Origin,
    /// Whether streams were asked for.
    pub stream: bool,
}

/// A report that roll-ups answer, at work.
#[derive(Debug)]
pub struct Rolled<'a> {
    listed: Listed,
    window: Window,
    origins: Origins,
    choice: &'a Choice,
    routes: Routes,
    /// By steps of time, where the report asks for that.
    steps: BTreeMap<Route, BTreeMap<i64, Sums>>,
    /// What was spent in each roll-up, where the report asks for that.
    outlay: Outlay,
    own_delay: Sketch,
    same: Option<&'a SameModel>,
    remarks: Vec<Note>,
    hosted: Vec<(Name, PicoDollars)>,
    scanned: u64,
    taken: u64,
    other_origin: u64,
    not_chosen: u64,
}

impl<'a> Rolled<'a> {
    /// Whether roll-ups answer `listed` at all, narrowed to `choice`: they know neither tags,
    /// runs nor regions.
    #[must_use]
    pub const fn can(listed: Listed, choice: &Choice) -> bool {
        let known = matches!(
            listed,
            Listed::Models | Listed::Consistency | Listed::Errors | Listed::Trend | Listed::Cost
        );
        known && choice.tags.is_empty() && choice.runs.is_empty() && choice.regions.is_empty()
    }

    /// Nothing yet, over `window`.
    #[must_use]
    pub fn new(listed: Listed, window: Window, origins: Origins, choice: &'a Choice) -> Self {
        Self {
            listed,
            window,
            origins,
            choice,
            routes: Routes::new(),
            steps: BTreeMap::new(),
            outlay: Outlay::default(),
            own_delay: Sketch::default(),
            same: None,
            remarks: Vec::new(),
            hosted: Vec::new(),
            scanned: 0,
            taken: 0,
            other_origin: 0,
            not_chosen: 0,
        }
    }

    /// Whether nothing of what is there was chosen: a name that only records know, perhaps.
    #[must_use]
    pub const fn chose_nothing(&self) -> bool {
        self.taken == 0 && self.not_chosen > 0
    }

    /// Says which names mean one model.
    pub const fn name(&mut self, same: &'a SameModel) {
        self.same = Some(same);
    }

    /// Sets beside it what users wrote down of the window.
    pub fn remark(&mut self, remarks: Vec<Note>) {
        self.remarks = remarks;
    }

    /// Says which providers are paid by the hour.
    pub fn host(&mut self, hosted: Vec<(Name, PicoDollars)>) {
        self.hosted = hosted;
    }

    /// Adds a roll-up.
    pub fn add(&mut self, of: Of<'_>, rollup: &Rollup) {
        let exchanges = rollup.exchanges();
        self.scanned += exchanges;
        if !self.origins.takes(of.origin) {
            self.other_origin += exchanges;
            return;
        }
        let model = self.same.map_or_else(
            || plain_name(of.kind, of.model),
            |same| same.of(of.provider, of.kind, of.model).to_string(),
        );
        let has = |list: &[String], name: &str| list.iter().any(|one| one == name);
        let models = &self.choice.models;
        let providers = &self.choice.providers;
        let chosen = (models.is_empty() || has(models, of.model) || has(models, &model))
            && (providers.is_empty() || has(providers, of.provider));
        if !chosen {
            self.not_chosen += exchanges;
            return;
        }
        self.taken += exchanges;
        self.own_delay.merge(&rollup.own_delay);
        if self.listed == Listed::Cost {
            let requests = exchanges + rollup.lost;
            let further = &rollup.further;
            let cost = PicoDollars(further.spent.saturating_add(further.lost_spent));
            self.outlay.add(of.span, of.provider, requests, cost);
        }
        let route = (model, of.provider.to_owned());
        let sums = if self.listed == Listed::Trend {
            let step = of.span.start.0.div_euclid(trend::step_of(self.window));
            let steps = self.steps.entry(route).or_default();
            steps.entry(step).or_default()
        } else {
            self.routes.entry(route).or_default()
        };
        sums.add(rollup, of.stream, of.span.start);
    }

    /// The report over everything added.
    #[must_use]
    pub fn paper(self, made: WallTime) -> Paper {
        let own_delay = self
            .own_delay
            .quantile(0.5)
            .zip(self.own_delay.quantile(0.99))
            .filter(|_| order::of_sketch(&self.own_delay, 0, 0.99, 0.05).is_two_sided());
        let head = Head {
            window: self.window,
            made,
            origin: self.origins.name().to_owned(),
            selection: self.choice.words(),
            source: Source::Rollups,
            scanned: self.scanned,
            taken: self.taken,
            excluded: vec![
                ("other_origin".to_owned(), self.other_origin),
                ("not_chosen".to_owned(), self.not_chosen),
            ],
            configs: Vec::new(),
            own_delay: own_delay.map(|(p50, p99)| (p50 as f64, p99 as f64)),
            seed: None,
            method: "",
            sides: Vec::new(),
            hosted: self.hosted.clone(),
            remarks: self.remarks.clone(),
        };
        let (untold, untold_waits) = (self.untold(), self.untold_waits());
        let cut = self.sums().map(Sums::not_waited_out).sum();
        let listed = self.listed;
        let mut paper = match listed {
            Listed::Consistency => consistency::rolled(&self.routes, head),
            Listed::Errors => errors::rolled(&self.routes, head),
            Listed::Cost => cost::rolled(&self.routes, &self.outlay, head),
            Listed::Trend => trend::rolled(self.steps, head),
            _ => models::rolled(&self.routes, head),
        };
        if untold > 0 {
            paper.notes.push(format!(
                "{untold} exchanges and lost tries were rolled up by an older version: their stalls, lost tries \
                 and costs of failures are not counted."
            ));
        }
        if listed.tells_first_tokens() {
            paper.notes.extend(cut_short(cut));
        }
        if untold_waits > untold {
            paper.notes.push(format!(
                "{untold_waits} exchanges and lost tries were rolled up by an older version: what of \
                 their first tokens was not waited out, and what their lost tries cost where, is not \
                 known."
            ));
        }
        paper
    }

    /// Exchanges and lost tries whose roll-ups lack the further sums.
    fn untold(&self) -> u64 {
        self.parts().map(Rollup::untold).sum()
    }

    /// The same of the younger ones.
    fn untold_waits(&self) -> u64 {
        self.parts().map(Rollup::untold_waits).sum()
    }

    fn parts(&self) -> impl Iterator<Item = &Rollup> {
        self.sums().flat_map(|sums| [&sums.streams, &sums.wholes])
    }

    fn sums(&self) -> impl Iterator<Item = &Sums> {
        let steps = self.steps.values().flat_map(BTreeMap::values);
        self.routes.values().chain(steps)
    }
}
