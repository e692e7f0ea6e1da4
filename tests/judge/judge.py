#!/usr/bin/env python3
"""Compares Tollgate's records with the clocks of a load tool that others wrote: servebench.

    tests/judge/judge.py [--tollgate target/release/tollgate] [--requests 60]

Installs `requirements.txt` into target/judge/venv (once), starts servebench's mock server, which
sends tokens at set times, and lets servebench load it directly and through `tollgate serve`. Then
Tollgate's records, as `tollgate export` gives them, are laid beside what servebench measured of the
same requests. Exit code 0: told apart by no more than the definitions explain; 1: not; 2: could not
be set up.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENV = ROOT / "target" / "judge" / "venv"

TTFT_MS = 80.0
GAP_MS = 10.0
TOKENS = 24
WARMUP = 2
# What the definitions may explain: the tool's own Python before it writes and after it reads.
FIRST_TOKEN_MAX_MS = 8.0
# Its one thread writes and parses for all requests in flight, one after the other.
FURTHER_REQUEST_MAX_MS = 3.0
GAP_MAX_MS = 0.5


def stop(message):
    print(f"judge: {message}", file=sys.stderr)
    raise SystemExit(2)


def within_venv():
    """Runs this script again in its virtual environment, which is made where there is none."""
    python = VENV / "bin" / "python"
    if Path(sys.prefix) == VENV:
        return
    pinned = HERE / "requirements.txt"
    done = VENV / "installed.txt"
    if not done.exists() or done.read_text() != pinned.read_text():
        VENV.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--requirement", str(pinned)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            stop(
                "servebench cannot be installed (it needs Python 3.11 or later and a package "
                f"index): {error}. The judge is optional; `tollgate selftest` needs nothing."
            )
        done.write_text(pinned.read_text())
    os.execv(python, [str(python), *sys.argv])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until_open(port, process, what, seconds=15):
    for _ in range(seconds * 20):
        if process.poll() is not None:
            stop(f"{what} ended at once")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    stop(f"{what} does not listen")


def mock_server(port):
    command = [str(VENV / "bin" / "servebench"), "mock-server", "--port", str(port)]
    command += ["--ttft-ms", str(TTFT_MS), "--itl-ms", str(GAP_MS)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until_open(port, process, "servebench's mock server")
    return process


class Tollgate:
    """A Tollgate of its own, before the mock server."""

    def __init__(self, program, upstream, inject, workers):
        self.folder = tempfile.TemporaryDirectory()
        self.config = Path(self.folder.name) / "tollgate.toml"
        self.port = free_port()
        self.config.write_text(
            f'[server]\nlisten = "127.0.0.1:{self.port}"\nworkers = {workers}\n'
            f'[admin]\nlisten = "127.0.0.1:{free_port()}"\n'
            f'[store]\npath = "{self.folder.name}/store.redb"\n'
            f'[providers.mock]\nbase_url = "http://127.0.0.1:{upstream}/v1"\nauth = "none"\n'
            f"inject_usage = {str(inject).lower()}\n"
        )
        command = [program, "serve", "--config", str(self.config)]
        self.program = program
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until_open(self.port, self.process, "tollgate")

    def records(self):
        """Stops it, and gives its records in the order in which they began."""
        self.process.terminate()
        if self.process.wait(timeout=30) != 0:
            stop("tollgate did not end in order")
        command = [self.program, "export", "--format", "jsonl", "--config", str(self.config)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        self.folder.cleanup()
        return [json.loads(line) for line in output.splitlines()]


def load_as_shipped(port, requests, concurrency):
    """servebench's own command; it always asks for usage."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.json"
        command = [str(VENV / "bin" / "servebench"), "run", "--url", f"http://127.0.0.1:{port}/v1"]
        command += ["--model", "mock-model", "--concurrency", str(concurrency)]
        command += ["--num-requests", str(requests), "--output-len", str(TOKENS)]
        command += ["--warmup", str(WARMUP), "--input-len", "64", "--no-gpu", "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        if done.returncode != 0 or not out.exists():
            stop(f"servebench failed:\n{done.stdout}{done.stderr}")
        run = json.loads(out.read_text())
    return sorted(run["levels"][0]["requests"], key=lambda one: one["start"])


def load_without_asking(port, requests):
    """servebench's client with one thing changed: it does not ask for usage."""
    from servebench import client, prompts

    class Unasked(client.RequestSpec):
        def payload(self, prompt):
            body = super().payload(prompt)
            body.pop("stream_options")
            return body

    async def all_of_them():
        import aiohttp

        spec = Unasked(f"http://127.0.0.1:{port}/v1", "mock-model", output_len=TOKENS)
        results = []
        async with aiohttp.ClientSession() as session:
            for prompt in prompts.synthetic(WARMUP + requests, 64):
                result = await client.send_request(session, spec, prompt)
                results.append(result.model_dump())
        return results[WARMUP:]

    return asyncio.run(all_of_them())


def mean_gap(times):
    return (times[-1] - times[0]) / (len(times) - 1) * 1000


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * q))]


