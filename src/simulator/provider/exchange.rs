//! Takes one request from its head to the last byte of its answer.

use fastrand::Rng;
use serde_json::Value;

use crate::record::{Language, Moment, Nanos, WallTime};
use crate::simulator::truth::Truth;

use super::asked::{Asked, ends_with_result, media_of, of_converse, of_gemini, of_ollama};
use super::auth::judge;
use super::behaviour::Behaviour;
use super::check::{self, Counter};
use super::endpoints::{Address, Cloud, Endpoint};
use super::errors::Problem;
use super::fault::Fault;
use super::grammar::{self, BadWord};
use super::ledger::OpenTruth;
use super::lexicon::mix;
use super::pages::{own_page, show};
use super::request::{Body, RequestHead, Unreadable, read_body};
use super::script::{Framing, Script, Then};
use super::socket::{After, Gone, Socket};
use super::stage::{Persona, Stage};
use super::timing::Timing;

/// Bodies larger than this are not looked through.
const CHECKED_BYTES_MAX: usize = 32 << 20;

/// One request being answered.
pub(super) struct Exchange<'a> {
    pub(super) stage: &'a Stage,
    pub(super) persona: &'a Persona,
    pub(super) socket: &'a mut Socket,
    pub(super) head: RequestHead,
    pub(super) address: Address,
    pub(super) truth: OpenTruth,
    pub(super) tail: String,
    pub(super) number: u64,
    pub(super) place: u32,
    pub(super) now: WallTime,
    /// When the request was complete.
    pub(super) start: Moment,
    /// Why its credential is not taken.
    refused: Option<Problem>,
}

/// How this request is to be answered.
pub(super) struct Part {
    pub(super) behaviour: Behaviour,
    pub(super) fault: Option<Fault>,
    pub(super) timing: Timing,
    pub(super) seed: u64,
}

/// Serves one request.
pub(super) async fn serve(
    stage: &Stage,
    socket: &mut Socket,
    head: RequestHead,
    connection: u64,
    place: u32,
) -> After {
    if let Some(json) = own_page(stage, head.path()) {
        return show(stage, socket, &head, &json).await;
    }
    let persona = stage.persona(head.path());
    let address = Address::of(&head.target);
    let number = stage.next_exchange();
    let tail = format!("{}-{number}", stage.port);
    let now = stage.clock.wall();
    // A signature covers the body too: it is judged again when that is there.
    let judged = judge(&head, &[], &address, &persona.quirks, now);
    let truth = stage.ledger.keep(Truth {
        id: format!("{}{tail}", address.endpoint.id_prefix()),
        sim_id: head.header("x-sim-id").map(str::to_owned),
        connection,
        place,
        method: head.method.clone(),
        target: head.target.clone(),
        first_byte_at: head.first_byte_at,
        headers: head.headers.iter().map(|(name, _)| name.clone()).collect(),
        credential: judged.credential,
        ..Truth::default()
    });
    let start = socket.now();
    let mut exchange = Exchange {
        stage,
        persona,
        socket,
        head,
        address,
        truth,
        tail,
        number,
        place,
        now,
        start,
        refused: judged.problem,
    };
    let after = exchange.run().await;
    let now = exchange.socket.now();
    let peer_end = exchange.socket.peer_end;
    let mut truth = exchange.truth.lock();
    truth.finished_at = Some(now);
    truth.peer_end = peer_end;
    truth.writes.shrink_to_fit();
    after
}

