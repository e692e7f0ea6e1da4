//! Remembers what routes cost: looking a price up goes through the whole table.

use std::sync::Arc;

use dashmap::DashMap;

use super::candidates::Way;
use crate::config::settings::{Provider, Settings};
use crate::record::{PicoDollars, WallTime};
use crate::routing::pricing::{Asked, PriceRow, Quote, Tier};
use crate::routing::route::RouteKey;

/// The rows of routes' prices, each found again once a minute and after every change of settings.
#[derive(Debug, Default)]
pub struct Quotes(DashMap<RouteKey, Found>);

#[derive(Debug, Clone)]
struct Found {
    settings: u64,
    minute: i64,
    row: Option<Arc<PriceRow>>,
}

/// Routes remembered: clients may ask for models without end.
const ROUTES_MAX: usize = 1_024;

impl Quotes {
    /// What a way charges for a prompt of that size; absent where nobody knows. A route that is
    /// paid by the hour costs nothing more for one request more.
    pub fn of(
        &self,
        way: &Way,
        prompt_tokens: u64,
        now: WallTime,
        settings: &Settings,
    ) -> Option<Quote> {
        if way.provider.per_hour.is_some() {
            return Some(Quote::default());
        }
        let row = self.row(way, now, settings)?;
        let quote = Quote::of(&row, prompt_tokens, now)?;
        let rest = way
            .provider
            .discount
            .map_or(1.0, |off| off.rest().as_fraction());
        Some(Quote {
            input: quote.input * rest,
            cached: quote.cached * rest,
            output: quote.output * rest,
            request: quote.request * rest,
        })
    }

    /// What a request of so many prompt tokens is expected to cost on a way, for an answer of so
    /// many; absent where nobody knows. A server of one's own bills nobody, unless a price says so.
    pub fn expected(
        &self,
        way: &Way,
        (prompt_tokens, output_tokens): (u64, f64),
        now: WallTime,
        settings: &Settings,
    ) -> Option<PicoDollars> {
        let Some(quote) = self.of(way, prompt_tokens, now, settings) else {
            return way.provider.local.then_some(PicoDollars(0));
        };
        let dollars = quote.expected(prompt_tokens, 0, output_tokens);
        Some(PicoDollars((dollars * 1e12).round() as u64))
    }

    fn row(&self, way: &Way, now: WallTime, settings: &Settings) -> Option<Arc<PriceRow>> {
        let key = way.key();
        let minute = now.as_secs() / 60;
        if let Some(found) = self.0.get(&key)
            && (found.settings, found.minute) == (settings.hash, minute)
        {
            return found.row.clone();
        }
        let row = find(&way.provider, way.model.as_deref()?, now, settings).map(Arc::new);
        if self.0.len() < ROUTES_MAX || self.0.contains_key(&key) {
            let found = Found {
                settings: settings.hash,
                minute,
                row: row.clone(),
            };
            self.0.insert(key, found);
        }
        row
    }
}

fn find(provider: &Provider, model: &str, at: WallTime, settings: &Settings) -> Option<PriceRow> {
    let asked = Asked {
        provider: &provider.name,
        preset: provider.preset.as_deref(),
        model,
        at,
        tier: Tier::Standard,
    };
    settings.prices.find(&asked).ok().cloned()
}
