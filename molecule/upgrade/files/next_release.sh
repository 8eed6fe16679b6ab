#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Make a lock of the next Flower, which migrates the database of the one before, and a wheelhouse for it; print their
# directory. All else is as in the lock of the role, so that both must train the same bytes.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
next="$root/.cache/next"
lock="$root/roles/runtime/files/requirements.txt"
flwr="$root/molecule/upgrade/files/flwr.txt"

key=$(cat "$0" "$lock" "$flwr" | sha256sum | cut -d' ' -f1)
if [[ "$(cat "$next/.key" 2>/dev/null)" == "$key" ]]; then
    echo "$next"
    exit 0
fi
rm -rf "$next"
mkdir -p "$next"
cp -r "$("$root/testbed/wheelhouse.sh")" "$next/wheels"
rm "$next"/wheels/flwr-*.whl
python3 -m venv "$next/venv"
"$next/venv/bin/pip" download --quiet --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
    --requirement "$flwr" --dest "$next/wheels" >&2
rm -rf "$next/venv"
# A requirement and the lines that belong to it, which are indented.
awk -v flwr="$flwr" '
    /^[^ ]/ { skipped = /^flwr==/ }
    /^flwr==/ { while ((getline line < flwr) > 0) print line }
    !skipped
' "$lock" >"$next/requirements.txt"
echo "$key" >"$next/.key"
echo Downloaded >&2
echo "$next"
