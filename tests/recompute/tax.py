"""Computes the figures of `tollgate report tax` again from an export, with NumPy and SciPy.

    tollgate export --since 7d > records.jsonl
    tollgate report tax --since 7d --format json > tax.json
    python3 tests/recompute/tax.py records.jsonl tax.json

The point figures must agree to the printed digits; of the intervals, which are drawn, an
independent bootstrap of the resampled medians themselves must come near. Exits 1 where not.
"""

import json
import math
import pathlib
import sys
import tomllib
from collections import defaultdict

import numpy as np
from scipy.stats import norm, t

FAILURES = {"upstream_error", "timed_out", "empty", "truncated", "stalled", "in_band_error"}
TIMED = {"ok", "client_gone", "shutdown"}
# A try that ended so says nothing of how fast its route is: limits, credentials, the caller's fault.
NO_FAILURE = {
    *("rate_limited", "quota", "auth", "permission", "not_found", "bad_request", "unprocessable"),
    *("context_length", "payload_too_large", "content_filter"),
}


def catalogued():
    """What hosts call a model, and its name in the shipped catalogue."""
    path = pathlib.Path(__file__).parents[2] / "config" / "catalogue.toml"
    names = {}
    for model, facts in tomllib.loads(path.read_text()).items():
        for name in (model, *facts.get("at", {}).values()):
            names.setdefault(name.lower(), model)
    return names


NAMES = catalogued()


def plain(attempt, asked):
    """The model that a route's name means; Bedrock's profiles have a geography before it."""
    name = (attempt["model"] or asked or "").lower()
    bare = name.split("/")[-1] if attempt["kind"] == "router" else name
    known = (NAMES.get(form) for form in (name, bare, name.split(".", 1)[-1]))
    return next((model for model in known if model), bare)


