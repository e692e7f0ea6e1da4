//! Sets the stage for one round of probes: the configured providers, a street of its own, the store.

use std::time::Duration;

use tokio::sync::mpsc;

use super::fault::AppFault;
use super::machine::runtime;
use super::own_street::{Arrivals, Kept, Opening, OwnStreet, Surroundings, until};
use crate::active::Traffic;
use crate::active::probing::Round;
use crate::active::probing::history::{Series, add, history};
use crate::active::targets::Target;
use crate::analysis::paper::{Head, Source};
use crate::analysis::reports::probed::{Called, Probed};
use crate::analysis::tables::Window;
use crate::analysis::watch::cold::Warm;
use crate::analysis::watch::drift::{Question, drift};
use crate::analysis::watch::{Availability, Point};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::store::StoreReader;
use crate::record::{ExchangeId, ExchangeRecord, Origin, Outcome, WallTime};
use crate::routing::route::RouteKey;
use crate::statistics::drift::Thresholds;

/// How long a record may take to come after its answer.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);
/// Microseconds of a day.
const DAY: i64 = 86_400 * 1_000_000;

/// One round.
#[derive(Debug)]
pub struct Run<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The routes.
    pub targets: &'a [Target],
    /// How they are asked.
    pub round: Round<'a>,
    /// From where on a route has drifted.
    pub thresholds: Thresholds,
    /// What it finds around it.
    pub surroundings: Surroundings,
}

/// What a round came to.
#[derive(Debug)]
pub struct Came {
    /// Each route that was asked.
    pub all: Vec<Probed>,
    /// Whether the store, or the program that has it, took every record where there is one: nothing
    /// else keeps them.
    pub is_kept: bool,
}

impl Run<'_> {
    /// Asks every route, or as many as there were when somebody said stop (SIGINT, SIGTERM).
    /// `progress` hears how many of how many calls are done; `print` takes what the user should
    /// know.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(usize, usize),
        print: &dyn Fn(&str),
    ) -> Result<Came, AppFault> {
        let clock = Clock::system();
        let series = self.before(clock.wall(), print);
        let (sender, records) = mpsc::unbounded_channel();
        let opening = Opening {
            settings: self.settings.clone(),
            // Both calls of a route share one pool of connections.
            workers: 1,
            origin: Origin::Probe,
            clock: &clock,
            print,
            unkept: "what is measured is only in what is shown now",
            elsewhere: "nothing else keeps them: what was measured is only in what is shown now",
            surroundings: &self.surroundings,
        };
        let street = OwnStreet::open(opening, move |record| {
            // A round that is over wants no record.
            let _ = sender.send(record);
        })?;
        let mut asking = Asking {
            run: self,
            traffic: street.traffic(),
            arrivals: Arrivals::new(records),
            series,
            clock,
        };
        let runtime = runtime()?;
        let stopped = {
            let _within = runtime.enter();
            self.surroundings.stopped()
        };
        let mut all = Vec::new();
        let asked = runtime.block_on(async {
            let each = self.round.calls() as usize;
            for (place, target) in self.targets.iter().enumerate() {
                progress(place * each, self.targets.len() * each);
                tokio::select! {
                    biased;
                    () = until(&stopped) => break,
                    probed = asking.route(target) => all.push(probed?),
                }
                progress((place + 1) * each, self.targets.len() * each);
            }
            Ok::<(), AppFault>(())
        });
        let kept = street.end(|_| (), print);
        let is_kept = !matches!(kept, Kept::InUse) && kept.lost() == 0;
        asked.map(|()| Came { all, is_kept })
    }

    /// What earlier probes said; nothing where there is no store yet.
    fn before(&self, now: WallTime, print: &dyn Fn(&str)) -> Series {
        let path = &self.settings.store.path;
        if !path.exists() {
            return Series::new();
        }
        let read = StoreReader::open(path).and_then(|reader| history(&reader, now, || {}));
        read.unwrap_or_else(|error| {
            print(&format!(
                "earlier probes cannot be read, so that no baseline is known: {error}"
            ));
            Series::new()
        })
    }
}

struct Asking<'a> {
    run: &'a Run<'a>,
    traffic: Traffic,
    arrivals: Arrivals,
    series: Series,
    clock: Clock,
}

impl Asking<'_> {
    /// Asks one route as often as the round says, and judges it.
    async fn route(&mut self, target: &Target) -> Result<Probed, AppFault> {
        let mut calls = Vec::new();
        for trial in 0..self.run.round.calls() {
            let began = self.clock.wall();
            let asked = self.run.round.ask(&self.traffic, (target, 0), trial).await;
            let asked = asked.map_err(|fault| AppFault::Runtime(fault.to_string()))?;
            let point = match asked {
                None => Point::given_up(began),
                Some(id) => match self.record(id).await {
                    Some(record) => Point::of(&record).map_or_else(
                        || Point::unsent(record.started, record.outcome),
                        |(_, point)| point,
                    ),
                    None => Point::unsent(began, Outcome::ProxyFault),
                },
            };
            calls.push(Called {
                point,
                cold: self.looks_cold(&target.route, &point),
            });
            add(&mut self.series, target.route.clone(), point);
        }
        let points = self.series.get(&target.route);
        let points = points.map_or(&[][..], Vec::as_slice);
        let now = self.clock.wall();
        let Thresholds {
            drift: threshold,
            availability,
        } = self.run.thresholds;
        let day = points.partition_point(|point| point.at.0 < now.0 - DAY);
        Ok(Probed {
            model: target.model.clone(),
            route: target.route.clone(),
            calls,
            drift: drift(
                points,
                &Question {
                    now,
                    threshold,
                    held: None,
                },
            ),
            availability: Availability::of(&points[day..], availability, false),
        })
    }

    /// Whether a call looks like a cold start beside those before it.
    fn looks_cold(&self, route: &RouteKey, point: &Point) -> Option<bool> {
        let before = self.series.get(route)?;
        let warm = Warm::of(before)?;
        let idle = before.last().map(|last| point.at.0 - last.at.0);
        Some(warm.is_cold(point.first_token?, idle))
    }

    async fn record(&mut self, id: ExchangeId) -> Option<ExchangeRecord> {
        let coming = self.arrivals.find(|record| record.id == id);
        tokio::time::timeout(RECORD_PATIENCE, coming).await.ok()?
    }
}

/// What the report of a round says of itself.
#[must_use]
pub fn head(all: &[Probed], made: WallTime) -> Head {
    let calls: usize = all.iter().map(|probed| probed.calls.len()).sum();
    let first = all.iter().flat_map(|probed| &probed.calls);
    let from = first.map(|called| called.point.at).min().unwrap_or(made);
    Head {
        window: Window { from, until: made },
        made,
        origin: "probe".to_owned(),
        selection: Vec::new(),
        source: Source::Records,
        scanned: calls as u64,
        taken: calls as u64,
        excluded: Vec::new(),
        configs: Vec::new(),
        own_delay: None,
        seed: None,
        method: "",
        hosted: Vec::new(),
        remarks: Vec::new(),
        sides: Vec::new(),
    }
}
