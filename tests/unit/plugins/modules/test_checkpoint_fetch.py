# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.checkpoint import Checkpoint
from ansible_collections.fedops.flower.plugins.module_utils._mirror import rclone
from ansible_collections.fedops.flower.plugins.module_utils._mirror.seal import seal_of

from .. import saved

FAKE = Path(__file__).resolve().parents[1] / "rclone.py"
HASH = "a" * 64
SECRET = bytes(range(32))


def save(folder: Path, number: int, **more: object) -> bytes:
    """Save a checkpoint with its seal."""
    manifest = saved.save(folder, number, **more)
    path = folder / f"checkpoint_round_{number}.npz"
    path.with_suffix(".seal").write_text(seal_of(Checkpoint(str(path), manifest), SECRET))
    return path.read_bytes()


@pytest.fixture
def fetch(tmp_path, run_module, monkeypatch):
    """Run the module with a directory for the bucket `models`."""
    executable, config = tmp_path / "rclone", tmp_path / "mirror.conf"
    executable.write_text(f"#!{sys.executable}\n" + FAKE.read_text())
    executable.chmod(0o755)
    config.write_text(f"# made\nRCLONE_CONFIG_MIRROR_ENDPOINT='{tmp_path}'\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "mirror.secret").write_bytes(SECRET)
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.setattr(rclone, "RCLONE", str(executable))
    monkeypatch.setattr(rclone.Rclone.__init__, "__defaults__", (None, str(executable)))

    def run(check_mode: bool = False, **arguments) -> dict:
        wanted = {
            "base": "mirror:models/flower",
            "environment_file": str(config),
            "secret_file": str(tmp_path / "mirror.secret"),
            "configuration_hash": HASH,
            **arguments,
        }
        path = str(tmp_path / "checkpoints")
        return run_module("checkpoint_fetch", path=path, training="demo", check_mode=check_mode, **wanted)

    return run


def test_the_newest_is_fetched_once(fetch, tmp_path) -> None:
    save(tmp_path / "models/flower/demo-aaaaaaaa", 3)
    content = save(tmp_path / "models/flower/demo-aaaaaaaa", 4)
    first, second = fetch(), fetch()
    assert first["fetched"] == {
        "path": str(tmp_path / "checkpoints/demo/checkpoint_round_4.npz"),
        "round": 4,
        "run_id": "12",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert Path(first["fetched"]["path"]).read_bytes() == content
    assert (first["changed"], first["diff"]["after"]) == (True, "checkpoint_round_4.npz from the mirror\n")
    assert (second["changed"], second["fetched"]) == (False, None)


def test_the_best_is_fetched_with_the_newest(fetch, tmp_path) -> None:
    folder = tmp_path / "models/flower/demo-aaaaaaaa"
    for number in (2, 3, 4):
        save(folder, number, early_stopping={"best_round": 2})
    result = fetch()
    assert (result["fetched"]["round"], result["problems"]) == (4, [])
    kept = {path.name for path in (tmp_path / "checkpoints/demo").glob("checkpoint_round_*.npz")}
    assert kept == {"checkpoint_round_2.npz", "checkpoint_round_4.npz"}


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("npz", b"half", "checkpoint_round_2.npz is damaged: it has 4 bytes"),
        ("seal", b"0" * 64, "checkpoint_round_2.npz has no seal of this host's secret."),
        ("seal", b"outage", 'checkpoint_round_2.npz cannot be read: Get "x": connection refused.'),
    ],
)
def test_without_the_best_the_newest_is_fetched_all_the_same(fetch, tmp_path, file, content, said) -> None:
    folder = tmp_path / "models/flower/demo-aaaaaaaa"
    for number in (2, 4):
        save(folder, number, early_stopping={"best_round": 2})
    (folder / f"checkpoint_round_2.{file}").write_bytes(content)
    result = fetch()
    assert (result["changed"], result["fetched"]["round"]) == (True, 4)
    assert [problem.startswith(f"The mirror's demo-aaaaaaaa/{said}") for problem in result["problems"]] == [True]
    assert not (tmp_path / "checkpoints/demo/checkpoint_round_2.npz").exists()


def test_the_directory_comes_first_and_the_mirror_is_not_asked(fetch, tmp_path) -> None:
    save(tmp_path / "checkpoints", 1)
    save(tmp_path / "models/flower/demo-aaaaaaaa", 4)
    assert fetch()["changed"] is False
    assert not (tmp_path / "calls").exists()


def test_a_rehearsal_fetches_nothing(fetch, tmp_path) -> None:
    save(tmp_path / "models/flower/demo-aaaaaaaa", 4)
    result = fetch(check_mode=True)
    assert (result["changed"], "fetched" in result) == (True, False)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_rehearsal_on_a_fresh_host_finds_nothing_to_ask(fetch) -> None:
    assert fetch(check_mode=True, environment_file="/nowhere")["changed"] is False


def test_a_damaged_one_is_told(fetch, tmp_path) -> None:
    folder = tmp_path / "models/flower/demo-aaaaaaaa"
    save(folder, 4)
    (folder / "checkpoint_round_4.npz").write_bytes(b"half")
    result = fetch()
    assert (result["changed"], result["fetched"]) == (False, None)
    assert result["problems"][0].startswith(
        "The mirror's demo-aaaaaaaa/checkpoint_round_4.npz is damaged: it has 4 bytes"
    )


def test_a_mirror_that_is_away_stops_the_training_before_it_begins_anew(fetch, tmp_path) -> None:
    (tmp_path / "outage").touch()
    message = fetch()["msg"]
    assert 'cannot be asked for one: Get "x": connection refused. Nothing was begun.' in message
    assert "set fl_resume to never to begin anew" in message


def test_a_directory_that_is_gone_is_named(fetch, tmp_path) -> None:
    save(tmp_path / "models/flower/demo-aaaaaaaa", 4)
    shutil.rmtree(tmp_path / "checkpoints")
    assert fetch()["msg"] == f"{tmp_path}/checkpoints/demo cannot be opened: No such file or directory."


def test_without_a_seal_nothing_is_fetched_unless_that_is_asked_for(fetch, tmp_path) -> None:
    folder = tmp_path / "models/flower/demo-aaaaaaaa"
    save(folder, 4)
    (folder / "checkpoint_round_4.seal").unlink()
    message = fetch()["msg"]
    assert "The mirror has the training demo (round 4), but not with a seal of this host's secret." in message
    assert not (tmp_path / "checkpoints/checkpoint_round_4.npz").exists()
    assert fetch(accept_unsealed=True)["fetched"]["round"] == 4


@pytest.mark.parametrize("make", ["missing", "link", "short"])
def test_a_secret_that_is_none_seals_nothing(fetch, tmp_path, make) -> None:
    save(tmp_path / "models/flower/demo-aaaaaaaa", 4)
    secret = tmp_path / "mirror.secret"
    secret.unlink()
    if make == "link":
        (tmp_path / "other").write_bytes(SECRET)
        secret.symlink_to(tmp_path / "other")
    elif make == "short":
        secret.write_bytes(b"short")
    result = fetch()
    assert result["failed"]
    assert "short" not in result["msg"].replace(str(secret), "")
