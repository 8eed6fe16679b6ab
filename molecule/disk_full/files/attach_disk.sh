#!/bin/sh
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Attach a file as a loop device, once, and print the device in the last line: attach_disk.sh FILE SIZE
set -eu
file=$1 size=$2
device=$(losetup --noheadings --output NAME --associated "$file" | head -n 1)
if [ -z "$device" ]; then
    truncate --size "$size" "$file"
    device=$(losetup --find)
    [ -b "$device" ] || mknod "$device" b 7 "${device#/dev/loop}"
    losetup "$device" "$file"
    echo attached
fi
echo "$device"
