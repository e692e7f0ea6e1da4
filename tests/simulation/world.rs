//! Draws a world from a seed: routes and their weather, the street's settings, what clients ask.

use std::fmt::Write as _;
use std::sync::Arc;

use fastrand::Rng;
use tollgate::record::{Nanos, WallTime};
use tollgate::simulator::provider::{Drift, Incident};
use tollgate::simulator::{Behaviour, Delay, Fault, Persona, Quirks};

/// When every world begins: noon of 22 November 2026.
pub(crate) const BEGIN: WallTime = WallTime(1_795_348_800_000_000);
/// How long a silence lasts: longer than anybody waits.
const SILENCE_MS: u64 = 400_000;
/// The longest that a route is unwell in one go, and well, seconds.
const SPELL_MAX: u64 = 600;

/// How a route is for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Weather {
    /// As it should be.
    Well,
    /// Everything takes five times as long.
    Slow,
    /// Nobody listens.
    Refused,
    /// It takes requests and says nothing.
    Silent,
    /// This share of the requests meets this.
    Faulty(Fault, f64),
}

/// What a route may show; those behind the first token are healed by nobody.
const FAULTS: [Fault; 21] = [
    Fault::RateLimit,
    Fault::RateLimitDate,
    Fault::RateLimitMillis,
    Fault::RateLimitBare,
    Fault::Http500,
    Fault::Http503,
    Fault::Http529,
    Fault::HttpHtml,
    Fault::HtmlIn200,
    Fault::ErrorIn200,
    Fault::ErrorFirst,
    Fault::EmptyStream,
    Fault::EmptyAnswer,
    Fault::RoleThenSilence,
    Fault::ResetBeforeHeaders,
    Fault::ResetAfterHeaders,
    Fault::Unauthorized,
    Fault::CommentFlood,
    Fault::CloseMid,
    Fault::ErrorMid,
    Fault::StallMid,
];

/// One way to the model.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Its provider's name and port.
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Weathers, each from its second on.
    pub(crate) spells: Vec<(u64, Weather)>,
    /// What its rate limits ask for.
    pub(crate) retry_after: Nanos,
    first_token: Nanos,
    anthropic: bool,
    keys: usize,
}

impl Route {
    fn drawn(number: usize, always_well: bool, seconds: u64, rng: &mut Rng) -> Self {
        let mut spells = vec![(0, Weather::Well)];
        let mut at = rng.u64(0..=(seconds / 3).min(SPELL_MAX));
        while at < seconds && !always_well {
            let weather = match rng.u32(0..9) {
                0 => Weather::Slow,
                1 => Weather::Refused,
                2 => Weather::Silent,
                _ => {
                    let share = if rng.bool() { 1.0 } else { 0.2 + rng.f64() };
                    Weather::Faulty(FAULTS[rng.usize(0..FAULTS.len())], share.min(1.0))
                }
            };
            spells.push((at, weather));
            at += rng.u64(20..SPELL_MAX);
            spells.push((at, Weather::Well));
            // Now and then it is well for long: then it must be found again.
            at += [2_400, rng.u64(10..SPELL_MAX)][usize::from(rng.u32(0..3) > 0)];
        }
        Self {
            name: format!("p{number}"),
            port: 2_000 + number as u16,
            spells,
            retry_after: Nanos::from_millis(rng.u64(2_000..90_000)),
            first_token: Nanos::from_millis(rng.u64(100..900)),
            anthropic: rng.u32(0..4) == 0,
            keys: rng.usize(1..3),
        }
    }

    /// Its weather at a second, and since when.
    pub(crate) fn weather(&self, second: u64) -> (u64, Weather) {
        let until = self.spells.iter().take_while(|(from, _)| *from <= second);
        until.last().copied().unwrap_or((0, Weather::Well))
    }

    /// Whether its credentials were ever refused before that second.
    pub(crate) fn was_locked(&self, second: u64) -> bool {
        let refused =
            |weather: &Weather| matches!(weather, Weather::Faulty(Fault::Unauthorized, _));
        let mut spells = self.spells.iter().take_while(|(from, _)| *from <= second);
        spells.any(|(_, weather)| refused(weather))
    }

    /// The provider that a simulator plays for it.
    pub(crate) fn persona(&self) -> Persona {
        let ends = self.spells.iter().skip(1).map(|(from, _)| *from);
        let incidents = self.spells.iter().zip(ends.chain([u64::MAX >> 24]));
        let incident = |((from, weather), until): (&(u64, Weather), u64)| {
            let (slowdown, rate, fault) = match *weather {
                Weather::Well => return None,
                Weather::Slow => (5.0, 0.0, Fault::Http500),
                // Whoever has a connection still finds it closed.
                Weather::Refused => (1.0, 1.0, Fault::CloseBeforeHeaders),
                Weather::Silent => (1.0, 1.0, Fault::StallHeaders),
                Weather::Faulty(fault, rate) => (1.0, rate, fault),
            };
            let (from, until) = (at(*from), at(until));
            Some(Incident {
                from,
                until,
                slowdown,
                rate,
                fault,
            })
        };
        let drift = Drift {
            hours: [1.0; 24],
            incidents: incidents.filter_map(incident).collect(),
        };
        let quirks = if self.anthropic {
            Quirks::anthropic()
        } else {
            Quirks::openai()
        };
        let behaviour = Behaviour {
            first_token: Delay::LogNormal(self.first_token, 0.4),
            gap: Delay::Uniform(Nanos::from_millis(5), Nanos::from_millis(40)),
            tokens: 6,
            retry_after: self.retry_after,
            fault_for: Some(Delay::millis(SILENCE_MS)),
            drift: Some(Arc::new(drift)),
            ..Behaviour::default()
        };
        Persona::new(quirks, behaviour)
    }
}

