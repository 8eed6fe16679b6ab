#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Make the root disk of one machine: the image, and what makes it this machine.
#   disk.sh IMAGE STATE NAME ADDRESS
set -euo pipefail
image=$1 state=$2 name=$3 address=$4
machine="$state/$name"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$name" >"$work/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$work/hosts"
printf '[Match]\nName=eth1\n[Network]\nAddress=%s/24\n' "$address" >"$work/lan.network"
chmod 0644 "$work"/*
cp --sparse=always "$image/root.img" "$work/root.img"

# Into the file system without mounting it. What is written belongs to whom the file belongs to, which is root.
debugfs -w -f /dev/stdin "$work/root.img" >"$work/log" 2>&1 <<COMMANDS
write $work/hostname /etc/hostname
rm /etc/hosts
write $work/hosts /etc/hosts
write $work/lan.network /etc/systemd/network/20-lan.network
mkdir /etc/ssh/authorized_keys
write $state/id_ed25519.pub /etc/ssh/authorized_keys/ansible
write $machine/host_key /etc/ssh/ssh_host_ed25519_key
write $machine/host_key.pub /etc/ssh/ssh_host_ed25519_key.pub
COMMANDS
# It says little and always succeeds: ask whether everything is there.
for file in hostname hosts systemd/network/20-lan.network ssh/authorized_keys/ansible ssh/ssh_host_ed25519_key; do
    if ! debugfs -R "stat /etc/$file" "$work/root.img" 2>/dev/null | grep -q 'Type: regular'; then
        cat "$work/log" >&2
        exit 1
    fi
done
mv "$work/root.img" "$machine/root.img"
