//! Keeps a report within bounds: clients make up names without end, and a row takes thousands of
//! bytes. What goes, goes by the route: half a series of moments would be a wrong picture.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::cell::{Cell, Unit};
use super::sheet::{Column, Sheet};

/// What rows are of: what a person calls it, and the columns that name it. The first whose columns
/// a table has all of.
const SUBJECTS: [(&str, &[&str]); 10] = [
    ("Experiments", &["experiment"]),
    ("Comparisons", &["model", "comparison"]),
    ("Routes", &["model", "provider"]),
    ("Routes", &["model", "route"]),
    ("Routes", &["model", "router"]),
    ("Canaries", &["model", "canary"]),
    ("Providers", &["provider"]),
    ("Models", &["model"]),
    ("Runs", &["run"]),
    ("Rows", &["row"]),
];

/// Which of [`SUBJECTS`] rows are of, and the names of that one.
type Group = (usize, Vec<String>);

/// What belongs to one route in all tables.
#[derive(Debug, Default)]
struct Found {
    /// Its requests, of the table that has the most.
    size: u64,
    /// Its rows, of all tables.
    rows: usize,
    /// How many came before it.
    place: usize,
}

/// Takes the smallest groups of rows, routes for the most part, out of all tables, until at most
/// `groups` of a kind and `rows` rows are left; a table without groups, or with one larger than
/// that, ends after `rows`. What is left out is said, by the command `command` that has it.
pub(super) fn keep(
    sheets: &mut [Sheet],
    groups: usize,
    rows: usize,
    command: &str,
) -> Option<String> {
    let found = found(sheets);
    let (kept, said) = busiest(&found, groups, rows);
    let mut said: Vec<String> = said.into_iter().collect();
    for sheet in sheets {
        if let Some((kind, places)) = subject(&sheet.columns) {
            let stays = |row: &Vec<Cell>| kept.contains(&(kind, names(row, &places)));
            sheet.rows.retain(stays);
        }
        let over = sheet.rows.len().saturating_sub(rows);
        if over > 0 {
            sheet.rows.truncate(rows);
            said.push(format!(
                "{}: the first {rows} rows, without {over} further ones",
                sheet.title
            ));
        }
    }
    (!said.is_empty()).then(|| {
        format!(
            "Not all is told here. {}. `{command}` has the rest too.",
            said.join("; ")
        )
    })
}

/// How many of a table's first rows, `most` at most, a page shows without breaking a route's off;
/// `most` where the first route has more.
#[must_use]
pub fn whole_within(sheet: &Sheet, most: usize) -> usize {
    let (Some((_, places)), true) = (subject(&sheet.columns), sheet.rows.len() > most) else {
        return sheet.rows.len().min(most);
    };
    let is_end =
        |at: &usize| names(&sheet.rows[at - 1], &places) != names(&sheet.rows[*at], &places);
    (1..=most).rev().find(is_end).unwrap_or(most)
}

/// Every group, by its kind and names.
fn found(sheets: &[Sheet]) -> BTreeMap<Group, Found> {
    let mut all: BTreeMap<Group, Found> = BTreeMap::new();
    for sheet in sheets {
        let Some((kind, places)) = subject(&sheet.columns) else {
            continue;
        };
        let mut here: BTreeMap<Vec<String>, (u64, usize)> = BTreeMap::new();
        for row in &sheet.rows {
            let count = row.iter().zip(&sheet.columns).find_map(count).unwrap_or(0);
            let (size, rows) = here.entry(names(row, &places)).or_default();
            *size = size.saturating_add(count);
            *rows += 1;
        }
        for (names, (size, rows)) in here {
            let place = all.len();
            let group = all.entry((kind, names)).or_insert_with(|| Found {
                place,
                ..Found::default()
            });
            group.size = group.size.max(size);
            group.rows += rows;
        }
    }
    all
}

/// The groups of the most requests, and what is said where they are not all.
fn busiest(
    found: &BTreeMap<Group, Found>,
    groups: usize,
    rows: usize,
) -> (BTreeSet<Group>, Vec<String>) {
    let mut ranked: Vec<(&Group, &Found)> = found.iter().collect();
    ranked.sort_by_key(|(_, found)| (Reverse(found.size), found.place));
    let mut kept = BTreeSet::new();
    let mut counts = [(0_usize, 0_usize); SUBJECTS.len()];
    let mut left = rows;
    for (group, found) in ranked {
        let (taken, out) = &mut counts[group.0];
        // Where one does not fit, no smaller one takes its place: those told are the busiest.
        let fits = *out == 0 && *taken < groups && (found.rows <= left || *taken == 0);
        if fits {
            *taken += 1;
            left = left.saturating_sub(found.rows);
            kept.insert(group.clone());
        } else {
            *out += 1;
        }
    }
    let said = counts.iter().zip(SUBJECTS);
    let said = said.filter(|((_, out), _)| *out > 0);
    let said = said.map(|((taken, out), (what, _))| {
        format!("{what}: the {taken} of the most requests, without {out} further ones")
    });
    (kept, said.collect())
}

