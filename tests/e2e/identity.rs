//! What the provider wrote is what the client reads, byte for byte, however it was cut.

use bytes::Bytes;
use fastrand::Rng;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tollgate::proxy::inband::{Broken, error_event};
use tollgate::record::{ErrorClass, Language, Nanos, Outcome, TokenSource};
use tollgate::simulator::bare::{Connection, ReadEnd, Reading};
use tollgate::simulator::{Framing, Script, Then};

use crate::support::samples::{NATIVE, Sample, samples};
use crate::support::{Ask, Rig};

/// Samples up to this size are cut at every byte.
const SMALL: usize = 1024;
/// Samples up to this size are sent byte by byte; of larger ones so many bytes.
const EVERY_BYTE: usize = 4096;
/// Cuts of larger ones.
const DRAWN_CUTS: usize = 200;
/// Cuts in the framings whose pieces only the reads tell apart.
const READ_CUTS: usize = 6;
const SEED: u64 = 0x7011_6a7e;

/// One client that asks for one sample after another.
struct Pusher<'a> {
    rig: &'a Rig,
    /// The model's name, which is the script's.
    model: String,
    connection: Connection,
}

impl<'a> Pusher<'a> {
    fn new(rig: &'a Rig, number: usize) -> Self {
        let connection = rig.connect();
        Self {
            rig,
            model: format!("replay-{number}"),
            connection,
        }
    }

    /// Plays `body` in these pieces, and gives what the client read.
    fn push(&mut self, sample: &Sample, provider: &str, cuts: &[usize], how: How) -> Reading {
        let mut script = Script::cut("", &sample.body, cuts, how.gap);
        script.head = sample.head().into();
        script.framing = how.framing;
        script.then = if how.framing == Framing::Close {
            Then::Fin
        } else {
            Then::KeepAlive
        };
        self.rig.simulator.play(&self.model, script);
        let ask = sample.ask(provider, &self.model);
        let reading = self.connection.exchange(&ask.bytes()).unwrap();
        if reading.header("connection") == Some("close") {
            self.connection = self.rig.connect();
        }
        reading
    }

    /// The same, and the client must read `expected`.
    fn check(&mut self, sample: &Sample, expected: &[u8], cuts: &[usize], how: How) {
        let provider = how.provider.unwrap_or(sample.provider);
        let reading = self.push(sample, provider, cuts, how);
        let place = || format!("{} {how:?} cut at {cuts:?}", sample.file);
        assert_eq!(reading.status, sample.status, "{}", place());
        assert_eq!(reading.end, ReadEnd::Complete, "{}", place());
        let told = told(sample, &reading);
        assert_same(&reading.body, &[expected, told.as_bytes()].concat(), place);
        if how.framing == Framing::Chunked && how.provider.is_none() {
            // Each piece leaves as it came: none is merged with the next.
            let pieces = cuts
                .iter()
                .filter(|cut| (1..expected.len()).contains(cut))
                .count()
                + 1;
            assert!(reading.chunks >= pieces.min(expected.len()), "{}", place());
        }
    }
}

/// What of ours follows a sample that ends in the middle, where its framing leaves room for it:
/// nothing else tells its client that it is not whole.
fn told(sample: &Sample, reading: &Reading) -> String {
    let language = match sample.file.as_str() {
        "openai-chat/truncated_before_token.sse"
        | "openai-chat/truncated_mid_event.sse"
        | "openai-chat/truncated_no_finish.sse"
        // Its server says no word of the error that it met.
        | "ollama/compat_swallowed_error.sse" => Language::OpenAiChat,
        "openai-responses/truncated.sse" => Language::OpenAiResponses,
        "anthropic/truncated.sse" => Language::AnthropicMessages,
        _ => return String::new(),
    };
    if reading.header("content-length").is_some() {
        return String::new();
    }
    error_event(language, Broken::Fault(ErrorClass::Truncated))
}

