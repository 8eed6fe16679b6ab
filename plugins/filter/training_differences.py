# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: training_differences
short_description: List where a run differs from what was asked
version_added: 0.1.0
description:
  - Compares the effective configuration that a ServerApp has published with the run configuration that was asked for.
  - Returns one sentence for each difference, and an empty list when what was asked is what runs.
author:
  - fedops.flower contributors (@fedops)
positional: run_config, model_only
options:
  _input:
    description: The effective configuration, as RV(fedops.flower.training#module:effective) has it.
    type: dict
    required: true
  run_config:
    description: The run configuration as TOML text, as RV(fedops.flower.training_config#module:run_config) has it.
    type: str
    required: true
  model_only:
    description:
      - Whether to compare only what decides the bytes of the model, and not, for example, timeouts and the number
        of rounds. A training that was finished earlier is to be compared in this way.
    type: bool
    default: false
seealso:
  - module: fedops.flower.training_config
  - module: fedops.flower.training
"""

EXAMPLES = r"""
- name: Fail when the run does otherwise than asked
  ansible.builtin.assert:
    that: (run.effective | fedops.flower.training_differences(asked.run_config)) == []
"""

RETURN = r"""
_value:
  description: The differences, one sentence each.
  type: list
  elements: str
  sample:
    - Parameter proximal_mu of the strategy was to be 0.5 and is 1.0.
"""

import tomllib
from collections.abc import Callable, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences, kit_differences
from ansible_collections.fedops.flower.plugins.module_utils._config.kit import has_kit
from ansible_collections.fedops.flower.plugins.module_utils._config.knobs import flat
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training


def training_differences(effective: object, run_config: str, model_only: bool = False) -> list[str]:
    if not isinstance(effective, Mapping):
        raise AnsibleFilterError("The input is no effective configuration: the ServerApp has not published one.")
    try:
        asked = tomllib.loads(run_config)
        if has_kit(values := dict(flat(asked))):
            return kit_differences(values, effective, model_only)
        return differences(Training.from_run_config(asked), effective, model_only)
    except (FedopsError, AttributeError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"run_config is no run configuration: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        return {"training_differences": training_differences}
