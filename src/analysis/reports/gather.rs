//! Hands records to a report one by one, and keeps count of what is not in it.

use super::Paper;
use super::call::{Call, Skipped, calls};
use super::choice::Choice;
use super::same::SameModel;
use crate::analysis::paper::{Head, Source};
use crate::analysis::tables::{Origins, Window};
use crate::record::{ExchangeRecord, KeyedHash, Name, Note, Origin, PicoDollars, WallTime};
use crate::statistics::quantile::{Sample, minimum_count, sorted};

/// A report at work.
pub trait Report {
    /// Takes an exchange with those of its calls that were chosen, the answering one last.
    fn take(&mut self, record: &ExchangeRecord, calls: Vec<Call>);

    /// Whether pairs are taken, whatever origin they have: they are compared with nothing but
    /// their own kind.
    fn takes_pairs(&self) -> bool {
        false
    }

    /// Whether it takes that origin, whatever is asked for: it is about that one alone.
    fn takes_origin(&self, origin: Origin) -> bool {
        let _ = origin;
        false
    }

    /// What was found; `head` has everything but the method and the seed.
    fn paper(&self, head: Head) -> Paper;
}

/// A report with what is of all reports.
pub struct Gathered<'a> {
    report: &'a mut dyn Report,
    origins: Origins,
    choice: &'a Choice,
    scanned: u64,
    taken: u64,
    skipped: [u64; Skipped::ALL.len()],
    not_chosen: u64,
    own_delays: Vec<f64>,
    configs: Vec<KeyedHash>,
    remarks: Vec<Note>,
    hosted: Vec<(Name, PicoDollars)>,
    same: Option<&'a SameModel>,
    output_prices: Option<OutputPrices<'a>>,
}

/// What a provider charges for 1,000,000 tokens of a model's answers, in US dollars, by the names
/// of both.
pub type OutputPrices<'a> = Box<dyn FnMut(&Name, &Name) -> Option<f64> + 'a>;

impl std::fmt::Debug for Gathered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gathered")
    }
}

/// The call with the name that its model has everywhere.
#[must_use]
pub fn named(mut call: Call, same: Option<&SameModel>) -> Call {
    let there = call.model.as_ref().or(call.asked.as_ref());
    let model = |same: &SameModel| Some(same.of(&call.provider, call.kind, there?));
    call.same = same.and_then(model);
    call
}

/// Settings named in a head at most: the first and the last ones.
const CONFIGS_MAX: usize = 8;

impl<'a> Gathered<'a> {
    /// Nothing yet.
    pub fn new(report: &'a mut dyn Report, origins: Origins, choice: &'a Choice) -> Self {
        // A run is one of its own, whatever origin it has.
        let origins = if choice.runs.is_empty() {
            origins
        } else {
            Origins::All
        };
        Self {
            report,
            origins,
            choice,
            scanned: 0,
            taken: 0,
            skipped: [0; Skipped::ALL.len()],
            not_chosen: 0,
            own_delays: Vec::new(),
            configs: Vec::new(),
            remarks: Vec::new(),
            hosted: Vec::new(),
            same: None,
            output_prices: None,
        }
    }

    /// Says what answers cost.
    pub fn price(&mut self, output_prices: OutputPrices<'a>) {
        self.output_prices = Some(output_prices);
    }

    /// Says which names mean one model.
    pub const fn name(&mut self, same: &'a SameModel) {
        self.same = Some(same);
    }

    /// Says which providers are paid by the hour.
    pub fn host(&mut self, hosted: Vec<(Name, PicoDollars)>) {
        self.hosted = hosted;
    }

    /// Lays what users wrote of the window beside the numbers.
    pub fn remark(&mut self, notes: Vec<Note>) {
        self.remarks = notes;
    }

    /// Adds an exchange.
    pub fn add(&mut self, record: &ExchangeRecord) {
        self.scanned += 1;
        let active = record.active.as_ref();
        let paired = active.is_some_and(|active| active.pair.is_some());
        let wanted = paired && self.report.takes_pairs();
        let wanted = wanted || self.report.takes_origin(record.origin);
        let found = match calls(record, |origin| wanted || self.origins.takes(origin)) {
            Ok(found) => found,
            Err(reason) => {
                self.skipped[reason as usize] += 1;
                return;
            }
        };
        let found = found.into_iter().map(|call| named(call, self.same));
        let mut chosen: Vec<Call> = if self.choice.takes_record(record) {
            let takes = |call: &Call| self.choice.takes(call);
            found.filter(takes).collect()
        } else {
            Vec::new()
        };
        if chosen.is_empty() {
            self.not_chosen += 1;
            return;
        }
        self.taken += 1;
        if let Some(price) = &mut self.output_prices {
            for call in &mut chosen {
                let there = call.model.as_ref().or(call.asked.as_ref());
                call.output_price = there.and_then(|there| price(&call.provider, there));
            }
        }
        self.own_delays
            .extend(chosen.iter().filter_map(|call| call.own_delay));
        if !self.configs.contains(&record.config) && self.configs.len() < CONFIGS_MAX {
            self.configs.push(record.config);
        }
        self.report.take(record, chosen);
    }

    /// The report over everything added, which is of `source`.
    #[must_use]
    pub fn paper(self, window: Window, made: WallTime, source: Source) -> Paper {
        let mut excluded: Vec<(String, u64)> = Skipped::ALL
            .into_iter()
            .zip(self.skipped)
            .map(|(reason, count)| (reason.name().to_owned(), count))
            .collect();
        excluded.push(("not_chosen".to_owned(), self.not_chosen));
        let (delays, failures) = sorted(self.own_delays);
        let delays = Sample::new(&delays, failures);
        let enough = minimum_count(0.99, 0.05).is_some_and(|least| delays.len() as u64 >= least);
        let own_delay = delays
            .quantile(0.5)
            .zip(delays.quantile(0.99))
            .filter(|_| enough);
        self.report.paper(Head {
            window,
            made,
            origin: self.origins.name().to_owned(),
            selection: self.choice.words(),
            source,
            scanned: self.scanned,
            taken: self.taken,
            excluded,
            configs: self.configs,
            own_delay,
            seed: None,
            method: "",
            hosted: self.hosted,
            remarks: self.remarks,
            sides: Vec::new(),
        })
    }
}
