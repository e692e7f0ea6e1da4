//! Scheduled probes, the alerts that they raise, and a webhook that comes and goes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::active::probing::{Purse, Scheduled, Watching, deliver};
use tollgate::app::node::{Node, Parts};
use tollgate::clock::Clock;
use tollgate::config::settings::Settings;
use tollgate::config::{self, Sources};
use tollgate::edge::alert::Webhook;
use tollgate::edge::upstream::ProxyRules;
use tollgate::record::{ExchangeRecord, Origin, PicoDollars, WallTime};
use tollgate::recorder::{Recorder, Running, Standing};
use tollgate::simulator::bare::Connection;
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator};

use crate::support::Ask;
use crate::support::records::until;

/// What a server answers to a path: a status and a body; nothing at all where absent.
type Answer = dyn Fn(&str) -> Option<(u16, String)> + Send + Sync;

/// A server of a few lines: what it was sent, path and body.
struct Tiny {
    address: SocketAddr,
    got: Arc<Mutex<Vec<(String, String)>>>,
}

impl Tiny {
    fn start(answer: Arc<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let list = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, list) = (Arc::clone(&answer), Arc::clone(&list));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let (mut head, mut line) = (Vec::new(), String::new());
                    while reader.read_line(&mut line).unwrap_or(0) > 2 {
                        head.push(std::mem::take(&mut line));
                    }
                    let path = head.first().and_then(|line| line.split(' ').nth(1));
                    let path = path.unwrap_or_default().to_owned();
                    let length = head.iter().find_map(|line| {
                        let lower = line.to_ascii_lowercase();
                        lower.strip_prefix("content-length:")?.trim().parse().ok()
                    });
                    let mut body = vec![0; length.unwrap_or(0)];
                    reader.read_exact(&mut body).unwrap();
                    let body = String::from_utf8(body).unwrap();
                    list.lock().unwrap().push((path.clone(), body));
                    let Some((status, body)) = answer(&path) else {
                        // Until whoever asked has enough of it.
                        let _ = reader.read_to_end(&mut Vec::new());
                        return;
                    };
                    let mut stream = stream;
                    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
                    let length = body.len();
                    let text = format!("{head}content-length: {length}\r\n\r\n{body}");
                    // Whoever asked may have left.
                    let _ = stream.write_all(text.as_bytes());
                });
            }
        });
        Self { address, got }
    }

    fn got(&self) -> Vec<(String, String)> {
        self.got.lock().unwrap().clone()
    }
}

/// A node with a store.
struct Stage {
    node: Node,
    recorder: Recorder,
    running: Option<Running>,
    simulator: Simulator,
    folder: tempfile::TempDir,
}

impl Stage {
    fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = Simulator::start(Config {
            personas: vec![
                Persona::new(Quirks::anthropic(), Behaviour::default()).at("/an"),
                Persona::new(Quirks::openai(), Behaviour::default()),
            ],
            ..Config::default()
        })
        .unwrap();
        let text = text.replace("{sim}", &simulator.addr().to_string());
        let settings = settings(&text, folder.path());
        let clock = Clock::system();
        let (recorder, running, _) = Recorder::start(&settings.store, clock.clone()).unwrap();
        let offered = recorder.clone();
        let node = Node::start(Parts {
            settings,
            offer: Arc::new(move |record| {
                offered.offer(record);
            }),
            standing: Standing::default(),
            secret: b"secret of the tests".to_vec(),
            origin: Origin::Live,
            proxies: ProxyRules::default(),
            logins: None,
            clock,
        });
        Self {
            node: node.unwrap(),
            recorder,
            running: Some(running),
            simulator,
            folder,
        }
    }

    fn settings(&self) -> Arc<Settings> {
        self.node.shared.settings.load_full()
    }

    fn scheduled(&self, watching: &Watching) -> Scheduled {
        let shared = &self.node.shared;
        let purse = Purse::new(shared.clock.wall(), (0, PicoDollars(0)));
        Scheduled::new(
            Arc::clone(shared),
            self.node.traffic(),
            Arc::new(Mutex::new(purse)),
            self.recorder.clone(),
            watching.clone(),
        )
    }

    fn watching(&self) -> Watching {
        Watching::new(self.recorder.clone(), Clock::system())
    }

    /// Delivers for as long as `work` takes.
    fn delivering<T>(&self, watching: &Watching, work: impl Future<Output = T>) -> T {
        let webhook = Webhook::new(ProxyRules::default(), Clock::system());
        let shared = Arc::clone(&self.node.shared);
        let delivery = deliver(shared, watching.clone(), webhook, self.node.drain_signal());
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(async {
            let delivery = tokio::spawn(delivery);
            let done = work.await;
            delivery.abort();
            done
        })
    }

    fn records(&self) -> Vec<ExchangeRecord> {
        let mut all = Vec::new();
        let range = WallTime(0)..WallTime(i64::MAX);
        let reader = self.recorder.reader();
        let each = |record| {
            all.push(record);
            std::ops::ControlFlow::Continue(())
        };
        reader.records(range, each).unwrap();
        all
    }

    fn stop(mut self) {
        self.node.stop();
        drop(self.running.take());
        drop((self.simulator, self.folder));
    }
}

