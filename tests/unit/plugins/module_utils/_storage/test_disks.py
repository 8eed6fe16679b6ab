# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk gets a file system only when there is nothing on it, and every refusal says what was found."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._storage.disks import (
    FORMAT,
    LABEL,
    USE,
    Disk,
    DiskError,
    Signature,
    choose,
    disk,
    flatten,
    judge,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

GIB = 1 << 30
HERE = "/opt/flower/checkpoints"
OURS = Signature("ext4", LABEL, "u-1")
THEIRS = Signature("ext4", "photos", "u-2")


def test_rows_of_lsblk_and_wipefs_make_a_disk() -> None:
    tree = [
        {
            "path": "/dev/vdb", "type": "disk", "size": GIB, "ro": False, "serial": " S1 ", "mountpoints": [None],
            "children": [{"path": "/dev/vdb1", "type": "part", "size": 9, "ro": False, "mountpoints": ["/srv"]}],
        }
    ]  # fmt: skip
    assert [row["path"] for row in flatten(tree)] == ["/dev/vdb", "/dev/vdb1"]
    signatures = [{"device": "vdb", "offset": "0x1fe", "type": "gpt", "uuid": "", "label": None}]
    assert disk(tree[0], signatures, False) == Disk(
        "/dev/vdb", GIB, False, "S1", (), ("/dev/vdb1",), (Signature("gpt"),), False
    )


def test_a_device_that_is_made_of_two_is_one_device() -> None:
    mirror = {"path": "/dev/md0", "children": [{"path": "/dev/md0p1"}]}
    tree = [{"path": "/dev/vdb", "children": [mirror]}, {"path": "/dev/vdc", "children": [mirror]}]
    assert [row["path"] for row in flatten(tree)] == ["/dev/vdb", "/dev/md0", "/dev/md0p1", "/dev/vdc"]


@pytest.mark.parametrize(
    ("wanted", "parsed"),
    [
        ("/dev/vdb", ("PATH", "/dev/vdb")),
        ("SERIAL=a=b", ("SERIAL", "a=b")),
        ("ID=virtio-1", ("ID", "virtio-1")),
        ("LABEL=flower-ckpt", ("LABEL", "flower-ckpt")),
        ("UUID=1-2", ("UUID", "1-2")),
    ],
)
def test_a_disk_is_named_by_path_or_tag(wanted: str, parsed: tuple[str, str]) -> None:
    assert parse(wanted) == parsed


@pytest.mark.parametrize("wanted", ["vdb", "serial=1", "SERIAL=", "PARTUUID=1", "=", " /dev/vdb"])
def test_another_name_is_refused_with_those_that_are_possible(wanted: str) -> None:
    with pytest.raises(DiskError, match=r"checkpoints_disk_device is .* ID=…, LABEL=…, SERIAL=…, UUID=…\."):
        parse(wanted)


