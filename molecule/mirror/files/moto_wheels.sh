#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Download what moto's S3 server needs on a host without internet (Python 3.11), once, and print the directory.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
wheels="$root/.cache/moto/wheels"
wanted=('moto[s3]==5.2.5' flask flask-cors)
if [[ "$(cat "$wheels/.wanted" 2>/dev/null)" != "${wanted[*]}" ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    rm -rf "$wheels"
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" download --quiet --quiet --disable-pip-version-check --only-binary :all: --python-version 3.11 \
        --dest "$wheels" "${wanted[@]}" >&2
    echo "${wanted[*]}" >"$wheels/.wanted"
    echo Downloaded >&2
fi
echo "$wheels"