def of_record(record):
    """First token, end, mean gap and own delay of a record, in milliseconds; and its counts."""
    attempt = record["attempts"][0]
    at = {name: ns / 1e6 for name, ns in attempt["timeline_ns"].items()}
    events = attempt["gaps"]["token_events"]
    return {
        "first": at["first_token"] - at["request_first_byte"],
        "delay": (record["own"]["inbound_ns"] + record["own"]["first_token_ns"]) / 1e6,
        "done": at["done"] - at["request_first_byte"],
        "gap": (at["last_token"] - at["first_token"]) / (events - 1),
        "events": events,
        "output": record["tokens"]["output"],
        "source": record["tokens"]["source"],
        "outcome": record["outcome"],
    }


def row(name, tool, records, concurrency=1):
    failed = [one["error"] for one in tool if not one["ok"]]
    if failed:
        stop(f"{name}: the tool saw failures: {failed[:3]}")
    figures = {
        "name": name,
        "concurrency": concurrency,
        "n": len(tool),
        "first": [one["ttft"] * 1000 for one in tool],
        "total": [one["e2e"] * 1000 for one in tool],
        "gap": [mean_gap(one["chunk_times"]) for one in tool],
        "source": {one["token_source"] for one in tool},
    }
    if records is None:
        return figures
    if len(records) != len(tool):
        stop(f"{name}: {len(tool)} requests and {len(records)} records")
    own = [of_record(record) for record in records]
    figures["own"] = own
    counts = {(one["output"], one["source"], one["events"], one["outcome"]) for one in own}
    figures["counts"] = counts
    figures["tool_tokens"] = {one["output_tokens"] for one in tool}
    return figures


