#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_unpack
short_description: Verify a package of a model, and unpack it
version_added: 0.1.0
description:
  - Verifies a package that M(fedops.flower.model_package) has made, and unpacks it to a folder of its name. The
    signature comes first, over all bytes of the package. Then every header, size and hash in it has to be right.
  - Links, paths that lead out, files that the manifest does not list, compressed data and files that can be pickles are
    refused, even with a good signature. The folder gets its name when all of it has been written.
author:
  - fedops.flower contributors (@fedops)
requirements:
  - cryptography on the host, for the Python that the module runs on
attributes:
  check_mode:
    description: Verifies the package, and tells whether it would be unpacked.
    support: full
  diff_mode:
    description: Returns the folder.
    support: full
  idempotent:
    description: A folder that has the files of the package, and no others, is left as it is.
    support: full
options:
  package:
    description:
      - The package on the host, under the name that it was made with. The files with C(.sig) and C(.crt) behind its
        name must be beside it.
    type: path
    required: true
  dest:
    description: The directory on the host in which the folder is made. Without it the package is only verified.
    type: path
  ca_certificate:
    description: The certificate of the federation's authority, on the host.
    type: path
    required: true
  base_sha256:
    description: SHA-256 of the base model on this host. A package for another one is refused.
    type: str
  most_bytes:
    description: A larger package is refused before it is read. By default it is 64 GiB.
    type: int
    default: 68719476736
"""

EXAMPLES = r"""
- name: Put the model of the last training where the server of this host loads it from
  fedops.flower.model_unpack:
    package: /srv/models/default-10-3f2a9c71.tar.gz
    dest: /srv/models
    ca_certificate: /opt/flower/certificates/ca.crt
  register: model
"""

RETURN = r"""
folder:
  description: The folder with the files.
  returned: when O(dest) is given
  type: str
  sample: /srv/models/default-10-3f2a9c71
manifest:
  description: What the package says of itself.
  returned: success
  type: dict
  sample: {"package": "default-10-3f2a9c71", "training": "default", "round": 10}
sha256:
  description: SHA-256 of the package.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

import os
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import (
    MOST_PACKAGE_BYTES,
    Trust,
    unpack,
    verify_package,
)


def work(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    with open(params["ca_certificate"], "rb") as stream:
        trust = Trust(stream.read(), params["base_sha256"], params["most_bytes"])
    if params["dest"] is None:
        found = verify_package(params["package"], trust)
        return {"changed": False, "manifest": dict(found.manifest), "sha256": found.sha256}
    found = unpack(params["package"], trust, params["dest"], foresee=check_mode)
    folder = os.path.join(params["dest"], found.package)
    diff = {"before": "", "after": f"{folder}\n" if found.is_new else ""}
    told = {"folder": folder, "manifest": dict(found.manifest), "sha256": found.sha256}
    return {"changed": found.is_new, "diff": diff, **told}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "package": {"type": "path", "required": True},
            "dest": {"type": "path"},
            "ca_certificate": {"type": "path", "required": True},
            "base_sha256": {"type": "str"},
            "most_bytes": {"type": "int", "default": MOST_PACKAGE_BYTES},
        },
        supports_check_mode=True,
    )
    with module.explaining("unpacked", module.params["package"]):
        result = work(module.params, module.check_mode)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
