# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role checkpoints has what the table of backends promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._storage.backends import BACKENDS, packages
from ansible_collections.fedops.flower.plugins.module_utils._storage.disks import FILE_SYSTEMS, TOOLS

ROLE = Path(__file__).resolve().parents[3] / "roles" / "checkpoints"
OPTIONS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text("utf-8"))["argument_specs"]["main"]["options"]


def test_the_role_takes_every_backend_and_file_system_of_the_tables() -> None:
    assert OPTIONS["checkpoints_backend"]["choices"] == [*BACKENDS]
    assert OPTIONS["checkpoints_disk_filesystem"]["choices"] == [*FILE_SYSTEMS] == [*TOOLS]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_role_mounts_the_backends_that_the_table_says_are_mounted(computed, backend) -> None:
    assert computed("checkpoints", "__checkpoints_is_mounted", checkpoints_backend=backend) is BACKENDS[backend].mounted


@pytest.mark.parametrize("backend", [name for name, row in BACKENDS.items() if row.mounted])
def test_a_backend_that_is_mounted_has_tasks_that_make_its_mount_point_and_mount_it(backend) -> None:
    tasks = yaml.safe_load((ROLE / "tasks" / f"{backend}.yml").read_text("utf-8"))
    assert [
        task
        for task in tasks
        if "fedops.flower.mount_point" in task and task["register"] == "__checkpoints_mount_point"
    ]
    (mount,) = [task["ansible.posix.mount"] for task in tasks if "ansible.posix.mount" in task]
    assert BACKENDS[backend].source in OPTIONS
    assert backend == "disk" or mount["src"] == "{{ " + BACKENDS[backend].source + " }}"  # a disk is looked for


def test_the_role_installs_what_a_backend_needs(computed) -> None:
    for backend in BACKENDS:
        for filesystem in FILE_SYSTEMS:
            given = {"checkpoints_backend": backend, "checkpoints_disk_filesystem": filesystem}
            assert computed("checkpoints", "checkpoints_packages", **given) == packages(
                backend, {"filesystem": filesystem}
            )
