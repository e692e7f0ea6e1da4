//! Whatever is no inference passes both ways unread and unbuffered, and is recorded as plain.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bytes::Bytes;
use serde_json::Value;
use tollgate::record::{Language, Mark, Moment, Nanos, Outcome};
use tollgate::simulator::bare::ReadEnd;
use tollgate::simulator::{Framing, Script, Then};

use crate::support::records::until;
use crate::support::{Ask, Rig};

/// A status with a body, as a script.
fn script(status: &str, kind: &str, body: &Bytes) -> Script {
    let mut script = Script::cut(kind, body, &[body.len() / 3, body.len() / 2], Nanos(0));
    script.head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nx-own: yes\r\nserver-timing: cdn;dur=23.2"
    )
    .into();
    script
}

#[test]
fn an_upload_streams_and_none_of_it_waits_here() {
    let rig = Rig::start();
    let size = 5 << 20;
    let mut form = b"--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n".to_vec();
    form.extend((0..size).map(|n: u32| (n % 251) as u8));
    form.extend_from_slice(b"\r\n--b--\r\n");
    for length in [Some(form.len()), None] {
        let ask =
            Ask::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=b");
        let mut connection = rig.connect();
        let mut socket: TcpStream = connection.socket().try_clone().unwrap();
        let send = |socket: &mut TcpStream, bytes: &[u8]| {
            if length.is_none() {
                socket
                    .write_all(format!("{:x}\r\n", bytes.len()).as_bytes())
                    .unwrap();
            }
            socket.write_all(bytes).unwrap();
            if length.is_none() {
                socket.write_all(b"\r\n").unwrap();
            }
        };
        socket.write_all(&ask.head(length)).unwrap();
        let (first, second) = form.split_at(form.len() / 2);
        send(&mut socket, first);
        // The provider has it before the client has sent the rest.
        until("the upload's first half", || {
            rig.simulator
                .truth(&ask.tag)
                .filter(|truth| truth.received_at.is_none())
        });
        send(&mut socket, second);
        if length.is_none() {
            socket.write_all(b"0\r\n\r\n").unwrap();
        }
        let reading = connection.read(Moment(0), false, usize::MAX);
        assert_eq!(reading.status, 200, "{}", reading.text());
        let json: Value = serde_json::from_slice(&reading.body).unwrap();
        assert_eq!(json["bytes"], form.len());
        let (record, truth) = (rig.record(&ask), rig.truth(&ask));
        assert_eq!(truth.request_bytes, form.len() as u64);
        assert_eq!(record.request.bytes, form.len() as u64);
        assert_eq!(
            (record.language, record.outcome),
            (Language::Plain, Outcome::Ok)
        );
        assert_eq!(record.endpoint.as_str(), "/v1/files");
        assert_eq!(record.model, None);
    }
}

#[test]
fn a_binary_download_is_the_same_bytes() {
    let rig = Rig::start();
    let mut rng = fastrand::Rng::with_seed(5);
    let body: Bytes = std::iter::repeat_with(|| rng.u8(..))
        .take(3_000_000)
        .collect();
    for framing in [Framing::Chunked, Framing::ContentLength, Framing::Close] {
        let mut sound = script("200 OK", "audio/mpeg", &body);
        sound.framing = framing;
        if framing == Framing::Close {
            sound.then = Then::Fin;
        }
        rig.simulator.play("/v1/audio/speech", sound);
        let ask = Ask::post(
            "/v1/audio/speech",
            &serde_json::json!({"model": "tts", "input": "a"}),
        );
        let reading = rig.send(&ask);
        assert_eq!(
            (reading.status, reading.end),
            (200, ReadEnd::Complete),
            "{framing:?}"
        );
        assert!(
            reading.body == body,
            "{framing:?}: {} bytes",
            reading.body.len()
        );
        assert_eq!(reading.header("x-own"), Some("yes"));
        // The provider's own timings stand untouched beside ours.
        let head = String::from_utf8_lossy(&reading.head).to_lowercase();
        let timings: Vec<&str> = head
            .split("\r\n")
            .filter_map(|line| line.strip_prefix("server-timing: "))
            .collect();
        assert_eq!(timings.len(), 2, "{head}");
        assert!(timings.contains(&"cdn;dur=23.2"), "{head}");
        let record = rig.record(&ask);
        assert_eq!(
            (record.language, record.outcome),
            (Language::Plain, Outcome::Ok)
        );
        assert_eq!(record.response_bytes, body.len() as u64);
        let timeline = &record.attempts[0].timeline;
        assert!(timeline.get(Mark::FirstByte).is_some() && timeline.get(Mark::Done).is_some());
        assert_eq!(timeline.get(Mark::FirstToken), None);
    }
}

