#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run a command up to the moment at which it says something, and kill it there, as a controller dies.
# Usage: cut_short.sh WORDS COMMAND...
set -euo pipefail
words=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$@" >"$log" 2>&1 &
pid=$!
until grep --quiet --fixed-strings "$words" "$log"; do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
done
kill -KILL "$pid" 2>/dev/null || true
wait "$pid" 2>/dev/null || true
cat "$log"