fn settings(text: &str, folder: &std::path::Path) -> Settings {
    let sources = Sources {
        text: Some(text),
        file: "tollgate.toml",
        env: &|_| None,
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        read_text: &|_| Err(std::io::ErrorKind::NotFound.into()),
        data_dir: folder.to_owned(),
        cores: 1,
    };
    let loaded = config::load(&sources);
    let mut settings = loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .settings;
    settings.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    settings
}

const PROBED: &str = r#"
[providers.oa]
base_url = "http://{sim}/v1"
api_key = "k"
[providers.an]
dialect = "anthropic"
base_url = "http://{sim}/an"
api_key = "k"
[providers.ge]
dialect = "gemini"
base_url = "http://{sim}"
api_key = "k"
[models.m]
routes = [
    { provider = "oa", model = "sim:ft-2ms:gap-1ms:n-16" },
    { provider = "an", model = "sim:ft-2ms:gap-1ms:n-16" },
    { provider = "ge", model = "sim:ft-2ms:gap-1ms:n-16" },
]
[models.again]
routes = [{ provider = "oa", model = "sim:ft-2ms:gap-1ms:n-16" }]
[models.down]
routes = [{ provider = "oa", model = "sim:fault-http_500" }]
[models.other]
routes = [{ provider = "oa", model = "sim:n-1" }]
[probes]
schedule = "* * * * *"
models = ["m", "again", "down"]
per_day = {per_day}
max_cost_per_day = 5
cold = {cold}
[alerts]
webhook = "{hook}"
"#;

fn probed(per_day: u64, cold: bool, hook: SocketAddr) -> String {
    PROBED
        .replace("{per_day}", &per_day.to_string())
        .replace("{cold}", &cold.to_string())
        .replace("{hook}", &format!("http://{hook}/secret-path?room=1"))
}

#[test]
fn a_round_asks_each_route_once_cold_and_warm_within_the_days_number() {
    let stage = Stage::start(&probed(7, true, SocketAddr::from(([127, 0, 0, 1], 9))));
    let watching = stage.watching();
    let mut scheduled = stage.scheduled(&watching);
    let settings = stage.settings();
    stage.delivering(&watching, scheduled.round(&settings));
    let asked: Vec<(String, bool)> = stage
        .records()
        .iter()
        .map(|record| {
            let attempt = &record.attempts[0];
            assert_eq!(record.origin, Origin::Probe);
            assert_eq!(record.active.as_ref().unwrap().run.as_str(), "scheduled");
            (attempt.provider.to_string(), attempt.reused)
        })
        .collect();
    let expected = [
        ("oa", false),
        ("oa", true),
        ("an", false),
        ("an", true),
        ("ge", false),
        ("ge", true),
        // The route that fails, until the day's number was reached.
        ("oa", false),
    ];
    let expected = expected.map(|(provider, reused)| (provider.to_owned(), reused));
    assert_eq!(asked, expected, "each route once, whichever model has it");
    let shown = watching.shown();
    assert_eq!(shown.spent.0, 7);
    assert_eq!(shown.routes.len(), 4);
    stage.delivering(&watching, scheduled.round(&settings));
    assert_eq!(stage.records().len(), 7, "nothing is left of the day");
    stage.stop();
}

