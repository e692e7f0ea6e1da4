//! Names what the page is told by whoever begins runs for it, and what it may ask of them.

use std::fs::File;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::active::asked::AskedRun;
use crate::analysis::paper::Paper;
use crate::record::WallTime;

/// What a run would ask, and what that may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Announced {
    /// Its name.
    pub run: String,
    /// What it is: `bench`, `load`, `probe`, `eval`.
    pub kind: &'static str,
    /// Its seed.
    pub seed: u64,
    /// The routes that it asks.
    pub routes: Vec<String>,
    /// What it does to them, in words.
    pub says: String,
    /// Requests, of its first steps where further ones follow.
    pub requests: u64,
    /// US dollars by today's prices.
    pub cost: f64,
    /// Whether requests and cost may be more: the caps hold all the same.
    pub open: bool,
    /// Routes whose price nobody knows: they are in neither the cost nor the cap.
    pub unpriced: Vec<String>,
    /// US dollars that it may cost.
    pub cost_max: f64,
    /// Requests that it may send.
    pub requests_max: u64,
}

/// A run, as far as it has come.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunShown {
    /// Its name.
    pub run: String,
    /// What it is.
    pub kind: String,
    /// `going`, `stopping`, or why it ended: `complete`, `interrupted`, `cost_cap`, `unwritten`,
    /// `broken`; `unknown` of a folder that does not say.
    pub state: String,
    /// When it began.
    pub began: Option<WallTime>,
    /// When it ended.
    pub ended: Option<WallTime>,
    /// Its seed.
    pub seed: Option<u64>,
    /// How much of it is done.
    pub done: u64,
    /// Of how much; 0 where that is not known yet.
    pub of: u64,
    /// How it goes on, in words.
    pub says: String,
    /// What whoever began it should know.
    pub notes: Vec<String>,
    /// The files of its results, with their bytes.
    pub files: Vec<(String, u64)>,
    /// The words in which it was asked for, where the page began it.
    pub words: Map<String, Value>,
}

impl RunShown {
    /// Whether it goes on.
    #[must_use]
    pub fn is_going(&self) -> bool {
        matches!(self.state.as_str(), "going" | "stopping")
    }

    /// Whether it was stopped before it was over, and can go on where it was: those that ask a list
    /// of requests can, what a load or a probe measures is of its moment.
    #[must_use]
    pub fn can_go_on(&self) -> bool {
        let lists = matches!(self.kind.as_str(), "bench" | "eval");
        let stopped = !self.is_going() && self.state != "complete";
        lists && stopped && !self.words.is_empty()
    }
}

/// Why a run does not begin, or cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The page begins none.
    Off(&'static str),
    /// One goes on already: its name.
    Busy(String),
    /// There is one of that name already.
    Exists(String),
    /// What was asked is not possible, and why.
    Wrong(String),
    /// There is no such thing.
    Missing(String),
    /// Something of the machine's.
    Failed(String),
}

/// Begins benchmarks, loads, probes and evaluations, one at a time, and keeps what they come to.
/// Everything here may block.
pub trait RunDesk: Send + Sync {
    /// Why it begins none, where it does not.
    fn refusal(&self) -> Option<&'static str>;

    /// What `asked` would ask and cost; nothing is asked.
    fn announce(&self, asked: &AskedRun) -> Result<Announced, Refused>;

    /// Begins it.
    fn start(&self, asked: &AskedRun) -> Result<Announced, Refused>;

    /// What the stopped run of that name is asked for with again, to go on where it was; for
    /// `max_cost` US dollars in all where that is given, for as many as before otherwise.
    fn again(&self, run: &str, max_cost: Option<f64>) -> Result<AskedRun, Refused>;

    /// Says stop to the run of that name; what was measured is kept.
    fn stop(&self, run: &str) -> Result<(), Refused>;

    /// The runs in the folder of results, and the one that goes on; the newest first.
    fn list(&self) -> Result<Vec<RunShown>, Refused>;

    /// The run of that name.
    fn shown(&self, run: &str) -> Result<RunShown, Refused>;

    /// What the run of that name came to, as far as it can still be told.
    fn papers(&self, run: &str) -> Result<Vec<Arc<Paper>>, Refused>;

    /// Two benchmarks side by side, the first being the baseline.
    fn compare(&self, runs: [&str; 2]) -> Result<Paper, Refused>;

    /// A file of a run's results, and its bytes.
    fn file(&self, run: &str, file: &str) -> Result<(File, u64), Refused>;

    /// The files that evaluations may name.
    fn sets(&self) -> Vec<String>;
}
