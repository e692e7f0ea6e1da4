//! Finds exchanges for a list, newest first: by what their summaries say, and by their details
//! where nothing else can tell.

use std::collections::BTreeSet;
use std::ops::Range;

use super::rows::text;
use crate::edge::store::{Names, StoreError, StoreReader, Summary};
use crate::record::{ExchangeId, ExchangeRecord, Outcome, WallTime};

/// One exchange of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its summary.
    pub summary: Summary,
    /// The provider of its last attempt.
    pub provider: Option<String>,
    /// The model's name there.
    pub route_model: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
}

/// Which exchanges a list shows: those that every part lets through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListFilter {
    /// Only those begun before this one.
    pub before: Option<ExchangeId>,
    /// Only those whose id begins so, or in whose provider, models, outcome, error class, error
    /// code or origin this occurs; lower case.
    pub text: Option<String>,
    /// Only those of this model, as asked for or as the provider calls it.
    pub model: Option<String>,
    /// Only those whose last attempt was at this provider.
    pub provider: Option<String>,
    /// Only those that ended so.
    pub outcome: Option<Outcome>,
    /// Only those whose client got this status.
    pub status: Option<u16>,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those of the conversation whose hash begins so.
    pub session: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    /// The exchanges, newest first.
    pub list: Vec<Listed>,
    /// Where to go on: older ones may follow that were not looked at.
    pub more: Option<ExchangeId>,
}

/// What a summary says of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    No,
    Yes,
    /// The detail must be asked.
    Perhaps,
}

/// Rows looked at for one page of a list, and details.
const LOOKED_AT_MAX: usize = 50_000;
const DETAILS_MAX: usize = 10_000;
/// Rows read at once where many are passed over.
const PAGE_ROWS: usize = 2_000;

/// The newest `limit` exchanges that `filter` lets through, newest first.
pub fn list(
    reader: &StoreReader,
    filter: &ListFilter,
    limit: usize,
) -> Result<ListPage, StoreError> {
    let mut page = ListPage::default();
    let mut before = filter.before;
    let (mut looked_at, mut asked) = (0, 0);
    let rows = if filter.is_open() {
        limit + 256
    } else {
        PAGE_ROWS
    };
    loop {
        // Ids of one millisecond share its rows: the range ends after it, and older ids are kept.
        let newest = reader.newest(up_to(before), rows)?;
        let names = reader.names()?;
        let read = newest.len();
        let older = |summary: &Summary| before.is_none_or(|before| summary.id < before);
        let fresh: Vec<Summary> = newest.into_iter().filter(older).collect();
        let Some(oldest) = fresh.last().map(|summary| summary.id) else {
            return Ok(page);
        };
        let candidates: Vec<(Listed, Said)> = fresh
            .iter()
            .map(|summary| {
                let listed = listed(&names, summary);
                let said = filter.asks_summary(&listed);
                (listed, said)
            })
            .filter(|(_, said)| *said != Said::No)
            .collect();
        let known = asked_details(reader, filter, &candidates, &mut asked)?;
        for (listed, said) in candidates {
            if said == Said::Perhaps && !known.contains(&listed.summary.id) {
                continue;
            }
            if page.list.len() == limit {
                page.more = page.list.last().map(|last: &Listed| last.summary.id);
                return Ok(page);
            }
            page.list.push(listed);
        }
        looked_at += read;
        if read < rows {
            return Ok(page);
        }
        if looked_at >= LOOKED_AT_MAX || asked >= DETAILS_MAX {
            page.more = Some(oldest);
            return Ok(page);
        }
        before = Some(oldest);
    }
}

/// Of the candidates whose summaries cannot tell, those whose details say yes.
fn asked_details(
    reader: &StoreReader,
    filter: &ListFilter,
    candidates: &[(Listed, Said)],
    asked: &mut usize,
) -> Result<BTreeSet<ExchangeId>, StoreError> {
    let ids: Vec<ExchangeId> = candidates
        .iter()
        .filter(|(_, said)| *said == Said::Perhaps)
        .map(|(listed, _)| listed.summary.id)
        .collect();
    *asked += ids.len();
    let mut known = BTreeSet::new();
    let by_text: BTreeSet<ExchangeId> = candidates
        .iter()
        .filter(|(listed, _)| filter.finds_text(listed))
        .map(|(listed, _)| listed.summary.id)
        .collect();
    reader.details(&ids, |record| {
        if filter.asks_detail(&record, by_text.contains(&record.id)) {
            known.insert(record.id);
        }
    })?;
    Ok(known)
}

impl ListFilter {
    /// Whether it lets everything through.
    fn is_open(&self) -> bool {
        let all = Self {
            before: self.before,
            ..Self::default()
        };
        *self == all
    }

    fn asks_summary(&self, listed: &Listed) -> Said {
        let summary = &listed.summary;
        let is = |wanted: &Option<String>, names: &[&Option<String>]| {
            wanted.is_none() || names.contains(&wanted)
        };
        let plain = is(&self.model, &[&listed.model, &listed.route_model])
            && is(&self.provider, &[&listed.provider])
            && self
                .outcome
                .is_none_or(|outcome| outcome == summary.outcome)
            && self
                .status
                .is_none_or(|status| summary.status == Some(status));
        let by_text = self.finds_text(listed);
        // Only what failed has an error code, which the detail has.
        if !plain || !(by_text || summary.error_class.is_some()) {
            return Said::No;
        }
        if by_text && self.tag.is_none() && self.session.is_none() {
            Said::Yes
        } else {
            Said::Perhaps
        }
    }

    /// Whether the summary has the text, or none is wanted.
    fn finds_text(&self, listed: &Listed) -> bool {
        let Some(needle) = &self.text else {
            return true;
        };
        let summary = &listed.summary;
        let names = [&listed.provider, &listed.route_model, &listed.model];
        names
            .into_iter()
            .flatten()
            .any(|name| name.to_lowercase().contains(needle))
            || summary.outcome.name().contains(needle)
            || summary.origin.name().contains(needle)
            || summary.id.text().as_str().starts_with(needle)
            || summary
                .error_class
                .is_some_and(|class| class.name().contains(needle))
    }

    fn asks_detail(&self, record: &ExchangeRecord, by_text: bool) -> bool {
        let coded = || {
            let codes = record.attempts.iter();
            let mut codes = codes.filter_map(|attempt| attempt.error_code.as_ref());
            let needle = self.text.as_deref().unwrap_or_default();
            codes.any(|code| code.to_lowercase().contains(needle))
        };
        let tagged = |tag: &String| record.tags.iter().any(|own| **own == **tag);
        let of_session = |wanted: &String| {
            let hash = record.session.map(|session| session.hash.to_string());
            hash.is_some_and(|hash| hash.starts_with(wanted))
        };
        (by_text || coded())
            && self.tag.as_ref().is_none_or(tagged)
            && self.session.as_ref().is_none_or(of_session)
    }
}

/// All dates up to the millisecond of `before`, which is in its id.
fn up_to(before: Option<ExchangeId>) -> Range<WallTime> {
    let end = before.map_or(1 << 47, |id| {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&id.0[..6]);
        i64::from_be_bytes(millis) + 1
    });
    WallTime(0)..WallTime(end * 1000)
}

fn listed(names: &Names, summary: &Summary) -> Listed {
    Listed {
        summary: *summary,
        provider: text(names, summary.provider),
        route_model: text(names, summary.route_model),
        model: text(names, summary.model),
    }
}
