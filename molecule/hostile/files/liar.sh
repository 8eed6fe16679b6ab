#!/bin/sh
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Stands in for a host's Python, and has every answer of a module speak of another site.
set -u
exec 3>&1
{ { /usr/bin/python3.11 "$@" 4>&-; echo $? >&4; } 3>&- | sed -e 's/site2/site1/g' >&3; } 4>&1 | { read -r code; exit "$code"; }
