//! Resolves live experiments: which routes, for whom, when, and what is asked of them.

use std::ops::Range;
use std::sync::Arc;

use crate::config::choices::Direction;
use crate::config::kinds::{DateText, MarginText, Part};
use crate::config::problem::{nearest, quoted};
use crate::config::raw::{RawArm, RawEligible, RawExperiment};
use crate::config::read::{At, Entries, key_step};
use crate::config::settings::ModelRoutes;
use crate::record::{AssignedUnit, Name, WallTime};
use crate::routing::experiment::{
    Bounds, Eligible, Experiment, Metric, Mode, Question, Route, Stop,
};
use crate::statistics::compare::Margin;

use super::work::{Hint, Work};

const MILLION: u32 = 1_000_000;

/// `[experiments]`.
pub(in crate::config) fn experiments(
    entries: Entries<RawExperiment>,
    models: &[Arc<ModelRoutes>],
    work: &mut Work<'_>,
) -> Arc<[Experiment]> {
    let mut list: Vec<Experiment> = Vec::new();
    for (key, raw) in entries.0 {
        let path = format!("experiments.{}", key_step(&key.value));
        if !is_name(&key.value) {
            let expected = "at most 64 letters, digits and . _ -";
            let span = Some(key.span.clone());
            work.refuse(path.as_str(), span, quoted(&key.value), expected, None);
            continue;
        }
        let mut at = Place { path, key, work };
        if let Some(experiment) = at.experiment(raw.value, models) {
            at.apart(&experiment, &list);
            list.push(experiment);
        }
    }
    list.into()
}

/// Whether a text can name an experiment: it stands in a header and in addresses.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// One experiment's place in the config.
struct Place<'a, 'w> {
    path: String,
    key: At<String>,
    work: &'a mut Work<'w>,
}

impl Place<'_, '_> {
    fn refuse(
        &mut self,
        key: &str,
        span: Range<usize>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<Hint>,
    ) {
        let path = format!("{}.{key}", self.path);
        self.work.refuse(path, Some(span), found, expected, hint);
    }

    fn missing<T>(&mut self, key: &str, expected: &str, hint: &str) -> Option<T> {
        let span = self.key.span.clone();
        self.refuse(key, span, "nothing", expected, hint);
        None
    }

    /// The experiment; absent where a part that nothing can stand for is wrong.
    fn experiment(
        &mut self,
        raw: RawExperiment,
        models: &[Arc<ModelRoutes>],
    ) -> Option<Experiment> {
        let bounds = self.bounds(raw.start.as_ref(), raw.end.as_ref());
        let question = self.question(&raw);
        let share = raw.share.as_ref().map_or(MILLION / 10, of);
        let split = self.inside("split", raw.split.as_ref(), MILLION / 2, 0..MILLION);
        let mode = raw.mode.map_or(Mode::Ab, |at| at.value);
        let unit = raw.unit.map_or(AssignedUnit::Session, |at| at.value);
        let model = match raw.model {
            None => self.missing(
                "model",
                "the model that applications ask for",
                "model = \"gpt-4.1\"",
            ),
            Some(at) => self.model(
                &At {
                    value: at.value.0,
                    span: at.span,
                },
                models,
            ),
        };
        let arm = |place: &mut Self, key: &str, given: Option<At<RawArm>>| match given {
            None => place.missing(
                key,
                "a route of the model",
                &format!("{key} = {{ provider = \"openai\" }}"),
            ),
            Some(at) => place.arm(key, at, model?),
        };
        let (a, b) = (arm(self, "a", raw.a), arm(self, "b", raw.b));
        let (model, (a, _), (b, span)) = (model?, a?, b?);
        match (mode, a == b) {
            (Mode::Ab, true) => self.refuse(
                "b",
                span,
                "the same route as a",
                "another route of the model",
                "mode = \"aa\" takes one route twice, to see what the method finds where nothing is",
            ),
            (Mode::Aa, false) => self.refuse(
                "b",
                span,
                "another route than a",
                "the same route, as mode = \"aa\" asks",
                "leave `mode` out to compare two routes",
            ),
            _ => {}
        }
        Some(Experiment {
            name: Name::from(self.key.value.as_str()),
            model: model.name.clone(),
            routes: [a, b],
            mode,
            share,
            split,
            seed: raw.seed.map_or(0, |at| at.value),
            unit,
            bounds,
            eligible: raw
                .eligible
                .map_or_else(Eligible::default, |at| eligible(at.value)),
            question,
        })
    }

