#!/usr/bin/env python3
"""Measures what a real router costs against the provider directly: LiteLLM's proxy, in pairs.

    tests/judge/router.py [--tollgate target/release/tollgate] [--pairs 100]

Installs `requirements-router.txt` into target/judge/router (once), starts `tollgate simulate` as
the provider and LiteLLM's proxy in front of it, and lets `tollgate bench --pairs` ask both, a moment
apart, in drawn order. Prints the PAIRED tax with its interval, and beside it the median difference
as this script computes it from the raw exchanges. Exit code 0: the two agree; 1: not; 2: could not be
set up.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from judge import HERE, ROOT, free_port, stop, until_open

VENV = ROOT / "target" / "judge" / "router"
# What the provider does: the same of every request, so that what differs is the way there.
WORDS = "sim:ft-80ms:gap-5ms:n-24"
START_S = 180


def installed():
    pinned = HERE / "requirements-router.txt"
    done = VENV / "installed.txt"
    if not done.exists() or done.read_text() != pinned.read_text():
        VENV.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
            pip = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--requirement", str(pinned)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            stop(f"LiteLLM cannot be installed (Python 3.10 or later, a package index): {error}")
        done.write_text(pinned.read_text())


def router(folder, upstream, port):
    """LiteLLM's proxy as its documentation starts it, with one model."""
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n  - model_name: simulated\n    litellm_params:\n"
        f"      model: openai/{WORDS}\n      api_base: http://127.0.0.1:{upstream}/openai/v1\n"
        "      api_key: sk-provider\ngeneral_settings:\n  master_key: sk-router\n"
    )
    command = [str(VENV / "bin" / "litellm"), "--config", str(config), "--telemetry", "False"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    # Its table of prices is in the package: no network is asked for.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    log = (folder / "litellm.log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    until_open(port, process, "LiteLLM's proxy", START_S)
    return process


def config(folder, upstream, port):
    path = folder / "tollgate.toml"
    path.write_text(
        f'[server]\nlisten = "127.0.0.1:{free_port()}"\n[admin]\nlisten = "127.0.0.1:{free_port()}"\n'
        f'[store]\npath = "{folder}/store.redb"\n'
        f'[providers.direct]\nbase_url = "http://127.0.0.1:{upstream}/openai/v1"\napi_key = "sk-provider"\n'
        'dialect = "openai"\n'
        f'[providers.litellm]\nbase_url = "http://127.0.0.1:{port}/v1"\napi_key = "sk-router"\n'
        f'[models.simulated]\nroutes = [{{ provider = "direct", model = "{WORDS}" }}, '
        '{ provider = "litellm", model = "simulated" }]\n'
    )
    return path


def judged(folder):
    """First tokens of each pair, from the lines that the bench wrote as they came."""
    pairs = {}
    for path in folder.glob("results/*/exchanges.jsonl"):
        for line in path.read_text().splitlines():
            record = json.loads(line)["exchange"]
            active, attempt = record["active"], record["attempts"][-1]
            if active["pair"] is None or active["warm_up"]:
                continue
            line = attempt["timeline_ns"]
            first = (line["first_token"] - line["send_start"]) / 1e6
            pairs.setdefault(active["pair"], {})[attempt["provider"]] = first, active["order"]
    whole = [pair for pair in pairs.values() if len(pair) == 2]
    return [(pair["litellm"][0] - pair["direct"][0], pair["litellm"][1]) for pair in whole]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tollgate", default=str(ROOT / "target" / "release" / "tollgate"))
    parser.add_argument("--pairs", type=int, default=100)
    args = parser.parse_args()
    program = args.tollgate
    if not os.access(program, os.X_OK):
        stop(f"there is no {program}: `cargo build --release` makes it")
    installed()
    running = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            upstream, port = free_port(), free_port()
            simulate = [program, "simulate", "--listen", f"127.0.0.1:{upstream}"]
            running.append(subprocess.Popen(simulate, stderr=subprocess.DEVNULL))
            until_open(upstream, running[0], "tollgate simulate")
            running.append(router(folder, upstream, port))
            command = [program, "bench", "--config", str(config(folder, upstream, port))]
            command += ["--models", "simulated", "--pairs", str(args.pairs), "--seed", "1"]
            command += ["--max-cost", "5", "--format", "json", "--output", str(folder / "tax.json")]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode != 0:
                stop(f"the bench failed:\n{done.stdout}{done.stderr}")
            version = subprocess.run(
                [str(VENV / "bin" / "pip"), "show", "litellm"], capture_output=True, text=True
            ).stdout
            command = [program, "report", "tax", "--config", str(folder / "tollgate.toml")]
            command += ["--origin", "bench", "--format", "json"]
            report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            differences = judged(folder)
        finally:
            for process in running:
                process.terminate()
                process.wait(timeout=30)
    told = json.loads(report)
    rows = told["tables"]["paired"]
    row = next(row for row in rows if row["metric"] == "first_token")
    print(f"LiteLLM {re.search(r'Version: (.*)', version).group(1)} against the provider directly:")
    for finding in told["findings"]:
        print(f"  {finding}")
    print("\n| metric | pairs | direct p50 | through p50 | difference | 95 % interval | ratio |")
    print("|---|---|---|---|---|---|---|")
    for one in rows:
        if one["difference"] is None:
            continue
        cells = [one["metric"], one["pairs"], one["reference_p50"], one["route_p50"]]
        cells += [one["difference"], f"{one['difference_low']:.3f} to {one['difference_high']:.3f}"]
        cells += [one["route_over_reference_ratio"]]
        shown = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
        print(f"| {' | '.join(shown)} |")
    median = statistics.median(difference for difference, _ in differences)
    orders = [[difference for difference, order in differences if order == of] for of in (0, 1)]
    # Where the order matters, the report lets both orders weigh the same.
    balanced = statistics.mean(statistics.median(order) for order in orders)
    near = min(abs(one - row["difference"]) for one in (median, balanced))
    same = near < 1e-6 and len(differences) == row["pairs"]
    print(
        f"\nmedian of {len(differences)} differences of first tokens, computed here from the raw "
        f"exchanges: {median:.6f} ms, mean of the medians of both orders: {balanced:.6f} ms; "
        f"reported: {row['difference']:.6f} ms of {row['pairs']} pairs"
    )
    print("they agree" if same else "FINDING they differ")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
