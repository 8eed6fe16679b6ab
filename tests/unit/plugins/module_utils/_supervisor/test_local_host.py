# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import local_host


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> local_host.LocalHost:
    monkeypatch.setattr(local_host, "show_units", lambda *names: [Unit(name) for name in names])
    return local_host.LocalHost()


def test_the_units_are_those_of_the_layout(host: local_host.LocalHost) -> None:
    assert (host.executor().name, host.superlink().name) == ("flower-superexec.service", "flower-superlink.service")


@pytest.mark.parametrize(
    ("unit", "others", "shown"),
    [
        ({"load": "loaded", "user": identity.APPS_USER}, True, True),
        ({"load": "loaded", "user": identity.APPS_USER}, False, False),
        ({"load": "not-found", "user": identity.APPS_USER}, True, False),
        ({"load": "loaded", "user": "somebody"}, True, False),
    ],
)
def test_serverapps_are_seen_only_of_an_executor_with_our_account(host, monkeypatch, unit, others, shown) -> None:
    monkeypatch.setattr(host.processes, "shows_others", lambda: others)
    assert host.would_show_serverapps(Unit("flower-superexec.service", **unit)) is shown