#[test]
fn methods_paths_and_queries_pass_as_they_are() {
    let rig = Rig::start();
    let body = Bytes::from_static(b"{\"a\":1}");
    let empty = Bytes::new();
    rig.simulator.play(
        "/v1/files/file-1",
        script("204 No Content", "text/plain", &empty),
    );
    rig.simulator.play(
        "/v1/files/file-2",
        script("200 OK", "application/json", &body),
    );
    rig.simulator.play(
        "/v1/vector stores",
        script("200 OK", "application/json", &body),
    );
    rig.simulator.play(
        "/v1/threads/t1/runs",
        script("202 Accepted", "application/json", &body),
    );
    rig.simulator.play(
        "/v1/cached",
        script("304 Not Modified", "text/plain", &empty),
    );
    for (method, path, status, body, endpoint) in [
        ("DELETE", "/v1/files/file-1", 204, &empty, "/v1/files"),
        ("GET", "/v1/files/file-2", 200, &body, "/v1/files"),
        (
            "PUT",
            "/v1/threads/t1/runs?a=b&c=%20d&e=%2F",
            202,
            &body,
            "/v1/threads",
        ),
        ("PATCH", "/v1/threads/t1/runs", 202, &body, "/v1/threads"),
        ("GET", "/v1/cached", 304, &empty, "other"),
    ] {
        let ask = Ask::new(method, path);
        let mut connection = rig.connect();
        let reading = connection.exchange(&ask.bytes()).unwrap();
        assert_eq!(
            (reading.status, reading.end),
            (status, ReadEnd::Complete),
            "{method} {path}"
        );
        assert!(
            reading.body == **body,
            "{method} {path}: {}",
            reading.text()
        );
        let (record, truth) = (rig.record(&ask), rig.truth(&ask));
        assert_eq!(
            (truth.method.as_str(), truth.target.as_str()),
            (method, path)
        );
        assert_eq!(
            (record.language, record.endpoint.as_str()),
            (Language::Plain, endpoint)
        );
        assert_eq!(record.status, Some(status));
        assert_eq!(record.outcome, Outcome::Ok, "{method} {path}");
        // The connection is in order for the next.
        let next = Ask::new("GET", "/v1/files");
        assert_eq!(
            connection.exchange(&next.bytes()).unwrap().status,
            200,
            "after {path}"
        );
    }
}

#[test]
fn heads_have_no_body_and_lists_are_had() {
    let rig = Rig::start();
    let mut connection = rig.connect();
    for (method, path) in [
        ("HEAD", "/v1/files"),
        ("GET", "/v1/files"),
        ("HEAD", "/v1/batches"),
    ] {
        let ask = Ask::new(method, path);
        let reading = connection.exchange(&ask.bytes()).unwrap();
        assert_eq!(
            (reading.status, reading.end),
            (200, ReadEnd::Complete),
            "{method} {path}"
        );
        assert_eq!(reading.body.is_empty(), method == "HEAD", "{method} {path}");
        let record = rig.record(&ask);
        assert_eq!(
            (record.language, record.outcome),
            (Language::Plain, Outcome::Ok),
            "{method} {path}"
        );
    }
}

