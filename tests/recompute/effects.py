"""Computes every comparison of like requests again from an export, with NumPy and SciPy.

    tollgate export --since A --until B > records.jsonl
    for name in tax json-tax cache; do
        tollgate report $name --since A --until B --format json > $name.json; done
    python3 tests/recompute/effects.py records.jsonl tax.json json-tax.json cache.json

First token, first answer, output rate, total at 500 tokens, failure rate and price: of every row
the numbers behind it, both unadjusted medians, the adjusted difference and ratio, overlap, effects
and what is left of the imbalance must agree to 9 digits; the interval of failure rates too (Sato
1989, or Newcombe's where all or none fail). Drawn intervals are `tax.py`'s to judge. A row without
a difference must have none here either. Exits 1 where one does not agree, or none was compared.
"""

import json
import math
import pathlib
import sys
from collections import defaultdict

import numpy as np
from scipy.stats import norm, t

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reports  # noqa: E402
from tax import beyond, effect, levelled, median  # noqa: E402

ALPHA, LEAST = 0.05, 10
HOUR, BLOCK = 3_600_000_000, 6 * 3_600_000_000
SCALE = {"first_token": 1e6, "first_answer": 1e6, "total_500_tokens": 1e6}
NUMBER = {
    "first_token": "first_token",
    "first_answer": "first_answer",
    "output_rate": "rate",
    "total_500_tokens": "total",
    "failure_rate": "failed",
    "cost": "price",
}
WAITS = {"first_token": 0, "first_answer": 1, "total_500_tokens": 1}


