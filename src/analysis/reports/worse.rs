//! Picks out of a comparison what got worse: surely, and by more than the margin.

use super::Paper;
use crate::analysis::paper::{Cell, Sheet, Unit};
use crate::analysis::render::paper::number;

/// Keys of numbers of which less is better, by what they begin with.
const LESS: [&str; 12] = [
    "first_token",
    "first_answer",
    "total",
    "connect",
    "cost",
    "failed",
    "failure",
    "stalled",
    "pseudo_streams",
    "limited",
    "iqr_over",
    "mad_over",
];
/// Keys of numbers of which more is better.
const MORE: [&str; 6] = [
    "output_rate",
    "success",
    "long_enough",
    "on_topic",
    "well_formed",
    "score",
];

/// What got worse from A to B, each in words, by the verdicts of a report `compare`: a difference
/// that is none of size, or of which nobody can be sure, is not among it.
#[must_use]
pub fn worse(compared: &Paper) -> Vec<String> {
    let sheets = compared.sheets.iter();
    let Some(sheet) = sheets.into_iter().find(|sheet| sheet.key == "differences") else {
        return Vec::new();
    };
    let place = |key: &str| sheet.columns.iter().position(|column| column.key == key);
    let (Some(row_at), Some(name_at), Some(key_at), Some(difference_at), Some(verdict_at)) = (
        place("row"),
        place("number"),
        place("key"),
        place("difference"),
        place("verdict"),
    ) else {
        return Vec::new();
    };
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        _ => String::new(),
    };
    let said = |row: &Vec<Cell>| {
        let difference = row[difference_at].number()?;
        let surely = row[verdict_at] == Cell::text("different");
        (surely && is_worse(&text(&row[key_at]), difference)).then(|| {
            let unit = row[difference_at].unit_in(Unit::More);
            format!(
                "{}: {}, {}",
                text(&row[row_at]),
                text(&row[name_at]),
                number(difference, unit)
            )
        })
    };
    sheet.rows.iter().filter_map(said).collect()
}

/// Whether there was nothing to judge: no row of A has its like in B with an interval on both sides.
#[must_use]
pub fn is_empty(compared: &Paper) -> bool {
    let differences = |sheet: &&Sheet| sheet.key == "differences";
    let found = compared.sheets.iter().find(differences);
    found.is_none_or(|sheet| sheet.rows.is_empty())
}

/// Rows of A that B has not, each in words.
#[must_use]
pub fn missing(compared: &Paper) -> Vec<String> {
    let mut sheets = compared.sheets.iter();
    let Some(sheet) = sheets.find(|sheet| sheet.key == "one_side") else {
        return Vec::new();
    };
    let rows = sheet.rows.iter();
    let of_a = rows.filter_map(|row| match &row[..] {
        [Cell::Text(table), Cell::Text(row), Cell::Text(side)] if side == "A" => {
            Some(format!("{row} ({table})"))
        }
        _ => None,
    });
    of_a.collect()
}

fn is_worse(key: &str, difference: f64) -> bool {
    let begins = |list: &[&str]| list.iter().any(|of| key.starts_with(of));
    (difference > 0.0 && begins(&LESS)) || (difference < 0.0 && begins(&MORE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::call::Call;
    use crate::analysis::reports::compare::compared;
    use crate::analysis::reports::listed::Listed;
    use crate::analysis::reports::tests::{failing, head, made_up};

    #[test]
    fn what_is_surely_slower_or_fails_more_is_worse_and_what_is_faster_is_not() {
        let calls = |first_ms: f64, failures: usize| {
            let answered = (0..80).map(|n| made_up(n, first_ms + (n % 7) as f64));
            let all = answered.chain((0..failures).map(failing));
            Listed::Models.paper(&all.collect::<Vec<_>>(), head())
        };
        let sides = ["A".to_owned(), "B".to_owned()];
        let found = |a: &Paper, b: &Paper| worse(&compared(a, b, &sides));
        let (base, slow, failing) = (calls(300.0, 0), calls(400.0, 0), calls(300.0, 40));
        assert_eq!(found(&base, &base), Vec::<String>::new());
        let slower = found(&base, &slow);
        assert!(
            slower
                .iter()
                .any(|what| what.contains("first token p50, +100 ms")),
            "{slower:?}"
        );
        assert_eq!(found(&slow, &base), Vec::<String>::new());
        let failed = found(&base, &failing);
        assert!(
            failed.iter().any(|what| what.contains("failed")),
            "{failed:?}"
        );
    }

    #[test]
    fn what_one_side_lacks_is_named_and_nothing_in_common_is_nothing_compared() {
        let calls = |models: &[&str]| {
            let each = models.iter().flat_map(|model| {
                (0..40).map(move |n| Call {
                    model: Some((*model).into()),
                    ..made_up(n, 300.0 + (n % 7) as f64)
                })
            });
            Listed::Models.paper(&each.collect::<Vec<_>>(), head())
        };
        let sides = ["A".to_owned(), "B".to_owned()];
        for (a, b, empty, lacking) in [
            (&["m"][..], &["m"][..], false, false),
            (&["m"], &["m", "n"], false, false),
            (&["m", "n"], &["m"], false, true),
            (&["m"], &["n"], true, true),
        ] {
            let paper = compared(&calls(a), &calls(b), &sides);
            assert_eq!(is_empty(&paper), empty, "{a:?} {b:?}");
            let missing = missing(&paper);
            assert_eq!(!missing.is_empty(), lacking, "{a:?} {b:?}: {missing:?}");
            let lost = a.iter().find(|model| !b.contains(model));
            let named = |model: &&str| missing.iter().any(|row| row.contains(*model));
            assert!(lost.is_none_or(named), "{missing:?}");
        }
    }

    #[test]
    fn each_kind_of_number_has_its_good_side() {
        for (key, difference, expected) in [
            ("first_token_p95", 1.0, true),
            ("first_token_p95", -1.0, false),
            ("output_rate_p50", -1.0, true),
            ("output_rate_p50", 1.0, false),
            ("well_formed", -0.1, true),
            ("requests", 5.0, false),
        ] {
            assert_eq!(is_worse(key, difference), expected, "{key} {difference}");
        }
    }
}