#[test]
fn an_unknown_path_is_the_providers_to_refuse() {
    let rig = Rig::start();
    let ask = Ask::post("/v1/not/there?x=1&y", &serde_json::json!({"model": "sim"}));
    let (reading, record, truth) = rig.exchange(&ask);
    assert_eq!(
        (reading.status, truth.target.as_str()),
        (404, "/v1/not/there?x=1&y")
    );
    assert_eq!(reading.header("x-proxy-error"), None);
    assert_eq!(
        (record.language, record.outcome),
        (Language::Plain, Outcome::ClientError)
    );
    // Of what nobody knows no name is kept: a client could make up any number of them.
    assert_eq!(record.endpoint.as_str(), "other");
}

#[test]
fn what_must_not_travel_stays_and_the_rest_arrives() {
    let rig = Rig::start();
    let ask = Ask::chat("sim:n-1", true)
        .header("user-agent", "OpenAI/Python 3")
        .header("x-stainless-lang", "python")
        .header("openai-beta", "assistants=v2")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .header("authorization", "Bearer sk-CANARY-CLIENT")
        .header("cookie", "a=b")
        .header("x-forwarded-for", "1.2.3.4")
        .header("connection", "keep-alive, x-named")
        .header("x-named", "1")
        .header("x-tollgate-session", "s");
    let (reading, record, truth) = rig.exchange(&ask);
    assert_eq!(reading.status, 200, "{}", reading.text());
    let has = |name: &str| {
        truth
            .headers
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    };
    for name in [
        "user-agent",
        "x-stainless-lang",
        "openai-beta",
        "traceparent",
        "authorization",
    ] {
        assert!(has(name), "{name} did not arrive");
    }
    for name in [
        "cookie",
        "x-forwarded-for",
        "x-named",
        "x-tollgate-session",
        "x-tollgate-tags",
    ] {
        assert!(!has(name), "{name} arrived");
    }
    // The configured key went, not the client's.
    assert_eq!(truth.credential.matched, Some(true));
    assert!(!record.attempts[0].client_credential);
    assert!(record.trace.is_some() && record.client_key.is_some());
}

/// HTTP/1.0 knows no chunks: only an answer with a length leaves the connection open.
#[test]
fn to_http_1_0_the_connection_is_promised_where_it_is_kept() {
    let rig = Rig::start();
    for (stream, kept) in [(false, true), (true, false)] {
        let ask = Ask::chat("sim:n-4", stream);
        let mut socket = TcpStream::connect(rig.addr()).unwrap();
        let mut heads = String::new();
        // As often as the connection is promised for.
        for _ in 0..=usize::from(kept) {
            let json = String::from_utf8(ask.json().to_vec()).unwrap();
            let head = format!(
                "POST {} HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
                ask.target(),
                json.len()
            );
            socket.write_all(head.as_bytes()).unwrap();
            let mut answer = Vec::new();
            let whole = |answer: &[u8]| {
                let text = String::from_utf8_lossy(answer).to_lowercase();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let (_, length) = head.split_once("content-length: ")?;
                let length: usize = length.lines().next()?.parse().ok()?;
                (body.len() >= length).then_some(())
            };
            let mut piece = [0; 4096];
            while whole(&answer).is_none() {
                match socket.read(&mut piece).unwrap() {
                    0 => break,
                    count => answer.extend_from_slice(&piece[..count]),
                }
            }
            let text = String::from_utf8(answer).unwrap().to_lowercase();
            assert!(text.starts_with("http/1.0 200 ok\r\n"), "{text}");
            heads.push_str(text.split("\r\n\r\n").next().unwrap());
        }
        let word = if kept { "keep-alive" } else { "close" };
        let promised = heads.matches(&format!("connection: {word}")).count();
        assert_eq!(promised, 1 + usize::from(kept), "{heads}");
    }
}
