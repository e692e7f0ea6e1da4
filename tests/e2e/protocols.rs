//! TLS and HTTP/2 on either side: what is measured there, and what cannot be.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use tollgate::record::{CancelledBy, ErrorClass, Mark, Outcome, Protocol};
use tollgate::simulator::Config;
use tollgate::simulator::bare::ReadEnd;

use super::marks::{assert_in_order, is_of_token};
use crate::support::h2::{self, Act, H2Provider, RAW_ANSWER, RawH2, code};
use crate::support::records::until;
use crate::support::rig::simulator;
use crate::support::tls::Certificates;
use crate::support::{Ask, Plan, Rig};

const ROLE: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const TOKEN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const PIECES: [&str; 5] = [ROLE, TOKEN, TOKEN, TOKEN, END];

/// A rig with one more provider, `secure`, at this port of `localhost`.
fn rig_to(port: u16, certificates: &Certificates, http2: bool) -> Rig {
    let [root, ..] = certificates.files();
    Rig::configured(&format!(
        "[providers.secure]\nbase_url = \"https://localhost:{port}/v1\"\napi_key = \"{{key}}\"\n\
         ca_file = \"{}\"\nhttp2 = {http2}",
        root.display()
    ))
}

#[test]
fn a_provider_over_tls_has_a_phase_for_it_on_fresh_connections_only() {
    let certificates = Certificates::new();
    let tls = Some(certificates.server(&["http/1.1"]));
    let provider = tollgate::simulator::Simulator::start(Config { tls, ..simulator() }).unwrap();
    let rig = rig_to(provider.addr().port(), &certificates, true);
    let mut connection = rig.connect();
    for reused in [false, true, true] {
        let ask = Ask::chat("sim:ft-20ms:gap-20ms:n-3", true).to("/secure");
        let reading = connection.exchange(&ask.bytes()).unwrap();
        assert_eq!((reading.status, reading.end), (200, ReadEnd::Complete));
        let record = rig.record(&ask);
        let truth = until("the truth", || {
            provider
                .truth(&ask.tag)
                .filter(|truth| truth.finished_at.is_some())
        });
        assert_eq!(reading.body.len() as u64, truth.body_bytes);
        let attempt = &record.attempts[0];
        assert_eq!(
            (record.outcome, attempt.protocol),
            (Outcome::Ok, Protocol::Http1)
        );
        assert_eq!((attempt.reused, truth.reused()), (reused, reused));
        assert_in_order(attempt, "TLS");
        for mark in [Mark::Dns, Mark::Connect, Mark::Tls] {
            assert_eq!(attempt.timeline.get(mark).is_none(), reused, "{mark:?}");
        }
        assert!(is_of_token(
            attempt.timeline.get(Mark::FirstToken),
            0,
            &reading,
            &truth
        ));
        assert_eq!(truth.credential.matched, Some(true));
    }
}

#[test]
fn a_provider_over_http2_carries_all_on_one_connection() {
    let certificates = Certificates::new();
    let provider = H2Provider::start(&certificates, &PIECES, Duration::from_millis(30));
    let rig = rig_to(provider.address.port(), &certificates, true);
    let whole = PIECES.concat();
    let ask_one = |reused: bool| {
        let ask = Ask::chat("gpt", true).to("/secure");
        let reading = rig.send(&ask);
        assert_eq!(
            (reading.status, reading.end),
            (200, ReadEnd::Complete),
            "{}",
            reading.text()
        );
        assert_eq!(reading.text(), whole);
        let (record, done) = (rig.record(&ask), provider.done(&ask.tag).unwrap());
        let attempt = &record.attempts[0];
        assert_eq!(
            (record.outcome, attempt.protocol),
            (Outcome::Ok, Protocol::Http2)
        );
        assert_eq!(attempt.reused, reused);
        assert_in_order(attempt, "h2");
        for mark in [Mark::Dns, Mark::Connect, Mark::Tls] {
            assert_eq!(attempt.timeline.get(mark).is_none(), reused, "{mark:?}");
        }
        let first = attempt.timeline.get(Mark::FirstToken).unwrap();
        assert!(done.pieces[1] <= first, "first token before it was sent");
        let read = reading.byte_at(ROLE.len() + TOKEN.len() - 1).unwrap();
        assert!(first <= read, "first token later than the client had it");
        assert!(attempt.timeline.get(Mark::ClientFirstToken).unwrap() >= first);
    };
    ask_one(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| ask_one(true));
        }
    });
    assert_eq!(provider.connections(), 1);
}

