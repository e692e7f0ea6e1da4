"""Computes by SciPy and NumPy what src/statistics must answer; tests/statistics_tables.rs compares.

To run again (the answers are committed, a build needs neither Python nor this script):
    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6 mpmath==1.4.1
    venv/bin/python tests/tables/statistics.py > tests/tables/statistics.json
Where SciPy has a function it is the judge (of ln B it is not: for (3, 10^6) its tenth decimal is
wrong, mpmath judges there); where it has none (mixtures, HC2, A12's interval,
weighted quantiles, E-Divisive) the formula is computed here by another way: plain sums, root
finders, brute force.
"""

import json
import math

import mpmath
import numpy as np
from scipy import integrate, optimize, special, stats

mpmath.mp.dps = 50
random = np.random.default_rng(20261122)
out = {}


def clean(x):
    if isinstance(x, dict):
        return {k: clean(v) for k, v in x.items()}
    if isinstance(x, np.ndarray) and x.ndim == 0:
        x = float(x)
    if isinstance(x, (list, tuple, np.ndarray)):
        return [clean(v) for v in x]
    if isinstance(x, (np.integer,)):
        return int(x)
    if isinstance(x, (float, np.floating)):
        x = float(x)
        if math.isinf(x):
            return "inf" if x > 0 else "-inf"
        return x
    return x


def lognormal(n, median=300.0, sigma=0.45):
    return np.round(random.lognormal(np.log(median), sigma, n), 3)


# Special functions.
out["ln_beta"] = [[a, b, float(mpmath.log(mpmath.beta(a, b)))] for a, b in
                  [(0.2, 19.8), (1, 1), (10, 10), (14.9, 15.1), (500.5, 20), (1e5, 1e4), (3, 1e6)]]
out["ln_gamma"] = [[x, special.gammaln(x)] for x in [0.01, 0.2, 0.5, 3.3, 14.99, 15, 171.5, 1e4, 1e7]]
out["beta_regularised"] = [[a, b, x, special.betainc(a, b, x)] for a, b, x in
                           [(0.5, 0.5, 0.3), (2, 3, 0.4), (20, 30, 0.2), (500, 500, 0.49),
                            (1e5, 1e5, 0.501), (1e6, 2e4, 0.98), (3, 1e6, 1e-6), (15, 15, 0.9)]]
out["gamma_upper"] = [[a, x, special.gammaincc(a, x)] for a, x in
                      [(0.5, 0.1), (0.5, 5.4), (1, 3), (2.5, 10), (50, 40), (50, 90)]]
out["normal_cdf"] = [[z, stats.norm.cdf(z)] for z in [-8, -3.3, -1.96, -0.2, 0, 0.7, 2.5, 6]]
out["normal_quantile"] = [[p, stats.norm.ppf(p)] for p in
                          [1e-12, 1e-5, 0.01, 0.025, 0.2, 0.5, 0.8, 0.975, 0.9995]]
out["student_two_sided"] = [[t, v, 2 * stats.t.sf(t, v)] for t, v in
                            [(0.3, 1), (2.2, 5), (3.5, 48), (8, 20), (1.96, 1e5)]]
out["chi_square_upper"] = [[x, v, stats.chi2.sf(x, v)] for x, v in [(0.1, 1), (3.84, 1), (12, 3), (60, 20)]]

# Binomial.
out["binomial_cdf"] = [[k, n, p, stats.binom.cdf(k, n, p)] for k, n, p in
                       [(0, 10, 0.5), (3, 10, 0.3), (48, 100, 0.5), (950, 1000, 0.95),
                        (50_100, 100_000, 0.5), (9_999_000, 10_000_000, 0.9999)]]
out["binomial_chance"] = [[k, n, p, stats.binom.pmf(k, n, p)] for k, n, p in
                          [(0, 10, 0.5), (10, 10, 0.3), (48, 100, 0.5), (950, 1000, 0.95),
                           (50_100, 100_000, 0.5), (9_999_000, 10_000_000, 0.9999)]]
out["binomial_quantile"] = [[q, n, p, stats.binom.ppf(q, n, p)] for q in [0.001, 0.025, 0.5, 0.975, 0.999]
                            for n in [1, 15, 72, 1000, 100_000, 10_000_000] for p in [0.5, 0.95, 0.001]]

