//! What a benchmark is asked for with, on the command line and on the page alike: it becomes a plan.

use serde::Deserialize;

use super::plan::{Design, Plan, Variant};
use crate::active::targets::{self, Target, TargetFault, Wanted};
use crate::config::settings::Settings;
use crate::record::Name;
use crate::workload::prompts::Pool;

/// A benchmark as it is asked for; what is not said is as usual.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// Models, as applications ask for them.
    pub models: Vec<String>,
    /// Only these providers.
    pub providers: Vec<String>,
    /// Only providers of these regions.
    pub regions: Vec<String>,
    /// Rounds that are measured.
    pub iterations: u32,
    /// Crossover pairs instead of rounds.
    pub pairs: Option<u32>,
    /// The provider that pairs are against.
    pub reference: Option<String>,
    /// Rounds or pairs before those that are measured.
    pub warm_ups: u32,
    /// Tokens of an answer, at most.
    pub max_tokens: Option<u64>,
    /// Tokens that prompts are lengthened to.
    pub prompt_tokens: Option<u64>,
    /// Limits of the answer, one after the other, instead of one.
    pub sweep_tokens: Vec<u64>,
    /// Each prompt with and without JSON mode.
    pub json_mode: bool,
    /// Requests of one conversation.
    pub cache_turns: u32,
    /// Which requests open a connection for themselves.
    pub cold: Option<Cold>,
    /// Tokens below which an answer says too little.
    pub min_tokens: u64,
    /// The temperature; none is sent where there is none.
    pub temperature: Option<f64>,
    /// What is asked; the shipped topics otherwise.
    #[serde(skip)]
    pub pool: Option<Pool>,
    /// Lengths of prompts as recorded.
    #[serde(skip)]
    pub lengths: Vec<u64>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            providers: Vec::new(),
            regions: Vec::new(),
            iterations: 30,
            pairs: None,
            reference: None,
            warm_ups: 2,
            max_tokens: None,
            prompt_tokens: None,
            sweep_tokens: Vec::new(),
            json_mode: false,
            cache_turns: 1,
            cold: None,
            min_tokens: 20,
            temperature: Some(0.0),
            pool: None,
            lengths: Vec::new(),
        }
    }
}

/// Which requests open a connection for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cold {
    /// Every one.
    All,
    /// One of two alike.
    Both,
}

/// Tokens of an answer in rounds, at most, where nothing is said.
const TOKENS_OF_ROUNDS: u64 = 256;
/// The same in pairs.
const TOKENS_OF_PAIRS: u64 = 64;

impl Wish {
    /// The plan of a run of that name and seed.
    pub fn plan(&self, settings: &Settings, run: Name, seed: u64) -> Result<Plan, String> {
        let plan = Plan {
            run,
            seed,
            targets: self.targets(settings).map_err(|fault| fault.to_string())?,
            variants: self.variants(),
            design: match self.pairs {
                Some(count) => Design::Pairs { count },
                None => Design::Rounds {
                    iterations: self.iterations,
                },
            },
            warm_ups: self.warm_ups,
            turns: self.cache_turns.max(1),
            temperature: self.temperature,
            tokens_min: self.min_tokens,
            pool: self.pool.clone().unwrap_or_else(Pool::shipped),
            lengths: self.lengths.clone(),
            reference: self.reference.as_deref().map(Name::from),
        };
        if self.pairs.is_some() && plan.comparisons().is_empty() {
            return Err(
                "pairs need two routes to one model, one of them the reference: a direct \
                 provider, or --reference"
                    .to_owned(),
            );
        }
        if let Some(name) = &plan.reference
            && !plan.targets.iter().any(|of| of.route.provider == *name)
        {
            return Err(format!(
                "--reference {name} is asked nothing here, so that nothing is held against it: \
                 name one of the providers that are"
            ));
        }
        plan.fits()?;
        Ok(plan)
    }

    fn variants(&self) -> Vec<Variant> {
        let usual = if self.pairs.is_some() {
            TOKENS_OF_PAIRS
        } else {
            TOKENS_OF_ROUNDS
        };
        let limits = if self.sweep_tokens.is_empty() {
            vec![self.max_tokens.unwrap_or(usual)]
        } else {
            self.sweep_tokens.clone()
        };
        let shapes: &[bool] = if self.json_mode {
            &[false, true]
        } else {
            &[false]
        };
        let connections: &[bool] = match self.cold {
            None => &[false],
            Some(Cold::All) => &[true],
            Some(Cold::Both) => &[false, true],
        };
        let mut variants = Vec::new();
        for max_tokens in limits {
            for json in shapes {
                variants.extend(connections.iter().map(|cold| Variant {
                    max_tokens,
                    json: *json,
                    prompt_tokens: self.prompt_tokens,
                    cold: *cold,
                }));
            }
        }
        variants
    }

    /// The routes to each model, in the order of the models and of the config.
    fn targets(&self, settings: &Settings) -> Result<Vec<Target>, TargetFault> {
        if let Some(name) = &self.reference {
            targets::is_there(settings, name)?;
        }
        let wanted = Wanted {
            models: self.models.clone(),
            providers: self.providers.clone(),
            regions: self.regions.clone(),
        };
        wanted.targets(settings)
    }
}
