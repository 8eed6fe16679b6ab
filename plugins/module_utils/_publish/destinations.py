# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where models are published: what each place is asked, and a bucket that speaks S3.

A publication is the files of a package, in a folder of its name. What lists them comes last, so that one that is there
is whole, and nothing of it is ever brought a second time.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import io
import typing as t

from .._base.errors import FedopsError
from .._base.jsonable import loads
from .._delivery.contents import LONGEST_MANIFEST, PACKAGE_MANIFEST
from .._mirror.rclone import Rclone, RcloneError, TooLargeError
from .gate import PublishError

PackageManifest = t.Mapping[str, t.Any]


class PublishingPlace(t.Protocol):
    """What can be asked of a place where models are published."""

    def obstacle(self) -> str:
        """Say why nothing could be published here, by all that is seen without bringing anything; empty where it could.

        It is a sentence.
        """

    def holds(self, manifest: PackageManifest) -> bool:
        """Tell whether a package of this identity is there, whole."""

    def put(self, folder: str, manifest: PackageManifest) -> None:
        """Bring the files of a package there, from a folder that has them."""


class Destination(PublishingPlace, t.Protocol):
    """A place where models are published."""

    def place(self, manifest: PackageManifest) -> str:
        """Say where it is, or would be."""


class PublishedBucket:
    """A folder in a bucket, through rclone."""

    def __init__(self, base: str, rclone: Rclone) -> None:
        self._base, self._rclone = base, rclone

    def obstacle(self) -> str:
        try:
            self._rclone.list()
        except (RcloneError, TooLargeError) as error:
            return f"s3://{self._base} cannot be reached: {str(error).rstrip('.')}."
        return ""

    def place(self, manifest: PackageManifest) -> str:
        return f"s3://{self._base}/{manifest['package']}"

    def holds(self, manifest: PackageManifest) -> bool:
        try:
            there = self._rclone.list().get(manifest["package"], {})
            if PACKAGE_MANIFEST not in there:
                return False
            text = io.BytesIO()
            self._rclone.download(manifest["package"], PACKAGE_MANIFEST, text, LONGEST_MANIFEST)
            found = loads(text.getvalue())
        except (ValueError, TooLargeError):
            return False
        except RcloneError as error:
            raise self._unreachable(error) from error
        return is_same_package(found, manifest) and all(
            there.get(entry["name"]) == entry["bytes"] for entry in found.get("files", [])
        )

    def put(self, folder: str, manifest: PackageManifest) -> None:
        try:
            for name in [*(entry["name"] for entry in manifest["files"]), PACKAGE_MANIFEST]:
                self._rclone.upload(folder, name, manifest["package"])
        except RcloneError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: FedopsError) -> PublishError:
        return PublishError(
            f"Nothing can be published to s3://{self._base}: {str(error).rstrip('.')}. A second run brings what is"
            " missing."
        )


def is_same_package(found: t.Any, manifest: PackageManifest) -> bool:
    """Tell whether what lists the files that are there is that of the same package."""
    if not isinstance(found, dict) or not isinstance(found.get("files"), list):
        return False
    known = [entry for entry in found["files"] if isinstance(entry, dict) and {"name", "bytes"} <= entry.keys()]
    return found.get("identity") == manifest["identity"] and len(known) == len(found["files"]) > 0


def s3_environment(options: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return what rclone is told of a bucket's server, by the options C(s3_*)."""
    names = {
        "s3_provider": "RCLONE_CONFIG_MIRROR_PROVIDER",
        "s3_endpoint": "RCLONE_CONFIG_MIRROR_ENDPOINT",
        "s3_region": "RCLONE_CONFIG_MIRROR_REGION",
        "s3_access_key_id": "RCLONE_CONFIG_MIRROR_ACCESS_KEY_ID",
        "s3_secret_access_key": "RCLONE_CONFIG_MIRROR_SECRET_ACCESS_KEY",
        "s3_ca_file": "RCLONE_CA_CERT",
    }
    told = {variable: str(options[name]) for name, variable in names.items() if options.get(name)}
    return {"RCLONE_CONFIG_MIRROR_TYPE": "s3", **told}
