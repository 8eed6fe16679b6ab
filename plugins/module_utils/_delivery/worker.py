# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a channel: what it names is downloaded, verified, unpacked, tried, and served, or else refused by name.

Each pass goes as far as it can and begins where the last one has ended; what cannot be done now is done in a later one.
Whatever fails, the model that is served stays, or comes back.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.guarded import read_bytes, write_bytes
from .._base.reading import sha256_of
from .channels import LONGEST_CHANNEL, Channel, ChannelError, open_channel
from .contents import CERTIFICATE_ENDING, PACKAGE_ENDING, SIGNATURE_ENDING, PackageError
from .opening import Trust, unpack
from .reader import RegistryAwayError, RegistryReader
from .server import ModelRefusedError, ModelServer, ServerAwayError
from .signature import LONGEST_CERTIFICATE, LONGEST_SIGNATURE
from .slots import CHANNEL_OF_WORKER, INCOMING, Slots, now

_SOONEST, _LATEST = 60.0, 3600.0  # seconds until what was damaged is fetched again
_BAD_IN_A_ROW = 3  # looks that find a server in trouble, before that is the new model's
_LOOK = 1.0  # seconds between two looks
_BACK_SECONDS = 120.0  # that a server has to come back after a model that it could not bear


@dataclass
class Worker:
    """One model on one host, from a channel to a server."""

    model: str
    channel: str
    registry: RegistryReader
    server: ModelServer
    slots: Slots
    trust: Trust
    say: t.Callable[[str], t.Any]
    watch_seconds: float = 10.0
    wait_seconds: float = 0.0  # that a unit has to come back with another model, where it is told by the link
    sleep: t.Callable[[float], t.Any] = time.sleep

    def pass_once(self) -> None:
        """Do what there is to do; remember what keeps it from being done."""
        problem = None
        try:
            wanted = self._wanted()
            if wanted is not None:
                self._follow(wanted)
        except (RegistryAwayError, ServerAwayError, ChannelError, OSError) as error:
            problem = str(error)
            if problem != self.slots.remembered["problem"]:
                self.say(problem)
        self.slots.remember(problem=problem)

    def _wanted(self) -> Channel | None:
        """Return what the channel says: now, or as it was read last while the registry is away."""
        place, authority = self.slots.path(CHANNEL_OF_WORKER), self.trust.authority
        with suppress(FileNotFoundError):
            known = open_channel(read_bytes(place, LONGEST_CHANNEL), authority, self.model, self.channel)
            etag = self.slots.remembered["etag"]
            try:
                answer = self.registry.read(self._path("channels", f"{self.channel}.json"), LONGEST_CHANNEL, etag)
            except RegistryAwayError:
                if not self._is_unfinished(known):
                    raise
                return known  # its files may be here
            return known if answer.content is None else self._take(answer.content, answer.etag)
        answer = self.registry.read(self._path("channels", f"{self.channel}.json"), LONGEST_CHANNEL)
        return self._take(answer.content or b"", answer.etag)

    def _is_unfinished(self, known: Channel) -> bool:
        return known.package != self.slots.remembered["serving"] and os.path.exists(self._incoming(known.package))

    def _take(self, content: bytes, etag: str) -> Channel:
        said = open_channel(content, self.trust.authority, self.model, self.channel)
        if said.serial < self.slots.remembered["serial"]:
            raise ChannelError(
                f"The channel {self.channel} of {self.model} is refused: it is an earlier one than was read before."
            )
        write_bytes(self.slots.path(CHANNEL_OF_WORKER), content, 0o640)
        told = {"package": said.package, "serial": said.serial, "since": said.since}
        self.slots.remember(channel=told, serial=said.serial, etag=etag)
        return said

    def _follow(self, wanted: Channel) -> None:
        self.slots.remember(asked=now())
        if wanted.package == self.slots.remembered["serving"] != self.slots.remembered["unproven"]:
            self._expect_served(wanted.package)
            return
        refused = self.slots.refusal(wanted.sha256, wanted.serial)
        if refused and (refused["until"] is None or time.time() < refused["until"]):
            return
        began = time.monotonic()
        try:
            folder = self._fetch(wanted)
            fetched = time.monotonic()
            self._serve(wanted.package, folder)
        except (PackageError, _DamagedError) as error:
            tries = (refused or {}).get("tries", 0)
            self._refuse(wanted, str(error), time.time() + min(_LATEST, _SOONEST * 2**tries))
        except ModelRefusedError as error:
            self._refuse(wanted, str(error), None)
        else:
            took = {
                "fetched_seconds": round(fetched - began, 2),
                "switched_seconds": round(time.monotonic() - fetched, 2),
            }
            self.slots.remember(switch={"package": wanted.package, "at": now(), **took})
            self.say(f"{wanted.package} is served.")
        self.slots.tidy(wanted.package)

    def _refuse(self, wanted: Channel, reason: str, until: float | None) -> None:
        self.slots.refuse(wanted.package, wanted.sha256, wanted.serial, reason, until)
        stays = self.slots.remembered["serving"]
        self.say(f"{wanted.package} is refused: {reason.rstrip('.')}. {stays or 'Nothing'} is served.")

    def _fetch(self, wanted: Channel) -> str:
        """Return the folder of a package, downloaded, verified and unpacked."""
        folder, path = self.slots.folder(wanted.package), self._incoming(wanted.package)
        if os.path.isdir(folder):
            return folder  # it got its name when all of it was good
        if wanted.size > self.trust.most:
            raise PackageError(f"{wanted.package} has {wanted.size} bytes, and {self.trust.most} are taken.")
        if not self.slots.room_for(wanted.size):
            raise RegistryAwayError(f"{self.slots.directory} has no room for {wanted.package}, of {wanted.size} bytes.")
        file = wanted.package + PACKAGE_ENDING
        for ending, most in ((SIGNATURE_ENDING, LONGEST_SIGNATURE), (CERTIFICATE_ENDING, LONGEST_CERTIFICATE)):
            answer = self.registry.read(self._path("packages", file + ending), most)
            write_bytes(path + ending, answer.content or b"", 0o640)
        self.registry.download(self._path("packages", file), path, wanted.size)
        with open(path, "rb") as stream:
            digest = sha256_of(stream, wanted.size)
        try:
            if digest != wanted.sha256:
                raise _DamagedError("its bytes are not those that the channel names")
            unpack(path, self.trust, self.slots.path("models"))
        finally:  # good or not, it is not needed any more
            for ending in ("", SIGNATURE_ENDING, CERTIFICATE_ENDING):
                with suppress(FileNotFoundError):
                    os.unlink(path + ending)
        return folder

    def _serve(self, package: str, folder: str) -> None:
        """Switch the server to a model, and back when it does not do."""
        if self.slots.remembered["serving"] != package:
            self.server.check_before(folder)
            if not self.wait_seconds:
                self.server.reload(package)
            self.slots.remember(unproven=package)  # one that is killed from here on looks at the server once more
            self.slots.point(package, self.slots.remembered["serving"])
        before = self.slots.remembered["previous"]
        try:
            self._expect_healthy(package, folder)
        except (ModelRefusedError, ServerAwayError) as error:
            if before is None:
                self.slots.unpoint()
                raise ModelRefusedError(f"{str(error).rstrip('.')}; there is none to go back to") from error
            self._go_back(before)
            raise ModelRefusedError(f"{str(error).rstrip('.')}; {before} is served again") from error
        finally:
            self.slots.remember(unproven=None)

    def _expect_healthy(self, package: str, folder: str) -> None:
        """Look at the server for a while after a switch."""
        self._wait_for(package, self.wait_seconds)
        end, bad = time.monotonic() + self.watch_seconds, 0
        while True:
            try:
                self.server.check_after(package, folder)
                bad = 0
            except (ModelRefusedError, ServerAwayError):
                bad += 1
                if bad == _BAD_IN_A_ROW:
                    raise
            if not bad and time.monotonic() >= end:
                return
            self.sleep(_LOOK)

    def _wait_for(self, package: str, seconds: float) -> None:
        """Wait until the server says that it serves a model, where it takes its time."""
        end = time.monotonic() + seconds
        while self.server.address and time.monotonic() < end:
            with suppress(ModelRefusedError, ServerAwayError):
                if self.server.version() == package:
                    return
            self.sleep(_LOOK)

    def _go_back(self, before: str) -> None:
        """Have the model of before served again; its link is right whatever the server does."""
        self.slots.point(before, None)
        end = time.monotonic() + _BACK_SECONDS
        while True:
            try:
                if not self.wait_seconds:
                    self.server.reload(before)
                self._wait_for(before, self.wait_seconds)
                return
            except (ModelRefusedError, ServerAwayError) as error:
                if time.monotonic() >= end:
                    self.say(f"{before} cannot be served again: {error}")
                    return
                self.sleep(_LOOK)

    def _expect_served(self, package: str) -> None:
        """Tell a server again that serves another model than the link names, as one does that has just begun."""
        if self.server.address and not self.wait_seconds and self.server.version() != package:
            self.server.reload(package)

    def _incoming(self, package: str) -> str:
        return self.slots.path(INCOMING, package + PACKAGE_ENDING)

    def _path(self, *names: str) -> str:
        return "/".join((self.model, *names))


class _DamagedError(FedopsError):
    """What has arrived is not what a channel names; the message says how, as the end of a sentence."""
