# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import models
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.verification import verify
from ansible_collections.fedops.flower.plugins.module_utils._delivery import contents, packing, program
from ansible_collections.fedops.flower.plugins.module_utils._delivery.archive import (
    ArchiveReader,
    ArchiveWriter,
    size_of,
)
from ansible_collections.fedops.flower.plugins.module_utils._delivery.contents import PackageError
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, unpack, verify_package
from ansible_collections.fedops.flower.plugins.module_utils._delivery.packing import plan
from ansible_collections.fedops.flower.plugins.module_utils._delivery.weights import write_weights

from ...packages import ADAPTER, BASE, certified, packed, planned, save_model, side_files


@pytest.fixture
def authority(tmp_path):
    return certified(tmp_path / "ca", "ca")


def test_a_package_is_an_ordinary_tar_file_with_what_libraries_load(tmp_path, authority) -> None:
    package = packed(tmp_path, authority)
    name = package.name[: -len(".tar.gz")]
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "--extract", "--file", package, "--directory", tmp_path / "out"], check=True)
    with tarfile.open(package) as archive:
        members = archive.getmembers()
    expected = ["manifest.json", "README.md", "adapter_config.json", "tokenizer.json",
                "adapter_model.safetensors", "adapter_model.npz"]  # fmt: skip
    assert [one.name for one in members] == [f"{name}/{file}" for file in expected]
    assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in members} == {(0, 0, 0, "", 0o644)}
    folder = tmp_path / "out" / name
    with np.load(folder / "adapter_model.npz", allow_pickle=False) as found:
        assert found.files == list(ADAPTER)  # without the optimizer's
        assert all(np.array_equal(found[key], array) for key, array in ADAPTER.items())
    with (folder / "adapter_model.safetensors").open("rb") as stream:
        entries = models.entries(stream, "x.safetensors", (folder / "adapter_model.safetensors").stat().st_size)
        for entry in entries:
            stream.seek(entry.begin)
            assert stream.read(entry.size) == np.ascontiguousarray(ADAPTER[entry.name]).tobytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    saved = json.loads((tmp_path / "checkpoints" / "checkpoint_round_3.json").read_text())
    for key in ("training", "round", "strategy", "app", "parent", "configuration_hash"):
        assert manifest[key] == saved[key]
    assert (manifest["kind"], manifest["base_model"], manifest["metrics"]["loss"]) == ("adapter", BASE, 0.5)
    assert manifest["checkpoint_sha256"] == saved["sha256"]
    for entry in manifest["files"]:
        content = (folder / entry["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert 'base_model: "org/tiny"\nlibrary_name: peft\n' in (folder / "README.md").read_text()


def test_the_same_is_packed_to_the_same_bytes_and_something_else_to_another_name(tmp_path, authority) -> None:
    first, second = (packed(tmp_path / one, authority) for one in ("one", "two"))
    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())
    names = {first.name}
    side = side_files(tmp_path / "side")
    checkpoint = verify(str(tmp_path / "one" / "checkpoints" / "checkpoint_round_3.npz"))
    names.add(plan(checkpoint, "tiny", {**BASE, "sha256": "c" * 64}, side).file)
    (tmp_path / "side" / "tokenizer.json").write_text("other")
    names.add(plan(checkpoint, "tiny", BASE, side).file)
    names.add(plan(checkpoint, "tiny", None, {}).file)
    names.add(planned(tmp_path / "three", 4).file)
    names.add(planned(tmp_path / "four", loss=0.25).file)
    assert len(names) == 6


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "float32", "float64", "complex64"])
def test_weights_of_every_kind_keep_their_numbers(tmp_path, dtype, order) -> None:
    shapes = [(), (0, 2), (5,), (2, 3), (3, 1, 2), (2, 3, 4, 5)]
    arrays = {str(shape): np.asarray(np.arange(np.prod(shape)).reshape(shape), dtype, order=order) for shape in shapes}
    save_model(tmp_path, 1, arrays)
    write_weights(verify(str(tmp_path / "checkpoint_round_1.npz")), str(tmp_path), ["model.npz", "model.safetensors"])
    with np.load(tmp_path / "model.npz") as found:
        assert all(np.array_equal(found[name], array) for name, array in arrays.items())
    with (tmp_path / "model.safetensors").open("rb") as stream:
        for entry in models.entries(stream, "model.safetensors", (tmp_path / "model.safetensors").stat().st_size):
            stream.seek(entry.begin)
            assert stream.read(entry.size) == arrays[entry.name].tobytes("C")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 65535 - 512 - 1024, 65535 - 512, 65535, 65536, 131070, 200_000])
