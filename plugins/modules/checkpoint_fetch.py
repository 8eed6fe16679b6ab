#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: checkpoint_fetch
short_description: Fetch the newest whole checkpoint of a training from its mirror
version_added: 0.1.0
description:
  - Looks in the directory first. If that has a good checkpoint of the training, the mirror is not asked.
  - Otherwise fetches the newest whole checkpoint of the mirror into the directory, from which the training goes on.
    Each is verified against its manifest by size, SHA-256 and the names of its arrays before it gets its name. A
    damaged one is skipped and reported in RV(problems).
  - Accepts only what carries a seal of O(secret_file). The manifest is fetched before the arrays, and the size of both
    is limited.
  - A mirror that cannot be reached fails the task, since a training that begins anew by mistake costs more.
author:
  - fedops.flower contributors (@fedops)
requirements:
  - rclone on the host
extends_documentation_fragment:
  - fedops.flower.code
  - fedops.flower.layout.checkpoints
  - fedops.flower.layout.mirror_secret
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be fetched, without looking whether it is whole.
    support: full
  diff_mode:
    description: Returns what is there before and after.
    support: full
options:
  path:
    description: The checkpoint directory of all trainings. This one may have a folder of its name there.
  training:
    description: Name of the training.
    type: str
    required: true
  configuration_hash:
    description: Hash of its configuration, as RV(fedops.flower.training_config#module:configuration_hash).
    type: str
    required: true
  base:
    description: The mirror, as rclone names it, for example V(mirror:bucket/flower).
    type: str
    required: true
  environment_file:
    description: File on the host with what rclone reads from its environment, the keys among it, as C(NAME='value').
    type: path
    required: true
  secret_file:
    description:
      - File on the host with the secret by which the host that mirrored has sealed each checkpoint. Only root writes
        it. A checkpoint without a seal of this secret is stepped over, since whoever can write the bucket could have
        put it there. When there are only such ones, the task fails.
  accept_unsealed:
    description:
      - Whether a checkpoint is taken whatever its seal says. It is for what an older release has mirrored, for one
        time, where everybody is trusted who can write the bucket.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Go on from the mirror when the host has nothing
  fedops.flower.checkpoint_fetch:
    training: default
    configuration_hash: "{{ asked.configuration_hash }}"
    code: "{{ asked.code }}"
    base: mirror:models/flower
    environment_file: /etc/flower-mirror.conf
"""

RETURN = r"""
fetched:
  description: The checkpoint that was fetched; null when the directory has one or the mirror has none.
  returned: when not in check mode
  type: dict
  contains:
    path:
      description: Where it lies now.
      type: str
      sample: /opt/flower/checkpoints/checkpoint_round_10.npz
    round:
      description: Number of its round.
      type: int
      sample: 10
    sha256:
      description: SHA-256 of the file, which was verified.
      type: str
      sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    run_id:
      description: Id of the run that has saved it.
      type: str
      sample: "17304172647888193640"
problems:
  description: A sentence about each checkpoint in the mirror that was stepped over.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base import guarded
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._base.identity import as_checkpoint_owner
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import file
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import CHECKPOINTS_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.names import arrays_name
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.trainings import directory_of
from ansible_collections.fedops.flower.plugins.module_utils._config.code import CODE_CHANGES, NEW_TRAINING
from ansible_collections.fedops.flower.plugins.module_utils._mirror.fetch import Fetcher, FetchError
from ansible_collections.fedops.flower.plugins.module_utils._mirror.rclone import (
    RCLONE,
    Rclone,
    RcloneError,
    read_environment,
)
from ansible_collections.fedops.flower.plugins.module_utils._mirror.seal import LONGEST_SECRET, checked_secret


@contextmanager
def asking(params: dict[str, Any]) -> Iterator[None]:
    """Say what it means that the mirror does not answer."""
    try:
        yield
    except RcloneError as error:
        raise FetchError(
            f"{params['path']} has no checkpoint of the training {params['training']}, and the mirror"
            f" {params['base']} cannot be asked for one: {error}. Nothing was begun. Mend the mirror and run again, or"
            " set fl_resume to never to begin anew."
        ) from error


def foreseen(fetcher: Fetcher, prepared: bool) -> dict[str, Any]:
    """Tell what would be fetched. A host that was only rehearsed has neither rclone nor the keys."""
    offered = fetcher.offered() if prepared else []
    return told(arrays_name(offered[0]) if offered else None)


def fetch(fetcher: Fetcher) -> dict[str, Any]:
    found = fetcher.fetch()
    if found is None:
        return {**told(None), "fetched": None}
    shown = {"path": found.path, "round": found.round, "sha256": found.sha256, "run_id": found.run_id}
    return {**told(found.file), "fetched": shown}


def told(name: str | None) -> dict[str, Any]:
    after = f"{name} from the mirror\n" if name else ""
    return {"changed": name is not None, "diff": {"before": "", "after": after}}


def read_secret(path: str) -> bytes | None:
    """Return the secret of the seals, which root alone writes; None when the host has none."""
    try:
        return checked_secret(guarded.read_bytes(path, LONGEST_SECRET, (0, os.geteuid())), path)
    except FileNotFoundError:
        return None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CHECKPOINTS_OPTION,
            "training": {"type": "str", "required": True},
            "configuration_hash": {"type": "str", "required": True},
            "code": {"type": "str"},
            "code_change": {"type": "str", "choices": list(CODE_CHANGES), "default": NEW_TRAINING},
            "base": {"type": "str", "required": True},
            "environment_file": {"type": "path", "required": True},
            "secret_file": {"type": "path", "default": file(HOME, "mirror_secret"), "no_log": False},
            "accept_unsealed": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    path = params["environment_file"]
    prepared = os.path.exists(RCLONE) and os.path.exists(path)
    with module.explaining("opened", params["path"]):
        bucket = Rclone(params["base"], read_environment(path) if prepared or not module.check_mode else None)
        secret, sealed = read_secret(params["secret_file"]), not params["accept_unsealed"]
        with as_checkpoint_owner():
            place = directory_of(params["path"], params["training"])
        which = params["training"], params["configuration_hash"]
        fetcher = Fetcher(place, *which, bucket, secret, sealed, params["code"] or "", params["code_change"])
        if fetcher.local:
            result = {**told(None), "fetched": None}
        else:
            with asking(params):
                result = foreseen(fetcher, prepared) if module.check_mode else fetch(fetcher)
    module.exit_json(problems=fetcher.problems, **result)


if __name__ == "__main__":
    main()
