# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a package: nothing of it is used before its signature and every hash in it have been found right.

The signature is looked at first, over the bytes of the archive: nothing is parsed that the authority has not signed.
What is signed is read as if it were not. It is unpacked beside its place and takes its name when all of it is good.
This module is private to the collection and may change at any time. It needs neither NumPy nor Ansible.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .._base.reading import sha256_of
from .._checkpoint import models
from .._checkpoint.manifest import CheckpointError, opened
from .._storage.probe import sync
from .archive import ArchiveReader, size_of
from .contents import (
    CERTIFICATE_ENDING,
    LONGEST_MANIFEST,
    PACKAGE_ENDING,
    PACKAGE_MANIFEST,
    SIGNATURE_ENDING,
    PackageError,
    read_manifest,
    weights_of,
)
from .signature import LONGEST_CERTIFICATE, LONGEST_SIGNATURE, SignatureError, check_signature

MOST_PACKAGE_BYTES = 64 << 30
_UNPACKING = ".unpacking-"


@dataclass(frozen=True)
class Trust:
    """What is asked of a package before it is used."""

    authority: bytes  # the certificate that has to stand behind the signature, in PEM
    base_sha256: str | None = None  # of the base model that is here
    most: int = MOST_PACKAGE_BYTES


@dataclass(frozen=True)
class Opened:
    """A package that is good."""

    manifest: t.Mapping[str, t.Any]
    sha256: str
    folder: str | None = None  # where it has been unpacked
    is_new: bool = False

    @property
    def package(self) -> str:
        return self.manifest["package"]


def verify_package(path: str, trust: Trust) -> Opened:
    """Return what a package says of itself when all of it is good; else a PackageError says why it is refused."""
    return _open(path, trust, None)


def unpack(path: str, trust: Trust, directory: str, foresee: bool = False) -> Opened:
    """Unpack a package to a folder of its name in a directory, unless that is there already with the same files.

    With C(foresee) it is only told whether that would be done.
    """
    found = verify_package(path, trust)
    folder = os.path.join(directory, found.package)
    if os.path.lexists(folder):
        if _differs(folder, found.manifest):
            raise PackageError(f"{folder} is there already and is not what {path} holds. Remove it, and unpack again.")
        return Opened(found.manifest, found.sha256, folder)
    if foresee:
        return Opened(found.manifest, found.sha256, None, True)
    work = tempfile.mkdtemp(prefix=_UNPACKING, dir=directory)
    try:
        again = _open(path, trust, work)
        if again.sha256 != found.sha256:
            raise PackageError(f"{path} has changed while it was unpacked.")
        os.chmod(work, 0o755)
        _sync(work)
        os.rename(work, folder)
        _sync(directory)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return Opened(found.manifest, found.sha256, folder, True)