fn at(second: u64) -> WallTime {
    BEGIN.plus_secs(second as i64)
}

/// What a client asks.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// When, milliseconds from the beginning.
    pub(crate) at_ms: u64,
    pub(crate) stream: bool,
    pub(crate) max_tokens: u64,
    /// After how long it leaves, where it does not wait for the end.
    pub(crate) leaves_ms: Option<u64>,
}

/// What happens to the street itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Deed {
    /// The settings are read anew, with the policy of that number.
    Reload(usize),
    /// Somebody sets the machine's clock by so many seconds.
    SetClock(i64),
}

/// A seed's world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    /// In the order of the configuration.
    pub(crate) routes: Vec<Route>,
    pub(crate) asked: Vec<Asked>,
    /// Deeds and before which request.
    pub(crate) deeds: Vec<(usize, Deed)>,
    /// Tries of one request.
    pub(crate) attempts: usize,
    /// What tries beyond the first may be: share of the requests, and so many a minute always.
    pub(crate) share: f64,
    pub(crate) always: u32,
    policy: usize,
    hedged: bool,
    drains: bool,
}

const POLICIES: [&str; 8] = [
    "policy = \"ordered\"",
    "policy = \"ordered\"",
    "policy = \"fastest\"",
    "policy = \"weighted\"",
    "policy = \"least_busy\"",
    "policy = \"shared\"",
    "policy = \"balanced\"\ndollars_per_second = 0.001",
    "policy = \"cheapest_within_slo\"\nslo = { first_token_p95 = \"1s\" }",
];

impl World {
    /// The world of a seed, with so many requests.
    pub(crate) fn of(seed: u64, requests: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        // From seldom to so often that requests run side by side.
        let mean_ms = [45_000.0, 15_000.0, 2_000.0][rng.usize(0..3)];
        let mut now = 1_000.0;
        let asked: Vec<Asked> = (0..requests)
            .map(|_| {
                now += -(1.0 - rng.f64()).ln() * mean_ms;
                let leaves = (rng.u32(0..20) == 0).then(|| rng.u64(0..3_000));
                Asked {
                    at_ms: now as u64,
                    stream: rng.u32(0..10) < 7,
                    max_tokens: 32,
                    leaves_ms: leaves,
                }
            })
            .collect();
        let count = rng.usize(2..5);
        let well = rng.usize(0..count);
        let seconds = now as u64 / 1_000;
        let routes = (0..count).map(|n| Route::drawn(n, n == well, seconds, &mut rng));
        let routes = routes.collect();
        let mut deeds = Vec::new();
        for _ in 0..rng.usize(0..6) {
            let deed = if rng.bool() {
                Deed::Reload(rng.usize(0..POLICIES.len()))
            } else {
                Deed::SetClock(rng.i64(-90_000..90_000))
            };
            deeds.push((rng.usize(0..requests), deed));
        }
        let sparing = rng.u32(0..5) == 0;
        Self {
            seed,
            routes,
            asked,
            deeds,
            attempts: rng.usize(4..9),
            share: if sparing { 0.1 } else { 0.2 },
            always: if sparing { 1 } else { 600 },
            policy: rng.usize(0..POLICIES.len()),
            hedged: rng.u32(0..3) == 0,
            drains: rng.u32(0..3) == 0,
        }
    }

    /// Whether further tries are so few that a request may end for want of one.
    pub(crate) fn is_sparing(&self) -> bool {
        self.always < 600
    }

    /// The street's settings, with another policy where one is named.
    pub(crate) fn settings(&self, policy: Option<usize>) -> String {
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:1\"\n[timeouts]\nsilence = \"120s\"\n\
             [failover]\nattempts = {}\nbudget = {}\nbudget_min = {}\nclient_gone = \"{}\"\n",
            self.attempts,
            self.share,
            self.always,
            if self.drains { "drain" } else { "cancel" },
        );
        let mut routes = String::new();
        for route in &self.routes {
            let Route { name, port, .. } = route;
            let (dialect, path) = if route.anthropic {
                ("anthropic", "")
            } else {
                ("openai", "/v1")
            };
            let keys = (0..route.keys).map(|key| format!("\"sk-{name}-{key}\""));
            let keys = keys.collect::<Vec<_>>().join(", ");
            // Into memory: it does not fail.
            let _ = write!(
                text,
                "[providers.{name}]\ndialect = \"{dialect}\"\napi_keys = [{keys}]\n\
                 base_url = \"http://127.0.0.1:{port}{path}\"\n\
                 [[prices.rows]]\nproviders = [\"{name}\"]\nmodels = [\"sim*\"]\n\
                 input = 1\noutput = {}\n",
                1 + port % 3
            );
            let _ = write!(routes, "{{ provider = \"{name}\", model = \"sim-1\" }}, ");
        }
        let policy = POLICIES[policy.unwrap_or(self.policy)];
        let _ = write!(text, "[models.m]\n{policy}\nroutes = [ {routes} ]\n");
        if self.hedged {
            text.push_str("[models.m.hedge]\nshare = 0.25\nafter = \"1s\"\n");
        }
        text
    }
}
