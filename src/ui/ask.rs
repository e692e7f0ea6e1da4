//! Reads what a page or a program asks for out of its query.

use serde::Deserialize;

use crate::analysis::reports::Choice;
use crate::analysis::tables::Window;
use crate::record::{ExchangeId, Outcome};

use super::fault::Fault;
use super::listing::ListFilter;
use super::papers::{self, Which};
use super::rows::{Asked, Origins};
use super::state::{Question, State};

/// What a report or chart is asked for. Empty is the same as absent: forms send it so.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ReportQuery {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) format: Option<String>,
}

/// What a report of whole records is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PaperQuery {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) models: Option<String>,
    pub(super) providers: Option<String>,
    pub(super) regions: Option<String>,
    pub(super) tags: Option<String>,
    pub(super) runs: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) compare: Option<String>,
    pub(super) experiment: Option<String>,
    pub(super) format: Option<String>,
}

impl PaperQuery {
    /// The question, of the report of that name.
    pub(super) fn question(&self, state: &State, name: &str) -> Result<papers::Question, Fault> {
        let plain = ReportQuery {
            since: given(self.since.as_ref()),
            until: given(self.until.as_ref()),
            origin: given(self.origin.as_ref()),
            ..ReportQuery::default()
        };
        let mut which = Which::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = papers::REPORTS.iter().map(|(name, _)| *name).collect();
            Fault::not_found(format!(
                "there is no report `{name}`; there are {}",
                names.join(", ")
            ))
        })?;
        let asked = plain.or_since(which.usual_age()).asked(state)?;
        which.against(given(self.reference.as_ref()));
        let settings = (state.handles.settings)();
        which.among(&settings.experiments, given(self.experiment.as_ref()));
        self.is_fair_to(&which)?;
        Ok(papers::Question {
            which,
            window: asked.window,
            compare: self.windows(state)?,
            origins: asked.origins,
            known: papers::Known::of(Some(&settings)),
            choice: Choice {
                models: listed(self.models.as_ref()),
                providers: listed(self.providers.as_ref()),
                regions: listed(self.regions.as_ref()),
                tags: listed(self.tags.as_ref()),
                runs: listed(self.runs.as_ref()),
            },
        })
    }

    /// An experiment is not narrowed by what its arms decide: who served, and where.
    fn is_fair_to(&self, which: &Which) -> Result<(), Fault> {
        let by_outcome = given(self.providers.as_ref()).or_else(|| given(self.regions.as_ref()));
        if by_outcome.is_some() && matches!(which, Which::Experiments(_)) {
            let message = "an experiment's arms are providers: it can be narrowed by experiment, \
                           models and tags only";
            return Err(Fault::bad("providers", message));
        }
        Ok(())
    }

    /// The two windows to be set side by side, where they are asked for.
    fn windows(&self, state: &State) -> Result<Option<[Window; 2]>, Fault> {
        let now = state.handles.clock.wall();
        let pair = |text: String| Window::pair(&text, self.until.as_deref(), now);
        let found = given(self.compare.as_ref()).map(pair).transpose();
        found.map_err(|message| Fault::bad("compare", message))
    }

    /// The query as a text, for a link to the same in `format`.
    pub(super) fn text(&self, format: &str) -> String {
        let format = Some(format.to_owned());
        written(&[
            ("since", &self.since),
            ("until", &self.until),
            ("origin", &self.origin),
            ("models", &self.models),
            ("providers", &self.providers),
            ("regions", &self.regions),
            ("tags", &self.tags),
            ("runs", &self.runs),
            ("reference", &self.reference),
            ("compare", &self.compare),
            ("experiment", &self.experiment),
            ("format", &format),
        ])
    }
}

/// A query of what is given of `parts`.
fn written(parts: &[(&str, &Option<String>)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parts {
        if let Some(value) = given(value.as_ref()) {
            text.append_pair(name, &value);
        }
    }
    text.finish()
}

/// The parts of a list with commas.
fn listed(text: Option<&String>) -> Vec<String> {
    let parts = text.map_or("", String::as_str).split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Which exchanges are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ListQuery {
    pub(super) limit: Option<String>,
    pub(super) before: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) status: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) session: Option<String>,
}

/// Exchanges of one page unless it is said otherwise, and at most.
const LIMIT: usize = 50;
const LIMIT_MAX: usize = 500;
/// Longest text of a query that is looked at.
const TEXT_BYTES_MAX: usize = 256;

