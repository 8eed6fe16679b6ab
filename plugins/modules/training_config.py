#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: training_config
short_description: Check training variables and write them as Flower's run configuration
version_added: 0.1.0
description:
  - Checks C(fl_*) variables, all of them at once, and fails with one line for each error.
  - Warns about trainings that are probably not what was meant, and gives other information worth knowing.
    That information is not repeated when O(nodes_online), O(initial) or O(fixed) is given.
  - Runs on the controller and connects to no host. Run it once for a play, not for each host.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.training
  - fedops.flower.training.nodes_online
attributes:
  check_mode:
    description: Can run in check mode and return the same as without it.
    support: full
  diff_mode:
    description: Returns details on what has changed. This module changes nothing.
    support: N/A
  idempotent:
    description: When run twice in a row with the same variables, it returns the same. It changes nothing.
    support: full
  action:
    description: Runs on the controller, as an action.
    support: full
options:
  variables:
    description:
      - The variables to check.
      - By default every variable of the play whose name begins with C(fl_).
    type: dict
  context:
    description:
      - C(FL_*) variables of an OpenNebula context, which are translated and checked together with the others.
      - A variable in O(variables) wins, unless it is unset or only has its default.
    type: dict
  fixed:
    description:
      - C(fl_*) variables that stand whatever else is set, as those of a smoke run do
        (P(fedops.flower.smoke_variables#filter)).
    type: dict
  room:
    description:
      - What M(fedops.flower.room_info) has returned. The training is held against it when the model's size is known.
    type: dict
  initial:
    description:
      - What M(fedops.flower.initial_model) has returned, in the place of C(fl_initial_checkpoint) and
        C(fl_initial_sha256).
    type: dict
  app:
    description:
      - Folder of the Flower app on the controller that is to be trained.
      - When it is given, the run configuration holds those variables that the app declares in its
        C([tool.flwr.app.config]), because Flower refuses every other key.
        A variable that was set also reaches the app under other names that are usual, such as C(learning-rate) for
        C(fl_client_lr), which is reported.
      - A variable that was set and that the app does not take is an error.
    type: path
  overlay:
    description:
      - Files that replace, or join, files of O(app), as the module M(fedops.flower.app) takes them.
      - A C(pyproject.toml) or C(task.py) among them declares keys in the place of that of O(app).
    type: dict
  kit:
    description:
      - Whether O(app) is deployed with the kit, as by O(fedops.flower.app#module:kit). What the kit is told then
        reaches it, whatever the app declares.
    type: bool
    default: false
  extra:
    description:
      - Further keys for the run configuration, which O(app) declares in its C([tool.flwr.app.config]) or as C(KNOBS) in
        its C(task.py). Tables in one another are the same as keys joined with a dot.
      - Every value is held to the type of its default and to its bounds. A text that spells such a value is as good.
      - The name of a variable, such as C(fl_num_rounds), stands for its value.
    type: dict
seealso:
  - plugin: fedops.flower.training_problems
    plugin_type: filter
  - plugin: fedops.flower.run_config
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Check every fl_* variable before a host is touched
  fedops.flower.training_config:
  run_once: true

- name: Check again, with the SuperNodes that are online
  fedops.flower.training_config:
    nodes_online: "{{ supernodes | selectattr('status', 'eq', 'online') | length }}"
  run_once: true
  register: training

- name: Show what Flower will be given
  ansible.builtin.debug:
    var: training.run_config

- name: Check what an app of one's own is given
  fedops.flower.training_config:
    app: "{{ playbook_dir }}/my-flower-app"
    extra:
      learning-rate: 0.05
  run_once: true

- name: Check a training that is not in variables of the play
  fedops.flower.training_config:
    variables:
      fl_strategy: Krum
      fl_num_malicious: 1
      fl_min_available_clients: 5
"""

RETURN = r"""
training:
  description: Every training variable with its value, by its name without C(fl_).
  returned: success
  type: dict
  sample: {"strategy": "Krum", "num_rounds": 3, "num_malicious": 1}
run_config:
  description: The run configuration as TOML.
  returned: success
  type: str
  sample: |
    training-name = "default"
    strategy = "Krum"
code:
  description:
    - SHA-256 of the user's code in the app, without what the collection brings. It is compared by itself, next to the
      configuration. Empty without O(app), unless C(fl_code_sha256) is set.
  returned: success
  type: str
  sample: 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
configuration_hash:
  description: SHA-256 of the variables that decide the bytes of the model. Tells one training from another.
  returned: success
  type: str
  sample: 02d11a21b32cba6c8f2d0bb32bc0a43d8f32d4fb3b3f4e6b4f4a52b7d1d7ce9a
num_rounds:
  description:
    - The rounds that the app is told to train; null where that is left to the app, which has a number of its own.
  returned: success
  type: int
  sample: 3
strategy_parameters:
  description: The arguments of the strategy's class in Flower.
  returned: success
  type: dict
  sample: {"num_malicious_nodes": 1, "min_available_nodes": 5}
app:
  description: The app, as publisher and name; null when none was given.
  returned: success
  type: str
  sample: fedops/fedops-app
provable:
  description:
    - Whether the app publishes what it does, so that it can be held to what was asked. It does when it takes every
      training variable, or has the kit.
  returned: success
  type: bool
  sample: true
problems:
  description: All problems, the worst first, as the filter P(fedops.flower.training_problems#filter) lists them.
  returned: always
  type: list
  elements: dict
  sample: []
"""