impl Exchange<'_> {
    async fn run(&mut self) -> After {
        let early = self.behaviour(None);
        if let Ok(behaviour) = &early
            && behaviour
                .faults
                .iter()
                .any(|(fault, _)| *fault == Fault::EarlyResponse)
        {
            return self.answer_early(&behaviour.clone()).await;
        }
        let body = match self.read_body().await {
            Ok(body) => body,
            Err(Unreadable::Gone) => return After::Drop,
            Err(Unreadable::TooLarge) => return self.fail(&Problem::of_status(413)).await,
            Err(Unreadable::Malformed) => return self.fail(&Problem::of_status(400)).await,
        };
        if self.manner().native {
            let quirks = &self.persona.quirks;
            let judged = judge(&self.head, &body.bytes, &self.address, quirks, self.now);
            self.truth.lock().credential = judged.credential;
            self.refused = judged.problem;
        }
        let (mut asked, tree) = match self.read_asked(&body) {
            Ok(read) => read,
            Err(problem) => return self.fail(&problem).await,
        };
        let length = body.length;
        drop(body);
        self.socket.shrink();
        if let Some(script) = self.stage.script(asked.model.as_deref(), self.head.path()) {
            return self.play(&script).await;
        }
        let behaviour = match self.behaviour(asked.model.as_deref()) {
            Ok(behaviour) => behaviour,
            Err(BadWord(word)) => {
                let message = format!("unknown word in the simulator's grammar: {word}");
                return self
                    .fail(&Problem::new(400, "bad_simulator_word", message))
                    .await;
            }
        };
        let part = self.part(behaviour);
        self.truth.lock().fault = part.fault.map(Fault::name);
        if let Some(problem) = self.objection(&asked, &tree) {
            return self.fail(&problem).await;
        }
        let told = part.behaviour.key.as_ref();
        asked.known = told.and_then(|key| key.answer(&tree, part.behaviour.right, part.seed));
        drop(tree);
        if let Some(after) = self.before_any_byte(&part).await {
            return after;
        }
        Box::pin(self.answer(&asked, part, length)).await
    }

    /// Reads the body, and notes when it was complete.
    async fn read_body(&mut self) -> Result<Body, Unreadable> {
        if self.head.expects_continue() {
            self.socket
                .write_aside(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await?;
        }
        let length = self.head.body_length()?;
        let keep = self.address.endpoint.reads_json();
        let most = self.stage.body_bytes_max;
        let body = read_body(self.socket, length, keep, most).await?;
        self.start = self.socket.now();
        let mut truth = self.truth.lock();
        truth.received_at = Some(self.start);
        truth.request_bytes = body.length;
        drop(truth);
        Ok(body)
    }

    fn read_asked(&self, body: &Body) -> Result<(Asked, Value), Problem> {
        let endpoint = &self.address.endpoint;
        let generates = matches!(
            endpoint,
            Endpoint::Generate(_)
                | Endpoint::Embeddings
                | Endpoint::CountTokens(_)
                | Endpoint::GeminiEmbeddings { .. }
        );
        let unreadable = |error: String| {
            let message = format!("We could not parse the JSON body of your request: {error}");
            Problem::new(400, "invalid_json", message)
        };
        let json = endpoint.reads_json() && !body.bytes.is_empty();
        let mut tree = Value::Null;
        if generates && json && body.bytes.len() <= CHECKED_BYTES_MAX {
            tree = serde_json::from_slice(&body.bytes)
                .map_err(|error| unreadable(error.to_string()))?;
        }
        let mut asked = match endpoint.language() {
            Language::GeminiGenerate => of_gemini(&tree),
            Language::BedrockConverse => of_converse(&tree),
            Language::OllamaNative => of_ollama(&tree),
            _ if json => Asked::read(&body.bytes).map_err(unreadable)?,
            _ => Asked {
                choices: 1,
                ..Asked::default()
            },
        };
        asked.media = media_of(&tree);
        asked.tool_answered = ends_with_result(&tree);
        if let Some(model) = &self.address.model {
            // A deployment stands in for a model that the body does not name.
            let named = self.address.cloud == Cloud::Azure && asked.model.is_some();
            if !named {
                asked.model = Some(model.clone());
            }
            asked.stream |= self.address.stream;
        }
        if generates && self.head.method != "POST" {
            return Err(Problem::new(
                405,
                "method_not_allowed",
                "Not allowed to use this method",
            ));
        }
        if generates && asked.model.is_none() {
            let message = "you must provide a model parameter";
            return Err(Problem::new(400, "missing_model", message));
        }
        if !matches!(
            endpoint.language(),
            Language::OpenAiChat | Language::OpenAiCompletions | Language::GeminiGenerate
        ) {
            asked.choices = 1;
        }
        let mut truth = self.truth.lock();
        truth.model.clone_from(&asked.model);
        truth.stream = asked.stream;
        drop(truth);
        Ok((asked, tree))
    }

    /// The behaviour of this request: the model's own, overridden by path, header and name.
    fn behaviour(&self, model: Option<&str>) -> Result<Behaviour, BadWord> {
        let mut behaviour = self.persona.behaviour_of(model.unwrap_or("")).clone();
        let path = self.head.path();
        let before_model = path.get(..self.address.before_model).unwrap_or(path);
        let places = [
            grammar::words(before_model),
            self.head
                .header("x-sim")
                .map(|words| words.strip_prefix("sim:").unwrap_or(words)),
            model.and_then(grammar::words),
        ];
        for words in places.into_iter().flatten() {
            grammar::apply(words, &mut behaviour)?;
        }
        Ok(behaviour)
    }

    fn part(&self, behaviour: Behaviour) -> Part {
        let seed = behaviour
            .seed
            .unwrap_or_else(|| mix(self.stage.seed ^ self.number << 20));
        let mut rng = Rng::with_seed(seed);
        let fault = behaviour.draw_fault(self.now, &mut rng);
        // Faults of a reused connection are none on a fresh one.
        let fault = fault.filter(|fault| {
            self.place > 0 || !matches!(fault, Fault::ResetReused | Fault::CloseReused)
        });
        let factor = behaviour.factor(self.now);
        let mut timing = Timing::new(&behaviour, factor, rng);
        if fault == Some(Fault::StallHeaders) {
            let stall = self.length(&behaviour, 1_000_000_000);
            timing.head = Nanos(timing.head.0 + stall.0);
            timing.first = Nanos(timing.first.0 + stall.0);
        }
        Part {
            behaviour,
            fault,
            timing,
            seed,
        }
    }

    /// What `for` says, or else that many nanoseconds.
    pub(super) fn length(&self, behaviour: &Behaviour, default: u64) -> Nanos {
        let mut rng = Rng::with_seed(self.stage.seed ^ self.number);
        behaviour
            .fault_for
            .map_or(Nanos(default), |delay| delay.draw(&mut rng))
    }

    /// What a provider objects to before any fault is played.
    fn objection(&self, asked: &Asked, tree: &Value) -> Option<Problem> {
        if let Some(problem) = &self.refused {
            return Some(problem.clone());
        }
        if self.address.endpoint == Endpoint::Unknown {
            let message = format!("Invalid URL ({} {})", self.head.method, self.head.path());
            return Some(Problem::new(404, "unknown_url", message));
        }
        let azure = self.address.cloud == Cloud::Azure;
        if azure && !self.head.target.contains("api-version=") {
            return Some(Problem::of_missing_version());
        }
        let model = asked.model.as_deref().unwrap_or("");
        if model.contains("missing") && grammar::words(model).is_none() {
            return Some(Problem::of_missing_model(&self.manner().owner, model));
        }
        if tree.is_null() {
            return None;
        }
        let counter = self.counter();
        let vertex = self.address.cloud == Cloud::Vertex;
        let endpoint = &self.address.endpoint;
        if let Some(fields) = check::extra_fields(endpoint, tree, &self.manner().owner) {
            return Some(Problem::of_extra_fields(&fields));
        }
        let objection = check::objection(endpoint, tree, model, vertex, counter)?;
        Some(Problem::new(400, "invalid_value", objection.message))
    }

    /// Where Claude is asked.
    fn counter(&self) -> Counter {
        match self.address.endpoint.language() {
            Language::BedrockInvoke => return Counter::Bedrock,
            _ if self.address.model.is_some() => return Counter::Vertex,
            _ => {}
        }
        let version = self.head.header("anthropic-version").unwrap_or("");
        Counter::Anthropic {
            // Versions are dates: they sort as they stand.
            refuses_sampling: version >= "2026-10-21",
        }
    }

    async fn before_any_byte(&mut self, part: &Part) -> Option<After> {
        match part.fault? {
            Fault::ResetBeforeHeaders | Fault::ResetReused => {
                let due = self.start.plus(part.timing.head);
                Some(
                    self.socket
                        .wait(due)
                        .await
                        .map_or(After::Drop, |()| After::Reset),
                )
            }
            Fault::CloseBeforeHeaders | Fault::CloseReused => {
                let due = self.start.plus(part.timing.head);
                Some(
                    self.socket
                        .wait(due)
                        .await
                        .map_or(After::Drop, |()| After::Close),
                )
            }
            _ => None,
        }
    }

    async fn play(&mut self, script: &Script) -> After {
        let behaviour = Behaviour::default();
        let mut outlet = self.outlet(&behaviour, None);
        match outlet.play(script).await {
            Err(Gone) => After::Drop,
            Ok(()) => match (script.then, script.framing) {
                (Then::Reset, _) => After::Reset,
                (Then::KeepAlive, Framing::Chunked | Framing::ContentLength | Framing::AsGiven) => {
                    After::Keep
                }
                (Then::Fin, _) | (Then::KeepAlive, Framing::Close) => After::Close,
            },
        }
    }
}
