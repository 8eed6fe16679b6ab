#!/bin/sh
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Make a fresh root file system the bare host that the collection is let loose on: a hook of mmdebstrap.
#   bare-host.sh ROOT "PACKAGE..."
# What the roles install lies in a small apt repository inside, as a site without internet would have one.
# The index is written by hand: it is the control fields of each package and three lines more.
set -eu
root=$1
packages=$2
repository=srv/apt

rm -f "$root"/var/cache/apt/archives/*.deb
# shellcheck disable=SC2086 # a list
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
# As on a machine of its own, where systemd sees to it: in a container the mounts of credentials would reach no unit.
cat >"$root/etc/systemd/system/shared-mounts.service" <<UNIT
[Unit]
Description=Share mounts between namespaces
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/usr/bin/mount --make-rshared /
[Install]
WantedBy=sysinit.target
UNIT
chroot "$root" systemctl --quiet enable shared-mounts.service
# Nothing that wakes up by itself.
chroot "$root" systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer

chroot "$root" useradd --create-home --shell /bin/bash ansible
install -m 0440 /dev/stdin "$root/etc/sudoers.d/ansible" <<SUDO
ansible ALL=(ALL) NOPASSWD: ALL
SUDO
