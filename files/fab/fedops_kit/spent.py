# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What of privacy is spent: each model or reply with noise that could have been seen, also by a run that was lost.

It is written down before it leaves the process that made it. So a round that is trained again after a crash counts
again, unless nothing of it had come that far.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import accountant
from .errors import RunFailedError
from .knowledge._base.jsonable import is_finite_number, is_whole
from .knowledge._config.privacy import Privacy
from .publish import Publisher

RELEASES = "releases"  # in a manifest: noise multipliers, and how many releases there were with each
_NOT_READ = "what it says of privacy cannot be read"


@dataclass
class Spent:
    """The releases of a training, of all its runs."""

    settings: Privacy
    told_by: Publisher | None = None  # None: nobody is told, and a lost run is not counted
    releases: Counter[float] = field(default_factory=Counter)  # by noise multiplier
    _seeded: set[tuple[str, int]] = field(default_factory=set)  # configuration and round of noise that has a seed
    _configuration: str = ""

    def begin(self, told_by: Publisher, manifest: Mapping[str, Any] | None) -> None:
        """Go on with what the runs before have spent: what they wrote down, or a checkpoint that has come alone."""
        self.told_by, self._configuration = told_by, told_by.configuration_hash
        try:
            lines = told_by.spent()
        except OSError as error:
            raise RunFailedError(
                f"What the privacy of this training has spent cannot be read ({error.strerror}), so that nothing more"
                " is spent. Make privacy.jsonl, among the files of the training, a file that the ServerApp can read."
            ) from error
        for line in lines:
            self._read(line)
        said = Counter(dict(read_releases(manifest))) if manifest else Counter[float]()
        for noise, count in (said - self.releases).items():
            self._write({"round": 0, "noise_multiplier": noise, "count": count, "from": "checkpoint"})
            self.releases[noise] += count

    def release(self, number: int) -> None:
        """Count a release of a round, which is about to happen."""
        if self.is_repeated(number):
            return
        seed = {"seed": self.settings.seed} if self.settings.seed else {}
        line = {"round": number, "noise_multiplier": self.settings.noise_multiplier, "count": 1, **seed}
        self._write(line)
        self._count(line, self._configuration)

    def is_repeated(self, number: int) -> bool:
        """Tell whether a round would release the same bytes as before, which tell nobody anything new."""
        return bool(self.settings.seed) and (self._configuration, number) in self._seeded

    def exceeds_with(self, number: int) -> bool:
        """Tell whether a round would spend more than the budget has."""
        if self.is_repeated(number):
            return False
        noise = self.settings.noise_multiplier
        return self.settings.exceeded_by(self._epsilon({**self.releases, noise: self.releases[noise] + 1}))

    @property
    def epsilon(self) -> float:
        """The epsilon of all releases; infinite where there was one without noise."""
        return self._epsilon(self.releases)

    def _epsilon(self, releases: Mapping[float, int]) -> float:
        return accountant.epsilon(releases, self.settings.delta)

    @property
    def manifest(self) -> list[list[float]]:
        """What a checkpoint says of it."""
        return [[noise, count] for noise, count in sorted(self.releases.items())]

    def _read(self, line: Mapping[str, Any]) -> None:
        """Count a line; one that is damaged was about some release."""
        try:
            self._count(line, str(line.get("configuration_hash")))
        except (KeyError, TypeError, ValueError):
            self.releases[self.settings.noise_multiplier] += 1

    def _count(self, line: Mapping[str, Any], configuration: str) -> None:
        noise, count, number = line["noise_multiplier"], line["count"], line["round"]
        if not is_finite_number(noise) or noise < 0 or not is_whole(count) or count < 0:
            raise ValueError(_NOT_READ)
        if line.get("seed"):
            if (configuration, number) in self._seeded:
                return
            self._seeded.add((configuration, number))
        self.releases[float(noise)] += count

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.told_by is None:
            return
        try:
            self.told_by.spend(line)
        except OSError as error:
            raise RunFailedError(
                f"What the privacy of this training has spent cannot be written down ({error.strerror}), so that"
                " nothing of the round is let out. Make room for the files of the training."
            ) from error


def read_releases(manifest: Mapping[str, Any]) -> list[tuple[float, int]]:
    """Return what a manifest says of releases.

    :raises ValueError: when it is not what was written.
    """
    found: list[tuple[float, int]] = []
    with suppress(TypeError, KeyError):
        for noise, count in manifest.get(RELEASES, []):
            if not is_finite_number(noise) or noise < 0 or not is_whole(count) or count < 0:
                raise ValueError(_NOT_READ)
            found.append((float(noise), count))
        return found
    raise ValueError(_NOT_READ)
