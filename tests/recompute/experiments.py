"""Computes the figures of `tollgate report experiments` again from an export, with NumPy alone.

    tollgate export --since 400d > records.jsonl
    tollgate report experiments --format json > experiments.json
    python3 tests/recompute/experiments.py records.jsonl experiments.json

First exchanges of each session (or request), by intention to treat: medians with McKean and
Schrader's standard error, means, and rates, each with its confidence sequence. They must agree to
the printed digits. Exits 1 where not.
"""

import json
import math
import sys
from collections import defaultdict

import numpy as np

FAILURES = {"upstream_error", "timed_out", "empty", "truncated", "stalled", "in_band_error"}
SPANS = {"first_token": "first_token", "first_answer": "first_answer", "total": "last_token"}
Z99 = 2.5758293035489004


def known(record, metric):
    """The least and the most that the number can be; nothing where it says nothing of the arm."""
    outcome = record["outcome"]
    if metric == "failure":
        return {True: (1.0, 1.0)}.get(outcome in FAILURES, (0.0, 0.0) if outcome == "ok" else None)
    if metric == "cost":
        for cost in (record["cost_billed_picodollars"], record["cost_picodollars"]):
            if cost is not None and (outcome == "ok" or cost > 0):
                return (cost / 1e12,) * 2
        return None
    if metric != "total" and not record["request"]["stream"]:
        return None
    if outcome in FAILURES or outcome == "rate_limited":
        return math.inf, math.inf
    if outcome not in ("ok", "client_gone") or not record["attempts"]:
        return None
    zero = record["attempts"][0]["timeline_ns"].get("route_chosen", 0)
    line = record["attempts"][-1]["timeline_ns"]
    gone = outcome == "client_gone"
    if SPANS[metric] in line and not (gone and metric == "total"):
        return ((line[SPANS[metric]] - zero) / 1e6,) * 2
    return ((record["closed_ns"] - zero) / 1e6, math.inf) if gone else None


def median(values):
    ordered = np.sort(values)
    place = 0.5 * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low if low == high or math.isinf(low) else low + (place - math.floor(place)) * (high - low)


def location(values):
    """The median and its squared standard error."""
    n, ordered = len(values), np.sort(values)
    rank = math.floor((n + 1) / 2 - Z99 * math.sqrt(n / 4) + 0.5)
    if rank < 1:
        return None
    error = (ordered[n - rank] - ordered[rank - 1]) / (2 * Z99)
    return (median(values), error**2) if math.isfinite(error) and error > 0 else None


def reach(error, count, alpha):
    double = -2 * math.log(alpha)
    grown = count * (double + math.log(double) + 1) / 1000
    return error * math.sqrt(2 * (grown + 1) / grown * math.log(math.sqrt(grown + 1) / alpha))


def sequence(hits, count, alpha):
    """The rates whose beta-binomial mixture has not reached 1 / alpha."""
    beta = lambda a, b: math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    def inside(p):
        a, b = 20 * p, 20 * (1 - p)
        grown = beta(a + hits, b + count - hits) - beta(a, b)
        return grown - hits * math.log(p) - (count - hits) * math.log1p(-p) < -math.log(alpha)

    ends = []
    for edge in (0.0, 1.0):
        near, far = hits / count, edge
        for _ in range(100):
            middle = (near + far) / 2
            if middle <= 0 or middle >= 1 or inside(middle):
                near = middle
            else:
                far = middle
        ends.append((near + far) / 2 if near != far else near)
    return ends


def difference(metric, a, b, alpha):
    """Value, low and high of arm b less arm a; nothing where none is told."""
    if metric == "failure":
        (a_low, a_high), (b_low, b_high) = (sequence(sum(x), len(x), alpha / 2) for x in (a[0], b[0]))
        return np.mean(b[0]) - np.mean(a[0]), b_low - a_high, b_high - a_low
    count = len(a[0]) + len(b[0])
    if count < 100:
        return None
    found = []
    for at, bt in ((1, 0), (0, 1)):
        if metric == "cost":
            both = [(np.mean(x[0]), np.var(x[0], ddof=1) / len(x[0])) for x in (a, b)]
        else:
            both = [location(a[at]), location(b[bt])]
        if None in both:
            return None
        value = both[1][0] - both[0][0]
        wide = reach(math.sqrt(both[0][1] + both[1][1]), count, alpha)
        found.append((value, value - wide, value + wide))
    (one, *first), (other, *second) = found
    return (one + other) / 2, min(first[0], second[0]), max(first[1], second[1])


def main(export, report):
    units = defaultdict(dict)
    for text in open(export):
        record = json.loads(text)
        part = record["experiment"]
        if not part or not part["arm"]:
            continue
        unit = record["session"] if part["unit"] == "session" else record["id"]
        units[part["name"]].setdefault(unit, (part["arm"], record))
    wrong = compared = 0
    for row in json.load(open(report))["tables"]["effects"]:
        metric = row["metric"].split(" ")[0]
        if row["of"] != "first of a session" or metric not in (*SPANS, "failure", "cost"):
            continue
        arms = {"a": [], "b": []}
        for arm, record in units[row["experiment"]].values():
            number = known(record, metric)
            if number:
                arms[arm].append(number)
        a, b = ([np.array(end) for end in zip(*arms[arm])] for arm in "ab")
        counts = [len(arms["a"]), len(arms["b"])] == [row["a_numbers"], row["b_numbers"]]
        found = difference(metric, a, b, 0.05) if a and b else None
        # Where the report tells no difference it says why, and there is nothing to hold it against.
        if row["difference"] is None:
            same, found = counts, found or (math.nan,) * 3
            printed = [math.nan] * 3
        else:
            printed = [row[f"difference{end}"] for end in ("", "_low", "_high")]
            close = lambda x, y: math.isclose(x, y, rel_tol=1e-7, abs_tol=1e-9)
            same = counts and found and all(map(close, found, printed))
        compared += 1
        wrong += not same
        show = lambda three: "{:+.6f} [{:+.6f}, {:+.6f}]".format(*three)
        print(
            f"{row['experiment']}, {metric}: {show(found)}, printed {show(printed)}, "
            f"n {len(arms['a'])}, {len(arms['b'])}: {'agree' if same else 'DISAGREE'}"
        )
    print(f"{compared} compared, {wrong} wrong")
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
