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

key=$(cat "$here/image.sh" "$here/host-packages.txt" "$here/role-packages.txt" | sha256sum | cut -c1-12)
image="localhost/fedops-testbed:$key"
if podman image exists "$image"; then
    echo "$image"
    exit 0
fi

# What the roles install lies in a small apt repository inside the image, as a site without internet would have one.
# The index is written by hand: it is the control fields of each package and three lines more.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hook="$work/hook"
cat >"$hook" <<'HOOK'
#!/bin/sh
set -eu
root=$1
packages=$2
repository=srv/apt

rm -f "$root"/var/cache/apt/archives/*.deb
chroot "$root" apt-get -qq install --yes --download-only $packages >&2
mkdir -p "$root/$repository"
mv "$root"/var/cache/apt/archives/*.deb "$root/$repository/"
chroot "$root" sh -eu -s <<INDEX
cd /$repository
for deb in *.deb; do
    dpkg-deb --field "\$deb"
    echo "Filename: ./\$deb"
    echo "Size: \$(stat -c %s "\$deb")"
    echo "SHA256: \$(sha256sum "\$deb" | cut -d' ' -f1)"
    echo
done >Packages
gzip --keep Packages
INDEX
rm -rf "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/*
echo "deb [trusted=yes] file:/$repository ./" >"$root/etc/apt/sources.list"
echo 'Acquire::Languages "none";' >"$root/etc/apt/apt.conf.d/99testbed"
chroot "$root" apt-get -qq update >&2

# Every host makes its own identity at its first boot; nobody logs in with a password.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
cat >"$root/etc/ssh/sshd_config.d/testbed.conf" <<SSHD
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UseDNS no
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
SSHD
cat >"$root/etc/systemd/system/ssh-host-keys.service" <<UNIT
[Unit]
Description=Make the SSH host keys
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl --quiet enable ssh-host-keys.service ssh.service
# What only makes sense with hardware or a console of one's own.
chroot "$root" systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    console-getty.service getty.target systemd-udevd.service systemd-udev-trigger.service \
    systemd-modules-load.service sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount

chroot "$root" useradd --create-home --shell /bin/bash ansible
install -m 0440 /dev/stdin "$root/etc/sudoers.d/ansible" <<SUDO
ansible ALL=(ALL) NOPASSWD: ALL
SUDO
HOOK
chmod +x "$hook"

echo "Building $image (once; about two minutes)" >&2
mmdebstrap --quiet --variant=apt --skip=cleanup/apt/lists \
    --include="$(lines "$here/host-packages.txt" | paste -sd, -)" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="$hook \"\$1\" '$(lines "$here/role-packages.txt" | paste -sd' ' -)'" \
    "$suite" "$work/root.tar" ${TESTBED_MIRROR:+"$TESTBED_MIRROR"}
podman import --quiet --change 'CMD ["/sbin/init"]' --change 'STOPSIGNAL SIGRTMIN+3' "$work/root.tar" "$image" >/dev/null
echo "$image"
