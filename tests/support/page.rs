//! Builds the page over a store, with handles that a test holds.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::broadcast;
use tollgate::active::asked::AskedRun;
use tollgate::analysis::paper::Paper;
use tollgate::clock::Clock;
use tollgate::config::settings::{Settings, StoreSettings};
use tollgate::config::{Sources, load};
use tollgate::edge::server::{Drain, Stop};
use tollgate::edge::store::{Store, StoreReader};
use tollgate::record::{
    Arm, Assigned, AssignedUnit, Coin, Enrolment, ErrorClass, ExchangeRecord, KeyedHash, Moment,
    Origin, PicoDollars, Session, SessionSource, WallTime,
};
use tollgate::recorder::Spent;
use tollgate::recorder::shown::{KeyNow, ModelNow, RouteNow, Standpoint};
use tollgate::recorder::standing::Board;
use tollgate::recorder::{StandingNow, StoreHealth};
use tollgate::routing::health::{Event, State};
use tollgate::routing::route::RouteKey;
use tollgate::ui::desk::{Announced, Refused, RunDesk, RunShown};
use tollgate::ui::handles::NoteEdit;
use tollgate::ui::{Addresses, Counts, Handles, Reloads};

/// What a test holds of a page.
pub(crate) struct Held {
    pub(crate) handles: Handles,
    pub(crate) feed: broadcast::Sender<Arc<ExchangeRecord>>,
    pub(crate) stop: Stop,
}

/// Settings of the config `text`, read as the program does.
pub(crate) fn settings(text: &str, directory: &Path) -> Settings {
    let sources = Sources {
        text: Some(text),
        file: "test",
        env: &|_| None,
        read_file: &|_| Err(io::ErrorKind::NotFound.into()),
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: directory.to_owned(),
        cores: 2,
    };
    load(&sources).unwrap().settings
}

/// Handles over the store at `path`.
pub(crate) fn held(path: &Path, settings: Settings, health: StoreHealth) -> Held {
    let (drain, stop) = Drain::new();
    let feed = broadcast::Sender::new(1024);
    let of_store = StoreSettings {
        path: path.to_owned(),
        ..settings.store
    };
    let path = path.to_owned();
    let reader = std::sync::OnceLock::new();
    let (subscribe, settings) = (feed.clone(), Arc::new(settings));
    let reader: tollgate::ui::handles::Ask<_> = Arc::new(move || {
        if let Some(reader) = reader.get() {
            return Ok(Arc::clone(reader));
        }
        let opened = Arc::new(StoreReader::open(&path)?);
        Ok(Arc::clone(reader.get_or_init(|| opened)))
    });
    let of_scores = of_store.clone();
    let handles = Handles {
        reader,
        feed: Arc::new(move || subscribe.subscribe()),
        store: Arc::new(move || health.clone()),
        notes: Arc::new(move |edit| {
            let opened = Store::open(&of_store, &Clock::system());
            let (mut store, _) = opened.ok()?;
            Some(match edit {
                NoteEdit::Add(note) => store.add_note(&note).map(Some),
                NoteEdit::Remove(id) => store.remove_note(id).map(|was| was.then_some(id)),
            })
        }),
        scores: Arc::new(move |scores| {
            let (mut store, _) = Store::open(&of_scores, &Clock::system()).ok()?;
            Some(store.add_scores(&scores))
        }),
        records: Arc::new(|_| true),
        baselines: Arc::new(|_| None),
        runs: Arc::new(OneRun),
        standing: Arc::new(standing),
        watched: Arc::new(tollgate::active::probing::Watched::default),
        counts: Arc::new(|| Counts {
            in_flight: 3,
            accepted: 1_234,
            connections: 5,
            refused: 0,
        }),
        addresses: Addresses {
            data: settings.server.listen,
            admin: settings.admin.listen,
        },
        settings: Arc::new(move || Arc::clone(&settings)),
        reloads: Arc::new(Reloads::default),
        clock: Clock::system(),
        origin: Origin::Live,
        drain,
    };
    Held {
        handles,
        feed,
        stop,
    }
}

/// A desk at which one run was made, and which begins none.
struct OneRun;

impl OneRun {
    fn one() -> RunShown {
        RunShown {
            run: "monday".to_owned(),
            kind: "bench".to_owned(),
            state: "complete".to_owned(),
            files: vec![("report.txt".to_owned(), 5)],
            ..RunShown::default()
        }
    }
}

