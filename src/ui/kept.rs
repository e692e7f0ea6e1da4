//! Keeps reports for whoever asks the same again.

use std::sync::{Arc, Mutex, PoisonError};

use crate::analysis::paper::Paper;
use crate::analysis::tables::Window;
use crate::edge::store::Committed;
use crate::record::{Moment, Nanos, WallTime};

use super::papers::Question;

/// The last reports.
#[derive(Debug, Default)]
pub(super) struct KeptPapers(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    question: Question,
    committed: Committed,
    at: Moment,
    paper: Arc<Paper>,
}

/// Reports kept.
const KEPT_MAX: usize = 16;
/// How old a report may be while exchanges come in.
const FRESH: Nanos = Nanos::from_millis(5_000);
/// How old it may be where none came: its window goes on.
const STANDING: Nanos = Nanos::from_millis(60_000);

impl KeptPapers {
    /// The report that answers `question`, where one is kept that is fresh, or made of all that
    /// the store holds now.
    pub(super) fn find(
        &self,
        question: &Question,
        committed: Committed,
        now: Moment,
    ) -> Option<Arc<Paper>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| now.since(kept.at) < STANDING);
        let found = kept.iter().rev().find(|kept| {
            let current = kept.committed == committed || now.since(kept.at) < FRESH;
            current && kept.answers(question)
        });
        found.map(|kept| Arc::clone(&kept.paper))
    }

    /// Keeps `paper`, made at `now` of what was `committed` then.
    pub(super) fn keep(
        &self,
        question: Question,
        committed: Committed,
        now: Moment,
        paper: Paper,
    ) -> Arc<Paper> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        let paper = Arc::new(paper);
        kept.push(Kept {
            question,
            committed,
            at: now,
            paper: Arc::clone(&paper),
        });
        paper
    }
}

impl Kept {
    /// Whether it was made for the same question. Windows of which the last ended when it was made
    /// have moved on since: they are the same where all moved alike, or only that end did.
    fn answers(&self, question: &Question) -> bool {
        let (own, asked) = (windows(&self.question), windows(question));
        let same = own == asked || self.moved(&own, &asked);
        same && Question {
            window: self.question.window,
            compare: self.question.compare,
            ..question.clone()
        } == self.question
    }

    fn moved(&self, own: &[Window], asked: &[Window]) -> bool {
        let (Some(last), Some(end)) = (own.last(), asked.last()) else {
            return false;
        };
        let by = end.until.0 - last.until.0;
        let open = last.until > self.made() && by >= 0 && own.len() == asked.len();
        let grown = asked.len() == 1 && last.from == end.from;
        let alike = own.iter().zip(asked).all(|(own, asked)| {
            asked.from.0 - own.from.0 == by && asked.until.0 - own.until.0 == by
        });
        open && (grown || alike)
    }

    fn made(&self) -> WallTime {
        self.paper.head.made
    }
}

/// The windows that are asked about, in the order of time.
fn windows(question: &Question) -> Vec<Window> {
    match question.compare {
        Some(windows) => windows.to_vec(),
        None => vec![question.window],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::paper::{Head, Source};
    use crate::analysis::reports::{Choice, Listed};
    use crate::analysis::tables::Origins;
    use crate::edge::store::StoreReader;
    use crate::ui::papers::{Known, Which};

    fn question(from: i64, until: i64) -> Question {
        Question {
            which: Which::Listed(Listed::Models),
            window: Window {
                from: WallTime(from),
                until: WallTime(until),
            },
            compare: None,
            origins: Origins::Live,
            choice: Choice::default(),
            known: Known::of(None),
        }
    }

    fn paper(made: i64, window: Window) -> Paper {
        Paper {
            name: "models",
            version: 1,
            title: String::new(),
            findings: Vec::new(),
            head: Head {
                window,
                made: WallTime(made),
                origin: String::new(),
                selection: Vec::new(),
                source: Source::Records,
                scanned: 0,
                taken: 0,
                excluded: Vec::new(),
                configs: Vec::new(),
                own_delay: None,
                seed: None,
                method: "",
                sides: Vec::new(),
                hosted: Vec::new(),
                remarks: Vec::new(),
            },
            sheets: Vec::new(),
            charts: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What a store holds before and after a write.
    fn two() -> (Committed, Committed) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tollgate.redb");
        let settings = crate::config::settings::StoreSettings {
            path: path.clone(),
            cache_bytes: 1 << 20,
            keep_records: std::time::Duration::from_hours(1),
            keep_bytes: 1 << 20,
            keep_minutes: std::time::Duration::from_hours(1),
            keep_hours: std::time::Duration::from_hours(1),
            queue_max: 16,
        };
        let clock = crate::clock::Clock::system();
        let (mut store, _) = crate::edge::store::Store::open(&settings, &clock).unwrap();
        let reader = StoreReader::open(&path).unwrap();
        let before = reader.committed().unwrap();
        store.append(&[crate::sample::record()]).unwrap();
        (before, reader.committed().unwrap())
    }

    #[test]
    fn a_report_is_found_again_while_it_says_all_there_is() {
        let kept = KeptPapers::default();
        let (before, after) = two();
        assert_ne!(before, after);
        let asked = question(0, 1_001);
        let at = Moment(1);
        kept.keep(asked.clone(), before, at, paper(1_000, asked.window));
        let later = |ms: u64| Moment(at.0 + ms * 1_000_000);
        let found = |question: &Question, committed, ms| {
            kept.find(question, committed, later(ms)).is_some()
        };
        // The window has moved on by 30 seconds, and nothing was written.
        let (moved, grown) = (question(30, 1_031), question(0, 1_031));
        assert!(found(&moved, before, 30_000) && found(&grown, before, 30_000));
        assert!(found(&moved, after, 4_000) && !found(&moved, after, 6_000));
        assert!(!found(&question(30, 900), before, 1), "another window");
        let other = Question {
            origins: Origins::All,
            ..asked.clone()
        };
        assert!(!found(&other, before, 1), "another question");
        assert!(!found(&asked, before, 61_000), "too old");
    }

    #[test]
    fn a_window_that_is_over_is_not_another_one() {
        let kept = KeptPapers::default();
        let (before, _) = two();
        let asked = question(0, 500);
        kept.keep(asked.clone(), before, Moment(1), paper(1_000, asked.window));
        let found = |question| kept.find(&question, before, Moment(2)).is_some();
        assert!(found(asked));
        assert!(!found(question(0, 600)) && !found(question(100, 600)));
    }
}