#[derive(Debug, Clone, Copy)]
struct How {
    framing: Framing,
    gap: Nanos,
    provider: Option<&'static str>,
}

impl How {
    const CHUNKED: Self = Self {
        framing: Framing::Chunked,
        gap: Nanos(0),
        provider: None,
    };

    const fn read(framing: Framing) -> Self {
        Self {
            framing,
            gap: Nanos(1_000_000),
            provider: None,
        }
    }

    const fn to(self, provider: &'static str) -> Self {
        Self {
            provider: Some(provider),
            ..self
        }
    }
}

/// By SHA-256, and where they part.
fn assert_same(read: &[u8], written: &[u8], place: impl Fn() -> String) {
    if digest(&SHA256, read).as_ref() == digest(&SHA256, written).as_ref() {
        return;
    }
    let at = read
        .iter()
        .zip(written)
        .take_while(|(read, written)| read == written)
        .count();
    let near = |bytes: &[u8]| {
        let range = at.saturating_sub(20)..(at + 40).min(bytes.len());
        String::from_utf8_lossy(bytes.get(range).unwrap_or_default()).into_owned()
    };
    panic!(
        "{}: {} bytes read, {} written, first difference at {at}: read {:?}, written {:?}",
        place(),
        read.len(),
        written.len(),
        near(read),
        near(written)
    );
}

/// The positions at which a body is cut, one at a time.
fn cuts_of(body: &Bytes, rng: &mut Rng) -> Vec<usize> {
    if body.len() <= SMALL {
        (1..body.len()).collect()
    } else {
        (0..DRAWN_CUTS).map(|_| rng.usize(1..body.len())).collect()
    }
}

