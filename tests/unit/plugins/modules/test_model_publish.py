# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A completed training on a host, and its model where it is published."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.action import model_publish as action
from ansible_collections.fedops.flower.plugins.module_utils._backup import checkpoints
from ansible_collections.fedops.flower.plugins.module_utils._base.options import PUBLISH_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._tracking import installation
from ansible_collections.fedops.flower.plugins.module_utils._tracking.tale import Tale
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from markdown_it import MarkdownIt

from ..module_utils._report import stories
from ..packages import certified, save_model

FAKE = Path(__file__).resolve().parents[1] / "rclone.py"
ROUNDS = 4


class Host:
    """A host with a training, and a controller."""

    def __init__(self, home: Any, run_module: Any, folder: Path, authority: Any) -> None:
        self.home, self.run_module, self.authority = home, run_module, authority
        self.checkpoints, self.controller = folder / "checkpoints", folder / "controller"
        for path in (self.checkpoints, self.controller):
            path.mkdir()
        self.saved = save_model(self.checkpoints, ROUNDS, num_rounds=ROUNDS, loss=0.31, accuracy=0.89)
        home.ledger(("1", self.saved["configuration_hash"], ROUNDS))
        self.result: dict[str, Any] = {
            "run_id": "1",
            "training": "default",
            "rounds": ROUNDS,
            "sha256": self.saved["sha256"],
            "exact": True,
        }
        self.tell()
        self.sent: list[dict[str, Any]] = []

    def tell(self, state: str = "completed", told: int = ROUNDS, **result: Any) -> None:
        """Leave what a training in this state leaves."""
        history = stories.lines(told, 3, of=ROUNDS)
        asked = {"name": "default", "app": "/app", "num_rounds": ROUNDS, "request_id": "1"}
        memory = {"request_id": "1", "state": state, "run_id": "1", "runs": 1}
        self.home.training(history=history, request=asked, supervision=memory, effective=stories.effective())
        if result.get("gone"):
            (self.home.published() / "result.json").unlink(missing_ok=True)
        else:
            self.home.training(result={**self.result, **result})

    def publish(self, check_mode: bool = False, **given: Any) -> dict[str, Any]:
        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            self.sent.append(module_args)
            return self.run_module(module_name.rpartition(".")[2], check_mode=check_mode, **module_args)

        one: Any = object.__new__(action.ActionModule)
        place = {"to": "directory", "dest": str(self.controller / "models"), **given}
        keys = {"ca_certificate": str(self.authority.certificate), "ca_private_key": str(self.authority.private_key)}
        asked = {"path": str(self.checkpoints), "home": str(self.home.path), **keys, **place}
        defaults = {name: spec.get("default") for name, spec in PUBLISH_OPTIONS.items()}
        one._task = SimpleNamespace(args=asked, check_mode=check_mode)
        one.validate_argument_spec = lambda _spec: (None, {**defaults, **asked})
        one._execute_module = execute
        return one.run(task_vars={})


@pytest.fixture
def host(home, run_module, tmp_path, tmp_path_factory, monkeypatch) -> Host:
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
    monkeypatch.setattr(checkpoints, "PIECE", 500)
    return Host(home, run_module, tmp_path, certified(tmp_path_factory.mktemp("ca"), "ca"))


def files(folder: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_completed_training_is_published_once(host) -> None:
    foreseen, first, second = host.publish(check_mode=True), host.publish(), host.publish()
    assert [one["changed"] for one in (foreseen, first, second)] == [True, True, False]
    assert [one["published"] for one in (foreseen, first, second)] == [False, True, True]
    assert len({one["dest"] for one in (foreseen, first, second)}) == 1
    there = files(first["dest"])
    assert set(there) == {"README.md", "curves.svg", "manifest.json", "model.npz", "model.safetensors"}
    manifest = json.loads(there["manifest.json"])
    assert (manifest["checkpoint_sha256"], manifest["identity"]) == (host.saved["sha256"], first["identity"])
    for entry in manifest["files"]:
        assert hashlib.sha256(there[entry["name"]]).hexdigest() == entry["sha256"]
    with np.load(Path(first["dest"], "model.npz")) as arrays:
        assert arrays.files
    assert list((host.controller / "models").iterdir()) == [Path(first["dest"])]


def test_nothing_of_the_controller_goes_to_the_host(host) -> None:
    host.publish(s3_secret_access_key="secret", ca_passphrase="", license="apache-2.0")
    assert {name for sent in host.sent for name in sent} == {
        *("path", "home", "training", "ca_certificate", "ca_private_key"),
        *("round", "dest", "place", "file", "offset", "checkpoints"),
    }


@pytest.mark.parametrize(
    "state", ["failed", "stopped", "given_up", "refused", "running", "waiting", "idle", "quiesced"]
)
def test_what_has_not_completed_is_not_published(host, state) -> None:
    host.tell(state=state)
    answer = host.publish()
    assert answer["withheld"] == [f"it is {state.replace('_', ' ')}, and not completed"]
    assert (answer["changed"], answer["published"]) == (False, False)
    assert not (host.controller / "models").exists()


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"gone": True}, "it has no result"),
        ({"rounds": 3}, "it has 3 rounds of 4"),
        ({"sha256": None}, "it has kept no model"),
        ({"sha256": "f" * 64}, "the checkpoint of its last round is not the one of its result"),
    ],
)
def test_a_training_that_is_short_or_whose_model_is_another_is_not_published(host, result, reason) -> None:
    host.tell(**result)
    assert reason in host.publish()["withheld"]
    assert not (host.controller / "models").exists()


