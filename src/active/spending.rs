//! Foresees what is left to pay when answers cost more than they were to.

/// What `left`, which is foreseen, may come to when what was foreseen to cost `foreseen` was
/// `paid` for: providers bill reasoning that `max_tokens` does not bound. Never less than `left`.
#[must_use]
pub fn as_dear(left: u64, paid: u64, foreseen: u64) -> u64 {
    if foreseen == 0 || paid <= foreseen {
        return left;
    }
    let dear = u128::from(left) * u128::from(paid) / u128::from(foreseen);
    u64::try_from(dear).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_as_dear_as_what_was_paid() {
        for (left, paid, foreseen, expected) in [
            (100, 0, 0, 100),
            (100, 50, 0, 100),
            (100, 50, 80, 100),
            (100, 80, 80, 100),
            (100, 800, 80, 1_000),
            (u64::MAX, 800, 80, u64::MAX),
        ] {
            assert_eq!(
                as_dear(left, paid, foreseen),
                expected,
                "{left} {paid} {foreseen}"
            );
        }
    }
}
