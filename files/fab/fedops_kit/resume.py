# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a training begins: at its newest good checkpoint, or at round 0. Nothing that lies in the way is lost."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import cast

from flwr.app import ArrayRecord
from numpy.typing import NDArray

from .arithmetic import FIRST, NEWEST
from .checkpoints import DAMAGED, CheckpointDirectory
from .errors import RunFailedError
from .knowledge._base.jsonable import harmless
from .knowledge._base.notation import short_hash
from .knowledge._checkpoint import directory as layout
from .knowledge._checkpoint.checkpoint import Checkpoint
from .knowledge._checkpoint.manifest import CheckpointError
from .knowledge._checkpoint.names import LATEST_FILES, arrays_name
from .knowledge._checkpoint.plain import plain_text
from .knowledge._checkpoint.verification import verify
from .knowledge._config.code import is_same_code
from .knowledge.version import VERSION
from .publish import logger
from .state import State

_LAYOUT = "untrained_sha256"  # in a manifest
_SHOWN = 100  # characters of a name or value that a manifest holds, which may come from a bucket that others write
KIT = "kit"  # in a manifest: the version of the kit that has saved it
ARITHMETIC = "arithmetic"  # in a manifest: the number of the arithmetic, of which the first release had but one
_MOST_CHANGES = 20  # that are told of two configurations; ours has about as many entries


@dataclass(frozen=True)
class Identity:
    """Which training it is: a checkpoint of another one is never gone on from."""

    training: str  # its name
    configuration_hash: str  # equal for trainings that end with the same bytes
    configuration: Mapping[str, object]  # what the hash is made of, to say in what two trainings differ
    code: str = ""  # the hash of the user's code, compared next to the configuration; empty where nobody has told
    code_change: str = ""  # what other code makes of the training

    @property
    def said(self) -> dict[str, object]:
        """What a manifest says of it, but for the code."""
        return {name: getattr(self, name) for name in ("training", "configuration_hash", "configuration")}


@dataclass(frozen=True)
class AnyModel:
    """What is known of the model of an app that makes its strategy itself."""

    strategy: str  # the name of its class; our own app's is part of the configuration
    layout: str  # a hash of the untrained model's names, shapes and dtypes: a strategy may make others of them

    @classmethod
    def of(cls, strategy: str, untrained: ArrayRecord) -> AnyModel:
        """Describe an untrained model."""
        entries = [[name, list(array.shape), array.dtype] for name, array in untrained.items()]
        layout_hash = hashlib.sha256(json.dumps(entries).encode()).hexdigest()
        return cls(strategy, layout_hash)

    @property
    def said(self) -> dict[str, object]:
        """What a manifest says of it."""
        return {_LAYOUT: self.layout}


@dataclass(frozen=True)
class Beginning:
    """The arrays to begin with, and the checkpoint they come from (None: the untrained model)."""

    arrays: ArrayRecord
    state: Mapping[str, NDArray] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None

    @property
    def arithmetic(self) -> int:
        """The number of the arithmetic that the training has: the one that it began with, or that it begins with."""
        return arithmetic_of(self.checkpoint) if self.checkpoint else NEWEST

    @property
    def rounds_done(self) -> int:
        """The number of rounds that are already trained."""
        return self.checkpoint.round if self.checkpoint else 0

    def code(self, now: str) -> dict[str, str]:
        """What manifests and rounds say of the code: that of now, and the one that the training began with.

        A run that is not told its code is taken for one of the code before.
        """
        then = self.checkpoint
        code, began = now or (then.code if then else ""), then.code_began if then else now
        return {name: value for name, value in (("code", code), ("code_began", began)) if value}


