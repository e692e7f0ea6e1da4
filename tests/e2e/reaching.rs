//! Providers that cannot be reached, that lead elsewhere, or that break what they promised.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::record::{End, ErrorClass as Class, Mark, Outcome};
use tollgate::simulator::bare::{ReadEnd, Reading};
use tollgate::simulator::{Config, Framing, Script, Simulator, Then};

use crate::support::rig::simulator;
use crate::support::tls::Certificates;
use crate::support::{Ask, Rig, ports};

/// A port at which nobody listens.
fn closed_port() -> u16 {
    ports::dead().port()
}

/// A rig with one more provider, `there`, at this URL.
fn rig_with(url: &str, more: &str) -> Rig {
    Rig::configured(&format!(
        "[providers.there]\nbase_url = \"{url}\"\napi_key = \"{{key}}\"\n{more}"
    ))
}

/// Asks `there` and checks that the client gets our error and the record says the same.
fn check_unreached(rig: &Rig, status: u16, code: &str, outcome: Outcome, class: Class) -> Reading {
    let ask = Ask::chat("sim:n-2", true).to("/there");
    let reading = rig.send(&ask);
    let record = rig.record(&ask);
    let json: Value = serde_json::from_slice(&reading.body).unwrap_or_default();
    assert_eq!(
        (reading.status, reading.header("x-proxy-error")),
        (status, Some(code)),
        "{json}"
    );
    assert_eq!(json["error"]["code"], code);
    assert_eq!((record.outcome, record.status), (outcome, Some(status)));
    assert_eq!(record.attempts.len(), 1, "{code}");
    let attempt = &record.attempts[0];
    assert_eq!(
        (attempt.error_class, attempt.end, attempt.status),
        (Some(class), Some(End::None), None)
    );
    // Nothing was written: nothing can have been billed, and a client may try again.
    assert!(!attempt.maybe_billed, "{code}");
    assert_eq!(reading.header("x-should-retry"), None, "{code}");
    assert_eq!(attempt.timeline.get(Mark::SendStart), None, "{code}");
    assert!(attempt.timeline.get(Mark::Closed).is_some(), "{code}");
    reading
}

/// A provider that promises to keep a connection and closes it: whether the request was seen nobody
/// knows, and a client that would ask again without a proxy is not kept from it.
#[test]
fn a_kept_connection_that_is_closed_leaves_it_to_the_client_to_ask_again() {
    let rig = Rig::start();
    let (reading, ..) = rig.exchange(&Ask::chat("sim:n-2", false));
    assert_eq!(reading.status, 200);
    let ask = Ask::chat("sim:n-2:fault-close_reused", false);
    let reading = rig.send(&ask);
    let record = rig.record(&ask);
    assert_eq!(reading.status, 502, "{}", reading.text());
    assert!(record.attempts[0].reused && record.attempts[0].maybe_billed);
    assert_eq!(reading.header("x-should-retry"), None);
    assert_eq!(record.response_bytes, reading.body.len() as u64);
}

#[test]
fn a_refused_connection() {
    let rig = rig_with(&format!("http://127.0.0.1:{}/v1", closed_port()), "");
    let reading = check_unreached(
        &rig,
        502,
        "upstream_connect_error",
        Outcome::UpstreamError,
        Class::Connect,
    );
    assert!(
        reading.text().contains("provider there"),
        "{}",
        reading.text()
    );
}

#[test]
fn a_name_that_is_none() {
    let rig = rig_with("https://x.invalid/v1", "");
    check_unreached(
        &rig,
        502,
        "upstream_dns_error",
        Outcome::UpstreamError,
        Class::Dns,
    );
}

#[test]
fn a_connection_that_nobody_answers() {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    // Once the backlog is full, a further connection waits for an answer that never comes.
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        held.push(stream);
        assert!(held.len() < 64, "the backlog does not fill");
    }
    let rig = rig_with(
        &format!("http://{address}/v1"),
        "[timeouts]\nconnect = \"250ms\"",
    );
    let began = Instant::now();
    let (class, code) = (Class::ConnectTimeout, "upstream_connect_timeout");
    check_unreached(&rig, 504, code, Outcome::TimedOut, class);
    assert!(began.elapsed() >= Duration::from_millis(250));
}

#[test]
fn certificates_that_nobody_signed_and_names_that_are_not_theirs() {
    let (certificates, other) = (Certificates::of(&["localhost"]), Certificates::new());
    let tls = Some(certificates.server(&[]));
    let provider = Simulator::start(Config { tls, ..simulator() }).unwrap();
    let port = provider.addr().port();
    let [root, ..] = certificates.files();
    let [other_root, ..] = other.files();
    for (host, roots) in [
        ("localhost", String::new()),
        (
            "localhost",
            format!("ca_file = \"{}\"", other_root.display()),
        ),
        ("127.0.0.1", format!("ca_file = \"{}\"", root.display())),
    ] {
        let rig = rig_with(&format!("https://{host}:{port}/v1"), &roots);
        check_unreached(
            &rig,
            502,
            "upstream_tls_error",
            Outcome::UpstreamError,
            Class::Tls,
        );
    }
    // The key never left: no request was seen at all.
    assert_eq!(provider.request_count(), 0);
}

