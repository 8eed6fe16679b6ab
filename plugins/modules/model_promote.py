#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_promote
short_description: Publish a package of a model in the registry, and name it in channels
version_added: 0.1.0
description:
  - Verifies a package that M(fedops.flower.model_package) has made, on the controller, asks whether it is good enough
    for its channels, and publishes it in the registry of models on the host.
  - A channel is a small file, signed with the authority of the federation, which names one package. Switching it is one
    rename, and C(latest) is always switched to what is published. Workers follow a channel.
  - With O(from_channel), or with the name of a package, what is in the registry already goes to other channels.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.authority
  - fedops.flower.layout.registry
requirements:
  - cryptography on the controller
attributes:
  check_mode:
    description: Tells what would be published and switched, after the gate.
    support: full
  diff_mode:
    description: Shows what the channels name before and after.
    support: full
  idempotent:
    description: A channel that names the package already is left as it is.
    support: full
  action:
    description: The controller, which has the key of the authority, verifies the package and signs the channels.
    support: full
options:
  package:
    description:
      - The package on the controller, with its C(.sig) and C(.crt) beside it, or the name of one in the registry.
      - It or O(from_channel) is required.
    type: path
  model:
    description: The model whose channel O(from_channel) is. The name of a package begins with it.
    type: str
  from_channel:
    description: A channel; what it names is promoted.
    type: str
  channels:
    description: The channels that are to name the package, such as V(canary) and V(stable).
    type: list
    elements: str
    default: [stable]
  keep:
    description: How many packages of a model are kept beside those that a channel names or has named last.
    type: int
    default: 10
  min_accuracy:
    description: A package that is less accurate, or whose accuracy is not known, is not promoted.
    type: float
  max_loss:
    description: A package with a higher loss, or whose loss is not known, is not promoted.
    type: float
  tolerance:
    description:
      - By how much a package may be worse than the one that a channel names. Both are compared by their accuracy where
        it is known of both, and else by their loss.
    type: float
    default: 0.0
  worse:
    description: Whether it may be worse by any amount, as when a channel goes back to an earlier package.
    type: bool
    default: false
  name:
    description: Do not set it.
    type: str
  record:
    description: Do not set it.
    type: dict
  arrived:
    description: Do not set it.
    type: path
  switched:
    description: Do not set it.
    type: dict
"""

EXAMPLES = r"""
- name: Have the workers of the channel canary try a package
  fedops.flower.model_promote:
    package: /srv/packages/default-40-3f2a9c71.tar.gz
    channels: [canary]
    min_accuracy: 0.9
    ca_certificate: /srv/federation/certificates/ca.crt
    ca_private_key: /srv/federation/certificates/ca.key

- name: Have all workers use what was tried
  fedops.flower.model_promote:
    model: default
    from_channel: canary
    ca_certificate: /srv/federation/certificates/ca.crt
    ca_private_key: /srv/federation/certificates/ca.key
"""

RETURN = r"""
package:
  description: The package, without the ending.
  returned: success
  type: str
  sample: default-40-3f2a9c71
model:
  description: The name of its model.
  returned: success
  type: str
  sample: default
sha256:
  description: SHA-256 of the package.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
switched:
  description: The channels that were switched to it, with the package that each has named before.
  returned: success
  type: dict
  sample: {"latest": null, "stable": "default-30-1b2c3d4e"}
removed:
  description: Packages that were removed, since there are newer ones.
  returned: success
  type: list
  elements: str
  sample: []
"""

import grp
import os
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import PROMOTE_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._delivery.registry import Registry, RegistryError


def work(params: dict[str, Any]) -> dict[str, Any]:
    """Do the one step that the action asks for: tell what is there, or change it."""
    try:
        group = grp.getgrnam(params["group"]).gr_gid
    except KeyError:
        raise RegistryError(
            f"There is no group {params['group']} on the host. Make it a registry first: fedops.flower.registry."
        ) from None
    registry = Registry(params["directory"], params["name"] or "", (os.geteuid(), group))
    record = params["record"]
    if record:
        switched = {name: text.encode() for name, text in (params["switched"] or {}).items()}
        return {"removed": registry.change(record, params["arrived"], switched, params["keep"])}
    packages, channels = registry.packages(), registry.channels()
    asked = params["package"] or channels.get(params["from_channel"], {}).get("package", "")
    digest = registry.digest(asked) if asked in packages else None
    return {"packages": packages, "known_channels": channels, "digest": digest}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **PROMOTE_OPTIONS,
            "name": {"type": "str"},
            "record": {"type": "dict"},
            "arrived": {"type": "path"},
            "switched": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    with module.explaining("changed", module.params["directory"]):
        result = work(module.params)
    module.exit_json(changed=bool(module.params["record"]), **result)


if __name__ == "__main__":
    main()
