# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generated files are fresh, and what reads them accepts them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fedops.flower.plugins.module_utils._config import continuity
from ansible_collections.fedops.flower.plugins.module_utils._config.limits import DEFAULT
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_ANSIBLE, BY_NAME, VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check
from ansible_collections.fedops.flower.plugins.module_utils._console.context import from_context
from flwr.cli.config_utils import load_and_validate

from ..first_hashes import HASHES, RECORDED_HASHES

ROOT = Path(__file__).resolve().parents[3]
GENERATED = (
    "roles/training/defaults/main/generated.yml",
    "roles/training/meta/argument_specs.yml",
    "docs/variables.md",
    "playbooks/vars/defaults.yml",
    "files/use_cases/llm-fine-tuning/pyproject.toml",
    "docs/awx-survey.json",
    "docs/opennebula-user-inputs.txt",
    "docs/opennebula-service.json",
    "files/fab/fedops_kit/knowledge/__init__.py",
    "files/fab/fedops_kit/knowledge/_config/training.py",
)
SUPERVISION = (
    "session_interval",
    "timeout",
    "online_timeout",
    "model_megabytes",
    "attempts",
    "stall_timeout",
    "restarts_per_hour",
    *("smoke_batches", "smoke_timeout"),
    *(name for name in DEFAULT if name.startswith("alert_")),
)
rows = pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)


# Byte code goes by size and whole seconds: a file that a test writes twice can be taken for what it was before.
FRESH = [sys.executable, "-B"]


