#!/bin/sh
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Describe what attackers would like to change on a host: owners, modes and contents of what is not ours.
set -eu
find /etc /root /var/spool/cron /var/lib/cloud /var/lib/systemd/linger /var/backups -xdev \
    ! -path '*flower*' ! -path '/root/.ansible*' ! -name 'resolv.conf' ! -name '.updated' \
    ! -path /etc/systemd/system/multi-user.target.wants \
    -printf '%p %u:%g %m %l ' \( -type f -exec sha256sum {} \; -o -printf '\n' \) 2>/dev/null | sort
