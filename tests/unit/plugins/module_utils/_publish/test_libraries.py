# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing with the libraries of the places, from the locks: MLflow against its own server, the Hub against a double.

`make test-trackers` makes their environments. Without them these tests are skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._publish.gate import PublishError
from ansible_collections.fedops.flower.plugins.module_utils._publish.through_library import PlaceWithLibrary
from ansible_collections.fedops.flower.plugins.plugin_utils._program import PUBLISH

from ...hub import hub

ROOT = Path(__file__).resolve().parents[5]
VENVS = ROOT / ".cache" / "trackers"
SERVER = VENVS / "server" / "bin" / "mlflow"
TOKEN = "hf_none_may_read_this"
FILES = {"README.md": b"---\ntags: []\n---\n\n# digits\n", "curves.svg": b"<svg/>", "model.npz": os.urandom(5000)}


class Package:
    """The files of a package, as they are unpacked."""

    def __init__(self, folder: Path, number: int = 4, **files: bytes) -> None:
        self.folder = folder
        folder.mkdir()
        contents = {**FILES, **{name.replace("_", "."): content for name, content in files.items()}}
        entries = []
        for name, content in contents.items():
            (folder / name).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            entries.append({"name": name, "bytes": len(content), "sha256": digest})
        identity = hashlib.sha256(json.dumps([number, entries]).encode()).hexdigest()
        self.manifest = {
            "package": f"digits-{number}-{identity[:8]}",
            "identity": identity,
            "round": number,
            "files": entries,
            "checkpoint_sha256": "c" * 64,
            "metrics": {"loss": 0.25, "accuracy": None},
        }
        (folder / "manifest.json").write_text(json.dumps(self.manifest))

    def into(self, place: PlaceWithLibrary) -> bool:
        """Publish it as the action does; tell whether anything was brought."""
        if place.holds(self.manifest):
            return False
        place.put(str(self.folder), self.manifest)
        return True


def python_of(name: str) -> str:
    python = VENVS / name / "bin" / "python"
    if not python.exists():
        pytest.skip("make test-trackers makes the environments of the libraries")
    return str(python)


def at_the_hub(url: str, token: str = TOKEN, dest: str = "hospitals/digits") -> PlaceWithLibrary:
    options = {"dest": dest, "endpoint": url, "private": True}
    python = python_of("huggingface")
    return PlaceWithLibrary("huggingface", options, token, lambda: python, PUBLISH.build())


@pytest.fixture
def there() -> Iterator[Any]:
    with hub(TOKEN) as server:
        yield server


def test_the_hub_gets_a_package_once_in_one_commit_with_a_tag(there, tmp_path) -> None:
    place, package = at_the_hub(there.url), Package(tmp_path / "one")
    assert [package.into(place), package.into(place)] == [True, False]
    repo = there.repos["hospitals/digits"]
    assert [commit["summary"] for commit in repo["commits"]] == [f"Publish {package.manifest['package']}"]
    assert repo["private"] in (True, "private")
    assert set(repo["tags"][package.manifest["package"]]) == {".gitattributes", "manifest.json", *FILES}
    assert place.place(package.manifest) == f"{there.url}/hospitals/digits/tree/{package.manifest['package']}"
    uploads = [asked for asked in there.asked if asked.startswith("PUT ")]
    assert len(uploads) == 1  # of the large file; the small ones are in the commit


def test_another_model_takes_the_place_of_the_one_before_which_its_tag_keeps(there, tmp_path) -> None:
    place = at_the_hub(there.url)
    first, second = Package(tmp_path / "one", 4, vocabulary_json=b"{}"), Package(tmp_path / "two", 5)
    assert [first.into(place), second.into(place), first.into(place), second.into(place)] == [True, True, False, False]
    repo = there.repos["hospitals/digits"]
    assert "vocabulary.json" in repo["tags"][first.manifest["package"]]
    assert "vocabulary.json" not in repo["files"]


def test_what_ended_before_the_tag_uploads_nothing_large_again(there, tmp_path) -> None:
    place, package = at_the_hub(there.url), Package(tmp_path / "one")
    there.fault = lambda asked: "/tag/" in asked
    with pytest.raises(PublishError, match="A second run brings what is missing"):
        package.into(place)
    there.fault = None
    assert [package.into(place), package.into(place)] == [True, False]
    assert len([asked for asked in there.asked if asked.startswith("PUT ")]) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_refuses_for_long_ends_the_publication(there, tmp_path, status) -> None:
    there.fault, there.status = (lambda _asked: True), status
    began = monotonic()
    with pytest.raises(PublishError, match="Nothing can be published to http"):
        Package(tmp_path / "one").into(at_the_hub(there.url))
    assert monotonic() < began + 120


def test_files_that_nobody_published_are_not_overwritten(there, tmp_path) -> None:
    place = at_the_hub(there.url)
    Package(tmp_path / "one").into(place)
    repo = there.repos["hospitals/digits"]
    del repo["files"]["manifest.json"]
    with pytest.raises(PublishError, match=r"has curves\.svg, model\.npz, which no publication has brought"):
        Package(tmp_path / "two", 5).into(place)


