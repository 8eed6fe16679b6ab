# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.checkpoints_packages import FilterModule

packages = FilterModule().filters()["checkpoints_packages"]


def test_each_backend_and_file_system_has_its_tools() -> None:
    assert (packages("local"), packages("nfs"), packages("tape")) == ([], ["nfs-common"], [])
    assert (packages("disk"), packages("disk", "xfs")) == (["e2fsprogs"], ["xfsprogs"])


def test_a_file_system_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(AnsibleFilterError, match="The file system is 'zfs' but must be one of ext4, xfs"):
        packages("disk", "zfs")
