//! Reads every sample of the providers' bytes, in every cut, and compares with the manifest.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tollgate::record::{Dialect, End, ErrorClass, FinishReason, Language, Mark, Moment, Oddity};
use tollgate::wire::dialect::errors::{Classified, classify, failover};
use tollgate::wire::dialect::headers::read_headers;
use tollgate::wire::framing::usage_filter::UsageFilter;
use tollgate::wire::observer::{BodyEnd, Expect, Observation, Observer, TokenKind};

struct Sample {
    file: String,
    row: Value,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    cuts: Vec<usize>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire")
}

fn samples() -> Vec<Sample> {
    let manifest = std::fs::read(fixtures().join("manifest.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    let rows = rows.into_iter();
    rows.filter(|row| row["file"] != NOT_READ)
        .map(sample)
        .collect()
}

/// What OpenRouter tells of a call afterwards, where it is asked: no answer of a model, and nothing
/// here asks for it.
const NOT_READ: &str = "openrouter/generation.json";

/// Where the manifest is not followed: (file, what, the manifest's, ours). At Bedrock a model's id
/// that is wrong, or that only an inference profile serves, is a 400: it says that the route is
/// wrong and not the request, so the route waits for a human and another one may answer.
const RULED_OTHERWISE: [(&str, &str, &str, &str); 3] = [
    (
        "bedrock/400_on_demand.http",
        "err",
        "bad_request",
        "not_found",
    ),
    (
        "bedrock/400_validation.http",
        "err",
        "bad_request",
        "not_found",
    ),
    ("bedrock/400_validation.http", "fo", "no", "alert"),
];

fn ruled(file: &str, what: &str, expected: &Value) -> Value {
    let other = RULED_OTHERWISE
        .iter()
        .find(|(of, which, theirs, _)| *of == file && *which == what && expected == theirs);
    other.map_or_else(|| expected.clone(), |(_, _, _, ours)| (*ours).into())
}

fn sample(row: Value) -> Sample {
    let file = row["file"].as_str().unwrap().to_owned();
    let bytes = std::fs::read(fixtures().join(&file)).unwrap();
    let cuts = std::fs::read(fixtures().join(&file).with_extension("cuts.json"))
        .map(|json| serde_json::from_slice::<Value>(&json).unwrap())
        .map(|cuts| cuts["cut_at"].as_array().unwrap().clone())
        .unwrap_or_default()
        .iter()
        .map(|cut| cut.as_u64().unwrap() as usize)
        .collect();
    let (status, headers, body) = if has_extension(&file, "http") {
        response(&bytes)
    } else {
        let content_type = match file.rsplit('.').next() {
            Some("json") => "application/json",
            Some("ndjson") => "application/x-ndjson",
            Some("bin") => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        };
        let headers = [("content-type", content_type)];
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        (200, headers.collect(), bytes)
    };
    Sample {
        file,
        row,
        status,
        headers,
        body,
        cuts,
    }
}

fn has_extension(file: &str, extension: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|found| found == extension)
}

/// A status line, headers, a blank line, a body.
fn response(bytes: &[u8]) -> (u16, HeaderMap, Vec<u8>) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let body = response.parse(bytes).unwrap().unwrap();
    let map = response
        .headers
        .iter()
        .map(|header| {
            let value = http::HeaderValue::from_bytes(header.value).unwrap();
            (header.name.parse().unwrap(), value)
        })
        .collect();
    (response.code.unwrap(), map, bytes[body..].to_vec())
}

impl Sample {
    fn provider(&self) -> &str {
        self.file.split('/').next().unwrap()
    }

    fn dialect(&self) -> Dialect {
        match self.row["dialect"].as_str().unwrap() {
            "anthropic" => Dialect::Anthropic,
            "azure" => Dialect::Azure,
            "gemini" | "vertex" => Dialect::Gemini,
            "bedrock" | "bedrock-invoke" => Dialect::Bedrock,
            _ => Dialect::OpenAi,
        }
    }

    fn language(&self) -> Language {
        match (self.row["dialect"].as_str().unwrap(), self.file.as_str()) {
            ("anthropic", _) => Language::AnthropicMessages,
            ("openai-responses", _) => Language::OpenAiResponses,
            ("gemini" | "vertex", _) => Language::GeminiGenerate,
            ("bedrock", _) => Language::BedrockConverse,
            ("bedrock-invoke", _) => Language::BedrockInvoke,
            ("ollama-native", _) => Language::OllamaNative,
            (_, "openai-chat/legacy_completions.sse") => Language::OpenAiCompletions,
            (_, "openai-chat/embeddings.json") => Language::OpenAiEmbeddings,
            (_, "openai-chat/models.json") => Language::Models,
            _ => Language::OpenAiChat,
        }
    }

