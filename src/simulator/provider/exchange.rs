//! Takes one request from its head to the last byte of its answer.

use std::borrow::Cow;

use fastrand::Rng;
use serde_json::Value;

use crate::config::settings::AuthScheme;
use crate::record::{Moment, Nanos, WallTime};
use crate::simulator::truth::{Carried, Credential, OpenTruth, Truth};

use super::answer::{Answer, Making};
use super::asked::Asked;
use super::behaviour::Behaviour;
use super::encoding::{Encoder, gzip_bomb};
use super::endpoints::{Endpoint, Facts, plain_json};
use super::errors::{Problem, rate_headers, retry_headers, shape_at};
use super::fault::Fault;
use super::flow::{Ending, Flow, Timing};
use super::grammar::{self, BadWord};
use super::head::{BodyEnd, Head};
use super::lexicon::mix;
use super::quirks::{Quirks, RateHeaders};
use super::request::{Body, RequestHead, Unreadable, read_body};
use super::script::{Framing, Script, Then};
use super::server::{Persona, Stage};
use super::socket::{Gone, Socket};
use super::transmit::Outlet;
use super::voice::voice;

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It waits for the next request.
    Keep,
    /// It is closed so that the peer sees FIN.
    Close,
    /// It is closed at once: the peer has gone.
    Drop,
    /// It is reset.
    Reset,
    /// Its writing side is closed.
    HalfClose,
}

/// One request being answered.
struct Exchange<'a> {
    stage: &'a Stage,
    persona: &'a Persona,
    socket: &'a mut Socket,
    head: RequestHead,
    endpoint: Endpoint,
    truth: OpenTruth,
    tail: String,
    number: u64,
    place: u32,
    now: WallTime,
    /// When the request was complete.
    start: Moment,
}

/// How this request is to be answered.
struct Part {
    behaviour: Behaviour,
    fault: Option<Fault>,
    timing: Timing,
    seed: u64,
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
    let Some(persona) = stage.persona(head.path()) else {
        return After::Close;
    };
    let endpoint = Endpoint::of(head.path());
    let number = stage.next_exchange();
    let tail = format!("{}-{number}", stage.port);
    let truth = stage.ledger.keep(Truth {
        id: format!("{}{tail}", endpoint.id_prefix()),
        sim_id: head.header("x-sim-id").map(str::to_owned),
        connection,
        place,
        method: head.method.clone(),
        target: head.target.clone(),
        first_byte_at: head.first_byte_at,
        headers: head.headers.iter().map(|(name, _)| name.clone()).collect(),
        credential: credential(&head, &persona.quirks),
        ..Truth::default()
    });
    let start = socket.now();
    let mut exchange = Exchange {
        stage,
        persona,
        socket,
        head,
        endpoint,
        truth,
        tail,
        number,
        place,
        now: stage.clock.wall(),
        start,
    };
    let after = exchange.run().await;
    let now = exchange.socket.now();
    let peer_end = exchange.socket.peer_end;
    let mut truth = exchange.truth.lock();
    truth.finished_at = Some(now);
    truth.peer_end = peer_end;
    after
}

/// Pages about the simulator itself: no truths are kept about them.
fn own_page(stage: &Stage, path: &str) -> Option<(u16, String)> {
    match path {
        "/truth" => Some((200, stage.ledger.index())),
        "/health" => Some((200, "{\"status\":\"ok\"}".to_owned())),
        _ => {
            let truth = stage.ledger.find(path.strip_prefix("/truth/")?);
            let json = truth.map(|truth| (200, truth.json().to_string()));
            Some(json.unwrap_or((404, "{\"error\":\"no such truth\"}".to_owned())))
        }
    }
}

