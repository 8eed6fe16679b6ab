# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in repositories of the Hugging Face Hub, through its own library huggingface_hub.

The files of a package are the newest state of a repository, in one commit, and a tag of the package's name stays with
them. The tag comes last, so that a package that has one is whole.
It runs on a Python of its own that has the library.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import typing as t

from .._base.jsonable import loads
from .._delivery.contents import CARD, LONGEST_MANIFEST, PACKAGE_MANIFEST
from .destinations import PackageManifest, is_same_package
from .gate import PublishError

_TIMEOUT = 60.0  # seconds that a server may keep silent
_EVERY_REPOSITORY_HAS = (CARD, ".gitattributes")


class HuggingFaceHub:
    """A repository of models."""

    def __init__(self, options: t.Mapping[str, t.Any], token: str, scratch: str) -> None:
        os.environ.update(
            HF_HUB_DISABLE_TELEMETRY="1",
            HF_HUB_DISABLE_PROGRESS_BARS="1",
            HF_HUB_DISABLE_XET="1",  # files travel over HTTPS alone
            HF_HUB_DISABLE_IMPLICIT_TOKEN="1",
            HF_HOME=scratch,
        )
        if options.get("ca_file"):
            os.environ["SSL_CERT_FILE"] = str(options["ca_file"])
        library, client = importlib.import_module("huggingface_hub"), importlib.import_module("httpx2")
        self._errors = importlib.import_module("huggingface_hub.errors")
        # Without it the library waits for ever.
        library.set_client_factory(lambda: client.Client(follow_redirects=True, timeout=_TIMEOUT))
        self._repo, self._is_private = str(options["dest"]), bool(options.get("private", True))
        self._api = library.HfApi(endpoint=options.get("endpoint") or None, token=token or False)

    def obstacle(self) -> str:
        """Say why nothing could be published; whether the token may write there is seen only by writing."""
        name = self._api.whoami()["name"]
        try:
            self._api.list_repo_files(self._repo)
        except self._errors.RepositoryNotFoundError:
            owner = self._repo.partition("/")[0]
            known = {name, *(one.get("name") for one in self._api.whoami().get("orgs") or [])}
            if owner not in known:
                return f"the repository {self._repo} does not exist, and the token is of nobody who could make it there"
        return ""

    def holds(self, manifest: PackageManifest) -> bool:
        try:
            there = self._files(manifest["package"])
        except (self._errors.RepositoryNotFoundError, self._errors.RevisionNotFoundError):
            return False
        found = self._manifest_at(manifest["package"], there)
        if is_same_package(found, manifest) and all(_is_there(entry, there) for entry in found["files"]):
            return True
        raise PublishError(
            f"the tag {manifest['package']} of {self._repo} is there already and is not what would be published. Remove"
            " the tag, and publish again"
        )

    def put(self, folder: str, manifest: PackageManifest) -> None:
        self._api.create_repo(self._repo, private=self._is_private, exist_ok=True)
        there = self._files("main")
        former = self._manifest_at("main", there)
        former_names = {str(entry.get("name")) for entry in former.get("files", []) if isinstance(entry, dict)}
        ours = {PACKAGE_MANIFEST, *(entry["name"] for entry in manifest["files"])}
        if strange := sorted(ours & there.keys() - former_names - {PACKAGE_MANIFEST, *_EVERY_REPOSITORY_HAS}):
            raise PublishError(
                f"{self._repo} has {', '.join(strange)}, which no publication has brought. Name another repository, or"
                " remove what is there"
            )
        operation = importlib.import_module("huggingface_hub")
        commit = self._api.create_commit(
            self._repo,
            [
                *(operation.CommitOperationAdd(name, os.path.join(folder, name)) for name in sorted(ours)),
                # What an earlier model had and this one has not.
                *(operation.CommitOperationDelete(name) for name in sorted(there.keys() & former_names - ours)),
            ],
            commit_message=f"Publish {manifest['package']}",
        )
        self._api.create_tag(self._repo, tag=manifest["package"], revision=commit.oid)

    def _files(self, revision: str) -> dict[str, t.Any]:
        return {
            entry.path: entry
            for entry in self._api.list_repo_tree(self._repo, revision=revision)
            if hasattr(entry, "size")
        }

    def _manifest_at(self, revision: str, there: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the list of files of a state; nothing where it has none that could be ours."""
        if PACKAGE_MANIFEST not in there or there[PACKAGE_MANIFEST].size > LONGEST_MANIFEST:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            path = self._api.hf_hub_download(self._repo, PACKAGE_MANIFEST, revision=revision, local_dir=folder)
            with open(path, "rb") as stream:
                try:
                    found = loads(stream.read(LONGEST_MANIFEST))
                except ValueError:
                    return {}
        return found if isinstance(found, dict) and isinstance(found.get("files"), list) else {}


def _is_there(entry: t.Mapping[str, t.Any], there: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a file of a package is in a state of a repository: of large ones the Hub tells the hash."""
    found = there.get(entry["name"])
    if found is None or found.size != entry["bytes"]:
        return False
    return found.lfs is None or found.lfs.sha256 == entry.get("sha256")
