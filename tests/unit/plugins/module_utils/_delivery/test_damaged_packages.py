# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand damaged packages: none is unpacked, and each is refused with its reason."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import canonical_hash
from ansible_collections.fedops.flower.plugins.module_utils._delivery.archive import ArchiveWriter, size_of
from ansible_collections.fedops.flower.plugins.module_utils._delivery.contents import PackageError, weights_of
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, unpack
from ansible_collections.fedops.flower.plugins.module_utils._delivery.signature import SignatureError, check_signature
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...packages import BASE, Authority, certified, packed

SEED = 20
BYTES = "its signature is not of these bytes"
CERTIFICATE = (
    "its certificate (cannot be read|is not of the authority that is trusted|is not one for packages)|" + BYTES
)


@dataclass
class World:
    """A good package, who may sign, and who may not."""

    content: bytes
    signature: bytes
    certificate: bytes
    authority: Authority
    stranger: Authority
    server: Authority
    name: str
    files: dict[str, bytes]
    manifest: dict[str, Any]
    dice: random.Random

    def flipped(self, data: bytes) -> bytes:
        at = self.dice.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self.dice.randrange(8)]) + data[at + 1 :]

    def resigned(self, content: bytes, by: Authority | None = None) -> tuple[bytes, bytes, bytes]:
        """Sign whatever it is, as somebody does who has the key of the authority."""
        return content, *(by or self.authority).signer().sign(hashlib.sha256(content).digest())

    def made(self, files: dict[str, bytes], manifest: dict[str, Any] | bytes, **more: bytes) -> bytes:
        """Make an archive of a manifest and files, with C(more) headers in the place of those of files."""
        text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        return archive({f"{self.name}/manifest.json": text} | {f"{self.name}/{k}": v for k, v in files.items()}, more)

    def listing(self, files: dict[str, bytes], **changes: Any) -> dict[str, Any]:
        """Return a manifest that is true of files."""
        entries = [
            {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        ]
        known = {**self.manifest, **changes}
        known = {key: value for key, value in known.items() if key not in ("identity", "package", "files")}
        own = {one["name"]: one["sha256"] for one in entries if one["name"] not in weights_of(known["kind"])}
        identity = canonical_hash({**known, "beside": own})
        package = f"{known['name']}-{known['round']}-{identity[:8]}"
        return {**known, "identity": identity, "package": package, "files": entries}


def archive(files: dict[str, bytes], headers: dict[str, bytes]) -> bytes:
    """Write an archive as ours are, but for the headers that are given."""
    stream = io.BytesIO()
    writer = ArchiveWriter(stream)
    for name, data in files.items():
        base = os.path.basename(name)
        if base in headers:
            writer._write(headers[base] + data + bytes(-len(data) % 512))
        else:
            writer.add(name, len(data), [data])
    writer.finish()
    return stream.getvalue()


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, **more: Any) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode = size, kind, 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)[-512:]


Case = tuple[bytes, bytes, bytes]
Kinds = dict[str, tuple[int, str, Callable[[World], Any]]]


def forged(world: World, **more: Any) -> Case:
    """Sign a package whose second file has a header that ours have not."""
    name, size = "README.md", len(world.files["README.md"])
    path = more.pop("path", f"{world.name}/{name}")
    return world.resigned(world.made(world.files, world.manifest, **{name: header(path, size, **more)}))


def relisted(world: World, files: dict[str, bytes], **changes: Any) -> tuple[Case, str]:
    """Sign a package whose manifest is true to these files; its name follows from them."""
    manifest = world.listing(files, **changes)
    name, world.name = world.name, manifest["package"]
    case = world.resigned(world.made(files, manifest))
    world.name = name
    return case, manifest["package"]


def a_place(world: World) -> str:
    return world.dice.choice(("/etc/passwd", "/root/.ssh/authorized_keys", "../evil", f"{world.name}/../../evil"))


def one_of(world: World) -> str:
    return world.dice.choice(list(world.files))


def other_hash(world: World) -> Case:
    name = one_of(world)
    files = {**world.files, name: world.flipped(world.files[name])}
    return world.resigned(world.made(files, world.manifest))


def extra(world: World) -> Case:
    files = {**world.files, f"extra{world.dice.randrange(99)}.json": os.urandom(world.dice.randrange(600))}
    return world.resigned(world.made(files, world.manifest))


def instead(world: World) -> Case:
    """Put a file that is not listed in the place of one that is."""
    name = one_of(world)
    files = {("other.json" if key == name else key): data for key, data in world.files.items()}
    return world.resigned(world.made(files, world.manifest))


