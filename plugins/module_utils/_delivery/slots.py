# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of a worker on its disk: two slots, of which a link names the one that is served, and what it remembers.

A folder of a model never changes. The link C(current) is pointed at another one by a rename, C(previous) at the one
before. Losing what is remembered costs a download and nothing else.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import shutil
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass, field

from .._base.guarded import write_bytes
from .._base.jsonable import harmless_value, loads
from .._base.records import read_object, write_object
from .channels import PACKAGE_OF

CURRENT, PREVIOUS_MODEL, INCOMING, SWITCHED = "current", "previous", "incoming", "switched"
STATE_OF_WORKER, CHANNEL_OF_WORKER = "state.json", "channel.json"
_SPARE = 256 << 20  # bytes that are left to others
_FOLDER = 0o750


@dataclass
class Slots:
    """The folder of a worker."""

    directory: str
    remembered: dict[str, t.Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("models", INCOMING):
            os.makedirs(os.path.join(self.directory, name), _FOLDER, exist_ok=True)
        usual: dict[str, t.Any] = {
            "serving": None, "previous": None, "channel": None, "serial": 0, "etag": "", "refused": [], "problem": None,
            "asked": None, "switch": None, "unproven": None,
        }  # fmt: skip
        known = read_object(self.path(STATE_OF_WORKER), {os.geteuid()}) or {}
        self.remembered = {**usual, **{key: value for key, value in known.items() if key in usual}}
        self.remembered["serving"], self.remembered["previous"] = self.link(CURRENT), self.link(PREVIOUS_MODEL)
        for name in os.listdir(self.path("models")):
            if name.startswith(".unpacking-"):  # by one that was killed
                shutil.rmtree(self.path("models", name), ignore_errors=True)

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def folder(self, package: str) -> str:
        """Return where a model lies, or is to lie."""
        return self.path("models", package)

    def remember(self, **values: t.Any) -> None:
        """Remember more, and tell whoever reads the file."""
        self.remembered.update(values)
        write_object(self.path(STATE_OF_WORKER), self.remembered, 0o640)

    def link(self, name: str) -> str | None:
        """Return the package that a link names."""
        try:
            package = os.path.basename(os.readlink(self.path("models", name)))
        except OSError:
            return None
        return package if os.path.isdir(self.folder(package)) else None

    def point(self, package: str, before: str | None) -> None:
        """Have the links name a model and the one before it, one rename each; tell units that watch."""
        for name, target in ((PREVIOUS_MODEL, before), (CURRENT, package)):
            if target not in (None, self.link(name)):
                link = self.path("models", name)
                with suppress(FileNotFoundError):
                    os.unlink(link + ".new")
                os.symlink(str(target), link + ".new")
                os.rename(link + ".new", link)
        write_bytes(self.path(SWITCHED), f"{package}\n".encode(), 0o640)
        self.remember(serving=package, previous=self.link(PREVIOUS_MODEL))

    def unpoint(self) -> None:
        """Have no link name a model, when the only one is not to be served."""
        os.unlink(self.path("models", CURRENT))
        self.remember(serving=None)

    def room_for(self, size: int) -> bool:
        """Tell whether a package of so many bytes has room, packed and unpacked."""
        there = os.statvfs(self.directory)
        return not there.f_blocks or there.f_bavail * there.f_frsize > 2 * size + _SPARE

    def refuse(self, package: str, sha256: str, serial: int, reason: str, until: float | None) -> None:
        """Remember that a package was refused, for ever or until a time."""
        others = [one for one in self.remembered["refused"] if one.get("sha256") != sha256]
        before = len(self.remembered["refused"]) != len(others) and self.refusal(sha256, serial)
        tries = before["tries"] + 1 if before else 1
        entry = {
            "package": package, "sha256": sha256, "serial": serial, "reason": reason, "tries": tries, "until": until,
            "at": now(),
        }  # fmt: skip
        self.remember(refused=[*others, entry][-20:])

    def refusal(self, sha256: str, serial: int) -> dict[str, t.Any] | None:
        """Return why a package was refused, by this switch of the channel: another one gives it another chance."""
        for one in self.remembered["refused"]:
            if (one.get("sha256"), one.get("serial")) == (sha256, serial):
                return one
        return None

    def tidy(self, wanted: str) -> None:
        """Remove models that no link names and files that nobody waits for."""
        kept = {wanted, self.link(CURRENT), self.link(PREVIOUS_MODEL)}
        for name in os.listdir(self.path("models")):
            if PACKAGE_OF.fullmatch(name) and name not in kept:
                shutil.rmtree(self.folder(name), ignore_errors=True)
        for name in os.listdir(self.path(INCOMING)):
            if name.partition(".")[0] != wanted:
                with suppress(OSError):
                    os.unlink(self.path(INCOMING, name))


def served(content: str) -> dict[str, t.Any]:
    """Say what a worker serves, by what it has written down; it is a host's own word, and read as such."""
    try:
        said = harmless_value(loads(content) if content.strip() else {})
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    package = said["serving"] if isinstance(said.get("serving"), str) else None
    channel = said.get("channel")
    wanted = channel.get("package") if isinstance(channel, dict) else None
    listed = said.get("refused")
    refused = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    is_served = wanted is not None and package == wanted and said.get("unproven") is None
    is_refused = any((one.get("package"), one.get("serial")) == (wanted, said.get("serial")) for one in refused)
    parts = [f"{package} is served" if package else "nothing is served"]
    parts += [] if package == wanted or wanted is None else [f"its channel names {wanted}"]
    parts += [f"{one.get('package')} was refused: {str(one.get('reason')).rstrip('.')}" for one in refused]
    parts += [str(said["problem"]).rstrip(".")] if said.get("problem") else []
    return {
        "package": package,
        "text": "; ".join(parts) + ".",
        "asked": said.get("asked"),
        "is_served": is_served,
        "is_settled": is_served or is_refused,
    }


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