fn given(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

impl ReportQuery {
    /// The same of live traffic and probes where no origin is given; of a demo's own there.
    pub(super) fn or_probes(mut self, state: &State) -> Self {
        let usual = (!state.is_simulated()).then(|| "live+probe".to_owned());
        self.origin = given(self.origin.as_ref()).or(usual);
        self
    }

    /// The same with `since` where none is given.
    pub(super) fn or_since(mut self, since: &str) -> Self {
        self.since = given(self.since.as_ref()).or_else(|| Some(since.to_owned()));
        self
    }

    /// The query as a text, for a link to the same in `format`.
    pub(super) fn text(&self, format: &str) -> String {
        let format = Some(format.to_owned());
        written(&[
            ("since", &self.since),
            ("until", &self.until),
            ("model", &self.model),
            ("provider", &self.provider),
            ("origin", &self.origin),
            ("format", &format),
        ])
    }

    /// The query as a text, for a link to reports that may be of several models and providers.
    pub(super) fn of_reports(&self) -> String {
        written(&[
            ("since", &self.since),
            ("until", &self.until),
            ("origin", &self.origin),
            ("models", &self.model),
            ("providers", &self.provider),
        ])
    }

    pub(super) fn question(&self) -> Question {
        Question {
            since: given(self.since.as_ref()),
            until: given(self.until.as_ref()),
            model: given(self.model.as_ref()),
            provider: given(self.provider.as_ref()),
            origin: given(self.origin.as_ref()),
        }
    }

    /// What is asked for, in terms of a report.
    pub(super) fn asked(&self, state: &State) -> Result<Asked, Fault> {
        let question = self.question();
        let now = state.handles.clock.wall();
        let window = Window::read(question.since.as_deref(), question.until.as_deref(), now)
            .map_err(|message| Fault::bad("window", message))?;
        let usual = if state.is_simulated() { "demo" } else { "live" };
        let origin = question.origin.as_deref().unwrap_or(usual);
        let origins = Origins::from_name(origin).ok_or_else(|| {
            let message =
                "origin is one of live, live+probe, real, all, probe, bench, load, eval, shadow, demo";
            Fault::bad("origin", message)
        })?;
        Ok(Asked {
            window,
            origins,
            model: question.model,
            provider: question.provider,
        })
    }
}

impl ListQuery {
    pub(super) fn limit(&self) -> Result<usize, Fault> {
        match given(self.limit.as_ref()).map(|text| text.parse::<usize>()) {
            None => Ok(LIMIT),
            Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(Fault::bad(
                "limit",
                format!("limit is a number from 1 to {LIMIT_MAX}"),
            )),
        }
    }

    pub(super) fn list_filter(&self) -> Result<ListFilter, Fault> {
        let before = given(self.before.as_ref())
            .map(|text| id(&text))
            .transpose()?;
        if self
            .parts()
            .iter()
            .any(|(_, text)| text.len() > TEXT_BYTES_MAX)
        {
            return Err(Fault::bad("filter", "the filter is longer than 256 bytes"));
        }
        let outcome = given(self.outcome.as_ref()).map(|name| {
            let names = Outcome::ALL.map(Outcome::name).join(", ");
            let found = Outcome::ALL
                .into_iter()
                .find(|outcome| outcome.name() == name);
            found.ok_or_else(|| Fault::bad("outcome", format!("outcome is one of {names}")))
        });
        let status = given(self.status.as_ref()).map(|text| {
            let status = text.parse::<u16>().ok();
            let status = status.filter(|status| (100..600).contains(status));
            status.ok_or_else(|| Fault::bad("status", "status is a number from 100 to 599"))
        });
        let lower = |text: Option<&String>| given(text).map(|text| text.to_lowercase());
        Ok(ListFilter {
            before,
            text: lower(self.filter.as_ref()),
            model: given(self.model.as_ref()),
            provider: given(self.provider.as_ref()),
            outcome: outcome.transpose()?,
            status: status.transpose()?,
            tag: given(self.tag.as_ref()),
            session: lower(self.session.as_ref()),
        })
    }

    /// What is asked for, name and text, without the place in the list.
    pub(super) fn parts(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("filter", &self.filter),
            ("model", &self.model),
            ("provider", &self.provider),
            ("outcome", &self.outcome),
            ("status", &self.status),
            ("tag", &self.tag),
            ("session", &self.session),
        ];
        let given = all.into_iter().filter_map(|(name, text)| {
            let text = text.as_deref()?.trim();
            (!text.is_empty()).then_some((name, text))
        });
        given.collect()
    }
}

/// An exchange's id.
pub(super) fn id(text: &str) -> Result<ExchangeId, Fault> {
    text.parse()
        .map_err(|error| Fault::bad("id", format!("{error}")))
}
