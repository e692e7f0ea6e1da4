//! Computes the functions that distributions are made of, to about 1e-12.
//!
//! Sources: Loader, "Fast and accurate computation of binomial probabilities", 2000 (deviance and
//! Stirling error); Numerical Recipes, chapter 6 (continued fractions); Acklam, "An algorithm for
//! computing the inverse normal cumulative distribution function".

use std::f64::consts::TAU;

/// From here on the Stirling series is exact to the last digit.
const STIRLING_FROM: f64 = 15.0;

/// The largest number of steps of a series or continued fraction; `10^7` numbers need about 3,000.
const STEPS_MAX: u32 = 200_000;

/// `ln Γ(x) − [(x − ½) ln x − x + ½ ln 2π]`, for `x ≥ 15`.
fn stirling_error(x: f64) -> f64 {
    const TERMS: [f64; 6] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1_260.0,
        -1.0 / 1_680.0,
        1.0 / 1_188.0,
        -691.0 / 360_360.0,
    ];
    let square = x * x;
    let series = |sum: f64, term: &f64| sum / square + term;
    TERMS.iter().rev().fold(0.0, series) / x
}

/// `ln Γ(x)` for `x > 0`.
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    let mut shifted = x;
    let mut product = 1.0;
    while shifted < STIRLING_FROM {
        product *= shifted;
        shifted += 1.0;
    }
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * TAU.ln() + stirling_error(shifted)
        - product.ln()
}

/// `ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b)` for positive `a`, `b`.
#[must_use]
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (a, b) = (a.min(b), a.max(b));
    let sum = a + b;
    if b < STIRLING_FROM {
        return ln_gamma(a) + ln_gamma(b) - ln_gamma(sum);
    }
    if a < STIRLING_FROM {
        return ln_gamma(a) + a - a * sum.ln() - (b - 0.5) * (a / b).ln_1p() + stirling_error(b)
            - stirling_error(sum);
    }
    // Large terms cancel here before they are computed.
    (a - 0.5) * (a / sum).ln() + b * (-a / sum).ln_1p() - 0.5 * b.ln()
        + 0.5 * TAU.ln()
        + stirling_error(a)
        + stirling_error(b)
        - stirling_error(sum)
}

/// `x ln(x / m) + m − x`, without cancellation for `x` near `m`.
fn deviance(x: f64, mean: f64) -> f64 {
    if (x - mean).abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() + mean - x;
    }
    let ratio = (x - mean) / (x + mean);
    let mut sum = (x - mean) * ratio;
    let mut term = 2.0 * x * ratio;
    for odd in 1_u32..1_000 {
        term *= ratio * ratio;
        let next = sum + term / f64::from(2 * odd + 1);
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum
}

/// `ln [x^a (1 − x)^b / B(a, b)]`.
#[must_use]
pub fn ln_beta_density(a: f64, b: f64, x: f64) -> f64 {
    if a < STIRLING_FROM || b < STIRLING_FROM {
        return a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b);
    }
    let sum = a + b;
    0.5 * (a / sum * b / TAU).ln() - deviance(a, sum * x) - deviance(b, sum * (1.0 - x))
        + stirling_error(sum)
        - stirling_error(a)
        - stirling_error(b)
}

/// The regularised incomplete beta function `I_x(a, b)`, the distribution function of Beta(a, b).
#[must_use]
pub fn beta_regularised(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = ln_beta_density(a, b, x).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of the incomplete beta function, by Lentz's method.
#[expect(
    clippy::many_single_char_names,
    reason = "the names of the source's formula"
)]
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let safe = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / safe(1.0 + term * d);
            c = safe(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// The upper regularised incomplete gamma function `Q(a, x)`.
#[must_use]
#[expect(
    clippy::many_single_char_names,
    reason = "the names of the source's formula"
)]
pub fn gamma_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let mut term = 1.0 / a;
        let mut sum = term;
        for step in 1..STEPS_MAX {
            term *= x / (a + f64::from(step));
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    let mut b = x + 1.0 - a;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for step in 1..STEPS_MAX {
        let m = f64::from(step);
        let term = -m * (m - a);
        b += 2.0;
        d = 1.0 / (term * d + b);
        c = b + term / c;
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}

/// The normal distribution function `Φ(z)`.
#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    let tail = 0.5 * gamma_upper(0.5, z * z / 2.0);
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// The normal quantile `Φ⁻¹(p)`; infinite at 0 and 1.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        // Its mirror has the digits that `1 − p` near 1 has not.
        return -normal_quantile(1.0 - p);
    }
    let mut z = acklam(p);
    for _ in 0..2 {
        // Halley's step on Φ(z) − p.
        let step = (normal_cdf(z) - p) * TAU.sqrt() * (z * z / 2.0).exp();
        z -= step / (1.0 + z * step / 2.0);
    }
    z
}

/// Acklam's rational start for `p ≤ ½`, good to 1e-9.
fn acklam(p: f64) -> f64 {
    const A: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
        1.0,
    ];
    const C: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        0.007_784_695_709_041_462,
        0.322_467_129_070_039_8,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let horner = |terms: &[f64], x: f64| terms.iter().fold(0.0, |sum, term| sum * x + term);
    if p < 0.024_25 {
        let q = (-2.0 * p.ln()).sqrt();
        return horner(&C, q) / horner(&D, q);
    }
    let q = p - 0.5;
    q * horner(&A, q * q) / horner(&B, q * q)
}

/// The two-sided p-value of Student's `t` with `freedom` degrees of freedom:
/// `I_{ν/(ν+t²)}(ν/2, ½)`.
#[must_use]
pub fn student_two_sided(t: f64, freedom: f64) -> f64 {
    beta_regularised(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The number that Student's `t` with `freedom` degrees of freedom stays below with chance `p`;
/// infinite at the ends.
#[must_use]
pub fn student_quantile(p: f64, freedom: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return if p > 0.5 {
            f64::INFINITY
        } else {
            f64::NEG_INFINITY
        };
    }
    let tail = 2.0 * p.min(1.0 - p);
    let (mut low, mut high) = (0.0, 1.0);
    while student_two_sided(high, freedom) > tail && high < 1e18 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if student_two_sided(middle, freedom) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    if p > 0.5 { high } else { -high }
}

/// The chance that a chi-square of `freedom` degrees of freedom is larger than `x`: `Q(ν/2, x/2)`.
#[must_use]
pub fn chi_square_upper(x: f64, freedom: f64) -> f64 {
    gamma_upper(freedom / 2.0, x / 2.0)
}
