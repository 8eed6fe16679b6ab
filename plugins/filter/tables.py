# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._training import picture, status_page
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as, expecting


def _told(write: Callable[[Any], Any], wanted: str) -> Callable[[Any], Any]:
    def face(data: Any) -> Any:
        with errors_as(AnsibleFilterError), expecting(f"The input is not {wanted}"):
            return write(data)

    return face


class FilterModule:
    def filters(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "federation_status": _told(picture.federation, "what the modules have found"),
            "status_table": _told(status_page.render, "the state of a federation"),
            "history_table": _told(status_page.history_table, "a list of rounds"),
            "sites_table": _told(status_page.sites_table, "what a round tells of its sites"),
        }