#[test]
fn an_alert_outlives_a_webhook_that_is_down_and_a_restart_and_is_told_once() {
    let down = Tiny::start(Arc::new(|_| None));
    let up = Tiny::start(Arc::new(|_| Some((204, String::new()))));
    let stage = Stage::start(&probed(100, false, down.address));
    let (watching, settings) = (stage.watching(), stage.settings());
    let mut scheduled = stage.scheduled(&watching);
    stage.delivering(&watching, async {
        for _ in 0..4 {
            scheduled.round(&settings).await;
        }
        let sent = async {
            while down.got().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let sent = tokio::time::timeout(Duration::from_mins(1), sent);
        sent.await.expect("it is sent");
    });
    let shown = watching.shown();
    assert_eq!(
        (shown.alerts.0, shown.alerts.1),
        (1, 0),
        "it waits: {shown:?}"
    );
    assert_eq!(
        shown.holding.len(),
        1,
        "one route does not answer: {shown:?}"
    );
    assert_eq!(down.got().len(), 1, "it is being sent");
    // Clients have noticed nothing.
    let client = Connection::open(stage.node.address);
    let ask = Ask::chat("other", true).to("");
    let reading = client.unwrap().exchange(&ask.bytes()).unwrap();
    assert_eq!(reading.status, 200);
    // After a restart, with a webhook that is there.
    let mut changed = (*settings).clone();
    let hook = changed.alerts.webhook.as_mut().unwrap();
    hook.base.port = up.address.port();
    stage.node.shared.settings.store(Arc::new(changed.clone()));
    let again = stage.watching();
    let mut scheduled = stage.scheduled(&again);
    stage.delivering(&again, async {
        for _ in 0..2 {
            scheduled.round(&changed).await;
        }
        let taken = async {
            while again.shown().alerts.0 > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), taken)
            .await
            .unwrap();
    });
    let got = up.got();
    assert_eq!(got.len(), 1, "told once: {got:?}");
    let (path, body) = &got[0];
    assert_eq!(path, "/secret-path?room=1");
    assert_eq!(body, &down.got()[0].1, "the same alert");
    let alert: Value = serde_json::from_str(body).unwrap();
    for (pointer, expected) in [
        ("/schema", json!("tollgate.alert/1")),
        ("/condition", json!("availability")),
        ("/change", json!("raised")),
        ("/provider", json!("oa")),
        ("/models", json!(["sim:fault-http_500"])),
        ("/figures/probes", json!(3)),
    ] {
        assert_eq!(alert.pointer(pointer), Some(&expected), "{alert:#}");
    }
    assert!(!body.contains("harbour"), "no prompt is in it");
    assert_eq!(again.shown().alerts, (0, 1, 0));
    stage.stop();
}

#[test]
fn new_names_in_a_providers_list_are_told_and_the_first_list_is_not() {
    let hook = Tiny::start(Arc::new(|_| Some((200, "ok".to_owned()))));
    let names = Arc::new(Mutex::new(vec!["one", "two"]));
    let listed = Arc::clone(&names);
    let provider = Tiny::start(Arc::new(move |_| {
        let entry = |id: &&str| json!({ "id": id, "object": "model" });
        let data: Vec<Value> = listed.lock().unwrap().iter().map(entry).collect();
        Some((200, json!({ "object": "list", "data": data }).to_string()))
    }));
    let stage = Stage::start(&format!(
        "[providers.lists]\nbase_url = \"http://{}/v1\"\napi_key = \"k\"\n[alerts]\nwebhook = \
         \"http://{}\"\nnew_models = \"0 */6 * * *\"\n",
        provider.address, hook.address
    ));
    let (watching, settings) = (stage.watching(), stage.settings());
    let scheduled = stage.scheduled(&watching);
    stage.delivering(&watching, async {
        scheduled.look(&settings).await;
        scheduled.look(&settings).await;
        assert_eq!(watching.shown().alerts, (0, 0, 0));
        names.lock().unwrap().push("three");
        scheduled.look(&settings).await;
        scheduled.look(&settings).await;
        let told = async {
            while watching.shown().alerts.1 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), told)
            .await
            .unwrap();
    });
    let got = until("the alert", || (!hook.got().is_empty()).then(|| hook.got()));
    assert_eq!(got.len(), 1, "{got:?}");
    let alert: Value = serde_json::from_str(&got[0].1).unwrap();
    assert_eq!(alert["summary"], "lists lists new models: three");
    assert_eq!(got[0].0, "/");
    stage.stop();
}
