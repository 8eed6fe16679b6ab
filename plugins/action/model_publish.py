# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.action.model_package import ActionModule as PackageAction
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._base.options import PUBLISH_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._base.pseudonyms import SiteNames
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.checkpoint import Checkpoint
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, unpack
from ansible_collections.fedops.flower.plugins.module_utils._delivery.packing import Packing, signer_of
from ansible_collections.fedops.flower.plugins.module_utils._delivery.signature import Signer
from ansible_collections.fedops.flower.plugins.module_utils._mirror.rclone import Rclone
from ansible_collections.fedops.flower.plugins.module_utils._publish import card, gate
from ansible_collections.fedops.flower.plugins.module_utils._publish.destinations import (
    Destination,
    PublishedBucket,
    s3_environment,
)
from ansible_collections.fedops.flower.plugins.module_utils._publish.directory import PublishedDirectory
from ansible_collections.fedops.flower.plugins.module_utils._publish.environment import python_with
from ansible_collections.fedops.flower.plugins.module_utils._publish.through_library import PlaceWithLibrary, token_in
from ansible_collections.fedops.flower.plugins.module_utils._report import report
from ansible_collections.fedops.flower.plugins.module_utils._tracking.links import good_links
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as, expecting
from ansible_collections.fedops.flower.plugins.plugin_utils._fetching import ModuleFailedError, training_asked
from ansible_collections.fedops.flower.plugins.plugin_utils._program import COLLECTION, PUBLISH

LOCKS = {"huggingface": "playbooks/files/huggingface.txt", "mlflow": "roles/trackers/files/mlflow.txt"}
OF_THE_HOST = ("path", "home", "training", "ca_certificate", "ca_private_key")


