#!/bin/sh
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Print where the key of the bucket is to be read, but for the one file that is for it. In pieces and by way of a file,
# so that neither this script nor a command line of its own is among them.
pattern=$(mktemp)
trap 'rm -f "$pattern"' EXIT
printf '%s%s\n' a-key-that-is -told-to-nobody >"$pattern"
journalctl --no-pager | grep -q -f "$pattern" && echo the journal
cat /proc/[0-9]*/cmdline 2>/dev/null | grep -a -q -f "$pattern" && echo a command line
grep -r -l -f "$pattern" /etc /opt/flower /var/log/*.log /var/lib/flower-mirror/ /run/systemd 2>/dev/null |
    grep -v '^/etc/flower-mirror.conf$'
exit 0