def calls(record):
    attempts = record["attempts"]
    size = record["request"]["prompt_tokens_estimated"] or record["tokens"]["input"]
    day = np.datetime64(record["started"].rstrip("Z"), "us").astype("int64")
    for at, attempt in enumerate(attempts):
        last = at == len(attempts) - 1
        name = plain(attempt, record["model"])
        usage = record["tokens"] if last else attempt["lost_tokens"] or {}
        cached, whole = usage.get("cached_read"), usage.get("input")
        share = 0 if not cached or not whole else (2 if cached * 2 > whole else 1)
        key = (
            record["request"]["stream"],
            bool(record["request"]["tools"]),
            (record["request"]["response_format"] or "").startswith("json"),
            record["request"]["reasoning_effort"],
            int(math.log2(size)) if size else None,
            int(day // (6 * 3600 * 1_000_000)),
        )
        line = attempt["timeline_ns"]
        value = None
        gone = attempt["cancelled_by"] in ("client", "shutdown", "hedge")
        left = gone or attempt["error_class"] in NO_FAILURE
        failed = record["outcome"] in FAILURES if last else not left
        # Of whole answers nobody saw a first token: one that failed is none of a stream's.
        if not record["request"]["stream"]:
            continue
        wait = None
        if failed:
            value = math.inf
        elif last and record["outcome"] in TIMED and "first_token" in line and attempt["gaps"]:
            value = (line["first_token"] - line["send_start"]) / 1e6
        elif attempt["end"] not in ("complete", "unterminated") and "first_token" not in line:
            cut = record["outcome"] in ("client_gone", "shutdown") if last else gone
            # Nobody waited it out: it took longer than this.
            if cut and not (attempt["error_class"] and not last) and {"send_start", "closed"} <= line.keys():
                wait = (line["closed"] - line["send_start"]) / 1e6
        # What only an answer tells is not known of a failure: the cached share, a connection there.
        connected = "send_start" in line
        known = not failed or (connected and cached is not None)
        more = (share, attempt["reused"])
        if value is not None or wait is not None:
            alike = (record["session"] or record["id"], int(day // 60_000_000), int(day))
            number = (value, math.log(max(size or 0, 1)), *alike)
            yield name, attempt["provider"], (key, more, known, connected, wait), number
        else:
            yield name, attempt["provider"], (key, more, known, connected, None), None


def cells(arms):
    """Both arms' calls by what they are alike in; failures among the answers like them."""
    likes = []
    for calls in arms:
        likes.append(defaultdict(lambda: defaultdict(int)))
        for (key, more, known, _, _), _ in calls:
            likes[-1][key][more] += known
    plain = [median([number[0] for _, number in calls if number and number[0] is not None] or [0.0]) for calls in arms]
    found = []
    for arm, calls in enumerate(arms):
        placed = defaultdict(lambda: defaultdict(int))
        found.append(defaultdict(list))
        for (key, more, known, connected, wait), number in calls:
            if not known:
                for counts in (likes[arm][key], likes[1 - arm][key]):
                    fits = {m: n for m, n in sorted(counts.items()) if n and (not connected or m[1] == more[1])}
                    if fits:
                        had = placed[key, more[1] if connected else None]
                        more = min(fits, key=lambda m: (had[m] + 1) / fits[m])
                        had[more] += 1
                        break
            if number is None:
                continue
            if number[0] is None:
                if wait < max(plain):
                    continue
                number = (math.inf, *number[1:])
            found[-1][key, more].append(number)
    return found


def median(values):
    ordered = np.sort(values)
    place = 0.5 * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low if low == high or math.isinf(low) else low + (place - math.floor(place)) * (high - low)


def slope(x, y):
    order = np.argsort(x, kind="stable")
    third = len(x) // 3
    low, high = order[:third], order[len(x) - third :]
    run = np.median(x[high]) - np.median(x[low]) if third else 0.0
    return (np.median(y[high]) - np.median(y[low])) / run if run > 0 else 0.0


def levelled(a, b):
    """Both arms' numbers at the mean size of all their prompts."""
    both = np.concatenate([a, b])
    if (both[:, 0] <= 0).any():
        return a[:, 0], b[:, 0]
    common = both[:, 1].mean()
    moved = []
    for arm in (a, b):
        known = arm[np.isfinite(arm[:, 0])]
        turn = slope(known[:, 1], np.log(known[:, 0]))
        moved.append(arm[:, 0] * np.exp(-turn * (arm[:, 1] - common)))
    return moved


def effect(groups):
    """How many calls say what one independent one would: by conversations or by minutes."""
    scored = [(arm["alike"], arm["value"] <= median(arm["value"])) for arm in groups]
    effects = [1.0]
    for at in (0, 1):
        sums = defaultdict(float)
        for alike, below in scored:
            for of, is_below in zip(alike, below):
                sums[of[at]] += is_below - 0.5
        effects.append(sum(x * x for x in sums.values()) / sum(0.25 * len(below) for _, below in scored))
    return max(effects)


def sparsity(values):
    """The median and the inverse of the density there, by Hall and Sheather's bandwidth."""
    ordered, n = np.sort(values), len(values)
    reach = min(0.9716 * n ** (-1 / 3), 0.25)

    def at(p):
        place = p * (n - 1)
        low, high = ordered[math.floor(place)], ordered[min(math.floor(place) + 1, n - 1)]
        share = place - math.floor(place)
        return low if share == 0 or math.isinf(low) else low + share * (high - low)

    low, middle, high = at(0.5 - reach), at(0.5), at(0.5 + reach)
    return middle, (middle - low) / reach if math.isinf(high) else (high - low) / (2 * reach)


def beyond(groups, effects):
    """How much larger the variance of the difference is than by `effects`: influences by hours, or
    by spans where 24 of these are longer; 1 of so few hours that nothing tells how hours differ."""
    scores, known = [], 0.0
    for arms in groups:
        for arm, sign, own in zip(arms, (1, -1), effects):
            middle, spread = sparsity(arm["value"])
            side = np.where(arm["value"] <= middle, -0.5, 0.5)
            each = sign * arm["weight"] / len(arm["value"]) * spread * side
            known += own * (each**2).sum()
            scores += zip(((alike[2] << 20) // 3_600_000_000 for alike in arm["alike"]), each)
    doubled = max(20, next(d for d in range(64) if len({key >> d for key, _ in scores}) <= 24))
    hours = defaultdict(lambda: [0.0, 0])
    for key, score in scores:
        hours[key >> doubled][0] += score
        hours[key >> doubled][1] += 1
    sums, sizes = np.array(list(hours.values())).T
    even = sizes.sum() ** 2 / (sizes**2).sum()
    if doubled == 20 and even < 2.75:
        return 1.0
    few = (t.ppf(0.975, max(even - 1, 1)) / norm.ppf(0.975)) ** 2
    surely = 1 + (len(sums) / (len(sums) - 1) * few - 1) * (1 - even / sizes.sum())
    single = sum(score * score for _, score in scores)
    return max(1.0, max(1.0, (sums**2).sum() / single * surely) * single / known)


def main(export, report):
    arms = defaultdict(lambda: defaultdict(list))
    for text in open(export):
        record = json.loads(text)
        if record["request"]["background"] or record["cached_answer"]:
            continue
        # Routes drawn by lot are told apart, as RANDOMISED.
        if record["experiment"] and record["experiment"]["arm"]:
            continue
        for model, provider, key, value in calls(record):
            arms[model][provider].append((key, value))
    grounds = {
        (row["model"], row["comparison"]): row
        for row in json.load(open(report))["tables"]["grounds"]
        if row["metric"] == "first_token"
    }
    rng = np.random.default_rng(7)
    wrong = compared = 0
    for row in json.load(open(report))["tables"]["effects"]:
        if row["metric"] != "first_token" or row["difference"] is None:
            continue
        route, reference = cells([arms[row["model"]][row[side]] for side in ("route", "reference")])
        found, alike = [], ([], [])
        for key in route:
            both = [route[key], reference.get(key, [])]
            if min(map(len, both)) >= 10:
                a, b = levelled(*(np.array([call[:2] for call in arm]) for arm in both))
                found.append((a, b, len(a) * len(b) / (len(a) + len(b))))
                for groups, value, arm in zip(alike, (a, b), both):
                    weight = len(a) * len(b) / (len(a) + len(b))
                    groups.append({"value": value, "alike": [call[2:] for call in arm], "weight": weight})
        weights = np.array([weight for *_, weight in found])
        value = sum(w * (median(a) - median(b)) for a, b, w in found) / weights.sum()
        plain = lambda arm: median(np.concatenate([[call[0] for call in of] for of in arm.values()]))
        naive = plain(route) - plain(reference)
        effects = [effect(arm) for arm in alike]
        more = beyond(list(zip(*alike)), effects)
        effects = [own * more for own in effects]
        draws = np.full(2000, value)
        for a, b, weight in found:
            for side, sign, times in ((a, 1, effects[0]), (b, -1, effects[1])):
                sample = np.sort(rng.choice(side, (len(draws), len(side))), axis=1)
                away = np.median(sample, axis=1) - median(side)
                draws += sign * weight / weights.sum() * away * math.sqrt(times)
        draws = np.sort(draws[~np.isnan(draws)])
        low, high = draws[int(0.025 * len(draws))], draws[math.ceil(0.975 * len(draws)) - 1]
        # An open end has no number: the draws there are of failures.
        ends = [row["difference_low"], row["difference_high"]]
        ends = [bound if end is None else end for end, bound in zip(ends, (-math.inf, math.inf))]
        finite = [end for end in (*ends, low, high) if math.isfinite(end)]
        width = max(finite, default=0.0) - min(finite, default=0.0)
        ground = grounds[row["model"], row["comparison"]]
        same = (
            # Of two calls that tie at a group's median a rounding says which is below it.
            math.isclose(effects[0], ground["route_effect"], rel_tol=1e-9 if more == 1 else 0.05)
            and math.isclose(effects[1], ground["reference_effect"], rel_tol=1e-9 if more == 1 else 0.05)
            and math.isclose(value, row["difference"], rel_tol=1e-9, abs_tol=1e-9)
            and math.isclose(naive, row["naive_difference"], rel_tol=1e-9, abs_tol=1e-9)
            # An end is open where enough draws meet a failure: two ways of drawing differ in how many.
            and all((draws == b).any() if math.isinf(b) else abs(a - b) < 0.15 * width for a, b in zip((low, high), ends))
        )
        compared += 1
        wrong += not same
        print(
            f"{row['model']}, {row['comparison']}: {value:+.6f} ms [{low:+.2f}, {high:+.2f}], "
            f"printed {row['difference']:+.6f} [{ends[0]:+.2f}, "
            f"{ends[1]:+.2f}]; unadjusted {naive:+.6f}, printed "
            f"{row['naive_difference']:+.6f}; n for one {effects[0]:.3f}, {effects[1]:.3f}: {'agree' if same else 'DISAGREE'}"
        )
    print(f"{compared} compared, {wrong} wrong")
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
