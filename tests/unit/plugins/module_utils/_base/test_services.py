# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes that systemd runs services from their files as these are now."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.services import State, Steps, parse_states, steps
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import SystemdError

NAMES = ["one.service", "two.service", "three.service"]
FINE = State(running=True, enabled=True, outdated=False)
SHOWN = """ActiveState=active
NeedDaemonReload=no
UnitFileState=enabled

ActiveState=activating
NeedDaemonReload=yes
UnitFileState=disabled

ActiveState=inactive
NeedDaemonReload=no
UnitFileState=
"""


def test_what_systemctl_shows_is_read_in_the_order_of_the_question() -> None:
    assert parse_states(NAMES, SHOWN) == {
        "one.service": FINE,
        "two.service": State(running=True, enabled=False, outdated=True),
        "three.service": State(running=False, enabled=False, outdated=False),
    }


@pytest.mark.parametrize(
    ("state", "restart", "reload", "run"),
    [
        (FINE, set(), set(), ()),
        (FINE, {"one.service"}, set(), (("restart", "one.service"),)),
        (FINE, set(), {"one.service"}, (("reload", "one.service"),)),
        (FINE, {"one.service"}, {"one.service"}, (("restart", "one.service"),)),
        (FINE, {"two.service"}, {"two.service"}, ()),
        (State(False, True, False), {"one.service"}, {"one.service"}, (("start", "one.service"),)),
        (State(True, True, True), set(), {"one.service"}, (("restart", "one.service"),)),
    ],
)
def test_a_service_is_touched_once_and_only_when_it_must_be(
    state: State, restart: set[str], reload: set[str], run: tuple
) -> None:
    assert steps(["one.service"], {"one.service": state}, restart, reload, False).run == run


def test_services_are_touched_in_their_order_and_systemd_reads_changed_units_first() -> None:
    states = {"one.service": FINE, "two.service": State(False, False, False), "three.service": FINE}
    todo = steps(NAMES, states, {"three.service", "one.service"}, set(), units_changed=True)
    assert todo == Steps(
        reload_systemd=True,
        enable=("two.service",),
        run=(("restart", "one.service"), ("start", "two.service"), ("restart", "three.service")),
    )
    assert (todo.needed, todo.of("restart")) == (True, ["one.service", "three.service"])


def test_nothing_is_done_when_all_is_as_it_should_be() -> None:
    assert not steps(NAMES, dict.fromkeys(NAMES, FINE), set(), set(), units_changed=False).needed


def test_a_unit_that_systemd_has_not_read_is_read_even_when_nothing_has_changed_now() -> None:
    states = {"one.service": State(running=False, enabled=True, outdated=True)}
    assert steps(["one.service"], states, set(), set(), units_changed=False).reload_systemd


def test_an_answer_about_another_number_of_services_is_refused() -> None:
    with pytest.raises(SystemdError, match=f"told of {len(NAMES)} units but was asked for {len(NAMES) + 1}"):
        parse_states([*NAMES, "other.service"], SHOWN)
    with pytest.raises(SystemdError, match=f"told of {len(NAMES)} units but was asked for {len(NAMES) - 1}"):
        parse_states(NAMES[1:], SHOWN)
