//! Makes the calls of one preset and judges each by the simulator's truth and the record.

use std::fmt::Write as _;

use serde_json::json;
use tollgate::config::presets::Preset;
use tollgate::config::settings::{Keepalive, UsagePlace};
use tollgate::record::{Dialect, ErrorClass, ExchangeRecord, Language, Mark, Outcome, TokenSource};
use tollgate::simulator::bare::Reading;
use tollgate::simulator::provider::RateHeaders;
use tollgate::simulator::{Behaviour, Carried, Config, Persona, Quirks, Truth};

use crate::places::Place;
use crate::support::{Ask, Rig};
use crate::to;

/// The configured credential.
pub(crate) const KEY: &str = "sk-CANARY-PRESET";
/// What clients send for credentials of their own.
pub(crate) const FOREIGN: &str = "sk-CANARY-CLIENT";
/// What the simulated answers say they used, in the words of the model's name.
const USED: &str = "in-1234:out-56:cached-7";
/// Waits long enough for keep-alives, then sends six tokens.
const MODEL: &str = "sim:ft-90ms:ka-15ms:gap-2ms:n-6";
const TOKENS: u64 = 6;

/// What was seen of one preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Where the counts of a plain call came from.
    pub(crate) plain: String,
    /// Where those of a stream came from, asked for or not.
    pub(crate) streamed: String,
    /// What kept the stream alive.
    pub(crate) keepalive: &'static str,
    /// The classes of the errors.
    pub(crate) errors: String,
}

/// A simulator that plays the preset below its own path, and somebody who takes no credential
/// everywhere else.
pub(crate) fn playing(preset: &Preset, place: &Place) -> Config {
    let quirks = Quirks::of_preset(preset).with_key(KEY);
    Config {
        personas: vec![Persona::new(quirks, Behaviour::default()).at(place.path())],
        ..Config::default()
    }
}

/// A call in the preset's own language.
pub(crate) fn chat_of(preset: &Preset, model: &str, stream: bool) -> Ask {
    match preset.speaks[0] {
        Language::AnthropicMessages => Ask::messages(model, stream),
        Language::GeminiGenerate => {
            let said = json!([{"role": "user", "parts": [{"text": "hi there"}]}]);
            let path = format!("/v1beta/models/{model}:{}", google_verb(stream));
            Ask::post(&path, &json!({ "contents": said }))
        }
        Language::BedrockConverse => {
            let said = json!([{"role": "user", "content": [{"text": "hi there"}]}]);
            let path = format!("/model/{model}/{}", bedrock_verb(stream));
            Ask::post(&path, &json!({ "messages": said }))
        }
        Language::OllamaNative => {
            let said = json!([{"role": "user", "content": "hi there"}]);
            let body = json!({"model": model, "stream": stream, "messages": said});
            Ask::post("/api/chat", &body)
        }
        _ => Ask::chat(model, stream),
    }
}

const fn google_verb(stream: bool) -> &'static str {
    if stream {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    }
}

const fn bedrock_verb(stream: bool) -> &'static str {
    if stream {
        "converse-stream"
    } else {
        "converse"
    }
}

/// The same with credentials that are none of the provider's business.
pub(crate) fn foreign(ask: Ask) -> Ask {
    let bearer = format!("Bearer {FOREIGN}");
    ask.header("authorization", &bearer)
        .header("x-api-key", FOREIGN)
        .header("api-key", FOREIGN)
        .header("x-goog-api-key", FOREIGN)
        .header("proxy-authorization", &bearer)
        .header("cookie", FOREIGN)
}

/// Every call of one preset.
pub(crate) fn all(rig: &Rig, preset: &Preset, place: &Place) -> Seen {
    let subject = Subject { rig, preset, place };
    let plain = subject.good(&subject.ask(false));
    let left_open = subject.good(&subject.ask(true));
    subject.check_keepalives(&left_open);
    let mut streamed = stream_cell(&left_open.1);
    let refuses = preset.refuses.iter().any(|field| field == "stream_options");
    if preset.speaks[0] == Language::OpenAiChat && !refuses {
        let options = json!({"stream_options": {"include_usage": true}});
        let asked = subject.good(&subject.ask(true).with(&options));
        assert_eq!(
            asked.1.tokens.source,
            Some(TokenSource::Usage),
            "{}",
            place.name()
        );
        if left_open.1.tokens.source == Some(TokenSource::Chunks) {
            streamed.push_str("; `usage` where the client asks");
        }
    }
    Seen {
        plain: source_name(&plain.1),
        streamed,
        keepalive: keepalive_name(preset.traits.keepalive),
        errors: subject.errors(),
    }
}

struct Subject<'a> {
    rig: &'a Rig,
    preset: &'a Preset,
    place: &'a Place,
}