/// What the rows of a table with these columns are of, and where its names stand.
fn subject(columns: &[Column]) -> Option<(usize, Vec<usize>)> {
    let place = |key: &&str| columns.iter().position(|column| column.key == *key);
    let mut kinds = SUBJECTS.iter().enumerate();
    kinds.find_map(|(kind, (_, keys))| {
        let places: Option<Vec<usize>> = keys.iter().map(place).collect();
        Some((kind, places?))
    })
}

fn names(row: &[Cell], places: &[usize]) -> Vec<String> {
    let name = |place: &usize| match row.get(*place) {
        Some(Cell::Text(text)) => text.clone(),
        _ => String::new(),
    };
    places.iter().map(name).collect()
}

/// How many its row is of, where the cell says so.
fn count((cell, column): (&Cell, &Column)) -> Option<u64> {
    match cell {
        Cell::Value(value) if column.unit == Unit::Count => Some(*value as u64),
        Cell::Quantile { n, .. } => Some(*n),
        Cell::Share(share) => Some(share.whole),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of `(model, moment, requests)`.
    fn sheet(key: &'static str, rows: &[(&str, u32, f64)]) -> Sheet {
        let columns = vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::words("at", "from, UTC"),
            Column::new("requests", "requests", Unit::Count),
        ];
        let mut sheet = Sheet::new(key, key, columns);
        for (model, at, requests) in rows {
            sheet.rows.push(vec![
                Cell::text(*model),
                Cell::text("one"),
                Cell::text(at.to_string()),
                Cell::Value(*requests),
            ]);
        }
        sheet
    }

    fn rows(sheet: &Sheet) -> Vec<String> {
        let row = |row: &Vec<Cell>| sheet.names_of(row).join(" ");
        sheet.rows.iter().map(row).collect()
    }

    #[test]
    fn a_series_is_told_whole_or_not_at_all() {
        // The quiet hour of the busiest route is quieter than any hour of the others.
        let steps = [
            ("busy", 1, 90.0),
            ("busy", 2, 1.0),
            ("busy", 3, 90.0),
            ("rare", 1, 5.0),
            ("rare", 2, 5.0),
            ("some", 1, 20.0),
            ("some", 2, 20.0),
        ];
        let whole = [("busy", 0, 181.0), ("rare", 0, 10.0), ("some", 0, 40.0)];
        let mut sheets = [sheet("Over time", &steps), sheet("Whole", &whole)];
        let note = keep(&mut sheets, 2, 100, "tollgate report trend");
        assert_eq!(
            note.as_deref(),
            Some(
                "Not all is told here. Routes: the 2 of the most requests, without 1 further \
                 ones. `tollgate report trend` has the rest too."
            )
        );
        assert_eq!(
            rows(&sheets[0]),
            [
                "busy one 1",
                "busy one 2",
                "busy one 3",
                "some one 1",
                "some one 2"
            ]
        );
        assert_eq!(rows(&sheets[1]), ["busy one 0", "some one 0"]);
        assert_eq!(keep(&mut sheets, 2, 100, "x"), None, "nothing more to take");
    }

    #[test]
    fn of_more_rows_than_there_may_be_whole_routes_go_first() {
        let steps: Vec<(&str, u32, f64)> = ["a", "b", "c"]
            .iter()
            .zip([3.0, 9.0, 6.0])
            .flat_map(|(model, each)| (0..10).map(move |at| (*model, at, each)))
            .collect();
        let mut sheets = [sheet("Over time", &steps)];
        let note = keep(&mut sheets, 500, 25, "tollgate report trend").unwrap();
        assert!(note.contains("Routes: the 2 of the most requests, without 1 "));
        let models: BTreeSet<_> = rows(&sheets[0])
            .iter()
            .map(|row| row[..1].to_owned())
            .collect();
        assert_eq!(models, ["b".to_owned(), "c".to_owned()].into());
        assert_eq!(sheets[0].rows.len(), 20);
        // One that is larger than all there may be ends all the same, and it is said.
        let note = keep(&mut sheets, 500, 7, "tollgate report trend").unwrap();
        assert!(
            note.contains("Routes: the 1 of the most requests, without 1 "),
            "{note}"
        );
        assert!(
            note.contains("Over time: the first 7 rows, without 3 "),
            "{note}"
        );
        assert_eq!(sheets[0].rows.len(), 7);
        assert!(rows(&sheets[0]).iter().all(|row| row.starts_with('b')));
    }

    #[test]
    fn what_is_shown_of_a_table_ends_with_a_whole_route() {
        let steps = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3), ("c", 1)];
        let sheet = sheet("Over time", &steps.map(|(model, at)| (model, at, 1.0)));
        for (most, shown) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 2),
            (4, 2),
            (5, 5),
            (6, 6),
            (9, 6),
        ] {
            assert_eq!(whole_within(&sheet, most), shown, "{most}");
        }
    }

    #[test]
    fn tables_of_something_else_keep_their_rows() {
        let mut moments = sheet("Notes", &[("x", 1, 1.0), ("y", 2, 1.0), ("z", 3, 1.0)]);
        moments.columns[0].key = "text";
        moments.columns[1].key = "of";
        assert_eq!(keep(std::slice::from_mut(&mut moments), 1, 3, "x"), None);
        assert!(keep(std::slice::from_mut(&mut moments), 1, 2, "x").is_some());
        assert_eq!(moments.rows.len(), 2);
    }
}
