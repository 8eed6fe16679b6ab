#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: List the releases of a host, and which of them run
version_added: 0.1.0
description:
  - Lists the releases that M(fedops.flower.venv) has built, and Flower's services with the releases that their
    processes have loaded. It reads that from the processes. A file or a link would say what the next ones will load.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout.points
  - fedops.flower.layout
  - fedops.flower.flwr.info
options:
  points:
    description: The directory of the points that M(fedops.flower.restore_point) makes.
"""

EXAMPLES = r"""
- name: Look what runs
  fedops.flower.release_info:
  register: running
"""

RETURN = r"""
release:
  description: The release in use by the link; null when there is none.
  returned: success
  type: str
  sample: flwr-1.41.0-3fa4c2d1
releases:
  description: The releases that are whole.
  returned: success
  type: list
  elements: str
  sample: [flwr-1.41.0-3fa4c2d1]
services:
  description: Flower's services.
  returned: success
  type: list
  elements: dict
  contains:
    unit:
      description: Name of the service.
      type: str
      sample: flower-superlink.service
    state:
      description: How it is, by systemd's word.
      type: str
      sample: active
    restarts:
      description: How often systemd has restarted it since it was started.
      type: int
      sample: 0
    seconds:
      description: For how many seconds it has been active.
      type: float
      sample: 3281.5
    releases:
      description:
        - The releases that its processes have loaded. V(venv) is an environment from before there were releases.
      type: list
      elements: str
      sample: [flwr-1.41.0-3fa4c2d1]
point:
  description:
    - The open point that M(fedops.flower.restore_point) has made, with its C(release) and C(token); null when there is
      none.
  returned: success
  type: dict
  sample: {"release": "flwr-1.41.0-3fa4c2d1", "token": "2026-11-26T03:20:11+00:00"}
sizes:
  description: Bytes of the C(release) in use, and of the SuperLink's C(state) where there is one.
  returned: success
  type: dict
  sample: {"release": 214748364, "state": 4194304}
rooms:
  description: Bytes that are free where releases, points and temporary files lie, and which of them lie together.
  returned: success
  type: list
  elements: dict
  sample: [{"what": "releases", "path": "/opt/flower", "device": 2049, "free": 83214209024}]
"""

import os
import tempfile
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.files import nearest
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import DATABASE
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION, POINTS_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._release.releases import Releases
from ansible_collections.fedops.flower.plugins.module_utils._release.restore_point import RestorePoints
from ansible_collections.fedops.flower.plugins.module_utils._release.running import running


def size(path: str) -> int:
    """Return the bytes below a directory."""
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _d, names in os.walk(path) for name in names)


def state_size(home: str) -> int:
    """Return the bytes of the database with what is in its log."""
    paths = (os.path.join(home, DATABASE) + ending for ending in ("", "-wal"))
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path))


def room(what: str, path: str) -> dict[str, Any]:
    """Return what is free in the nearest directory that exists."""
    path = nearest(path)
    found = os.statvfs(path)
    return {"what": what, "path": path, "device": os.stat(path).st_dev, "free": found.f_bavail * found.f_frsize}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            **POINTS_OPTION,
        },
        supports_check_mode=True,
    )
    home, points = module.params["home"], module.params["points"]
    releases = Releases(os.path.join(home, "venv"))
    with module.explaining("looked at", home):
        known = RestorePoints(points, home).contents()
        module.exit_json(
            changed=False,
            release=releases.current,
            releases=sorted(filter(releases.is_built, releases.names())),
            services=running(home),
            point={"release": known["release"], "token": known["token"]} if known else None,
            sizes={"release": size(os.path.realpath(releases.link)), "state": state_size(home)},
            rooms=[room("releases", home), room("points", points), room("temporary files", tempfile.gettempdir())],
        )


if __name__ == "__main__":
    main()