    fn model<'m>(
        &mut self,
        at: &At<String>,
        models: &'m [Arc<ModelRoutes>],
    ) -> Option<&'m ModelRoutes> {
        if let Some(found) = models.iter().find(|model| model.name.as_str() == at.value) {
            return Some(found);
        }
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        let expected = if names.is_empty() {
            "a model with routes of its own, of which there is none".to_owned()
        } else {
            format!("a model with routes of its own: {}", names.join(", "))
        };
        let hint = match nearest(&at.value, names.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("add [models.{}] with both routes", key_step(&at.value)),
        };
        let shown = self.work.show(at);
        self.refuse("model", at.span.clone(), shown, expected, hint);
        None
    }

    /// The route of an arm, and where it stands.
    fn arm(
        &mut self,
        key: &str,
        at: At<RawArm>,
        model: &ModelRoutes,
    ) -> Option<(Route, Range<usize>)> {
        let Some(provider) = at.value.provider else {
            self.refuse(
                &format!("{key}.provider"),
                at.span,
                "nothing",
                "the name of a provider",
                None,
            );
            return None;
        };
        let routes: Vec<Route> = model
            .routes
            .iter()
            .map(|route| Route {
                provider: route.provider.clone(),
                model: route.model.clone().unwrap_or_else(|| model.name.clone()),
            })
            .collect();
        let named = at.value.model.as_ref().map(|at| at.value.0.as_str());
        let mut fit = routes.iter().filter(|route| {
            *route.provider == *provider.value && named.is_none_or(|named| &*route.model == named)
        });
        let (first, second) = (fit.next(), fit.next());
        let has = |route: &Route| format!("{}/{}", route.provider, route.model);
        let all: Vec<String> = routes.iter().map(has).collect();
        let expected = format!("a route of {}: {}", model.name, all.join(", "));
        match (first, second) {
            (Some(route), None) => return Some((route.clone(), at.span)),
            (Some(_), Some(_)) => {
                let found = format!("a provider with several routes of {}", model.name);
                self.refuse(key, at.span, found, expected, "name its model too");
            }
            (None, _) => {
                let found = match named {
                    Some(named) => quoted(&format!("{}/{named}", provider.value)),
                    None => quoted(&provider.value),
                };
                let providers = routes.iter().map(|route| route.provider.as_str());
                let meant = nearest(&provider.value, providers)
                    .filter(|meant| *meant != provider.value)
                    .map(|meant| format!("did you mean \"{meant}\"?"));
                self.refuse(key, at.span, found, expected, meant);
            }
        }
        None
    }

    fn bounds(&mut self, start: Option<&At<DateText>>, end: Option<&At<DateText>>) -> Bounds {
        let of = |at: Option<&At<DateText>>| at.map(|at| at.value.0);
        let bounds = Bounds {
            start: of(start),
            end: of(end),
        };
        if let (Some(start), Some(at)) = (bounds.start, end)
            && at.value.0 <= start
        {
            let found = minute(at.value.0);
            let expected = format!("a date after `start`, which is {}", minute(start));
            self.refuse("end", at.span.clone(), found, expected, None);
        }
        bounds
    }

    fn question(&mut self, raw: &RawExperiment) -> Question {
        let metric = raw
            .metric
            .as_ref()
            .map_or(Metric::FirstToken, |at| at.value);
        let usual = if metric == Metric::OutputRate {
            Direction::Higher
        } else {
            Direction::Lower
        };
        let direction = raw.direction.as_ref().map_or(usual, |at| at.value);
        let stop = raw.stop.as_ref().map_or(Stop::Sequential, |at| at.value);
        if let (Stop::Fixed, Some(at), None) = (stop, &raw.stop, &raw.end) {
            let hint = "give an `end`, or leave `stop` out and look as often as you like";
            self.refuse(
                "stop",
                at.span.clone(),
                "\"fixed\" without an end",
                "an end that is fixed before the start",
                hint,
            );
        }
        let alpha = self.inside("alpha", raw.alpha.as_ref(), 50_000, 0..500_001);
        let power = self.inside("power", raw.power.as_ref(), 800_000, 499_999..MILLION);
        Question {
            metric,
            less_is_better: direction == Direction::Lower,
            margin: self.margin(raw.margin.as_ref(), metric),
            alpha: f64::from(alpha) / f64::from(MILLION),
            power: f64::from(power) / f64::from(MILLION),
            stop,
        }
    }

    fn margin(&mut self, given: Option<&At<MarginText>>, metric: Metric) -> Margin {
        let Some(at) = given else {
            return metric.margin();
        };
        match at.value {
            MarginText::Span(span) if metric.is_time() => Margin {
                absolute: span.as_nanos() as f64,
                relative: 0.0,
            },
            MarginText::Span(_) => {
                let found = format!("a duration, while {} is none", metric.name());
                self.refuse(
                    "margin",
                    at.span.clone(),
                    found,
                    "a share such as 0.03",
                    None,
                );
                metric.margin()
            }
            MarginText::Share(share) => {
                let share = f64::from(share.millionths()) / f64::from(MILLION);
                match metric {
                    Metric::Failure => Margin {
                        absolute: share,
                        relative: 0.0,
                    },
                    _ => Margin {
                        absolute: 0.0,
                        relative: share,
                    },
                }
            }
        }
    }

    /// A share between two others, neither of them included, in millionths.
    fn inside(
        &mut self,
        key: &str,
        given: Option<&At<Part>>,
        usual: u32,
        between: Range<u32>,
    ) -> u32 {
        let Some(at) = given else {
            return usual;
        };
        let millionths = of(at);
        if between.start < millionths && millionths < between.end {
            return millionths;
        }
        let share = |millionths: u32| f64::from(millionths) / f64::from(MILLION);
        let expected = match key {
            "split" => "more than 0 and less than 1: both arms need somebody",
            "alpha" => "more than 0 and at most 0.5, such as 0.05",
            _ => "at least 0.5 and less than 1, such as 0.8",
        };
        self.refuse(
            key,
            at.span.clone(),
            share(millionths).to_string(),
            expected,
            None,
        );
        usual
    }

    /// A request is in one experiment at most, or neither arm is what its record says.
    fn apart(&mut self, experiment: &Experiment, others: &[Experiment]) {
        let met = others
            .iter()
            .find(|other| other.model == experiment.model && other.bounds.meet(&experiment.bounds));
        if let Some(other) = met {
            let found = format!(
                "a model on which experiments.{} runs at the same time",
                key_step(&other.name)
            );
            let span = self.key.span.clone();
            let hint = "let one end before the other starts: `start` and `end`";
            self.refuse(
                "model",
                span,
                found,
                "one experiment at a time on a model",
                hint,
            );
        }
    }
}

fn of(at: &At<Part>) -> u32 {
    at.value.0.millionths()
}

fn minute(at: WallTime) -> String {
    let text = at.rfc3339();
    format!("{}Z", text.get(..16).unwrap_or(&text))
}

fn eligible(raw: RawEligible) -> Eligible {
    let names = |given: Option<At<Vec<At<String>>>>| {
        let list = given.map(|at| at.value).unwrap_or_default();
        list.into_iter().map(|at| Name::from(at.value)).collect()
    };
    let keys = raw.client_keys.map(|at| at.value).unwrap_or_default();
    Eligible {
        tags: names(raw.tags),
        client_keys: keys.into_iter().map(|at| at.value.0).collect(),
        endpoints: names(raw.endpoints),
        stream: raw.stream.map(|at| at.value),
    }
}
