//! Clients that take and take, or that take nothing: what one of them may cost, and that others
//! are served beside it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use socket2::{Domain, Socket, Type};

use super::protocols::{runtime, secure_rig};
use crate::support::h2::{self, code};
use crate::support::h2_client::{
    CONTINUATION, DATA, END_HEADERS, Fate, Flood, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS,
    post_head,
};
use crate::support::records::until;
use crate::support::tls::Certificates;
use crate::support::{Ask, Plan, Rig};

/// How a client floods: what it writes with each number, and how often.
type Write = fn(&mut Flood, u32) -> std::io::Result<()>;

#[test]
fn floods_over_http2_cost_their_own_connection_only() {
    let certificates = Certificates::new();
    let rig = secure_rig(&certificates);
    let floods: [(&str, u32, Write, bool); 6] = [
        (
            "settings",
            100_000,
            |flood, number| {
                flood.frame(
                    SETTINGS,
                    0,
                    0,
                    &[[0, 4].as_slice(), &number.to_be_bytes()].concat(),
                )
            },
            false,
        ),
        (
            "empty settings",
            100_000,
            |flood, _| flood.frame(SETTINGS, 0, 0, &[]),
            false,
        ),
        (
            "pings",
            100_000,
            |flood, number| flood.frame(PING, 0, 0, &u64::from(number).to_be_bytes()),
            false,
        ),
        (
            "rapid resets",
            2_000,
            |flood, number| {
                let id = number * 2 + 1;
                let head = post_head("/oa/v1/chat/completions");
                flood.frame(HEADERS, END_HEADERS, id, &head)?;
                flood.frame(RST_STREAM, 0, id, &code::CANCEL.to_be_bytes())
            },
            false,
        ),
        (
            "heads that do not end",
            20_000,
            |flood, number| {
                let head = post_head("/oa/v1/chat/completions");
                if number == 0 {
                    return flood.frame(HEADERS, 0, 1, &head);
                }
                // A field of a kilobyte each.
                let field = [&[0x00, 1, b'x', 0x7f, 0x81, 7][..], &[b'y'; 1024]].concat();
                flood.frame(CONTINUATION, 0, 1, &field)
            },
            true,
        ),
        (
            "empty continuations",
            20_000,
            |flood, number| match number {
                0 => flood.frame(HEADERS, 0, 1, &post_head("/oa/v1/chat/completions")),
                _ => flood.frame(CONTINUATION, 0, 1, &[]),
            },
            true,
        ),
    ];
    for (what, count, write, must_close) in floods {
        let mut flood = Flood::open(rig.addr(), &certificates);
        let flooding = thread::spawn(move || {
            let fate = flood.run(count, write);
            // What it was sent is read only now.
            (fate, flood.drained())
        });
        let began = Instant::now();
        for _ in 0..5 {
            assert!(
                is_served(&rig, &certificates),
                "{what}: others are not served"
            );
        }
        let served = began.elapsed();
        let (fate, drained) = flooding.join().unwrap();
        let closed = fate == Fate::Closed || drained == Fate::Closed;
        assert!(closed || !must_close, "{what}: {fate:?}, then {drained:?}");
        assert!(
            is_served(&rig, &certificates),
            "{what}: nobody is served after it"
        );
        println!("{what}: {fate:?}, then {drained:?}; five others served in {served:?}");
    }
    // Every exchange that a flood began is settled: the rig checks its books when it is dropped.
    until("the end of all exchanges", || {
        (rig.node().shared.settler.in_flight() == 0).then_some(())
    });
}

/// A rig that speaks TLS, with client time-outs that a test can wait for.
fn hasty_rig(certificates: &Certificates) -> Rig {
    let [_, own, key] = certificates.files();
    let config = format!(
        "[server.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n[timeouts]\nrequest_headers = \"1s\"\n\
         client_idle = \"2s\"\nclient_write = \"1s\"\n",
        own.display(),
        key.display()
    );
    Rig::with(Plan {
        config,
        ..Plan::default()
    })
}

/// Longer than any of those time-outs.
const LONG: Duration = Duration::from_mins(1);

#[test]
fn clients_over_http2_have_the_time_that_others_have() {
    let certificates = Certificates::new();
    let rig = hasty_rig(&certificates);
    for beginning in ["", "PRI * HTTP/2.0"] {
        let mut silent = Flood::silent(rig.addr(), &certificates);
        silent.write(beginning.as_bytes()).unwrap();
        let (fate, _) = silent.answer_pings(LONG);
        assert_eq!(fate, Fate::Closed, "{beginning:?}: no preface");
    }
    let mut other = Flood::silent(rig.addr(), &certificates);
    other
        .write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(other.answer_pings(LONG).0, Fate::Closed, "another language");
    // Nothing is asked for: closed in order.
    let mut idle = Flood::open(rig.addr(), &certificates);
    let (fate, kinds) = idle.answer_pings(LONG);
    assert_eq!(fate, Fate::Closed, "idle");
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
}