@pytest.mark.parametrize(
    ("found", "adopt", "action"),
    [
        (Disk("/dev/vdb", GIB), False, FORMAT),
        (Disk("/dev/vdb", GIB), True, FORMAT),
        (Disk("/dev/vdb", GIB, signatures=(OURS,), blank=False), False, USE),
        (Disk("/dev/vdb", GIB, signatures=(OURS,), mounts=(HERE,), blank=False), False, USE),
        (Disk("/dev/vdb", GIB, signatures=(THEIRS,), blank=False), True, USE),
    ],
)
def test_an_empty_disk_is_formatted_and_one_of_ours_used(found: Disk, adopt: bool, action: str) -> None:
    assert judge(found, "ext4", HERE, adopt) == action


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Disk("/d", GIB, signatures=(THEIRS,)),
            "it carries ext4 with the label 'photos', which this role has not made",
        ),
        (Disk("/d", GIB, signatures=(Signature("xfs", LABEL),)), "it carries xfs with the label 'flower-ckpt', and"),
        (Disk("/d", GIB, signatures=(Signature("LVM2_member"),)), "it carries LVM2_member"),
        (Disk("/d", GIB, signatures=(Signature("linux_raid_member"),)), "it carries linux_raid_member"),
        (
            Disk("/d", GIB, signatures=(Signature("gpt"), Signature("gpt"), Signature("PMBR"))),
            "it carries gpt and PMBR.",
        ),
        (Disk("/d", GIB, signatures=(OURS, Signature("dos"))), "it carries ext4 with the label 'flower-ckpt' and dos"),
        (Disk("/d", GIB, signatures=(Signature("swap"),)), "it carries swap"),
        (Disk("/d", GIB, blank=False), "its first and last MiB are not zeros"),
        (Disk("/d", GIB, parts=("/d1", "/d2")), "it is divided into /d1, /d2"),
        (Disk("/d", GIB, mounts=("/srv",)), "it is mounted on /srv"),
        (Disk("/d", GIB, read_only=True), "it is read-only"),
        (Disk("/d", 1 << 20), "it has 1 MiB and ext4 needs 16"),
    ],
)
def test_anything_else_is_not_touched(found: Disk, said: str) -> None:
    with pytest.raises(DiskError) as error:
        judge(found, "ext4", HERE, adopt=False)
    assert str(error.value).startswith("/d is not touched: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("found", "way"),
    [
        (Disk("/d", GIB, signatures=(THEIRS,)), "set checkpoints_disk_adopt to true."),
        (Disk("/d", GIB, signatures=(Signature("xfs"),)), "set checkpoints_disk_filesystem to xfs."),
        (Disk("/d", GIB, signatures=(Signature("gpt"),)), "wipefs --all /d && blkdiscard --zeroout /d"),
        (Disk("/d", GIB, blank=False), "wipefs --all /d && blkdiscard --zeroout /d"),
    ],
)
def test_a_refusal_says_the_way_out(found: Disk, way: str) -> None:
    with pytest.raises(DiskError) as error:
        judge(found, "ext4", HERE, adopt=False)
    assert str(error.value).endswith(way)


def test_everything_that_speaks_against_a_disk_is_said_at_once() -> None:
    found = Disk("/d", GIB, True, None, ("/srv",), ("/d1",), (Signature("gpt"),), False)
    with pytest.raises(DiskError, match=r"mounted on /srv; it is read-only; it is divided into /d1; it carries gpt\."):
        judge(found, "ext4", HERE, adopt=True)


signatures = st.builds(
    Signature, st.sampled_from(["ext4", "xfs", "btrfs", "gpt", "swap"]), st.sampled_from([LABEL, ""])
)


@given(
    found=st.builds(
        Disk, st.just("/d"), st.just(GIB), st.booleans(), st.none(), st.tuples() | st.just((HERE,)),
        st.tuples() | st.just(("/d1",)), st.lists(signatures, max_size=2).map(tuple), st.booleans(),
    ),
    kind=st.sampled_from(["ext4", "xfs"]),
    adopt=st.booleans(),
)  # fmt: skip
def test_only_what_is_empty_is_ever_formatted(found: Disk, kind: str, adopt: bool) -> None:
    try:
        action = judge(found, kind, HERE, adopt)
    except DiskError:
        return
    if action == FORMAT:
        assert (found.signatures, found.blank, found.parts, found.read_only) == ((), True, (), False)
    else:
        assert [one.type for one in found.signatures] == [kind]
        assert adopt or found.signatures[0].label == LABEL


def test_a_name_that_no_disk_or_two_have_is_refused() -> None:
    one, other = Disk("/dev/vdb", GIB, serial="S1"), Disk("/dev/vdc", GIB, signatures=(OURS,))
    assert choose("SERIAL=S1", [one], []) == one
    with pytest.raises(
        DiskError, match=r"no such disk\. It has: /dev/vdb \(1024 MiB, SERIAL=S1\); /dev/vdc \(.*LABEL="
    ):
        choose("SERIAL=S2", [], [one, other])
    with pytest.raises(DiskError, match=r"2 disks have it: /dev/vdb, /dev/vdc\. Name one by path"):
        choose("LABEL=x", [one, other], [])
