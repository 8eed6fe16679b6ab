#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Write text files and run services from them
version_added: 0.1.0
description:
  - Writes text files, enables and starts the services that use them, and restarts or reloads those of which a file has
    changed.
  - One execution does all of this, which would take a dozen tasks and handlers otherwise.
  - All files are written before the first service is touched. Services are handled in the order given, and one that
    fails does not stop the others.
  - The diff shows the old content only of a regular file that belongs to its owner or to root. A link, a pipe or
    anything else in its place is replaced, and neither followed nor read. Directories on the way may be links only if
    root made them.
  - If a run is cut short after it has written a unit, the next one restarts the service.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be written, started, restarted and reloaded.
    support: full
  diff_mode:
    description: Shows each file before and after.
    support: full
options:
  files:
    description: The files. Those below C(/etc/systemd) or C(/lib/systemd) make systemd read its units again.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The file. Its directory is made when it is missing.
        type: path
        required: true
      content:
        description: All of its text. It is no place for a secret, since Ansible shows it and hosts log it.
        type: str
        required: true
      owner:
        description: Owner of the file.
        type: str
        default: root
      group:
        description: Group of the file.
        type: str
        default: root
      mode:
        description: Permissions of the file, in octal.
        type: str
        default: "0644"
      validate:
        description: Command that judges the file before it takes its place; C(%s) stands for it.
        type: str
      restarts:
        description: Services to restart when the file has changed.
        type: list
        elements: str
        default: []
      reloads:
        description: Services to reload when the file has changed, unless they are restarted or started anyway.
        type: list
        elements: str
        default: []
  services:
    description: The services, such as V(nginx.service), in the order in which they are started.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Serve from a configuration of our own
  fedops.flower.files:
    files:
      - path: /etc/systemd/system/nginx.service.d/own.conf
        content: "{{ lookup('ansible.builtin.template', 'nginx.service.conf.j2') }}"
        restarts: [nginx.service]
      - path: /etc/nginx/own.conf
        content: "{{ lookup('ansible.builtin.template', 'nginx.conf.j2') }}"
        validate: nginx -t -q -c %s
        reloads: [nginx.service]
    services: [nginx.service]
"""

RETURN = r"""
started:
  description: Services that were started.
  returned: success
  type: list
  elements: str
  sample: []
restarted:
  description: Services that were restarted.
  returned: success
  type: list
  elements: str
  sample: [nginx.service]
reloaded:
  description: Services that were reloaded.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.services import Steps, steps, take
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import SHOW, read_units
from ansible_collections.fedops.flower.plugins.module_utils._base.text_files import TextFile

UNITS = ("/etc/systemd/", "/lib/systemd/", "/usr/lib/systemd/")


def needed_steps(
    module: AnsibleModule, services: list[str], restart: set[str], reload: set[str], units_changed: bool
) -> Steps:
    """Ask systemd for all of them at once and return what is to be done."""
    if not services:
        return steps([], restart, reload, units_changed)
    dummy, shown, dummy_errors = module.run_command(["systemctl", *SHOW, *services], check_rc=True)
    return steps(read_units(services, shown), restart, reload, units_changed)


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    file = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "str", "default": "0644"},
        "validate": {"type": "str"},
        "restarts": names,
        "reloads": names,
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": file},
            "services": names,
        },
        supports_check_mode=True,
    )
    diff: list[dict[str, str]] = []
    changed = []
    with module.explaining("written", advice="Free that path, then run again."):
        for given in module.params["files"]:
            wanted = {key: value for key, value in given.items() if key not in ("restarts", "reloads")}
            if TextFile(**wanted).write(module.run_command, module.check_mode, diff):
                changed.append(given)
    restart = {service for given in changed for service in given["restarts"]}
    reload = {service for given in changed for service in given["reloads"]}
    units_changed = any(given["path"].startswith(UNITS) for given in changed)
    with module.explaining("asked"):
        todo = needed_steps(module, module.params["services"], restart, reload, units_changed)
    result = {
        "changed": bool(changed) or todo.needed,
        "started": todo.of("start"),
        "restarted": todo.of("restart"),
        "reloaded": todo.of("reload"),
        "diff": diff,
    }
    problems = [] if module.check_mode else take(todo, module.run_command)
    if problems:
        module.fail_json(msg="\n".join(problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