    fn is_stream(&self) -> bool {
        self.row["term"].is_string() || self.file == "huggingface/200_router.http"
    }

    fn expect(&self) -> Expect<'_> {
        Expect {
            dialect: self.dialect(),
            provider: self.provider(),
            language: self.language(),
            status: self.status,
            content_type: self
                .headers
                .get("content-type")
                .and_then(|value| value.to_str().ok()),
            content_encoding: None,
            error_type: self
                .headers
                .get("x-amzn-errortype")
                .and_then(|value| value.to_str().ok()),
            stream: self.is_stream(),
            model_asked: None,
            choices: None,
            usage_injected: false,
            event_bytes_max: 4 << 20,
            decoded_bytes_max: 32 << 20,
            started: Some(Moment(0)),
        }
    }

    /// Observes the body in these pieces, all at one moment; what depends on the number of reads
    /// is blanked.
    fn observe<'c>(&self, chunks: impl IntoIterator<Item = &'c [u8]>) -> Observation {
        let mut observer = Observer::new(&self.expect());
        let (mut tokens, mut firsts) = (0, 0);
        for chunk in chunks {
            let seen = observer.chunk(Moment(7), chunk);
            tokens += seen.token_events;
            firsts += u32::from(seen.first_token);
            assert_eq!(seen.failed, observer.failure().is_some(), "{}", self.file);
        }
        let mut observation = observer.end(Moment(9), BodyEnd::Complete);
        // An event without its blank line is seen at the end only.
        assert!(
            tokens <= observation.token_events && firsts <= 1,
            "{}",
            self.file
        );
        if let Some(gaps) = &mut observation.gaps {
            (gaps.token_reads, gaps.burst_permille) = (0, 0);
        }
        observation
    }
}

#[test]
fn every_sample_reads_as_the_manifest_says() {
    let mut findings = Vec::new();
    for sample in samples() {
        let observation = sample.observe(non_empty(&sample.body));
        compare(&sample, &observation, &mut findings);
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn only_what_is_new_is_called_unknown() {
    let unknown = samples().into_iter().filter(|sample| {
        let seen = sample.observe(non_empty(&sample.body));
        seen.oddities.contains(&Oddity::UnknownEvent)
    });
    let files: Vec<String> = unknown.map(|sample| sample.file).collect();
    let made_up = [
        "anthropic/unknown_events.sse",
        "bedrock/converse_odd_headers.bin",
        "vllm/error_old_shape.sse",
    ];
    assert_eq!(files, made_up);
}

fn non_empty(body: &[u8]) -> Option<&[u8]> {
    Some(body).filter(|body| !body.is_empty())
}

fn compare(sample: &Sample, seen: &Observation, findings: &mut Vec<String>) {
    let row = &sample.row;
    let mut check = |key: &str, found: Value| {
        let expected = row.get(key).map(|said| ruled(&sample.file, key, said));
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let file = &sample.file;
            findings.push(format!("{file} {key}: expected {expected}, found {found}"));
        }
    };
    let usage = seen.provider_usage;
    let error = seen.error.as_ref();
    let mid = seen.first_token_index.is_some();
    check(
        "err",
        error.map_or("none", |error| error.class.name()).into(),
    );
    if row["term"].is_string() {
        check("term", term(sample, seen.end).into());
    }
    check("ev", seen.events.into());
    check("ft", seen.first_token_index.into());
    check("fk", seen.first_token_kind.map(kind).into());
    check("fc", seen.first_text_index.into());
    check("inp", usage.input.into());
    check("cach", usage.cached_read.into());
    check("cw", usage.cache_write.into());
    if row["cw1h"].is_u64() {
        check("cw1h", usage.cache_write_1h.into());
    }
    check("out", usage.output.into());
    check("rea", usage.reasoning.into());
    check("fin", seen.finish_word.as_deref().into());
    check("foa", finish(&seen.finish, &row["foa"]).into());
    check("mid", mid.into());
    check(
        "fo",
        error
            .map(|error| failover(error, mid && sample.status == 200).name())
            .into(),
    );
    if let Some(cost) = row["cost"].as_f64() {
        let billed = seen.cost_billed.map(|cost| cost.0);
        let expected = (cost * 1e12).round() as u64;
        check(
            "cost",
            if billed == Some(expected) {
                row["cost"].clone()
            } else {
                billed.into()
            },
        );
    }
    if let Some(expected) = row["lat"].as_f64() {
        let found = latency(sample, seen);
        let near = found.is_some_and(|found| (found - expected).abs() < 1e-6);
        check(
            "lat",
            if near {
                row["lat"].clone()
            } else {
                found.into()
            },
        );
    }
}

fn term(sample: &Sample, end: End) -> &'static str {
    match (end, sample.language()) {
        (End::Complete, Language::AnthropicMessages | Language::BedrockInvoke) => "message_stop",
        (End::Complete, Language::OpenAiResponses) if sample.row["fin"] == "completed" => {
            "response.completed"
        }
        (End::Complete, Language::OpenAiResponses) => "response.incomplete",
        (End::Complete, Language::BedrockConverse) => "metadata",
        // The end of the body is the end that Gemini's streams have.
        (End::Complete, Language::GeminiGenerate) | (End::Unterminated, _) => "eof",
        (End::Complete, _) => "done",
        (End::Truncated, _) => "truncated",
        (End::ErrorEvent, _) => "error",
        (other, _) => other.name(),
    }
}

