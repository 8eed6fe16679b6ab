#!/bin/sh
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A check of the user: round 4 is not healthy once it is served.
case "$1 $(basename "$2")" in
"after digits-4-"*)
    echo "round 4 answers nonsense"
    exit 1
    ;;
esac
