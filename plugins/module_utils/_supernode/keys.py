# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of the SuperNodes of a host: born there, never replaced, and gone only with their SuperNode.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import os
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass

from .._base import guarded
from .._base.errors import FedopsError
from .._base.files import Directory, File, has_attributes, remove_empty, set_attributes
from .._flower.assumptions import CURVES
from .place import Place

# Flower registers a key in PEM as well, and then cannot use it.
_OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----"
_LARGEST = 64 << 10  # bytes of a key
_ROOT = (0, 0)


class KeysError(FedopsError):
    """A key cannot be made or used; the message says why and what to do."""


@dataclass(frozen=True)
class Key:
    """The key of one SuperNode. In check mode one that would be made has no public key yet."""

    name: str
    public_key: str
    changed: bool = False


class Keys:
    """The keys below C(<home>/certificates). ``host`` is the name of a SuperNode that is the only one of its host.

    They belong to root; systemd hands each to the SuperNode that it is of.
    """

    def __init__(self, home: str, host: str, check_mode: bool = False) -> None:
        self.home = home
        self.host = host
        self.check_mode = check_mode

    def ensure(self, instances: t.Sequence[str]) -> list[Key]:
        """Have a key for each instance, or for the only SuperNode when there is none."""
        places = [Place(self.home, instance) for instance in instances or [""]]
        # All of them are looked at before one is made.
        found = [self._read(place) if os.path.exists(place.key) else None for place in places]
        return [self._ensure(place, public) for place, public in zip(places, found)]

    def left(self, instances: t.Sequence[str]) -> list[Key]:
        """Return the keys of SuperNodes that the host had and is not to have."""
        return [Key(self._name(place), self._public_line(place)) for place in self._left(instances)]

    def purge(self, instances: t.Sequence[str]) -> None:
        """Remove those keys: an unregistered key is of no use any more."""
        if self.check_mode:
            return
        for place in self._left(instances):
            for path in (place.key, f"{place.key}.pub"):
                if os.path.lexists(path):
                    os.unlink(path)
            if place.instance:
                remove_empty(os.path.dirname(place.key))

    def _left(self, instances: t.Sequence[str]) -> list[Place]:
        single = Place(self.home)
        found = [single] if os.path.exists(single.key) else []
        for path in sorted(glob.glob(Place(glob.escape(self.home), "*").key)):
            found.append(Place(self.home, os.path.basename(path)[: -len(".key")]))
        wanted = {Place(self.home, instance) for instance in instances or [""]}
        return [place for place in found if place not in wanted]

    def _ensure(self, place: Place, public: str | None) -> Key:
        name = self._name(place)
        if public is None:
            return Key(name, "" if self.check_mode else self._make(place), changed=True)
        line = f"{public} {name}\n"
        file = File(f"{place.key}.pub", line)
        # Its comment may be any.
        told = " ".join((file.found or "").split()[:2]) == public
        owned = told and has_attributes(place.key, 0o600, *_ROOT) and has_attributes(file.path, 0o644, *_ROOT)
        if not self.check_mode:
            if place.instance:
                Directory(os.path.dirname(place.key)).make()
            if not owned:
                if not told:
                    file.write()
                set_attributes(file.path, 0o644, *_ROOT)
                # As a new file: whoever owned the old one may hold it open.
                guarded.write_bytes(place.key, guarded.read_bytes(place.key, _LARGEST), 0o600, _ROOT)
        return Key(name, line.strip(), changed=not owned)

    def _make(self, place: Place) -> str:
        parent = os.path.dirname(place.key)
        if place.instance:
            Directory(parent).make()
        with tempfile.TemporaryDirectory(prefix=".key-", dir=parent) as work:
            born = os.path.join(work, "key")
            _ssh_keygen("-q", "-t", "ecdsa", "-b", "384", "-N", "", "-C", self._name(place), "-f", born)
            set_attributes(born, 0o600, *_ROOT)
            set_attributes(f"{born}.pub", 0o644, *_ROOT)
            # The private key last: where it is, the other half is.
            os.replace(f"{born}.pub", f"{place.key}.pub")
            os.replace(born, place.key)
        return self._public_line(place)

    def _read(self, place: Place) -> str:
        """Return the public half of a private key, type and content; refuse one that Flower cannot use."""
        advice = (
            "It is the identity of a SuperNode and is not replaced. Put the right key there,"
            f" or remove {place.key} to have a new one made."
        )
        with open(place.key, encoding="utf-8", errors="replace") as stream:
            if not stream.readline().startswith(_OPENSSH):
                raise KeysError(f"{place.key} is not a private key in OpenSSH form, which Flower needs. {advice}")
        try:
            words = _ssh_keygen("-y", "-P", "", "-f", place.key).split()
        except KeysError as error:
            raise KeysError(f"{place.key} is damaged or has a passphrase: {error} {advice}") from None
        if words[0] not in CURVES:
            raise KeysError(f"{place.key} is a key of type {words[0]}, but Flower takes {', '.join(CURVES)}. {advice}")
        return " ".join(words[:2])

    def _public_line(self, place: Place) -> str:
        return (File(f"{place.key}.pub", "").found or "").strip()

    def _name(self, place: Place) -> str:
        return place.instance or self.host


def _ssh_keygen(*arguments: str) -> str:
    try:
        done = subprocess.run(["ssh-keygen", *arguments], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise KeysError("ssh-keygen does not exist on this host. Install the package openssh-client.") from None
    if done.returncode != 0:
        raise KeysError(f"ssh-keygen says '{(done.stderr or done.stdout).strip()}'.")
    return done.stdout
