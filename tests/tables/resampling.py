"""Computes by NumPy and SciPy what resampling and CUSUM must answer; tests/resampling_tables.rs compares.

To run again (the answers are committed, a build needs neither Python nor this script):
    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 numpy==2.4.6
    venv/bin/python tests/tables/resampling.py > tests/tables/resampling.json
Run lengths: the integral equation of Page (1954) for one sum, solved by Gauss-Legendre nodes
(no approximation but the nodes', whose doubling changes nothing printed); both sums together by
1/ARL = 1/ARL+ + 1/ARL-, which holds for k > 0 (Kemp 1961). Bootstraps: literally, by drawing.
"""

import json

import numpy as np
from scipy import stats

random = np.random.default_rng(20261123)
out = {}


def run_length(h, k, nodes=240):
    # L(s) = 1 + L(0) P(z <= k - s) + int_0^h L(t) phi(t + k - s) dt
    x, w = np.polynomial.legendre.leggauss(nodes)
    t, w = h * (x + 1) / 2, h * w / 2
    s = np.concatenate([[0.0], t])
    system = np.eye(nodes + 1)
    system[:, 0] -= stats.norm.cdf(k - s)
    system[:, 1:] -= w * stats.norm.pdf(t[None, :] + k - s[:, None])
    return np.linalg.solve(system, np.ones(nodes + 1))[0] / 2


out["run_length"] = []
for k in [0.25, 0.5, 1.0]:
    for h in [2.0, 3.0, 4.0, 5.0, 6.0, 8.0]:
        found = run_length(h, k)
        assert abs(found / run_length(h, k, 480) - 1) < 1e-6
        out["run_length"].append([k, h, found])

# Montgomery, table 9.3: 168 at h = 4 and 465 at h = 5.
montgomery = {(0.5, 4.0): 168, (0.5, 5.0): 465}
for k, h, found in out["run_length"]:
    if (k, h) in montgomery:
        assert abs(found - montgomery[k, h]) < 1, found

# Numbers in clusters of one to nine, as requests of conversations are.
names = np.repeat(np.arange(120), random.integers(1, 10, 120))
values = np.round(300 * np.exp(0.4 * random.normal(size=120)[names] + 0.2 * random.normal(size=len(names))), 3)
groups = [values[names == c] for c in range(120)]
out["clusters"] = {"values": values.tolist(), "names": names.tolist(), "quantiles": []}
for p in [0.5, 0.9]:
    drawn = [np.quantile(np.concatenate([groups[c] for c in random.integers(0, 120, 120)]), p) for _ in range(40000)]
    out["clusters"]["quantiles"].append(
        [p, np.quantile(values, p), np.std(drawn), np.quantile(drawn, 0.025), np.quantile(drawn, 0.975)])

# Numbers in time that follow one another alike.
series = [0.0]
for _ in range(599):
    series.append(0.7 * series[-1] + random.normal())
series = np.round(300 * np.exp(0.2 * np.array(series)), 3)
out["blocks"] = {"values": series.tolist(), "quantiles": []}
for p, length in [(0.5, 1), (0.5, 20), (0.5, 7), (0.95, 20)]:
    def one():
        starts = random.integers(0, len(series) - length + 1, -(-len(series) // length))
        return np.quantile(np.concatenate([series[s:s + length] for s in starts])[:len(series)], p)
    drawn = [one() for _ in range(40000)]
    out["blocks"]["quantiles"].append(
        [p, length, np.quantile(series, p), np.std(drawn), np.quantile(drawn, 0.025), np.quantile(drawn, 0.975)])

print(json.dumps(out))
