# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching the newest whole checkpoint of a training from the mirror, for a host that has none.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
import typing as t
from contextlib import contextmanager
from datetime import datetime, timezone

from .._base.errors import FedopsError
from .._base.identity import as_checkpoint_owner
from .._checkpoint.checkpoint import Checkpoint, label_of
from .._checkpoint.directory import latest_good
from .._checkpoint.lock import LOCK_BUDGET, open_lock, take_lock
from .._checkpoint.manifest import LIMIT, CheckpointError, check, load
from .._checkpoint.names import PREVIOUS, arrays_name, manifest_name
from .._checkpoint.verification import verify
from .._config.code import GOES_ON, is_same_code
from .._storage.probe import sync
from .rclone import RcloneError
from .rules import Listing, rounds
from .seal import SEAL_LENGTH, is_sealed, seal_name

STAGING = ".fetch-"


class FetchError(FedopsError):
    """Nothing can be fetched as things are; the message says why and what to do."""


class UnsealedError(FetchError):
    """The mirror has checkpoints of a training, and none of them has a seal that counts."""

    def __init__(self, training: str, rounds: t.Sequence[int], has_secret: bool) -> None:
        shown = ", ".join(map(str, rounds[:5])) + (f" and {len(rounds) - 5} more" if len(rounds) > 5 else "")
        secret = "of this host's secret" if has_secret else "that can be verified, as this host has no secret"
        super().__init__(
            f"The mirror has the training {training} (round {shown}), but not with a seal {secret}."
            " Whoever writes the bucket could have put it there. Nothing was begun. Restore the backup of the host that"
            " has mirrored it, which holds the secret, or set checkpoints_mirror_seal_secret to what was set there."
            " What an older release has mirrored has no seal: if you trust all who write the bucket, set"
            " checkpoints_mirror_accept_unsealed to true for this one time. Or set fl_resume to never to begin anew."
        )


class Bucket(t.Protocol):
    """What a mirror is asked."""

    def list(self) -> Listing:
        """Return what lies in the folders."""

    def download(self, folder: str, name: str, target: t.IO[bytes], limit: int) -> None:
        """Write a file to an open one."""


