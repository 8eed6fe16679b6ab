# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, in real plays on no host at all."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.action import training_config as action
from ansible_collections.fedops.flower.plugins.doc_fragments.training import ModuleDocFragment as Fragment
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._flower.users_code import code_hash
from ansible_collections.fedops.flower.plugins.modules import training_config

from ...apps import pyproject
from ...plays import play_in

ROOT = Path(__file__).resolve().parents[4]


def test_the_options_that_are_documented_are_those_that_are_accepted():
    documented = [yaml.safe_load(training_config.DOCUMENTATION)["options"]]
    documented += [yaml.safe_load(part)["options"] for part in (Fragment.DOCUMENTATION, Fragment.NODES_ONLINE)]
    options = {name: option for part in documented for name, option in part.items()}
    assert options.keys() == action.ARGUMENTS.keys()
    for name in options.keys() - {"nodes_online"}:  # accepted as whatever a survey makes of a number
        accepted = {key: options[name].get(key) for key in ("type", "choices", "default")}
        assert accepted == {key: action.ARGUMENTS[name].get(key) for key in ("type", "choices", "default")}


def play(folder, arguments=None, variables=None, extra="", flags=()):
    """Run the module in a play of two unreachable hosts; return its result on the first one, and what was printed."""
    check = {"fedops.flower.training_config": arguments or {}, "register": "checked", "ignore_errors": True}
    content = {"content": "{{ checked | to_json }}", "dest": str(folder / "result-{{ inventory_hostname }}.json")}
    keep = {"ansible.builtin.copy": content, "delegate_to": "localhost", "check_mode": False}
    tasks = [{"name": "Check", **check}, {"name": "Keep", **keep}]
    playbook = [{"hosts": "all", "gather_facts": False, "vars": variables or {}, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(playbook))
    (folder / "extra.yml").write_text(extra or "{}")
    inventory, given = ("-i", "192.0.2.1,192.0.2.2,"), ("-e", f"@{folder / 'extra.yml'}")
    done = play_in(folder, *inventory, *flags, *given, folder / "play.yml")
    result = folder / "result-192.0.2.1.json"
    assert result.exists(), done.stdout + done.stderr
    return json.loads(result.read_text()), done.stdout + done.stderr


def test_every_fl_variable_of_the_play_is_templated_and_checked(tmp_path):
    variables = {"rounds": 2, "fl_num_rounds": "{{ rounds * 2 }}", "fl_strategy": "FedAdam", "flavour": "not ours"}
    result, dummy = play(tmp_path, variables=variables)
    training = Training.from_variables({"fl_num_rounds": 4, "fl_strategy": "FedAdam"})
    assert result == {
        "changed": False,
        "failed": False,
        "problems": [],
        "training": training.values,
        "run_config": training.toml,
        "configuration_hash": training.configuration_hash,
        "code": "",
        "num_rounds": 4,
        "strategy_parameters": training.strategy_parameters,
        "app": None,
        "provable": True,
    }


def test_all_errors_are_listed_one_a_line_also_in_check_mode(tmp_path):
    variables = {"fl_num_rounds": 0, "fl_strategy": "Krumm", "fl_seed": "{{ nowhere }}", "fl_tau": 0.1}
    result, dummy = play(tmp_path, variables=variables, flags=["--check"])
    assert (result["failed"], result["changed"]) == (True, False)
    first, *lines = result["msg"].splitlines()
    assert first == "The training variables are wrong:"
    assert [line.partition(" but ")[0] for line in lines] == [
        "fl_seed is '{{ nowhere }}'",
        "fl_strategy is 'Krumm'",
        "fl_num_rounds is 0",
    ]
    assert "Traceback" not in result["msg"]


def test_what_awx_makes_of_answers_is_understood(tmp_path):
    answers = {
        "fl_strategy": "FedTrimmedAvg",
        "fl_num_rounds": "4",
        "fl_trim_beta": "0.30",
        "fl_min_available_clients": "5.0",
        "fl_checkpoint_enabled": "true",
        "fl_checkpoint_keep_best": "no",
        "fl_seed": "",
        "fl_resume": "null",
        "fl_tau": " ",
        "fl_client_lr": "1e-2",
        "fl_training_name": "2026",
    }
    extra = "".join(f"!unsafe '{name}': !unsafe '{answer}'\n" for name, answer in answers.items())
    result, dummy = play(tmp_path, extra=extra)
    assert {name: result["training"][name.removeprefix("fl_")] for name in answers} == {
        "fl_strategy": "FedTrimmedAvg",
        "fl_num_rounds": 4,
        "fl_trim_beta": 0.3,
        "fl_min_available_clients": 5,
        "fl_checkpoint_enabled": True,
        "fl_checkpoint_keep_best": False,
        "fl_seed": 42,
        "fl_resume": "auto",
        "fl_tau": 0.001,
        "fl_client_lr": 0.01,
        "fl_training_name": "2026",
    }


def test_an_empty_answer_hides_neither_the_play_nor_a_context(tmp_path):
    answers = "fl_num_rounds: !unsafe ''\nfl_seed: !unsafe ''\nfl_client_lr: !unsafe '0.1'\n"
    context = {"FL_NUM_ROUNDS": "9", "FL_SEED": "5", "FL_CLIENT_LR": "0.7", "FL_TLS_ENABLED": "YES"}
    variables = {"rounds": 2, "fl_num_rounds": "{{ rounds * 2 }}"}
    result, said = play(tmp_path, {"context": context}, variables, answers)
    found = {name: result["training"][name] for name in ("num_rounds", "seed", "client_lr")}
    assert found == {"num_rounds": 4, "seed": 5, "client_lr": 0.1}
    assert [problem["variable"] for problem in result["problems"]] == ["FL_TLS_ENABLED"]
    assert said.count("[INFO]: FL_TLS_ENABLED is 'YES' but it is no training variable, and is left out.") == 1


def test_context_and_nodes_online_are_taken_into_account(tmp_path):
    arguments = {"context": {"FL_STRATEGY": "Krum", "FL_MIN_AVAILABLE_CLIENTS": "3"}, "nodes_online": "2"}
    result, dummy = play(tmp_path, arguments, {"fl_strategy": "", "fl_num_rounds": 2})
    assert [(problem["severity"], problem["variable"]) for problem in result["problems"]] == [
        ("error", "fl_num_malicious"),
        ("error", "fl_min_available_clients"),
    ]


def test_given_variables_replace_those_of_the_play(tmp_path):
    arguments = {"variables": {"fl_num_rounds": 5}, "runtime": "container"}
    result, dummy = play(tmp_path, arguments, {"fl_num_rounds": 4, "fl_unknown": 1})
    training = result["training"]
    assert (training["num_rounds"], training["checkpoint_path"]) == (5, "/app/checkpoints")


def test_the_collections_own_app_takes_every_variable(tmp_path):
    result, dummy = play(tmp_path, {"app": str(ROOT / "files/fab")}, {"fl_strategy": "FedMedian"})
    code = code_hash(str(ROOT / "files/fab"))
    training = Training.from_variables({"fl_strategy": "FedMedian", "fl_code_sha256": code})
    found = tuple(result[name] for name in ("app", "provable", "run_config", "configuration_hash", "problems", "code"))
    assert found == ("fedops/fedops-app", True, training.toml, training.configuration_hash, [], code)


def test_the_code_of_an_app_must_be_the_one_that_is_asked_for(tmp_path, their_app):
    code = code_hash(str(their_app))
    asked = {"fl_code_sha256": code, "fl_code_change": "continue", "fl_num_rounds": 2}
    result, dummy = play(tmp_path, {"app": str(their_app)}, asked)
    assert (result["failed"], result["code"], result["problems"]) == (False, code, [])
    (their_app / "model.py").write_text("LAYERS = 5")
    result, dummy = play(tmp_path, {"app": str(their_app)}, {"fl_code_sha256": code})
    (told,) = result["msg"].splitlines()[1:]
    assert told.startswith("fl_code_sha256 is '")
    assert told.partition(" but ")[2] == (
        f"the app has the code {code_hash(str(their_app))}. Look what has changed in the app or in app_overlay, or"
        " leave it unset."
    )


@pytest.fixture
def their_app(tmp_path):
    """A Flower app that knows one of our variables and a key of its own."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    told = pyproject("theirs", "they", "theirs:server", "theirs:client", num_rounds=1, depth=2, rate=0.1)
    (folder / "pyproject.toml").write_text(told)
    return folder


def test_an_app_of_ones_own_is_given_what_it_declares(tmp_path, their_app):
    arguments = {"app": str(their_app), "extra": {"depth": 3, "rate": 1}}
    result, dummy = play(tmp_path, arguments, {"fl_num_rounds": 2})
    assert (result["app"], result["provable"], result["num_rounds"]) == ("they/theirs", False, 2)
    assert tomllib.loads(result["run_config"]) == {"num-rounds": 2, "depth": 3, "rate": 1.0}
    assert result["problems"] == []


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("tool = 3\n", "theirs is not a Flower app: its pyproject.toml lacks [project] name"),
        ("{}day = 2024-01-01\n", "[tool.flwr.app.config] day is 2024-01-01 but Flower takes only text"),
    ],
)
def test_what_is_no_app_fails_in_words_before_its_code_is_hashed(tmp_path, their_app, told, message):
    file = their_app / "pyproject.toml"
    file.write_text(told.format(file.read_text()))
    result, dummy = play(tmp_path, {"app": str(their_app)})
    assert result["failed"]
    assert message in result["msg"]


def test_a_knob_of_ones_own_task_is_given_to_the_collections_app(tmp_path):
    task = tmp_path / "task.py"
    task.write_text('KNOBS = {"augment-strength": {"default": 0.1, "minimum": 0, "maximum": 1}}\n')
    arguments = {"app": str(ROOT / "files/fab"), "overlay": {"fedops_app/task.py": str(task)}}
    result, dummy = play(tmp_path, {**arguments, "extra": {"augment-strength": "0.3"}})
    assert tomllib.loads(result["run_config"])["augment-strength"] == 0.3
    assert (result["provable"], result["problems"]) == (True, [])
    wrong, dummy = play(tmp_path, {**arguments, "extra": {"augment-strength": 3, "strength": 1}}, {"fl_num_rounds": 0})
    assert [problem["variable"] for problem in wrong["problems"]] == [
        "fl_num_rounds",
        "training_run_config['augment-strength']",
        "training_run_config['strength']",
    ]


def test_a_variable_that_reaches_nothing_in_an_app_of_ones_own_fails(tmp_path, their_app):
    result, dummy = play(tmp_path, {"app": str(their_app)}, {"fl_num_rounds": 2, "fl_batch_size": 8})
    assert result["failed"] is True
    assert [(problem["severity"], problem["variable"]) for problem in result["problems"]] == [
        ("error", "fl_batch_size")
    ]


def test_what_the_kit_is_told_reaches_an_app_that_has_it(tmp_path, their_app):
    variables = {"fl_checkpoint_enabled": True, "fl_checkpoint_interval": 1, "fl_training_name": "theirs"}
    refused, dummy = play(tmp_path, {"app": str(their_app), "kit": True}, variables)
    assert "nothing in the app theirs uses the kit. Write two lines into its ServerApp" in refused["msg"]
    (their_app / "server.py").write_text("from fedops_kit import keep\n")
    result, shown = play(tmp_path, {"app": str(their_app), "kit": True}, variables)
    assert result["provable"]
    assert tomllib.loads(result["run_config"])["fedops"]["checkpoint-interval"] == 1
    assert [(problem["severity"], problem["variable"]) for problem in result["problems"]] == [
        ("info", "fl_num_rounds"),
        ("info", "app_kit"),
    ]
    assert "has num-rounds = 1 of its own, which stands" in shown
    assert "the app does not depend on NumPy, which the kit needs" in shown


def test_checkpoints_lie_in_the_home_of_the_host(tmp_path, their_app):
    result, dummy = play(tmp_path, {"home": "/srv/flower", "app": str(their_app)}, {"fl_num_rounds": 2})
    assert (result["training"]["checkpoint_path"], result["problems"]) == ("/srv/flower/checkpoints", [])


def test_keys_of_the_app_and_variables_are_refused_together(tmp_path, their_app):
    arguments = {"app": str(their_app), "extra": {"dpth": 3}}
    result, dummy = play(tmp_path, arguments, {"fl_num_rounds": 0})
    assert [problem["variable"] for problem in result["problems"]] == ["fl_num_rounds", "training_run_config['dpth']"]


def test_warnings_and_infos_are_shown_once_for_a_play(tmp_path):
    result, printed = play(tmp_path, variables={"fl_strategy": "FedProx", "fl_num_rounds": 50})
    warning = "fl_checkpoint_enabled is false but the training has 50 rounds"
    assert printed.count(f"[WARNING]: {warning}") == 1
    info = "fl_strategy is 'FedProx' but Flower leaves the proximal term to the ClientApp."
    assert printed.count(f"[INFO]: {info}") == 1
    assert [problem["severity"] for problem in result["problems"]] == ["warning", "info"]


def test_infos_are_not_repeated_with_the_nodes_online(tmp_path):
    result, printed = play(tmp_path, {"nodes_online": 3}, {"fl_strategy": "FedProx"})
    assert [problem["severity"] for problem in result["problems"]] == ["info"]
    assert "[INFO]" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes_online": "many"}, "nodes_online is 'many' but must be a whole number, at least 0."),
        ({"runtime": "vm"}, "value of runtime must be one of: venv, container, got: vm"),
        ({"variable": {}}, "Unsupported parameters"),
        ({"extra": {"depth": 3}}, "extra is given but app is not."),
        ({"overlay": {"task.py": "/a"}}, "overlay is given but app is not."),
        ({"app": "/nowhere"}, "/nowhere"),
    ],
)
def test_a_bad_argument_fails_in_words(tmp_path, arguments, message):
    result, dummy = play(tmp_path, arguments)
    assert result["failed"]
    assert message in result["msg"]
