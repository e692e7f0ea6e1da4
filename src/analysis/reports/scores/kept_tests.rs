//! Makes scores up, and asks the report `scores` about them.

use super::*;
use crate::analysis::render::Format;
use crate::analysis::render::paper::write;
use crate::analysis::reports::tests::{head, made_up};
use crate::record::{ItemMeans, WallTime};
use crate::statistics::interval::{ALPHA, bounded_mean};

const ITEMS: u32 = 60;

/// The score of `provider` in `run`, of zeros and ones.
fn scored(
    run: &str,
    hour: i64,
    provider: &str,
    set: Option<&str>,
    right: fn(u32) -> bool,
) -> RouteScore {
    let means: Vec<(u32, f64)> = (0..ITEMS)
        .map(|item| (item, f64::from(u8::from(right(item)))))
        .collect();
    let worth: Vec<f64> = means.iter().map(|(_, mean)| *mean).collect();
    let found = bounded_mean(&worth, ALPHA).unwrap();
    RouteScore {
        run: Name::from(run),
        at: WallTime(0).plus_secs(hour * 3_600),
        model: Name::from("llama-3.1-8b"),
        provider: Name::from(provider),
        there: Name::from("llama-3.1-8b"),
        scorer: Name::from("exact"),
        value: found.value,
        low: found.interval.low,
        high: found.interval.high,
        items: ITEMS,
        each: set.map(|set| ItemMeans {
            set: Name::from(set),
            means,
        }),
    }
}

fn scores() -> Vec<RouteScore> {
    vec![
        scored("new", 9, "good", Some("coqa"), |item| item % 10 != 0),
        scored("new", 9, "bad", Some("coqa"), |item| item % 2 != 0),
        scored("old", 1, "good", Some("coqa"), |item| item % 3 != 0),
        scored("old", 1, "elsewhere", Some("other set"), |item| {
            item % 10 != 0
        }),
        scored("older", 0, "unknown", None, |_| true),
    ]
}

fn told(choice: &Choice) -> Paper {
    Evaluations::new(scores(), choice).paper(head())
}

fn sheet<'a>(paper: &'a Paper, name: &str) -> &'a Sheet {
    paper.sheets.iter().find(|sheet| sheet.key == name).unwrap()
}

#[test]
fn the_newest_score_of_each_route_stands_and_is_compared() {
    let paper = told(&Choice::default());
    let newest = sheet(&paper, "scores");
    let providers: Vec<_> = newest.rows.iter().map(|row| row[3].clone()).collect();
    assert_eq!(
        providers,
        ["unknown", "bad", "good", "elsewhere"].map(Cell::text)
    );
    // The scorer keeps its name, whatever other data sets there are.
    let columns: Vec<_> = newest.columns[..2].iter().map(|of| of.key).collect();
    assert_eq!(columns, ["scorer", "data_set"]);
    assert!(newest.rows.iter().all(|row| row[0] == Cell::text("exact")));
    let sets: Vec<_> = newest.rows.iter().map(|row| row[1].clone()).collect();
    let [coqa, other] = ["coqa", "other se"].map(Cell::text);
    let unknown = Cell::absent("not known of this score");
    assert_eq!(sets, [unknown, coqa.clone(), coqa, other]);
    assert_eq!(
        newest.rows[2][9],
        Cell::text("new"),
        "of two runs the newer"
    );
    assert_eq!(newest.rows[0][4], Cell::text("8b"));
    assert_eq!(
        newest.rows[0][7],
        Cell::absent("no record of the run is in this store")
    );
    let pairs = sheet(&paper, "pairs");
    let pair = |first: &str, second: &str| {
        let name = |provider| Cell::text(format!("llama-3.1-8b at {provider}"));
        let is = |row: &&Vec<Cell>| row[2] == name(first) && row[3] == name(second);
        pairs.rows.iter().find(is).unwrap()
    };
    // Even items that are no tens were wrong at `bad` alone.
    let same = pair("bad", "good");
    assert_eq!(same[9], Cell::text("the same items"));
    assert_eq!((&same[5], &same[6]), (&Cell::count(0), &Cell::count(24)));
    let p_value = same[7].number().unwrap();
    assert!(
        (p_value - 2.0 * 0.5_f64.powi(24)).abs() < 1e-12,
        "{p_value}"
    );
    assert_eq!(same[8], Cell::text("different"));
    // A score of another data set says nothing beside these, nor one of which no item is known.
    assert_eq!(pairs.rows.len(), 1);
    let led: Vec<_> = paper
        .findings
        .iter()
        .filter(|found| found.contains("leads"))
        .collect();
    assert_eq!(led.len(), 1, "{:?}", paper.findings);
    assert!(led[0].starts_with("exact, data set coqa: llama-3.1-8b at good leads with"));
    let history = sheet(&paper, "history");
    let runs: Vec<_> = history.rows.iter().map(|row| row[4].clone()).collect();
    assert_eq!(
        runs,
        ["old", "new"].map(Cell::text),
        "of the route that was scored twice"
    );
    let change = history.rows[1][7].number().unwrap();
    assert!((change - (54.0 - 40.0) / 60.0).abs() < 1e-12, "{change}");
}

#[test]
fn scores_are_chosen_and_set_beside_time_and_money() {
    // Of one scorer on one data set: findings need no name for it, rows have it all the same.
    let choice = Choice {
        providers: vec!["good".to_owned()],
        runs: vec!["old".to_owned()],
        ..Choice::default()
    };
    let paper = told(&choice);
    assert_eq!(sheet(&paper, "scores").rows.len(), 1);
    assert_eq!(paper.sheets.len(), 1, "nothing to compare with");
    let row = &sheet(&paper, "scores").rows[0];
    assert_eq!(row[..2], ["exact", "coqa"].map(Cell::text));
    assert!(
        paper.findings[0].starts_with("exact: "),
        "{:?}",
        paper.findings
    );
    let mut seen = Evaluations::new(scores(), &Choice::default());
    let place = |provider: &str| {
        (
            Name::from("new"),
            Name::from(provider),
            Name::from("llama-3.1-8b"),
        )
    };
    let calls = |ms: f64| {
        let call = |n| Call {
            whole: Some((ms + n as f64) * 1e6),
            cost: Some(0.002),
            ..made_up(n, ms)
        };
        (0..20).map(call).collect::<Vec<_>>()
    };
    seen.calls.insert(place("good"), calls(300.0));
    seen.calls.insert(place("bad"), calls(200.0));
    let paper = seen.paper(head());
    let good = &sheet(&paper, "scores").rows[2];
    assert!(
        (good[7].number().unwrap() - 309.5e6).abs() < 1.0,
        "{good:?}"
    );
    assert!((good[8].number().unwrap() - 2.0).abs() < 1e-9, "{good:?}");
    assert_eq!(paper.charts.len(), 2);
    // A region stands in records alone: scores without one are left out.
    let region = Choice {
        regions: vec!["eu".to_owned()],
        ..Choice::default()
    };
    assert!(told(&region).sheets.is_empty());
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
}