class Fetcher:
    """A directory without a good checkpoint of a training, and the mirror that may have one."""

    def __init__(
        self,
        directory: str,
        training: str,
        configuration_hash: str,
        bucket: Bucket,
        secret: bytes | None,
        sealed: bool,
        code: str = "",
        code_change: str = "",
    ) -> None:
        """Take the secret of the seals, whether they are asked for at all, and the code that the training has."""
        self.directory, self.training, self.configuration_hash = directory, training, configuration_hash
        self.bucket, self.secret, self.sealed = bucket, secret, sealed
        self.code, self.code_change = code, code_change
        self.problems: list[str] = []
        self._unsealed: list[int] = []
        self._seen = ""  # code of the newest checkpoint that tells it

    @property
    def local(self) -> Checkpoint | None:
        """Return the checkpoint that the training would go on from without the mirror."""
        with as_checkpoint_owner():
            found = latest_good(self.directory, self.configuration_hash, self.training)
        return found if found and is_same_code(found.code, self.code, self.code_change) else None

    def offered(self) -> list[int]:
        """Return the rounds that the mirror has, newest first; whether they are whole is seen when they are here."""
        return [number for dummy, number, files in self._offers()]

    def fetch(self, budget: float = LOCK_BUDGET) -> Checkpoint | None:
        """Bring the newest whole checkpoint into the directory and return it; None when the mirror has none."""
        offers = self._offers()
        if not offers:
            return None
        with self._locked(budget), self._staging() as staging:
            for folder, number, files in offers:
                try:
                    self._download(folder, number, staging, files)
                except CheckpointError as error:
                    self.problems.append(str(error).replace(staging, f"The mirror's {folder}"))
                    continue
                found = self._placed(number, staging)
                self._bring_best(folder, found, staging, files)
                return found
        if self._unsealed:
            raise UnsealedError(self.training, self._unsealed, self.secret is not None)
        return None

    def _placed(self, number: int, staging: str) -> Checkpoint:
        with as_checkpoint_owner():
            self._place(number, staging)
            return verify(os.path.join(self.directory, arrays_name(number)))

    def _bring_best(self, folder: str, newest: Checkpoint, staging: str, files: t.Mapping[str, int]) -> None:
        """Bring the best model too, where early stopping has one; nothing goes on from it, so it may be missing."""
        number = newest.best_round
        if number in (0, newest.round) or number not in rounds(files):
            return
        try:
            with as_checkpoint_owner():
                if os.path.lexists(os.path.join(self.directory, arrays_name(number))):
                    return
            self._download(folder, number, staging, files)
            self._placed(number, staging)
        except (CheckpointError, FetchError) as error:
            self.problems.append(str(error).replace(staging, f"The mirror's {folder}"))
        except RcloneError as error:
            self.problems.append(f"The mirror's {folder}/{arrays_name(number)} cannot be read: {error}.")

    def _offers(self) -> list[tuple[str, int, t.Mapping[str, int]]]:
        """Return each round that the mirror has, with its folder and what lies there, in the order to be tried."""
        return [
            (folder, number, files) for folder, files in self._folders().items() for number in reversed(rounds(files))
        ]

    def _folders(self) -> dict[str, t.Mapping[str, int]]:
        """Return the folders that may hold the training: that of its code, then that of before there were such hashes.

        One that goes on with other code is in the folder of the code that it began with.
        """
        listing, plain = self.bucket.list(), label_of(self.training, self.configuration_hash)
        wanted = [label_of(self.training, self.configuration_hash, self.code), plain]
        if not self.code or self.code_change == GOES_ON:
            wanted += sorted(name for name in listing if re.fullmatch(rf"{re.escape(plain)}\.[0-9a-f]{{8}}", name))
        return {name: listing[name] for name in wanted if name in listing}

    def _download(self, folder: str, number: int, staging: str, files: t.Mapping[str, int]) -> None:
        """Bring a checkpoint and verify it. What is small comes first, the arrays when the seal says whose they are."""
        seal = io.BytesIO()
        if self.sealed and seal_name(number) not in files:
            self._refuse_seal(folder, number, "has no seal")
        self._bring(folder, manifest_name(number), staging, LIMIT)
        if self.sealed:
            self.bucket.download(folder, seal_name(number), seal, SEAL_LENGTH)
        with as_checkpoint_owner():
            path = os.path.join(staging, manifest_name(number))
            manifest = load(path)
            check(path, number, manifest)
        checkpoint = Checkpoint(os.path.join(staging, arrays_name(number)), manifest)
        self._check(checkpoint)
        if self.sealed and not is_sealed(checkpoint, self.secret, seal.getvalue()):
            self._refuse_seal(folder, number, "has no seal of this host's secret")
        if files[arrays_name(number)] != manifest["bytes"]:
            raise CheckpointError(
                f"{checkpoint.path} is damaged: it has {files[arrays_name(number)]} bytes, its manifest says"
                f" {manifest['bytes']}."
            )
        with as_checkpoint_owner():
            there = os.statvfs(staging)
        if manifest["bytes"] > there.f_bavail * there.f_frsize:
            raise FetchError(f"{self.directory} has no room for {arrays_name(number)}, of {manifest['bytes']} bytes.")
        self._bring(folder, arrays_name(number), staging, manifest["bytes"])
        with as_checkpoint_owner():
            self._check(verify(checkpoint.path))

    def _refuse_seal(self, folder: str, number: int, said: str) -> t.NoReturn:
        self._unsealed.append(number)
        raise CheckpointError(f"The mirror's {folder}/{arrays_name(number)} {said}.")

    def _bring(self, folder: str, name: str, staging: str, limit: int) -> None:
        # Opened as the account, which owns what it will hold; rclone itself needs a file of root's.
        with as_checkpoint_owner():
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            target = os.open(os.path.join(staging, name), flags, 0o640)
        with open(target, "wb") as stream:
            self.bucket.download(folder, name, stream, limit)
            stream.flush()
            os.fsync(stream.fileno())

    def _check(self, checkpoint: Checkpoint) -> None:
        if (checkpoint.training, checkpoint.configuration_hash) != (self.training, self.configuration_hash):
            raise CheckpointError(f"{checkpoint.path} is of another training.")
        # One that does not tell its code is of the training that has gone on from it, as the newer ones say.
        self._seen = checkpoint.code or self._seen
        if not is_same_code(self._seen, self.code, self.code_change):
            raise CheckpointError(f"{checkpoint.path} was trained with other code.")

    def _place(self, number: int, staging: str) -> None:
        """Give a whole checkpoint its name, the manifest last. What has that name already is put aside, not lost."""
        names = [arrays_name(number), manifest_name(number)]
        in_the_way = [name for name in reversed(names) if os.path.lexists(os.path.join(self.directory, name))]
        if in_the_way:
            moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
            aside = os.path.join(self.directory, PREVIOUS, f"replaced-from-mirror-{moment}")
            os.makedirs(aside, 0o750)
            for name in in_the_way:
                os.rename(os.path.join(self.directory, name), os.path.join(aside, name))
            sync(aside)
        for name in names:
            os.chmod(os.path.join(staging, name), 0o640)
            os.rename(os.path.join(staging, name), os.path.join(self.directory, name))
        sync(self.directory)

    @contextmanager
    def _staging(self) -> t.Iterator[str]:
        with as_checkpoint_owner():
            for name in os.listdir(self.directory):
                if name.startswith(STAGING):  # of a fetch that was killed
                    shutil.rmtree(os.path.join(self.directory, name), ignore_errors=True)
            staging = tempfile.mkdtemp(prefix=STAGING, dir=self.directory)
        try:
            yield staging
        finally:
            with as_checkpoint_owner():
                shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def _locked(self, budget: float) -> t.Iterator[None]:
        """Keep ServerApps out, and be kept out by one."""
        with as_checkpoint_owner():
            if not os.path.isdir(self.directory):
                os.mkdir(self.directory, 0o750)  # in that of all trainings, which is there or somebody must know
            lock = open_lock(self.directory)
        try:
            if not take_lock(lock, budget):
                raise FetchError(
                    f"A checkpoint cannot be fetched to {self.directory}: a run is saving there. Stop it first, or"
                    " give this training a fl_checkpoint_path of its own."
                )
            yield
        finally:
            os.close(lock)