def _open(path: str, trust: Trust, into: str | None) -> Opened:
    try:
        with opened(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > trust.most:
                raise PackageError(f"it has {size} bytes, and {trust.most} are taken")
            digest = sha256_of(stream, size)
            check_signature(
                bytes.fromhex(digest),
                _beside(path + SIGNATURE_ENDING, LONGEST_SIGNATURE),
                _beside(path + CERTIFICATE_ENDING, LONGEST_CERTIFICATE),
                trust.authority,
            )
            stream.seek(0)
            hashing = _Hashing(stream)
            manifest = _read(t.cast("t.IO[bytes]", hashing), os.path.basename(path), size, trust, into)
            if hashing.digest.hexdigest() != digest:
                raise PackageError("it has changed while it was read")
    except (PackageError, SignatureError, ValueError) as error:
        raise PackageError(f"{path} is refused: {error}.") from error
    except CheckpointError as error:
        raise PackageError(f"{path} is refused: it is not a regular file.") from error
    return Opened(manifest, digest)


def _beside(path: str, most: int) -> bytes:
    """Return what is in a small file beside a package."""
    name = os.path.basename(path)
    try:
        with opened(path) as stream:
            found = stream.read(most + 1)
    except FileNotFoundError:
        raise PackageError(f"{name} is not beside it") from None
    except CheckpointError as error:
        raise PackageError(f"{name} beside it is not a regular file") from error
    if len(found) > most:
        raise PackageError(f"{name} beside it has more than {most} bytes")
    return found


def _read(stream: t.IO[bytes], file: str, size: int, trust: Trust, into: str | None) -> dict[str, t.Any]:
    """Read an archive from its beginning to its end, and write its files where that is asked for."""
    archive = ArchiveReader(stream)
    first = archive.member()
    if os.path.basename(first[0]) != PACKAGE_MANIFEST or first[1] > LONGEST_MANIFEST:
        raise PackageError(f"it does not begin with its {PACKAGE_MANIFEST}")
    text = b"".join(archive.pieces(first[1]))
    manifest = read_manifest(text)
    package, files = manifest["package"], manifest["files"]
    if file != package + PACKAGE_ENDING or first[0] != f"{package}/{PACKAGE_MANIFEST}":
        raise PackageError(f"its name is not that of what is in it, {package}")
    if trust.base_sha256 and (manifest["base_model"] or {}).get("sha256") != trust.base_sha256:
        raise PackageError(f"it is for {_said(manifest['base_model'])}, and not for the one here, {trust.base_sha256}")
    if size != size_of([first[1], *(entry["bytes"] for entry in files)]):
        raise PackageError("it has not the bytes that the files of its manifest take")
    _save(into, PACKAGE_MANIFEST, [text])
    for entry in files:
        found = archive.member()
        if found != (f"{package}/{entry['name']}", entry["bytes"]):
            raise PackageError(f"{entry['name']} is not where its manifest lists it")
        digest = hashlib.sha256()
        _save(into, entry["name"], _noting(archive.pieces(entry["bytes"]), digest))
        if digest.hexdigest() != entry["sha256"]:
            raise PackageError(f"{entry['name']} in it has not the hash that its manifest says")
    archive.finish()
    if into is not None:
        _check_weights(into, manifest)
    return manifest


def _noting(pieces: t.Iterable[bytes], digest: t.Any) -> t.Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _save(into: str | None, name: str, pieces: t.Iterable[bytes]) -> None:
    """Write a new file, or only take what would be in it."""
    if into is None:
        for dummy in pieces:
            pass
        return
    with open(os.path.join(into, name), "xb") as stream:
        stream.writelines(pieces)
        stream.flush()
        os.fchmod(stream.fileno(), 0o644)
        os.fsync(stream.fileno())


def _check_weights(folder: str, manifest: t.Mapping[str, t.Any]) -> None:
    """Expect the same arrays in both forms, each of which is read strictly."""
    kinds = []
    for name in weights_of(manifest["kind"]):
        with opened(os.path.join(folder, name)) as stream:
            try:
                found = models.entries(stream, name, os.fstat(stream.fileno()).st_size)
            except models.ModelError as error:
                raise PackageError(str(error).rstrip(".")) from error
        kinds.append({entry.name: (entry.dtype, entry.shape) for entry in found})
    if kinds[0] != kinds[1] or len(kinds[0]) != manifest["num_arrays"]:
        raise PackageError("its weights are not the same model in both forms")


def _differs(folder: str, manifest: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a folder holds anything else than the files of a package."""
    expected = {entry["name"]: (entry["bytes"], entry["sha256"]) for entry in manifest["files"]}
    try:
        if set(os.listdir(folder)) != {*expected, PACKAGE_MANIFEST}:
            return True
        for name, (size, digest) in expected.items():
            with opened(os.path.join(folder, name)) as stream:
                if os.fstat(stream.fileno()).st_size != size or sha256_of(stream, size) != digest:
                    return True
        with opened(os.path.join(folder, PACKAGE_MANIFEST)) as stream:
            return read_manifest(stream.read(LONGEST_MANIFEST)) != manifest
    except (OSError, CheckpointError, PackageError):
        return True


def _said(base_model: t.Mapping[str, str] | None) -> str:
    return f"the base model {base_model['name']}, {base_model['sha256']}" if base_model else "no base model"


def _sync(directory: str) -> None:
    with suppress(OSError):  # some file systems cannot
        sync(directory)


class _Hashing:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: t.IO[bytes]) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int) -> bytes:
        found = self._stream.read(size)
        self.digest.update(found)
        return found