fn kind(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Reasoning => "reasoning",
        TokenKind::Text => "content",
        TokenKind::Refusal => "refusal",
        TokenKind::Tool => "tool",
        TokenKind::Audio => "audio",
        TokenKind::Image => "image",
    }
}

/// A finish reason that reports a failure has no name at `OpenAI`; the manifest calls it `error` in
/// one place, and nothing in the others.
fn finish(finish: &[FinishReason], expected: &Value) -> Option<&'static str> {
    let first = finish.first()?;
    let named = *first != FinishReason::Error || !expected.is_null();
    Some(first.name()).filter(|_| named)
}

/// The whole time that the provider reports, in milliseconds.
fn latency(sample: &Sample, seen: &Observation) -> Option<f64> {
    let headers = read_headers(&sample.headers);
    let timings = seen.server_timings.iter().chain(&headers.server_timings);
    let spans: Vec<f64> = timings
        .filter(|timing| {
            [
                "time_info.total_time",
                "perf_metrics.server-processing-time",
                "timings.prompt_ms",
                "timings.predicted_ms",
                "metrics.latencyMs",
                "amazon-bedrock-invocationMetrics.invocationLatency",
                "total_duration",
                "x-metrics-e2e-ms",
            ]
            .contains(&timing.source.as_str())
        })
        .map(|timing| timing.span.as_millis())
        .collect();
    (!spans.is_empty()).then(|| spans.iter().sum())
}

#[test]
fn errors_classify_with_their_headers_too() {
    for sample in samples().iter().filter(|sample| sample.status >= 400) {
        let (dialect, provider) = (sample.dialect(), sample.provider());
        let error = classify(
            dialect,
            provider,
            sample.status,
            &sample.headers,
            &sample.body,
        );
        let expected = ruled(&sample.file, "err", &sample.row["err"]);
        assert_eq!(error.class.name(), expected, "{}", sample.file);
        assert_eq!(
            failover(&error, false).name(),
            ruled(&sample.file, "fo", &sample.row["fo"]),
            "{}",
            sample.file
        );
        if let Some(code) = &error.code {
            assert!(
                code.len() <= 64 && !code.contains(' '),
                "{}: {code}",
                sample.file
            );
        }
        assert_eq!(
            sample.observe(non_empty(&sample.body)).error,
            Some(error),
            "{}",
            sample.file
        );
    }
}