def print_rows(rows):
    median = statistics.median
    print(
        "\n| run | n | first token: tool | record | difference p50 / p99 | end: tool | record | "
        "difference p50 / p99 | Tollgate's own delay | mean gap: tool | record | tokens: tool | record |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for one in rows:
        cells = [one["name"], str(one["n"]), f"{median(one['first']):.2f}"]
        own = one.get("own")
        tools_source = "/".join(sorted(one["source"]))
        if own is None:
            cells += ["", "", f"{median(one['total']):.2f}", "", "", ""]
            cells += [f"{median(one['gap']):.3f}", "", tools_source, ""]
        else:
            first = [tool - mine["first"] for tool, mine in zip(one["first"], own)]
            total = [tool - mine["done"] for tool, mine in zip(one["total"], own)]
            output, source, events, outcome = next(iter(one["counts"]))
            cells += [
                f"{median(mine['first'] for mine in own):.2f}",
                f"{median(first):+.2f} / {quantile(first, 0.99):+.2f}",
                f"{median(one['total']):.2f}",
                f"{median(mine['done'] for mine in own):.2f}",
                f"{median(total):+.2f} / {quantile(total, 0.99):+.2f}",
                f"{median(mine['delay'] for mine in own):.3f}",
                f"{median(one['gap']):.3f}",
                f"{median(mine['gap'] for mine in own):.3f}",
                f"{next(iter(one['tool_tokens']))} ({tools_source})",
                f"{output} ({source}), {events} events, {outcome}",
            ]
        print(f"| {' | '.join(cells)} |")
    print(
        f"""
All times in milliseconds. The mock server sends the first of {TOKENS} tokens {TTFT_MS:.0f} ms after it has read the
request and one each {GAP_MS:.0f} ms from then on.

- first token, tool - record: the tool's clock starts before its HTTP library writes (on the first
  request of a connection, before it connects) and stops when Python has parsed the line; the
  record's runs from the first byte of the request that Tollgate reads to the read that brought the
  first token. The difference is the tool's own work and Tollgate's way in and out.
- first token, through - direct: what Tollgate adds, seen by the tool. Tollgate's own delay is what
  it says of itself: from the request's end to the first byte sent on, and from the read of the first
  token to its write.
- end, tool - record: the same two clocks; both stop at `[DONE]`.
- mean gap: the same definition on both sides (last minus first token event by their number less
  one), so no difference is left but the noise of both readers.
- role-only and empty chunks are no first token for either. Reasoning is a first token for both;
  Tollgate keeps the first answer beside it.
- tokens: the tool takes the server's usage or counts chunks; so does Tollgate, and says which.
  Where the tool does not ask and Tollgate does, the tool still counts chunks: the usage event that
  Tollgate asked for is not passed on."""
    )


def verdict(rows):
    findings = []
    for one in (one for one in rows if "own" in one):
        first = statistics.median(
            tool - mine["first"] for tool, mine in zip(one["first"], one["own"])
        )
        gap = abs(
            statistics.median(one["gap"]) - statistics.median(mine["gap"] for mine in one["own"])
        )
        most = FIRST_TOKEN_MAX_MS + FURTHER_REQUEST_MAX_MS * (one["concurrency"] - 1)
        if not 0 <= first <= most:
            findings.append(f"{one['name']}: first tokens differ by {first:.2f} ms")
        if gap > GAP_MAX_MS:
            findings.append(f"{one['name']}: mean gaps differ by {gap:.3f} ms")
        wrong = [c for c in one["counts"] if c[0] != TOKENS or c[2] != TOKENS or c[3] != "ok"]
        if wrong or len(one["counts"]) != 1:
            findings.append(f"{one['name']}: records that are not as sent: {one['counts']}")
    for finding in findings:
        print(f"FINDING {finding}")
    print("\nnothing is left unexplained" if not findings else "")
    return 1 if findings else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tollgate", default=str(ROOT / "target" / "release" / "tollgate"))
    parser.add_argument("--requests", type=int, default=60)
    args = parser.parse_args()
    if not os.access(args.tollgate, os.X_OK):
        stop(f"there is no {args.tollgate}: `cargo build --release` makes it")
    within_venv()
    upstream = free_port()
    mock = mock_server(upstream)
    try:
        rows = [row("direct", load_as_shipped(upstream, args.requests, 1), None)]
        for name, inject, asks, concurrency in [
            ("through, injection off, asked", False, True, 1),
            ("through, injection on, asked", True, True, 1),
            ("through, injection off, not asked", False, False, 1),
            ("through, injection on, not asked", True, False, 1),
            ("direct, 8 at once", None, True, 8),
            ("through, 8 at once", True, True, 8),
        ]:
            if inject is None:
                rows.append(row(name, load_as_shipped(upstream, args.requests, concurrency), None))
                continue
            tollgate = Tollgate(args.tollgate, upstream, inject, 1)
            try:
                if asks:
                    tool = load_as_shipped(tollgate.port, args.requests, concurrency)
                else:
                    tool = load_without_asking(tollgate.port, args.requests)
                calls = [r for r in tollgate.records() if r["language"] == "openai-chat"]
            finally:
                tollgate.process.kill()
            rows.append(row(name, tool, calls[WARMUP:], concurrency))
    finally:
        mock.terminate()
    print_rows(rows)
    raise SystemExit(verdict(rows))


if __name__ == "__main__":
    main()
