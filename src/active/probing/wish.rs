//! What a round of probes is asked for with, on the command line and on the page alike.

use serde::Deserialize;

use super::round::{Round, asked_models, cost_of};
use crate::active::targets::{Target, Wanted};
use crate::config::probes::SCHEDULED_TOKENS;
use crate::config::settings::Settings;
use crate::record::{PicoDollars, WallTime};

/// A round as it is asked for; what is not said is as usual.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// Models, as applications ask for them; every model with routes where empty.
    pub models: Vec<String>,
    /// Only these providers.
    pub providers: Vec<String>,
    /// Only providers of these regions.
    pub regions: Vec<String>,
    /// Each route on a fresh connection, and again on the one that is there then.
    pub cold: bool,
    /// Tokens of an answer, at most.
    pub max_tokens: u64,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            providers: Vec::new(),
            regions: Vec::new(),
            cold: false,
            max_tokens: SCHEDULED_TOKENS,
        }
    }
}

impl Wish {
    /// The round, which its records name `run`.
    #[must_use]
    pub const fn round<'a>(&self, run: &'a str) -> Round<'a> {
        Round {
            run,
            number: 0,
            max_tokens: self.max_tokens,
            cold: self.cold,
        }
    }

    /// The routes that are asked for; without a word of them all that the config names.
    pub fn targets(&self, settings: &Settings) -> Result<Vec<Target>, String> {
        let wanted = Wanted {
            models: self.models.clone(),
            providers: self.providers.clone(),
            regions: self.regions.clone(),
        };
        if !self.models.is_empty() {
            return wanted.targets(settings).map_err(|fault| fault.to_string());
        }
        wanted
            .are_there(settings)
            .map_err(|fault| fault.to_string())?;
        let mut all = asked_models(settings, &[]);
        all.retain(|target| {
            let provider = settings.provider(&target.route.provider);
            provider.is_some_and(|provider| wanted.takes(provider))
        });
        if all.is_empty() {
            return Err(
                "no model of the config has such routes: name some with --models, as \
                 `tollgate probe --models gpt-4.1-mini,claude-haiku-4-5`"
                    .to_owned(),
            );
        }
        Ok(all)
    }

    /// What asking `targets` may cost by the prices of `now`, as far as they are known.
    #[must_use]
    pub fn cost(&self, targets: &[Target], settings: &Settings, now: WallTime) -> PicoDollars {
        let round = self.round("");
        let costs = targets
            .iter()
            .filter_map(|target| cost_of(target, round.max_tokens, settings, now));
        let sum = costs.fold(0_u64, |sum, cost| sum.saturating_add(cost.0));
        PicoDollars(sum.saturating_mul(u64::from(round.calls())))
    }
}