# Order statistics: ranks, coverage; the least counts.
rows = []
for p in [0.5, 0.9, 0.95, 0.99]:
    for alpha in [0.05, 0.1]:
        for n in [5, 6, 10, 30, 50, 71, 72, 100, 368, 1000, 100_000]:
            low = int(stats.binom.ppf(alpha / 2, n, p))
            high = int(stats.binom.ppf(1 - alpha / 2, n, p)) + 1
            cover = stats.binom.cdf(high - 1, n, p) - stats.binom.cdf(low - 1, n, p)
            rows.append([n, p, alpha, low, high, cover])
out["order_ranks"] = rows


def deff(x):
    r = stats.rankdata(x)
    c = r - r.mean()
    k = int(math.floor(len(x) ** (1 / 3) + 1e-9))
    rho = [np.dot(c[: len(c) - lag], c[lag:]) / np.dot(c, c) for lag in range(1, k + 1)]
    return max(1.0, 1 + 2 * sum(rho))


walk = [0.0]
for _ in range(199):
    walk.append(0.7 * walk[-1] + random.normal())
walk = np.round(np.exp(np.array(walk) * 0.3) * 300, 3)
ties = np.repeat(np.arange(9), 3)[[*range(0, 27, 2), *range(1, 27, 2)]].astype(float)
out["design_effect"] = [{"x": x, "deff": deff(x)} for x in [walk, ties, walk[:27], lognormal(60)]]

# Rates.
wil = []
for k, n in [(0, 10), (10, 10), (3, 40), (81, 263), (999, 1000), (1, 100_000)]:
    for conf in [0.95, 0.99]:
        ci = stats.binomtest(k, n).proportion_ci(conf, method="wilson")
        wil.append([k, n, 1 - conf, ci.low, ci.high])
out["wilson"] = wil


def wilson(k, n, alpha):
    ci = stats.binomtest(k, n).proportion_ci(1 - alpha, method="wilson")
    return ci.low, ci.high


new = []
for a, b in [((56, 70), (48, 80)), ((9, 10), (3, 10)), ((0, 20), (0, 30)), ((5, 1000), (12, 990))]:
    (l1, u1), (l2, u2) = wilson(*a, 0.05), wilson(*b, 0.05)
    p1, p2 = a[0] / a[1], b[0] / b[1]
    d = p1 - p2
    new.append([*a, *b, d - math.hypot(p1 - l1, u2 - p2), d + math.hypot(u1 - p1, p2 - l2)])
out["newcombe"] = new
# Printed by Newcombe 1998, table II, method 10.
out["newcombe_printed"] = [[56, 70, 48, 80, 0.0524, 0.3339], [9, 10, 3, 10, 0.1705, 0.8090],
                           [5, 56, 0, 29, -0.0381, 0.1926]]

# Index bootstrap: the exact distribution of the difference, by enumeration.


def index_law(n, p):
    pmf = stats.binom.pmf(np.arange(n + 2), n + 1, p)
    law = np.zeros(n)
    for i, w in enumerate(pmf):
        law[min(max(i, 1), n) - 1] += w
    return law


def quantile_of(values, weights, q):
    order = np.argsort(values)
    return values[order][np.searchsorted(np.cumsum(weights[order]), q)]


boot = []
for na, nb, p in [(30, 30, 0.5), (200, 60, 0.5), (120, 150, 0.95)]:
    a, b = np.sort(lognormal(na, 340)), np.sort(lognormal(nb))
    w = np.outer(index_law(na, p), index_law(nb, p)).ravel()
    d, r = np.subtract.outer(a, b).ravel(), np.divide.outer(a, b).ravel()
    # Ends at chances beside 2.5 % and 97.5 % that 10,000 draws keep between (5 sigma = 0.8 %).
    boot.append({"a": a, "b": b, "p": p,
                 "difference": np.quantile(a, p) - np.quantile(b, p),
                 "ratio": np.quantile(a, p) / np.quantile(b, p),
                 "low": [quantile_of(d, w, 0.017), quantile_of(d, w, 0.033)],
                 "high": [quantile_of(d, w, 0.967), quantile_of(d, w, 0.983)],
                 "ratio_low": [quantile_of(r, w, 0.017), quantile_of(r, w, 0.033)],
                 "ratio_high": [quantile_of(r, w, 0.967), quantile_of(r, w, 0.983)]})
out["bootstrap"] = boot

