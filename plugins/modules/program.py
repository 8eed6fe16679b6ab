#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: program
short_description: Install a program of the collection on a host
version_added: 0.1.0
description:
  - Builds one of the collection's own programs on the controller, as one file that Python runs and that needs nothing
    else, and installs it on the host unless the host already has it.
  - Roles of this collection use it. The program of the supervisor is installed by M(fedops.flower.supervisor).
author:
  - fedops.flower contributors (@fedops)
attributes:
  check_mode:
    description: Tells whether the program would change.
    support: full
  diff_mode:
    description: The program is an archive, of which no difference is shown.
    support: none
  idempotent:
    description: The same release of the collection makes the same file.
    support: full
  action:
    description: The program is built on the controller and copied to the host.
    support: full
options:
  name:
    description:
      - Which program. V(package) verifies and unpacks the packages of M(fedops.flower.model_package), V(worker) follows
        a channel of a registry. Both need the library cryptography beside Python. V(aggregate-adapters) averages
        adapters of PEFT, and needs NumPy.
    type: str
    choices: [supervisor, mirror, alerts, package, worker, aggregate-adapters, tracker, gpus]
    required: true
  directory:
    description:
      - The directory on the host that it is put in, as C(fedops-NAME.pyz). It must exist.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Install the mirror's program
  fedops.flower.program:
    name: mirror
    directory: /opt/flower/mirror
"""

RETURN = r"""#"""
