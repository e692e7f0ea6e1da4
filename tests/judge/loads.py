#!/usr/bin/env python3
"""Lays Tollgate's load generator beside those of others: aiperf, and guidellm where it may.

    tests/judge/loads.py [--tollgate target/release/tollgate] [--seconds 10] [--guidellm]

All of them load `tollgate simulate`, whose truth is known, with the same number of users at once:
directly, and through `tollgate serve`. First tokens, gaps and throughput stand side by side, each
difference with the definition that explains it. aiperf is installed into target/judge/loads (1.2 GB,
once). guidellm brings torch (5.6 GB): only with `--guidellm`, into target/judge/guidellm. Exit code
0: told apart by no more than the definitions explain; 1: not; 2: could not be set up.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import judge
from judge import HERE, ROOT, free_port, stop, until_open

FIRST_MS = 80.0
GAP_MS = 10.0
TOKENS = 24
USERS = 4
MODEL = "gpt-sim"
GUIDELLM = "guidellm==0.8.1"
# What the definitions may explain. The others are Python: their own work before they write and after
# they read is in their first tokens, and one thread of theirs reads for all users.
FIRST_MAX_MS = 6.0 + 3.0 * USERS
GAP_MAX_MS = 0.6
RATE_MAX = 0.1

TOKENIZER = """
import sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(
    tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
).save_pretrained(sys.argv[1])
"""


def installed(name, packages, pinned):
    """The `bin` of a virtual environment with these packages (what pip takes, and what it says)."""
    venv = ROOT / "target" / "judge" / name
    done = venv / "installed.txt"
    if not done.exists() or done.read_text() != pinned:
        venv.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
            pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--disable-pip-version-check", *packages], check=True)
            # Nothing is fetched from a hub: tokens are counted by the server.
            tokenizer = [str(venv / "bin" / "python"), "-c", TOKENIZER, str(venv / "tokenizer")]
            subprocess.run(tokenizer, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            stop(f"{name} cannot be installed (Python 3.11, a package index): {error}")
        done.write_text(pinned)
    return venv / "bin"


def simulator(program, port):
    behaviour = f"ft-{FIRST_MS:.0f}ms:gap-{GAP_MS:.0f}ms:n-{TOKENS}"
    command = [program, "simulate", "--listen", f"127.0.0.1:{port}", "--behave", behaviour]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until_open(port, process, "the simulator")
    return process


def prompts(folder, requests):
    path = Path(folder) / "prompts.jsonl"
    lines = (json.dumps({"text": f"Say something about {n}."}) for n in range(requests))
    path.write_text("\n".join(lines) + "\n")
    return path


def median(values):
    return statistics.median(list(values))


def by_tollgate(program, port, seconds):
    """`tollgate bench load` against what listens at a port."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "tollgate.toml"
        config.write_text(
            f'[store]\npath = "{folder}/store.redb"\n'
            f'[providers.there]\nbase_url = "http://127.0.0.1:{port}/v1"\nauth = "none"\n'
            f'[models.{MODEL}]\nroutes = [{{ provider = "there" }}]\n'
        )
        command = [program, "bench", "load", "--config", str(config), "--models", MODEL]
        command += ["--users", str(USERS), "--duration", f"{seconds}s", "--ramp", "0s"]
        command += ["--sla", "10s", "--max-tokens", str(TOKENS), "--prompt-tokens", "10"]
        command += ["--run", "judged", "--out", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        result = Path(folder) / "judged" / "load.json"
        if not result.exists():
            stop(f"tollgate bench load failed:\n{done.stdout}{done.stderr}")
        step = json.loads(result.read_text())["routes"][0]["steps"][0]
    return {
        "n": step["n"],
        "first": step["first_token_from_send_ms"]["p50"]["value"],
        "gap": 1000 / step["user_tokens_per_s"]["p50"]["value"],
        "total": step["latency_from_send_ms"]["p50"]["value"],
        "requests": step["completed_requests_per_s"],
        "tokens": step["output_tokens_per_s"],
        "failed": step["failed"],
    }


def by_aiperf(bin_, port, seconds):
    requests = round(seconds * 1000 / total_ms() * USERS)
    with tempfile.TemporaryDirectory() as folder:
        command = [str(bin_ / "aiperf"), "profile", "--model", MODEL, "--endpoint-type", "chat"]
        command += ["--streaming", "--url", f"http://127.0.0.1:{port}", "--ui", "none"]
        command += ["--use-server-token-count", "--tokenizer", str(bin_.parent / "tokenizer")]
        command += ["--input-file", str(prompts(folder, requests))]
        command += ["--custom-dataset-type", "single_turn", "--concurrency", str(USERS)]
        command += ["--request-count", str(requests), "--artifact-dir", f"{folder}/out"]
        command += ["--export-level", "records"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        export = Path(folder) / "out" / "profile_export.jsonl"
        if not export.exists():
            stop(f"aiperf failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        records = [json.loads(line) for line in export.read_text().splitlines()]
        whole = json.loads((Path(folder) / "out" / "profile_export_aiperf.json").read_text())
    of = lambda name: median(record["metrics"][name]["value"] for record in records)
    return {
        "n": len(records),
        "first": of("time_to_first_token"),
        "gap": of("inter_token_latency"),
        "total": of("request_latency"),
        "requests": whole["request_throughput"]["avg"],
        "tokens": whole["output_token_throughput"]["avg"],
        "failed": sum(record.get("error") is not None for record in records),
    }


def by_guidellm(bin_, port, seconds):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        requests = prompts(folder, round(seconds * 1000 / total_ms() * USERS))
        command = [str(bin_ / "guidellm"), "run", "--disable-console"]
        # It would ask for `/health`, which belongs to a model server.
        backend = f"kind=openai_http,target=http://127.0.0.1:{port},model={MODEL}"
        command += ["--backend", f"{backend},validate_backend=false"]
        command += ["--tokenizer", f"kind=huggingface_auto,model={bin_.parent / 'tokenizer'}"]
        command += ["--profile", f"kind=concurrent,streams={USERS}"]
        command += ["--constraint", f"kind=max_duration,seconds={seconds}"]
        command += ["--data", f"kind=json_file,path={requests}"]
        command += ["--output", f"kind=json,path={out}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        if not out.exists():
            stop(f"guidellm failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        run = json.loads(out.read_text())["benchmarks"][0]
    metrics = run["metrics"]
    of = lambda name: metrics[name]["successful"]["median"]
    return {
        "n": metrics["request_totals"]["successful"],
        "first": of("time_to_first_token_ms"),
        "gap": of("inter_token_latency_ms"),
        "total": of("request_latency") * 1000,
        "requests": metrics["requests_per_second"]["successful"]["mean"],
        "tokens": metrics["output_tokens_per_second"]["successful"]["mean"],
        "failed": metrics["request_totals"]["errored"],
    }


def total_ms():
    return FIRST_MS + GAP_MS * (TOKENS - 1)


def recorded(records):
    """What a Tollgate in the middle wrote down of a tool's requests."""
    calls = [one for one in records if one["language"] == "openai-chat"]
    good = [judge.of_record(one) for one in calls if one["outcome"] == "ok"]
    # guidellm leaves what is under way when its time is over.
    left = sum(one["outcome"] == "client_gone" for one in calls)
    if not good:
        stop("no exchange is in the records")
    return {
        "n": len(good),
        "first": median(one["first"] for one in good),
        "gap": median(one["gap"] for one in good),
        "total": median(one["done"] for one in good),
        "requests": None,
        "tokens": None,
        "failed": len(calls) - len(good) - left,
        "wrong": [one for one in good if one["output"] != TOKENS or one["events"] != TOKENS],
    }


def print_rows(rows):
    print("\n| tool | way | n | failed | first token p50 | gap p50 | total p50 | requests/s | tokens/s |")
    print("|---|---|---|---|---|---|---|---|---|")
    ideal = 1000 / total_ms() * USERS
    print(
        f"| what is simulated | | | 0 | {FIRST_MS:.2f} | {GAP_MS:.3f} | {total_ms():.2f} "
        f"| {ideal:.2f} | {ideal * TOKENS:.1f} |"
    )
    for name, way, one in rows:
        rates = ["" if one[key] is None else f"{one[key]:.2f}" for key in ("requests", "tokens")]
        print(
            f"| {name} | {way} | {one['n']} | {one['failed']} | {one['first']:.2f} "
            f"| {one['gap']:.3f} | {one['total']:.2f} | {rates[0]} | {rates[1]} |"
        )
    print(
        f"""
{USERS} users at once, each with one request at a time; all times in milliseconds.

- first token: for Tollgate from the first byte of the request written to the read that brought the
  first token; for the others from before their HTTP library works until Python has parsed the
  event: their own work is in it. A record's begins when Tollgate reads the request. None takes the
  role-only chunk for a token.
- gap: last token minus first by the tokens after the first, in all of them (aiperf and guidellm call
  it inter-token latency; guidellm's time per output token has the first token in it, and is not
  shown). Nothing is left but the noise of the readers.
- n: the records have the warm-ups and what came after the load was full, too.
- total: to the last token (`bench load`, aiperf), to the end of the stream (guidellm, and the
  record, which has the wait for `[DONE]` in it).
- requests/s, tokens/s: `bench load` counts what ended while the load was full, over that time; aiperf
  all requests over the time from the first to the last, the emptying end in it; so less by up to one
  answer's time in {TOKENS * GAP_MS + FIRST_MS:.0f} ms."""
    )


def verdict(rows):
    findings = []
    ours = {way: one for name, way, one in rows if name == "tollgate bench load"}
    for name, way, one in rows:
        what = f"{name}, {way}"
        if one["failed"]:
            findings.append(f"{what}: {one['failed']} failed")
        if one.get("wrong"):
            findings.append(f"{what}: records that are not as sent: {one['wrong'][:2]}")
        if not -1.0 <= one["first"] - FIRST_MS <= FIRST_MAX_MS:
            findings.append(f"{what}: first token {one['first']:.2f} ms")
        if abs(one["gap"] - GAP_MS) > GAP_MAX_MS:
            findings.append(f"{what}: gap {one['gap']:.3f} ms")
        beside = ours.get(way)
        if beside and one["requests"] and abs(one["requests"] / beside["requests"] - 1) > RATE_MAX:
            findings.append(f"{what}: {one['requests']:.2f} requests/s, ours {beside['requests']:.2f}")
    for finding in findings:
        print(f"FINDING {finding}")
    print("\nnothing is left unexplained" if not findings else "")
    return 1 if findings else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tollgate", default=str(ROOT / "target" / "release" / "tollgate"))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--guidellm", action="store_true", help="installs torch: 5.6 GB")
    args = parser.parse_args()
    if not os.access(args.tollgate, os.X_OK):
        stop(f"there is no {args.tollgate}: `cargo build --release` makes it")
    pinned = HERE / "requirements-loads.txt"
    aiperf = installed("loads", ["--requirement", str(pinned)], pinned.read_text())
    tools = [
        ("tollgate bench load", lambda port: by_tollgate(args.tollgate, port, args.seconds)),
        ("aiperf", lambda port: by_aiperf(aiperf, port, args.seconds)),
    ]
    if args.guidellm:
        guidellm = installed("guidellm", [GUIDELLM], GUIDELLM)
        tools.append(("guidellm", lambda port: by_guidellm(guidellm, port, args.seconds)))
    upstream = free_port()
    provider = simulator(args.tollgate, upstream)
    rows = []
    try:
        for name, load in tools:
            rows.append((name, "direct", load(upstream)))
            middle = judge.Tollgate(args.tollgate, upstream, True, 1)
            try:
                rows.append((name, "through", load(middle.port)))
                rows.append((name, "through, by the records", recorded(middle.records())))
            finally:
                middle.process.kill()
    finally:
        provider.terminate()
    print_rows(rows)
    raise SystemExit(verdict(rows))


if __name__ == "__main__":
    main()
