#!/bin/sh
# Installs under target/sdk, once: the official SDKs (`openai`, `anthropic`, `google-genai` and
# `boto3` for Python, `openai` for Node), and `axe-core`, which judges the pages.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p target/sdk
if [ ! -x target/sdk/venv/bin/python ]; then
    python3 -m venv target/sdk/venv
fi
if ! target/sdk/venv/bin/python -c 'import openai, anthropic, google.genai, boto3' 2>/dev/null; then
    target/sdk/venv/bin/pip install --quiet --disable-pip-version-check \
        openai anthropic google-genai boto3
fi
if [ ! -d target/sdk/node/node_modules/openai ] || [ ! -d target/sdk/node/node_modules/axe-core ]; then
    mkdir -p target/sdk/node
    (cd target/sdk/node && npm init --yes >/dev/null 2>&1 && npm install --silent --no-audit --no-fund openai axe-core)
fi