#[test]
fn a_stream_that_its_client_leaves_ends_alone() {
    let certificates = Certificates::new();
    let mut pieces = vec![ROLE];
    pieces.extend([TOKEN; 100]);
    pieces.push(END);
    let provider = H2Provider::start(&certificates, &pieces, Duration::from_millis(5));
    let rig = rig_to(provider.address.port(), &certificates, true);
    let stays = Ask::chat("gpt", true).to("/secure");
    std::thread::scope(|scope| {
        let staying = scope.spawn(|| rig.send(&stays));
        until("the one that stays", || {
            provider.done(&stays.tag).filter(|d| !d.pieces.is_empty())
        });
        let leaves = Ask::chat("gpt", true).to("/secure");
        let mut connection = rig.connect();
        connection.exchange_until(&leaves.bytes(), 200).unwrap();
        drop(connection);
        let record = rig.record(&leaves);
        assert_eq!(record.outcome, Outcome::ClientGone);
        assert_eq!(record.attempts[0].cancelled_by, Some(CancelledBy::Client));
        until("the stream to be reset", || {
            provider.done(&leaves.tag)?.left
        });
        let reading = staying.join().unwrap();
        assert_eq!(
            (reading.end, reading.text()),
            (ReadEnd::Complete, pieces.concat())
        );
    });
    assert_eq!(rig.record(&stays).outcome, Outcome::Ok);
    assert_eq!(provider.connections(), 1);
}

/// A rig whose data plane speaks TLS.
pub(super) fn secure_rig(certificates: &Certificates) -> Rig {
    let [_, own, key] = certificates.files();
    let config = format!(
        "[server.tls]\ncertificate = \"{}\"\nkey = \"{}\"",
        own.display(),
        key.display()
    );
    Rig::with(Plan {
        config,
        ..Plan::default()
    })
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn h2_request(ask: &Ask) -> Request<Full<Bytes>> {
    Request::post(format!("https://localhost{}", ask.target()))
        .header("content-type", "application/json")
        .header("x-tollgate-tags", &ask.tag)
        .header("x-sim-id", &ask.tag)
        .body(Full::new(Bytes::copy_from_slice(ask.json())))
        .unwrap()
}

#[test]
fn a_client_over_http2_gets_the_same_bytes_and_no_marks_of_its_writes() {
    let certificates = Certificates::new();
    let rig = secure_rig(&certificates);
    let asks: Vec<Ask> = (0..20)
        .map(|number| match number % 4 {
            0 => Ask::chat("sim:ft-5ms:gap-2ms:n-10", true),
            1 => Ask::chat("sim:n-10", false),
            2 => Ask::messages("sim:gap-2ms:n-10", true),
            _ => Ask::chat("sim:gap-2ms:n-10", true).to("/inj"),
        })
        .collect();
    let answers = runtime().block_on(async {
        let sender = h2::connect(rig.addr(), &certificates).await;
        let mut answers = tokio::task::JoinSet::new();
        for ask in asks.clone() {
            let mut sender = sender.clone();
            answers.spawn(async move {
                let response = sender.send_request(h2_request(&ask)).await.unwrap();
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                (ask, status, body)
            });
        }
        answers.join_all().await
    });
    assert_eq!(answers.len(), asks.len());
    for (ask, status, body) in answers {
        let (record, truth) = (rig.record(&ask), rig.truth(&ask));
        assert_eq!(
            (status, record.outcome),
            (200, Outcome::Ok),
            "{}",
            ask.target()
        );
        assert_eq!(record.client_protocol, Protocol::Http2);
        assert_eq!(record.response_bytes, body.len() as u64);
        if ask.target().starts_with("/inj") {
            assert!((body.len() as u64) < truth.body_bytes);
        } else {
            assert_eq!(body.len() as u64, truth.body_bytes, "{}", ask.target());
        }
        let attempt = &record.attempts[0];
        assert_in_order(attempt, "h2 client");
        for mark in [Mark::ClientFirstToken, Mark::ClientLastToken] {
            assert_eq!(attempt.timeline.get(mark), None, "{mark:?}");
        }
        assert_eq!((record.own.first_token, record.own.last), (None, None));
        let streamed = attempt.timeline.get(Mark::FirstToken).is_some();
        assert_eq!(streamed, record.request.stream);
    }
}

#[test]
fn faults_and_departures_over_http2_concern_one_stream_only() {
    let certificates = Certificates::new();
    let rig = secure_rig(&certificates);
    let stays = Ask::chat("sim:gap-5ms:n-60", true);
    let breaks = Ask::chat("sim:gap-2ms:n-10:fault-close_mid:at-5", true);
    let whole = Ask::chat("sim:n-60:fault-close_mid", false);
    let leaves = Ask::chat("sim:gap-5ms:n-10000", true);
    runtime().block_on(async {
        let mut sender = h2::connect(rig.addr(), &certificates).await;
        let staying = sender.send_request(h2_request(&stays)).await.unwrap();
        let staying = tokio::spawn(staying.into_body().collect());
        let broken = sender.send_request(h2_request(&breaks)).await.unwrap();
        let broken = broken.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&broken).into_owned();
        assert!(
            text.contains("upstream_truncated") && !text.contains("[DONE]"),
            "{text}"
        );
        // No part for the whole: the stream is reset.
        let cut = sender.send_request(h2_request(&whole)).await.unwrap();
        assert!(cut.into_body().collect().await.is_err());
        let mut left = sender
            .send_request(h2_request(&leaves))
            .await
            .unwrap()
            .into_body();
        left.frame().await.unwrap().unwrap();
        drop(left);
        let body = staying.await.unwrap().unwrap().to_bytes();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
    });
    for (ask, outcome) in [
        (&stays, Outcome::Ok),
        (&breaks, Outcome::Truncated),
        (&whole, Outcome::Truncated),
        (&leaves, Outcome::ClientGone),
    ] {
        let record = rig.record(ask);
        assert_eq!(record.outcome, outcome);
        assert_eq!(record.attempts.len(), 1);
    }
    let truth = rig.truth(&leaves);
    assert!(truth.peer_end.is_some(), "the provider was not told");
}

