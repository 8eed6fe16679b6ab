# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: schedule
short_description: Show a schedule of a rate by round before it is used
version_added: 0.1.0
description:
  - Returns the rate of each round that a schedule gives, as a training with it has them, or a picture of plain text.
author:
  - fedops.flower contributors (@fedops)
positional: rate
options:
  _input:
    description: The schedule, as C(fl_lr_schedule) has it.
    type: str
    required: true
  rate:
    description: The rate that it begins with.
    type: float
    default: 1.0
  rounds:
    description: How many rounds to show.
    type: int
    default: 100
  losses:
    description: The losses of the rounds, for a schedule that looks at them.
    type: list
    elements: float
    default: []
  plot:
    description: Whether to return a picture of plain text in the place of the numbers.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Look at a learning rate before it is used
  ansible.builtin.debug:
    msg: "{{ ('cosine T_max=50' | fedops.flower.schedule(0.1, rounds=50, plot=true)).splitlines() }}"
"""

RETURN = r"""
_value:
  description: The rate of each round, or a text.
  type: raw
  sample: [0.1, 0.05, 0.025]
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import show
from ansible_collections.fedops.flower.plugins.module_utils._config.schedule_plot import plotted
from ansible_collections.fedops.flower.plugins.module_utils._config.schedules import curve
from ansible_collections.fedops.flower.plugins.module_utils._config.values import BadValue
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting

MOST_ROUNDS_SHOWN = 100_000


def schedule(
    text: Any, rate: Any = 1.0, rounds: Any = 100, losses: Sequence[Any] = (), plot: bool = False
) -> list[float] | str:
    with expecting("These are not the rate, the rounds and the losses of a schedule", ValueError, OverflowError):
        base, number, known = float(rate), int(rounds), [float(loss) for loss in losses]
    if not 0 < number <= MOST_ROUNDS_SHOWN:
        raise AnsibleFilterError(f"rounds is {number} but must be from 1 to {MOST_ROUNDS_SHOWN}. Show fewer.")
    try:
        rates = curve("" if text is None else str(text), base, number, known)
    except BadValue as bad:
        raise AnsibleFilterError(f"The schedule is {show(text)} but {bad}. docs/steering.md lists them.") from bad
    return plotted(rates) if plot else rates


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[float] | str]]:
        return {"schedule": schedule}