def test_an_archive_of_any_size_is_read_as_it_was_written(size) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    stream = io.BytesIO()
    archive = ArchiveWriter(stream)
    archive.add("a/b", size, [content[:size]])
    archive.finish()
    assert len(stream.getvalue()) == size_of([size])
    with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as opened:
        assert opened.extractfile("a/b").read() == content[:size]
    reader = ArchiveReader(io.BytesIO(stream.getvalue()))
    assert reader.member() == ("a/b", size)
    assert b"".join(reader.pieces(size)) == content[:size]
    reader.finish()
    assert zlib.decompress(stream.getvalue(), 31)[512 : 512 + size] == content[:size]


def test_a_package_is_unpacked_once_and_what_is_there_instead_is_told(tmp_path, authority) -> None:
    package = packed(tmp_path, authority)
    trust = Trust(authority.pem, BASE["sha256"])
    first, second = (unpack(str(package), trust, str(tmp_path)) for dummy in range(2))
    assert (first.is_new, second.is_new, first.folder) == (True, False, str(tmp_path / first.package))
    assert sorted(path.name for path in Path(first.folder).iterdir()) == sorted(
        ["manifest.json", *(entry["name"] for entry in first.manifest["files"])]
    )
    (Path(first.folder) / "tokenizer.json").write_text("other")
    with pytest.raises(PackageError, match="is there already and is not what .* holds"):
        unpack(str(package), trust, str(tmp_path))
    shutil.rmtree(first.folder)
    Path(first.folder).symlink_to(tmp_path / "side")
    with pytest.raises(PackageError, match="is there already"):
        unpack(str(package), trust, str(tmp_path))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_openssl_and_the_authority_are_enough_to_verify(tmp_path, authority) -> None:
    package = packed(tmp_path, authority)

    def openssl(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)

    assert openssl("verify", "-CAfile", authority.certificate, f"{package}.crt").returncode == 0
    (tmp_path / "key.pem").write_bytes(openssl("x509", "-in", f"{package}.crt", "-pubkey", "-noout").stdout)
    verifying = "dgst", "-sha256", "-verify", tmp_path / "key.pem", "-signature", f"{package}.sig", package
    assert openssl(*verifying).returncode == 0
    with package.open("ab") as stream:
        stream.write(b"x")
    assert openssl(*verifying).returncode != 0


@pytest.mark.parametrize("kind", ["ec", "ed25519"])
def test_an_authority_of_any_kind_signs(tmp_path, kind) -> None:
    authority = certified(tmp_path / "ca", "ca", kind=kind, passphrase="secret")
    package = planned(tmp_path)
    (tmp_path / "packed").mkdir()
    package.write(str(tmp_path / "packed"), authority.signer("secret"))
    assert verify_package(str(tmp_path / "packed" / package.file), Trust(authority.pem)).package == package.package
    for wrong in ("", "other"):
        with pytest.raises(PackageError, match="No package can be signed with .* cannot be opened"):
            authority.signer(wrong)


def test_who_is_no_authority_signs_nothing(tmp_path, authority) -> None:
    server = certified(tmp_path / "ca", "server", authority)
    with pytest.raises(PackageError, match="is no authority's"):
        server.signer()
    with pytest.raises(PackageError, match="is not that of the certificate"):
        packing.signer_of(str(authority.certificate), str(server.private_key))
    with pytest.raises(PackageError, match=r"none.key cannot be read: No such file or directory"):
        packing.signer_of(str(authority.certificate), str(tmp_path / "none.key"))