#[test]
fn a_server_that_speaks_no_tls_and_one_that_never_shakes_hands() {
    let plain = Simulator::start(simulator()).unwrap();
    let rig = rig_with(&format!("https://127.0.0.1:{}/v1", plain.addr().port()), "");
    check_unreached(
        &rig,
        502,
        "upstream_tls_error",
        Outcome::UpstreamError,
        Class::Tls,
    );
    assert_eq!(plain.request_count(), 0);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/v1", silent.local_addr().unwrap());
    let rig = rig_with(&url, "[timeouts]\nconnect = \"250ms\"");
    let (class, code) = (Class::ConnectTimeout, "upstream_connect_timeout");
    check_unreached(&rig, 504, code, Outcome::TimedOut, class);
}

#[test]
fn a_redirect_is_not_followed_and_the_key_goes_nowhere() {
    let rig = Rig::start();
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    for status in [301, 302, 303, 307, 308] {
        let script = Script {
            head: format!(
                "HTTP/1.1 {status} Elsewhere\r\nlocation: http://{}/v1/chat/completions",
                canary.local_addr().unwrap()
            )
            .into(),
            body: Vec::new(),
            framing: Framing::ContentLength,
            then: Then::KeepAlive,
        };
        rig.simulator.play("elsewhere", script);
        let ask = Ask::chat("elsewhere", false);
        let reading = rig.send(&ask);
        assert_eq!(
            reading.header("x-proxy-error"),
            Some("upstream_redirect"),
            "{status}"
        );
        assert_eq!(reading.header("location"), None);
        let record = rig.record(&ask);
        assert_eq!(record.attempts[0].status, Some(status));
        assert_eq!(record.attempts[0].error_class, Some(Class::Redirect));
    }
    // Nobody knocked: not even a connection, and so no key.
    assert_eq!(
        canary.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn a_promise_to_keep_the_connection_may_be_broken_500_times() {
    let (address, closed) = faithless_server();
    let rig = rig_with(&format!("http://{address}/v1"), "");
    let mut connection = rig.connect();
    for number in 0..500 {
        let ask = Ask::chat("m", false).to("/there");
        let reading = connection.exchange(&ask.bytes()).unwrap();
        let place = || format!("{number}: {}", reading.text());
        assert_eq!(
            (reading.status, reading.end),
            (200, ReadEnd::Complete),
            "{}",
            place()
        );
        let record = rig.record(&ask);
        assert_eq!(
            (record.outcome, record.attempts.len()),
            (Outcome::Ok, 1),
            "{}",
            place()
        );
        // A request that crosses the close on the wire may have been read, and is not sent
        // twice: so the next one leaves when the close has.
        closed.recv().unwrap();
    }
    let sum: u32 = rig
        .records
        .all()
        .iter()
        .map(|r| u32::from(r.attempts[0].resends))
        .sum();
    println!("500 broken promises: {sum} resends");
}

/// Answers one request on each connection, promises to keep it, and closes or resets it; says so.
fn faithless_server() -> (SocketAddr, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, closed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let answer = r#"{"object":"chat.completion","choices":[{"index":0,
            "message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}"#;
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let stream = answer_once(stream, "application/json", answer, "keep-alive: timeout=60");
            if number % 2 == 0 {
                // Lingering for no time makes closing a reset.
                let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
            drop(stream);
            if sender.send(()).is_err() {
                return;
            }
        }
    });
    (address, closed)
}

#[test]
fn an_early_answer_stops_the_upload() {
    let rig = Rig::start();
    let path = "/sim:fault-early_response/v1/files";
    let ask = Ask::new("POST", path).body(vec![b'x'; 8 << 20]);
    let (head, body) = (ask.head(Some(8 << 20)), ask.json().to_vec());
    let connection = rig.connect();
    let mut writer = connection.socket().try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        // Cut off in the middle: that is what is asked for.
        let _ = writer
            .write_all(&head)
            .and_then(|()| writer.write_all(&body));
    });
    let mut connection = connection;
    let reading = connection.read(tollgate::record::Moment(0), false, usize::MAX);
    assert_eq!(reading.status, 413, "{}", reading.text());
    assert_eq!(reading.end, ReadEnd::Complete);
    drop(connection);
    writing.join().unwrap();
    let record = rig.record(&ask);
    assert_eq!(record.outcome, Outcome::ClientError);
    assert_eq!(record.attempts[0].status, Some(413));
}

