//! Hands the rows of the store to the reports: the only place that knows both.

use std::ops::ControlFlow;

use crate::analysis::tables::{
    ReportHead, RollupOf, RouteName, RoutesBuilder, RoutesReport, Row, Selection, Window,
};
use crate::config::settings::Settings;
use crate::edge::store::{NameId, Names, StoreError, StoreReader, Summary};
use crate::record::{AttemptRecord, ExchangeId, ExchangeRecord, KeyedHash, Name, WallTime};

use super::reading::{self, Most};

pub use crate::analysis::tables::Origins;

/// What a report is asked for, in names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The span of time.
    pub window: Window,
    /// Which origins.
    pub origins: Origins,
    /// The one model.
    pub model: Option<String>,
    /// The one provider.
    pub provider: Option<String>,
}

/// Exchanges with several attempts, or that were not waited out, that are looked up for one report.
const LOST_MAX: usize = 50_000;

/// No name of a store has this number: what is asked for and not there.
const NOWHERE: u32 = u32::MAX;

/// One row of a report.
#[must_use]
pub const fn row(summary: &Summary) -> Row {
    Row {
        started: summary.started,
        provider: summary.provider.0,
        model: summary.route_model.0,
        asked: summary.model.0,
        origin: summary.origin,
        language: summary.language,
        outcome: summary.outcome,
        error_class: summary.error_class,
        stream: summary.stream,
        pseudo_stream: summary.pseudo_stream,
        reused: summary.reused,
        background: summary.background,
        cached_answer: summary.cached_answer,
        warm_up: summary.warm_up,
        stalls: summary.stalls,
        figures: summary.figures,
        usage: summary.usage,
        token_source: summary.token_source,
        cost: summary.cost,
        no_cost: summary.no_cost,
        cost_billed: summary.cost_billed,
    }
}

/// The report `routes` of what `reader` holds. `settings` tell regions and kinds, where they are
/// known; of more than `most` it is made of roll-ups. `seen` is called for every row, for whoever shows progress.
pub fn routes(
    reader: &StoreReader,
    asked: &Asked,
    settings: Option<&Settings>,
    most: Most,
    made: WallTime,
    mut seen: impl FnMut(),
) -> Result<RoutesReport, StoreError> {
    // Roll-ups are kept longer than records.
    let gone = reading::missing(reader, asked.window)?.is_some();
    if gone || reading::count(reader, asked.window)? > most.summaries {
        return rolled(reader, asked, settings, most, made);
    }
    let names = reader.names()?;
    let mut builder = builder(asked, &names, most);
    let mut several = Vec::new();
    let mut ends: Option<(ExchangeId, ExchangeId)> = None;
    let scanned = reader.scan(asked.window.range(), |summary| {
        seen();
        let row = row(summary);
        if builder.add(&row) {
            let first = ends.map_or(summary.id, |(first, _)| first);
            ends = Some((first, summary.id));
        }
        let more = summary.attempts > 1 || RoutesBuilder::wants_wait(&row);
        if more && builder.wants_lost(&row) {
            several.push(summary.id);
        }
        ControlFlow::Continue(())
    })?;
    // Rows read meanwhile may have names that came after those known above.
    let names = reader.names()?;
    let lost_unread = several.len().saturating_sub(LOST_MAX);
    let lost = reader.details(&several[lost_unread..], |record| {
        add_lost(&record, &names, &mut builder);
    })?;
    let head = ReportHead {
        window: asked.window,
        made,
        origin: asked.origins.name().to_owned(),
        model: asked.model.clone(),
        provider: asked.provider.clone(),
        configs: configs(reader, ends),
        damaged: scanned.damaged + lost.damaged,
        lost_unread: lost_unread as u64,
        rolled: false,
    };
    Ok(builder.finish(head, |provider, model| {
        route_name(&names, settings, NameId(provider), NameId(model))
    }))
}