def placed(record):
    """The calls of a record with what they are alike in."""
    request, usages = record["request"], []
    size = request["prompt_tokens_estimated"] or record["tokens"]["input"]
    for number, attempt in enumerate(record["attempts"]):
        last = number == len(record["attempts"]) - 1
        usages.append(record["tokens"] if last else attempt["lost_tokens"] or {})
    for call, attempt, usage in zip(reports.calls(record), record["attempts"], usages):
        cached, whole = usage.get("cached_read"), usage.get("input")
        share = 0 if not cached or not whole else (2 if cached * 2 > whole else 1)
        connected = "send_start" in attempt["timeline_ns"]
        yield call | {
            "before": (
                request["stream"],
                bool(request["tools"]),
                request["reasoning_effort"] or "",
                int(math.log2(size)) if size else -1,
                call["at"] // BLOCK,
            ),
            "json": (request["response_format"] or "").startswith("json"),
            "cached": share,
            "read": cached,
            "reused": attempt["reused"],
            "connected": connected,
            "known": not call["failed"] or (connected and cached is not None),
            "size": math.log(max(size or 0, 1)),
            "alike": (record["session"] or record["id"], call["at"] // 60_000_000, call["at"]),
        }


def like(calls, key):
    """Where each call of both arms has its place; failures evenly among the answers like them."""
    likes = [defaultdict(lambda: defaultdict(int)) for _ in calls]
    for arm, of in enumerate(calls):
        for call in of:
            if call["known"]:
                likes[arm][key(call)][call["cached"], call["reused"]] += 1
    places = []
    for arm, of in enumerate(calls):
        had = defaultdict(lambda: defaultdict(int))
        places.append([])
        for call in of:
            more = call["cached"], call["reused"]
            if not call["known"]:
                reused = call["reused"] if call["connected"] else None
                for counts in (likes[arm][key(call)], likes[1 - arm][key(call)]):
                    fits = {m: n for m, n in sorted(counts.items()) if reused in (None, m[1])}
                    if fits:
                        taken = had[key(call), reused]
                        more = min(fits, key=lambda m: (taken[m] + 1) / fits[m])
                        taken[more] += 1
                        break
            places[-1].append((key(call), more))
    return places


def column(arms, metric):
    """Each call's number: what was waited for beyond both medians is longer than either."""
    name, place = NUMBER[metric], WAITS.get(metric)
    found = []
    for calls in arms:
        found.append([])
        for call in calls:
            value = call[name]
            if metric not in ("failure_rate", "cost") and not call["stream"]:
                value = None
            if metric == "output_rate" and call["failed"]:
                value = None
            found[-1].append(None if value is None else float(value) / SCALE.get(metric, 1.0))
    if place is None:
        return found
    middle = max(plain([v for v in of if v is not None]) or 0.0 for of in found)
    for calls, of in zip(arms, found):
        for at, call in enumerate(calls):
            wait = call["waited"][place] if call["stream"] else None
            if of[at] is None and wait is not None and wait / SCALE[metric] >= middle:
                of[at] = math.inf
    return found


def plain(values):
    return float(median(values)) if len(values) else None


def failures_effect(groups, arm):
    """How many calls say what one independent one would, of failures against the rate of the arm."""
    calls = [call for group in groups for call in group[arm]]
    rate = sum(value for value, *_ in calls) / max(len(calls), 1)
    single = len(calls) * rate * (1 - rate)
    effects = [1.0]
    for at in (0, 1):
        sums = defaultdict(float)
        for value, _, alike in calls:
            sums[alike[at]] += value - rate
        if single > 0:
            effects.append(sum(x * x for x in sums.values()) / single)
    return max(effects)


def failures_beyond(groups, effects):
    scores, known = [], 0.0
    for group in groups:
        weight = len(group[0]) * len(group[1]) / (len(group[0]) + len(group[1]))
        for arm, sign, own in zip(group, (1, -1), effects):
            rate = sum(value for value, *_ in arm) / len(arm)
            each = [sign * weight / len(arm) * (value - rate) for value, *_ in arm]
            known += own * sum(x * x for x in each)
            scores += zip(((alike[2] << 20) // HOUR for *_, alike in arm), each)
    doubled = max(20, next(d for d in range(64) if len({key >> d for key, _ in scores}) <= 24))
    hours = defaultdict(lambda: [0.0, 0])
    for key, score in scores:
        hours[key >> doubled][0] += score
        hours[key >> doubled][1] += 1
    sums, sizes = np.array(list(hours.values())).T
    even = sizes.sum() ** 2 / (sizes**2).sum()
    single = sum(score * score for _, score in scores)
    if doubled == 20 and even < 2.75 or known <= 0:
        return 1.0
    few = (t.ppf(1 - ALPHA / 2, max(even - 1, 1)) / norm.ppf(1 - ALPHA / 2)) ** 2
    surely = 1 + (len(sums) / (len(sums) - 1) * few - 1) * (1 - even / sizes.sum())
    return max(1.0, max(1.0, (sums**2).sum() / single * surely) * single / known)


def wilson(hits, n, effect):
    worth, z, p = max(n / max(effect, 1.0), 1.0), norm.ppf(1 - ALPHA / 2), hits / n
    middle, reach = p + z * z / worth / 2, z * math.sqrt(p * (1 - p) / worth + z * z / worth**2 / 4)
    low, high = ((middle + way * reach) / (1 + z * z / worth) for way in (-1, 1))
    return p, 0.0 if hits == 0 else low, 1.0 if hits == n else high


def risk(groups, effects):
    """Mantel and Haenszel's difference with Sato's variance; Newcombe's where that says nothing."""
    arms = [[value for group in groups for value, *_ in group[arm]] for arm in (0, 1)]
    if all(len(set(arm)) == 1 for arm in arms):
        a, b = (wilson(sum(arm), len(arm), own) for arm, own in zip(arms, effects))
        gap = a[0] - b[0]
        low = gap - math.hypot(a[0] - a[1], b[2] - b[0])
        return gap, low, gap + math.hypot(a[2] - a[0], b[0] - b[1])
    weights = top = spread = noise = 0.0
    for a, b in groups:
        n, m = len(a), len(b)
        x, y = sum(value for value, *_ in a), sum(value for value, *_ in b)
        weights += n * m / (n + m)
        top += (x * m - y * n) / (n + m)
        spread += (n * n * y - m * m * x + n * m * (m - n) / 2) / (n + m) ** 2
        noise += (x * (m - y) + y * (n - x)) / (2 * (n + m))
    value = top / weights
    deviation = math.sqrt(max(value * spread + noise, 0.0) * max(effects)) / weights
    return value, value - norm.ppf(1 - ALPHA / 2) * deviation, value + norm.ppf(1 - ALPHA / 2) * deviation


def compare(arms, key, metric):
    """What a row says of two arms of calls."""
    columns = column(arms, metric)
    known = [[value for value in of if value is not None] for of in columns]
    failures = metric == "failure_rate"
    middle = (lambda of: sum(of) / len(of) if of else None) if failures else plain
    found = {"calls": [len(of) for of in known], "plain": [middle(of) for of in known]}
    cells = defaultdict(lambda: ([], []))
    for arm, (calls, places, values) in enumerate(zip(arms, like(arms, key), columns)):
        for call, place, value in zip(calls, places, values):
            if value is not None:
                cell = place[0] if failures else place
                cells[cell][arm].append((value, call["size"], call["alike"]))
    groups = [group for group in cells.values() if min(map(len, group)) >= LEAST]
    found["groups"] = len(groups)
    inside = [sum(len(group[arm]) for group in groups) for arm in (0, 1)]
    found["overlap"] = [part / max(len(of), 1) for part, of in zip(inside, known)]
    found["effects"], found["difference"], found["ratio"], found["interval"] = None, None, None, None
    if not groups:
        return found
    weights = np.array([len(a) * len(b) / (len(a) + len(b)) for a, b in groups])
    everything = [call for group in cells.values() for arm in group for call in arm]
    found["imbalance"] = []
    for of, least in ((lambda call: call[1], 1e-9), (lambda call: call[2][2] % (24 * HOUR) / 3.6e9, 1.0)):
        mean = lambda arm: sum(map(of, arm)) / len(arm)
        left = sum(w * (mean(a) - mean(b)) for w, (a, b) in zip(weights, groups)) / weights.sum()
        found["imbalance"].append(left / max(np.std([of(call) for call in everything]), least))
    if failures:
        effects = [failures_effect(groups, arm) for arm in (0, 1)]
        more = failures_beyond(groups, effects)
    else:
        moved = [levelled(*(np.array([call[:2] for call in arm]) for arm in group)) for group in groups]
        alike = ([], [])
        for values, group, weight in zip(moved, groups, weights):
            for arm in (0, 1):
                told = [call[2] for call in group[arm]]
                alike[arm].append({"value": values[arm], "alike": told, "weight": weight})
        effects = [effect(arm) for arm in alike]
        finite = all(math.isfinite(median(arm)) for values in moved for arm in values)
        more = beyond(list(zip(*alike)), effects) if finite else 1.0
    found["effects"] = [own * more for own in effects]
    if min(found["overlap"]) < 0.5 or max(map(abs, found["imbalance"])) >= 0.1:
        return found
    if failures:
        found["difference"], *found["interval"] = risk(groups, found["effects"])
        return found
    medians = np.array([[median(arm) for arm in values] for values in moved])
    if not np.isfinite(medians).all():
        return found
    found["difference"] = float(weights @ (medians[:, 0] - medians[:, 1]) / weights.sum())
    if (medians > 0).all():
        found["ratio"] = float(np.exp(weights @ np.log(medians[:, 0] / medians[:, 1]) / weights.sum()))
    return found


class Checked(reports.Checked):
    def row(self, where, row, found, a, b, ratio):
        self.one(f"{where} {a}", found["plain"][0], row[a])
        self.one(f"{where} {b}", found["plain"][1], row[b])
        naive = None if None in found["plain"] else found["plain"][0] - found["plain"][1]
        self.one(f"{where} unadjusted", naive, row["naive_difference"])
        self.one(f"{where} difference", found["difference"], row["difference"])
        self.one(f"{where} ratio", found["ratio"], row[ratio])
        for end, number in zip(("low", "high"), found["interval"] or ()):
            self.one(f"{where} {end}", number, row[f"difference_{end}"])


def grounds(check, where, row, found):
    for arm, of in enumerate(("route", "reference")):
        check.one(f"{where} {of} calls", found["calls"][arm], row[f"{of}_calls"])
        check.one(f"{where} {of} overlap", found["overlap"][arm], row[f"{of}_overlap_fraction"])
        if found["effects"]:
            check.one(f"{where} {of} effect", found["effects"][arm], row[f"{of}_effect"])
    check.one(f"{where} groups", found["groups"], row["groups"])
    for at, of in enumerate(("size", "hour")):
        if found["groups"]:
            check.one(f"{where} {of}", found["imbalance"][at], row[f"{of}_imbalance"])


def tax(check, calls, tables):
    at = {(row["model"], row["comparison"], row["metric"]): row for row in tables["grounds"]}
    arms = defaultdict(lambda: defaultdict(list))
    for call in calls:
        if not call["arm"]:
            arms[call["route"][0]][call["route"][1]].append(call)
    for row in tables["effects"]:
        both = [arms[row["model"]][row[side]] for side in ("route", "reference")]
        found = compare(both, lambda call: (call["json"], call["before"]), row["metric"])
        where = f"{row['model']}, {row['comparison']}, {row['metric']}"
        check.row(where, row, found, "route_p50", "reference_p50", "route_over_reference_ratio")
        grounds(check, where, at[row["model"], row["comparison"], row["metric"]], found)


def within(check, calls, rows, has, key):
    arms = defaultdict(lambda: ([], []))
    for call in calls:
        kind = has(call)
        if kind is not None:
            arms[call["route"]][not kind].append(call)
    for row in rows:
        both = arms[row["model"], row["provider"]]
        found = compare(both, key, row["metric"])
        where = f"{row['model']} at {row['provider']}, {row['metric']}"
        check.row(where, row, found, "with", "without", "with_over_without_ratio")
        for arm, of in enumerate(("with", "without")):
            check.one(f"{where} n {of}", found["calls"][arm], row[f"{of}_calls"])


def json_tax(check, calls, tables):
    within(check, calls, tables["effects"], lambda call: call["json"], lambda call: call["before"])
    routes = defaultdict(list)
    for call in calls:
        routes[call["route"]].append(call)
    for row in tables["asked"]:
        of = routes[row["model"], row["provider"]]
        where = f"{row['model']} at {row['provider']}"
        check.one(f"{where} requests", len(of), row["requests"])
        json_share = reports.share(reports.marks(of, lambda call: call["json"]))
        check.interval(where, row, "json", "_fraction", json_share)
        for name, is_json in (("json_failed", True), ("plain_failed", False)):
            found = reports.failed([call for call in of if call["json"] == is_json])
            check.interval(where, row, name, "_fraction", found)


def cache(check, calls, tables):
    told = [call | {"cached": 0, "was": call["cached"]} for call in calls if call["read"] is not None]
    has = lambda call: {0: False, 2: True}.get(call["was"])
    within(check, told, tables["effects"], has, lambda call: (call["json"], call["before"]))


REPORTS = {"tax": tax, "json-tax": json_tax, "cache": cache}


def main(export, *paths):
    calls = []
    for text in open(export):
        record = json.loads(text)
        if record["request"]["background"] or record["cached_answer"]:
            continue
        arm = bool(record["experiment"] and record["experiment"]["arm"])
        calls += [call | {"arm": arm} for call in placed(record)]
    wrong = 0
    for path in paths:
        report = json.load(open(path))
        name = report["schema"].split(".")[-1].split("/")[0]
        check = Checked()
        REPORTS[name](check, calls, report["tables"])
        print(f"{name}: {check.compared} numbers compared, {check.wrong} wrong")
        wrong += check.wrong + (not check.compared)
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
