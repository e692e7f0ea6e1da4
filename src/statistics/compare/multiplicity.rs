//! Corrects for there being many: Holm in a report that decides, Benjamini and Hochberg in one that
//! looks around, their e-values in one that is looked at again and again.

/// Holm's adjusted p-values in the order given: reject where one is at most α, and the chance of
/// any false rejection is at most α, whatever depends on what.
///
/// Source: Holm 1979; `p̃_(i) = max_{j≤i} min(1, (m − j + 1) p_(j))`.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![1.0; p_values.len()];
    let mut highest = 0.0_f64;
    for (place, index) in order.iter().enumerate() {
        let left = (p_values.len() - place) as f64;
        highest = highest.max((left * p_values[*index]).min(1.0));
        adjusted[*index] = highest;
    }
    adjusted
}

/// Benjamini and Hochberg's adjusted p-values in the order given: reject where one is at most q,
/// and of the rejections a share of at most q is false in the mean.
///
/// Source: Benjamini and Hochberg 1995; `p̃_(i) = min_{j≥i} min(1, m p_(j) / j)`.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![1.0; p_values.len()];
    let mut lowest = 1.0_f64;
    for (place, index) in order.iter().enumerate().rev() {
        let scaled = p_values.len() as f64 * p_values[*index] / (place + 1) as f64;
        lowest = lowest.min(scaled);
        adjusted[*index] = lowest;
    }
    adjusted
}

/// The e-value of a p-value, `p^(−1/2) / 2`: its mean is at most 1 where nothing is there.
///
/// Source: Vovk and Wang, "E-values: calibration, combination and applications", 2021.
#[must_use]
pub fn e_value(p_value: f64) -> f64 {
    0.5 / p_value.max(f64::MIN_POSITIVE).sqrt()
}

/// Which of the e-values are rejected so that of the rejections a share of at most `q` is false in
/// the mean, whatever depends on what: the `k` largest, `k` the greatest with `k e_(k) ≥ m / q`.
///
/// Source: Wang and Ramdas, "False discovery rate control with e-values", 2022 (e-BH).
#[must_use]
pub fn e_benjamini_hochberg(e_values: &[f64], q: f64) -> Vec<bool> {
    let mut descending = e_values.to_vec();
    descending.sort_unstable_by(|one, other| other.total_cmp(one));
    let least = e_values.len() as f64 / q;
    let reached = descending.iter().enumerate();
    let mut reached = reached.filter(|(at, e)| (*at + 1) as f64 * **e >= least);
    let bound = reached.next_back().map_or(f64::INFINITY, |(_, e)| *e);
    e_values.iter().map(|e| *e >= bound).collect()
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    order
}
