# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._base.options import PROMOTE_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._delivery.channels import (
    HIGHEST_SERIAL,
    LATEST_CHANNEL,
    NAME_OF_CHANNEL,
    PACKAGE_OF,
    Channel,
)
from ansible_collections.fedops.flower.plugins.module_utils._delivery.contents import PACKAGE_ENDING
from ansible_collections.fedops.flower.plugins.module_utils._delivery.gate import Gate
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, verify_package
from ansible_collections.fedops.flower.plugins.module_utils._delivery.packing import signer_of
from ansible_collections.fedops.flower.plugins.module_utils._delivery.registry import PARTS_OF_PACKAGE
from ansible_collections.fedops.flower.plugins.module_utils._delivery.signature import Signer
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._fetching import ModuleFailedError

OF_THE_CONTROLLER = ("ca_certificate", "ca_private_key", "ca_passphrase")  # nothing of it goes to the host


@dataclass(frozen=True)
class Asked:
    """What is to be promoted: a package on the controller, or one that is in the registry."""

    model: str
    package: str = ""  # empty: what the channel names
    path: str = ""
    from_channel: str = ""


class ActionModule(ActionBase):
    """Verify a package and sign what channels say of it here, and have the host publish both."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars
        _validation, self._asked = self.validate_argument_spec(PROMOTE_OPTIONS)
        try:
            with errors_as(AnsibleActionFail):
                return self._promote(_read(self._asked))
        except ModuleFailedError as failed:
            return failed.args[0]
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename} cannot be read: {error.strerror}.") from error

    def _promote(self, asked: Asked) -> dict[str, Any]:
        authority, private_key = (
            os.path.expanduser(self._asked[f"ca_{part}"]) for part in ("certificate", "private_key")
        )
        signer = signer_of(authority, private_key, self._asked["ca_passphrase"] or "")
        record = _described(asked.path, Path(authority).read_bytes()) if asked.path else None
        found = self._ask(asked, package=asked.package or None)
        if record is None:
            record = self._known(asked, found)
        channels = self._asked["channels"]
        self._gate(record, found, channels)
        before = {name: one.get("package") for name, one in found["known_channels"].items()}
        missing = found["digest"] != record["sha256"]
        switched = {
            name: before.get(name)
            for name in dict.fromkeys([*channels, *([LATEST_CHANNEL] if asked.path and missing else [])])
            if before.get(name) != record["package"]
        }
        told = {"package": record["package"], "model": asked.model, "sha256": record["sha256"], "removed": []}
        if (missing or switched) and not self._task.check_mode:
            serial = self._serial(found)
            texts = {name: _sealed(record, asked.model, name, serial, signer) for name in switched}
            arrived = self._send(asked.path, record["package"]) if missing else None
            told["removed"] = self._ask(asked, record=record, arrived=arrived, switched=texts)["removed"]
        return {
            "changed": bool(missing or switched),
            **told,
            "switched": switched,
            "diff": {
                "before": _named(before),
                "after": _named({**before, **dict.fromkeys(switched, record["package"])}),
            },
        }

    def _known(self, asked: Asked, found: dict[str, Any]) -> dict[str, Any]:
        """Return what the registry knows of a package that it has already."""
        name = asked.package or found["known_channels"].get(asked.from_channel, {}).get("package")
        record = found["packages"].get(name)
        if record is None:
            raise AnsibleActionFail(
                f"The channel {asked.from_channel} of {asked.model} names no package in the registry."
                if asked.from_channel
                else f"{name} is not in the registry. Name the file of the package on the controller to publish it."
            )
        if found["digest"] != record["sha256"]:
            raise AnsibleActionFail(
                f"{name} is damaged in the registry. Publish it again from its file on the controller."
            )
        return record

    def _gate(self, record: dict[str, Any], found: dict[str, Any], channels: list[str]) -> None:
        gate = Gate(*(self._asked[name] for name in ("min_accuracy", "max_loss", "tolerance", "worse")))
        problems: dict[str, None] = {}
        for channel in channels:
            former = found["known_channels"].get(channel, {}).get("package", "")
            before = found["packages"].get(former, {}).get("metrics") if former != record["package"] else None
            if channel != LATEST_CHANNEL:
                problems.update(dict.fromkeys(gate.problems(record["package"], record["metrics"], former, before)))
        if problems:
            raise AnsibleActionFail("\n".join(problems))

    def _serial(self, found: dict[str, Any]) -> int:
        """Return a number above that of every switch so far, also of those that a lost registry has had."""
        serial = max([int(time.time()), *(one["serial"] + 1 for one in found["known_channels"].values())])
        if serial > HIGHEST_SERIAL:
            raise AnsibleActionFail("The registry tells of more switches than there can have been.")
        return serial

    def _send(self, path: str, package: str) -> str:
        remote = self._make_tmp_path()
        for ending in PARTS_OF_PACKAGE:
            name = package + PACKAGE_ENDING + ending
            self._transfer_file(path + ending, self._connection._shell.join_path(remote, name))
        return remote

    def _ask(self, asked: Asked, **more: Any) -> dict[str, Any]:
        own = {key: value for key, value in self._task.args.items() if key not in OF_THE_CONTROLLER}
        arguments = {**own, "ca_certificate": "", "ca_private_key": "", "name": asked.model, **more}
        answer = self._execute_module(module_args=arguments, task_vars=self._task_vars)
        if answer.get("failed"):
            raise ModuleFailedError(answer)
        return answer


def _read(given: dict[str, Any]) -> Asked:
    """Return what is asked for; say everything that is wrong with it at once."""
    problems = [
        f"channels names {name!r}, but a channel has 1 to 20 small letters, digits and hyphens, and begins with a"
        " letter."
        for name in given["channels"]
        if not NAME_OF_CHANNEL.fullmatch(name)
    ]
    if not given["channels"]:
        problems.append("channels is empty. Name one, such as stable.")
    package, channel = given["package"] or "", given["from_channel"] or ""
    if bool(package) == bool(channel):
        problems.append("Name what to promote: package, or from_channel with model, and not both.")
    path = os.path.abspath(os.path.expanduser(package)) if package.endswith(PACKAGE_ENDING) else ""
    name = os.path.basename(package)[: -len(PACKAGE_ENDING)] if path else package
    found = PACKAGE_OF.fullmatch(name)
    if package and not found:
        problems.append(f"package is {package}, which is not called as a package is: NAME-ROUND-HASH8{PACKAGE_ENDING}.")
    model = found[1] if found else given["model"] or ""
    if channel and not model:
        problems.append("model is not set. Set it to the model whose channel from_channel is.")
    if given["keep"] < 1:
        problems.append(f"keep is {given['keep']} but must be at least 1.")
    if problems:
        raise AnsibleActionFail("\n".join(problems))
    return Asked(model, name, path, channel)


def _described(path: str, authority: bytes) -> dict[str, Any]:
    """Return what the registry is told of a package, once that has been verified."""
    opened = verify_package(path, Trust(authority))
    said = opened.manifest
    told = {key: said[key] for key in ("package", "round", "training", "kind", "metrics", "base_model", "saved")}
    return {**told, "sha256": opened.sha256, "bytes": os.path.getsize(path)}


def _sealed(record: dict[str, Any], model: str, channel: str, serial: int, signer: Signer) -> str:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    said = Channel(model, channel, record["package"], record["sha256"], record["bytes"], serial, since)
    return said.sealed(signer).decode("ascii")


def _named(channels: dict[str, Any]) -> str:
    return "".join(f"{name}: {package}\n" for name, package in sorted(channels.items()))