def test_a_training_that_early_stopping_has_ended_is_whole_and_its_best_model_is_published(host) -> None:
    hashes = {number: save_model(host.checkpoints, number, num_rounds=ROUNDS)["sha256"] for number in (2, 3)}
    stopped = {"ended": True, "best_round": 2, "metric": "loss", "best": 0.3}
    host.tell(told=3, rounds=3, sha256=hashes[3], early_stopping=stopped)
    last, best = host.publish(), host.publish(round="best")
    assert [(one["round"], one["checkpoint_sha256"]) for one in (last, best)] == [(3, hashes[3]), (2, hashes[2])]
    assert "stopped early at round 3" in files(last["dest"])["README.md"].decode()


def test_a_rule_on_a_metric_withholds_what_is_not_good_enough(host) -> None:
    accuracy = stories.lines(ROUNDS, 3)[-1]["accuracy"]
    assert host.publish(rules=[f"accuracy >= {accuracy + 0.01}"])["withheld"][0].startswith("accuracy of round 4 is ")
    assert host.publish(rules=["recall > 0.5"])["withheld"] == ["round 4 has no recall, which must be > 0.5"]
    assert host.publish(rules=["loss < 100", f"accuracy>={accuracy - 0.01}"])["published"]
    with pytest.raises(AnsibleActionFail, match="A rule is 'accuracy = 1' but must be"):
        host.publish(rules=["accuracy = 1"])


def test_the_card_tells_of_the_training_and_nothing_of_single_sites(host) -> None:
    answer = host.publish(license="apache-2.0", tracker_url="https://mlflow.example.org/1", name="digits")
    there = files(answer["dest"])
    text = there["README.md"].decode()
    assert text.startswith('---\ntags: [federated-learning, flower]\nlicense: "apache-2.0"\nmodel-index:\n')
    for words in (
        "# digits, round 4",
        "in a federation among 3 sites",
        "they trained on 1203 examples: 400 the fewest of a site, 401 in the middle, 402 the most.",
        "![Curves by round](curves.svg)",
        "| 4 | ",
        f"SHA-256 {host.saved['sha256']}",
        "https://mlflow.example.org/1",
        'load_file("model.safetensors")',
        "| fraction\\_train | 1.0 |",
    ):
        assert words in text
    assert "site-0" not in text
    assert "site-0" not in there["curves.svg"].decode()
    assert there["curves.svg"].startswith(b"<svg xmlns=")


def test_the_card_links_to_the_run_of_a_tracker_without_being_told(host, monkeypatch, tmp_path) -> None:
    link = "https://mlflow.example.org/#/experiments/1/runs/0123_45"
    (host.home.path / "trackers").mkdir()
    (host.home.path / "trackers" / "mlflow.json").write_text('{"trainings": {"default": {}}}')
    tale = Tale(TrainingFolder(str(host.home.path), "default"))
    next(tale.rounds())
    (tmp_path / "mlflow").mkdir()
    told = {"trainings": {"default": {"key": tale.key, "link": link}}}
    (tmp_path / "mlflow" / "state.json").write_text(json.dumps(told))
    monkeypatch.setattr(installation, "TRACKED", str(tmp_path))

    def card(**given: Any) -> str:
        return files(host.publish(**given)["dest"])["README.md"].decode()

    assert f"| Tracked at | <{link}> |\n" in card()
    assert "Tracked at" not in card(tracker_url="none")
    assert "| Tracked at | <https://a.example.org/b_c> |" in card(tracker_url="https://a.example.org/b_c")
    assert "| Tracked at | at \\[home\\](javascript:x) |" in card(tracker_url="at [home](javascript:x)")


HOSTILE = "x |\n\n# Owned\n<script>1</script> ![a](https://evil.example.org/b.png) www.evil.org you@evil.org \u202e"