def generate(root, *arguments):
    command = [*FRESH, root / "tools/generate.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the generator reads and writes."""
    folders = (
        "plugins/module_utils",
        "roles",
        "playbooks/vars",
        "docs",
        "files/fab/fedops_kit/knowledge",
        "files/use_cases",
        "benchmarks/results",
    )
    for name in ("tools/faces", *folders):
        shutil.copytree(ROOT / name, tmp_path / name)
    single = (
        "tools/generate.py",
        "files/fab/pyproject.toml",
        "files/fab/fedops_app/settings.py",
        "files/fab/fedops_kit/patience.py",
        "files/fab/fedops_kit/pushing.py",
        "README.md",
        "galaxy.yml",
    )
    for name in single:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    generate(tmp_path)
    return tmp_path


def test_a_fresh_checkout_passes_the_check(checkout):
    done = generate(checkout, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [*GENERATED, "files/fab/fedops_kit/knowledge/_leftover.py"])
def test_a_stale_file_is_named_and_renewed(checkout, name):
    (checkout / name).write_text("something else")
    done = generate(checkout, "--check")
    assert (done.returncode, done.stderr) == (1, f"{name} is stale. Run tools/generate.py.\n")
    assert generate(checkout).returncode == 0
    assert generate(checkout, "--check").returncode == 0


@pytest.mark.parametrize("line", ["PAUSES = ", "PULLS = "])
def test_a_part_that_a_launcher_has_in_common_with_another_file_is_renewed(checkout, line):
    name = "roles/supernode/files/flower-supernode.py"
    launcher = checkout / name
    launcher.write_text(launcher.read_text().replace(line, f"{line}None and "))
    assert generate(checkout, "--check").stderr.startswith(f"{name} is stale.")
    generate(checkout)
    assert launcher.read_text() == (ROOT / name).read_text()


def test_a_missing_file_is_stale(checkout):
    (checkout / "docs/variables.md").unlink()
    assert generate(checkout, "--check").stderr == "docs/variables.md is stale. Run tools/generate.py.\n"


def test_the_hand_written_part_of_the_app_stays(checkout):
    path = checkout / "files/fab/pyproject.toml"
    text = path.read_text()
    path.write_text(text.replace("num-server-rounds = 3", "num-server-rounds = 4") + "my-own-key = 1\n")
    written = generate(checkout).stdout.splitlines()
    assert written[0] == "files/fab/pyproject.toml written"
    assert all(re.fullmatch("files/use_cases/.*/pyproject.toml written", line) for line in written[1:])  # made of it
    assert path.read_text() == text + "my-own-key = 1\n"


def test_an_app_without_the_markers_is_refused_in_words(checkout):
    (checkout / "files/fab/pyproject.toml").write_text("[project]\n")
    done = generate(checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("files/fab/pyproject.toml must hold these two lines, once each:\n")


def test_the_app_declares_what_the_table_gives_and_flower_accepts_it():
    declared = tomllib.loads((ROOT / "files/fab/pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    config, warnings = load_and_validate(ROOT / "files/fab/pyproject.toml", check_module=False)
    earlier = {key: type(row.default)() for row in VARIABLES for key in row.keys[1:]}
    training = Training.from_variables({})
    # Of a row whose default has moved, the app keeps the first: a run configuration without it means that.
    first = {row.name: continuity.first_default(row, "FedAvg") for row in VARIABLES if row.identity}
    kept = {BY_NAME[name].key: value for name, value in first.items() if training.values[name] != value}
    assert declared == {**training.run_config, **kept, **earlier}
    assert Training.from_run_config(declared).values == {**training.values, **first}
    assert config["tool"]["flwr"]["app"]["config"] == declared
    assert warnings == []


def test_the_copy_in_the_app_works_by_itself(tmp_path):
    shutil.copytree(ROOT / "files/fab/fedops_kit/knowledge", tmp_path / "knowledge")
    code = "from knowledge._config.training import Training; print(Training.from_run_config({}).configuration_hash)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Training.from_variables({}).configuration_hash


HASH_ALL = """
import json, sys
sys.path.insert(0, sys.argv[1])
from {package}._config.training import Training
print(json.dumps([Training.from_{origin}(entry).configuration_hash for entry in json.load(sys.stdin)]))
"""
ROW = """    Variable(
        name="novelty", type={kind!r}, default={default!r}, title="Novelty", help="Is new.", group="local",
    ),
{end}"""
END = ")\n\n# Which strategies read"  # of the rows


def hashes(checkout, package, place, origin, given):
    code = HASH_ALL.format(package=package, origin=origin)
    command = [*FRESH, "-c", code, checkout / place]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def hashes_of_both(checkout):
    """The recorded trainings' hashes to the controller, and to an app that is given what the first release gave."""
    variables = [entry["variables"] for entry in HASHES]
    run_configs = [Training.from_variables(given).run_config for given in variables]  # without what came later
    return (
        hashes(checkout, "module_utils", "plugins", "variables", variables),
        hashes(checkout, "knowledge", "files/fab/fedops_kit", "run_config", run_configs),
    )


def rewrite(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(("kind", "default"), [("int", 7), ("float", 0.5), ("bool", True), ("str", "plain")])
def test_a_row_that_is_added_leaves_every_training_the_same_and_its_first_default_is_remembered(
    checkout, kind, default
):
    table = checkout / "plugins/module_utils/_config/table.py"
    row = ROW.format(kind=kind, default=default, end=END)
    rewrite(table, END, row)
    assert hashes_of_both(checkout)[0] == RECORDED_HASHES  # even before anything is generated
    assert "continuity.py is stale" in generate(checkout, "--check").stderr
    assert generate(checkout).returncode == 0
    assert generate(checkout, "--check").returncode == 0
    assert hashes_of_both(checkout) == (RECORDED_HASHES, RECORDED_HASHES)
    declared = (checkout / "files/fab/pyproject.toml").read_text()

    other = {"int": 8, "float": 0.75, "bool": False, "str": "fancy"}[kind]
    rewrite(table, row, ROW.format(kind=kind, default=other, end=END))
    assert "continuity.py is stale" in generate(checkout, "--check").stderr
    assert generate(checkout).returncode == 0
    ours, theirs = hashes_of_both(checkout)
    # What was asked before the row was there goes on as it was; who asks now gets the new default, and another hash.
    assert theirs == RECORDED_HASHES
    assert not set(ours) & set(RECORDED_HASHES)
    assert (checkout / "files/fab/pyproject.toml").read_text() == declared
    variables = [{**entry["variables"], "fl_novelty": default} for entry in HASHES]
    assert hashes(checkout, "module_utils", "plugins", "variables", variables) == RECORDED_HASHES


def test_a_new_row_does_not_begin_with_a_default_for_each_strategy(checkout):
    config = checkout / "plugins/module_utils/_config"
    rewrite(config / "table.py", END, ROW.format(kind="int", default=1, end=END))
    rewrite(config / "strategies.py", '{"server_lr": 1.0}', '{"server_lr": 1.0, "novelty": 2}')
    done = generate(checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("The row novelty is new, and what trainings did before it does not depend on the")


def arguments():
    return yaml.safe_load((ROOT / "roles/training/meta/argument_specs.yml").read_text())["argument_specs"]["main"]


@rows
@pytest.mark.parametrize("value", [None, "", "5", 5, 5.0, True, "yes"])
def test_the_role_takes_what_awx_makes_of_an_answer(row, value):
    given = {row.ansible: value}
    validated = ArgumentSpecValidator({row.ansible: arguments()["options"][row.ansible]}).validate(
        given, validate_role_argument_spec=True
    )
    assert (validated.error_messages, validated.validated_parameters[row.ansible]) == ([], value)


def test_the_role_documents_every_variable_and_its_own_options():
    options = arguments()["options"]
    assert [name for name in options if name.startswith("fl_")] == list(BY_ANSIBLE)
    assert all(name.startswith("training_") for name in options.keys() - BY_ANSIBLE)


def test_the_defaults_of_the_role_are_those_of_the_table_and_tell_unset_from_set():
    given = yaml.safe_load((ROOT / "roles/training/defaults/main/generated.yml").read_text())
    defaults = {name: value for name, value in given.items() if name.startswith("fl_")}
    assert {name: value for name, value in given.items() if name not in defaults} == {
        f"training_{name}": DEFAULT[name] for name in SUPERVISION
    }
    assert defaults == {row.ansible: None for row in VARIABLES}
    assert Training.from_variables(defaults).values == Training.from_variables({}).values
    assert check({**defaults, "fl_strategy": "FedYogi"}) == []


def test_the_reference_has_every_spelling():
    words = set(re.findall(r"`([^`]+)`", (ROOT / "docs/variables.md").read_text()))
    assert words >= {spelling for row in VARIABLES for spelling in (row.ansible, row.context, row.key)}


def test_the_ready_made_survey_asks_for_every_variable():
    spec = json.loads((ROOT / "docs/awx-survey.json").read_text())["spec"]
    asked = {question["variable"] for question in spec}
    assert asked == {"fl_use_case", *BY_ANSIBLE} - {"fl_demo_attacks", "fl_purpose"}


def test_the_defaults_of_the_user_inputs_are_the_default_training():
    text = (ROOT / "docs/opennebula-user-inputs.txt").read_text()
    block = re.search(r"USER_INPUTS = \[\n(.*?)\n\]", text, re.DOTALL).group(1)
    given = dict(re.fullmatch(r'  (\w+) = "([^"]*)",?', line).groups() for line in block.splitlines())
    context = {name: definition.rpartition("|")[2] for name, definition in given.items()}
    assert set(context) == {"FL_USE_CASE", *(row.context for row in VARIABLES)} - {"FL_DEMO_ATTACKS", "FL_PURPOSE"}
    assert from_context(context) == {}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_names_its_generator(name):
    assert "tools/generate.py" in (ROOT / name).read_text()
