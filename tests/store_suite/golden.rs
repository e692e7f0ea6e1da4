//! Stores of every released schema are read for good: the files are under `tests/fixtures/store`.

use std::fmt::Write;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tollgate::clock::Clock;
use tollgate::edge::store::{Grain, Opened, Store, StoreReader};
use tollgate::record::ExchangeRecord;

use super::append::ALWAYS;
use super::records::{Random, arbitrary, mixed};
use super::settings;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/store")
        .join(name)
}

/// What a store says, one line a fact: whatever later versions add, these stay.
fn export(path: &Path) -> String {
    let reader = StoreReader::open(path).unwrap();
    let mut out = String::new();
    let scanned = reader.scan(ALWAYS, |summary| {
        let figures = &summary.figures;
        writeln!(
            out,
            "summary {} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            summary.id,
            summary.started.rfc3339(),
            summary.outcome,
            figures.first_token,
            figures.total,
            figures.output_rate,
            figures.own_delay,
            summary.usage.output,
            summary.cost,
            summary.finish,
        )
        .unwrap();
        ControlFlow::Continue(())
    });
    assert_eq!(scanned.unwrap().damaged, 0);
    let scanned = reader.records(ALWAYS, |record| {
        line(&mut out, &record);
        ControlFlow::Continue(())
    });
    assert_eq!(scanned.unwrap().damaged, 0);
    let names = reader.names().unwrap();
    for grain in Grain::ALL {
        let scanned = reader.rollups(1, grain, ALWAYS, |key, rollup| {
            writeln!(
                out,
                "{grain:?} {} {:?} {:?} {:?} {} {} {:?} {:?}",
                key.from(grain).rfc3339(),
                names.get(key.provider),
                names.get(key.model),
                key.origin,
                key.stream,
                rollup.exchanges(),
                rollup.sums(),
                rollup.first_token.quantile(0.5),
            )
            .unwrap();
            ControlFlow::Continue(())
        });
        assert_eq!(scanned.unwrap().damaged, 0);
    }
    out
}

fn line(out: &mut String, record: &ExchangeRecord) {
    writeln!(
        out,
        "record {} {:?} {:?} {:?} {:?} {:?}",
        record.id,
        record.model,
        record.tags,
        record.session.map(|session| session.hash),
        record.request.prompt_hash,
        record.closed_at,
    )
    .unwrap();
    if let Some(active) = &record.active {
        writeln!(out, "  {active:?}").unwrap();
    }
    for attempt in &record.attempts {
        writeln!(
            out,
            "  attempt {} {:?} {:?} {:?} {:?} {:?} {:?}",
            attempt.provider,
            attempt.status,
            attempt.error_class,
            attempt.upstream_request_id,
            attempt.rate_limits,
            attempt.timeline.iter().collect::<Vec<_>>(),
            attempt.gaps.as_ref().map(|gaps| gaps.sketch.bins.len()),
        )
        .unwrap();
    }
}

#[test]
fn the_first_schema_is_read() {
    // The second one has the blocks that records were given since.
    for name in ["v1", "v1-active"] {
        is_read(name);
    }
}

fn is_read(name: &str) {
    let of = |ending: &str| fixture(&format!("{name}.{ending}"));
    let (store, expected) = (of("redb"), of("txt"));
    if std::env::var_os("UPDATE").is_some() && !store.exists() {
        make(&store);
        fs::write(&expected, export(&store)).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    fs::copy(&store, &path).unwrap();
    let found = export(&path);
    let expected = fs::read_to_string(&expected).unwrap();
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    // It can also be written on, and is sound.
    let (mut store, opened) = Store::open(&settings(&path), &Clock::system()).unwrap();
    assert_eq!(opened, Opened::default());
    assert!(store.verify().unwrap().is_clean());
    store.append(&mixed(99, 10, 1_000)).unwrap();
    assert!(store.verify().unwrap().is_clean());
}

fn make(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (mut store, _) = Store::open(&settings(path), &Clock::system()).unwrap();
    store.append(&mixed(1, 30, 7_000_000)).unwrap();
    let mut random = Random(1);
    let odd: Vec<_> = (0..10).map(|_| arbitrary(&mut random)).collect();
    store.append(&odd).unwrap();
    store.compact().unwrap();
}
