# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._backup.checkpoints import forget_halves, keep, place_of
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import is_whole
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.checkpoint import Checkpoint
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.directory import inspect
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import (
    LIMIT,
    CheckpointError,
    check,
    load,
)
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.names import arrays_name, manifest_name
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.trainings import directories, has_folder
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._fetching import (
    ModuleFailedError,
    expect_room,
    fetched,
)

LOOKS = 5  # at the host, until its newest checkpoint has arrived: retention may be faster than a connection
ARRIVING = ".arriving"


class ActionModule(ActionBase):
    """Have checkpoints travel in pieces, and give them their names where they are whole."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars
        if not self._task.args.get("backup"):
            return self._ask()  # the module says what is missing
        self._backup = os.path.expanduser(str(self._task.args["backup"]))
        step = self._restore if self._task.args.get("state") == "restored" else self._keep
        try:
            with errors_as(AnsibleActionFail):
                return step()
        except ModuleFailedError as failed:
            return failed.args[0]
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or self._backup} cannot be kept: {error.strerror}.") from error

    def _keep(self) -> dict[str, Any]:
        if self._task.check_mode:
            there = {(folder, found.sha256) for folder, found in self._kept()}
            looked = self._ask()
            return self._told([one for one in looked["found"] if _key(one) not in there], looked)
        try:
            return self._keep_all()
        finally:
            with suppress(ModuleFailedError):  # the next backup tries again
                self._ask(release=True)

    def _keep_all(self) -> dict[str, Any]:
        os.makedirs(self._backup, 0o700, exist_ok=True)
        there = {(folder, one.sha256) for folder, found in forget_halves(self._backup).items() for one in found}
        arrived: list[dict[str, Any]] = []
        problems: list[str] | None = None
        lost = ""
        for dummy in range(LOOKS):
            looked = self._ask()
            # What is half there because it is being saved or removed is no problem a moment later.
            seen_twice = problems is not None
            problems = [one for one in looked["problems"] if problems is None or one in problems]
            for one in reversed(looked["found"]):
                if _key(one) in there:
                    continue
                if said := self._fetch(one):
                    lost = said
                else:
                    there.add(_key(one))
                    arrived.append(one)
            newest = {one["folder"]: one for one in looked["found"]}
            newest_is_here = all(_key(one) in there for one in newest.values())
            if newest_is_here and (seen_twice or not problems):
                here = [one for one in looked["found"] if _key(one) in there]
                return self._told(arrived, {**looked, "found": here, "problems": problems})
        raise AnsibleActionFail(
            f"The newest checkpoint has not arrived, in {LOOKS} tries. {lost} The training saves faster than a"
            " checkpoint travels. Raise fl_checkpoint_keep_last or fl_checkpoint_interval, or quiesce the training"
            " (playbook fedops.flower.quiesce), and make the backup again."
        )

    def _fetch(self, one: dict[str, Any]) -> str:
        """Fetch one checkpoint; return why it is left out, or nothing. The manifest first: it is small."""
        arriving = os.path.join(self._backup, ARRIVING)
        shutil.rmtree(arriving, ignore_errors=True)
        os.mkdir(arriving, 0o700)
        try:
            limit = LIMIT
            for name in (manifest_name(one["round"]), arrays_name(one["round"])):
                target = os.path.join(arriving, name)
                self._fetch_file(one["folder"], name, target, limit)
                if name == manifest_name(one["round"]):
                    # From here on it is known how much may come, whatever the host sends.
                    manifest = load(target)
                    check(target, one["round"], manifest)
                    limit = manifest["bytes"]
                    expect_room(arriving, limit)
            keep(arriving, one["round"], place_of(self._backup, one["folder"]))
        except CheckpointError as error:
            return str(error)  # it is gone, or another has taken its place meanwhile
        finally:
            shutil.rmtree(arriving, ignore_errors=True)
        return ""

    def _fetch_file(self, folder: str, name: str, target: str, limit: int) -> None:
        """Fetch a file of so many bytes at most."""

        def ask(offset: int) -> object:
            answer = self._ask(folder=folder, file=name, offset=offset)
            if answer.get("gone"):
                raise CheckpointError(f"{name} was removed while it was being read.")
            return answer["piece"]

        too_much = CheckpointError(f"{name} has more than the {limit} bytes that it can have.")
        with open(target, "xb") as stream:
            stream.writelines(fetched(ask, limit, too_much))
            stream.flush()
            os.fsync(stream.fileno())

    def _restore(self) -> dict[str, Any]:
        looked = self._ask()
        kept = self._kept()
        present = {_key(one) for one in looked["found"]}
        # A host with others of a training has newer ones, on its disk, export or in its mirror.
        newer = {folder for folder, dummy in present - {(folder, one.sha256) for folder, one in kept}}
        wanted = [
            (folder, one)
            for folder, one in reversed(kept)
            if folder not in newer and (folder, one.sha256) not in present
        ]
        if not self._task.check_mode:
            for folder, one in wanted:
                self._send(folder, one.path, one.round)
        return self._told([{"folder": folder, "round": one.round} for folder, one in wanted], looked)

    def _kept(self) -> list[tuple[str, Checkpoint]]:
        """Return what is whole in the backup, with its folder, those of each training with the oldest first."""
        places = directories(self._backup).items()
        return [(folder, one) for folder, place in places for one in inspect(place).checkpoints]

    def _send(self, folder: str, path: str, number: int) -> None:
        shell = self._connection._shell
        staged = shell.tmpdir or self._make_tmp_path()
        for name in (arrays_name(number), manifest_name(number)):
            self._transfer_file(os.path.join(os.path.dirname(path), name), shell.join_path(staged, name))
        self._ask(staged=staged, folder=folder, round=number)

    def _ask(self, **more: Any) -> dict[str, Any]:
        answer = self._execute_module(
            module_name="fedops.flower.checkpoint_backup",
            module_args={**self._task.args, **more},
            task_vars=self._task_vars,
        )
        if answer.get("failed"):
            raise ModuleFailedError(answer)
        if "found" in answer:
            answer["found"] = [_sound(one) for one in answer["found"]]
        return answer

    def _told(self, travelled: list[dict[str, Any]], looked: dict[str, Any]) -> dict[str, Any]:
        names = [_path(one) for one in travelled]
        all_of_them = {(one["folder"], -one["round"]): _path(one) for one in (*looked["found"], *travelled)}
        after = "".join(f"{name}\n" for name in names)
        return {
            "changed": bool(names),
            "checkpoints": [all_of_them[key] for key in sorted(all_of_them)],
            "problems": looked["problems"] + looked["elsewhere"],
            "diff": {"before": "", "after": after},
        }


def _sound(one: Any) -> dict[str, Any]:
    """Return what a host says of a checkpoint, where names of files on the controller come from."""
    known = one if isinstance(one, dict) else {}
    folder, number, digest = (known.get(key) for key in ("folder", "round", "sha256"))
    is_folder = isinstance(folder, str) and (not folder or has_folder(folder))
    if not is_whole(number) or number < 1 or not isinstance(digest, str) or not is_folder:
        raise AnsibleActionFail("The host tells of a checkpoint without a folder, a round or a hash.")
    return {"folder": folder, "round": number, "sha256": digest}


def _key(one: dict[str, Any]) -> tuple[str, str]:
    """Tell checkpoints apart: two trainings may have come to the very same model."""
    return one["folder"], one["sha256"]


def _path(one: dict[str, Any]) -> str:
    return os.path.join(one["folder"], arrays_name(one["round"]))
