//! Starts the program in a folder of its own, and hears what it says.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tollgate::config::settings::StoreSettings;
use tollgate::edge::store::StoreReader;
use tollgate::record::{ExchangeRecord, WallTime};
use tollgate::simulator::bare::{Connection, Reading, post};
use tollgate::simulator::{Behaviour, Config, Persona, Quirks, Simulator};

use super::ports;

/// Far longer than anything here takes, on a machine that stands still now and then too.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// The credential of the simulated provider.
pub(crate) const KEY: &str = "sk-CANARY-PROVIDER";

/// A simulated `OpenAI` that takes [`KEY`] only.
pub(crate) fn simulator() -> Simulator {
    let quirks = Quirks::openai().with_key(KEY);
    let personas = vec![Persona::new(quirks, Behaviour::default())];
    Simulator::start(Config {
        personas,
        ..Config::default()
    })
    .unwrap()
}

/// A config with the simulated provider `sim`, and the store beside it; `more` follows.
pub(crate) fn config(simulator: &Simulator, more: &str) -> String {
    let (data, admin, provider) = (ports::free(), ports::free(), simulator.addr());
    format!(
        "[server]\nlisten = \"{data}\"\n[admin]\nlisten = \"{admin}\"\n\
         [store]\npath = \"{{folder}}/store.redb\"\nqueue_max = 200\n\
         [providers.sim]\nbase_url = \"http://{provider}/v1\"\napi_key = \"{KEY}\"\n{more}"
    )
}

/// A folder with a config and a store in it.
pub(crate) struct Home {
    /// The folder.
    pub(crate) folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Home {
    /// A new one with this config; `{folder}` in it stands for the folder.
    pub(crate) fn new(config: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let home = Self {
            folder: temporary.path().to_owned(),
            _temporary: Some(temporary),
        };
        home.write(config);
        home
    }

    /// Puts another config in the place of the old one, whole: nobody reads half of it, or none.
    pub(crate) fn write(&self, config: &str) {
        let text = config.replace("{folder}", &self.folder.display().to_string());
        let new = self.folder.join("tollgate.toml.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.config()).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("tollgate.toml")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("store.redb")
    }

    /// `tollgate <words>` with this config, in this folder and in no other environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        // `TOLLGATE_BIN` names another build: the release one, for figures.
        let program = std::env::var_os("TOLLGATE_BIN");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_tollgate").into());
        let mut command = Command::new(program);
        command
            .args(words)
            .arg("--config")
            .arg(self.config())
            .current_dir(&self.folder)
            .env_clear()
            .env("HOME", &self.folder)
            // Where it may use some processors only, the allocator says so in a line of its own.
            .env("_RJEM_MALLOC_CONF", "percpu_arena:disabled")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `tollgate serve`, ready.
    pub(crate) fn serve(&self) -> Program {
        Program::start(&mut self.command(&["serve"]))
    }
}

/// A running program; dropped, it is killed.
pub(crate) struct Program {
    /// The process.
    pub(crate) child: Child,
    /// Its data plane.
    pub(crate) address: SocketAddr,
    began: Instant,
    /// From the spawn until it said where it listens.
    pub(crate) ready_after: Duration,
    said: Arc<Mutex<String>>,
    ears: Vec<JoinHandle<()>>,
}

impl Program {
    /// Starts a command, and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::begun(command).ready()
    }

    /// Starts a command, and does not wait.
    pub(crate) fn begun(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let ears = vec![
            listen(child.stdout.take().unwrap(), &said),
            listen(child.stderr.take().unwrap(), &said),
        ];
        Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            began: Instant::now(),
            ready_after: Duration::ZERO,
            said,
            ears,
        }
    }

    /// Waits until it says where it listens.
    pub(crate) fn ready(mut self) -> Self {
        let found = until("the word where it listens", || {
            // What has ended says nothing more.
            let ended = self.child.try_wait().unwrap();
            let found = address_in(&self.said());
            assert!(found.is_some() || ended.is_none(), "{}", self.said());
            found
        });
        self.address = found;
        self.ready_after = self.began.elapsed();
        self
    }

    /// All that it said so far, on both of its outputs.
    pub(crate) fn said(&self) -> String {
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it said `words`, and says how long that took.
    pub(crate) fn hear(&self, words: &str) -> Duration {
        let began = Instant::now();
        until(words, || self.said().contains(words).then_some(()));
        began.elapsed()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and says how it ended and what it said.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = until("the end of the program", || self.child.try_wait().unwrap());
        for ear in self.ears.drain(..) {
            ear.join().unwrap();
        }
        (status, self.said())
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        self.ended()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(from: impl Read + Send + 'static, said: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&line);
            said.push('\n');
        }
    })
}

fn address_in(said: &str) -> Option<SocketAddr> {
    let (_, rest) = said.split_once("data plane   http")?;
    let rest = rest.trim_start_matches('s').strip_prefix("://")?;
    rest.split("/v1").next()?.parse().ok()
}

/// Looks again and again until `found` has something, or fails the test.
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The bytes of a chat call that can be found again by its tag.
pub(crate) fn chat(model: &str, stream: bool, tag: &str) -> Vec<u8> {
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":{stream},\
         \"messages\":[{{\"role\":\"user\",\"content\":\"hi there\"}}]}}"
    );
    let headers = format!("x-tollgate-tags: {tag}\r\nx-sim-id: {tag}\r\n");
    post("/v1/chat/completions", &headers, &body)
}

/// One call on a connection of its own; nothing where the program is not there any more.
pub(crate) fn call(address: SocketAddr, request: &[u8]) -> Option<Reading> {
    Connection::open(address).ok()?.exchange(request).ok()
}

/// Every record of a store, oldest first.
pub(crate) fn records(store: &Path) -> Vec<ExchangeRecord> {
    let mut records = Vec::new();
    let reader = StoreReader::open(store).unwrap();
    let scanned = reader.records(ALWAYS, |record| {
        records.push(record);
        ControlFlow::Continue(())
    });
    assert_eq!(scanned.unwrap().damaged, 0);
    records
}

/// All dates.
pub(crate) const ALWAYS: std::ops::Range<WallTime> = WallTime(0)..WallTime(i64::MAX);

/// Settings with which a test opens a store as the program does.
pub(crate) fn store_settings(path: &Path) -> StoreSettings {
    StoreSettings {
        path: path.to_owned(),
        cache_bytes: 16 << 20,
        keep_records: Duration::from_hours(30 * 24),
        keep_bytes: 2 << 30,
        keep_minutes: Duration::from_hours(7 * 24),
        keep_hours: Duration::from_hours(400 * 24),
        queue_max: 65_536,
    }
}
