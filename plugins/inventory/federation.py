# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: federation
short_description: Group hosts by the state of their SuperNodes
version_added: 0.1.0
description:
  - Asks the SuperLink of an inventory which SuperNodes it knows, and puts the hosts of that inventory into groups
    by what they are doing.
  - Reads a file whose name ends with C(flower.yml) or C(flower.yaml). Give it beside the inventory itself.
  - Only hosts of the inventory are in a group. What the SuperLink knows beside them is told in variables of its own
    host.
author:
  - fedops.flower contributors (@fedops)
options:
  plugin:
    description: Says that a file is one for this plugin.
    type: str
    required: true
    choices: [fedops.flower.federation]
  hosts:
    description:
      - The inventory with the groups C(superlink) and C(supernodes), as ansible-playbook takes it.
      - A relative path is relative to this file.
    type: str
    required: true
  home:
    description: Home of Flower on the SuperLink host.
    type: path
    default: /opt/flower
  timeout:
    description: Seconds that the SuperLink host may take to answer.
    type: int
    default: 60
notes:
  - Each use connects to the SuperLink host once, with the program C(ansible) and the settings that it has.
  - A host with several SuperNodes is in the group of each state that one of them has.
seealso:
  - module: fedops.flower.supernode_info
"""

EXAMPLES = r"""
# federation.flower.yml, beside hosts.yml:
#   ansible-playbook -i hosts.yml -i federation.flower.yml fedops.flower.site --limit superlink:flower_offline
plugin: fedops.flower.federation
hosts: hosts.yml
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.manager import InventoryManager
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless

STATES = ("registered", "online", "offline")
_UNASKED = "The SuperLink host {} cannot be asked: "
ENDINGS = ("flower.yml", "flower.yaml")


class InventoryModule(BaseInventoryPlugin):
    """The hosts of a federation, by the state of their SuperNodes."""

    NAME = "fedops.flower.federation"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(ENDINGS)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        source = os.path.join(os.path.dirname(os.path.abspath(path)), self.get_option("hosts"))
        known = InventoryManager(loader=loader, sources=[source]).get_groups_dict()
        superlinks, hosts = known.get("superlink", []), known.get("supernodes", [])
        if len(superlinks) != 1:
            raise AnsibleParserError(f"The group superlink in {source} has {len(superlinks)} hosts but must have one.")
        found = ask(source, superlinks[0], self.get_option("home"), self.get_option("timeout"))
        groups, drift = sorted_by_state(found, hosts)
        for group, members in groups.items():
            inventory.add_group(group)
            for host in members:
                inventory.add_host(host, group=group)
        inventory.add_host(superlinks[0])
        for name, value in drift.items():
            inventory.set_variable(superlinks[0], name, value)


def ask(source: str, host: str, home: str, timeout: int) -> list[dict[str, Any]]:
    """The SuperNodes that a SuperLink knows, as M(fedops.flower.supernode_info) returns them."""
    with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
        command = ["ansible", host, "-i", source, "--become", "--tree", folder,
                   "-m", "fedops.flower.supernode_info", "-a", json.dumps({"home": home})]  # fmt: skip
        said = ""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
            said = done.stderr or done.stdout
            answer = json.loads((Path(folder) / host).read_text("utf-8"))
        except subprocess.TimeoutExpired as error:
            raise AnsibleParserError(f"The SuperLink host {host} has not answered in {timeout} seconds.") from error
        except (OSError, ValueError) as error:
            raise AnsibleParserError(f"{_UNASKED.format(host)}{harmless(said or str(error))}") from error
    if not isinstance(answer.get("supernodes"), list):
        said = answer.get("msg", "it does not say which SuperNodes there are")
        raise AnsibleParserError(f"{_UNASKED.format(host)}{harmless(str(said))}")
    return [supernode for supernode in answer["supernodes"] if isinstance(supernode, dict)]


def sorted_by_state(
    supernodes: Iterable[Mapping[str, Any]], hosts: Sequence[str]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Hosts of the inventory by group, and what the inventory and the SuperLink do not agree on."""
    ours = [each for each in supernodes if each.get("registered") and each.get("host") in hosts]
    groups = {
        f"flower_{state}": sorted({str(each["host"]) for each in ours if each.get("status") == state})
        for state in STATES
    }
    groups["flower_missing"] = [host for host in hosts if host not in {each["host"] for each in ours}]
    strangers = sorted(
        harmless(str(each.get("name") or each.get("node_id"))) for each in supernodes if each not in ours
    )
    return groups, {"flower_missing_hosts": groups["flower_missing"], "flower_strangers": strangers}
