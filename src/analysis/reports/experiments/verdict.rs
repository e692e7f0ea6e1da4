//! Says what an experiment may be stopped for, by the rule that was fixed before it began.

use super::effect::{Effect, Scope};
use super::trial::Trial;
use crate::analysis::paper::Unit;
use crate::analysis::render::paper::number;
use crate::record::{Name, WallTime};
use crate::routing::experiment::{Experiment, Metric, Mode, Question, Stop};
use crate::statistics::compare::{Verdict, decide, design::RATIO_P_MIN};
use crate::statistics::sequence::Looks;

/// An experiment with what was found.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) name: &'a Name,
    pub(super) trial: &'a Trial,
    /// As the config has it; absent where it has it no more.
    pub(super) defined: Option<&'a Experiment>,
    pub(super) question: Question,
    pub(super) state: State,
    /// What was asked for, of first exchanges; hidden where the arms have not their sizes.
    pub(super) effect: Effect,
    /// How it was looked at.
    pub(super) looks: Looks,
    /// The p-value that the arms have their sizes, true at any time.
    pub(super) ratio_p: f64,
    pub(super) verdict: Option<Verdict>,
}

/// Where an experiment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It begins later.
    Waiting,
    Running,
    Ended,
    /// The config has it no more.
    TakenOut,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "not begun",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::TakenOut => "no longer configured",
        }
    }

    fn of(defined: Option<&Experiment>, now: WallTime) -> Self {
        let Some(bounds) = defined.map(|defined| defined.bounds) else {
            return Self::TakenOut;
        };
        if bounds.end.is_some_and(|end| now >= end) {
            Self::Ended
        } else if bounds.start.is_some_and(|start| now < start) {
            Self::Waiting
        } else {
            Self::Running
        }
    }
}

/// What is asked where the config says nothing any more.
pub(super) const fn usual() -> Question {
    Question {
        metric: Metric::FirstToken,
        less_is_better: true,
        margin: Metric::FirstToken.margin(),
        alpha: 0.05,
        power: 0.8,
        stop: Stop::Sequential,
    }
}

/// Why nothing is told where the arms have not their sizes.
pub(super) const HIDDEN: &str = "hidden: the arms' sizes do not fit their chances";

impl<'a> Judged<'a> {
    pub(super) fn new(
        name: &'a Name,
        trial: &'a Trial,
        defined: Option<&'a Experiment>,
        now: WallTime,
    ) -> Self {
        let question = defined.map_or(usual(), |defined| defined.question);
        let state = State::of(defined, now);
        let over = question.stop == Stop::Fixed && state == State::Ended;
        let looks = if over { Looks::Once } else { Looks::Any };
        let ratio_p = trial.watch.p();
        let mut effect = trial.effect(question.metric, Scope::First, question.alpha, looks);
        if ratio_p < RATIO_P_MIN {
            effect = Effect {
                difference: Err(HIDDEN),
                ratio: None,
                values: [None; 2],
                ..effect
            };
        }
        let verdict = effect.difference.ok().map(|difference| {
            let margin = question.margin.beside(effect.values[0].unwrap_or(0.0));
            decide(
                &difference,
                margin,
                effect.numbers[0].min(effect.numbers[1]),
            )
        });
        Self {
            name,
            trial,
            defined,
            question,
            state,
            effect,
            looks,
            ratio_p,
            verdict,
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.ratio_p >= RATIO_P_MIN
    }

    pub(super) fn is_aa(&self) -> bool {
        self.defined.is_some_and(|defined| defined.mode == Mode::Aa)
    }

    pub(super) fn badge(&self) -> &'static str {
        if self.is_aa() {
            "RANDOMISED A/A"
        } else {
            "RANDOMISED"
        }
    }

    /// Whether the arms have their sizes, in words.
    pub(super) fn ratio_words(&self) -> String {
        let p = number(self.ratio_p, Unit::Number);
        match (self.trial.units, self.is_sound()) {
            ([0, 0], _) => "nobody yet".to_owned(),
            (_, true) => format!("as drawn, p {p}"),
            ([a, b], false) => format!("not as drawn: {a} and {b}, p {:.1e}", self.ratio_p),
        }
    }