# Two strata: the same by 400,000 draws of another generator.
sets = [(np.sort(lognormal(40, 500)), np.sort(lognormal(55, 450)), 40 * 55 / 95),
        (np.sort(lognormal(70, 220)), np.sort(lognormal(25, 210)), 70 * 25 / 95)]
whole = sum(s[2] for s in sets)
sums = np.zeros(400_000)
logs = np.zeros(400_000)
for a, b, w in sets:
    i = np.clip(random.binomial(len(a) + 1, 0.5, len(sums)), 1, len(a)) - 1
    j = np.clip(random.binomial(len(b) + 1, 0.5, len(sums)), 1, len(b)) - 1
    sums += w / whole * (a[i] - b[j])
    logs += w / whole * np.log(a[i] / b[j])
out["stratified"] = {
    "strata": [{"a": a, "b": b, "weight": w} for a, b, w in sets],
    "difference": sum(w * (np.median(a) - np.median(b)) for a, b, w in sets) / whole,
    "ratio": math.exp(sum(w * math.log(np.median(a) / np.median(b)) for a, b, w in sets) / whole),
    "low": np.quantile(sums, [0.017, 0.033]), "high": np.quantile(sums, [0.967, 0.983]),
    "ratio_low": np.exp(np.quantile(logs, [0.017, 0.033])),
    "ratio_high": np.exp(np.quantile(logs, [0.967, 0.983]))}

# Rank tests.
rank_tests = []
for a, b in [(lognormal(7), lognormal(9)), (lognormal(50, 330), lognormal(50)),
             (lognormal(80, 330), lognormal(120)),
             (np.round(lognormal(40), -2), np.round(lognormal(30, 360), -2))]:
    tied = len(set([*a, *b])) < len(a) + len(b)
    exact = not tied and max(len(a), len(b)) <= 50
    p = stats.mannwhitneyu(a, b, method="exact" if exact else "asymptotic").pvalue
    rank_tests.append({"a": a, "b": b, "p": p})
out["mann_whitney"] = rank_tests

paired = []
for d in [np.round(random.normal(20, 60, 12), 3), np.round(random.normal(12, 60, 100), 3),
          np.round(random.normal(5, 60, 300), 3), np.round(random.normal(10, 60, 40), -1)]:
    kept = d[d != 0]
    tied = len(set(np.abs(kept))) < len(kept)
    exact = not tied and len(kept) <= 100
    w = stats.wilcoxon(kept, method="exact" if exact else "asymptotic", correction=True).pvalue
    walsh = np.sort([(d[i] + d[j]) / 2 for i in range(len(d)) for j in range(i, len(d))])
    pos, neg = int((d > 0).sum()), int((d < 0).sum())
    paired.append({"d": d, "wilcoxon": w, "sign": stats.binomtest(pos, pos + neg).pvalue,
                   "median": np.median(d), "hodges_lehmann": np.median(walsh)})
    # The Wilcoxon interval is where the two-sided test of every shift would not reject.
    if len(d) in (12, 100):
        lo, hi = [], []
        law = np.array([1.0])
        for r in range(1, len(d) + 1):
            nxt = np.zeros(len(law) + r)
            nxt[: len(law)] += law / 2
            nxt[r:] += law / 2
            law = nxt
        c = int(np.searchsorted(np.cumsum(law), 0.025))
        paired[-1]["ends"] = [walsh[c - 1], walsh[len(walsh) - c]]
out["paired"] = paired

shift = []
for a, b in [(lognormal(8, 360), lognormal(6)), (lognormal(45, 330), lognormal(50)), (lognormal(90, 330), lognormal(70))]:
    d = np.sort(np.subtract.outer(a, b).ravel())
    row = {"a": a, "b": b, "hodges_lehmann": np.median(d)}
    if len(a) <= 50:
        # Shift b until the exact test rejects: ends by inversion.
        def rejects(x):
            return stats.mannwhitneyu(a, b + x, method="exact").pvalue < 0.05
        inside = [i for i in range(len(d) - 1) if not rejects((d[i] + d[i + 1]) / 2)]
        row["ends"] = [d[inside[0]], d[inside[-1] + 1]]
    theta = (np.less.outer(a, b).sum() + 0.5 * np.equal.outer(a, b).sum()) / (len(a) * len(b))
    m, n = len(a), len(b)
    z = stats.norm.ppf(0.975)

    def gap(t):
        v = t * (1 - t) / (m * n) * (1 + ((m + n) / 2 - 1) * ((1 - t) / (2 - t) + t / (1 + t)))
        return (theta - t) ** 2 - z * z * v
    row["a12"] = [theta, optimize.brentq(gap, 0, theta), optimize.brentq(gap, theta, 1)]
    shift.append(row)
