# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import is_whole
from ansible_collections.fedops.flower.plugins.module_utils._base.options import PACKAGE_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.checkpoint import Checkpoint
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import LIMIT
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.names import manifest_name
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.side_files import (
    LONGEST_SIDE_RECORD,
    SIDE_FILES,
    decoded,
)
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.verification import (
    read_checkpoint,
    verify_arrays,
)
from ansible_collections.fedops.flower.plugins.module_utils._delivery.contents import (
    ADAPTER_CONFIG,
    CERTIFICATE_ENDING,
    LONGEST_ADAPTER_CONFIG,
    SIGNATURE_ENDING,
    PackageError,
)
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, verify_package
from ansible_collections.fedops.flower.plugins.module_utils._delivery.packing import Packing, plan, signer_of
from ansible_collections.fedops.flower.plugins.module_utils._delivery.signature import Signer
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._fetching import (
    ModuleFailedError,
    expect_room,
    fetched,
)

OF_THE_CONTROLLER = ("files", "base_model", "base_sha256", "ca_passphrase", "name")  # nothing of it goes to the host


class ActionModule(ActionBase):
    """Have a checkpoint travel to the controller, which has the key of the authority, and pack it there."""

    _requires_connection = True
    # What publishing a package adds.
    _more: Mapping[str, str] = {}
    _card: Callable[[Mapping[str, Any]], bytes] | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars
        _validation, self._asked = self.validate_argument_spec(PACKAGE_OPTIONS)
        directory = os.path.abspath(os.path.expanduser(self._asked["dest"]))
        try:
            with errors_as(AnsibleActionFail), tempfile.TemporaryDirectory(prefix="fedops-") as folder:
                return self._package(directory, folder)
        except ModuleFailedError as failed:
            return failed.args[0]
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or directory} cannot be packed: {error.strerror}.") from error

    def _package(self, directory: str, folder: str) -> dict[str, Any]:
        authority, private_key = (
            os.path.expanduser(self._asked[f"ca_{part}"]) for part in ("certificate", "private_key")
        )
        signer = signer_of(authority, private_key, self._asked["ca_passphrase"] or "")
        trust = Trust(Path(authority).read_bytes())
        found, checkpoint = self._find(folder)
        told_of, warnings = self._side_files(checkpoint, folder)
        packing = self._planned(checkpoint, told_of)
        dest = os.path.join(directory, packing.file)
        told = {"dest": dest, "package": packing.package, "round": checkpoint.round, "warnings": warnings,
                "checkpoint_sha256": checkpoint.sha256, "side_files": sorted(told_of)}  # fmt: skip
        try:
            return {"changed": False, **told, "sha256": verify_package(dest, trust).sha256, "diff": _diff("")}
        except (PackageError, FileNotFoundError):
            pass
        if not self._task.check_mode:
            told["sha256"] = self._make(found, packing, signer, dest)
            verify_package(dest, trust)
        return {"changed": True, **told, "diff": _diff(f"{dest}\n")}

    def _find(self, folder: str) -> tuple[dict[str, Any], Checkpoint]:
        """Return what the host tells of the checkpoint, and that by its manifest alone."""
        found = self._ask()
        if not is_whole(found.get("round")) or found["round"] < 1:
            raise AnsibleActionFail("The host tells of a checkpoint without a round.")
        self._fetch(found, manifest_name(found["round"]), folder, LIMIT)
        return found, read_checkpoint(folder, found["round"])

    def _make(self, found: dict[str, Any], packing: Packing, signer: Signer, dest: str) -> str:
        """Fetch the arrays, and pack them; return the SHA-256 of the package."""
        checkpoint, directory = packing.checkpoint, os.path.dirname(dest)
        os.makedirs(directory, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".packing-", dir=directory) as work:
            arrived = Checkpoint(os.path.join(work, checkpoint.file), checkpoint.manifest)
            expect_room(work, checkpoint.manifest["bytes"])
            self._fetch(found, checkpoint.file, work, checkpoint.manifest["bytes"])
            verify_arrays(arrived)
            digest = replace(packing, checkpoint=arrived).write(work, signer)
            # The package last: whoever sees it finds what belongs to it.
            for ending in (SIGNATURE_ENDING, CERTIFICATE_ENDING, ""):
                os.replace(os.path.join(work, packing.file + ending), dest + ending)
        return digest

    def _side_files(self, checkpoint: Checkpoint, folder: str) -> tuple[dict[str, str], list[str]]:
        """Fetch what the training says goes with its model; return the files by name, and what is to be told."""
        self._fetch({}, SIDE_FILES, folder, LONGEST_SIDE_RECORD)
        text = Path(folder, SIDE_FILES).read_bytes()
        try:
            files = decoded(text, checkpoint.configuration_hash) if text else {}
        except ValueError as error:
            raise AnsibleActionFail(f"The {SIDE_FILES} of the training cannot be packed: {error}.") from error
        if files is None:
            return {}, [
                f"The files that go with the model ({SIDE_FILES}) are of another configuration than round"
                f" {checkpoint.round}, and are left out. Give those of this round as files."
            ]
        os.mkdir(inside := os.path.join(folder, "beside"))
        for name, content in files.items():
            Path(inside, name).write_bytes(content)
        return {name: os.path.join(inside, name) for name in files}, []

    def _planned(self, checkpoint: Checkpoint, told_of: dict[str, str]) -> Packing:
        if checkpoint.training != self._asked["training"]:
            raise AnsibleActionFail("The host tells of a checkpoint of another training.")
        beside = {**told_of, **_beside(self._asked["files"])}
        name = self._asked["base_model"] or _base_of(beside.get(ADAPTER_CONFIG))
        digest = self._asked["base_sha256"]
        base = {"name": name or "", "sha256": digest or ""} if self._asked["base_model"] or digest else None
        return plan(checkpoint, self._asked["name"] or checkpoint.training, base, {**self._more, **beside}, self._card)

    def _fetch(self, found: dict[str, Any], name: str, folder: str, limit: int) -> None:
        """Fetch a file of so many bytes at most."""

        def ask(offset: int) -> object:
            answer = self._ask(place=found.get("place"), file=name, offset=offset)
            if answer.get("gone"):
                raise AnsibleActionFail(
                    f"{name} was removed on the host while it was being packed, by a training that goes on. Run again,"
                    " or raise fl_checkpoint_keep_last."
                )
            return answer["piece"]

        too_much = AnsibleActionFail(f"The host sends more of {name} than the {limit} bytes that it can have.")
        with open(os.path.join(folder, name), "xb") as stream:
            stream.writelines(fetched(ask, limit, too_much))

    def _ask(self, **more: Any) -> dict[str, Any]:
        own = {key: value for key, value in self._task.args.items() if key not in OF_THE_CONTROLLER}
        answer = self._execute_module(module_args={**own, **more}, task_vars=self._task_vars)
        if answer.get("failed"):
            raise ModuleFailedError(answer)
        return answer


def _beside(given: Iterable[str]) -> dict[str, str]:
    """Return the files that go with the weights by their names, those of directories among them."""
    beside: dict[str, str] = {}
    for path in map(os.path.expanduser, given):
        inside = sorted(one.path for one in os.scandir(path) if one.is_file()) if os.path.isdir(path) else [path]
        for one in inside:
            name = os.path.basename(one)
            if name in beside:
                raise AnsibleActionFail(f"files names {name} twice: {beside[name]} and {one}.")
            beside[name] = one
    return beside


def _base_of(config: str | None) -> str:
    """Return what the configuration of an adapter calls its base model."""
    if config is None:
        return ""
    with open(config, "rb") as stream:
        text = stream.read(LONGEST_ADAPTER_CONFIG)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnsibleActionFail(f"{config} is not valid JSON.") from error
    name = found.get("base_model_name_or_path") if isinstance(found, dict) else None
    return name if isinstance(name, str) else ""


def _diff(after: str) -> dict[str, str]:
    return {"before": "", "after": after}
