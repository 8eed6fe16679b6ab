# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and its action together: a checkpoint on a host becomes a package on the controller."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.action import model_package as action
from ansible_collections.fedops.flower.plugins.module_utils._backup import checkpoints
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.side_files import SIDE_FILES, encoded
from ansible_collections.fedops.flower.plugins.module_utils._delivery.opening import Trust, unpack, verify_package
from ansible_collections.fedops.flower.plugins.module_utils._training import side_files as host
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

from ..packages import BASE, certified, save_model, side_files


@pytest.fixture
def authority(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("ca"), "ca")


@pytest.fixture
def pack(run_module, tmp_path, tmp_path_factory, monkeypatch, own_account, authority):
    """Run the action against the module; C(meanwhile) sees each answer before the action does."""
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
    monkeypatch.setattr(checkpoints, "PIECE", 500)
    home = tmp_path_factory.mktemp("home")

    def run(check_mode=False, meanwhile=lambda arguments, answer: answer, **given):
        def execute(module_args, task_vars):
            run.sent.append(module_args)
            return meanwhile(module_args, run_module("model_package", check_mode=check_mode, **module_args))

        one = object.__new__(action.ActionModule)
        authorities = {"ca_certificate": str(authority.certificate), "ca_private_key": str(authority.private_key)}
        arguments = {"path": str(tmp_path), "home": str(home), "dest": str(home / "packages"), **authorities, **given}
        one._task = SimpleNamespace(args=arguments, check_mode=check_mode)
        one._execute_module = execute
        result = one.run(task_vars={})
        assert not list(home.glob("packages/.*"))
        return result

    run.home, run.sent = home, []
    return run


def test_the_newest_good_round_is_packed_and_only_once(pack, tmp_path, authority) -> None:
    hashes = {number: save_model(tmp_path, number)["sha256"] for number in (1, 2, 3)}
    (tmp_path / "checkpoint_round_3.npz").write_bytes(b"damaged")
    foreseen = pack(check_mode=True)
    assert not (pack.home / "packages").exists()
    first, second = pack(), pack()
    assert [one["changed"] for one in (foreseen, first, second)] == [True, True, False]
    assert len({one["dest"] for one in (foreseen, first, second)}) == 1
    assert (first["round"], first["checkpoint_sha256"]) == (2, hashes[2])
    found = verify_package(first["dest"], Trust(authority.pem))
    assert (found.package, found.sha256) == (first["package"], first["sha256"])
    assert (second["sha256"], pack(check_mode=True)["changed"]) == (first["sha256"], False)
    assert sorted(os.listdir(pack.home / "packages")) == [
        first["package"] + ending for ending in (".tar.gz", ".tar.gz.crt", ".tar.gz.sig")
    ]


def test_what_was_damaged_is_made_again_with_the_same_bytes(pack, tmp_path) -> None:
    save_model(tmp_path, 1)
    dest = Path(pack()["dest"])
    content = dest.read_bytes()
    for damage in (
        lambda: dest.write_bytes(content[:-1]),
        dest.unlink,
        Path(f"{dest}.sig").unlink,
        lambda: Path(f"{dest}.crt").write_bytes(b""),
    ):
        damage()
        assert pack(check_mode=True)["changed"]
        assert pack()["changed"]
        assert dest.read_bytes() == content
        assert not pack()["changed"]


def test_an_adapter_is_packed_with_what_belongs_to_it(pack, tmp_path, authority, tmp_path_factory) -> None:
    save_model(tmp_path / "chat", 4, training="chat")
    side = tmp_path_factory.mktemp("side")
    side_files(side)
    (side / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/tiny"}))
    asked = {"training": "chat", "files": [str(side)], "name": "chat-lora"}
    with pytest.raises(AnsibleActionFail, match="is nothing without its base model"):
        pack(**asked)
    result = pack(**asked, base_sha256=BASE["sha256"])
    found = unpack(result["dest"], Trust(authority.pem, BASE["sha256"]), str(pack.home))
    assert (found.manifest["base_model"], found.manifest["kind"], found.manifest["round"]) == (BASE, "adapter", 4)
    assert result["package"].startswith("chat-lora-4-")
    assert {"adapter_config.json", "tokenizer.json", "adapter_model.safetensors"} <= set(os.listdir(found.folder))
    with pytest.raises(AnsibleActionFail, match=r"files names tokenizer\.json twice"):
        pack(**{**asked, "files": [str(side), str(side / "tokenizer.json")]})


def tell_of(home: Path, training: str, configuration_hash: str, files: dict[str, str]) -> Path:
    """Leave what a ServerApp leaves that has been told which files go with its model."""
    path = Path(TrainingFolder(str(home), training).published, SIDE_FILES)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"configuration_hash": configuration_hash, "files": files}))
    return path


