//! Makes reports of whole records: the only place that knows both the store and the reports.

use std::ops::ControlFlow;

use serde_json::Value;

use crate::analysis::paper::Paper;
use crate::analysis::reports::call::calls;
use crate::analysis::reports::listed::{Calls, Listed};
use crate::analysis::reports::throughput::Throughput;
use crate::analysis::reports::{Choice, Gathered, Report, tax};
use crate::analysis::tables::{Origins, Window};
use crate::edge::store::{StoreError, StoreReader};
use crate::record::WallTime;

/// A report that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// What a router costs against the provider directly.
    Tax(tax::Asked),
    /// One that needs nothing but calls.
    Listed(Listed),
}

impl Which {
    fn report(&self) -> Box<dyn Report> {
        match self {
            Self::Tax(asked) => Box::new(tax::Tax::new(asked.clone())),
            Self::Listed(listed) => Box::new(Calls::new(*listed)),
        }
    }
}

/// What a report is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which report.
    pub which: Which,
    /// The span of time.
    pub window: Window,
    /// Which origins.
    pub origins: Origins,
    /// What it is narrowed to.
    pub choice: Choice,
}

/// The report over what `reader` holds; `seen` is called for every exchange, for whoever shows
/// progress.
pub fn paper(
    reader: &StoreReader,
    question: &Question,
    made: WallTime,
    mut seen: impl FnMut(),
) -> Result<Paper, StoreError> {
    let mut report = question.which.report();
    let mut gathered = Gathered::new(&mut *report, question.origins, &question.choice);
    let scanned = reader.records(question.window.range(), |record| {
        seen();
        gathered.add(&record);
        ControlFlow::Continue(())
    })?;
    let mut paper = gathered.paper(question.window, made);
    if scanned.damaged > 0 {
        paper.notes.push(format!(
            "{} damaged records are missing: `tollgate db verify`.",
            scanned.damaged
        ));
    }
    Ok(paper)
}

/// The report `throughput` over what `reader` holds, with trends of the week before. `served` says
/// whether the page's paths are there to point to.
pub fn throughput(
    reader: &StoreReader,
    window: Window,
    origins: Origins,
    choice: &Choice,
    made: WallTime,
    served: bool,
    mut seen: impl FnMut(),
) -> Result<Value, StoreError> {
    let mut found = Throughput::new(window);
    reader.records(Throughput::reach(window).range(), |record| {
        seen();
        if choice.takes_record(&record) {
            let calls = calls(&record, |origin| origins.takes(origin)).unwrap_or_default();
            let chosen = calls.iter().filter(|call| choice.takes(call));
            chosen.for_each(|call| found.add(call));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found.json(made, served))
}
