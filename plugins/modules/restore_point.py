#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_point
short_description: Save how Flower runs on a host, and return to it
version_added: 0.1.0
description:
  - Saves the release in use, the units and configuration of Flower's services, and the SuperLink's database through
    SQLite's own backup, in a directory that only root can read.
  - Returning stops the services, restores all of that and starts them again. The database is restored if another
    release was in use meanwhile, which may have migrated it.
  - A point is open until it is closed. While it is, saving again for the same O(token) keeps it.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.layout.points_path
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell whether anything would be kept or brought back.
    support: full
  diff_mode:
    description: Returns the release before and after.
    support: full
options:
  state:
    description:
      - V(saved) opens a point.
      - V(restored) goes back to the open point. It fails when there is none.
      - V(closed) ends the open point, when it is sure that nobody goes back to it. It stays for a restore by hand.
    type: str
    choices: [saved, restored, closed]
    required: true
  token:
    description:
      - What the point is for. One that is open for something else is of an earlier time, and makes way for a new one.
      - Required for O(state=saved).
    type: str
  kept:
    description: How many points stay when one is closed, the newest ones.
    type: int
    default: 2
seealso:
  - module: fedops.flower.release_info
  - module: fedops.flower.venv
"""

EXAMPLES = r"""
- name: Keep how the SuperLink runs
  fedops.flower.restore_point:
    state: saved
    token: "{{ quiesced.since }}"

- name: Go back to it
  fedops.flower.restore_point:
    state: restored
"""

RETURN = r"""
point:
  description: The directory of the point; null when none is or was open.
  returned: success
  type: str
  sample: /var/backups/flower/upgrades/2026-11-26T03-20-15Z
release:
  description: The release that was in use then; null when no point is or was open.
  returned: success
  type: str
  sample: flwr-1.41.0-3fa4c2d1
"""

from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import POINTS, folder
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._release.restore_point import (
    RestorePoints,
)


def have_state(points: RestorePoints, params: dict[str, Any], check_mode: bool) -> bool:
    """Save, go back or close; tell whether that changes anything."""
    state, known = params["state"], points.contents()
    if state == "saved":
        if check_mode:
            return known is None or known["token"] != params["token"]
        return points.save(params["token"])
    if state == "restored":
        return points.differs() if check_mode else points.restore()
    return known is not None if check_mode else points.close(params["kept"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": folder(HOME, POINTS)},
            **HOME_OPTION,
            "state": {"type": "str", "choices": ["saved", "restored", "closed"], "required": True},
            "token": {"type": "str", "no_log": False},
            "kept": {"type": "int", "default": 2},
        },
        required_if=[("state", "saved", ["token"])],
        supports_check_mode=True,
    )
    params = module.params
    if params["kept"] < 1:
        module.fail_json(msg=f"kept is {params['kept']} but must be at least 1: the point that is closed stays.")
    points = RestorePoints(params["path"], params["home"])
    with module.explaining("kept or brought back", params["path"]):
        before, place = points.releases.current, points.open
        known = points.contents()
        changed = have_state(points, params, module.check_mode)
        known, place = points.contents() or known, points.open or place
    after = known["release"] if known and params["state"] == "restored" else before
    module.exit_json(
        changed=changed,
        point=place,
        release=known["release"] if known else None,
        diff={"before": f"{before or 'nothing'}\n", "after": f"{after or 'nothing'}\n"},
    )


if __name__ == "__main__":
    main()