type Call = (Reading, ExchangeRecord, Truth);

impl Subject<'_> {
    fn ask(&self, stream: bool) -> Ask {
        let model = format!("{MODEL}:{USED}");
        foreign(to(chat_of(self.preset, &model, stream), self.place))
    }

    /// A call that goes well.
    fn good(&self, ask: &Ask) -> Call {
        let call = self.rig.exchange(ask);
        let (reading, record, truth) = &call;
        let name = self.place.name();
        assert_eq!(reading.status, 200, "{name}: {}", reading.text());
        self.check_request(truth);
        assert_eq!(truth.credential.matched, Some(true), "{name}");
        self.check_record(record, 200, Outcome::Ok);
        let stream = record.request.stream;
        assert_eq!(record.attempts[0].error_class, None, "{name}");
        assert_eq!(stream, truth.stream, "{name}");
        let own = self.preset.traits.inject_usage && !asks(ask) && stream;
        assert_eq!(record.request.usage_injected, own, "{name}");
        self.check_tokens(record, asks(ask));
        call
    }

    /// What reached the provider.
    fn check_request(&self, truth: &Truth) {
        let name = self.place.name();
        let base = self.place.path();
        let (model, stream) = (truth.model.as_deref().unwrap(), truth.stream);
        let google = || format!("google/models/{model}:{}", google_verb(stream));
        let path = match (self.place.preset, self.preset.speaks[0]) {
            ("vertex-anthropic", _) if stream => format!("{base}/{model}:streamRawPredict"),
            ("vertex-anthropic", _) => format!("{base}/{model}:rawPredict"),
            ("gemini", _) => format!("/v1beta/models/{model}:{}", google_verb(stream)),
            (_, Language::GeminiGenerate) => format!("{base}/publishers/{}", google()),
            (_, Language::BedrockConverse) => {
                format!("{base}/model/{model}/{}", bedrock_verb(stream))
            }
            (_, Language::OllamaNative) => "/api/chat".to_owned(),
            (_, Language::AnthropicMessages) => format!("{base}/v1/messages"),
            _ => format!("{base}/chat/completions"),
        };
        let target = format!("{path}{}", self.place.query());
        assert_eq!(truth.target, target, "{name}");
        assert_eq!(truth.method, "POST", "{name}");
        let own = self.preset.traits.auth.header();
        assert_eq!(truth.credential.header, own, "{name}");
        let credentials = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
        let sent: Vec<_> = truth
            .headers
            .iter()
            .map(String::as_str)
            .filter(|header| credentials.contains(header))
            .collect();
        assert_eq!(sent, own.into_iter().collect::<Vec<_>>(), "{name}");
        for (header, _) in &self.preset.headers {
            assert!(truth.headers.contains(header), "{name}: {header}");
        }
        for header in ["cookie", "proxy-authorization", "x-tollgate-tags"] {
            assert!(
                !truth.headers.iter().any(|h| h == header),
                "{name}: {header}"
            );
        }
    }

    fn check_record(&self, record: &ExchangeRecord, status: u16, outcome: Outcome) {
        let name = self.place.name();
        assert_eq!(record.language, self.preset.speaks[0], "{name}");
        assert_eq!(
            (record.status, record.outcome),
            (Some(status), outcome),
            "{name}"
        );
        assert_eq!(record.attempts.len(), 1, "{name}");
        let attempt = &record.attempts[0];
        assert_eq!(attempt.kind, self.preset.traits.kind, "{name}");
        // Azure says where it answered.
        let azure = self.preset.traits.dialect == Dialect::Azure;
        let region = azure.then_some("Sweden Central").or(self.place.region);
        assert_eq!(attempt.region.as_deref(), region, "{name}");
        assert_eq!(attempt.status, Some(status), "{name}");
        assert!(
            !attempt.client_credential && attempt.credential.is_some(),
            "{name}"
        );
        // A refusal says at least when to come again, but at Bedrock and Vertex AI.
        let tells = Quirks::of_preset(self.preset).rate_headers != RateHeaders::None;
        let silent = match record.language {
            Language::BedrockConverse => true,
            Language::GeminiGenerate => self.place.preset != "gemini",
            _ => false,
        };
        let kept = !attempt.rate_limits.is_empty();
        let expected = tells || (status == 429 && !silent);
        assert_eq!(kept, expected, "{name}: {status}");
    }

    /// The provider's numbers wherever it told them; else what was counted, and so named.
    fn check_tokens(&self, record: &ExchangeRecord, asked: bool) {
        let name = self.place.name();
        let (usage, source) = (record.tokens.usage, record.tokens.source);
        let traits = &self.preset.traits;
        let told = !record.request.stream
            || asked
            || traits.inject_usage
            || traits.usage_place != UsagePlace::OwnChunkOnRequest
            || record.language != Language::OpenAiChat;
        if !told {
            assert_eq!((usage.input, usage.output), (None, Some(TOKENS)), "{name}");
            assert_eq!(source, Some(TokenSource::Chunks), "{name}");
            return;
        }
        let counts = (usage.input, usage.cached_read, usage.output);
        // An Ollama tells of no cache.
        let cached = (record.language != Language::OllamaNative).then_some(7);
        assert_eq!(counts, (Some(1234), cached, Some(56)), "{name}");
        let own = if record.request.usage_injected {
            TokenSource::UsageInjected
        } else {
            TokenSource::Usage
        };
        assert_eq!(source, Some(own), "{name}");
    }

    /// Keep-alives came before the first token, and none was taken for one.
    fn check_keepalives(&self, (_, record, truth): &Call) {
        let name = self.place.name();
        let alive = truth.at(Carried::KEEPALIVE);
        let expected = self.preset.traits.keepalive != Keepalive::None;
        assert_eq!(alive.is_some(), expected, "{name}");
        let first = truth.token_at(0).unwrap();
        if let Some(alive) = alive {
            assert!(
                alive < first,
                "{name}: no keep-alive came before the first token"
            );
        }
        let attempt = &record.attempts[0];
        let marked = attempt.timeline.get(Mark::FirstToken).unwrap();
        assert!(marked >= first, "{name}: the first token before its write");
        let counted = attempt
            .gaps
            .as_ref()
            .map(|gaps| u64::from(gaps.token_events));
        assert_eq!(counted, Some(TOKENS), "{name}");
    }

    fn errors(&self) -> String {
        let preset = self.preset;
        let wrong = chat_of(preset, "sim", false).to("/wrong");
        let limited = to(chat_of(preset, "sim:fault-rate_limit", true), self.place);
        let missing = to(chat_of(preset, "missing-model", false), self.place);
        // TGI says 429 where its queue is full: that heals faster than a limit of the caller's.
        let busy = match self.place.preset {
            "tgi" => (ErrorClass::Overloaded, Outcome::UpstreamError),
            _ => (ErrorClass::RateLimited, Outcome::RateLimited),
        };
        // The statuses of the documentation, which lie both ways: the class must not.
        let wrong_status = match self.place.preset {
            "gemini" | "gemini-openai" | "xai" => 400,
            "bedrock" | "bedrock-openai" | "bedrock-mantle" => 403,
            _ => 401,
        };
        let missing_status = match self.place.preset {
            "bedrock" | "bedrock-openai" | "bedrock-mantle" | "openrouter" | "huggingface" => 400,
            _ => 404,
        };
        let mut cell = String::new();
        for (ask, status, class, outcome) in [
            (wrong, wrong_status, ErrorClass::Auth, Outcome::ClientError),
            (limited, 429, busy.0, busy.1),
            (
                missing,
                missing_status,
                ErrorClass::NotFound,
                Outcome::ClientError,
            ),
        ] {
            let ask = foreign(ask);
            let (reading, record, truth) = self.rig.exchange(&ask);
            let name = format!("{}: {status}", self.place.name());
            assert_eq!(reading.status, status, "{name}: {}", reading.text());
            self.check_request(&truth);
            let matched = class != ErrorClass::Auth;
            assert_eq!(truth.credential.matched, Some(matched), "{name}");
            self.check_record(&record, status, outcome);
            assert_eq!(record.attempts[0].error_class, Some(class), "{name}");
            let comma = if cell.is_empty() { "" } else { ", " };
            write!(cell, "{comma}{status} `{}`", class.name()).unwrap();
        }
        cell
    }
}

/// Whether the client itself asks for usage.
fn asks(ask: &Ask) -> bool {
    memchr::memmem::find(ask.json(), b"include_usage").is_some()
}

fn stream_cell(record: &ExchangeRecord) -> String {
    match record.tokens.source {
        Some(TokenSource::UsageInjected) => "ok, `usage` asked for by Tollgate".to_owned(),
        Some(TokenSource::Usage) => "ok, `usage` unasked".to_owned(),
        _ => "ok, chunks counted".to_owned(),
    }
}

fn source_name(record: &ExchangeRecord) -> String {
    match record.tokens.source {
        Some(TokenSource::Usage) => "ok, `usage`".to_owned(),
        other => format!("{other:?}"),
    }
}

const fn keepalive_name(keepalive: Keepalive) -> &'static str {
    match keepalive {
        Keepalive::None => "none",
        Keepalive::Comment => "`: comment`",
        Keepalive::BareComment => "`:`",
        Keepalive::PingEvent => "`event: ping`",
    }
}
