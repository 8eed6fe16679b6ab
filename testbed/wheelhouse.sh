#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Download the locked wheels of the hosts (Python 3.11, this machine's architecture), and print their directory.
# Hosts without internet install from it: runtime_wheelhouse. Downloaded once, again when a lock changes.
# With the word trackers, the same for trackers_wheelhouse.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
if [[ "${1:-}" == trackers ]]; then
    wheelhouse="$root/.cache/wheelhouse-trackers"
    locks=("$root"/roles/trackers/files/*.txt "$root/roles/runtime/files/uv.txt")
else
    wheelhouse="$root/.cache/wheelhouse"
    locks=("$root/roles/runtime/files/requirements.txt" "$root/roles/runtime/files/uv.txt")
fi

key=$(cat "$0" "${locks[@]}" | sha256sum | cut -d' ' -f1)
if [[ "$(cat "$wheelhouse/.key" 2>/dev/null)" == "$key" ]]; then
    echo "$wheelhouse"
    exit 0
fi

mkdir -p "$root/.cache"
work=$(mktemp -d "$root/.cache/wheelhouse.XXXXXX")
trap 'rm -rf "$work"' EXIT

# uv cannot download without installing, so this takes the pip that comes with Python itself.
echo "Downloading the wheels of the hosts (once)" >&2
python3 -m venv "$work/venv"
machine=$(uname -m)
platforms=()
for platform in manylinux_2_36 manylinux_2_34 manylinux_2_31 manylinux_2_28 manylinux_2_17 manylinux2014; do
    platforms+=(--platform "${platform}_$machine")
done
for lock in "${locks[@]}"; do
    "$work/venv/bin/pip" download --quiet --quiet --disable-pip-version-check --require-hashes --no-deps \
        --only-binary :all: --implementation cp --python-version 3.11 --abi cp311 --abi abi3 --abi none "${platforms[@]}" \
        --requirement "$lock" --dest "$work/wheels" >&2
done
echo "$key" >"$work/wheels/.key"
rm -rf "$wheelhouse"
mv "$work/wheels" "$wheelhouse"
echo "$wheelhouse"
