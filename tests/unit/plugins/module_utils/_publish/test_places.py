# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Hub and MLflow are asked, with libraries of the shape of theirs. The real ones: test_libraries."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace as Given
from typing import Any
from unittest import mock

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._publish.at_huggingface import HuggingFaceHub
from ansible_collections.fedops.flower.plugins.module_utils._publish.gate import PublishError
from ansible_collections.fedops.flower.plugins.module_utils._publish.in_mlflow import MlflowRegistry

from .test_libraries import Package


class MissingError(Exception):
    """The server has no such thing."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class Mlflow:
    """A server of MLflow in memory."""

    def __init__(self, **_uris: str) -> None:
        self.folder = Path(os.environ["FILES"])
        self.runs: dict[str, Any] = {}
        self.models: dict[str, Any] = {}

    def search_registered_models(self, max_results: int) -> list[Any]:
        return [*self.models.values()][:max_results]

    def get_registered_model(self, name: str) -> Any:
        if name not in self.models:
            raise MissingError
        return self.models[name]

    def create_registered_model(self, name: str) -> None:
        self.models[name] = Given(aliases={}, versions=[])

    def get_experiment_by_name(self, name: str) -> Any:
        return Given(experiment_id="1") if self.runs else None

    def create_experiment(self, name: str) -> str:
        return "1"

    def search_runs(self, _numbers: list[str], words: str, max_results: int) -> list[Any]:
        return [run for run in self.runs.values() if run.identity in words][:max_results]

    def create_run(self, number: str, tags: dict[str, str], run_name: str) -> Any:
        info = Given(run_id=run_name, artifact_uri=f"mlflow-artifacts:/{run_name}")
        self.runs[run_name] = Given(info=info, identity=tags["fedops.flower.identity"], metrics={})
        (self.folder / run_name).mkdir()
        return self.runs[run_name]

    def get_run(self, run: str) -> Any:
        return self.runs[run]

    def log_metric(self, run: str, key: str, value: float, step: int) -> None:
        self.runs[run].metrics[key] = (value, step)

    def log_artifact(self, run: str, path: str, _place: str) -> None:
        shutil.copy(path, self.folder / run)

    def list_artifacts(self, run: str, place: str) -> list[Any]:
        found = sorted((self.folder / run).iterdir())
        return [Given(path=f"{place}/{one.name}", file_size=one.stat().st_size, is_dir=False) for one in found]

    def download_artifacts(self, run: str, path: str, _folder: str) -> str:
        return str(self.folder / run / os.path.basename(path))

    def set_terminated(self, run: str) -> None:
        self.runs[run].status = "FINISHED"

    def search_model_versions(self, words: str, page_token: Any) -> Any:
        class Page(list):  # type: ignore[type-arg]
            token = None

        return Page(self.models[words.split("'")[1]].versions)

    def create_model_version(self, name: str, **facts: Any) -> Any:
        versions = self.models[name].versions
        versions.append(Given(version=str(len(versions) + 1), **facts))
        return versions[-1]

    def get_model_version(self, name: str, version: str) -> Any:
        return self.models[name].versions[int(version) - 1]

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.models[name].aliases[alias] = version


class Hub:
    """A repository in memory, by its revisions."""

    def __init__(self, **_options: Any) -> None:
        self.revisions: dict[str, dict[str, bytes]] = {}

    def whoami(self) -> dict[str, Any]:
        return {"name": "flower", "orgs": [{"name": "hospitals"}]}

    def create_repo(self, _repo: str, private: bool, exist_ok: bool) -> None:
        self.revisions.setdefault("main", {".gitattributes": b""})

    def list_repo_files(self, _repo: str) -> list[str]:
        return [*self._at("main")]

    def list_repo_tree(self, _repo: str, revision: str) -> list[Any]:
        return [Given(path=name, size=len(content), lfs=None) for name, content in self._at(revision).items()]

    def hf_hub_download(self, _repo: str, name: str, revision: str, local_dir: str) -> str:
        path = Path(local_dir, name)
        path.write_bytes(self._at(revision)[name])
        return str(path)

    def create_commit(self, _repo: str, operations: list[Any], commit_message: str) -> Any:
        files = dict(self._at("main"))
        for one in operations:
            if one.path:
                files[one.name] = Path(one.path).read_bytes()
            else:
                del files[one.name]
        self.revisions["main"] = files
        return Given(oid="main")

    def create_tag(self, _repo: str, tag: str, revision: str) -> None:
        self.revisions[tag] = self._at(revision)

    def _at(self, revision: str) -> dict[str, bytes]:
        if revision not in self.revisions:
            raise MissingError
        return self.revisions[revision]


@pytest.fixture(autouse=True)
def libraries(monkeypatch, tmp_path) -> Iterator[None]:
    hub = Given(
        HfApi=Hub,
        set_client_factory=lambda make: make(),
        CommitOperationAdd=lambda name, path: Given(name=name, path=path),
        CommitOperationDelete=lambda name: Given(name=name, path=""),
    )
    errors = Given(RepositoryNotFoundError=MissingError, RevisionNotFoundError=MissingError)
    for name, value in (
        ("huggingface_hub", hub),
        ("huggingface_hub.errors", errors),
        ("httpx2", Given(Client=dict)),
        ("mlflow.exceptions", Given(MlflowException=MissingError)),
        ("mlflow.tracking", Given(MlflowClient=Mlflow)),
    ):
        monkeypatch.setitem(sys.modules, name, value)
    (tmp_path / "files").mkdir()
    with mock.patch.dict(os.environ, {"FILES": str(tmp_path / "files")}):
        yield


def brings(place: Any, package: Package) -> bool:
    if place.holds(package.manifest):
        return False
    place.put(str(package.folder), package.manifest)
    return True


def test_mlflow_has_a_version_for_each_package_and_completes_what_was_cut_short(tmp_path) -> None:
    place = MlflowRegistry({"dest": "digits", "endpoint": "https://m", "username": "me", "ca_file": "/ca"}, "word", "")
    assert (os.environ["MLFLOW_TRACKING_PASSWORD"], place.obstacle()) == ("word", "")
    first, second = Package(tmp_path / "one"), Package(tmp_path / "two", 5)
    assert [brings(place, one) for one in (first, first, second, first)] == [True, False, True, False]
    model, name = place._client.models["digits"], first.manifest["package"]
    assert [one.description for one in model.versions] == ["# digits"] * 2
    (tmp_path / "files" / name / "model.npz").write_bytes(b"cut")
    assert [brings(place, first), brings(place, first), len(model.versions)] == [True, False, 2]
    (tmp_path / "files" / name / "manifest.json").write_bytes(b"{")
    assert [brings(place, first), brings(place, first), len(model.versions)] == [True, False, 2]
    model.versions[0].tags["fedops.flower.identity"] = "another"
    with pytest.raises(PublishError, match="the alias .* is there already and is not what would be published"):
        brings(place, first)


def test_the_hub_has_a_tag_for_each_package_and_keeps_what_is_not_ours(tmp_path) -> None:
    place = HuggingFaceHub({"dest": "hospitals/digits", "ca_file": "/ca"}, "token", str(tmp_path))
    assert place.obstacle() == ""
    first, second = Package(tmp_path / "one", 4, vocabulary_json=b"{}"), Package(tmp_path / "two", 5)
    assert [brings(place, one) for one in (first, first)] == [True, False]
    place._api.revisions["main"]["LICENSE"] = b"by hand"
    assert [brings(place, one) for one in (second, first)] == [True, False]
    assert set(place._api.revisions["main"]) & {"LICENSE", "vocabulary.json"} == {"LICENSE"}
    place._api.revisions["main"]["manifest.json"] = b"{"
    with pytest.raises(PublishError, match=r"has curves\.svg, model\.npz, which no publication has brought"):
        brings(place, Package(tmp_path / "three", 6))
    del place._api.revisions[first.manifest["package"]]["model.npz"]
    with pytest.raises(PublishError, match="the tag .* is there already and is not what would be published"):
        brings(place, first)
    strange = HuggingFaceHub({"dest": "strangers/digits"}, "token", str(tmp_path))
    assert "the token is of nobody who could make it there" in strange.obstacle()