def begin(
    directory: CheckpointDirectory,
    identity: Identity,
    untrained: ArrayRecord,
    mode: str,
    check_state: Callable[[Checkpoint, State], None],
    any_model: AnyModel | None = None,
    first: Callable[[], ArrayRecord] | None = None,
    infinite: Set[str] = frozenset(),
) -> Beginning:
    """Decide by the mode: auto takes a checkpoint of this training when there is one, require fails without.

    ``check_state`` raises ValueError when a state is none of the strategy's. ``any_model`` is None for our own app.
    ``first`` gives the model of round 0, where that is not the untrained one. ``infinite`` are the arrays that may hold
    infinite numbers.
    """
    if mode == "never":
        untrained = first() if first else untrained
        _set_aside(directory, identity.training, directory.rounds(), "fl_resume is never")
        return Beginning(untrained)
    found, remarks = _newest_good(directory, identity, untrained, check_state, any_model, infinite)
    if found is None or (checkpoint := found.checkpoint) is None:
        if mode == "require":
            plain = directory.plain_rounds()
            raise RunFailedError(
                _nothing_to_resume(directory, [*remarks, *([plain_text(directory.path, plain)] if plain else [])])
            )
        untrained = first() if first else untrained
        logger.info("No checkpoint found of this training in %s: it begins at round 1", directory.path)
        _set_aside(directory, identity.training, directory.rounds(), " ".join(remarks))
        return Beginning(untrained)
    if mode == "require" and remarks:
        said = " ".join(remarks), checkpoint.file, checkpoint.round
        logger.warning("%s fl_resume is require, so the training falls back to %s, after round %d.", *said)
    why = " ".join(remarks) or f"Not all in {directory.path} leads to {checkpoint.file}."
    _set_aside(directory, identity.training, _in_the_way(directory, checkpoint), why)
    directory.publish(checkpoint)
    _tell_of_code(checkpoint, identity.code)
    logger.info("Resuming from checkpoint %s, after round %d", checkpoint.path, found.rounds_done)
    return found


def _tell_of_code(checkpoint: Checkpoint, now: str) -> None:
    """Say once that code is another one, or was not known before: the next checkpoint holds the new one."""
    then, file = checkpoint.code, checkpoint.file
    if now and not then:
        logger.info("%s does not say with which code it was trained: the training takes over %s.", file, now)
    elif now and now != then:
        logger.warning(
            "The app has other code: %s was trained with %s, and the training goes on with %s (fl_code_change is"
            " continue). Each round from now on tells both.",
            file,
            then,
            now,
        )
    kit = str(checkpoint.manifest.get(KIT, VERSION))
    if kit != VERSION:
        logger.info("%s was saved by the kit %s, this one is %s.", file, harmless(kit, _SHOWN), VERSION)


def arithmetic_of(checkpoint: Checkpoint) -> int:
    """Return the number of the arithmetic that a checkpoint was made with, as its manifest says."""
    return cast("int", checkpoint.manifest.get(ARITHMETIC, FIRST))


def _newest_good(
    directory: CheckpointDirectory,
    identity: Identity,
    untrained: ArrayRecord,
    check_state: Callable[[Checkpoint, State], None],
    any_model: AnyModel | None,
    infinite: Set[str],
) -> tuple[Beginning | None, list[str]]:
    """Return what the newest checkpoint of this training holds that is good, and why newer ones are not.

    Good is one that is whole and of this training, and whose arrays are those of the model, with numbers in them.
    """
    remarks: list[str] = []
    told: set[str] = set()  # the older checkpoints of another training differ in the same way
    code = ""  # of the next newer checkpoint: one that does not tell its own was of the training that has taken it over
    plain = directory.plain_rounds()
    for number in reversed([number for number in directory.rounds() if number not in plain]):
        path = os.path.join(directory.path, arrays_name(number))
        try:
            checkpoint = verify(path)
        except CheckpointError as error:
            remarks.append(str(error))
            continue
        code = checkpoint.code or code
        differences = "; ".join(_differences(checkpoint, code, identity, untrained, any_model))
        if not differences:
            try:
                arrays, state = directory.load(checkpoint, infinite)
                check_state(checkpoint, state)
            except CheckpointError as error:
                remarks.append(str(error))
            except ValueError as error:
                remarks.append(f"{path} is damaged: {error}.")
            else:
                return Beginning(arrays, state, checkpoint), remarks
            continue
        if differences not in told:
            remarks.append(f"{path} is of another training: {differences}.")
            told.add(differences)
    return None, remarks


def _in_the_way(directory: CheckpointDirectory, found: Checkpoint) -> list[int]:
    """Return the rounds that do not lead to the checkpoint: newer ones (not good), and those of other trainings."""
    same = {
        checkpoint.round
        for checkpoint in layout.list_checkpoints(directory.path)
        if (checkpoint.training, checkpoint.configuration_hash, checkpoint.code_began)
        == (found.training, found.configuration_hash, found.code_began)
    }
    return [number for number in directory.rounds() if number > found.round or number not in same]