impl RunDesk for OneRun {
    fn refusal(&self) -> Option<&'static str> {
        Some("a test begins no runs")
    }

    fn announce(&self, _: &AskedRun) -> Result<Announced, Refused> {
        Err(Refused::Off("a test begins no runs"))
    }

    fn start(&self, _: &AskedRun) -> Result<Announced, Refused> {
        Err(Refused::Off("a test begins no runs"))
    }

    fn again(&self, run: &str, _: Option<f64>) -> Result<AskedRun, Refused> {
        Err(Refused::Wrong(format!("run {run} is not one that goes on")))
    }

    fn stop(&self, run: &str) -> Result<(), Refused> {
        Err(Refused::Missing(format!("no run {run} goes on")))
    }

    fn list(&self) -> Result<Vec<RunShown>, Refused> {
        Ok(vec![Self::one()])
    }

    fn shown(&self, run: &str) -> Result<RunShown, Refused> {
        let one = Self::one();
        let missing = || Refused::Missing(format!("there is no run {run}"));
        (one.run == run).then_some(one).ok_or_else(missing)
    }

    fn papers(&self, _: &str) -> Result<Vec<Arc<Paper>>, Refused> {
        Ok(Vec::new())
    }

    fn compare(&self, _: [&str; 2]) -> Result<Paper, Refused> {
        Err(Refused::Wrong(
            "two finished benchmarks are compared".to_owned(),
        ))
    }

    fn file(&self, run: &str, _: &str) -> Result<(std::fs::File, u64), Refused> {
        self.shown(run)?;
        let failed = |error: io::Error| Refused::Failed(error.to_string());
        let mut file = tempfile::tempfile().map_err(failed)?;
        io::Write::write_all(&mut file, b"hello").map_err(failed)?;
        io::Seek::rewind(&mut file).map_err(failed)?;
        Ok((file, 5))
    }

    fn sets(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Two routes of a model, one of which fails, and a third that no model has, with a name that no
/// page may print as it is.
fn standing() -> StandingNow {
    let (now, at) = (Moment(1_000_000_000_000), Clock::system().wall());
    let mut board = Board::default();
    let down = RouteKey::new("down", Some("m".into()));
    for _ in 0..5 {
        let ticket = board.health.begin(&down, None, now);
        let class = ErrorClass::Connect;
        let event = Event::Failed { class, until: None };
        board.health.end(ticket, event, now, 0.5);
    }
    let shown = |provider: &str, model: &str, at: WallTime| {
        let route = RouteKey::new(provider, Some(model.into()));
        RouteNow::of(&board, &route, None, None, (now, at))
    };
    StandingNow {
        at,
        models: vec![ModelNow {
            canaries: Vec::new(),
            name: "m".into(),
            policy: "fastest".into(),
            reason: "only_route".into(),
            rule: None,
            prompt_tokens: 1_000,
            output_tokens: 256.0,
            routes: vec![
                Standpoint {
                    route: shown("down", "m", at),
                    left_out: Some("breaker_open"),
                    ..Standpoint::default()
                },
                Standpoint {
                    route: RouteNow {
                        keys: keys(at),
                        ..shown("up", "m", at)
                    },
                    place: Some(0),
                    score: Some(412.5),
                    propensity: 1.0,
                    ..Standpoint::default()
                },
            ],
        }],
        others: vec![shown("up", hostile()[1], at)],
        spent: Spent {
            known: PicoDollars(12_340_000_000_000),
            unpriced: 1,
        },
    }
}

/// Two keys of a route: one cools, the other one is taken.
fn keys(at: WallTime) -> Vec<KeyNow> {
    let limited = KeyNow {
        number: 1,
        state: State::Cooling,
        since: Some(at),
        until: Some(at.plus_secs(40)),
        why: Some("rate_limited"),
        limit: Some(3),
        ..KeyNow::default()
    };
    let taken = KeyNow {
        number: 2,
        next: true,
        at_work: 1,
        ..KeyNow::default()
    };
    vec![limited, taken]
}

/// Names that no page may print as they are.
pub(crate) fn hostile() -> [&'static str; 5] {
    [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "\u{202e}evil\u{0}",
        "{{7*7}}</title><svg/onload=alert(1)>",
    ]
}

/// The config of an experiment between the providers `openai` and `openrouter`, and its name.
pub(crate) const EXPERIMENT: (&str, &str) = (
    "router-tax",
    "[models.\"gpt-4.1\"]\n\
     routes = [{ provider = \"openai\" }, { provider = \"openrouter\", model = \"openai/gpt-4.1\" }]\n\
     [experiments.router-tax]\nmodel = \"gpt-4.1\"\n\
     a = { provider = \"openai\" }\nb = { provider = \"openrouter\" }\n",
);

/// Puts every other record into that experiment, a session each, the arms in turn.
pub(crate) fn drawn(records: &mut [ExchangeRecord]) {
    for (session, record) in records.iter_mut().step_by(2).enumerate() {
        record.session = Some(Session {
            hash: KeyedHash(session as u64),
            source: SessionSource::Header,
            turn: 1,
        });
        record.experiment = Some(Enrolment {
            experiment: EXPERIMENT.0.into(),
            part: Ok(Assigned {
                arm: Arm::ALL[session % 2],
                coin: Coin((session as u32 % 2) << 31),
                propensity: 500_000,
                unit: AssignedUnit::Session,
            }),
        });
    }
}