/// A client that still sends when it is refused keeps its stream: with a reset it would lose the answer.
#[test]
fn a_refusal_over_http2_leaves_whoever_still_sends_its_stream() {
    let certificates = Certificates::new();
    let secure = secure_rig(&certificates);
    let words = runtime().block_on(async {
        let sender = h2::connect_bare(secure.addr(), &certificates).await;
        let mut sender = sender.ready().await.unwrap();
        let request = Request::post("https://localhost/v1/chat/completions")
            .header("content-type", "text/plain")
            .body(())
            .unwrap();
        let (answer, mut body) = sender.send_request(request, false).unwrap();
        let mut answer = answer.await.unwrap();
        assert_eq!(answer.status(), 415);
        let mut words = Vec::new();
        while let Some(piece) = answer.body_mut().data().await {
            words.extend_from_slice(&piece.unwrap());
        }
        body.send_data(Bytes::from_static(b"{\"model\":"), false)
            .unwrap();
        // A reset would have come before the answer to this.
        let mut pong = sender.clone();
        let other = Request::get("https://localhost/v1/models")
            .body(())
            .unwrap();
        let (other, _) = pong.send_request(other, true).unwrap();
        assert_eq!(other.await.unwrap().status(), 200);
        body.send_data(Bytes::from_static(b"\"m\"}"), true).unwrap();
        words
    });
    let words = String::from_utf8(words).unwrap();
    assert!(words.contains("content-type"), "{words}");
}

#[test]
fn a_node_that_stops_says_so_in_every_stream() {
    let certificates = Certificates::new();
    let mut secure = secure_rig(&certificates);
    let ask = Ask::chat("sim:gap-10ms:n-10000", true);
    let runtime = runtime();
    let (text, node) = runtime.block_on(async {
        let mut sender = h2::connect(secure.addr(), &certificates).await;
        let mut body = sender
            .send_request(h2_request(&ask))
            .await
            .unwrap()
            .into_body();
        body.frame().await.unwrap().unwrap();
        // Beside this runtime: stopping waits for whoever reads.
        let stopping = std::thread::spawn(move || {
            secure.stop();
            secure
        });
        let rest = body.collect().await.unwrap().to_bytes();
        (String::from_utf8_lossy(&rest).into_owned(), stopping)
    });
    let secure = node.join().unwrap();
    assert!(text.contains("\"code\":\"shutting_down\""), "{text}");
    assert!(!text.contains("[DONE]"));
    assert_eq!(secure.record(&ask).outcome, Outcome::Shutdown);

    let mut rig = Rig::start();
    let asks = [
        Ask::chat("sim:gap-10ms:n-10000", true),
        Ask::responses("sim:gap-10ms:n-10000", true),
        Ask::messages("sim:gap-10ms:n-10000", true),
        // Nothing can be told in a whole answer: it is cut, so that no part passes for it.
        Ask::chat("sim:gap-10ms:n-10000", false),
    ];
    let clients: Vec<_> = asks
        .iter()
        .map(|ask| {
            let (mut connection, bytes) = (rig.connect(), ask.bytes());
            std::thread::spawn(move || connection.exchange(&bytes))
        })
        .collect();
    for ask in &asks {
        until("the request at the provider", || {
            rig.simulator.truth(&ask.tag).filter(|truth| {
                truth.body_bytes > 200 || !String::from_utf8_lossy(ask.json()).contains("true")
            })
        });
    }
    let began = std::time::Instant::now();
    rig.stop();
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    for (number, (ask, client)) in asks.iter().zip(clients).enumerate() {
        let answer = client.join().unwrap();
        if number < 3 {
            let reading = answer.unwrap();
            let text = reading.text();
            assert_eq!((reading.status, reading.end), (200, ReadEnd::Complete));
            assert!(text.contains("\"code\":\"shutting_down\""), "{text}");
            assert_eq!(text.contains("event: error"), number > 0, "{text}");
        } else {
            assert!(
                answer.is_err() || answer.is_ok_and(|reading| reading.end != ReadEnd::Complete)
            );
        }
        let record = rig.record(ask);
        assert_eq!(record.outcome, Outcome::Shutdown, "{number}");
        let by = record.attempts[0].cancelled_by;
        assert_eq!(by, Some(CancelledBy::Shutdown), "{number}");
    }
}