def test_what_apps_have_said_is_text_in_the_card(host) -> None:
    told = stories.effective(app=HOSTILE, flwr_version=HOSTILE)
    told["strategy"]["parameters"] = {HOSTILE: HOSTILE, "nested": {"deep": [HOSTILE]}}
    host.home.training(effective=told)
    there = files(host.publish(license='apache"\n---\nevil: true')["dest"])["README.md"].decode()
    front, dummy_line, text = there.removeprefix("---\n").partition("\n---\n")
    assert yaml.safe_load(front)["license"] == 'apache"\n---\nevil: true'
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert page.count("<h1>") == 1
    for words in ("<script", "<a ", "href=", 'src="http', "\u202e"):
        assert words not in page
    assert page.count("<img ") == 1  # ours
    assert page.count("you@evil.org") >= 4  # as text, and so are:
    assert not any(address in text for address in ("https://evil", "www.evil", "you@evil"))  # no links by themselves


def test_the_card_tells_what_protects_the_updates_of_sites_and_what_was_spent(host) -> None:
    settings = {"kind": "central_fixed", "clipping_norm": 1.5, "noise_multiplier": 0.8, "target_quantile": 0.5,
                "delta": 1e-5, "epsilon_budget": 8.0, "seed": 0, "accountant": "dp-accounting 0.6"}  # fmt: skip
    history = stories.lines(ROUNDS, 3, of=ROUNDS)
    for each in history:
        each["privacy"] = {**settings, "epsilon": 0.5 * each["round"]}
    host.home.training(history=history, effective=stories.effective(privacy=settings))
    text = files(host.publish()["dest"])["README.md"].decode()
    (section,) = (part for part in text.split("\n## ") if part.startswith("Privacy"))
    assert "differential privacy: epsilon 2 of 8 is spent (central\\_fixed, delta 1e-05), by round 4." in section
    for row in (
        "| Clipping norm at the beginning | 1.5 |",
        "| Noise multiplier | 0.8 |",
        "| Budget of epsilon | 8.0 |",
    ):
        assert row in section
    host.home.training(history=history, effective=stories.effective(privacy={**settings, "seed": 7}))
    assert "NOT PRIVATE: the noise has a seed" in files(host.publish()["dest"])["README.md"].decode()


def test_what_is_in_the_way_is_not_overwritten(host) -> None:
    dest = Path(host.publish()["dest"])
    (dest / "model.npz").write_bytes(b"damaged")
    with pytest.raises(AnsibleActionFail, match="is there already and is not what would be published"):
        host.publish()


class Server:
    """Buckets below a directory."""

    def __init__(self, folder: Path) -> None:
        self.root, self.program = folder / "s3", folder / "rclone"
        (self.root / "models").mkdir(parents=True)
        self.program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(FAKE)])} "$@"\n')
        self.program.chmod(0o755)

    @property
    def options(self) -> dict[str, str]:
        return {"to": "s3", "dest": "models/digits", "s3_endpoint": str(self.root), "rclone": str(self.program)}

    def uploads(self) -> list[str]:
        log = (self.root / "calls").read_text().splitlines()
        return [line.split()[-1] for line in log if line.startswith("copy ")]


@pytest.fixture
def server(tmp_path) -> Server:
    return Server(tmp_path)


def test_a_bucket_gets_each_file_once_and_what_lists_them_last(host, server) -> None:
    first = host.publish(**server.options)
    uploads = server.uploads()
    assert (sorted(uploads), uploads[-1]) == (
        ["README.md", "curves.svg", "manifest.json", "model.npz", "model.safetensors"],
        "manifest.json",
    )
    assert first["dest"] == f"s3://models/digits/{first['package']}"
    second = host.publish(**server.options)
    assert (second["changed"], second["published"], server.uploads()) == (False, True, uploads)


def test_what_an_outage_has_cut_short_is_completed(host, server) -> None:
    first = host.publish(**server.options)
    folder = server.root / "models" / "digits" / first["package"]
    (folder / "manifest.json").unlink()
    (server.root / "outage").touch()
    with pytest.raises(AnsibleActionFail, match=r"published to s3://models/digits: .*connection refused"):
        host.publish(**server.options)
    (server.root / "outage").unlink()
    assert host.publish(**server.options)["changed"]
    assert not host.publish(**server.options)["changed"]
    (folder / "model.npz").write_bytes(b"cut")
    assert host.publish(**server.options)["changed"]


def test_a_bucket_that_is_not_there_is_told(host, server) -> None:
    with pytest.raises(AnsibleActionFail, match="the bucket other does not exist"):
        host.publish(**{**server.options, "dest": "s3://other/digits"})


