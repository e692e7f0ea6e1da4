"""Computes the figures of the reports of observed traffic again from an export, with NumPy and SciPy.

    tollgate export --since A --until B > records.jsonl
    for name in routes models regions backends consistency length errors cost cache trend \
            throughput; do
        tollgate report $name --since A --until B --format json > $name.json; done
    python3 tests/recompute/reports.py records.jsonl *.json

The window holds 100,000 exchanges at most, of one origin: of more the reports read roll-ups or
samples. Quantiles, their order statistics, design effects, shares with Wilson's intervals, means
and sums must agree to 9 digits. Exits 1 where one does not, or where nothing was compared.
"""

import json
import math
import pathlib
import sys
from collections import Counter, defaultdict
from datetime import datetime, timezone

import numpy as np
from scipy.stats import binom, norm, t

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tax import FAILURES, NO_FAILURE, TIMED, plain  # noqa: E402

ALPHA = 0.05
HOUR = 3_600_000_000
TIME_OUTS = {"timeout", "connect_timeout", "first_token_timeout", "silence_timeout", "total_timeout"}
LIMITS, REFUSED = {"rate_limited", "quota"}, {"auth", "permission"}


# Statistics


def evenly(counts):
    """How many clusters of one size would be as uneven as these."""
    sizes = np.array([n for _, n in counts], float)
    return sizes.sum() ** 2 / (sizes**2).sum()


def clustered(counts):
    counts = np.array([c for c in counts if c[1] > 0], float)
    if len(counts) < 2:
        return 1.0
    below, sizes = counts.T
    share, n = below.sum() / sizes.sum(), sizes.sum()
    single = n * share * (1 - share)
    if single <= 0:
        return 1.0
    even = evenly(counts)
    few = (t.ppf(1 - ALPHA / 2, max(even - 1, 1)) / norm.ppf(1 - ALPHA / 2)) ** 2
    surely = 1 + (len(counts) / (len(counts) - 1) * few - 1) * (1 - even / n)
    return max(1.0, ((below - sizes * share) ** 2).sum() / single * surely)


