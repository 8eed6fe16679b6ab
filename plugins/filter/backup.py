# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._backup import rules


def backup_problems(given: Mapping[str, Any], step: str) -> list[str]:
    if step not in (rules.MAKE, rules.OPEN):
        raise AnsibleFilterError(f"step is {step!r} but must be {rules.MAKE} or {rules.OPEN}.")
    return rules.problems(given, step, has_age=shutil.which("age") is not None)


def backup_opened_problems(authority: Sequence[str], checkpoints: Iterable[str]) -> list[str]:
    return rules.opened_problems(authority, checkpoints)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"backup_problems": backup_problems, "backup_opened_problems": backup_opened_problems}
