# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.unit_sandbox import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._base.hardening import CLOSED_DOORS, directives

unit_sandbox = FilterModule().filters()["unit_sandbox"]


def test_it_tells_what_the_library_tells() -> None:
    told = unit_sandbox("flower-gateway", port="443")
    assert told == {"directives": directives("flower-gateway", port=443), "closed_doors": " ".join(CLOSED_DOORS)}


@pytest.mark.parametrize(
    ("unit", "devices", "told"),
    [("nginx", [], "The unit is 'nginx' but must be one of flower-fence, "), ("flower-clientapps", ["a\nb"], "A text")],
)
def test_what_no_unit_can_have_is_refused_in_words(unit, devices, told) -> None:
    with pytest.raises(AnsibleFilterError, match=told):
        unit_sandbox(unit, devices=devices)


@pytest.mark.parametrize("given", [["char-nvidia* rw", "/dev/fuse"], "char-nvidia* rw, /dev/fuse"])
def test_devices_may_be_text_as_the_command_line_gives_it(given) -> None:
    lines = unit_sandbox("flower-clientapps", devices=given)["directives"].splitlines()
    assert [line for line in lines if "DeviceAllow" in line] == ["DeviceAllow=char-nvidia* rw", "DeviceAllow=/dev/fuse"]
    assert unit_sandbox("flower-clientapps", devices="") == unit_sandbox("flower-clientapps")
