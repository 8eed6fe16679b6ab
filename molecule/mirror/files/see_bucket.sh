#!/bin/sh
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Copy the bucket to a directory, and print the SHA-256 of every file: see_bucket.sh DIRECTORY
set -eu
rm -rf "$1"
set -a
. /etc/flower-mirror.conf
set +a
rclone --config "" copy mirror:models "$1"
cd "$1"
find . -type f -printf '%P\n' | sort | xargs --no-run-if-empty sha256sum