#[test]
fn what_an_http2_provider_refused_unseen_is_sent_again_and_nothing_else_is() {
    use Act::{Answer, Close, GoAwayBefore, GoAwayThenAnswer, GoAwayThenClose, Reset};
    let certificates = Certificates::new();
    // What it does with the first writes, the writes that are to come of it, and whether the
    // client gets an answer. One case on a fresh connection, one on a used one.
    let refused = Reset(code::REFUSED_STREAM);
    let before = GoAwayBefore(code::NO_ERROR);
    let cases: [(&[Act], usize, bool); 13] = [
        (&[Answer], 1, true),
        (&[refused], 2, true),
        (&[refused, refused], 3, true),
        (&[refused, refused, refused], 3, false),
        (&[before], 2, true),
        (&[GoAwayBefore(code::ENHANCE_YOUR_CALM)], 2, true),
        (&[before, refused], 3, true),
        (&[GoAwayThenAnswer], 1, true),
        (&[GoAwayThenClose], 1, false),
        (&[Close], 1, false),
        (&[Reset(code::INTERNAL_ERROR)], 1, false),
        (&[Reset(code::CANCEL)], 1, false),
        (&[Reset(code::ENHANCE_YOUR_CALM)], 1, false),
    ];
    for (acts, writes, answered) in cases {
        for used in [false, true] {
            let name = format!("{acts:?}, connection used: {used}");
            let provider = RawH2::start(&certificates);
            let rig = rig_to(provider.address.port(), &certificates, true);
            if used {
                let first = Ask::chat("m", false).to("/secure");
                assert_eq!(rig.send(&first).text(), RAW_ANSWER);
            }
            let before = provider.requests();
            provider.next(acts);
            let ask = Ask::chat("m", false).to("/secure");
            let reading = rig.send(&ask);
            let record = rig.record(&ask);
            let attempt = &record.attempts[0];
            assert_eq!(record.attempts.len(), 1, "{name}");
            assert_eq!(provider.requests() - before, writes, "{name}");
            assert_eq!(usize::from(attempt.resends), writes - 1, "{name}");
            if answered {
                assert_eq!(reading.text(), RAW_ANSWER, "{name}");
                assert_eq!((record.outcome, attempt.error_class), (Outcome::Ok, None));
            } else {
                assert_eq!(reading.status, 502, "{name}: {}", reading.text());
                let code = reading.header("x-proxy-error");
                assert_eq!(code, Some("upstream_reset"), "{name}");
                assert_eq!(record.outcome, Outcome::UpstreamError, "{name}");
                assert_eq!(attempt.error_class, Some(ErrorClass::Reset), "{name}");
                // What was refused cannot have been billed, and only that.
                let unseen = acts.iter().all(|act| *act == refused);
                assert_eq!(attempt.maybe_billed, !unseen, "{name}");
            }
            // Whatever became of it, the next one has a connection.
            let next = Ask::chat("m", false).to("/secure");
            assert_eq!(rig.send(&next).text(), RAW_ANSWER, "{name}");
        }
    }
}

#[test]
fn a_goaway_ends_a_connection_and_not_the_requests_on_it() {
    let certificates = Certificates::new();
    let provider = RawH2::start(&certificates);
    let rig = rig_to(provider.address.port(), &certificates, true);
    for round in 1..=5 {
        provider.next(&[Act::GoAwayThenAnswer]);
        let ask = Ask::chat("m", false).to("/secure");
        assert_eq!(rig.send(&ask).text(), RAW_ANSWER);
        assert_eq!(rig.record(&ask).outcome, Outcome::Ok);
        assert_eq!(provider.connections(), round, "a new one each time");
    }
}
