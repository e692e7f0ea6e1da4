//! Says what a report needs of one exchange, and which exchanges it takes.

use crate::record::{
    ErrorClass, Language, NoCost, Origin, Outcome, PicoDollars, TokenSource, Usage, WallTime,
};
use crate::statistics::Figures;

/// One exchange as reports see it. Names are numbers: whoever hands rows in knows their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Date of the request's first byte.
    pub started: WallTime,
    /// Number of the provider of the last attempt; zero where no provider saw the request.
    pub provider: u32,
    /// Number of the model's name there: with the provider, the route.
    pub model: u32,
    /// Number of the model asked for.
    pub asked: u32,
    /// Where it comes from.
    pub origin: Origin,
    /// The endpoint's language.
    pub language: Language,
    /// How it ended.
    pub outcome: Outcome,
    /// The error class of its last attempt.
    pub error_class: Option<ErrorClass>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether the provider held the stream back and sent it in one burst.
    pub pseudo_stream: bool,
    /// Whether the connection to the provider was reused.
    pub reused: bool,
    /// A background call: left out of latency.
    pub background: bool,
    /// An answer out of a cache: left out of latency.
    pub cached_answer: bool,
    /// It only warmed connections: left out of everything.
    pub warm_up: bool,
    /// Stalls of the stream.
    pub stalls: u8,
    /// The derived numbers.
    pub figures: Figures,
    /// Tokens used.
    pub usage: Usage,
    /// Where the token counts come from.
    pub token_source: Option<TokenSource>,
    /// Cost by the price table.
    pub cost: Option<PicoDollars>,
    /// Why that is unknown.
    pub no_cost: Option<NoCost>,
    /// Cost that the provider reported.
    pub cost_billed: Option<PicoDollars>,
}

/// Which origins a report takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origins {
    /// Clients' own traffic: what a report is of unless it is said otherwise.
    #[default]
    Live,
    /// Clients' own traffic, and the probes beside it.
    LiveAndProbes,
    /// Everything that is not simulated.
    Real,
    /// Everything.
    All,
    /// One origin.
    Only(Origin),
}

impl Origins {
    /// Whether exchanges of that origin are taken.
    #[must_use]
    pub fn takes(self, origin: Origin) -> bool {
        match self {
            Self::Live => origin == Origin::Live,
            Self::LiveAndProbes => matches!(origin, Origin::Live | Origin::Probe),
            Self::Real => origin != Origin::Demo,
            Self::All => true,
            Self::Only(only) => origin == only,
        }
    }

    /// The origins of that name: `live`, `live+probe`, `real`, `all`, or an origin's own.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "live" => Some(Self::Live),
            "live+probe" => Some(Self::LiveAndProbes),
            "real" => Some(Self::Real),
            "all" => Some(Self::All),
            other => Origin::from_name(other).map(Self::Only),
        }
    }

    /// The name, as it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::LiveAndProbes => "live+probe",
            Self::Real => "real",
            Self::All => "all",
            Self::Only(origin) => origin.name(),
        }
    }
}

/// What a report is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// Origins taken.
    pub origins: Origins,
    /// Number of the one provider taken.
    pub provider: Option<u32>,
    /// Number of the one model taken, as it was asked for or as the route calls it.
    pub model: Option<u32>,
}

/// Why an exchange is not in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// It comes from elsewhere than was asked for.
    OtherOrigin,
    /// Another provider.
    OtherProvider,
    /// Another model.
    OtherModel,
    /// Its endpoint runs no model: model lists, files, counts of tokens, other paths passed
    /// through.
    NoModelCall,
    /// It only warmed connections.
    WarmUp,
}

impl Exclusion {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::OtherOrigin,
        Self::OtherProvider,
        Self::OtherModel,
        Self::NoModelCall,
        Self::WarmUp,
    ];

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherOrigin => "other_origin",
            Self::OtherProvider => "other_provider",
            Self::OtherModel => "other_model",
            Self::NoModelCall => "no_model_call",
            Self::WarmUp => "warm_up",
        }
    }
}

impl Selection {
    /// Why `row` is not in the report; nothing where it is.
    #[must_use]
    pub fn excludes(&self, row: &Row) -> Option<Exclusion> {
        let other_provider = |provider: u32| provider != row.provider;
        let other_model = |model: u32| model != row.model && model != row.asked;
        if !self.origins.takes(row.origin) {
            Some(Exclusion::OtherOrigin)
        } else if self.provider.is_some_and(other_provider) {
            Some(Exclusion::OtherProvider)
        } else if self.model.is_some_and(other_model) {
            Some(Exclusion::OtherModel)
        } else if !row.language.is_inference() || row.language.counts_tokens() {
            Some(Exclusion::NoModelCall)
        } else if row.warm_up {
            Some(Exclusion::WarmUp)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_by_name() {
        for (name, live, probe, demo) in [
            ("live", true, false, false),
            ("real", true, true, false),
            ("all", true, true, true),
            ("demo", false, false, true),
            ("probe", false, true, false),
        ] {
            let origins = Origins::from_name(name).unwrap();
            let takes = [Origin::Live, Origin::Probe, Origin::Demo].map(|one| origins.takes(one));
            assert_eq!(takes, [live, probe, demo], "{name}");
            assert_eq!(origins.name(), name);
        }
        assert_eq!(Origins::from_name("elsewhere"), None);
    }
}
