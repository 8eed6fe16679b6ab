# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the supervisor of a training.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass

from .._base.notation import values_of
from .._config.kit import told
from .._config.limits import DEFAULT
from .._config.privacy import Privacy
from .._config.purposes import REAL_TRAINING
from .._config.stopping import Stopping
from .._training.runs import Asked
from .sound import fits

ONCE, CONTINUOUS = "once", "continuous"
MAY_BE_NONE = ("configuration_hash", "num_rounds")


@dataclass(frozen=True)
class Request:
    """What is to be trained and how patiently, as the module C(training) writes it and the supervisor reads it."""

    name: str
    app: str
    run_config: str = ""
    configuration_hash: str | None = None
    num_rounds: int | None = None  # of the training; of each session when it is continuous
    superlink: str = "local"
    mode: str = ONCE
    session_interval: float = 0.0
    reports: bool = True
    needed_nodes: int = DEFAULT["needed_nodes"]
    attempts: int = DEFAULT["attempts"]
    retry_failed: bool = False
    stall_floor: float = float(DEFAULT["stall_timeout"])
    first_round: float = float(DEFAULT["first_round_timeout"])
    force: bool = False
    request_id: str = ""  # every time that a training is asked for anew
    code: str = ""  # hash of the user's code in the app; empty: any
    code_change: str = ""  # what other code makes of the training

    @property
    def continuous(self) -> bool:
        return self.mode == CONTINUOUS

    @property
    def begins_anew(self) -> bool:
        return told(values_of(self.run_config), "resume") == "never"

    @property
    def purpose(self) -> str:
        """What the model is made for."""
        return str(told(values_of(self.run_config), "purpose") or REAL_TRAINING)

    def wanted(self, num_rounds: int | None) -> Asked:
        """Return what a training must be, with so many rounds, to be the one that is asked for."""
        values = values_of(self.run_config)
        ends = Stopping.in_run_config(values), Privacy.in_run_config(values)
        return Asked(self.configuration_hash, num_rounds, self.code, self.code_change, *ends)

    def asks_for(self) -> dict[str, t.Any]:
        """Return what makes a request another one."""
        values = asdict(self)
        del values["request_id"], values["force"]
        return values


def is_sound(request: Request) -> bool:
    """Tell whether everything that a request says is of the right type."""
    typical = Request("", "", configuration_hash="", num_rounds=1)
    return all(
        fits(value, getattr(typical, key)) or (value is None and key in MAY_BE_NONE)
        for key, value in vars(request).items()
    )


def with_values(run_config: str, values: t.Mapping[str, t.Any]) -> str:
    """Return a run configuration with other values for keys that it has. It holds one key a line."""
    lines = []
    for line in run_config.splitlines():
        key = line.partition("=")[0].strip()
        lines.append(f"{key} = {json.dumps(values[key])}" if key in values else line)
    return "".join(f"{line}\n" for line in lines)


def same(one: Request | None, other: Request) -> bool:
    """Tell whether two requests ask for the same."""
    return one is not None and one.asks_for() == other.asks_for()