def effect(marks):
    """Of (microseconds, hit): by spans, 24 at most, and by hours where these are longer."""
    finest = [((at << 20) // HOUR, hit) for at, hit in marks]
    doubled = next(d for d in range(64) if len({key >> d for key, _ in finest}) <= 24)

    def pooled(by):
        groups = defaultdict(lambda: [0, 0])
        for key, hit in finest:
            groups[key >> by][0] += hit
            groups[key >> by][1] += 1
        return [groups[key] for key in sorted(groups)]

    found = clustered(pooled(doubled))
    if doubled < 20 and evenly(pooled(20)) >= 2.75:
        found = max(found, clustered(pooled(20)))
    return found


def needs(p, alpha):
    n = 1
    while binom.ppf(alpha / 2, n, p) < 1 or binom.ppf(1 - alpha / 2, n, p) + 1 > n:
        n += 1
    return n


NEEDS = {}


def kaplan_meier(numbers, waits, infinite, p):
    """Where the estimate comes to p: with ties, events before what was not waited out."""
    left, alive = len(numbers) + len(waits) + infinite, 1.0
    events, cuts = Counter(numbers), Counter(waits)
    for value in sorted(set(events) | set(cuts)):
        if events[value]:
            alive *= 1 - events[value] / left
            if alive <= 1 - p + 1e-12:
                return value
        left -= events[value] + cuts[value]
    return None


def quantile(values, p, alpha=ALPHA):
    """(value, low, high, n) of (microseconds, value, not waited out); None where withheld."""
    n = len(values)
    least = NEEDS.setdefault((p, alpha), needs(p, alpha))
    if n < least:
        return None
    most = np.sort([math.inf if cut else value for _, value, cut in values])
    lowest = np.sort([value for _, value, _ in values])
    place = p * (n - 1)
    low, high = most[math.floor(place)], most[math.ceil(place)]
    value = low if low == high or math.isinf(low) else low + (place - math.floor(place)) * (high - low)
    # How alike they are is told by the median, whatever quantile is asked for.
    middle = np.sort(most)[[math.floor(0.5 * (n - 1)), math.ceil(0.5 * (n - 1))]]
    middle = middle.mean() if np.isfinite(middle).all() else math.inf
    deff = 1.0
    if math.isfinite(middle):
        deff = effect([(at, (math.inf if cut else value) <= middle) for at, value, cut in values])
    if any(cut for *_, cut in values):
        seen = [value for _, value, cut in values if not cut and math.isfinite(value)]
        infinite = sum(not cut and math.isinf(value) for _, value, cut in values)
        value = kaplan_meier(seen, [value for _, value, cut in values if cut], infinite, p)
    if value is None or math.isinf(value):
        return None
    worth = min(max(math.floor(n / deff), 1), n)
    lower, upper = int(binom.ppf(alpha / 2, worth, p)), int(binom.ppf(1 - alpha / 2, worth, p)) + 1
    ends = [None, None]
    if lower >= 1:
        ends[0] = lowest[lower * (n + 1) // (worth + 1) - 1]
    if upper <= worth:
        ends[1] = most[-(-upper * (n + 1) // (worth + 1)) - 1]
    ends = [None if end is None or math.isinf(end) else float(end) for end in ends]
    return float(value), *ends, n


def share(marks):
    """(value, low, high, n) by Wilson, of as many as say something of their own."""
    n, hits = len(marks), sum(hit for _, hit in marks)
    if n == 0:
        return None
    worth, z, p = max(n / max(effect(marks), 1.0), 1.0), norm.ppf(1 - ALPHA / 2), hits / n
    middle, reach = p + z * z / worth / 2, z * math.sqrt(p * (1 - p) / worth + z * z / worth**2 / 4)
    ends = [min(max((middle + way * reach) / (1 + z * z / worth), 0.0), 1.0) for way in (-1, 1)]
    return p, 0.0 if hits == 0 else ends[0], 1.0 if hits == n else ends[1], n


# Calls


def generated(record, attempt):
    """Tokens after the first event and how long they took, in nanoseconds."""
    line, gaps, usage = attempt["timeline_ns"], attempt["gaps"], record["tokens"]
    odd = {o if isinstance(o, str) else o["kind"] for o in attempt["oddities"]}
    first = "first_answer" if "reasoning_summary" in odd else "first_token"
    if not gaps or not {first, "last_token"} <= line.keys() or (record["request"]["choices"] or 1) > 1:
        return None
    if attempt["end"] not in ("complete", "unterminated") or gaps["pseudo_stream"]:
        return None
    if gaps["token_events"] > 1 and gaps["token_reads"] <= 1 or odd & {"client_backpressure", "hidden_reasoning"}:
        return None
    if usage["output"] is None or usage["source"] in (None, "chunks") or usage["audio"]:
        return None
    hidden = 0 if "first_reasoning" in line and first == "first_token" else usage["reasoning"] or 0
    tokens = max(max(usage["output"] - hidden, 0) - max(gaps["first_event_tokens"], 1), 0)
    span = line["last_token"] - line[first]
    return (tokens, span) if tokens >= 16 and span >= 100e6 and gaps["token_events"] >= 4 else None


def calls(record):
    at = int(np.datetime64(record["started"].rstrip("Z"), "us").astype("int64"))
    stream, outcome = record["request"]["stream"], record["outcome"]
    for number, attempt in enumerate(record["attempts"]):
        last, line = number == len(record["attempts"]) - 1, attempt["timeline_ns"]
        klass = attempt["error_class"]
        called_off = attempt["cancelled_by"] in ("client", "shutdown", "hedge")
        call = {
            "route": (plain(attempt, record["model"]), attempt["provider"]),
            "there": (attempt["provider"], attempt["model"]),
            "body": (record["request"]["prompt_hash"], record["language"], record["model"] or attempt["model"]),
            "router": attempt["kind"] == "router", "by": attempt["served_by"], "at": at, "lost": not last,
            "reused": attempt["reused"], "session": record["session"], "turn": record["turn"],
            "region": attempt["region"], "stream": stream, "class": klass, "status": attempt["status"],
            "outcome": outcome, "failed": None, "first_token": None, "first_answer": None, "rate": None,
            "total": None, "whole": None, "waited": [None, None, None], "price": None, "output": None,
        }
        if last:
            call["failed"] = True if outcome in FAILURES else False if outcome == "ok" else None
        elif not called_off and klass not in NO_FAILURE:
            call["failed"] = True
        since = lambda mark: line[mark] - line["send_start"] if {mark, "send_start"} <= line.keys() else None
        ended = attempt["end"] in ("complete", "unterminated")
        if call["failed"]:
            call |= dict.fromkeys(("first_token", "first_answer", "total", "whole"), math.inf)
        elif last and outcome in TIMED:
            if attempt["gaps"]:
                call["first_token"], call["first_answer"] = since("first_token"), since("first_answer")
            if ended:
                call["whole"] = since("last_token" if attempt["gaps"] else "done")
            made = generated(record, attempt)
            if made:
                call["rate"] = made[0] * 10**12 // made[1] / 1000
                if call["first_answer"] is not None:
                    call["total"] = call["first_answer"] + 499 * made[1] // made[0]
        left = outcome in ("client_gone", "shutdown") if last else called_off and klass is None
        if left and not call["failed"] and not ended and since("closed") is not None:
            for place, mark in enumerate(("first_token", "first_answer")):
                if mark not in line and stream:
                    call["waited"][place] = since("closed")
            call["waited"][2] = since("closed") if call["whole"] is None else None
        if last:
            usage = record["tokens"]
            lost = sum(a["lost_cost_picodollars"] or 0 for a in record["attempts"])
            own = None if record["cost_picodollars"] is None else record["cost_picodollars"] - lost
            told = [cost for cost in (record["cost_billed_picodollars"], own) if cost is not None]
            told = [cost for cost in told if outcome == "ok" or cost > 0]
            call["price"] = told[0] / 1e12 if told else None
            if usage["source"] not in (None, "chunks"):
                call["output"] = usage["output"]
        counts = record["tokens"] if last else attempt["lost_tokens"] or {}
        call |= {"input": counts.get("input"), "read": counts.get("cached_read")}
        call["spent"] = call["price"] if last else (attempt["lost_cost_picodollars"] or 0) / 1e12 or None
        yield call


def numbers(calls, key, place=None):
    found = []
    for call in calls:
        value = call[key]
        if key != "price" and key != "whole" and not call["stream"]:
            continue
        if key == "rate" and call["failed"]:
            continue
        if value is not None:
            found.append((call["at"], value, False))
        elif place is not None and call["waited"][place] is not None:
            found.append((call["at"], call["waited"][place], True))
    if key == "total" and not any(not cut for *_, cut in found):
        return []
    return found


def marks(calls, is_so):
    return [(call["at"], is_so(call)) for call in calls]


def failed(calls):
    return share([(call["at"], call["failed"]) for call in calls if call["failed"] is not None])


# Reports


class Checked:
    def __init__(self):
        self.compared = self.wrong = 0

    def one(self, where, expected, printed):
        self.compared += 1
        same = expected is printed if None in (expected, printed) else math.isclose(expected, printed, rel_tol=1e-9, abs_tol=1e-12)
        if not same:
            self.wrong += 1
            print(f"{where}: computed {expected}, printed {printed}")

    def interval(self, where, row, key, unit, found, scale=1.0):
        name = key + unit
        value, low, high, n = found if found else (None,) * 4
        scaled = lambda number: None if number is None else number / scale
        self.one(f"{where} {name}", scaled(value), row[name])
        if found:
            self.one(f"{where} {name}_low", scaled(low), row[f"{name}_low"])
            self.one(f"{where} {name}_high", scaled(high), row[f"{name}_high"])
            self.one(f"{where} {key}_n", n, row[f"{key}_n"])


def times(check, where, row, calls, columns):
    for key, of, place, p in columns:
        unit, scale = ("_tokens_per_s", 1) if of == "rate" else ("_usd", 1) if of == "price" else ("_ms", 1e6)
        check.interval(where, row, key, unit, quantile(numbers(calls, of, place), p), scale)


FIRST = [("first_token_p50", "first_token", 0, 0.5), ("first_token_p95", "first_token", 0, 0.95)]
RATE = [("output_rate_p50", "rate", None, 0.5)]


def priced(calls):
    return [call["price"] for call in calls if call["price"] is not None]


def mean(values):
    return math.fsum(values) / len(values) if values else None


def models(check, routes, tables):
    for row in tables["speed"]:
        of = routes[row["model"], row["provider"]]
        check.one("requests", len(of), row["requests"])
        check.interval(row["model"], row, "failed", "_fraction", failed(of))
        times(check, row["model"], row, of, [FIRST[0], ("first_answer_p50", "first_answer", 1, 0.5), *RATE, ("total_500_p50", "total", 1, 0.5)])
    for row in tables["tails"]:
        of = routes[row["model"], row["provider"]]
        times(check, row["model"], row, of, [FIRST[1], ("first_token_p99", "first_token", 0, 0.99), ("output_rate_p5", "rate", None, 0.05), ("total_500_p95", "total", 1, 0.95)])
    for row in tables["money"]:
        of = routes[row["model"], row["provider"]]
        check.one(f"{row['model']} cost", mean(priced(of)), row["cost_usd"])
        times(check, row["model"], row, of, [("cost_p50", "price", None, 0.5)])


def regions(check, routes, tables):
    for row in tables["regions"]:
        of = [c for c in routes[row["model"], row["provider"]] if (c["region"] or "not said") == row["region"]]
        where = f"{row['model']} {row['region']}"
        check.one(f"{where} requests", len(of), row["requests"])
        judged = [(c["at"], not c["failed"]) for c in of if c["failed"] is not None]
        check.interval(where, row, "success", "_fraction", share(judged))
        times(check, where, row, of, [*FIRST, ("first_token_p99", "first_token", 0, 0.99), *RATE])
        check.one(f"{where} cost", mean(priced(of)), row["cost_usd"])


def backends(check, routes, tables):
    for row in tables["backends"]:
        route = [c for c in routes[row["model"], row["router"]] if c["router"]]
        of = [c for c in route if (c["by"] or "not said") == row["served_by"]]
        where = f"{row['model']} {row['served_by']}"
        check.interval(where, row, "share", "_fraction", share(marks(route, lambda c: (c["by"] or "not said") == row["served_by"])))
        check.interval(where, row, "failed", "_fraction", failed(of))
        times(check, where, row, of, [*FIRST, *RATE])


def consistency(check, routes, tables):
    for row in tables["spread"]:
        of = routes[row["model"], row["provider"]]
        key, place = {"first_token": ("first_token", 0), "output_rate": ("rate", None), "total_500": ("total", 1)}.get(row["metric"], (row["metric"], 1))
        if key.startswith("total"):
            key = "total"
        values = numbers(of, key, place)
        where = f"{row['model']} {row['metric']}"
        check.one(f"{where} n", len(values), row["n"])
        at = {p: quantile(values, p, ALPHA / 3) for p in (0.25, 0.5, 0.75)}
        iqr = (at[0.75][0] - at[0.25][0]) / at[0.5][0] if all(at.values()) else None
        check.one(f"{where} IQR", iqr, row["iqr_over_p50_ratio"])
        tail, middle = quantile(values, 0.95, ALPHA / 2), quantile(values, 0.5)
        check.one(f"{where} p95", tail[0] / middle[0] if tail and middle else None, row["p95_over_p50_ratio"])
        seen = np.array([value for _, value, cut in values if not cut and math.isfinite(value)])
        check.one(f"{where} CV", seen.std(ddof=1) / seen.mean(), row["cv_ratio"])


def length(check, routes, tables):
    for row in tables["lengths"]:
        least = int(row["output_tokens"].split()[0].replace(",", ""))
        most = row["output_tokens"].split()[-1].replace(",", "")
        most = int(most) if most.isdigit() else math.inf
        of = [c for c in routes[row["model"], row["provider"]] if c["failed"] is False and c["output"] and least <= c["output"] <= most]
        where = f"{row['model']} {row['output_tokens']}"
        check.one(f"{where} requests", len(of), row["requests"])
        times(check, where, row, of, [*RATE, ("output_rate_p5", "rate", None, 0.05), ("total_p50", "whole", None, 0.5), ("total_p95", "whole", None, 0.95)])


def errors(check, routes, tables):
    for row in tables["rates"]:
        of = routes[row["model"], row["provider"]]
        check.interval(row["model"], row, "failed", "_fraction", failed(of))
        for key, is_so in (
            ("rate_limited", lambda c: c["class"] in LIMITS),
            ("credential_faults", lambda c: c["class"] in REFUSED),
            ("timed_out", lambda c: c["class"] in TIME_OUTS or (not c["lost"] and c["outcome"] == "timed_out")),
        ):
            check.interval(row["model"], row, key, "_fraction", share(marks(of, is_so)))
        check.one(f"{row['model']} lost", sum(c["lost"] for c in of), row["lost"])
    for row in tables["classes"]:
        of = routes[row["model"], row["provider"]]
        status = None if row["status"] in ("", "—", "none", "no answer") or not row["status"].isdigit() else int(row["status"])
        is_so = lambda c: c["class"] == row["class"] and c["status"] == status
        if any(c["class"] == row["class"] for c in of):
            check.interval(f"{row['model']} {row['class']}", row, "share", "_fraction", share(marks(of, is_so)))


def cost(check, routes, tables):
    for row in tables["cost"]:
        of = routes[row["model"], row["provider"]]
        own = [c for c in of if not c["lost"]]
        spent = [c["spent"] for c in of if c["spent"] is not None]
        well = [c["price"] for c in own if c["outcome"] == "ok" and c["price"] is not None]
        check.one(f"{row['model']} exchanges", len(own), row["exchanges"])
        check.one(f"{row['model']} sum", math.fsum(spent) if spent else None, row["cost_sum_usd"])
        check.one(f"{row['model']} mean", mean(priced(of)), row["cost_usd"])
        check.one(f"{row['model']} per success", math.fsum(spent) / len(well) if well else None, row["cost_per_success_usd"])
        times(check, row["model"], row, of, [("cost_p50", "price", None, 0.5)])
    for row in tables["overhead"]:
        of = routes[row["model"], row["provider"]]
        well = sum(not c["lost"] and c["outcome"] == "ok" for c in of)
        check.one(f"{row['model']} successes", well, row["successes"])
        check.one(f"{row['model']} tries", len(of) / well if well else None, row["tries_per_success_ratio"])


def trend(check, routes, tables):
    """Of a window of two days at most: its steps are hours."""
    for row in tables["steps"]:
        began = datetime.strptime(row["at"], "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
        began = int(began.timestamp()) * 1_000_000
        of = [c for c in routes[row["model"], row["provider"]] if began <= c["at"] < began + HOUR]
        where = f"{row['model']} {row['at']}"
        check.one(f"{where} requests", len(of), row["requests"])
        if of:
            check.interval(where, row, "failed", "_fraction", failed(of))
            times(check, where, row, of, [*FIRST, *RATE])


def cache(check, routes, tables):
    answered, found = set(), defaultdict(list)
    own = [c for calls in routes.values() for c in calls if not c["lost"] and c["body"][0]]
    for call in sorted(own, key=lambda c: c["at"]):
        found[call["route"]].append((call["at"], call["body"] in answered))
        if call["outcome"] == "ok":
            answered.add(call["body"])
    for row in tables["identical"]:
        key = row["model"], row["provider"]
        of = found[key] if key in found else [mark for marks in found.values() for mark in marks]
        check.one(f"{key} requests", len(of), row["requests"])
        check.interval(f"{key}", row, "identical", "_fraction", share(of))
    turns = {"1": (1, 1), "2": (2, 2), "3": (3, 3), "4 and 5": (4, 5), "6 to 9": (6, 9), "10 and more": (10, math.inf)}
    for row in tables["turns"]:
        least, most = turns[row["turn"]]
        of = [c for c in routes[row["model"], row["provider"]] if c["turn"] and least <= c["turn"] <= most]
        cached(check, f"{row['model']} turn {row['turn']}", row, of)
    kinds = {"none": lambda part: part == 0, "up to half": lambda part: 0 < part <= 0.5, "more than half": lambda part: part > 0.5}
    for row in tables["cached"]:
        of = [c for c in routes[row["model"], row["provider"]] if c["read"] is not None]
        of = [c for c in of if kinds[row["cached"]](c["read"] / c["input"] if c["input"] else 0)]
        cached(check, f"{row['model']} {row['cached']}", row, of)


def cached(check, where, row, of):
    check.one(f"{where} requests", len(of), row["requests"])
    told = [c for c in of if c["read"] is not None and c["input"] is not None]
    prompts = sum(c["input"] for c in told)
    check.one(f"{where} read", sum(c["read"] for c in told) / prompts if prompts else None, row["tokens_read_fraction"])
    times(check, where, row, of, FIRST)


def throughput(check, routes, report):
    """Of a window of a week at most: the trend's days are its own."""
    until = int(np.datetime64(report["window"]["until"].rstrip("Z"), "us").astype("int64"))
    fold = lambda of, way: way(of) if of else None
    found = {}
    for row in report["providers"]:
        of = routes[row["model"], row["provider"]]
        where = f"{row['model']} at {row['provider']}"
        waited = [(c["at"], c["waited"][2], True) for c in of if c["whole"] is None and c["waited"][2] is not None]
        whole = [(c["at"], c["whole"], False) for c in of if c["whole"] is not None and c["failed"] is not None] + waited
        metrics, health, cost = row["metrics"], row["health"], row["cost_estimate"]
        latency = quantile(whole, 0.5)
        check.one(f"{where} n", len(whole), metrics["n"])
        check.one(f"{where} latency", latency and latency[0] / 1e6, metrics["latency_ms"])
        for end, printed in zip(latency[1:3] if latency else (), metrics["latency_interval_95_ms"] or ()):
            check.one(f"{where} latency end", None if end is None else end / 1e6, printed)
        for name, p50, is_so in (("cold", "cold_start_latency_ms", False), ("warm", "warm_start_latency_ms", True)):
            some = [c for c in of if c["reused"] == is_so]
            times_of = [(c["at"], c["whole"], False) for c in some if c["whole"] is not None and c["failed"] is not None]
            times_of += [(c["at"], c["waited"][2], True) for c in some if c["whole"] is None and c["waited"][2] is not None]
            middle = quantile(times_of, 0.5)
            check.one(f"{where} {name}", middle and middle[0] / 1e6, health[p50])
        first, rates = numbers(of, "first_token", 0), numbers(of, "rate")
        for name, values, scale in (("first_token_p50_ms", first, 1e6), ("output_rate_p50_tokens_per_sec", rates, 1)):
            middle = quantile(values, 0.5)
            check.one(f"{where} {name}", middle and middle[0] / scale, metrics[name])
        made = [(c["output"], c["whole"], c["at"]) for c in of if c["output"] is not None and c["failed"] is False and c["whole"]]
        tokens, elapsed = sum(m[0] for m in made), math.fsum(m[1] for m in made) / 1e9
        check.one(f"{where} tokens", tokens if elapsed else None, row["tokens_generated"])
        check.one(f"{where} elapsed", elapsed or None, row["elapsed_seconds"])
        check.one(f"{where} rate", tokens / elapsed if elapsed else None, metrics["throughput_tokens_per_sec"])
        judged = [c["failed"] for c in of if c["failed"] is not None]
        check.one(f"{where} errors", fold(judged, lambda j: 100 * sum(j) / len(j)), health["error_rate_percent"])
        check.one(f"{where} price", mean(priced(of)), cost["estimated_cost_usd"])
        told = [(c["price"], c["input"] + c["output"]) for c in of if None not in (c["price"], c["input"], c["output"])]
        each = fold(told, lambda all: 1e3 * math.fsum(t[0] for t in all) / sum(t[1] for t in all))
        check.one(f"{where} price of 1,000 tokens", each, cost["cost_per_1k_tokens_usd"])
        for day, (trend, rate) in enumerate(zip(*row["history"].values())):
            ago = lambda at: (until - 1 - at) // (24 * HOUR) == 6 - day
            middle = quantile([t for t in whole if ago(t[0])], 0.5)
            check.one(f"{where} day {day}", middle and middle[0] / 1e6, trend)
            some = [m for m in made if ago(m[2])]
            check.one(f"{where} rate of day {day}", fold(some, lambda all: sum(m[0] for m in all) / math.fsum(m[1] for m in all) * 1e9), rate)
        found[row["model"], row["provider"]] = (latency and latency[0], made, whole)
    every = [time for *_, whole in found.values() for _, time, cut in whole if not cut and math.isfinite(time)]
    made = [m for _, of, _ in found.values() for m in of]
    summary = report["performance_summary"]
    check.one("mean latency", mean(every) / 1e6, summary["avg_latency_ms"])
    check.one("mean rate", sum(m[0] for m in made) / math.fsum(m[1] for m in made) * 1e9, summary["avg_throughput_tokens_per_sec"])
    order = sorted((known[0], route) for route, known in found.items() if known[0] is not None)
    for (_, route), row in zip(order, report["rankings"]["by_latency"], strict=True):
        check.one(f"{row['model']} rank", 0, int(route != (row["model"], row["provider"])))


def routes(check, routes, report):
    """Of exchanges by their last try, with lost tries as failures of their own routes."""
    by = defaultdict(list)
    for call in (c for calls in routes.values() for c in calls):
        by[call["there"]].append(call)
    for row in report:
        of = by[row["provider"], row["model"]]
        where = f"{row['model']} at {row['provider']}"
        check.one(f"{where} exchanges", sum(not c["lost"] for c in of), row["exchanges"])
        for key, found in (
            ("failure_rate", failed([c for c in of if not c["lost"]])),
            ("attempt_failure_rate", failed(of)),
            ("rate_limited", share(marks(of, lambda c: c["class"] in LIMITS))),
        ):
            for name, number in zip(("value", "low", "high", "whole"), found):
                check.one(f"{where} {key} {name}", number, row[key][name])
        for key, of_call, place, scale in (
            ("first_token_ms", "first_token", 0, 1e6),
            ("first_answer_ms", "first_answer", 1, 1e6),
            ("total_ms", "whole", 2, 1e6),
            ("output_rate", "rate", None, 1),
        ):
            for p, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
                found = quantile(numbers(of, of_call, place), p)
                printed = row[key][name]
                for end, number in zip(("value", "low", "high"), found or (None, None, None)):
                    if found or end == "value":
                        number = None if number is None else number / scale
                        check.one(f"{where} {key} {name} {end}", number, printed[end])


REPORTS = {f.__name__: f for f in (routes, cache, models, regions, backends, consistency, length, errors, cost, trend, throughput)}


def main(export, *reports):
    found = defaultdict(list)
    for text in open(export):
        record = json.loads(text)
        if record["request"]["background"] or record["cached_answer"]:
            continue
        for call in calls(record):
            found[call["route"]].append(call)
    wrong = 0
    for path in reports:
        report = json.load(open(path))
        name = report["schema"].split(".")[-1].split("/")[0]
        check = Checked()
        part = {"routes": "routes", "throughput": None}.get(name, "tables")
        REPORTS[name](check, found, report[part] if part else report)
        print(f"{name}: {check.compared} numbers compared, {check.wrong} wrong")
        wrong += check.wrong + (not check.compared)
    return 1 if wrong or not reports else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
