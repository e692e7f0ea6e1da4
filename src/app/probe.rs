//! Sets the stage for one round of probes: the configured providers, a street of its own, the store.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::bench::{both, hear};
use super::fault::AppFault;
use super::node::{Node, Parts};
use super::recording::{offer_to, open_store};
use super::run::{proxies, runtime};
use super::secret_file;
use crate::active::Traffic;
use crate::active::probing::Round;
use crate::active::probing::history::{Series, add, history};
use crate::active::targets::Target;
use crate::analysis::reports::probed::{Called, Probed};
use crate::analysis::watch::cold::Warm;
use crate::analysis::watch::drift::{Question, drift};
use crate::analysis::watch::{Availability, Point, Thresholds};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::store::StoreReader;
use crate::record::{ExchangeId, ExchangeRecord, Origin, Outcome, WallTime};
use crate::recorder::Standing;
use crate::routing::route::RouteKey;

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
}

impl Run<'_> {
    /// Asks every route, or as many as there were when somebody said stop (SIGINT, SIGTERM).
    /// `progress` hears how many of how many calls are done; `print` takes what the user should
    /// know.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(usize, usize),
        print: &dyn Fn(&str),
    ) -> Result<Vec<Probed>, AppFault> {
        let clock = Clock::system();
        let series = self.before(clock.wall(), print);
        let mut settings = self.settings.clone();
        // Nobody else is to come in, and both calls of a route share one pool of connections.
        settings.server.listen = ([127, 0, 0, 1], 0).into();
        settings.server.workers = 1;
        settings.server.tls = None;
        let (recorder, recording) = match open_store(&settings, &clock, print) {
            Ok((recorder, recording)) => (Some(recorder), Some(recording)),
            Err(fault) => {
                print(&format!(
                    "{fault}\nwhat is measured is shown and not kept: beside a running tollgate \
                     `probes.schedule` probes into its store"
                ));
                (None, None)
            }
        };
        let (sender, records) = mpsc::unbounded_channel();
        let node = Node::start(Parts {
            offer: both(recorder.as_ref().map(offer_to), sender),
            standing: Standing::default(),
            secret: secret_file::of_store(&settings.store.path).0,
            origin: Origin::Probe,
            proxies: proxies(),
            logins: None,
            clock: clock.clone(),
            settings,
        })?;
        let mut asking = Asking {
            run: self,
            traffic: node.traffic(),
            records,
            waiting: HashMap::new(),
            series,
            clock,
        };
        let (stop, mut stopped) = watch::channel(false);
        let mut all = Vec::new();
        let runtime = runtime()?;
        let asked = runtime.block_on(async {
            tokio::spawn(hear(stop));
            let each = self.round.calls() as usize;
            for (place, target) in self.targets.iter().enumerate() {
                progress(place * each, self.targets.len() * each);
                tokio::select! {
                    biased;
                    Ok(_) = stopped.wait_for(|stopped| *stopped) => break,
                    probed = asking.route(target) => all.push(probed?),
                }
            }
            Ok::<(), AppFault>(())
        });
        node.stop();
        if let Some(recording) = recording {
            recording.shutdown();
        }
        asked.map(|()| all)
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
    records: mpsc::UnboundedReceiver<ExchangeRecord>,
    waiting: HashMap<ExchangeId, ExchangeRecord>,
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
        let coming = async {
            loop {
                if let Some(record) = self.waiting.remove(&id) {
                    return Some(record);
                }
                let record = self.records.recv().await?;
                self.waiting.insert(record.id, record);
            }
        };
        tokio::time::timeout(RECORD_PATIENCE, coming).await.ok()?
    }
}
