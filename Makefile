# `make` lists what there is. Everything that is installed for tests goes below target/.

SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One recipe after the other: two cargo commands would only wait for each other's lock.
.NOTPARALLEL:

CARGO  ?= cargo
PYTHON ?= python3

BENCH  := target/bench
# Judges the pages' accessibility.
AXE    := $(CURDIR)/target/sdk/node/node_modules/axe-core/axe.min.js
KILLS  ?= 200
MINUTES ?= 10
WORLDS ?= 5000

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

# ---------------------------------------------------------------------------- the gate

.PHONY: test
test: test-tools ## Everything that a change must pass: format, lints, all tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	TOLLGATE_BROWSER=1 TOLLGATE_SDK=1 TOLLGATE_AXE=$(AXE) $(CARGO) test --locked

.PHONY: fast
fast: ## The same without browser and SDKs: nothing is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	$(CARGO) test --locked

# What the tests need beside Rust: a browser, what judges its pages, and the official SDKs in two
# languages.
.PHONY: test-tools
test-tools: browser sdks

.PHONY: browser
browser:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	    command -v google-chrome >/dev/null; then \
	  :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
	  echo "make test needs a browser: install chromium" >&2; exit 1; \
	fi

# Idempotent; installs below target/sdk.
.PHONY: sdks
sdks:
	@sh tests/sdk/prepare.sh

# ---------------------------------------------------------------------------- figures

# One JSON of all benches, and a look at what is in it.
define GATHER
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
parts = {}
for name in ("overhead", "translation", "store", "report"):
    path = folder / (name + ".json")
    if path.exists():
        parts[name] = json.loads(path.read_text())
whole = folder / "bench.json"
whole.write_text(json.dumps({"schema": "tollgate.figures/1", **parts}, indent=1) + "\n")
for name in ("store", "report"):
    for what, value in parts.get(name, {}).items():
        if isinstance(value, (int, float)):
            print(f"{name:<10}{what:<40}{value:>16,.1f}")
print(f"\nwritten to {whole}")
endef
export GATHER

.PHONY: bench
bench: ## Overhead beside nginx, translation, store, report: tables, and target/bench/bench.json (half an hour)
	mkdir -p $(BENCH)
	rm -f $(BENCH)/*.json $(BENCH)/*.txt
	$(CARGO) build --release --locked
	cp target/release/tollgate $(BENCH)/tollgate
	TOLLGATE_BIN=$(CURDIR)/$(BENCH)/tollgate \
	  $(CARGO) bench --locked --bench overhead -- --json $(CURDIR)/$(BENCH)/overhead.json
	$(CARGO) bench --locked --bench translation -- --json $(CURDIR)/$(BENCH)/translation.json
	for name in store report; do \
	  [ -f benches/$$name.rs ] || continue; \
	  $(CARGO) bench --locked --bench $$name > $(BENCH)/$$name.txt; \
	  cat $(BENCH)/$$name.txt; \
	  tail -n 1 $(BENCH)/$$name.txt > $(BENCH)/$$name.json; \
	done
	@$(PYTHON) -c "$$GATHER" $(BENCH)

.PHONY: judge
judge: ## Lay foreign load tools beside Tollgate (GUIDELLM=1: that one too, 6 GB); LiteLLM's proxy in pairs
	$(CARGO) build --release --locked
	$(PYTHON) tests/judge/judge.py
	$(PYTHON) tests/judge/loads.py $(if $(GUIDELLM),--guidellm)
	$(PYTHON) tests/judge/router.py

.PHONY: kill
kill: ## Kill a writing Tollgate KILLS times (200): nothing acknowledged may be lost or torn
	KILLS=$(KILLS) SEEDS=$(KILLS) $(CARGO) test --locked kill -- --nocapture

.PHONY: worlds
worlds: ## Play WORLDS (5000) seeded worlds through the whole street on virtual time, 1,000 paired benches
	SEEDS=$(WORLDS) PAIRS_SEEDS=1000 $(CARGO) test --locked --test simulation -- --nocapture

.PHONY: soak
soak: ## Wear it out: 1,000 connections that break off anywhere, then MINUTES (10) of mixed load
	$(CARGO) build --release --locked
	TOLLGATE_BIN=$(CURDIR)/target/release/tollgate TOLLGATE_SOAK=1 TOLLGATE_SOAK_MINUTES=$(MINUTES) \
	  $(CARGO) test --locked --test soak -- --nocapture --test-threads 1

.PHONY: matrix
matrix: ## Ask every kind of provider with every official SDK, and write the table into README.md
	UPDATE=1 TOLLGATE_SDK=1 $(CARGO) test --locked --test matrix -- --nocapture

# ---------------------------------------------------------------------------- running it

.PHONY: demo
demo: ## Everything, simulated, without a key or a network
	$(CARGO) run --release --locked -- demo

.PHONY: clean
clean: ## Remove what was built and installed
	$(CARGO) clean
