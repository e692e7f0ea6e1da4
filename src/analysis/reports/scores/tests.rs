//! Makes evaluations up, and asks the report about them.

use super::*;
use crate::analysis::paper::{Cell, Plot};
use crate::analysis::render::Format;
use crate::analysis::render::paper::write;
use crate::analysis::reports::tests::head;
use crate::statistics::interval::bounded_mean;

/// `route` answers 40 items in two trials; `score` says what each is worth.
fn asked(provider: &str, ms: f64, score: impl Fn(usize, usize) -> Scored) -> Vec<Asked> {
    let each = (0..80).map(|n| Asked {
        model: "llama-3.1-8b".to_owned(),
        provider: provider.to_owned(),
        item: n / 2,
        groups: vec![if n < 40 { "early" } else { "late" }.to_owned()],
        scores: vec![score(n / 2, n % 2)],
        duration: Some((ms + n as f64) * 1e6),
        cost: Some(0.001),
    });
    each.collect()
}

fn scores() -> Scores {
    let right = |is: bool| Scored::Score(f64::from(u8::from(is)));
    let mut all = asked("good", 300.0, |item, _| right(item % 10 != 0));
    all.extend(asked("bad", 200.0, |item, trial| match (item, trial) {
        (0, 0) => Scored::Failed("it crashed".to_owned()),
        (1, _) => Scored::Nothing("no number".to_owned()),
        _ => right(item % 2 != 0),
    }));
    // A request that failed has no score and takes for ever.
    all.push(Asked {
        scores: Vec::new(),
        duration: Some(f64::INFINITY),
        cost: None,
        ..all[0].clone()
    });
    Scores {
        scorers: vec!["exact".to_owned()],
        groups: vec!["when".to_owned()],
        asked: all,
        judges: (3, 0.5),
    }
}

#[test]
fn scores_are_means_of_items_with_their_intervals() {
    let scores = scores();
    let paper = paper(&scores, head());
    let sheet = &paper.sheets[0];
    let row = |provider: &str| {
        let is = |row: &&Vec<Cell>| row[2] == Cell::text(provider);
        sheet.rows.iter().find(is).unwrap()
    };
    let good = row("good");
    assert_eq!(good[3], Cell::text("8b"));
    let wanted = bounded_mean(
        &(0..40)
            .map(|n| f64::from(u8::from(n % 10 != 0)))
            .collect::<Vec<_>>(),
        0.05,
    );
    assert_eq!(
        good[4],
        Cell::quantile(&wanted.unwrap(), 40),
        "40 items, not 80 answers"
    );
    assert_eq!((&good[7], &good[8]), (&Cell::count(0), &Cell::count(81)));
    let bad = row("bad");
    // 19 of 40: item 1 has nothing to score, item 0 counts by its other trial.
    assert_eq!(bad[4].number(), Some(19.0 / 40.0));
    assert_eq!((&bad[7], &bad[8]), (&Cell::count(1), &Cell::count(80)));
    let non_null = bad[6].number().unwrap();
    // Item 1 has none; the scorer that failed at item 0 says nothing of its answer.
    assert!((non_null - 39.0 / 40.0).abs() < 1e-12, "{non_null}");
    assert!(
        matches!(bad[6], Cell::Quantile { n: 79, .. }),
        "{:?}",
        bad[6]
    );
    let time = &paper.sheets[1];
    let failed = time.rows[1][6].number().unwrap();
    assert!((failed - (1.0 / 3.0) / 40.0).abs() < 1e-12, "{failed}");
    let found = standings(&scores);
    let places: Vec<_> = found
        .iter()
        .map(|of| (of.provider.as_str(), of.items))
        .collect();
    assert_eq!(places, [("bad", 40), ("good", 40)]);
}

#[test]
fn routes_are_compared_on_the_same_items() {
    let paper = paper(&scores(), head());
    let pairs = &paper.sheets[2];
    let [row] = &pairs.rows[..] else {
        panic!("{pairs:?}")
    };
    let difference = row[3].number().unwrap();
    assert!(
        (difference - (19.0 - 36.0) / 40.0).abs() < 1e-12,
        "{difference}"
    );
    // Even items that are no tens were wrong at `bad`, as was item 1.
    assert_eq!((&row[4], &row[5]), (&Cell::count(0), &Cell::count(17)));
    let p_value = row[6].number().unwrap();
    let mcnemar = 2.0 * 0.5_f64.powi(17);
    assert!((p_value - mcnemar).abs() < 1e-12, "{p_value}");
    assert_eq!(row[7], Cell::text("different"));
    assert!(
        paper.findings[0].starts_with("exact: llama-3.1-8b at good leads with 0.9"),
        "{:?}",
        paper.findings
    );
    let groups = &paper.sheets[3];
    assert_eq!(groups.rows.len(), 4);
    assert!(
        paper
            .notes
            .iter()
            .any(|note| note.contains("asked 3 times, for $0.5000"))
    );
}

#[test]
fn charts_set_scores_against_time_and_money_in_every_format() {
    let paper = paper(&scores(), head());
    let [duration, cost] = &paper.charts[..] else {
        panic!("two charts")
    };
    let Plot::Scatter { points, .. } = &duration.plot else {
        panic!("a scatter")
    };
    assert!(
        points
            .iter()
            .all(|point| point.best && point.x_ends.is_some() && point.y_ends.is_some())
    );
    let Plot::Scatter { points, .. } = &cost.plot else {
        panic!("a scatter")
    };
    // Equally dear, so only the better one is on the front.
    let front: Vec<bool> = points.iter().map(|point| point.best).collect();
    assert_eq!(front, [false, true]);
    for format in [
        Format::Table,
        Format::Markdown,
        Format::Json,
        Format::Csv,
        Format::Html,
    ] {
        let text = write(&paper, format);
        assert!(
            text.contains("llama-3.1-8b") && text.contains("good"),
            "{format:?}"
        );
    }
    let empty = super::paper(&Scores::default(), head());
    assert_eq!(empty.findings.len(), 1);
}
