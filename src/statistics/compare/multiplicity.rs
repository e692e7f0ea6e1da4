//! Corrects p-values for there being many: Holm in a report that decides, Benjamini and Hochberg
//! in one that looks around.

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

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
    order
}
