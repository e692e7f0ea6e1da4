//! Knows what routes charge for answers, for reports that compare speed with it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::analysis::render::units::minute;
use crate::analysis::reports::gather::OutputPrices;
use crate::config::settings::Settings;
use crate::record::{Name, WallTime};
use crate::routing::pricing::{Asked, PriceTable, Quote, Tier};

/// Prompt tokens for which prices are told: no model has its long prices from so few.
const USUAL_PROMPT: u64 = 1_000;

/// What routes charge.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Charges {
    table: Arc<PriceTable>,
    /// The providers, with the presets that they were made from and the parts of a price left.
    providers: Vec<(Name, Option<Name>, f64)>,
}

impl Charges {
    /// What `settings` say.
    pub(super) fn of(settings: &Settings) -> Self {
        let providers = settings.providers.iter().map(|of| {
            let rest = of.discount.map_or(1.0, |off| off.rest().as_fraction());
            (of.name.clone(), of.preset.clone(), rest)
        });
        Self {
            table: Arc::clone(&settings.prices),
            providers: providers.collect(),
        }
    }

    /// US dollars for 1,000,000 tokens of answers.
    fn of_output(&self, provider: &Name, model: &Name, at: WallTime) -> Option<f64> {
        let known = self.providers.iter().find(|(name, ..)| name == provider)?;
        let asked = Asked {
            provider,
            preset: known.1.as_deref(),
            model,
            at,
            tier: Tier::Standard,
        };
        let row = self.table.find(&asked).ok()?;
        let quote = Quote::of(row, USUAL_PROMPT, at)?;
        Some(quote.output * 1e6 * known.2).filter(|price| *price > 0.0)
    }

    /// The same as reports ask for it, remembered.
    pub(super) fn asked(&self, at: WallTime) -> OutputPrices<'_> {
        let mut known: HashMap<(Name, Name), Option<f64>> = HashMap::new();
        Box::new(move |provider, model| {
            let key = (provider.clone(), model.clone());
            let price = || self.of_output(provider, model, at);
            *known.entry(key).or_insert_with(price)
        })
    }

    /// Which prices those are.
    pub(super) fn said(&self, at: WallTime) -> String {
        format!(
            "What 1,000,000 output tokens cost is by the price table {} at {}: standard tier, short \
             prompts, discounts taken off. Tokens per second by it compare models whatever they were \
             asked; by a request's mean cost they compare what was asked of them.",
            self.table.version(),
            minute(at)
        )
    }
}