#[test]
fn a_request_that_crosses_the_word_to_leave_over_http2_is_answered() {
    let certificates = Certificates::new();
    let rig = hasty_rig(&certificates);
    let mut client = Flood::open(rig.addr(), &certificates);
    // Longer than whoever does not leave is waited for.
    let ask = Ask::chat("sim:gap-400ms:n-6", true);
    let mut asked = false;
    let (fate, kinds) = client.answer_pings_and(LONG, |client, kind| {
        if kind == GOAWAY && !asked {
            asked = true;
            let head = post_head("/oa/v1/chat/completions");
            client.frame(HEADERS, END_HEADERS, 1, &head).unwrap();
            client.frame(DATA, 1, 1, ask.json()).unwrap();
        }
    });
    assert!(asked, "{kinds:?}");
    assert_eq!(fate, Fate::Closed);
    // A frame for each token at least: cut after a second, there are three.
    let events: usize = kinds.iter().map(|kind| usize::from(*kind == DATA)).sum();
    assert!(events >= 6, "{events} of its answer came: {kinds:?}");
}

#[test]
fn an_answer_that_is_left_unread_over_http2_is_taken_away() {
    let certificates = Certificates::new();
    let rig = hasty_rig(&certificates);
    let mut client = Flood::open(rig.addr(), &certificates);
    // No window for any stream, and none is opened; pings are answered all the time.
    client.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).unwrap();
    let ask = Ask::chat("sim:gap-50ms:n-2000", true);
    for id in [1, 3, 5] {
        let head = post_head("/oa/v1/chat/completions");
        client.frame(HEADERS, END_HEADERS, id, &head).unwrap();
        client.frame(DATA, 1, id, ask.json()).unwrap();
    }
    let answering = thread::spawn(move || client.answer_pings(Duration::from_secs(8)));
    let in_flight = || rig.node().shared.settler.in_flight();
    until("the requests", || (in_flight() == 3).then_some(()));
    until("their end", || (in_flight() == 0).then_some(()));
    // The connection itself lived on meanwhile.
    let (_, mut kinds) = answering.join().unwrap();
    kinds.retain(|kind| *kind == HEADERS);
    assert_eq!(kinds.len(), 3, "a head for each");
}

/// Who speaks HTTP/1.0 alone says so while hands are shaken.
#[test]
fn every_version_of_http_is_agreed_on() {
    let certificates = Certificates::new();
    let rig = hasty_rig(&certificates);
    for (version, protocol) in [("1.0", "http/1.0"), ("1.1", "http/1.1")] {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(certificates.client(&[protocol]), name).unwrap();
        let mut socket = TcpStream::connect(rig.addr()).unwrap();
        let mut stream = rustls::Stream::new(&mut client, &mut socket);
        write!(
            stream,
            "GET /v1/models HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = format!("HTTP/{version} 200 OK\r\n");
        assert!(answer.starts_with(&status), "{answer}");
    }
}

fn is_served(rig: &Rig, certificates: &Certificates) -> bool {
    let ask = Ask::chat("sim:n-2", false);
    runtime().block_on(async {
        let mut sender = h2::connect(rig.addr(), certificates).await;
        let request = Request::post(format!("https://localhost{}", ask.target()))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(ask.json())))
            .unwrap();
        let answer = async {
            let response = sender.send_request(request).await.ok()?;
            let whole = response.status() == 200;
            response.into_body().collect().await.ok().filter(|_| whole)
        };
        tokio::time::timeout(Duration::from_mins(1), answer)
            .await
            .is_ok_and(|answered| answered.is_some())
    })
}

/// Bytes that the provider of [`a_client_that_does_not_read_stops_its_provider`] has ready.
const READY: usize = 64 << 20;
/// What may be taken of it for a client that does not read: two kernels' buffers and our own.
/// Without a bound the kernel holds megabytes for us towards the client alone.
const AHEAD_MAX: usize = 2 << 20;

#[test]
fn a_client_that_does_not_read_stops_its_provider() {
    let (address, taken) = provider();
    let rig = Rig::configured(&format!(
        "[providers.fast]\nbase_url = \"http://{address}/v1\"\napi_key = \"{{key}}\""
    ));
    let ask = Ask::chat("m", true).to("/fast");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Little room at the client, so that what is seen is what is held for it.
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.connect(&rig.addr().into()).unwrap();
    let mut client = TcpStream::from(socket);
    client.write_all(&ask.bytes()).unwrap();
    let resting = || {
        let before = taken.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
        (before > 0 && taken.load(Ordering::Relaxed) == before).then_some(before)
    };
    let ahead = until("the provider to be stopped", resting);
    println!(
        "taken ahead for a client that does not read: {} KiB",
        ahead / 1024
    );
    assert!(ahead <= AHEAD_MAX, "{ahead} bytes were taken ahead");
    // Others are served, and this one too once it reads.
    assert_eq!(rig.send(&Ask::chat("sim:n-2", true)).status, 200);
    let mut bytes = vec![0; 1 << 20];
    let mut read = 0;
    while read < 2 * ahead {
        read += client.read(&mut bytes).unwrap();
    }
    assert!(taken.load(Ordering::Relaxed) > ahead);
}

/// A provider that writes [`READY`] bytes of a stream as fast as they are taken; counts them.
fn provider() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(8).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = vec![0; 64 * 1024];
        let _ = stream.read(&mut head).unwrap();
        let event = format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
            "x".repeat(900)
        );
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        while counted.load(Ordering::Relaxed) < READY {
            // Ends with the test.
            if stream.write_all(chunk.as_bytes()).is_err() {
                return;
            }
            counted.fetch_add(chunk.len(), Ordering::Relaxed);
        }
    });
    (address, taken)
}