@pytest.mark.parametrize(
    ("name", "base", "files", "said"),
    [
        ("Tiny", None, {}, "must be 1 to 40 small letters"),
        ("../x", None, {}, "must be 1 to 40 small letters"),
        ("tiny", {"name": "b", "sha256": "x"}, {}, "must have a name, and its SHA-256"),
        ("tiny", {"name": "", "sha256": "b" * 64}, {}, "must have a name, and its SHA-256"),
        ("tiny", None, {"adapter_config.json": "{}"}, "is nothing without its base model"),
        ("tiny", None, {"training_args.bin": ""}, "can be a pickle"),
        ("tiny", None, {"optimizer.PT": ""}, "can be a pickle"),
        ("tiny", None, {"manifest.json": ""}, "is a name of its own files"),
        ("tiny", None, {"model.npz": ""}, "is a name of its own files"),
        ("tiny", None, {".hidden": ""}, "cannot be in a package: a name has"),
        ("tiny", None, {"x" * 65: ""}, "cannot be in a package: a name has"),
        ("tiny", None, {f"f{number}": "" for number in range(257)}, "257 files are too many"),
    ],
)
def test_what_cannot_be_packed_is_told_before_anything_is_written(tmp_path, name, base, files, said) -> None:
    save_model(tmp_path, 1)
    checkpoint = verify(str(tmp_path / "checkpoint_round_1.npz"))
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    with pytest.raises(PackageError, match=said):
        plan(checkpoint, name, base, {file: str(tmp_path / file) for file in files})


def test_numbers_that_safetensors_has_not_are_told(tmp_path, authority) -> None:
    save_model(tmp_path, 1, {"w": np.zeros(2, ">f4")})
    package = plan(verify(str(tmp_path / "checkpoint_round_1.npz")), "tiny", None, {})
    (tmp_path / "packed").mkdir()
    with pytest.raises(PackageError, match="'w' is >f4, which a .safetensors file cannot hold"):
        package.write(str(tmp_path / "packed"), authority.signer())


def test_a_file_that_changes_while_it_is_packed_is_told(tmp_path, authority, monkeypatch) -> None:
    package = planned(tmp_path)
    (tmp_path / "packed").mkdir()
    described = contents.listed

    def meanwhile(manifest: dict, files: list) -> bytes:
        (tmp_path / "side" / "tokenizer.json").write_bytes(b"[]" * 500)
        return described(manifest, files)

    monkeypatch.setattr(packing, "listed", meanwhile)
    with pytest.raises(PackageError, match=r"tokenizer.json has changed while it was packed"):
        package.write(str(tmp_path / "packed"), authority.signer())


def test_a_file_that_changes_before_it_is_packed_is_told(tmp_path, authority) -> None:
    package = planned(tmp_path)
    (tmp_path / "side" / "tokenizer.json").write_bytes(b"{}")
    (tmp_path / "packed").mkdir()
    with pytest.raises(PackageError, match=r"tokenizer.json has changed while it was packed"):
        package.write(str(tmp_path / "packed"), authority.signer())


def test_a_card_cannot_be_written_by_who_names_things(tmp_path) -> None:
    strategy = "Fed | **Avg**\n# title"
    text = planned(tmp_path, strategy=strategy, app="<script>").card.decode()
    assert "| Strategy | Fed \\| \\*\\*Avg\\*\\* # title |" in text
    assert "| App | \\<script\\> |" in text


def test_a_card_of_ones_own_takes_its_place(tmp_path, authority) -> None:
    save_model(tmp_path, 1)
    (tmp_path / "README.md").write_text("mine")
    package = plan(verify(str(tmp_path / "checkpoint_round_1.npz")), "m", None, {"README.md": f"{tmp_path}/README.md"})
    (tmp_path / "packed").mkdir()
    package.write(str(tmp_path / "packed"), authority.signer())
    found = unpack(str(tmp_path / "packed" / package.file), Trust(authority.pem), str(tmp_path))
    assert (Path(found.folder) / "README.md").read_text() == "mine"
    assert found.manifest["kind"] == "model"


def test_the_program_verifies_and_unpacks(tmp_path, authority, capsys) -> None:
    package = str(packed(tmp_path, authority))
    asked = [package, "--ca", str(authority.certificate)]
    assert program.main(asked) == 0
    assert json.loads(capsys.readouterr().out)["folder"] is None
    assert program.main([*asked, "--into", str(tmp_path)]) == 0
    assert Path(json.loads(capsys.readouterr().out)["folder"]).is_dir()
    for more, said in (
        (["--base-sha256", "c" * 64], "is for the base model org/tiny"),
        (["--most-bytes", "9"], "and 9 are taken"),
    ):
        assert program.main([*asked, *more]) == program.NOT_TAKEN
        assert said in capsys.readouterr().err


def test_the_program_says_which_library_it_lacks(tmp_path, authority, monkeypatch, capsys) -> None:
    package = str(packed(tmp_path, authority))
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert program.main([package, "--ca", str(authority.certificate)]) == program.NOT_TAKEN
    assert "install python3-cryptography" in capsys.readouterr().err