out["shift"] = shift

# Permutations: small enough to enumerate.
a, b = lognormal(6, 420), lognormal(5)
test = stats.permutation_test((a, b), lambda x, y: np.median(x) - np.median(y), n_resamples=np.inf)
pool = np.array([*a, *b])
seen = abs(np.median(a) - np.median(b))
from itertools import combinations  # noqa: E402
splits = [(list(c), [i for i in range(11) if i not in c]) for c in combinations(range(11), 6)]
exact = np.mean([abs(np.median(pool[x]) - np.median(pool[y])) >= seen * (1 - 1e-12) for x, y in splits])
out["permutation"] = {"a": a, "b": b, "p": exact}

# Many p-values.
ps = [0.001, 0.04, 0.03, 0.2, 0.012, 0.012, 0.9]
order = np.argsort(ps, kind="stable")
holm = np.empty(len(ps))
holm[order] = np.minimum(1, np.maximum.accumulate((len(ps) - np.arange(len(ps))) * np.array(ps)[order]))
out["multiplicity"] = {"p": ps, "holm": holm, "bh": stats.false_discovery_control(ps)}

# Dispersion, weights, balance.
x = lognormal(57)
med = np.median(x)
out["dispersion"] = {"x": x, "iqr": stats.iqr(x) / med, "mad": 1.4826 * stats.median_abs_deviation(x) / med,
                     "tail": np.quantile(x, 0.95) / med, "cv": stats.variation(x, ddof=1)}
x, w = lognormal(40), np.round(random.uniform(0.2, 3, 40), 3)
out["weighted_quantile"] = {"x": x, "w": w,
                            "answers": [[p, np.quantile(x, p, weights=w, method="inverted_cdf")]
                                        for p in [0.01, 0.25, 0.5, 0.9, 0.95, 1.0]]}
xa, wa, xb, wb = lognormal(25), np.round(random.uniform(0.2, 3, 25), 3), lognormal(30), np.ones(30)
ca, cb = np.cov(xa, aweights=wa), np.cov(xb, aweights=wb)
out["smd"] = {"a": list(zip(xa, wa)), "b": list(zip(xb, wb)),
              "smd": (np.average(xa, weights=wa) - np.average(xb, weights=wb)) / math.sqrt((ca + cb) / 2)}

# Designs.
out["sample_ratio"] = [[c, s, stats.chisquare(c, np.array(s) / sum(s) * sum(c)).pvalue]
                       for c, s in [([5000, 5200], [1, 1]), ([90, 910], [0.1, 0.9]), ([30, 40, 29], [1, 1, 1])]]
plans = []
for sigma, r2, medians, power, median, move in [(0.45, 0, True, 0.8, 310, 30), (0.45, 0.5, False, 0.8, 310, 30),
                                                (0.45, 0, False, 0.9, 310, 10)]:
    k = math.pi / 2 if medians else 1
    delta = math.log1p(move / median)

    def power_of(n):
        se = math.sqrt(2 * k * sigma**2 * (1 - r2) / n)
        return stats.norm.cdf(delta / se - stats.norm.ppf(0.975))
    n = math.ceil(optimize.brentq(lambda n: power_of(n) - power, 2, 1e7))
    plans.append([sigma, r2, medians, power, median, move, n])
out["plans"] = plans

# Sequences.


def mixture(k, n, p, c=20):
    a, b = p * c, (1 - p) * c
    return special.betaln(a + k, b + n - k) - special.betaln(a, b) - k * np.log(p) - (n - k) * np.log1p(-p)


seq = []
for n in [1, 5, 20, 100, 1000, 20_000]:
    for p in [0.5, 0.95]:
        inside = np.flatnonzero(mixture(np.arange(n + 1), n, p) < math.log(1 / 0.05))
        seq.append([n, p, inside.min(), inside.max()])
out["sequence_ranks"] = seq
rates = []
for k, n in [(0, 50), (50, 50), (3, 40), (500, 1000)]:
    grid = np.linspace(1e-6, 1 - 1e-6, 2_000_001)
    inside = grid[mixture(k, n, grid) < math.log(20)]
    rates.append([k, n, inside.min(), inside.max()])
