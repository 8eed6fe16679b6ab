#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build the image of a bare Debian host with systemd, and print its name.
# Built once: the name ends with a hash of everything that the image is made from.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")" && pwd)
suite=bookworm
export CONTAINERS_CONF="$here/containers.conf"

lines() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"; }

key=$(cat "$here/image.sh" "$here/bare-host.sh" "$here/host-packages.txt" "$here/role-packages.txt" | sha256sum | cut -c1-12)
image="localhost/fedops-testbed:$key"
if podman image exists "$image"; then
    echo "$image"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What only makes sense with hardware or a console of one's own.
hardware=(
    console-getty.service getty.target systemd-udevd.service systemd-udev-trigger.service systemd-modules-load.service
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
)
echo "Building $image (once; about two minutes)" >&2
mmdebstrap --quiet --variant=apt --skip=cleanup/apt/lists \
    --include="$(lines "$here/host-packages.txt" | paste -sd, -)" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="$here/bare-host.sh \"\$1\" '$(lines "$here/role-packages.txt" | paste -sd' ' -)'" \
    --customize-hook="chroot \"\$1\" systemctl --quiet mask ${hardware[*]}" \
    "$suite" "$work/root.tar" ${TESTBED_MIRROR:+"$TESTBED_MIRROR"}
podman import --quiet --change 'CMD ["/sbin/init"]' --change 'STOPSIGNAL SIGRTMIN+3' "$work/root.tar" "$image" >/dev/null
echo "$image"