/// Runs `work` on each sample, two clients at a time.
fn on_each(samples: &[Sample], work: impl Fn(&mut Pusher<'_>, &Sample, &mut Rng) + Sync) {
    println!("seed {SEED:#x}");
    let rig = Rig::configured(NATIVE);
    std::thread::scope(|scope| {
        for client in 0..2 {
            let (rig, work) = (&rig, &work);
            scope.spawn(move || {
                let mut pusher = Pusher::new(rig, client);
                for (number, sample) in samples.iter().enumerate() {
                    if number % 2 == client {
                        work(
                            &mut pusher,
                            sample,
                            &mut Rng::with_seed(SEED ^ number as u64),
                        );
                        drop(rig.records.take());
                    }
                }
            });
        }
    });
}

fn streams() -> Vec<Sample> {
    samples().into_iter().filter(Sample::is_stream).collect()
}

#[test]
fn chunked_streams_cut_anywhere() {
    on_each(&streams(), |pusher, sample, rng| {
        for cut in cuts_of(&sample.body, rng) {
            pusher.check(sample, &sample.body, &[cut], How::CHUNKED);
        }
    });
}

#[test]
fn streams_byte_by_byte() {
    on_each(&streams(), |pusher, sample, rng| {
        let every: Vec<usize> = if sample.body.len() <= EVERY_BYTE {
            (1..sample.body.len()).collect()
        } else {
            // So many writes of one byte would only measure the machine.
            let from = rng.usize(1..sample.body.len() - EVERY_BYTE);
            (from..from + EVERY_BYTE).collect()
        };
        for framing in [Framing::Chunked, Framing::ContentLength, Framing::Close] {
            let how = How {
                framing,
                ..How::CHUNKED
            };
            pusher.check(sample, &sample.body, &every, how);
        }
    });
}

#[test]
fn streams_of_other_framings_cut_by_reads() {
    on_each(&streams(), |pusher, sample, rng| {
        for framing in [Framing::ContentLength, Framing::Close] {
            for _ in 0..READ_CUTS.min(sample.body.len()) {
                let cut = rng.usize(0..sample.body.len());
                pusher.check(sample, &sample.body, &[cut], How::read(framing));
            }
        }
    });
}

#[test]
fn whole_answers_and_errors_keep_status_headers_and_bytes() {
    let whole: Vec<Sample> = samples()
        .into_iter()
        .filter(|sample| !sample.is_stream())
        .collect();
    on_each(&whole, |pusher, sample, _| {
        let stays = [
            "set-cookie",
            "alt-svc",
            "strict-transport-security",
            "openai-organization",
        ];
        for framing in [Framing::Chunked, Framing::ContentLength, Framing::Close] {
            let how = How {
                framing,
                ..How::CHUNKED
            };
            pusher.check(sample, &sample.body, &[sample.body.len() / 2], how);
            let reading = pusher.push(sample, sample.provider, &[], how);
            for (name, value) in &sample.headers {
                let expected = (!stays.contains(&name.as_str())).then_some(value.as_str());
                assert_eq!(reading.header(name), expected, "{} {name}", sample.file);
            }
        }
    });
}

#[test]
fn with_usage_injected_exactly_the_usage_event_is_gone() {
    let chat = ["/v1/chat/completions", "/v1/completions"];
    let samples: Vec<Sample> = streams()
        .into_iter()
        .filter(|sample| chat.contains(&sample.path))
        .collect();
    let removed = samples
        .iter()
        .filter(|s| without_usage(&s.body).len() < s.body.len())
        .count();
    assert!(removed > 20, "only {removed} samples have a usage event");
    on_each(&samples, |pusher, sample, rng| {
        let provider = if sample.provider == "/oa" {
            "/inj"
        } else {
            sample.provider
        };
        let expected = without_usage(&sample.body);
        let cuts = cuts_of(&sample.body, rng);
        // Where nothing is to be taken out, a few cuts are enough.
        let step = if expected.len() < sample.body.len() {
            1
        } else {
            1 + cuts.len() / 50
        };
        for cut in cuts.into_iter().step_by(step) {
            pusher.check(sample, &expected, &[cut], How::CHUNKED.to(provider));
        }
        if sample.body.len() <= EVERY_BYTE {
            let every: Vec<usize> = (1..sample.body.len()).collect();
            pusher.check(sample, &expected, &every, How::CHUNKED.to(provider));
        }
        for framing in [Framing::ContentLength, Framing::Close] {
            let cut = rng.usize(0..=sample.body.len());
            pusher.check(sample, &expected, &[cut], How::read(framing).to(provider));
        }
    });
}

/// A body without its usage-only events, found by a second, naive reader of the whole.
fn without_usage(body: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut from = 0;
    while let Some(to) = event_end(body, from) {
        if !is_usage_only(&body[from..to]) {
            kept.extend_from_slice(&body[from..to]);
        }
        from = to;
    }
    kept.extend_from_slice(&body[from..]);
    kept
}

/// The first place after `from` that follows a blank line.
fn event_end(body: &[u8], from: usize) -> Option<usize> {
    let ends = [&b"\r\n"[..], b"\n", b"\r"];
    let end_at = |at: usize| {
        ends.iter()
            .find(|end| body[at..].starts_with(end))
            .map(|e| e.len())
    };
    let mut line = from;
    let mut at = from;
    while at < body.len() {
        match end_at(at) {
            None => at += 1,
            Some(length) if at == line => return Some(at + length),
            Some(length) => {
                at += length;
                line = at;
            }
        }
    }
    None
}

fn is_usage_only(event: &[u8]) -> bool {
    let text = String::from_utf8_lossy(event);
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| data.strip_prefix(' ').unwrap_or(data))
        .collect();
    serde_json::from_str::<Value>(&data.join("\n")).is_ok_and(|json| {
        // Sources are of the answer, wherever they stand.
        let sources = json["citations"].as_array();
        json["choices"].as_array().is_some_and(Vec::is_empty)
            && json["usage"].is_object()
            && sources.is_none_or(Vec::is_empty)
    })
}

