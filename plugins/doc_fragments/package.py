# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What goes into a package beside the weights."""

    DOCUMENTATION: str = r"""
options:
  files:
    description:
      - Files on the controller that go with the weights, such as a tokenizer, or directories whose files do. Each keeps
        its own name.
      - What the task of the training says goes with its model (C(side_files) in C(task.py)) comes by itself. A file
        given here takes the place of one of the same name.
      - C(adapter_config.json) among all of them makes it the package of an adapter, in the layout of PEFT.
        C(README.md) takes the place of the model card. Files that can be pickles are refused.
    type: list
    elements: path
    default: []
  base_model:
    description:
      - What the base model of an adapter is called, as C(from_pretrained) takes it. By default it is what
        C(adapter_config.json) says.
    type: str
  base_sha256:
    description:
      - SHA-256 of the weights of the base model. A worker that has another base refuses the package. An adapter must
        have it.
    type: str
"""