/// The same from roll-ups.
fn rolled(
    reader: &StoreReader,
    asked: &Asked,
    settings: Option<&Settings>,
    most: Most,
    made: WallTime,
) -> Result<RoutesReport, StoreError> {
    let names = reader.names()?;
    let mut builder = builder(asked, &names, most);
    let whole = reading::whole(reader, asked.window)?;
    let scanned = reading::rollups(reader, &whole, |span, key, rollup| {
        let of = RollupOf {
            provider: key.provider.0,
            model: key.model.0,
            origin: key.origin,
            stream: key.stream,
        };
        builder.add_rollup(span.start, &of, rollup);
    })?;
    let head = ReportHead {
        window: whole.window,
        made,
        origin: asked.origins.name().to_owned(),
        model: asked.model.clone(),
        provider: asked.provider.clone(),
        configs: Vec::new(),
        damaged: scanned.damaged,
        lost_unread: 0,
        rolled: true,
    };
    Ok(builder.finish(head, |provider, model| {
        route_name(&names, settings, NameId(provider), NameId(model))
    }))
}

fn builder(asked: &Asked, names: &Names, most: Most) -> RoutesBuilder {
    let builder = RoutesBuilder::new(selection(asked, names));
    match most.routes {
        Some(most) => builder.at_most(most),
        None => builder,
    }
}

/// The text of a name's number, as it is shown; nothing where there is no name.
#[must_use]
pub fn text(names: &Names, id: NameId) -> Option<String> {
    if id == NameId::NONE {
        return None;
    }
    Some(
        names
            .get(id)
            .map_or_else(|| "(other)".to_owned(), Name::to_string),
    )
}

pub(super) fn selection(asked: &Asked, names: &Names) -> Selection {
    let number = |name: &String| names.find(name).map_or(NOWHERE, |id| id.0);
    Selection {
        origins: asked.origins,
        provider: asked.provider.as_ref().map(number),
        model: asked.model.as_ref().map(number),
    }
}

/// Counts the lost attempts of one exchange, and what else its row does not say of its last one.
fn add_lost(record: &ExchangeRecord, names: &Names, builder: &mut RoutesBuilder) {
    let lost = record.attempts.len().saturating_sub(1);
    let number = |name: Option<&Name>| {
        let id = name.map(|name| names.find(name).unwrap_or(NameId::OTHER));
        id.unwrap_or(NameId::NONE).0
    };
    let route = |attempt: &AttemptRecord| {
        (
            number(Some(&attempt.provider)),
            number(attempt.model.as_ref()),
        )
    };
    let asked = number(record.model.as_ref());
    for attempt in &record.attempts[..lost] {
        let (started, stream) = (record.started, record.request.stream);
        builder.add_lost(route(attempt), started, asked, attempt, stream);
    }
    if let Some(last) = record.attempts.last() {
        builder.amend(route(last), asked, record);
    }
}

/// Fingerprints of the settings of the first and of the last exchange.
fn configs(reader: &StoreReader, ends: Option<(ExchangeId, ExchangeId)>) -> Vec<KeyedHash> {
    let of = |id| {
        reader
            .detail(id)
            .ok()
            .flatten()
            .map(|record: ExchangeRecord| record.config)
    };
    let Some((first, last)) = ends else {
        return Vec::new();
    };
    let mut configs: Vec<KeyedHash> = [of(first), of(last)].into_iter().flatten().collect();
    configs.dedup();
    configs
}

fn route_name(
    names: &Names,
    settings: Option<&Settings>,
    provider: NameId,
    model: NameId,
) -> RouteName {
    let provider = text(names, provider).unwrap_or_default();
    let known = settings.and_then(|settings| settings.provider(&provider));
    RouteName {
        model: text(names, model),
        region: known.and_then(|provider| provider.region.clone()),
        kind: known.map(|provider| provider.kind),
        provider,
    }
}
