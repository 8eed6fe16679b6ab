# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: run_config
short_description: Write training variables as Flower's run configuration
version_added: 0.1.0
description:
  - Turns C(fl_*) variables into the TOML text that C(flwr run --run-config) takes as a file,
    with every training variable in it and every value of the type that the collection's app declares.
  - Fails with all errors at once when the variables cannot be trained with.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.training
  - fedops.flower.training.input
positional: runtime, home
seealso:
  - plugin: fedops.flower.training_problems
    plugin_type: filter
  - module: fedops.flower.training_config
"""

EXAMPLES = r"""
- name: Write the run configuration of a training
  ansible.builtin.copy:
    content: "{{ {'fl_strategy': 'FedProx', 'fl_num_rounds': 10} | fedops.flower.run_config }}"
    dest: /tmp/run-config.toml
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The run configuration.
  type: str
  sample: |
    training-name = "default"
    strategy = "FedProx"
    num-server-rounds = 10
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._config.table import RUNTIME_NAMES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


def run_config(variables: Mapping[str, Any], runtime: str = RUNTIME_NAMES[0], home: str = HOME) -> str:
    with errors_as(AnsibleFilterError):
        return Training.from_variables(variables, runtime, home).toml


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"run_config": run_config}
