//! Says what a model's name may have been meant for, where nobody serves it.

use crate::config::settings::Settings;
use crate::routing::catalogue::{facts_of, nearest};

/// Names shown at most.
const MOST: usize = 3;

/// What is known of a model that was asked for and not found: whether it was withdrawn, and what
/// names here come near. Absent where nothing is known.
#[must_use]
pub(super) fn hint(settings: &Settings, model: &str) -> Option<String> {
    let retired = facts_of(model, &settings.catalogue)
        .and_then(|facts| Some((facts, facts.retired?)))
        .map(|(facts, date)| {
            let date = date.rfc3339();
            let day = date.get(..10).unwrap_or(&date);
            format!("{} is withdrawn by its maker on {day}", facts.name)
        });
    let own = settings.models.iter().map(|routes| routes.name.as_str());
    let served = settings.catalogue.iter().filter(|facts| {
        let mut providers = settings.providers.iter();
        facts.retired.is_none()
            && providers.any(|provider| {
                let preset = provider.preset.as_deref();
                preset.is_some_and(|preset| facts.name_at(preset).is_some())
            })
    });
    let near = nearest(
        model,
        own.chain(served.map(|facts| facts.name.as_str()))
            .filter(|name| *name != model),
        MOST,
    );
    let near = (!near.is_empty()).then(|| format!("did you mean {}?", near.join(", ")));
    match (retired, near) {
        (None, None) => None,
        (retired, near) => {
            let parts: Vec<String> = retired.into_iter().chain(near).collect();
            Some(parts.join("; "))
        }
    }
}
