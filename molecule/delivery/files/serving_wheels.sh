#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Download the locked wheels of the server of models (Python 3.11, this machine's architecture), once, and print their directory.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
wheels="$root/.cache/serving/wheels"
locks=("$root/examples/serving/requirements.txt" "$root/roles/runtime/files/uv.txt")
key=$(cat "$0" "${locks[@]}" | sha256sum | cut -d' ' -f1)
if [[ "$(cat "$wheels/.key" 2>/dev/null)" != "$key" ]]; then
    echo Downloading >&2
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work/venv"
    platforms=()
    for platform in manylinux_2_28 manylinux_2_17 manylinux2014; do
        platforms+=(--platform "${platform}_$(uname -m)")
    done
    rm -rf "$wheels"
    for lock in "${locks[@]}"; do
        "$work/venv/bin/pip" download --quiet --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
            --implementation cp --python-version 3.11 --abi cp311 --abi abi3 --abi none "${platforms[@]}" \
            --requirement "$lock" --dest "$wheels" >&2
    done
    echo "$key" >"$wheels/.key"
fi
echo "$wheels"
