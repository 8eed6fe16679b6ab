# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packing the model of a checkpoint, and signing the package.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import dataclass

from .._base.reading import pieces, sha256_of
from .._checkpoint.checkpoint import Checkpoint
from .._config.purposes import REAL_TRAINING, purpose_of
from .archive import ArchiveWriter
from .contents import (
    CARD,
    CERTIFICATE_ENDING,
    PACKAGE_ENDING,
    PACKAGE_MANIFEST,
    SIGNATURE_ENDING,
    PackageError,
    described,
    listed,
    weights_of,
)
from .signature import SignatureError, Signer
from .weights import write_weights


class Packed(t.NamedTuple):
    """A file that goes into a package, as it was when it was measured."""

    path: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Packing:
    """A package that can be made: what it will say of itself, and the files that go into it beside the weights."""

    checkpoint: Checkpoint
    manifest: t.Mapping[str, t.Any]
    card: bytes | None
    beside: t.Mapping[str, Packed]  # by name

    @property
    def package(self) -> str:
        return self.manifest["package"]

    @property
    def file(self) -> str:
        return self.package + PACKAGE_ENDING

    def write(self, directory: str, signer: Signer) -> str:
        """Write weights, package, signature and certificate into an empty directory; return the SHA-256 of the package.

        The arrays of the checkpoint must have been verified.
        """
        names = weights_of(self.manifest["kind"])
        write_weights(self.checkpoint, directory, names)
        beside = dict(self.beside)
        if self.card is not None:
            path = os.path.join(directory, CARD)
            with open(path, "xb") as stream:
                stream.write(self.card)
            beside[CARD] = _measured(path)
        weights = {name: _measured(os.path.join(directory, name)) for name in names}
        files = {**dict(sorted(beside.items())), **weights}
        target = os.path.join(directory, self.file)
        text = listed(self.manifest, ((name, one.size, one.sha256) for name, one in files.items()))
        try:
            with open(target, "xb") as stream:
                archive = ArchiveWriter(stream)
                archive.add(f"{self.package}/{PACKAGE_MANIFEST}", len(text), [text])
                for name, one in files.items():
                    archive.add(f"{self.package}/{name}", one.size, _unchanged(one))
                archive.finish()
                stream.flush()
                os.fsync(stream.fileno())
        except ValueError as error:
            raise PackageError(f"{self.file} cannot be packed: {error}.") from error
        return self._sign(target, signer)

    def _sign(self, target: str, signer: Signer) -> str:
        digest = _measured(target).sha256
        try:
            signature, certificate = signer.sign(bytes.fromhex(digest))
        except (SignatureError, ValueError) as error:
            raise PackageError(f"{self.file} cannot be signed: {error}.") from error
        for ending, content in ((SIGNATURE_ENDING, signature), (CERTIFICATE_ENDING, certificate)):
            with open(target + ending, "xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        return digest


def plan(
    checkpoint: Checkpoint,
    name: str,
    base_model: t.Mapping[str, str] | None,
    beside: t.Mapping[str, str],
    card: t.Callable[[t.Mapping[str, t.Any]], bytes] | None = None,
) -> Packing:
    """Return the package that a checkpoint makes with these files, by their names, beside its weights."""
    if (purpose := purpose_of(checkpoint.manifest)) != REAL_TRAINING:
        raise PackageError(
            f"The model of round {checkpoint.round} of the training {checkpoint.training} is of a {purpose}, and no"
            " package is made of it: what is delivered comes from a federation."
        )
    found = {one: _measured(path) for one, path in sorted(beside.items())}
    hashes = {one: packed.sha256 for one, packed in found.items()}
    manifest, text = described(checkpoint, name, base_model, hashes, card)
    return Packing(checkpoint, manifest, text, found)


def signer_of(certificate: str, private_key: str, passphrase: str = "") -> Signer:
    """Return what signs with an authority, by the paths of its files."""
    try:
        return Signer(_of_authority(certificate), _of_authority(private_key), passphrase)
    except SignatureError as error:
        raise PackageError(f"No package can be signed with {private_key}: {error}.") from error


def _of_authority(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise PackageError(
            f"{path} cannot be read: {error.strerror}. A package is signed with the authority of the federation:"
            " certificates_ca_certificate and certificates_ca_private_key."
        ) from error


def _measured(path: str) -> Packed:
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        return Packed(path, size, sha256_of(stream, size))


def _unchanged(one: Packed) -> t.Iterator[bytes]:
    """Yield the bytes of a file that must still be what it was."""
    digest = hashlib.sha256()
    with open(one.path, "rb") as stream:
        for piece in pieces(stream, one.size):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != one.sha256:
        raise ValueError(f"{one.path} has changed while it was packed")
