# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._alerts import delivery, rules
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import expecting


def alert_command(value: Any) -> list[str]:
    with expecting("This is no command", ValueError):
        return rules.command_words(value)


def alert_problems(given: Mapping[str, Any], home: str = "") -> list[str]:
    with expecting("These are not the variables of the alerts"):
        return rules.alert_problems(given, home)


def alert_file_problems(command: Mapping[str, Any], credentials: Sequence[Mapping[str, Any]], host: str) -> list[str]:
    with expecting("These are no files"):
        return rules.alert_file_problems(command, credentials, host)


def alert_pass_seconds(timeout: float) -> int:
    with expecting("This is no number of seconds", ValueError):
        return int(delivery.longest_pass(float(timeout)))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "alert_command": alert_command,
            "alert_file_problems": alert_file_problems,
            "alert_pass_seconds": alert_pass_seconds,
            "alert_problems": alert_problems,
        }
