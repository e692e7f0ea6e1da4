//! Finds saved baselines for the commands that go by them.

use super::output;
use super::stored::Stop;
use crate::analysis::reports::baseline::Baseline;
use crate::edge::store::StoreReader;

/// The baselines in the store; those that this program cannot read are told.
pub(super) fn all(reader: &StoreReader) -> Result<Vec<Baseline>, Stop> {
    let mut found = Vec::new();
    for (name, text) in reader.baselines()? {
        match Baseline::read(&text) {
            Ok(baseline) => found.push(baseline),
            Err(what) => output::note(&format!("baseline {name} cannot be read: {what}")),
        }
    }
    Ok(found)
}

/// The baseline of that name.
pub(super) fn named(reader: &StoreReader, name: &str) -> Result<Baseline, Stop> {
    let list = all(reader)?;
    let names: Vec<String> = list.iter().map(|of| of.name.clone()).collect();
    let found = list.into_iter().find(|of| of.name == name);
    found.ok_or_else(|| {
        let have = if names.is_empty() {
            "none is saved: `tollgate baseline save`".to_owned()
        } else {
            format!("there is: {}", names.join(", "))
        };
        Stop::Nothing(format!("there is no baseline {name}; {have}"))
    })
}
