//! Orders the candidates of one exchange: a pure function of them and of the request's facts.

use crate::record::Name;

/// One route that an exchange could take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The provider.
    pub provider: Name,
    /// The model's name there; absent for requests without a model.
    pub model: Option<Name>,
    /// Whether there is a credential that may be sent there, or none is needed.
    pub usable: bool,
}

/// What to try, in order, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Indexes of candidates, best first.
    pub steps: Vec<usize>,
    /// Name of the policy that ordered them.
    pub policy: &'static str,
    /// Why the first is first.
    pub reason: &'static str,
}

/// The policy `ordered`: candidates in the order of the config, unusable ones left out.
#[must_use]
pub fn ordered(candidates: &[Candidate], how_found: &'static str) -> Plan {
    let steps: Vec<_> = (0..candidates.len())
        .filter(|index| candidates[*index].usable)
        .collect();
    let reason = match steps.first() {
        None => "no_credential",
        Some(0) => how_found,
        Some(_) => "first_with_credential",
    };
    Plan {
        steps,
        policy: "ordered",
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_candidates_are_left_out_and_said() {
        let candidate = |usable| Candidate {
            provider: "p".into(),
            model: None,
            usable,
        };
        for (usable, steps, reason) in [
            (vec![true, true], vec![0, 1], "model"),
            (vec![false, true], vec![1], "first_with_credential"),
            (vec![false], vec![], "no_credential"),
            (vec![], vec![], "no_credential"),
        ] {
            let candidates: Vec<_> = usable.into_iter().map(candidate).collect();
            let plan = ordered(&candidates, "model");
            assert_eq!((plan.steps, plan.reason), (steps, reason));
        }
    }
}
