# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes that systemd runs services from their files as these are now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.services import Steps, steps
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit

NAMES = ["one.service", "two.service", "three.service"]
FINE = Unit("one.service", "loaded", "active", enabled=True)
ENDING, STOPPED = "deactivating", "inactive"


def changed(name: str = "one.service", **how: object) -> Unit:
    return replace(FINE, name=name, **how)


@pytest.mark.parametrize(
    ("state", "restart", "reload", "run"),
    [
        (FINE, set(), set(), ()),
        (FINE, {"one.service"}, set(), (("restart", "one.service"),)),
        (FINE, set(), {"one.service"}, (("reload", "one.service"),)),
        (FINE, {"one.service"}, {"one.service"}, (("restart", "one.service"),)),
        (FINE, {"two.service"}, {"two.service"}, ()),
        (changed(active=STOPPED), {"one.service"}, {"one.service"}, (("start", "one.service"),)),
        (changed(active=ENDING), set(), set(), (("start", "one.service"),)),
        (changed(outdated=True), set(), {"one.service"}, (("restart", "one.service"),)),
    ],
)
def test_a_service_is_touched_once_and_only_when_it_must_be(
    state: Unit, restart: set[str], reload: set[str], run: tuple
) -> None:
    assert steps([state], restart, reload, False).run == run


def test_services_are_touched_in_their_order_and_systemd_reads_changed_units_first() -> None:
    states = [FINE, changed("two.service", active=STOPPED, enabled=False), changed("three.service")]
    todo = steps(states, {"three.service", "one.service"}, set(), units_changed=True)
    assert todo == Steps(
        reload_systemd=True,
        enable=("two.service",),
        run=(("restart", "one.service"), ("start", "two.service"), ("restart", "three.service")),
    )
    assert (todo.needed, todo.of("restart")) == (True, ["one.service", "three.service"])


def test_nothing_is_done_when_all_is_as_it_should_be() -> None:
    assert not steps([changed(name) for name in NAMES], set(), set(), units_changed=False).needed


def test_a_unit_that_systemd_has_not_read_is_read_even_when_nothing_has_changed_now() -> None:
    assert steps([changed(active=STOPPED, outdated=True)], set(), set(), units_changed=False).reload_systemd