def _differences(
    checkpoint: Checkpoint, code: str, identity: Identity, untrained: ArrayRecord, any_model: AnyModel | None
) -> list[str]:
    """Say in what a checkpoint differs from what this training would have saved."""
    name = identity.training
    differences = [] if checkpoint.training == name else [f"training_name {checkpoint.training!r}, now {name!r}"]
    if checkpoint.configuration_hash != identity.configuration_hash:
        then, now = checkpoint.manifest["configuration"], identity.configuration
        changed = [key for key in sorted({*then, *now}) if then.get(key) != now.get(key)]
        differences += [
            f"{harmless(key, _SHOWN)} {_shown(then, key)}, now {_shown(now, key)}" for key in changed[:_MOST_CHANGES]
        ] or ["its hash"]
    if not is_same_code(code, identity.code, identity.code_change):
        differences.append(
            f"code {short_hash(code)}, now {short_hash(identity.code)} (fl_code_change: continue goes on)"
        )
    if (number := arithmetic_of(checkpoint)) not in (FIRST, NEWEST):
        differences.append(f"arithmetic {harmless(repr(number), _SHOWN)}, which this release does not know")
    shapes = [(entry["name"], list(entry["shape"]), entry["dtype"]) for entry in checkpoint.manifest["arrays"]]
    expected = [(name, list(array.shape), array.dtype) for name, array in untrained.items()]
    if any_model and (then := str(checkpoint.manifest["strategy"])) != any_model.strategy:
        differences.append(f"strategy {harmless(repr(then), _SHOWN)}, now {any_model.strategy!r}")
    has_grown = any_model is not None and checkpoint.manifest.get(_LAYOUT) == any_model.layout
    if shapes != expected and not has_grown:
        differences.append(f"arrays {_told_apart(shapes, expected)}, now {_told_apart(expected, shapes)}")
    return differences


def _shown(configuration: Mapping[str, object], key: str) -> str:
    """Return a value for a message; a parameter that the strategy does not have is not used."""
    return harmless(repr(configuration[key]), _SHOWN) if key in configuration else "not used"


def _told_apart(arrays: list[tuple], others: list[tuple]) -> str:
    """Name the arrays that the others lack; all of them when only their order differs."""
    known = set(map(str, others))
    apart = [entry for entry in arrays if str(entry) not in known] or arrays
    shown = ", ".join(f"{harmless(name, _SHOWN)}{shape} {dtype}" for name, shape, dtype in apart[:5])
    return shown + (", ..." if len(apart) > 5 else "")


def _nothing_to_resume(directory: CheckpointDirectory, remarks: list[str]) -> str:
    found = " ".join(remarks) or "It holds none."
    return (
        f"fl_resume is require but {directory.path} holds no good checkpoint of this training. {found}"
        " Set fl_resume to auto to begin anew (what is there is kept), or fl_checkpoint_path to where it is."
    )


def _set_aside(directory: CheckpointDirectory, training: str, rounds: list[int], why: str) -> None:
    """Make way for a training: others get their own back where they find it, the rest is kept below ``previous``."""
    known = {checkpoint.round: checkpoint for checkpoint in layout.list_checkpoints(directory.path)}
    left = set(rounds)
    for name in {known[number].training for number in rounds if number in known} - {training}:
        numbers = [number for number in rounds if number in known and known[number].training == name]
        if place := directory.hand_over(numbers, name):
            logger.warning("The training %s has a directory of its own: its checkpoints are in %s.", name, place)
            left.difference_update(numbers)
    # One directory for each training, named after it: its manifests say which one that is.
    groups: dict[str, list[int]] = {}
    if plain := [number for number in directory.plain_rounds() if number in left]:
        place = directory.set_aside(plain, "plain", LATEST_FILES)
        logger.warning("%s", plain_text(place or directory.path, plain))
        left.difference_update(plain)
    for number in sorted(left):
        checkpoint = known.get(number)
        label = checkpoint.label if checkpoint else DAMAGED
        groups.setdefault(label, []).append(number)
    for label, numbers in groups.items():
        logger.warning("%s What lay in the way is moved to %s.", why, directory.set_aside(numbers, label))
