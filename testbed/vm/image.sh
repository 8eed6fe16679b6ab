#!/usr/bin/env bash
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build the disk, the kernel and the initial file system of a bare Debian host, and print their directory.
# Built once: the name ends with a hash of everything that they are made from.
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")" && pwd)
suite=bookworm
lines() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"; }

key=$(cat "$here"/image.sh "$here"/guest-packages.txt "$here"/../{bare-host.sh,host-packages.txt,role-packages.txt} |
    sha256sum | cut -c1-12)
image="$here/../../.cache/vm/$key"
if [[ -e "$image/root.img" ]]; then
    realpath "$image"
    exit 0
fi

mkdir -p "$here/../../.cache/vm"
work=$(mktemp -d "$here/../../.cache/vm/build.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The first network is for Ansible, through QEMU's own NAT; the second one joins the machines of a testbed.
hook="$work/hook"
cat >"$hook" <<'HOOK'
#!/bin/sh
set -eu
root=$1
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n[DHCPv4]\nUseDNS=no\n' >"$root/etc/systemd/network/10-ansible.network"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
# QEMU boots what lies beside the disk, and to make it anew takes minutes where QEMU translates.
sed -i 's/^update_initramfs=.*/update_initramfs=no/' "$root/etc/initramfs-tools/update-initramfs.conf"
chroot "$root" systemctl --quiet enable systemd-networkd.service
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service
HOOK
chmod +x "$hook"

echo "Building the image of a virtual machine (once; about three minutes)" >&2
mmdebstrap --quiet --variant=apt --skip=cleanup/apt/lists \
    --include="$(lines "$here/../host-packages.txt" "$here/guest-packages.txt" | sort -u | paste -sd, -)" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="$here/../bare-host.sh \"\$1\" '$(lines "$here/../role-packages.txt" | paste -sd' ' -) nfs-kernel-server'" \
    --customize-hook="$hook \"\$1\"" \
    "$suite" "$work/root" ${TESTBED_MIRROR:+"$TESTBED_MIRROR"}

mkdir "$work/image"
cp "$work"/root/boot/vmlinuz-* "$work/image/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$work/image/initrd.img"
truncate --size 4G "$work/image/root.img"
mke2fs -q -t ext4 -d "$work/root" "$work/image/root.img"
mv "$work/image" "$image"
realpath "$image"