def test_what_the_training_says_goes_with_its_model_is_packed(
    pack, tmp_path, authority, tmp_path_factory, monkeypatch
) -> None:
    monkeypatch.setattr(host, "_AT_ONCE", 50)
    manifest = save_model(tmp_path / "chat", 4, training="chat")
    files = {"adapter_config.json": b'{"base_model_name_or_path": "org/tiny"}', "tokenizer.json": b"theirs"}
    tell_of(pack.home, "chat", manifest["configuration_hash"], encoded(files))
    result = pack(training="chat", base_sha256=BASE["sha256"])
    assert (result["side_files"], result["warnings"]) == (sorted(files), [])
    found = unpack(result["dest"], Trust(authority.pem, BASE["sha256"]), str(pack.home))
    assert (found.manifest["base_model"], found.manifest["kind"]) == (BASE, "adapter")
    assert {name: Path(found.folder, name).read_bytes() for name in files} == files
    ours = tmp_path_factory.mktemp("side") / "tokenizer.json"
    ours.write_text("ours")
    other = pack(training="chat", base_sha256=BASE["sha256"], files=[str(ours)])
    assert other["dest"] != result["dest"]
    found = unpack(other["dest"], Trust(authority.pem, BASE["sha256"]), str(pack.home))
    assert Path(found.folder, "tokenizer.json").read_text() == "ours"


def test_files_of_another_configuration_are_left_out_with_a_warning(pack, tmp_path) -> None:
    save_model(tmp_path, 4)
    tell_of(pack.home, "default", "f" * 64, {"a.txt": ""})
    result = pack()
    assert result["side_files"] == []
    assert result["warnings"] == [
        "The files that go with the model (side_files.json) are of another configuration than round 4, and are left"
        " out. Give those of this round as files."
    ]


@pytest.mark.parametrize("files", [["no table"], {"../../run.sh": ""}, {"run.py": ""}])
def test_a_claim_of_files_that_does_not_fit_makes_no_package(pack, tmp_path, files) -> None:
    manifest = save_model(tmp_path, 1)
    tell_of(pack.home, "default", manifest["configuration_hash"], files)
    with pytest.raises(AnsibleActionFail, match=r"The side_files\.json of the training cannot be packed: "):
        pack()
    assert not (pack.home / "packages").exists()


def test_a_link_is_no_claim_of_files(pack, tmp_path) -> None:
    save_model(tmp_path, 1)
    path = tell_of(pack.home, "default", "", {})
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert pack()["msg"].endswith("side_files.json cannot be read: is a link, and is not followed.")


def test_no_secret_of_the_controller_travels(pack, tmp_path, authority) -> None:
    save_model(tmp_path, 1)
    with pytest.raises(AnsibleActionFail, match="No package can be signed with"):
        pack(ca_passphrase="not the one")
    assert pack.sent == []  # told before a host is asked
    pack(name="x")
    key = authority.private_key.read_text()
    assert not any("ca_passphrase" in sent or key in str(sent) for sent in pack.sent)


def test_what_cannot_be_packed_is_told(pack, tmp_path) -> None:
    assert f"{tmp_path} holds no good checkpoint of the training default." in pack()["msg"]
    save_model(tmp_path, 1)
    assert "checkpoint_round_7.json is missing" in pack(round="7")["msg"]
    assert "names no best round" in pack(round="best")["msg"]
    with pytest.raises(AnsibleActionFail, match="must be 1 to 40 small letters"):
        pack(name="Not Good")
    with pytest.raises(AnsibleActionFail, match="none cannot be packed: No such file or directory"):
        pack(files=[str(tmp_path / "none")])
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(AnsibleActionFail, match=r"adapter_config\.json is not valid JSON"):
        pack(files=[str(tmp_path / "adapter_config.json")])


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"round": "../1"}, "tells of a checkpoint without a round"),
        ({"gone": True}, "was removed on the host while it was being packed"),
        ({"piece": "eA=="}, r"sends more of checkpoint_round_1\.json than the 20 bytes"),
    ],
)
def test_a_host_that_lies_makes_no_package(pack, tmp_path, lie, said, monkeypatch) -> None:
    monkeypatch.setattr(action, "LIMIT", 20)
    save_model(tmp_path, 1)
    with pytest.raises(AnsibleActionFail, match=said):
        pack(meanwhile=lambda asked, answer: {**answer, **lie})
    assert not (pack.home / "packages").exists()


def test_arrays_that_change_on_their_way_make_no_package(pack, tmp_path) -> None:
    save_model(tmp_path, 1)

    def meanwhile(asked: dict, answer: dict) -> dict:
        if str(asked.get("file")).endswith(".npz") and answer["piece"]:
            return {"piece": answer["piece"][:-8] + "AAAAAAA" + answer["piece"][-1]}
        return answer

    with pytest.raises(AnsibleActionFail, match="is damaged"):
        pack(meanwhile=meanwhile)
    assert os.listdir(pack.home / "packages") == []


def test_only_checkpoints_of_trainings_are_read(run_module, tmp_path, own_account) -> None:
    given = {"path": str(tmp_path), "dest": "/x", "ca_certificate": "/x", "ca_private_key": "/x"}
    (tmp_path.parent / "secret").write_text("secret")
    for file, place in (("../secret", ""), ("secret", ".."), ("/etc/passwd", "")):
        answer = run_module("model_package", **given, file=file, place=place)
        assert answer.get("gone") or "is no folder of a training" in answer["msg"]