#[test]
fn a_refused_usage_option_is_tried_once_without_and_remembered() {
    let refusal = json!({"error": {
        "message": "Unrecognized request argument supplied: stream_options",
        "type": "invalid_request_error", "param": "stream_options", "code": "unknown_parameter",
    }});
    // A server that refuses only what names the option: a script cannot read, a thread can.
    let address = picky_server(&refusal);
    let rig = Rig::configured(&format!(
        "[providers.picky]\nbase_url = \"http://{address}/v1\"\napi_key = \"{{key}}\"\n\
         inject_usage = true"
    ));
    for (number, attempts) in [(0, 2), (1, 1), (2, 1)] {
        let ask = Ask::chat("picky-model", true).to("/picky");
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{number}: {}", reading.text());
        let record = rig.record(&ask);
        assert_eq!(
            (record.outcome, record.attempts.len()),
            (Outcome::Ok, attempts),
            "{number}"
        );
        assert!(!record.request.usage_injected, "{number}");
        if attempts == 2 {
            assert_eq!(record.attempts[0].status, Some(400));
            assert_eq!(record.attempts[0].error_class, Some(Class::BadRequest));
        }
    }
    // Another model of the same provider is asked anew.
    let ask = Ask::chat("picky-other", true).to("/picky");
    rig.send(&ask);
    assert_eq!(rig.record(&ask).attempts.len(), 2);
    // The client's own wish is the client's own matter.
    let ask = Ask::chat_with_usage("picky-model").to("/picky");
    assert_eq!(rig.send(&ask).status, 400);
    assert_eq!(rig.record(&ask).attempts.len(), 1);
    // In a request that was translated it is ours again.
    for attempts in [2, 1] {
        let ask = Ask::messages("picky-translated", true).to("/picky");
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{}", reading.text());
        assert!(
            reading.text().contains("message_stop"),
            "{}",
            reading.text()
        );
        assert_eq!(rig.record(&ask).attempts.len(), attempts);
    }
}

/// Answers 400 to what has `stream_options`, and a short stream to what has not.
/// Whatever the provider calls its stream, the event that was asked for stays here; of one that
/// compresses nothing is asked from then on.
#[test]
fn the_usage_event_reaches_nobody_who_did_not_ask_for_it() {
    let event = |value: Value| format!("data: {value}\n\n");
    let token =
        json!({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}});
    let body = [event(token), event(usage), "data: [DONE]\n\n".to_owned()].concat();
    for (kind, header, stripped, again) in [
        ("text/event-stream", "connection: close", true, true),
        ("text/plain", "connection: close", true, true),
        // Not compressed at all, which is the client's to find out: it is not looked into.
        (
            "text/event-stream",
            "connection: close\r\ncontent-encoding: br",
            false,
            false,
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let body = body.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                drop(answer_once(stream, kind, &body, header));
            }
        });
        let rig = Rig::configured(&format!(
            "[providers.kind]\nbase_url = \"http://{address}/v1\"\napi_key = \"{{key}}\"\n\
             inject_usage = true"
        ));
        for is_first in [true, false] {
            let ask = Ask::chat("m", true).to("/kind");
            let reading = rig.send(&ask);
            assert_eq!(reading.status, 200, "{kind} {header}");
            let text = reading.text();
            assert_eq!(!text.contains("usage"), stripped, "{kind} {header}: {text}");
            assert!(text.contains("[DONE]"), "{kind} {header}: {text}");
            let asked = rig.record(&ask).request.usage_injected;
            assert_eq!(asked, is_first || again, "{kind} {header}");
        }
    }
}

fn picky_server(refusal: &Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let refusal = refusal.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer_picky(stream, &refusal);
        }
    });
    address
}

fn answer_picky(mut stream: TcpStream, refusal: &str) {
    let event =
        json!({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]});
    let request = read_request(&mut stream);
    if memchr::memmem::find(&request, b"stream_options").is_some() {
        write_answer(
            &mut stream,
            400,
            "application/json",
            refusal,
            "connection: close",
        );
    } else {
        let body = format!("data: {event}\n\ndata: [DONE]\n\n");
        write_answer(
            &mut stream,
            200,
            "text/event-stream",
            &body,
            "connection: close",
        );
    }
}

fn answer_once(mut stream: TcpStream, kind: &str, body: &str, header: &str) -> TcpStream {
    read_request(&mut stream);
    write_answer(&mut stream, 200, kind, body, header);
    stream
}

/// A request whose body is JSON, which ends it.
fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"}") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return request,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
    request
}