out["sequence_rates"] = rates
differ = []
for na, nb, move in [(60, 80, 1.0), (400, 300, 1.25), (400, 500, 1.6)]:
    a, b = np.sort(lognormal(na, 300 * move)), np.sort(lognormal(nb))
    xs = [0.0, *a, *b]
    for p in [0.5, 0.9]:
        least = min(mixture(np.sum(a <= x), na, p) + mixture(np.sum(b <= x), nb, p) for x in xs)
        differ.append({"a": a, "b": b, "p": p, "answer": min(1.0, math.exp(-least))})
out["quantiles_differ"] = differ
grid = np.linspace(1e-9, 1 - 1e-9, 1_000_001)
out["rates_differ"] = [[ka, na, kb, nb, min(1.0, math.exp(-np.min(mixture(ka, na, grid) + mixture(kb, nb, grid))))]
                       for ka, na, kb, nb in [(3, 100, 30, 120), (10, 100, 12, 100), (0, 50, 9, 60)]]
asy = []
for t in [100, 300, 1000, 3000, 10_000]:
    rho2 = (-2 * math.log(0.05) + math.log(-2 * math.log(0.05)) + 1) / 1000
    asy.append([t, math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(math.sqrt(t * rho2 + 1) / 0.05)) * math.sqrt(t)])
out["asymptotic"] = asy

n = 150
prompt, hour, arm = np.round(random.normal(6, 1.5, n), 4), np.round(random.uniform(0, 24, n), 4), random.integers(0, 2, n)
y = np.round(5 + 0.12 * arm + 0.2 * prompt + 0.03 * arm * prompt + 0.05 * np.sin(hour) + random.normal(0, 0.3, n), 5)
cov = np.column_stack([prompt, prompt**2, np.sin(hour)])
cen = cov - cov.mean(axis=0)
X = np.column_stack([np.ones(n), arm, cen, arm[:, None] * cen])
q, r = np.linalg.qr(X)
beta = np.linalg.solve(r, q.T @ y)
resid, lev = y - X @ beta, (q**2).sum(axis=1)
bread = np.linalg.inv(r)
meat = bread @ q.T @ np.diag(resid**2 / (1 - lev)) @ q @ bread.T
out["lin"] = {"y": y, "arm": arm, "covariates": cov, "effect": beta[1], "error": math.sqrt(meat[1, 1])}
fit = stats.linregress(prompt, y)
out["cuped"] = {"y": y, "x": prompt, "adjusted": y - fit.slope * (prompt - prompt.mean()), "explained": fit.rvalue**2}

# Drift.
res = np.round(np.concatenate([random.normal(0, 0.3, 400), random.normal(0.25, 0.3, 200)]), 5)
steps = np.median(res.reshape(-1, 10), axis=1)
ref = steps[:40]
mu, sg = np.median(ref), 1.4826 * stats.median_abs_deviation(ref)
up = down = 0.0
alarm = None
trace = []
for i, m in enumerate(steps[40:]):
    z = (m - mu) / sg
    up, down = max(0, up + z - 0.5), max(0, down - z - 0.5)
    trace.append([up, down])
    if max(up, down) > 5:
        alarm = i
        break
out["cusum"] = {"residuals": res, "centre": mu, "sigma": sg, "alarm_step": alarm, "sums": trace[:-1]}


def best_split(x):
    best = None
    for t in range(2, len(x) - 1):
        u, v = x[:t], x[t:]
        m, k = len(u), len(v)
        between = 2 * np.abs(np.subtract.outer(u, v)).mean()
        within = np.abs(np.subtract.outer(u, u)).sum() / (m * (m - 1)) + np.abs(np.subtract.outer(v, v)).sum() / (k * (k - 1))
        score = m * k / (m + k) * (between - within)
        if best is None or score > best[1]:
            best = [t, score]
    return best


series = np.round(np.concatenate([random.normal(300, 12, 40), random.normal(350, 12, 37), random.normal(310, 12, 60)]), 3)
out["divisive"] = {"series": series, "best": [best_split(series[:50]), best_split(series[60:80]), best_split(series)],
                   "changes": [40, 77],
                   "p": [stats.ttest_ind(series[:40], series[40:77]).pvalue, stats.ttest_ind(series[40:77], series[77:]).pvalue]}