async fn show(
    stage: &Stage,
    socket: &mut Socket,
    head: &RequestHead,
    page: &(u16, String),
) -> After {
    let answer = Head {
        status: page.0,
        content_type: Some("application/json"),
        headers: Vec::new(),
        end: BodyEnd::Length(page.1.len()),
        keep: head.keeps(),
        fault: None,
        size: None,
    };
    let mut bytes = answer.bytes(stage.clock.wall());
    bytes.extend_from_slice(page.1.as_bytes());
    match socket.write_aside(&bytes).await {
        Ok(()) if answer.keep => After::Keep,
        Ok(()) => After::Close,
        Err(_) => After::Drop,
    }
}

fn credential(head: &RequestHead, quirks: &Quirks) -> Credential {
    // Besides the persona's own header, the two that SDKs of either family send are looked at.
    let own = quirks.auth.header();
    let mut names = own
        .into_iter()
        .chain(["authorization", "x-api-key", "api-key", "x-goog-api-key"]);
    let found = names.find_map(|name| head.header(name).map(|value| (name, value)));
    Credential {
        header: found.map(|(name, _)| name),
        matched: quirks
            .key
            .as_ref()
            .map(|_| found.is_some_and(|(name, value)| quirks.accepts(name, value))),
    }
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
        let asked = match self.read_asked(&body) {
            Ok(asked) => asked,
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
        if let Some(problem) = self.objection(&asked) {
            return self.fail(&problem).await;
        }
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
        let keep = self.endpoint.reads_json();
        let most = self.stage.body_bytes_max;
        let body = read_body(self.socket, length, keep, most).await?;
        self.start = self.socket.now();
        let mut truth = self.truth.lock();
        truth.received_at = Some(self.start);
        truth.request_bytes = body.length;
        drop(truth);
        Ok(body)
    }

    fn read_asked(&self, body: &Body) -> Result<Asked, Problem> {
        let generates = matches!(
            self.endpoint,
            Endpoint::Generate(_) | Endpoint::Embeddings | Endpoint::CountTokens
        );
        let mut asked = if self.endpoint.reads_json() && !body.bytes.is_empty() {
            Asked::read(&body.bytes).map_err(|error| {
                let message = format!("We could not parse the JSON body of your request: {error}");
                Problem::new(400, "invalid_json", message)
            })?
        } else {
            Asked {
                choices: 1,
                ..Asked::default()
            }
        };
        if asked.model.is_none() {
            // Azure names the model in the path.
            let deployment = self.head.path().split_once("/deployments/");
            let name = deployment.and_then(|(_, rest)| rest.split('/').next());
            asked.model = name.map(str::to_owned);
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
            self.endpoint,
            Endpoint::Generate(
                crate::record::Language::OpenAiChat | crate::record::Language::OpenAiCompletions
            )
        ) {
            asked.choices = 1;
        }
        let mut truth = self.truth.lock();
        truth.model.clone_from(&asked.model);
        truth.stream = asked.stream;
        drop(truth);
        Ok(asked)
    }

    /// The behaviour of this request: the model's own, overridden by path, header and name.
    fn behaviour(&self, model: Option<&str>) -> Result<Behaviour, BadWord> {
        let mut behaviour = self.persona.behaviour_of(model.unwrap_or("")).clone();
        let places = [
            grammar::words(self.head.path()),
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
    fn length(&self, behaviour: &Behaviour, default: u64) -> Nanos {
        let mut rng = Rng::with_seed(self.stage.seed ^ self.number);
        behaviour
            .fault_for
            .map_or(Nanos(default), |delay| delay.draw(&mut rng))
    }

    /// What a provider objects to before any fault is played.
    fn objection(&self, asked: &Asked) -> Option<Problem> {
        let matched = self.truth.lock().credential.matched;
        if matched == Some(false) && self.persona.quirks.auth != AuthScheme::None {
            return Some(Problem::of_status(401));
        }
        if self.endpoint == Endpoint::Unknown {
            let message = format!("Invalid URL ({} {})", self.head.method, self.head.path());
            return Some(Problem::new(404, "unknown_url", message));
        }
        let model = asked.model.as_deref().unwrap_or("");
        if model.contains("missing") && grammar::words(model).is_none() {
            let message = format!("The model `{model}` does not exist or you do not have access.");
            return Some(Problem::new(404, "model_not_found", message));
        }
        None
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

    /// Answers with one of the kinds of answer.
    async fn answer(&mut self, asked: &Asked, part: Part, length: u64) -> After {
        if let Some(after) = self.answer_status(&part).await {
            return after;
        }
        let after = match self.endpoint.clone() {
            Endpoint::Generate(language) => {
                let making = Making {
                    language,
                    tail: self.tail.clone(),
                    created: self.now.as_secs(),
                    behaviour: &part.behaviour,
                    quirks: &self.persona.quirks,
                    fault: part.fault,
                    seed: part.seed,
                };
                let answer = Answer::new(asked, making);
                self.truth.lock().tokens = answer.tokens();
                if asked.stream {
                    self.answer_stream(answer, part).await
                } else {
                    self.answer_whole(&answer, part).await
                }
            }
            Endpoint::Speech => self.answer_speech(part).await,
            _ => self.answer_plain(asked, part, length).await,
        };
        after.unwrap_or(After::Drop)
    }

    async fn answer_stream(&mut self, answer: Answer, part: Part) -> Result<After, Gone> {
        let fault = part.fault;
        let head_due = part.timing.head;
        let mut flow = Flow::new(answer, &part.behaviour, part.timing);
        if let Some(Fault::LengthShort | Fault::LengthLong | Fault::TwoLengths) = fault {
            let mut body = Vec::new();
            while let super::flow::Act::Event { .. } = flow.next(&mut body) {}
            return self
                .send_body("text/event-stream", &body, head_due, &part.behaviour, fault)
                .await;
        }
        let close = matches!(
            fault,
            Some(Fault::CloseDelimited | Fault::CloseDelimitedNoDone | Fault::Http10)
        );
        let end = if close {
            BodyEnd::Close
        } else {
            BodyEnd::Chunked
        };
        let head = self.good_head(
            "text/event-stream; charset=utf-8",
            end,
            &part.behaviour,
            fault,
        );
        let now = self.now;
        let mut outlet = self.outlet(&part.behaviour, fault);
        outlet.head(&head, head_due, now).await?;
        if let Some(after) = after_headers(fault) {
            return Ok(after);
        }
        Ok(match outlet.flow(&mut flow).await? {
            Ending::Reset => After::Reset,
            Ending::Cut => After::Close,
            Ending::Complete => self.after(&part.behaviour, fault, head.keep).await,
        })
    }

    async fn answer_whole(&mut self, answer: &Answer, part: Part) -> Result<After, Gone> {
        let body = voice(answer.language).whole(answer);
        let mut timing = part.timing;
        let strokes = answer.strokes().min(1 << 20);
        // A whole answer is ready when the last token of its stream would be.
        let gaps = (1..strokes).fold(0_u64, |sum, _| sum.saturating_add(timing.gap().0));
        let due = Nanos(timing.first.0.saturating_add(gaps));
        self.send_body("application/json", &body, due, &part.behaviour, part.fault)
            .await
    }

    async fn answer_plain(
        &mut self,
        asked: &Asked,
        part: Part,
        length: u64,
    ) -> Result<After, Gone> {
        let models = self.persona.model_ids();
        let facts = Facts {
            asked,
            quirks: &self.persona.quirks,
            tail: &self.tail,
            created: self.now.as_secs(),
            seed: part.seed,
            body_bytes: length,
            models: &models,
        };
        let json = plain_json(&self.endpoint, &facts).unwrap_or(Value::Null);
        let due = part.timing.first;
        let body = json.to_string();
        self.send_body(
            "application/json",
            body.as_bytes(),
            due,
            &part.behaviour,
            part.fault,
        )
        .await
    }

    /// Binary sound in as many pieces as there are tokens.
    async fn answer_speech(&mut self, part: Part) -> Result<After, Gone> {
        let behaviour = &part.behaviour;
        let mut timing = part.timing;
        let head = self.good_head("audio/mpeg", BodyEnd::Chunked, behaviour, part.fault);
        let now = self.now;
        let size = behaviour.token_bytes.unwrap_or(1024);
        let mut outlet = self.outlet(behaviour, part.fault);
        outlet.head(&head, timing.head, now).await?;
        let mut due = timing.first;
        for token in 0..behaviour.tokens {
            let mut piece = vec![0xff, 0xfb];
            piece.resize(size.max(2), (token % 251) as u8);
            outlet.event(&piece, Carried::tokens(token, 1), due).await?;
            due = Nanos(due.0 + timing.gap().0);
        }
        outlet.finish().await?;
        Ok(self.after(behaviour, part.fault, head.keep).await)
    }

    /// Sends a body whose length is known, and lets the faults of such bodies strike.
    async fn send_body(
        &mut self,
        content_type: &'static str,
        body: &[u8],
        due: Nanos,
        behaviour: &Behaviour,
        fault: Option<Fault>,
    ) -> Result<After, Gone> {
        let body = encode(body, behaviour, fault);
        let end = match fault {
            Some(Fault::CloseDelimited | Fault::CloseDelimitedNoDone | Fault::Http10) => {
                BodyEnd::Close
            }
            Some(fault) if by_chunks(fault) => BodyEnd::Chunked,
            _ => BodyEnd::Length(body.len()),
        };
        let head = self.good_head(content_type, end, behaviour, fault);
        let now = self.now;
        let stall = self.length(behaviour, 1_000_000_000);
        let no_body = self.head.method == "HEAD";
        let mut outlet = self.outlet(behaviour, fault);
        let half = body.len() / 2;
        let halves = match fault {
            Some(Fault::ResetMid) => Some(After::Reset),
            Some(Fault::CloseMid | Fault::PartialEvent | Fault::EndMid) => Some(After::Close),
            Some(Fault::StallMid) => None,
            Some(Fault::ResetAfterHeaders | Fault::CloseAfterHeaders) => {
                outlet.head(&head, due, now).await?;
                return Ok(after_headers(fault).unwrap_or(After::Close));
            }
            Some(fault) if by_chunks(fault) || fault == Fault::Drip => {
                outlet.head(&head, due, now).await?;
                return self.send_pieces(&body, due, behaviour, fault, head).await;
            }
            _ => {
                let body: &[u8] = if no_body { &[] } else { &body };
                let carried = Carried::WHOLE.and(Carried::DONE);
                outlet.at_once(&head, body, due, now, carried).await?;
                let keep = head.keep && fault != Some(Fault::LengthLong);
                return Ok(self.after(behaviour, fault, keep).await);
            }
        };
        outlet
            .at_once(&head, &body[..half], due, now, Carried::PART)
            .await?;
        if let Some(after) = halves {
            return Ok(after);
        }
        let due = Nanos(due.0 + stall.0);
        outlet.wait(due).await?;
        let carried = Carried::WHOLE.and(Carried::DONE);
        outlet.raw(&body[half..], carried, Some(due)).await?;
        Ok(self.after(behaviour, fault, head.keep).await)
    }

    /// Sends a body of known length piece by piece, after its head.
    async fn send_pieces(
        &mut self,
        body: &[u8],
        due: Nanos,
        behaviour: &Behaviour,
        fault: Fault,
        head: Head,
    ) -> Result<After, Gone> {
        let mut outlet = self.outlet(behaviour, Some(fault));
        outlet.resume(head.end);
        let (first, rest) = body.split_at(body.len() / 2);
        outlet.event(first, Carried::PART, due).await?;
        let spoilt: Option<&[u8]> = match fault {
            Fault::ChunkBadHex => Some(b"xyz\r\n{"),
            Fault::ChunkOverflow => Some(b"fffffffffffffffffff\r\n{"),
            Fault::ChunkNoCrLf => Some(b"1\r\n{1\r\n}"),
            _ => None,
        };
        if let Some(spoilt) = spoilt {
            outlet.raw(spoilt, Carried::RAW, None).await?;
            return Ok(After::Close);
        }
        outlet
            .event(rest, Carried::WHOLE.and(Carried::DONE), due)
            .await?;
        outlet.finish().await?;
        Ok(self.after(behaviour, Some(fault), head.keep).await)
    }

    /// Answers with a status, if that is what the fault asks for.
    async fn answer_status(&mut self, part: &Part) -> Option<After> {
        let fault = part.fault?;
        let behaviour = &part.behaviour;
        let code = behaviour.fault_code;
        let due = part.timing.head;
        let (status, content_type, body): (u16, _, Cow<'_, [u8]>) = match fault {
            Fault::HttpHtml => (code.unwrap_or(502), Some("text/html"), HTML.into()),
            Fault::HtmlIn200 => (200, Some("text/html"), HTML.into()),
            Fault::HttpEmpty => (code.unwrap_or(500), None, b"".into()),
            Fault::HttpLarge => {
                let size = behaviour.fault_size.unwrap_or(5_000_000);
                (
                    code.unwrap_or(500),
                    Some("application/json"),
                    large_error(size).into(),
                )
            }
            Fault::Redirect => (code.unwrap_or(302), None, b"".into()),
            _ => {
                let problem = Problem::of_fault(fault, behaviour)?;
                let json = self.problem_json(&problem);
                let status = if fault == Fault::ErrorIn200 {
                    200
                } else {
                    problem.status
                };
                (status, Some("application/json"), json.into_bytes().into())
            }
        };
        let mut head = self.good_head("", BodyEnd::Length(body.len()), behaviour, None);
        head.status = status;
        head.content_type = content_type;
        if let Some(problem) = Problem::of_fault(fault, behaviour) {
            problem.headers(self.shape(), &mut head.headers);
        }
        retry_headers(fault, behaviour.retry_after, self.now, &mut head.headers);
        if fault == Fault::Redirect {
            let location = "http://127.0.0.1:9/elsewhere".to_owned();
            head.headers.push(("location".into(), location));
        }
        Some(
            self.send_status(head, &body, due, behaviour)
                .await
                .unwrap_or(After::Drop),
        )
    }

    async fn send_status(
        &mut self,
        head: Head,
        body: &[u8],
        due: Nanos,
        behaviour: &Behaviour,
    ) -> Result<After, Gone> {
        let now = self.now;
        let body = if self.head.method == "HEAD" {
            &[]
        } else {
            body
        };
        let mut outlet = self.outlet(behaviour, None);
        outlet
            .at_once(&head, body, due, now, Carried::ERROR)
            .await?;
        Ok(if head.keep { After::Keep } else { After::Close })
    }

    /// Answers a problem at once, and closes: the body may not have been read.
    async fn fail(&mut self, problem: &Problem) -> After {
        let body = self.problem_json(problem);
        let behaviour = Behaviour::default();
        let end = BodyEnd::Length(body.len());
        let mut head = self.good_head("application/json", end, &behaviour, None);
        head.status = problem.status;
        let complete = self.truth.lock().received_at.is_some();
        head.keep = head.keep && complete;
        problem.headers(self.shape(), &mut head.headers);
        let sent = self
            .send_status(head, body.as_bytes(), Nanos(0), &behaviour)
            .await;
        sent.unwrap_or(After::Drop)
    }

    async fn answer_early(&mut self, behaviour: &Behaviour) -> After {
        self.truth.lock().fault = Some(Fault::EarlyResponse.name());
        let problem = Problem::of_fault(Fault::EarlyResponse, behaviour);
        self.fail(&problem.unwrap_or_else(|| Problem::of_status(413)))
            .await
    }

    fn problem_json(&self, problem: &Problem) -> String {
        problem.json(self.shape(), &self.tail).to_string()
    }

    fn shape(&self) -> crate::config::settings::ErrorShape {
        shape_at(self.endpoint.language(), &self.persona.quirks)
    }

    /// The head of a good answer.
    fn good_head(
        &self,
        content_type: &'static str,
        end: BodyEnd,
        behaviour: &Behaviour,
        fault: Option<Fault>,
    ) -> Head {
        let quirks = &self.persona.quirks;
        let mut headers = Vec::with_capacity(12);
        let anthropic = quirks.rate_headers == RateHeaders::Anthropic;
        let name = if anthropic {
            "request-id"
        } else {
            "x-request-id"
        };
        headers.push((name.to_owned(), format!("req_sim-{}", self.tail)));
        if quirks.rate_headers == RateHeaders::Durations {
            headers.push(("openai-processing-ms".into(), "7".into()));
            headers.push(("openai-version".into(), "2020-10-01".into()));
        }
        let limited = matches!(
            fault,
            Some(Fault::RateLimit | Fault::RateLimitDate | Fault::RateLimitMillis)
        );
        let wait = behaviour.retry_after;
        rate_headers(quirks.rate_headers, limited, wait, self.now, &mut headers);
        if let Some(coding) = fault.and_then(Encoder::name) {
            headers.push(("content-encoding".into(), coding.into()));
        }
        let ends = end == BodyEnd::Close || fault == Some(Fault::Http10);
        Head {
            status: 200,
            content_type: Some(content_type),
            headers,
            end,
            keep: self.head.keeps() && !ends,
            fault,
            size: behaviour.fault_size,
        }
    }

    fn outlet(&mut self, behaviour: &Behaviour, fault: Option<Fault>) -> Outlet<'_> {
        let drip = self.length(behaviour, 1_000_000);
        Outlet::new(
            self.socket,
            &self.truth,
            self.start,
            behaviour,
            &self.persona.quirks,
            fault,
            drip,
        )
    }

    /// What becomes of the connection after a complete answer.
    async fn after(&mut self, behaviour: &Behaviour, fault: Option<Fault>, keep: bool) -> After {
        match fault {
            Some(Fault::CloseAfterAnswer | Fault::ResetAfterAnswer) => {
                let due = self.socket.now().plus(self.length(behaviour, 0));
                if self.socket.wait(due).await.is_err() {
                    return After::Drop;
                }
                if fault == Some(Fault::ResetAfterAnswer) {
                    After::Reset
                } else {
                    After::Close
                }
            }
            Some(Fault::HalfClose) => After::HalfClose,
            Some(Fault::LengthLong | Fault::FakeUpgrade | Fault::BadStatusLine) => After::Close,
            _ if keep => After::Keep,
            _ => After::Close,
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

const HTML: &[u8] = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>simulator</center>\r\n</body>\r\n</html>\r\n";

fn large_error(size: usize) -> Vec<u8> {
    let mut body =
        br#"{"error":{"type":"server_error","param":null,"code":"large","message":""#.to_vec();
    body.resize(size.max(body.len() + 3) - 3, b'e');
    body.extend_from_slice(b"\"}}");
    body
}

/// Faults for which a whole body goes out in chunks.
const fn by_chunks(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::TinyChunks
            | Fault::ChunkBadHex
            | Fault::ChunkOverflow
            | Fault::ChunkNoCrLf
            | Fault::ChunkExtension
            | Fault::Trailers
            | Fault::LengthAndChunked
    )
}

const fn after_headers(fault: Option<Fault>) -> Option<After> {
    match fault {
        Some(Fault::ResetAfterHeaders) => Some(After::Reset),
        Some(Fault::CloseAfterHeaders) => Some(After::Close),
        _ => None,
    }
}

/// The body in the coding that the fault asks for.
fn encode<'a>(body: &'a [u8], behaviour: &Behaviour, fault: Option<Fault>) -> Cow<'a, [u8]> {
    if fault == Some(Fault::GzipBomb) {
        return gzip_bomb(behaviour.fault_size.unwrap_or(1 << 30)).into();
    }
    let Some(mut encoder) = Encoder::of(fault) else {
        return body.into();
    };
    let mut encoded = encoder.push(body);
    if fault != Some(Fault::GzipTruncated) {
        encoded.extend(encoder.finish());
    }
    encoded.into()
}