#[test]
fn compressed_bodies_pass_as_they_are_and_their_usage_is_read() {
    let rig = Rig::start();
    for coding in ["gzip", "deflate", "brotli", "zstd"] {
        for stream in [true, false] {
            // The simulator compresses; what it sent is then replayed, to be compared.
            let model = format!("sim:n-7:fault-{coding}");
            let ask = Ask::chat_with_usage(&model).with(&serde_json::json!({"stream": stream}));
            let ask = ask.header(
                "authorization",
                &format!("Bearer {}", crate::support::rig::KEY),
            );
            let mut direct = Connection::open(rig.simulator.addr()).unwrap();
            let original = direct.exchange(&ask.clone().to("").bytes()).unwrap();
            let encoding = original.header("content-encoding").unwrap().to_owned();
            let kind = original.header("content-type").unwrap().to_owned();
            let body = Bytes::from(original.body);
            for cut in (1..body.len()).step_by(1 + body.len() / 40) {
                let mut script = Script::cut("", &body, &[cut], Nanos(0));
                script.head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: {encoding}"
                )
                .into();
                let replay = format!("replay-{coding}-{stream}-{cut}");
                rig.simulator.play(&replay, script);
                // Out of a compressed stream nothing is taken, and for that none of it is held.
                let injected = Ask::chat(&replay, stream).to("/inj");
                let asked =
                    Ask::chat_with_usage(&replay).with(&serde_json::json!({"stream": stream}));
                for (ask, source) in [
                    (asked, TokenSource::Usage),
                    (injected, TokenSource::UsageInjected),
                ] {
                    let reading = rig.send(&ask);
                    let place =
                        || format!("{coding}, {}, stream {stream}, cut at {cut}", ask.target());
                    assert_same(&reading.body, &body, place);
                    assert_eq!(reading.header("content-encoding"), Some(encoding.as_str()));
                    assert!(reading.chunks > 1, "{}: pieces were held", place());
                    let record = rig.record(&ask);
                    assert_eq!(record.outcome, Outcome::Ok, "{}", place());
                    assert_eq!(record.tokens.usage.output, Some(7), "{}", place());
                    let source = if stream { source } else { TokenSource::Usage };
                    assert_eq!(record.tokens.source, Some(source), "{}", place());
                }
            }
        }
    }
}

/// Claude as it is asked at Vertex AI: the model in the path, the version in the body. Anthropic
/// itself wants both elsewhere.
#[test]
fn a_call_in_vertex_s_shape_goes_to_anthropic_in_its_own() {
    let rig = Rig::start();
    let models = "/v1/projects/p/locations/eu/publishers/anthropic/models";
    let said = serde_json::json!({
        "anthropic_version": "vertex-2023-10-16",
        "messages": [{"role": "user", "content": "hi there"}],
    });
    for (verb, stream) in [
        ("sim:n-4:rawPredict", false),
        ("sim:n-4:streamRawPredict", true),
    ] {
        // The path says it too, and not every client repeats it.
        for body in [
            serde_json::json!({"max_tokens": 100, "stream": stream}),
            serde_json::json!({"max_tokens": 100}),
        ] {
            let ask = Ask::post(&format!("{models}/{verb}"), &said).to("/an");
            let (reading, record, truth) = rig.exchange(&ask.with(&body));
            assert_eq!(reading.status, 200, "{verb}: {}", reading.text());
            assert!(truth.target.ends_with("/v1/messages"), "{}", truth.target);
            assert_eq!(truth.model.as_deref(), Some("sim:n-4"));
            assert_eq!(record.outcome, Outcome::Ok, "{verb}");
            assert_eq!(reading.text().contains("event: message_stop"), stream);
        }
    }
    let ask = Ask::post(&format!("{models}/count-tokens:rawPredict"), &said).to("/an");
    let ask = ask.with(&serde_json::json!({"model": "sim:n-4"}));
    let reading = rig.send(&ask);
    assert_eq!(reading.status, 200, "{}", reading.text());
}