def bomb(world: World) -> Case:
    """Compress what a package holds, or a lot of nothing, as gzip does and as one of our own begins."""
    zeros = bytes(world.dice.randrange(1 << 20, 1 << 22))
    if world.dice.random() < 0.5:
        return world.resigned(gzip.compress(zeros, mtime=0))
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    return world.resigned(world.content[:10] + squeezed.compress(zeros) + squeezed.flush() + bytes(8))


def lying_size(world: World) -> Case:
    size = world.dice.randrange(1 << 21, 1 << 60)
    more = header(f"{world.name}/manifest.json", size)
    return world.resigned(world.made(world.files, world.manifest, **{"manifest.json": more}))


def other_manifest(world: World) -> Case:
    text: Any = world.dice.choice(
        [
            b"",
            b"[]",
            b"[" * 100_000,
            b"\xff",
            b"null",
            {},
            {**world.manifest, "format": 2},
            {**world.manifest, "more": 1},
        ]
    )
    return world.resigned(world.made(world.files, text))


def wrong_field(world: World) -> Case:
    field, value = world.dice.choice(
        [("name", "../x"), ("round", -1), ("round", True), ("kind", "pickle"), ("base_model", {"name": "x"}),
         ("files", "x"), ("files", [{"name": "x"}]), ("files", [{"name": 1, "bytes": 1, "sha256": "a" * 64}]),
         ("files", [{"name": "x", "bytes": -1, "sha256": "a" * 64}])]
    )  # fmt: skip
    return world.resigned(world.made(world.files, {**world.manifest, field: value}))


def other_value(world: World) -> Case:
    field = world.dice.choice(["training", "strategy", "num_rounds", "parent", "checkpoint_sha256", "num_arrays"])
    return world.resigned(world.made(world.files, {**world.manifest, field: world.dice.randrange(10**6)}))


def behind(world: World) -> Case:
    """Add something behind the end, where no checksum reaches, or within."""
    if world.dice.random() < 0.5:
        return world.resigned(world.content + os.urandom(world.dice.randrange(1, 600)))
    data = bytearray(world.content)
    data[-world.dice.randrange(1, 9)] ^= 1
    return world.resigned(bytes(data))


