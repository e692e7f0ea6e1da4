//! Says which loads are too much to be held in memory, before anything of them is made.

use super::estimate::requests;
use super::plan::Plan;
use crate::analysis::render::units::thousands as grouped;
use crate::record::Nanos;
use crate::workload::sweep::Rule;

/// Requests of a step at most: a few numbers of each stay in memory until its figures are made.
pub const REQUESTS_MAX: u64 = 10_000_000;
/// How long a step may last: 30 days.
const SPAN_MAX: Nanos = Nanos(30 * 86_400 * 1_000_000_000);
/// Bytes of a prompt per token.
const BYTES_PER_TOKEN: u64 = 4;

/// Whether a load can be sent, and if not, why; `body_max` is how many bytes a request may have.
pub fn fits(plan: &Plan, body_max: u64) -> Result<(), String> {
    let step = plan.step(0, plan.search.as_ref().map(Rule::first));
    if step.phases.total() > SPAN_MAX {
        let shorter = if plan.trace.is_some() {
            "--duration takes its beginning, --speed sends it faster"
        } else {
            "a shorter --duration"
        };
        let days = step.phases.total().as_secs() / 86_400.0;
        return Err(format!(
            "a load of {days:.0} days is longer than 30: {shorter}"
        ));
    }
    let (due, _) = requests(plan, &step);
    if due > REQUESTS_MAX {
        return Err(format!(
            "{} requests in one step are more than the {} of which figures are kept in memory: \
             fewer at once, or a shorter --duration",
            grouped(due),
            grouped(REQUESTS_MAX)
        ));
    }
    let prompts = plan.longest_prompt();
    let bytes = prompts.saturating_mul(BYTES_PER_TOKEN);
    if bytes > body_max {
        return Err(format!(
            "a prompt of {} tokens is about {} bytes, and limits.request_body lets {} through: \
             shorter prompts, or a higher limit",
            grouped(prompts),
            grouped(bytes),
            grouped(body_max)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::active::load::plan::tests::plan;
    use crate::workload::sizes::Size;
    use crate::workload::spec::Demand;
    use crate::workload::trace::Trace;

    const BODY: u64 = 32 << 20;

    fn at(rate: f64, seconds: u64) -> Plan {
        let mut plan = plan(Demand::Rate {
            rate,
            constant: false,
        });
        plan.workload.phases.sustain = Nanos(seconds * 1_000_000_000);
        plan
    }

    #[test]
    fn what_is_too_much_is_refused_by_arithmetic() {
        let day = 86_400;
        for (plan, says) in [
            (at(10.0, 60), ""),
            (at(100.0, day), ""),
            (
                at(1e6, 30 * day - 60),
                "2,591,940,500,000 requests in one step",
            ),
            (at(1e-6, 31 * day), "31 days"),
            (at(1.0, u64::MAX / 1_000_000_000), "days is longer than 30"),
        ] {
            let found = fits(&plan, BODY).err().unwrap_or_default();
            assert!(
                found.contains(says) && found.is_empty() == says.is_empty(),
                "{says}: {found}"
            );
        }
    }

    #[test]
    fn a_prompt_that_no_request_holds_is_refused() {
        let mut plan = at(10.0, 60);
        plan.trace = Some(Trace {
            offsets: vec![Nanos(0)],
            sizes: vec![Size {
                input_tokens: 9_000_000,
                output_tokens: 1,
            }],
        });
        plan.workload.phases.sustain = Nanos(1);
        let found = fits(&plan, BODY).unwrap_err();
        assert!(found.contains("9,000,000 tokens"), "{found}");
        assert_eq!(fits(&plan, 64 << 20), Ok(()));
    }
}