/// How a body is cut into chunks: whole, in single bytes, in odd pieces, at the given cuts, and
/// once at every place (of large bodies, at some hundred).
fn for_every_split(sample: &Sample, mut check: impl FnMut(&[&[u8]], &str)) {
    let body = sample.body.as_slice();
    for size in [1, 2, 3, 7, 61, 1021, 16384] {
        let chunks: Vec<&[u8]> = body.chunks(size).collect();
        check(&chunks, &format!("pieces of {size}"));
    }
    let mut pieces = Vec::new();
    let mut rest = body;
    for cut in &sample.cuts {
        let (piece, after) = rest.split_at(cut - (body.len() - rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    check(&pieces, "the cuts");
    let mut places: Vec<usize> = (1..body.len()).collect();
    if body.len() > 4096 {
        let mut random = fastrand::Rng::with_seed(body.len() as u64);
        places = (0..200).map(|_| random.usize(1..body.len())).collect();
    }
    for place in places {
        check(
            &[&body[..place], &body[place..]],
            &format!("cut at {place}"),
        );
    }
}

#[test]
fn every_split_reads_the_same() {
    for sample in samples() {
        let whole = sample.observe(non_empty(&sample.body));
        for_every_split(&sample, |chunks, how| {
            let cut = sample.observe(chunks.iter().copied().filter(|chunk| !chunk.is_empty()));
            assert_eq!(cut, whole, "{} in {how}", sample.file);
        });
    }
}

#[test]
fn the_usage_filter_removes_usage_events_and_nothing_else() {
    let mut removed = 0;
    for sample in samples().iter().filter(|sample| sample.is_stream()) {
        let expected = without_usage(&sample.body);
        removed += usize::from(expected.len() < sample.body.len());
        for_every_split(sample, |chunks, how| {
            let mut filter = UsageFilter::new();
            let mut out = Vec::new();
            for chunk in chunks {
                out.extend(filter.chunk(Bytes::copy_from_slice(chunk)));
            }
            out.extend(filter.end());
            assert!(
                out.iter().all(|piece| !piece.is_empty()),
                "{} in {how}",
                sample.file
            );
            assert!(out.concat() == expected, "{} in {how}", sample.file);
        });
    }
    assert!(removed > 30, "only {removed} samples have a usage event");
}

/// The reference: events by their blank lines, judged through a tree.
fn without_usage(body: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let (mut start, mut line, mut at) = (0, 0, 0);
    while at < body.len() {
        let end = match &body[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => {
                at += 1;
                continue;
            }
        };
        let blank = at == line;
        at += end;
        line = at;
        if blank {
            let event = &body[start..at];
            if !is_usage_only(event) {
                kept.extend_from_slice(event);
            }
            start = at;
        }
    }
    kept.extend_from_slice(&body[start..]);
    kept
}

fn is_usage_only(event: &[u8]) -> bool {
    let text = String::from_utf8_lossy(event);
    let data: Vec<&str> = text
        .trim_start_matches('\u{feff}')
        .split(['\n', '\r'])
        .filter_map(|line| line.strip_prefix("data:"))
        .collect();
    let json: Value = serde_json::from_str(&data.join("\n")).unwrap_or_default();
    let none = json["choices"] == Value::Array(Vec::new()) || json["choices"].is_null();
    // Sources are of the answer, wherever they stand.
    let sources = json["citations"].as_array();
    let sources = sources.is_some_and(|list| !list.is_empty());
    none && !sources
        && json["usage"].is_object()
        && json["error"].is_null()
        && json["type"].is_null()
}

#[test]
fn compressed_streams_read_the_same() {
    use std::io::Write;
    for sample in samples()
        .iter()
        .filter(|sample| sample.is_stream() && sample.status == 200)
    {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&sample.body).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(
            sample.body.as_slice(),
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        let plain = sample.observe(non_empty(&sample.body));
        for (encoding, bytes, late) in [
            ("gzip", gzip.finish().unwrap(), false),
            ("zstd", zstd, true),
        ] {
            let expect = Expect {
                content_encoding: Some(encoding),
                ..sample.expect()
            };
            let mut observer = Observer::new(&expect);
            for chunk in bytes.chunks(100) {
                observer.chunk(Moment(7), chunk);
            }
            let seen = observer.end(Moment(9), BodyEnd::Complete);
            assert_eq!(seen.provider_usage, plain.provider_usage, "{}", sample.file);
            assert_eq!(
                (seen.end, &seen.error),
                (plain.end, &plain.error),
                "{}",
                sample.file
            );
            assert_eq!(seen.events, plain.events, "{}", sample.file);
            // The record says why there are no times.
            let told = seen.oddities.contains(&Oddity::DecodedLate);
            assert_eq!(told, late && plain.streamed, "{}", sample.file);
            let timed = seen.timeline.get(Mark::FirstToken).is_some();
            assert_eq!(
                timed,
                plain.first_token_index.is_some() && !late,
                "{}",
                sample.file
            );
        }
    }
}

/// Says the seed if the test that holds it panics.
struct Seed(u64, String);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} on {}", self.0, self.1);
        }
    }
}

