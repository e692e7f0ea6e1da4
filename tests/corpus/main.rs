//! Sends what no honest client sends, over bare sockets, and holds every answer, every record and
//! every byte that a provider gets against what was agreed.
//!
//! `CASE=name cargo test --test corpus` runs the cases whose name holds that text.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod template;

mod case;

mod client;

mod upstream;

mod world;

mod judge;

mod framing;

mod hosts;

mod origins;

mod headers;

mod targets;

mod methods;

mod json;

mod content;

mod sizes;

mod pipelining;

mod pace;

mod forgery;

mod credentials;

mod errors;

use std::collections::BTreeSet;

use case::Case;

/// Cases of all families, with the family's name.
fn all() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("framing", framing::cases()),
        ("hosts", hosts::cases()),
        ("origins", origins::cases()),
        ("headers", headers::cases()),
        ("targets", targets::cases()),
        ("methods", methods::cases()),
        ("json", json::cases()),
        ("content", content::cases()),
        ("sizes", sizes::cases()),
        ("pipelining", pipelining::cases()),
        ("pace", pace::cases()),
        ("forgery", forgery::cases()),
        ("credentials", credentials::cases()),
        ("tokens", credentials::token_cases()),
        ("errors", errors::cases()),
    ]
}

#[test]
fn the_corpus_is_large_and_its_leniency_small() {
    let families = all();
    let mut names = BTreeSet::new();
    let (mut count, mut lenient) = (0, Vec::new());
    for (family, cases) in &families {
        for case in cases {
            count += 1;
            assert!(
                names.insert((*family, case.name)),
                "{family}: {} twice",
                case.name
            );
            assert!(
                !case.note.is_empty(),
                "{family}: {} says not why",
                case.name
            );
            if case.lenient {
                lenient.push(case.name);
            }
        }
    }
    println!("{count} cases");
    assert!(count >= 180, "{count} cases");
    assert!(lenient.len() <= 4, "{lenient:?}");
}
