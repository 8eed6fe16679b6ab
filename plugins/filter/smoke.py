# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import smoke
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as, expecting

T = TypeVar("T")


def _told(work: Callable[..., T]) -> Callable[..., T]:
    @wraps(work)
    def face(*given: Any, **more: Any) -> T:
        with (
            errors_as(AnsibleFilterError),
            expecting("The input is not what the steps of a smoke run return", ValueError),
        ):
            return work(*given, **more)

    return face


def _absent(supernodes: Any, sites: Any) -> list[str]:
    return smoke.absent_sites(sites, supernodes)


def _sites(supernodes: Any, named: Any = None) -> list[str]:
    return smoke.smoke_sites(named, supernodes)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "smoke_absent": _told(_absent),
            "smoke_sites": _told(_sites),
            "smoke_text": _told(smoke.in_words),
            "smoke_variables": _told(smoke.smoke_variables),
            "smoke_verdict": _told(smoke.verdict),
        }