class ActionModule(PackageAction):
    """Have a completed training's model travel to the controller, and from there to where it is published."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        ActionBase.run(self, tmp, task_vars)
        self._task_vars = task_vars
        _validation, self._asked = self.validate_argument_spec(PUBLISH_OPTIONS)
        try:
            with errors_as(AnsibleActionFail), tempfile.TemporaryDirectory(prefix="fedops-") as folder:
                return self._publish(folder)
        except ModuleFailedError as failed:
            return failed.args[0]
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename} cannot be published: {error.strerror}.") from error

    def _publish(self, folder: str) -> dict[str, Any]:
        asked = self._asked
        if asked["probe"]:
            return {"changed": False, "published": False, "dest": asked["dest"], "obstacle": self._obstacle()}
        rules, destination = gate.metric_rules(asked["rules"]), self._destination()
        authority, signer = Path(os.path.expanduser(asked["ca_certificate"])), self._signer()
        told = self._report()
        self._round = gate.published_round(told, asked["round"])
        answer = {"changed": False, "published": False, "training": told["training"], "round": self._round}
        if reasons := gate.withheld(told, self._round, rules):
            return {**answer, "withheld": reasons}
        found, checkpoint = self._find(folder)
        if reasons := _of_another(checkpoint, told):
            return {**answer, "withheld": reasons}
        self._draw(told, folder)
        beside, warnings = self._side_files(checkpoint, folder)
        packing = self._planned(checkpoint, beside)
        answer.update(
            withheld=[],
            warnings=warnings,
            package=packing.package,
            identity=packing.manifest["identity"],
            dest=destination.place(packing.manifest),
            checkpoint_sha256=checkpoint.sha256,
        )
        if destination.holds(packing.manifest):
            return {**answer, "published": True, "diff": _diff("")}
        if not self._task.check_mode:
            self._bring(found, packing, signer, Trust(authority.read_bytes()), destination, folder)
        return {
            **answer,
            "changed": True,
            "published": not self._task.check_mode,
            "diff": _diff(f"{answer['dest']}\n"),
        }

    def _obstacle(self) -> str:
        """Say why nothing could be published, whatever is trained; empty where it could."""
        try:
            gate.metric_rules(self._asked["rules"])
            self._signer()
            return self._destination().obstacle()
        except FedopsError as error:
            return str(error)

    def _signer(self) -> Signer:
        asked = self._asked
        certificate, key = (os.path.expanduser(asked[f"ca_{part}"]) for part in ("certificate", "private_key"))
        return signer_of(certificate, key, asked["ca_passphrase"] or "")

    def _bring(
        self,
        found: dict[str, Any],
        packing: Packing,
        signer: Signer,
        trust: Trust,
        destination: Destination,
        folder: str,
    ) -> None:
        """Pack the model, open the package as whoever gets it would, and bring its files where they are published."""
        path = os.path.join(folder, "packed", packing.file)
        self._make(found, packing, signer, path)
        os.mkdir(opened := os.path.join(folder, "opened"))
        good = unpack(path, trust, opened)
        os.unlink(path)
        destination.put(str(good.folder), good.manifest)

    def _report(self) -> dict[str, Any]:
        """Return the report of the training, as its host tells it."""
        asked = self._asked
        with errors_as(AnsibleActionFail):
            training = training_asked(asked)
        answer = self._execute_module(
            module_name="fedops.flower.training_report",
            module_args={"home": asked["home"], "training": training, "checkpoints": []},
            task_vars=self._task_vars,
        )
        if answer.get("failed") or "story" not in answer:
            raise ModuleFailedError(answer)
        self._links = good_links(answer.get("tracker_links")) if asked["tracker_url"] is None else []
        with expecting("The host tells what is no story of a training", ArithmeticError, ValueError):
            names = SiteNames(answer.get("site_names") or [])
            return report.build({**answer["story"], "training": training}, names)

    def _draw(self, told: dict[str, Any], folder: str) -> None:
        """Have the package hold a card of this report, and its curves."""
        picture = card.curves(told, self._round)
        if picture is not None:
            path = os.path.join(folder, card.CARD_CURVES)
            Path(path).write_bytes(picture)
            self._more = {card.CARD_CURVES: path}
        self._card = partial(
            card.model_card,
            report=told,
            has_curves=picture is not None,
            licence=self._asked["license"] or "",
            tracker_urls=self._tracker_urls(),
        )

    def _tracker_urls(self) -> list[str]:
        given = self._asked["tracker_url"]
        return self._links if given is None else [given] if given not in ("", "none") else []

    def _destination(self) -> Destination:
        asked, dest = self._asked, self._asked["dest"]
        if asked["to"] == "directory":
            return PublishedDirectory(os.path.abspath(os.path.expanduser(dest)))
        if asked["to"] in LOCKS:
            return self._place_with_library()
        base = dest.removeprefix("s3://").strip("/")
        return PublishedBucket(base, Rclone(f"mirror:{base}", s3_environment(asked), asked["rclone"]))

    def _place_with_library(self) -> Destination:
        asked = self._asked
        options = {name: asked[name] for name in ("dest", "endpoint", "private", "username")}
        options["ca_file"] = os.path.expanduser(asked["server_ca_file"] or "")
        return PlaceWithLibrary(
            asked["to"],
            options,
            token_in(os.path.expanduser(asked["token_file"] or "")),
            self._python,
            PUBLISH.build(),
        )

    def _python(self) -> str:
        """Return the Python that has the library, which is installed where none is given."""
        asked = self._asked
        if asked["library_python"]:
            return os.path.abspath(os.path.expanduser(asked["library_python"]))
        return python_with(
            str(COLLECTION / LOCKS[asked["to"]]),
            os.path.abspath(os.path.expanduser(asked["environments"])),
            os.path.expanduser(asked["library_wheelhouse"] or ""),
            asked["library_index_url"] or "",
        )

    def _ask(self, **more: Any) -> dict[str, Any]:
        own = {name: self._asked[name] for name in OF_THE_HOST if self._asked.get(name) is not None}
        answer = self._execute_module(
            module_name="fedops.flower.model_package",
            module_args={**own, "round": str(self._round), "dest": ".", **more},
            task_vars=self._task_vars,
        )
        if answer.get("failed"):
            raise ModuleFailedError(answer)
        return answer


def _of_another(checkpoint: Checkpoint, told: dict[str, Any]) -> list[str]:
    """Say that a checkpoint is not that of the result: somebody has trained on, or put another one there."""
    result = told["result"]
    if checkpoint.round == result["rounds"] and checkpoint.sha256 != result["sha256"]:
        return ["the checkpoint of its last round is not the one of its result"]
    if checkpoint.configuration_hash != result.get("configuration_hash", checkpoint.configuration_hash):
        return ["its checkpoint is of another configuration than its result"]
    return []


def _diff(after: str) -> dict[str, str]:
    return {"before": "", "after": after}
