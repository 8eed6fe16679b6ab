# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in MLflow's model registry, through its own library mlflow-skinny.

A package is a version of a registered model: its files are those of a run, its alias is the name of the package. The
alias comes last, so that a package that has one is whole.
It runs on a Python of its own that has the library.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import importlib
import os
import posixpath
import tempfile
import typing as t

from .._base.jsonable import loads
from .._delivery.contents import CARD, LONGEST_MANIFEST, PACKAGE_MANIFEST
from .destinations import PackageManifest, is_same_package
from .gate import PublishError

_TIMEOUT = 60  # seconds that a server may keep silent
_TRIES = 3
_IDENTITY = "fedops.flower.identity"  # the tag by which a run and a version say what they hold
_PLACE = "model"  # of the files, in those of the run
_LONGEST_WORDS = 5000  # what a server takes as the description of a version


class MlflowRegistry:
    """A registered model."""

    def __init__(self, options: t.Mapping[str, t.Any], token: str, scratch: str) -> None:
        user = options.get("username")
        os.environ.update(
            MLFLOW_HTTP_REQUEST_MAX_RETRIES=str(_TRIES),
            MLFLOW_HTTP_REQUEST_TIMEOUT=str(_TIMEOUT),
            MLFLOW_DISABLE_TELEMETRY="true",
            MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
            DO_NOT_TRACK="true",
            **({"MLFLOW_TRACKING_USERNAME": str(user), "MLFLOW_TRACKING_PASSWORD": token} if user else {}),
            **({"MLFLOW_TRACKING_TOKEN": token} if token and not user else {}),
        )
        if options.get("ca_file"):
            os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] = str(options["ca_file"])
        self._name = str(options["dest"])
        self._error = importlib.import_module("mlflow.exceptions").MlflowException
        uri = str(options["endpoint"])
        self._client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=uri, registry_uri=uri)

    def obstacle(self) -> str:
        self._client.search_registered_models(max_results=1)
        return ""

    def holds(self, manifest: PackageManifest) -> bool:
        model = self._or_none(lambda: self._client.get_registered_model(self._name))
        version = model.aliases.get(manifest["package"]) if model else None
        if version is None:
            return False
        found = self._client.get_model_version(self._name, version)
        if found.tags.get(_IDENTITY) != manifest["identity"]:
            raise PublishError(
                f"the alias {manifest['package']} of {self._name} is there already and is not what would be published."
                " Remove the alias, and publish again"
            )
        there = self._or_none(lambda: self._files(found.run_id)) or {}
        if PACKAGE_MANIFEST not in there:
            return False
        with tempfile.TemporaryDirectory() as folder:
            path = self._client.download_artifacts(found.run_id, f"{_PLACE}/{PACKAGE_MANIFEST}", folder)
            with open(path, "rb") as stream:
                try:
                    listed = loads(stream.read(LONGEST_MANIFEST))
                except ValueError:
                    return False
        return is_same_package(listed, manifest) and all(
            there.get(entry["name"]) == entry["bytes"] for entry in listed["files"]
        )

    def put(self, folder: str, manifest: PackageManifest) -> None:
        identity = manifest["identity"]
        if self._or_none(lambda: self._client.get_registered_model(self._name)) is None:
            self._client.create_registered_model(self._name)
        run = self._run(manifest)
        there = self._or_none(lambda: self._files(run)) or {}
        for entry in manifest["files"]:
            if there.get(entry["name"]) != entry["bytes"]:
                self._client.log_artifact(run, os.path.join(folder, entry["name"]), _PLACE)
        self._client.log_artifact(run, os.path.join(folder, PACKAGE_MANIFEST), _PLACE)
        self._client.set_terminated(run)
        version = next((one for one in self._versions() if one.tags.get(_IDENTITY) == identity), None)
        if version is None:
            with open(os.path.join(folder, CARD), encoding="utf-8") as stream:
                words = stream.read().rpartition("\n---\n")[2].strip()
            version = self._client.create_model_version(
                self._name,
                source=f"{self._client.get_run(run).info.artifact_uri}/{_PLACE}",
                run_id=run,
                tags={_IDENTITY: identity, "fedops.flower.checkpoint_sha256": str(manifest["checkpoint_sha256"])},
                description=words[:_LONGEST_WORDS],
            )
        self._client.set_registered_model_alias(self._name, manifest["package"], version.version)

    def _run(self, manifest: PackageManifest) -> str:
        """Return the run that has the files: the one that an attempt before has begun, or a new one."""
        found = self._client.get_experiment_by_name(self._name)
        number = found.experiment_id if found else self._client.create_experiment(self._name)
        words = f"tags.`{_IDENTITY}` = '{manifest['identity']}'"
        if begun := self._client.search_runs([number], words, max_results=1):
            return begun[0].info.run_id
        tags = {_IDENTITY: manifest["identity"]}
        made = self._client.create_run(number, tags=tags, run_name=manifest["package"]).info.run_id
        for key, value in sorted((manifest.get("metrics") or {}).items()):
            if isinstance(value, (int, float)):
                self._client.log_metric(made, key, float(value), step=int(manifest["round"]))
        return made

    def _versions(self) -> t.Iterator[t.Any]:
        token = None
        while True:
            found = self._client.search_model_versions(f"name = '{self._name}'", page_token=token)
            yield from found
            token = found.token
            if not token:
                return

    def _files(self, run: str) -> dict[str, int]:
        entries = self._client.list_artifacts(run, _PLACE)
        return {posixpath.basename(entry.path): entry.file_size for entry in entries if not entry.is_dir}

    def _or_none(self, ask: t.Callable[[], t.Any]) -> t.Any:
        """Return the answer, or None where there is no such thing."""
        try:
            return ask()
        except self._error as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