KINDS: Kinds = {
    "bit flip": (250, BYTES, lambda it: (it.flipped(it.content), it.signature, it.certificate)),
    "truncated": (100, BYTES, lambda it: (
        it.content[: it.dice.randrange(len(it.content))], it.signature, it.certificate)),
    "longer": (30, BYTES, lambda it: (it.content + os.urandom(9), it.signature, it.certificate)),
    "flipped signature": (60, BYTES, lambda it: (it.content, it.flipped(it.signature), it.certificate)),
    "flipped certificate": (60, CERTIFICATE, lambda it: (it.content, it.signature, it.flipped(it.certificate))),
    "no signature": (5, r"\.sig is not beside it", lambda it: (it.content, None, it.certificate)),
    "no certificate": (5, r"\.crt is not beside it", lambda it: (it.content, it.signature, None)),
    "long signature": (5, r"\.sig beside it has more than", lambda it: (it.content, bytes(2000), it.certificate)),
    "stranger": (30, "not of the authority that is trusted", lambda it: it.resigned(it.content, it.stranger)),
    "key of a server": (10, "is not one for packages", lambda it: (
        it.content, it.signature, it.server.certificate.read_bytes())),
    "extra member": (40, "not the bytes that the files of its manifest take", extra),
    "other member": (40, "is not where its manifest lists it", instead),
    "other bytes": (60, "has not the hash that its manifest says", other_hash),
    "symbolic link": (30, "is a link", lambda it: forged(it, kind=tarfile.SYMTYPE, linkname=a_place(it))),
    "hard link": (30, "is a link", lambda it: forged(it, kind=tarfile.LNKTYPE, linkname=a_place(it))),
    "device": (20, "is no regular file", lambda it: forged(
        it, kind=it.dice.choice((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)))),
    "way out": (40, "leads out of its folder", lambda it: forged(it, path=a_place(it))),
    "other header": (20, "is not one of ours", lambda it: forged(
        it, **it.dice.choice(({"mode": 0o4755}, {"uid": 5}, {"mtime": 9}, {"uname": "root"})))),
    "bomb": (30, "it is compressed, as no package is|does not begin as a package does", bomb),
    "lying size": (20, "does not begin with its manifest.json", lying_size),
    "other manifest": (30, "is not that of a package of format 1", other_manifest),
    "wrong field": (30, "has no proper", wrong_field),
    "other value": (20, "is not the one that its name stands for", other_value),
    "behind": (20, "behind|not the bytes that the files|checksum", behind),
    "pickle": (10, "can be a pickle", lambda it: relisted(it, {**it.files, "x.pkl": b"cos\nsystem\n"})),
    "hidden file": (5, "cannot be in a package", lambda it: relisted(it, {**it.files, ".bashrc": b"x"})),
    "no weights": (5, "lacks the weights", lambda it: relisted(
        it, {name: data for name, data in it.files.items() if not name.endswith(".npz")})),
    "no model": (10, "is no model", lambda it: relisted(
        it, {**it.files, "adapter_model.safetensors": os.urandom(100)})),
    "other base": (20, "is for the base model org/tiny, [0-9a-f]+, and not for", lambda it: relisted(
        it, it.files, base_model={"name": "org/tiny", "sha256": f"{it.dice.randrange(1 << 256):064x}"})),
    "no base": (5, "names no base model", lambda it: relisted(it, it.files, base_model=None)),
    "other name": (10, "its name is not that of what is in it", lambda it: (
        it.resigned(it.content), f"tiny-3-{it.dice.randrange(1 << 32):08x}")),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("world")
    authority = certified(folder / "ca", "ca")
    package = packed(folder, authority)
    name = package.name[: -len(".tar.gz")]
    with tarfile.open(package) as opened:
        files = {os.path.basename(one.name): opened.extractfile(one).read() for one in opened.getmembers()}
    manifest = json.loads(files.pop("manifest.json"))
    ends = [Path(f"{package}{ending}").read_bytes() for ending in ("", ".sig", ".crt")]
    server = certified(folder / "ca", "server", authority, usage=[ExtendedKeyUsageOID.SERVER_AUTH])
    stranger = certified(folder / "stranger", "ca")
    return World(*ends, authority, stranger, server, name, files, manifest, random.Random(SEED))


def cases(world: World) -> Iterator[tuple[str, str, Case, str]]:
    for kind, (count, reason, make) in KINDS.items():
        for dummy in range(count):
            made = make(world)
            yield kind, reason, *(made if len(made) == 2 else (made, world.name))


def test_they_are_a_thousand() -> None:
    assert sum(count for count, *dummy in KINDS.values()) >= 1000


def test_a_thousand_damaged_packages_are_refused_each_with_its_reason(world, tmp_path) -> None:
    into, arrived = tmp_path / "into", tmp_path / "arrived"
    into.mkdir()
    trust = Trust(world.authority.pem, BASE["sha256"])
    wrong = []
    for number, (kind, reason, contents, name) in enumerate(cases(world)):
        arrived.mkdir()
        for ending, content in zip(("", ".sig", ".crt"), contents, strict=True):
            if content is not None:
                (arrived / f"{name}.tar.gz{ending}").write_bytes(content)
        try:
            unpack(str(arrived / f"{name}.tar.gz"), trust, str(into))
            wrong.append(f"{number} {kind}: taken")
        except PackageError as error:
            if not re.search(f"is refused: .*({reason})", str(error), re.S):
                wrong.append(f"{number} {kind}: {str(error)[-200:]}")
        if os.listdir(into):
            wrong.append(f"{number} {kind}: {os.listdir(into)}")
        shutil.rmtree(arrived)
    assert wrong[:20] == []


def test_what_is_not_damaged_is_taken(world, tmp_path) -> None:
    """What makes the damaged ones makes good ones, too."""
    (tmp_path / "into").mkdir()
    for contents, name in ((world.resigned(world.made(world.files, world.manifest)), world.name),
                           relisted(world, {**world.files, "more.json": b"{}"})):  # fmt: skip
        for ending, content in zip(("", ".sig", ".crt"), contents, strict=True):
            (tmp_path / f"{name}.tar.gz{ending}").write_bytes(content)
        trust = Trust(world.authority.pem, BASE["sha256"])
        assert unpack(str(tmp_path / f"{name}.tar.gz"), trust, str(tmp_path / "into")).is_new
    assert size_of([]) < len(world.content)


@pytest.mark.parametrize("ending", ["", ".sig", ".crt"])
def test_a_link_is_not_followed(world, tmp_path, ending) -> None:
    for one, content in (("", world.content), (".sig", world.signature), (".crt", world.certificate)):
        (tmp_path / f"{world.name}.tar.gz{one}").write_bytes(content)
    linked = tmp_path / f"{world.name}.tar.gz{ending}"
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PackageError, match="not a regular file"):
        unpack(str(tmp_path / f"{world.name}.tar.gz"), Trust(world.authority.pem), str(tmp_path))


def test_a_certificate_that_has_ended_is_told(world, tmp_path) -> None:
    later = datetime.now(UTC) + timedelta(days=60)
    digest = hashlib.sha256(world.content).digest()
    check_signature(digest, world.signature, world.certificate, world.authority.pem)
    with pytest.raises(SignatureError, match="its certificate is not valid at this time"):
        check_signature(digest, world.signature, world.certificate, world.authority.pem, later)
    with pytest.raises(PackageError, match="the certificate of the authority is not valid at this time"):
        certified(tmp_path, "ended", days=1).signer()
