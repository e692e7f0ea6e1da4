//! Lets the place where records go panic within an exchange: the others do not notice.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tollgate::app::node::{Node, Parts};
use tollgate::clock::Clock;
use tollgate::config::{self, Sources};
use tollgate::edge::upstream::ProxyRules;
use tollgate::record::Origin;
use tollgate::simulator::bare::{Connection, ReadEnd};

use super::program::{KEY, call, chat, simulator, until};

/// A node of one worker whose records with the tag `boom` end in a panic, and counts the others.
fn node(provider: SocketAddr, kept: &Arc<AtomicU64>) -> Node {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:1\"\n\
         [providers.sim]\nbase_url = \"http://{provider}/v1\"\napi_key = \"{KEY}\"\n"
    );
    let loaded = config::load(&Sources {
        text: Some(&text),
        file: "panics.toml",
        env: &|_| None,
        read_file: &|_| Err(io::Error::other("no files here")),
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: std::env::temp_dir(),
        cores: 1,
    });
    let kept = Arc::clone(kept);
    let parts = Parts {
        settings: loaded.unwrap().settings,
        offer: Arc::new(move |record| {
            let boom = record.tags.iter().any(|tag| tag.starts_with("boom"));
            assert!(!boom, "a fault put here by a test");
            kept.fetch_add(1, Ordering::Relaxed);
        }),
        standing: tollgate::recorder::Standing::default(),
        secret: b"secret of the tests".to_vec(),
        origin: Origin::Live,
        proxies: ProxyRules::default(),
        logins: None,
        clock: Clock::system(),
    };
    Node::start(parts).unwrap()
}

#[test]
fn a_panic_in_one_exchange_leaves_the_others_alone() {
    let (simulator, kept) = (simulator(), Arc::new(AtomicU64::new(0)));
    let node = node(simulator.addr(), &kept);
    let address = node.address;
    let long = thread::spawn(move || {
        let mut connection = Connection::open(address).unwrap();
        let request = chat("sim:ft-20ms:gap-20ms:n-30", true, "long");
        connection.exchange(&request).unwrap()
    });
    until("the long stream at its provider", || {
        simulator.truth("long")
    });
    for stream in [false, true] {
        for turn in 0..10 {
            // Its own answer may be cut, or whole: the panic came while it was settled.
            let _ = call(address, &chat("sim:n-3", stream, &format!("boom-{turn}")));
            let next = call(address, &chat("sim:n-3", stream, &format!("next-{turn}"))).unwrap();
            assert_eq!((next.status, next.end), (200, ReadEnd::Complete));
        }
    }
    let long = long.join().unwrap();
    assert_eq!((long.status, long.end), (200, ReadEnd::Complete));
    assert!(long.body.ends_with(b"data: [DONE]\n\n"));
    until("every other record", || {
        (kept.load(Ordering::Relaxed) == 21).then_some(())
    });
    assert!(!node.is_done(), "the worker is at work");
    node.stop();
}
