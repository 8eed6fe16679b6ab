# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO, Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import is_whole
from ansible_collections.fedops.flower.plugins.module_utils._base.reading import sha256_of
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import models
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.models import NPZ, SAFETENSORS
from ansible_collections.fedops.flower.plugins.module_utils._training.export import LONGEST_ENDING, OF_APP
from ansible_collections.fedops.flower.plugins.module_utils._training.export_program import MODEL_NAME
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._fetching import (
    arriving,
    expect_room,
    fetched,
    training_asked,
)

ENDING = re.compile(rf"{MODEL_NAME}((?:[._-][A-Za-z0-9._-]{{0,{LONGEST_ENDING - 1}}})?)")
DIGEST = re.compile("[0-9a-f]{64}")


class ActionModule(ActionBase):
    """Have a file made on the host, fetch it in pieces, and give it its name when it is whole."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars
        if not self._task.args.get("dest"):
            return self._ask()  # the module says what is missing
        directory = os.path.abspath(os.path.expanduser(str(self._task.args["dest"])))
        made = self._ask()
        if made.get("failed"):
            return made
        if self._task.check_mode:
            return self._foreseen(directory, made)
        try:
            with errors_as(AnsibleActionFail):
                return self._fetch(directory, made)
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or directory} cannot be written: {error.strerror}.") from error
        finally:
            self._ask(finish=True, file=made.get("file"))

    def _foreseen(self, directory: str, made: dict[str, Any]) -> dict[str, Any]:
        form = str(self._task.args.get("format") or "npz")
        dest = self._dest(directory, made, "" if form == OF_APP else f".{form}")
        return self._told(made, dest, not os.path.lexists(dest))

    def _fetch(self, directory: str, made: dict[str, Any]) -> dict[str, Any]:
        """Fetch the file into a new one beside its place, and compare it with what was told of it."""
        ending = ENDING.fullmatch(os.path.basename(str(made.get("file"))))
        if not ending or not is_whole(made.get("bytes")) or not DIGEST.fullmatch(str(made.get("sha256"))):
            raise AnsibleActionFail("The host tells of a file without a name, a size or a hash that a model can have.")
        dest = self._dest(directory, made, ending.group(1))
        if _sha256(dest) == made["sha256"]:
            return self._told(made, dest, False)
        os.makedirs(directory, exist_ok=True)
        expect_room(directory, made["bytes"])
        too_much = AnsibleActionFail(f"The host sends more than the {made['bytes']} bytes that it tells of.")
        with arriving(dest) as stream:
            stream.writelines(fetched(lambda offset: self._piece(made["file"], offset), made["bytes"], too_much))
            size = stream.tell()
            if sha256_of(stream, size) != made["sha256"]:
                raise AnsibleActionFail(f"{dest} has not arrived as it was written. Run again.")
            _read_back(stream, size, dest)
        return self._told(made, dest, True)

    def _dest(self, directory: str, made: dict[str, Any], ending: str) -> str:
        training = training_asked(self._task.args)
        if not is_whole(made.get("round")) or made["round"] < 1:
            raise AnsibleActionFail("The host tells of a checkpoint without a round.")
        return os.path.join(directory, f"{training}_round_{made['round']}{ending}")

    def _told(self, made: dict[str, Any], dest: str, changed: bool) -> dict[str, Any]:
        keys = ("round", "checkpoint_sha256", "sha256", "bytes")
        known: dict[str, Any] = {key: made[key] for key in keys if key in made}
        diff = {"before": "", "after": f"{dest}\n" if changed else ""}
        return {"changed": changed, "dest": dest, "diff": diff, **known}

    def _piece(self, file: str, offset: int) -> object:
        answer = self._ask(file=file, offset=offset)
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg")))
        return answer["piece"]

    def _ask(self, **more: Any) -> dict[str, Any]:
        return self._execute_module(module_args={**self._task.args, **more}, task_vars=self._task_vars)


def _sha256(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            return sha256_of(stream, os.fstat(stream.fileno()).st_size)
    except FileNotFoundError:
        return ""


def _read_back(stream: IO[bytes], size: int, dest: str) -> None:
    """Read what has arrived as whoever gets it will."""
    if os.path.splitext(dest)[1] in (NPZ, SAFETENSORS):
        models.entries(stream, dest, size)
