# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of models on its host: packages that never change, and channels that are switched at once.

It is a folder that any server can offer as it is: models/NAME/packages/ has the packages, models/NAME/channels/ has a
signed file for each channel, models/NAME/index.json tells what is there. All of it is root's.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.guarded import locked, make_directory, read_bytes, remove, replacing, write_bytes
from .._base.reading import pieces, sha256_of
from .._base.records import read_object, write_object
from .channels import LONGEST_CHANNEL, NAME_OF_CHANNEL, PACKAGE_OF, ChannelError, read_channel
from .contents import CERTIFICATE_ENDING, NAME_OF_PACKAGE, PACKAGE_ENDING, SIGNATURE_ENDING

MODELS_OF_REGISTRY, PACKAGES, CHANNELS, INDEX = "models", "packages", "channels", "index.json"
PARTS_OF_PACKAGE = (
    SIGNATURE_ENDING,
    CERTIFICATE_ENDING,
    "",
)  # the package last: whoever sees it finds what belongs to it
_FOLDER, _FILE = 0o750, 0o640


class RegistryError(FedopsError):
    """The registry cannot be changed as asked."""


@dataclass
class Registry:
    """The folder of one model."""

    directory: str
    model: str
    owners: tuple[int, int]  # of all that is made

    def __post_init__(self) -> None:
        if not NAME_OF_PACKAGE.fullmatch(self.model):
            raise RegistryError(f"{self.model!r} is not the name of a model: it has small letters, digits and hyphens.")

    @property
    def folder(self) -> str:
        return os.path.join(self.directory, MODELS_OF_REGISTRY, self.model)

    def package(self, name: str) -> str:
        """Return where a package lies."""
        return os.path.join(self.folder, PACKAGES, name + PACKAGE_ENDING)

    def channel(self, name: str) -> str:
        """Return where the file of a channel lies."""
        return os.path.join(self.folder, CHANNELS, f"{name}.json")

    def packages(self) -> dict[str, dict[str, t.Any]]:
        """Return what is known of each package that is there, in the order in which they were published."""
        listed = (read_object(os.path.join(self.folder, INDEX)) or {}).get("packages")
        known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return {one["package"]: one for one in known if os.path.lexists(self.package(str(one.get("package"))))}

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of a package as it lies here, when it is whole."""
        if any(not os.path.isfile(self.package(name) + ending) for ending in PARTS_OF_PACKAGE):
            return None
        with open(self.package(name), "rb") as stream:
            return sha256_of(stream, os.fstat(stream.fileno()).st_size)

    def channels(self) -> dict[str, dict[str, t.Any]]:
        """Return what each channel says."""
        folder, found = os.path.join(self.folder, CHANNELS), {}
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            name, ending = os.path.splitext(file)
            if ending == ".json" and NAME_OF_CHANNEL.fullmatch(name):
                with suppress(ChannelError):
                    found[name] = dict(vars(read_channel(read_bytes(self.channel(name), LONGEST_CHANNEL))))
        return found

    def change(
        self,
        record: t.Mapping[str, t.Any],
        arrived: str | None,
        channels: t.Mapping[str, bytes],
        keep: int,
    ) -> list[str]:
        """Publish a package, from a folder in which it has arrived, switch channels to it; return what is given up."""
        for path in (self.directory, os.path.dirname(self.folder), self.folder):
            make_directory(path, _FOLDER, self.owners)
        for name in (PACKAGES, CHANNELS):
            make_directory(os.path.join(self.folder, name), _FOLDER, self.owners)
        with locked(os.path.join(self.directory, ".lock")):
            known, before = self.packages(), self.channels()
            if arrived is not None:
                known.pop(record["package"], None)
                known[record["package"]] = {**record, "published": _now()}
                self._publish(record, arrived)
            elif record["package"] not in known:
                raise RegistryError(f"{record['package']} is not in the registry any more. Run again.")
            self._index(known, before)
            for name, content in channels.items():
                self._switch(name, content, record["package"])
            used = {one["package"] for one in (*before.values(), *self.channels().values())}
            kept = used | set(list(known)[-keep:])
            given_up = [name for name in known if name not in kept]
            self._index({name: one for name, one in known.items() if name in kept}, self.channels())
            for name in given_up:
                for ending in reversed(PARTS_OF_PACKAGE):
                    remove(self.package(name) + ending)
            return given_up

    def _publish(self, record: t.Mapping[str, t.Any], arrived: str) -> None:
        name = str(record["package"])
        if not PACKAGE_OF.fullmatch(name):
            raise RegistryError(f"{name!r} is not the name of a package.")
        for ending in PARTS_OF_PACKAGE:
            path, digest = self.package(name) + ending, hashlib.sha256()
            came = os.path.join(arrived, name + PACKAGE_ENDING + ending)
            with open(came, "rb") as source, replacing(path, _FILE, self.owners) as target:
                for piece in pieces(source, os.fstat(source.fileno()).st_size):
                    digest.update(piece)
                    target.write(piece)
                if not ending and digest.hexdigest() != record["sha256"]:
                    raise RegistryError(f"{name} has not arrived as it was sent. Run again.")
            self._date(path)

    def _switch(self, name: str, content: bytes, package: str) -> None:
        write_bytes(self.channel(name), content, _FILE, self.owners)
        self._date(self.channel(name))
        # For whoever downloads by hand, what a channel names under a name that stays.
        link = os.path.join(self.folder, CHANNELS, name + PACKAGE_ENDING)
        with suppress(FileNotFoundError):
            os.unlink(link + ".new")
        os.symlink(os.path.join("..", PACKAGES, package + PACKAGE_ENDING), link + ".new")
        os.rename(link + ".new", link)

    def _index(self, packages: t.Mapping[str, t.Any], channels: t.Mapping[str, t.Any]) -> None:
        path = os.path.join(self.folder, INDEX)
        write_object(path, {"packages": list(packages.values()), "channels": dict(channels)}, _FILE, self.owners)
        self._date(path)

    def _date(self, path: str) -> None:
        """Give a file a second of its own: to nginx, a file of the same second and size is the same file."""
        clock = os.path.join(self.directory, ".clock")
        with suppress(FileNotFoundError):
            last = int(os.stat(clock).st_mtime)
            now = max(int(time.time()), last + 1)
            os.utime(clock, (now, now))
            os.utime(path, (now, now))
            return
        write_bytes(clock, b"", _FILE, self.owners)
        self._date(path)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
