//! Holds what all requests to the page share.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;

use crate::analysis::paper::Paper;
use crate::analysis::tables::RoutesReport;
use crate::edge::store::{StoreError, StoreReader, let_traffic_go_first};
use crate::record::{ExchangeRecord, Moment, Nanos, Origin, WallTime};

use super::fault::Fault;
use super::handles::Handles;
use super::kept::KeptPapers;
use super::lately::{Lately, REACH, Sums};
use super::metrics::Metrics;
use super::papers;
use super::reading::Most;
use super::rows::{self, Asked};
use super::sessions::Sessions;

/// What all requests share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) handles: Handles,
    pub(super) metrics: Metrics,
    pub(super) sessions: Sessions,
    pub(super) started: WallTime,
    /// Live views open now.
    pub(super) watchers: AtomicUsize,
    lately: Mutex<Lately>,
    reports: Mutex<Vec<Kept>>,
    papers: KeptPapers,
    reading: Semaphore,
}

/// A report kept for whoever asks the same soon after.
#[derive(Debug)]
struct Kept {
    question: Question,
    made: Moment,
    report: Arc<RoutesReport>,
}

/// A report as it was asked for: ages, not dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) origin: Option<String>,
}

/// Exchanges before the start that are taken into the overview.
const RECALLED_MAX: u32 = 50_000;
/// How long a report is kept.
const FRESH: Nanos = Nanos::from_millis(5_000);
/// Reports kept.
const REPORTS_MAX: usize = 8;
/// Reads of the store at once: the page must not take the machine from the traffic.
const READS_MAX: usize = 2;

impl State {
    pub(super) fn new(handles: Handles) -> Self {
        Self {
            metrics: Metrics::new(),
            sessions: Sessions::default(),
            started: handles.clock.wall(),
            watchers: AtomicUsize::new(0),
            lately: Mutex::default(),
            reports: Mutex::default(),
            papers: KeptPapers::default(),
            reading: Semaphore::new(READS_MAX),
            handles,
        }
    }

    /// Whether what is shown is simulated.
    pub(super) fn is_simulated(&self) -> bool {
        self.handles.origin == Origin::Demo
    }

    /// Takes the feed into metrics and the overview, for as long as there is one.
    pub(super) async fn follow(self: &Arc<Self>) {
        let begun = self.handles.clock.wall();
        let mut feed = (self.handles.feed)();
        self.recall(begun).await;
        loop {
            match feed.recv().await {
                Ok(record) => self.take(&record),
                Err(RecvError::Lagged(missed)) => self.metrics.missed(missed),
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }

    /// Takes the last minutes before the start into the overview: they are in the store. What the
    /// store cannot tell is not shown, and the page says why.
    async fn recall(self: &Arc<Self>, until: WallTime) {
        let range = until.plus_secs(-REACH)..until;
        let state = Arc::clone(self);
        let read = self.read(move |reader| {
            let mut left = RECALLED_MAX;
            reader.records(range, |record| {
                let mut lately = state.lately.lock().unwrap_or_else(PoisonError::into_inner);
                lately.add(&record);
                left -= 1;
                if left > 0 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
        let _ = read.await;
    }

    pub(super) fn take(&self, record: &ExchangeRecord) {
        let names_it = |model: &str| (self.handles.settings)().names_model(model);
        self.metrics.observe(record, &names_it);
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.add(record);
    }

    /// What the last minutes come to.
    pub(super) fn sums(&self) -> Sums {
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.sums(self.handles.clock.wall())
    }

    /// Counts one more live view, unless there are `max`.
    pub(super) fn watch(self: &Arc<Self>, max: usize) -> Option<Watch> {
        let before = self.watchers.fetch_add(1, Ordering::AcqRel);
        let watch = Watch(Arc::clone(self));
        (before < max).then_some(watch)
    }

    /// Reads the store away from the runtime's own thread.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&StoreReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let gone = || {
            let message = "the page is being stopped";
            Fault::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
        };
        let _turn = self.reading.acquire().await.map_err(|_| gone())?;
        let reader = Arc::clone(&self.handles.reader);
        let reading = tokio::task::spawn_blocking(move || {
            // These threads do nothing but read.
            let_traffic_go_first();
            read(&*reader()?)
        });
        Ok(reading.await.map_err(|_| gone())??)
    }

    /// The report `routes`: the last one, where it is fresh.
    pub(super) async fn routes(
        self: &Arc<Self>,
        question: Question,
        asked: Asked,
    ) -> Result<Arc<RoutesReport>, Fault> {
        let now = self.handles.clock.now();
        if let Some(report) = self.kept(&question, now) {
            return Ok(report);
        }
        let settings = (self.handles.settings)();
        let made = self.handles.clock.wall();
        let read = self.read(move |reader| {
            rows::routes(reader, &asked, Some(&settings), Most::PAGE, made, || {})
        });
        let report = Arc::new(read.await?);
        let mut kept = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= REPORTS_MAX {
            kept.remove(0);
        }
        kept.push(Kept {
            question,
            made: now,
            report: Arc::clone(&report),
        });
        Ok(report)
    }

    /// A report of whole records: the last one, where it is fresh or nothing was written since.
    pub(super) async fn paper(
        self: &Arc<Self>,
        question: papers::Question,
    ) -> Result<Arc<Paper>, Fault> {
        let (now, made) = (self.handles.clock.now(), self.handles.clock.wall());
        let state = Arc::clone(self);
        self.read(move |reader| {
            let committed = reader.committed()?;
            if let Some(paper) = state.papers.find(&question, committed, now) {
                return Ok(paper);
            }
            let paper = papers::paper(reader, &question, Most::PAGE, made, || {})?;
            let paper = match Most::PAGE.routes {
                Some(most) => paper.at_most(most, Most::ROWS),
                None => paper,
            };
            Ok(state.papers.keep(question, committed, now, paper))
        })
        .await
    }

    fn kept(&self, question: &Question, now: Moment) -> Option<Arc<RoutesReport>> {
        let mut kept = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| now.since(kept.made) < FRESH);
        let same = kept.iter().find(|kept| kept.question == *question);
        same.map(|kept| Arc::clone(&kept.report))
    }
}

/// A live view that is open.
#[derive(Debug)]
pub(super) struct Watch(Arc<State>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}