def test_a_tag_with_other_files_is_told(there, tmp_path) -> None:
    place, package = at_the_hub(there.url), Package(tmp_path / "one")
    package.into(place)
    tag = there.repos["hospitals/digits"]["tags"][package.manifest["package"]]
    tag["model.npz"] = bytes(len(FILES["model.npz"]))  # of the same size
    with pytest.raises(PublishError, match="is there already and is not what would be published"):
        package.into(place)


def test_a_token_that_is_refused_is_told_and_is_in_no_message(there, tmp_path) -> None:
    wrong = at_the_hub(there.url, "hf_wrong_and_secret")
    with pytest.raises(PublishError, match="401 Unauthorized") as told:
        Package(tmp_path / "one").into(wrong)
    assert "hf_wrong" not in str(told.value)
    assert wrong.obstacle() == (f"{there.url}/hospitals/digits cannot be reached: HfHubHTTPError: Invalid user token.")


def test_a_probe_of_the_hub_leaves_nothing(there) -> None:
    assert at_the_hub(there.url).obstacle() == ""
    assert "does not exist" in at_the_hub(there.url, dest="strangers/digits").obstacle()
    assert {asked.split()[0] for asked in there.asked} == {"GET"}


# --- MLflow ---
@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory) -> Iterator[str]:
    python_of("mlflow")
    if not SERVER.exists():
        pytest.skip("make test-trackers makes the environment of MLflow's server")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(SERVER), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "files")]
    environment = {"PATH": f"{SERVER.parent}:/usr/bin:/bin", "HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    url, began = f"http://127.0.0.1:{port}", monotonic()
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            except OSError:
                assert monotonic() < began + 180, (folder / "log").read_text()[-3000:]
                sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def in_mlflow(url: str, dest: str, **options: Any) -> PlaceWithLibrary:
    python = python_of("mlflow")
    return PlaceWithLibrary("mlflow", {"dest": dest, "endpoint": url, **options}, "", lambda: python, PUBLISH.build())


OF_THE_REGISTRY = """
import json, os, sys, tempfile
os.environ["MLFLOW_TRACKING_URI"] = sys.argv[1]
import mlflow
client = mlflow.MlflowClient()
versions = client.search_model_versions(f"name = '{sys.argv[2]}'")
alias = client.get_model_version_by_alias(sys.argv[2], sys.argv[3])
folder = mlflow.artifacts.download_artifacts(f"models:/{sys.argv[2]}@{sys.argv[3]}", dst_path=tempfile.mkdtemp())
run = client.get_run(alias.run_id)
print(json.dumps([[v.version for v in versions], alias.description, sorted(os.listdir(folder)), run.info.status,
                  run.data.metrics, len(client.search_runs([run.info.experiment_id]))]))
"""


def registered(url: str, dest: str, package: str) -> Any:
    done = subprocess.run(
        [python_of("mlflow"), "-I", "-c", OF_THE_REGISTRY, url, dest, package],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_mlflow_gets_a_package_once_as_a_version_that_can_be_downloaded(mlflow_server, tmp_path) -> None:
    place, package = in_mlflow(mlflow_server, "digits"), Package(tmp_path / "one")
    assert place.obstacle() == ""
    assert [package.into(place), package.into(place)] == [True, False]
    name = package.manifest["package"]
    assert registered(mlflow_server, "digits", name) == [
        ["1"], "# digits", ["README.md", "curves.svg", "manifest.json", "model.npz"], "FINISHED", {"loss": 0.25}, 1,
    ]  # fmt: skip
    assert place.place(package.manifest) == f"models:/digits@{name}"
    assert Package(tmp_path / "two", 5).into(place)
    assert registered(mlflow_server, "digits", name)[0] == ["2", "1"]


CUT_SHORT = """
import os, sys
import mlflow
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
client.delete_registered_model_alias(sys.argv[2], sys.argv[3])
"""


def test_what_ended_before_the_alias_makes_no_second_version(mlflow_server, tmp_path) -> None:
    place, package = in_mlflow(mlflow_server, "cut"), Package(tmp_path / "one")
    package.into(place)
    name = package.manifest["package"]
    subprocess.run(
        [python_of("mlflow"), "-I", "-c", CUT_SHORT, mlflow_server, "cut", name],
        check=True, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )  # fmt: skip
    assert [package.into(place), package.into(place)] == [True, False]
    assert registered(mlflow_server, "cut", name)[0] == ["1"]


def test_an_mlflow_that_is_away_is_told(tmp_path) -> None:
    place = in_mlflow("http://127.0.0.1:9", "digits")
    with pytest.raises(PublishError, match="Nothing can be published to models:/digits: .*127.0.0.1"):
        Package(tmp_path / "one").into(place)
    assert place.obstacle().startswith("models:/digits cannot be reached: ")
