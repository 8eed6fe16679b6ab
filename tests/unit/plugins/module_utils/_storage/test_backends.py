# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno

import pytest
from ansible_collections.fedops.flower.plugins.filter.checkpoints_problems import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._storage import backends

WANTED = {
    "backend": "local",
    "directory": "/opt/flower/checkpoints",
    "device": "",
    "export": "",
    "nfs_options": "rw,hard,vers=4.2,_netdev",
}
MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 22 254:16 / /opt/flower/check\\040points rw shared:2 - xfs /dev/vdb rw
41 40 0:50 / /opt/flower/check\\040points rw shared:3 - nfs4 nas:/e rw,vers=4.2
a line that is none
"""


def problems(**changes: object) -> list[str]:
    return FilterModule().filters()["checkpoints_problems"]({**WANTED, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"backend": "disk", "device": "SERIAL=1"},
        {"backend": "nfs", "export": "nas.example.org:/exports/flower"},
        {"backend": "nfs", "export": "[2001:db8::1]:/e", "nfs_options": "hard,nfsvers=4,sec=krb5p"},
        {"backend": "nfs", "export": "[fe80::1%eth0]:/x", "nfs_options": "v4.2,hard"},
        {"backend": "local", "export": "nonsense"},
    ],
)
def test_a_place_that_can_hold_checkpoints_is_no_problem(changes: dict[str, str]) -> None:
    assert problems(**changes) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backend": "s3"}, [f"checkpoints_backend is 's3' but must be one of {', '.join(backends.BACKENDS)}."]),
        ({"directory": "/checkpoints"}, ["must be the absolute path of a directory below another one"]),
        ({"directory": "/opt/../etc"}, ["must be the absolute path of a directory below another one"]),
        ({"backend": "disk"}, ["which needs checkpoints_disk_device"]),
        ({"backend": "disk", "device": "vdb"}, ["checkpoints_disk_device is 'vdb' but must be a path"]),
        ({"backend": "nfs"}, ["which needs checkpoints_nfs_export"]),
        ({"backend": "nfs", "export": "/exports"}, ["must look like nas.example.org:/exports/flower"]),
        ({"backend": "nfs", "export": "n:/e", "nfs_options": "hard"}, ["must name NFS 4"]),
        ({"backend": "nfs", "export": "n:/e", "nfs_options": "vers=3"}, ["must name NFS 4"]),
        ({"backend": "nfs", "export": "n:/e", "nfs_options": "vers=4.2,v3"}, ["must name NFS 4"]),
        ({"backend": "nfs", "export": "n:/e", "nfs_options": "v2,vers=4"}, ["must name NFS 4"]),
        ({"backend": "nfs", "export": "n:/e", "nfs_options": "vers=4.2,nfsvers=3"}, ["must name NFS 4"]),
        ({"backend": "nfs", "export": "[fe80::1%]:/x"}, ["must look like"]),
        ({"backend": "nfs", "export": "nas:/a b"}, ["must look like"]),
        ({"backend": "nfs", "export": "n:/e", "nfs_options": "vers=4.2,local_lock=flock"}, ["has local_lock=flock"]),
        (
            {"backend": "nfs", "export": "n:/e", "nfs_options": "vers=4.2, soft"},
            ["must be one word: commas and no blanks between them.", "has soft, but then a server that is away"],
        ),
        ({"backend": "nfs", "export": "n:/e", "nfs_options": "vers=4.2,hard\tintr"}, ["must be one word"]),
        (
            {"backend": "nfs", "export": "n", "nfs_options": "vers=4.2,soft,nolock"},
            ["must look like", "has soft, but then a server that is away", "has nolock, but then two runs could save"],
        ),
    ],
)
def test_all_problems_are_told_at_once(changes: dict[str, str], said: list[str]) -> None:
    found = problems(**changes)
    assert [part in problem for part, problem in zip(said, found, strict=True)] == [True] * len(said)


def test_the_last_mount_on_a_directory_is_the_one_that_is_seen() -> None:
    found = backends.mounts(MOUNTINFO)
    assert len(found) == 3
    assert backends.mounted_at(found, "/opt/flower/check points") == backends.Mount(
        "/opt/flower/check points", "nfs4", "nas:/e", "0:50"
    )
    assert backends.mounted_at(found, "/opt/flower") is None


def test_strays_are_named_with_both_choices() -> None:
    said = backends.stray_problem("/c", [f"checkpoint_round_{number}.npz" for number in range(7)])
    assert "holds files: checkpoint_round_0.npz" in said
    assert "and 2 more. The mount would hide them." in said
    assert "set checkpoints_existing to move" in said
    assert "set checkpoints_backend to local" in said


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (errno.EACCES, "nfs4", "the server does not let root of this host change that (root_squash)"),
        (errno.EPERM, "nfs", "chown 49999:49999 and chmod 0750"),
        (errno.EACCES, "ext4", "belongs to 0:0 with mode 0755. Let the user reach and write it"),
        (errno.ENOSPC, "xfs", "No space left on device. Free space there"),
        (errno.EROFS, "ext4", "It is mounted read-only"),
        (errno.EOPNOTSUPP, "fuse", "a fuse mount of this kind does not offer it"),
        (errno.EIO, "nfs4", "Mend the storage"),
    ],
)
def test_a_failed_probe_is_explained(number: int, kind: str, said: str) -> None:
    message = backends.probe_problem("create a file", number, "/c", 49999, (0, 0, 0o755), kind)
    assert message.startswith("The user 49999 cannot create a file in /c: ")
    assert said in message


def test_files_that_both_have_are_named() -> None:
    said = backends.conflict_problem("/c.before-mount", "/c", ["b", "a"])
    assert said.startswith("/c.before-mount holds a, b and /c has others of that name. Nothing was brought or removed.")