#[test]
fn no_bytes_make_the_observer_panic() {
    let samples = samples();
    let rounds = std::env::var("SEEDS").map_or(4000, |seeds| seeds.parse().unwrap());
    for seed in 0..rounds {
        let mut random = fastrand::Rng::with_seed(seed);
        let sample = &samples[random.usize(..samples.len())];
        let _seed = Seed(seed, sample.file.clone());
        let mut body = sample.body[..sample.body.len().min(20_000)].to_vec();
        mutate(&mut body, &mut random);
        let encodings = [
            None,
            None,
            None,
            Some("gzip"),
            Some("deflate"),
            Some("br"),
            Some("zstd"),
        ];
        let types = [
            None,
            Some("text/event-stream"),
            Some("application/json"),
            Some("text/html"),
        ];
        let expect = Expect {
            language: Language::ALL[random.usize(..Language::ALL.len())],
            status: [200, 200, 200, 429, 503, 302][random.usize(..6)],
            content_encoding: encodings[random.usize(..encodings.len())],
            content_type: types[random.usize(..types.len())],
            event_bytes_max: [10, 300, 1 << 20][random.usize(..3)],
            decoded_bytes_max: [10, 300, 1 << 20][random.usize(..3)],
            ..sample.expect()
        };
        let ends = [
            BodyEnd::Complete,
            BodyEnd::Truncated,
            BodyEnd::Reset,
            BodyEnd::Stalled,
            BodyEnd::ClientGone,
            BodyEnd::CutByLimit,
            BodyEnd::Shutdown,
        ];
        let mut observer = Observer::new(&expect);
        let mut filter = UsageFilter::new();
        let (mut rest, mut forwarded) = (body.as_slice(), 0);
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(random.usize(1..=rest.len().min(999)));
            observer.chunk(Moment(random.u64(..)), chunk);
            let out = filter.chunk(Bytes::copy_from_slice(chunk));
            forwarded += out.iter().map(Bytes::len).sum::<usize>();
            rest = after;
        }
        let _ = observer.end(Moment(random.u64(..)), ends[random.usize(..ends.len())]);
        forwarded += filter.end().map_or(0, |tail| tail.len());
        assert!(forwarded <= body.len());
    }
}

fn mutate(body: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(..8) {
        let at = random.usize(..=body.len());
        match random.u8(..6) {
            0 => body.truncate(at),
            1 => body.insert(at, random.u8(..)),
            2 if at < body.len() => body[at] ^= 1 << random.u8(..8),
            3 => {
                let piece = body[at..(at + random.usize(..400)).min(body.len())].to_vec();
                let to = random.usize(..=body.len());
                body.splice(to..to, piece);
            }
            4 => {
                let words = [
                    "null", "[]", "{}", "\n\n", "\\ud800", "1e999", "-1", "\"\"", "data:",
                ];
                let word = words[random.usize(..words.len())].bytes();
                body.splice(at..at, word);
            }
            _ => {
                let noise: Vec<u8> = (0..random.usize(..64)).map(|_| random.u8(..)).collect();
                body.splice(at..at, noise);
            }
        }
    }
}

#[test]
fn a_class_without_a_body_is_the_statuss() {
    for (status, class) in [
        (302, ErrorClass::Redirect),
        (400, ErrorClass::BadRequest),
        (401, ErrorClass::Auth),
        (402, ErrorClass::Quota),
        (403, ErrorClass::Permission),
        // Nothing says that it is the model.
        (404, ErrorClass::BadRequest),
        (408, ErrorClass::Timeout),
        (409, ErrorClass::BadRequest),
        (413, ErrorClass::PayloadTooLarge),
        (422, ErrorClass::Unprocessable),
        (424, ErrorClass::ServerError),
        (429, ErrorClass::RateLimited),
        (498, ErrorClass::Overloaded),
        (500, ErrorClass::ServerError),
        (502, ErrorClass::ServerError),
        (503, ErrorClass::Overloaded),
        (504, ErrorClass::Timeout),
        (520, ErrorClass::ServerError),
        (524, ErrorClass::Timeout),
        (529, ErrorClass::Overloaded),
    ] {
        let error = classify(Dialect::OpenAi, "", status, &HeaderMap::new(), b"");
        assert_eq!(error, Classified { class, code: None }, "{status}");
    }
}
