# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.facts import problem
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import as_list
from ansible_collections.fedops.flower.plugins.module_utils._supernode.data import is_ours
from ansible_collections.fedops.flower.plugins.module_utils._supernode.external import external_problems
from ansible_collections.fedops.flower.plugins.module_utils._supernode.instances import (
    SuperNodeHost,
    federation_members,
    federation_problems,
)
from ansible_collections.fedops.flower.plugins.module_utils._supernode.registry import judge
from ansible_collections.fedops.flower.plugins.module_utils._supernode.variables import address_problem
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Undefined


def supernode_plan(instances: object, host: str, **variables: Any) -> dict[str, Any]:
    with errors_as(AnsibleFilterError, TypeError):
        return SuperNodeHost(host, instances, **variables).plan()


def supernode_names(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    with errors_as(AnsibleFilterError):
        return [name for host in _hosts(hosts, hostvars) for name in host.names]


def supernode_data(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], given_only: bool = False
) -> list[str]:
    with errors_as(AnsibleFilterError):
        return [
            one.data_directory
            for host in _hosts(hosts, hostvars)
            for one in host.supernodes
            if not (given_only and is_ours(one.data_directory, host.home))
        ]


def supernode_members(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    with errors_as(AnsibleFilterError):
        return federation_members(_hosts(hosts, hostvars))


def supernode_answer(answer: object, members: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    supernodes, problems = judge(answer, members)
    return {"supernodes": supernodes, "problems": problems}


def superlink_addresses(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = (host.superlink_address for host in _hosts(hosts, hostvars))
    return sorted({address for address in found if address and not address_problem(address)})


def external_supernodes(given: Any, inventory: Sequence[str] = (), leaving: Any = ()) -> list[dict[str, str]]:
    names = [str(name) for name in as_list(leaving)]
    if problems := external_problems(given, inventory, names):
        raise AnsibleFilterError("\n".join(problems))
    admitted = [
        {"name": row["name"], "public_key": row["public_key"], "site": row.get("site") or row["name"]} for row in given
    ]
    return admitted + [{"name": name, "state": "absent"} for name in names]


def supernode_problems(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return federation_problems(_hosts(hosts, hostvars))


# The role's own defaults are templates that only the role knows; SuperNodeHost has the same.
_FIELDS = (
    ("home", "runtime_home"),
    ("port", "supernode_port"),
    ("data_directory", "supernode_data_directory"),
    ("site", "supernode_site"),
    ("node_config", "supernode_node_config"),
    ("app_networks", "supernode_app_networks"),
    ("memory_max", "supernode_memory_max"),
    ("gpus", "supernode_gpus"),
    ("leave_after", "supernode_leave_after_sessions"),
    ("superlink_address", "supernode_superlink_address"),
    ("superlink_port", "supernode_superlink_port"),
)


def _hosts(names: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[SuperNodeHost]:
    return [_host(name, hostvars[name]) for name in names]


def _host(name: str, variables: Mapping[str, Any]) -> SuperNodeHost:
    if told := problem(name, variables.get("ansible_facts")):
        raise AnsibleFilterError(told)
    instances = variables.get("supernode_instances")
    if isinstance(instances, Undefined):
        instances._fail_with_undefined_error()
    fields = {}
    for field, variable in _FIELDS:
        with suppress(UndefinedError):
            value = variables.get(variable)
            if value is not None and not isinstance(value, Undefined):
                fields[field] = _defined(value)
    return SuperNodeHost(name, _defined(instances), **fields)


def _defined(value: Any) -> Any:
    """Leave out what is written with variables that only the role defines: the role looks at all of it again."""
    if isinstance(value, Mapping):
        found = {}
        for key in value:
            with suppress(UndefinedError):
                found[key] = _defined(value[key])
        return found
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_defined(item) for item in value]
    return value


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "external_supernodes": external_supernodes,
            "superlink_addresses": superlink_addresses,
            "supernode_answer": supernode_answer,
            "supernode_data": supernode_data,
            "supernode_members": supernode_members,
            "supernode_plan": supernode_plan,
            "supernode_names": supernode_names,
            "supernode_problems": supernode_problems,
        }