def test_a_probe_tells_whether_a_publication_would_work_and_leaves_nothing(host, tmp_path) -> None:
    answer = host.publish(probe=True)
    assert (answer["changed"], answer["published"], answer["obstacle"]) == (False, False, "")
    assert (host.sent, (host.controller / "models").exists()) == ([], False)
    (host.controller / "models").mkdir()
    assert host.publish(probe=True)["obstacle"] == ""
    assert list((host.controller / "models").iterdir()) == []
    file = tmp_path / "file"
    file.touch()
    assert host.publish(probe=True, dest=str(file / "models"))["obstacle"] == (
        f"{file}/models cannot be written: Not a directory."
    )
    assert "is none.key" in host.publish(probe=True, ca_private_key="/is none.key")["obstacle"]
    assert host.publish(probe=True, rules=["nothing"])["obstacle"].startswith("A rule is 'nothing'")


def test_a_probe_tells_of_a_bucket_that_is_not_there_and_of_one_that_is(host, server) -> None:
    assert host.publish(**server.options, probe=True)["obstacle"] == ""
    assert not (server.root / "models" / "digits").exists()
    assert host.publish(**{**server.options, "dest": "other/digits"}, probe=True)["obstacle"] == (
        "s3://other/digits cannot be reached: the bucket other does not exist."
    )
    (server.root / "outage").touch()
    assert "connection refused" in host.publish(**server.options, probe=True)["obstacle"]


@pytest.fixture
def library(tmp_path) -> dict[str, Any]:
    """A repository whose library is a program that writes down what it is asked, and knows what it was given."""
    said, python, token = tmp_path / "asked", tmp_path / "python", tmp_path / "token"
    python.write_text(
        f'#!/bin/sh\ncat >>{said}; echo >>{said}\nenv >>{said}.environment; echo "$@" >>{said}.arguments\n'
        f"case $(tail -n 1 {said}) in\n*'\"act\": \"put\"'*) touch {said}.there; echo '{{}}' ;;\n"
        f'*\'"act": "obstacle"\'*) echo \'{{"obstacle": ""}}\' ;;\n'
        f"*) [ -e {said}.there ] && echo '{{\"holds\": true}}' || echo '{{\"holds\": false}}' ;;\nesac\n"
    )
    python.chmod(0o755)
    token.write_text("hf_none_may_read_this\n")
    token.chmod(0o600)
    return {"to": "huggingface", "dest": "hospitals/digits", "library_python": str(python), "token_file": str(token)}


def test_a_repository_is_asked_through_its_library_which_gets_the_token_where_nobody_reads(host, library) -> None:
    assert host.publish(**library, probe=True)["obstacle"] == ""
    first, second = host.publish(**library), host.publish(**library)
    assert [one["changed"] for one in (first, second)] == [True, False]
    assert first["dest"] == f"https://huggingface.co/hospitals/digits/tree/{first['package']}"
    said = Path(library["library_python"]).with_name("asked")
    asked = [json.loads(line) for line in said.read_text().splitlines()]
    assert [one["act"] for one in asked] == ["obstacle", "holds", "put", "holds"]
    assert {one["token"] for one in asked} == {"hf_none_may_read_this"}
    assert asked[2]["manifest"]["identity"] == first["identity"]
    for place in (".environment", ".arguments"):
        assert "hf_none" not in Path(f"{said}{place}").read_text()
    assert "hf_none" not in json.dumps([first, second, host.sent])


def test_a_python_is_found_by_a_path_from_the_working_directory(host, library, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    assert host.publish(**{**library, "library_python": "python"}, probe=True)["obstacle"] == ""


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (0o640, "token", "must be a file of root or of the account that runs Ansible, with mode 0600"),
        (0o600, "two words", "must hold one word, the token"),
        (0o600, "", "must hold one word, the token"),
        (None, "", "which cannot be read: No such file or directory"),
    ],
)
def test_a_token_that_others_may_read_or_that_is_none_is_refused(host, library, mode, text, words) -> None:
    path = Path(library["token_file"])
    path.write_text(text)
    path.unlink() if mode is None else path.chmod(mode)
    assert words in host.publish(**library, probe=True)["obstacle"]
    with pytest.raises(AnsibleActionFail, match="publish_token_file is .*token"):
        host.publish(**library)


def test_a_library_that_does_not_answer_is_told(host, library) -> None:
    Path(library["library_python"]).write_text("#!/bin/sh\necho 'No module named huggingface_hub' >&2; exit 1\n")
    with pytest.raises(AnsibleActionFail, match="hospitals/digits: huggingface is not asked, No module named"):
        host.publish(**library)