fn write_answer(stream: &mut TcpStream, status: u16, kind: &str, body: &str, header: &str) {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{header}\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    // Who has gone needs no answer.
    let _ = stream.write_all(answer.as_bytes());
}

/// A server that answers each request of a connection with these pieces, each a write of its own,
/// and says how many bytes it got rid of.
fn raw_server(pieces: Vec<Vec<u8>>, forever: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (pieces, counted) = (pieces.clone(), Arc::clone(&counted));
            std::thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                while !read_request(&mut stream).is_empty() {
                    let mut round = 0;
                    while round == 0 || forever {
                        for piece in &pieces {
                            if stream.write_all(piece).is_err() {
                                return;
                            }
                            counted.fetch_add(piece.len(), Ordering::Relaxed);
                        }
                        round += 1;
                    }
                }
            });
        }
    });
    (address, written)
}

#[test]
fn a_compressed_error_keeps_its_words_under_translation() {
    let error = json!({"error": {
        "message": "This model's maximum context length is 8192 tokens.",
        "type": "invalid_request_error", "code": "context_length_exceeded",
    }});
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(error.to_string().as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let head = format!(
        "HTTP/1.1 400 X\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\
         content-length: {}\r\n\r\n",
        packed.len()
    );
    let (address, _) = raw_server(vec![[head.as_bytes(), &packed].concat()], false);
    let rig = rig_with(&format!("http://{address}/v1"), "");
    let ask = Ask::messages("model", false).to("/there");
    let reading = rig.send(&ask);
    let record = rig.record(&ask);
    assert_eq!(reading.status, 400, "{}", reading.text());
    let said: Value = serde_json::from_slice(&reading.body).unwrap();
    let message = said["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("maximum context length"), "{said}");
    let class = record.attempts[0].error_class;
    assert_eq!(class, Some(Class::ContextLength));
}

const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";

/// A whole answer whose head has a header of `size` bytes.
fn answer_with_header(size: usize, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-large: {}\r\n\
         content-length: {length}\r\n\r\n{body}",
        "x".repeat(size)
    )
    .into_bytes()
}

#[test]
fn response_heads_are_bounded_and_interim_answers_too() {
    let whole = |size| answer_with_header(size, "{}");
    let hints = |count: usize| EARLY.repeat(count).into_bytes();
    let in_drips = |size| whole(size).chunks(1000).map(<[u8]>::to_vec).collect();
    let large_body = answer_with_header(1000, &format!("\"{}\"", "y".repeat(3_000_000)));
    // Name, what is written, whether it never ends, whether it passes.
    let cases: [(&str, Vec<Vec<u8>>, bool, bool); 9] = [
        ("no hint", vec![whole(10)], false, true),
        ("100 hints", vec![hints(100), whole(10)], false, true),
        ("60 KiB", vec![whole(60 << 10)], false, true),
        ("60 KiB in drips", in_drips(60 << 10), false, true),
        ("a large body", vec![large_body], false, true),
        ("100 KiB", vec![whole(100 << 10)], false, false),
        ("100 KiB in drips", in_drips(100 << 10), false, false),
        ("10,000 hints", vec![hints(10_000), whole(10)], false, false),
        ("hints for ever", vec![hints(1)], true, false),
    ];
    for (name, pieces, forever, passes) in cases {
        let sent: usize = pieces.iter().map(Vec::len).sum();
        let (address, written) = raw_server(pieces, forever);
        let rig = rig_with(&format!("http://{address}/v1"), "");
        let mut connection = rig.connect();
        // The second and third on a connection that has read large pieces already.
        for _ in 0..3 {
            let ask = Ask::chat("model", false).to("/there");
            let reading = connection.exchange(&ask.bytes()).unwrap();
            let record = rig.record(&ask);
            let attempt = &record.attempts[0];
            if passes {
                assert_eq!(reading.status, 200, "{name}: {}", reading.text());
                assert_eq!(reading.end, ReadEnd::Complete, "{name}");
                let length = if sent > 1_000_000 { 3_000_002 } else { 2 };
                assert_eq!(reading.body.len(), length, "{name}");
                assert_eq!(attempt.end, Some(End::Complete), "{name}");
            } else {
                assert_eq!(reading.status, 502, "{name}: {}", reading.text());
                let code = reading.header("x-proxy-error");
                assert_eq!(code, Some("upstream_protocol_error"), "{name}");
                assert_eq!(attempt.error_class, Some(Class::ProtocolError), "{name}");
                assert_eq!((attempt.resends, attempt.maybe_billed), (0, true), "{name}");
            }
        }
        if forever {
            // What was read, and what the kernel holds for a socket on either side.
            let written = written.load(Ordering::Relaxed);
            assert!(
                written < 3 * (16 << 20),
                "{name}: {written} bytes were taken"
            );
        }
    }
}
