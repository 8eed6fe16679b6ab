# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.fedops.flower.plugins.module_utils._base.host_layout import host_layout as layout
from ansible_collections.fedops.flower.plugins.module_utils._base.host_layout import kinds_of, user_problem
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import APPS, INVENTORY_GROUPS, OF_FLOWER
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import places as places_of
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import is_unset, show
from ansible_collections.fedops.flower.plugins.module_utils._certificates.authority import relative_problem
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import QUIET
from ansible_collections.fedops.flower.plugins.module_utils._storage.remains import remains as remains_of
from ansible_collections.fedops.flower.plugins.module_utils._supernode.variables import superlink_name_problems
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from jinja2.runtime import Undefined

# Where the certificate authority lies on the controller.
_PATHS = ("certificates_ca_directory", "certificates_ca_certificate", "certificates_ca_private_key")


def host_layout(
    groups: Sequence[str],
    user: str = APPS.name,
    uid: int = APPS.number,
    gid: int = APPS.number,
    numbers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    with errors_as(AnsibleFilterError):
        return layout(kinds_of(groups), user, int(uid), int(gid), numbers)


def host_problems(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    superlink, supernodes = (groups.get(INVENTORY_GROUPS[kind]) or [] for kind in OF_FLOWER)
    found = [problem for host in superlink for problem in superlink_name_problems(str(host))]
    for host in dict.fromkeys([*superlink, *supernodes]):
        user = hostvars[host].get("runtime_user")
        if not isinstance(user, Undefined) and not is_unset(user) and (rule := user_problem(user)):
            found.append(f"runtime_user of {host} is {show(user)} but {rule}. Choose another name.")
        for name in _PATHS:
            with suppress(AnsibleError):  # what only the role can say is left to it
                path = hostvars[host].get(name)
                found += [told] if isinstance(path, str) and (told := relative_problem(name, path)) else []
    return list(dict.fromkeys(found))


def places(home: str) -> dict[str, Any]:
    return {**places_of(home), "quiet": dict(QUIET)}


def remains(
    home: str,
    user: str = "",
    checkpoints: str = "",
    backend: str = "local",
    given_up: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    names = [name for name, value in (given_up or {}).items() if boolean(value or False)]
    return remains_of(home, user, checkpoints, backend, names)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_layout": host_layout, "host_problems": host_problems, "places": places, "remains": remains}
