//! Resolves what probes are sent, and who is told what they find.

use std::sync::Arc;
use std::time::Duration;

use crate::config::probes::{ProbeSettings, SCHEDULED_TOKENS};
use crate::config::raw_routing::{RawAlerts, RawProbes};
use crate::config::settings::{AlertSettings, ModelRoutes};
use crate::record::{PicoDollars, WallTime};
use crate::routing::catalogue::owner_of;
use crate::statistics::drift::Thresholds;
use crate::workload::cron::Cron;

use super::numbers::{count, span};
use super::work::{Work, texts};

/// What probes may cost in a day unless the config says otherwise: ten cents.
const TEN_CENTS: PicoDollars = PicoDollars(100_000_000_000);
/// Seconds between two looks at the lists of models, at least.
const LISTS_APART: i64 = 3_600;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// `[probes]`.
pub(in crate::config) fn probes(
    raw: RawProbes,
    models: &[Arc<ModelRoutes>],
    work: &mut Work<'_>,
) -> ProbeSettings {
    let idle = (Duration::from_mins(1), Duration::from_hours(24 * 7));
    let usual = Duration::from_mins(15);
    let zone = raw.zone.as_ref().map(|at| at.value.0.as_str());
    let day_span = raw.per_day.as_ref().map(|at| at.span.clone());
    let schedule_span = raw.schedule.as_ref().map(|at| at.span.clone());
    let schedule = raw.schedule.map(|at| at.value.0);
    let settings = ProbeSettings {
        enabled: raw.enabled.is_some_and(|at| at.value),
        idle_after: span(
            work,
            "probes.idle_after",
            raw.idle_after.as_ref(),
            usual,
            idle,
        ),
        // The zone was read, so it is one.
        schedule: schedule.and_then(|cron| match zone {
            Some(zone) => cron.in_zone(zone).ok(),
            None => Some(cron),
        }),
        models: texts(raw.models, |pattern| pattern.0),
        cold: raw.cold.is_some_and(|at| at.value),
        per_day: count(work, "probes.per_day", raw.per_day, 100, (1, 100_000)),
        cost_per_day: raw.max_cost_per_day.map_or(TEN_CENTS, |at| at.value.0),
        max_tokens: raw.max_tokens.map(|at| {
            let path = "probes.max_tokens";
            count(work, path, Some(at), SCHEDULED_TOKENS, (1, 1_000))
        }),
    };
    if let Some(schedule) = &settings.schedule {
        let asked = of_a_day(schedule) * calls(&settings, models);
        if asked > settings.per_day {
            work.warn(
                "probes.per_day",
                day_span.or(schedule_span),
                format!("{} a day at most", settings.per_day),
                format!("{asked}, which the schedule takes"),
                "raise it, ask less often, or name fewer models: what is over is not asked",
            );
        }
    }
    settings
}

/// Dates of a schedule in a day, in the mean of a week.
fn of_a_day(schedule: &Cron) -> u64 {
    let end = WallTime(0).plus_secs(7 * DAY);
    let dates = std::iter::successors(schedule.next(WallTime(-1)), |at| schedule.next(*at));
    dates.take_while(|at| *at < end).count().div_ceil(7) as u64
}

/// Requests of one round.
fn calls(settings: &ProbeSettings, models: &[Arc<ModelRoutes>]) -> u64 {
    let patterns = settings.models.as_slice();
    let wanted = |of: &&Arc<ModelRoutes>| {
        patterns.is_empty() || owner_of(&of.name, [((), patterns)]).is_some()
    };
    let routes: usize = models.iter().filter(wanted).map(|of| of.routes.len()).sum();
    routes as u64 * if settings.cold { 2 } else { 1 }
}

/// `[alerts]`.
pub(in crate::config) fn alerts(raw: RawAlerts, work: &mut Work<'_>) -> AlertSettings {
    let new_models = raw.new_models.map(|at| {
        if at.value.0.shortest(WallTime(0)) < LISTS_APART {
            work.refuse(
                "alerts.new_models",
                Some(at.span.clone()),
                format!("\"{}\"", at.value.0),
                "a schedule of once an hour at most: lists of models change by the week",
                "\"0 */6 * * *\" looks every six hours".to_owned(),
            );
        }
        at.value.0
    });
    let limit = raw
        .availability
        .as_ref()
        .map(|at| (at.value.0, at.span.clone()));
    if let Some((limit, at)) = limit.filter(|(limit, _)| *limit >= 1.0) {
        work.refuse(
            "alerts.availability",
            Some(at),
            limit.to_string(),
            "a share below 1, such as 0.95: of a finite number of probes nobody can be sure that all are answered",
            None,
        );
    }
    let far = raw.drift.as_ref().map(|at| (at.value.0, at.span.clone()));
    if let Some((far, at)) = far.filter(|(far, _)| *far <= 0.0) {
        let expected = "a share above 0, such as 0.2";
        work.refuse("alerts.drift", Some(at), far.to_string(), expected, None);
    }
    let usual = Thresholds::default();
    AlertSettings {
        webhook: raw.webhook.map(|at| at.value.0),
        drift: raw.drift.map_or(usual.drift, |at| at.value.0),
        availability: raw.availability.map_or(usual.availability, |at| at.value.0),
        new_models,
    }
}