    /// Whether the arm did better, from which way is the good one.
    fn better(&self, value: f64) -> &'static str {
        if (value < 0.0) == self.question.less_is_better {
            "b is better"
        } else {
            "b is worse"
        }
    }

    /// Whether it may stop, and what for.
    pub(super) fn stop(&self) -> String {
        let found = match (&self.effect.difference, &self.verdict) {
            (Err(why), _) if self.is_sound() => return format!("continue: {why}"),
            (Err(why), _) => return (*why).to_owned(),
            (Ok(found), Some(verdict)) => (found.value, verdict),
            (Ok(_), None) => return "continue".to_owned(),
        };
        let waits = self.question.stop == Stop::Fixed && self.looks == Looks::Any;
        if let (true, Some(end)) = (waits, self.defined.and_then(|defined| defined.bounds.end)) {
            return format!("continue until {}, as was fixed", minute(end));
        }
        let may = if self.state == State::Running {
            "may stop: "
        } else {
            ""
        };
        let (value, verdict) = found;
        let margin = self.margin_words();
        match verdict {
            Verdict::Inconclusive { need_about_more } => match (need_about_more, self.state) {
                (_, State::Ended | State::TakenOut) => "inconclusive".to_owned(),
                (Some(more), _) => format!("continue: about {} more sessions", self.of_both(*more)),
                (None, _) => "continue".to_owned(),
            },
            _ if self.is_aa() => match verdict {
                Verdict::Equivalent => format!("{may}A/A holds, within {margin}"),
                _ => "A/A broken: a difference where there is none; mistrust every experiment \
                      until it is explained"
                    .to_owned(),
            },
            Verdict::Equivalent => format!("{may}equivalent, within {margin}"),
            Verdict::RealButNegligible => format!("{may}different, by less than {margin}"),
            Verdict::Different => format!("{may}different, {}", self.better(value)),
        }
    }

    /// So many more of the smaller arm, as sessions of both.
    fn of_both(&self, more: u64) -> String {
        let share = self.defined.map_or(0.5, |defined| {
            let split = f64::from(defined.split) / 1e6;
            split.min(1.0 - split)
        });
        number(more as f64 / share, Unit::Count)
    }

    /// The margin beside arm a.
    pub(super) fn margin(&self) -> f64 {
        self.question
            .margin
            .beside(self.effect.values[0].unwrap_or(0.0))
    }

    fn margin_words(&self) -> String {
        let unit = more(self.question.metric);
        format!("±{}", number(self.margin(), unit).trim_start_matches('+'))
    }

    /// What was found, for everybody.
    pub(super) fn finding(&self) -> String {
        let model = self.trial.model().map_or("", |model| model.as_str());
        let metric = self.question.metric;
        let [a, b] = self.trial.units;
        let head = format!("{}, {} ({model})", self.badge(), self.name);
        let said = match &self.effect.difference {
            Ok(found) => format!(
                "{} {} {} in arm b, {}",
                metric.name().replace('_', " "),
                number(found.value, more(metric)),
                super::super::figures::ends(found.interval, more(metric)),
                self.effect.ratio.map_or_else(String::new, |ratio| format!(
                    "{}, ",
                    number(ratio.value, Unit::Times)
                )),
            ),
            Err(_) => String::new(),
        };
        format!(
            "{head}: {said}{} and {} {}: {}.",
            number(a as f64, Unit::Count),
            number(b as f64, Unit::Count),
            self.units_word(),
            self.stop()
        )
    }

    fn units_word(&self) -> &'static str {
        match self.trial.unit {
            Some(crate::record::AssignedUnit::Request) => "requests",
            _ => "sessions",
        }
    }
}

pub(super) fn minute(at: WallTime) -> String {
    let text = at.rfc3339();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

/// What a metric is measured in.
pub(in crate::analysis::reports) const fn own(metric: Metric) -> Unit {
    match metric {
        Metric::FirstToken | Metric::FirstAnswer | Metric::Total => Unit::Span,
        Metric::OutputRate => Unit::Rate,
        Metric::Failure => Unit::Share,
        Metric::Cost => Unit::Dollars,
    }
}

/// What a difference of it is measured in.
pub(in crate::analysis::reports) const fn more(metric: Metric) -> Unit {
    match metric {
        Metric::FirstToken | Metric::FirstAnswer | Metric::Total => Unit::Delta,
        Metric::OutputRate => Unit::RateMore,
        Metric::Failure => Unit::Points,
        Metric::Cost => Unit::DollarsMore,
    }
}