x = np.round(np.sort(random.uniform(0, 30, 45)), 3)
y = np.round(300 + 1.5 * x + random.normal(0, 20, 45), 0)
ts = stats.theilslopes(y, x, 0.95)
out["theil_sen"] = {"points": list(zip(x, y)), "answer": [ts.slope, ts.low_slope, ts.high_slope]}



# Slopes that single numbers do not turn, and trends.
def resistant(points):
    p = sorted(points, key=lambda xy: xy[0])
    k = len(p) // 3
    low, high = np.array(p[:k]), np.array(p[len(p) - k :])
    rise, run = (np.median(high[:, at]) - np.median(low[:, at]) for at in (1, 0))
    return rise / run


spoilt = [(a, b if i % 9 else b * 40) for i, (a, b) in enumerate(zip(x, y))]
out["resistant"] = [{"points": pts, "slope": resistant(pts)} for pts in [list(zip(x, y)), spoilt, list(zip(x[:10], y[:10]))]]


def kendall(points, factor):
    s = sum(np.sign(b[0] - a[0]) * np.sign(b[1] - a[1]) for i, a in enumerate(points) for b in points[i + 1 :])
    # The variance by brute force: over random orders of y it converges, over all it is exact.
    n = len(points)
    t, u = (np.unique([p[at] for p in points], return_counts=True)[1].astype(float) for at in (0, 1))
    v = (n * (n - 1) * (2 * n + 5) - (t * (t - 1) * (2 * t + 5)).sum() - (u * (u - 1) * (2 * u + 5)).sum()) / 18
    v += (t * (t - 1) * (t - 2)).sum() * (u * (u - 1) * (u - 2)).sum() / (9 * n * (n - 1) * (n - 2))
    v += (t * (t - 1)).sum() * (u * (u - 1)).sum() / (2 * n * (n - 1))
    if factor == 1:
        # SciPy has no correction for continuity: without it both must agree.
        tau = stats.kendalltau([p[0] for p in points], [p[1] for p in points], method="asymptotic")
        assert math.isclose(2 * stats.norm.sf(abs(s) / math.sqrt(v)), tau.pvalue, rel_tol=1e-9)
    return {"points": points, "deff": factor, "s": s, "p": min(1, 2 * stats.norm.sf(max(abs(s) - 1, 0) / math.sqrt(v * factor)))}


tied = [(float(i // 2), float(v)) for i, v in enumerate([3, 3, 4, 2, 5, 5, 5, 7, 6, 8, 8, 9])]
flat = [(float(i), v) for i, v in enumerate(lognormal(30))]
out["mann_kendall"] = [kendall(list(zip(x, y)), 1), kendall(tied, 1), kendall(flat, 1), kendall(list(zip(x, y)), 2.5)]


def e_bh(e, q):
    # By its definition: try every k.
    best = 0
    for k in range(1, len(e) + 1):
        if sorted(e, reverse=True)[k - 1] >= len(e) / (k * q):
            best = k
    order = sorted(range(len(e)), key=lambda i: -e[i])
    return [i in order[:best] for i in range(len(e))]


ps = [1e-7, 0.2, 3e-5, 0.004, 0.9, 2e-4, 1.1e-6, 0.04]
es = [0.5 / math.sqrt(p) for p in ps]
out["e_values"] = {"p": ps, "e": es, "rejected": [[q, e_bh(es, q)] for q in [0.01, 0.05, 0.2]]}
assert integrate.quad(lambda p: 0.5 / math.sqrt(p), 0, 1)[0] <= 1 + 1e-9

# Numbers in clusters: the effect by its formula, and by drawing whole clusters.
names = np.repeat(np.arange(300), random.integers(1, 8, 300))
values = np.round(300 * np.exp(0.35 * random.normal(size=300)[names] + 0.25 * random.normal(size=len(names))), 3)


def cluster_effect(values, names, p):
    q = np.quantile(values, p)
    u = (values <= q) - p
    return max(1.0, sum(u[names == c].sum() ** 2 for c in np.unique(names)) / (u**2).sum())


groups = [values[names == c] for c in range(300)]
drawn = [np.median(np.concatenate([groups[c] for c in random.integers(0, 300, 300)])) for _ in range(4000)]
out["clusters"] = {"values": values, "names": names, "effect": cluster_effect(values, names, 0.5),
                   "deviation": np.std(drawn), "low": np.quantile(drawn, 0.025), "high": np.quantile(drawn, 0.975)}

print("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(clean(v))}" for k, v in out.items()) + "\n}")
