# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Flower app is given of a training's variables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import canonical_hash
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences
from ansible_collections.fedops.flower.plugins.module_utils._config.kit import KIT_ROWS, kit_default, kit_key
from ansible_collections.fedops.flower.plugins.module_utils._config.knobs import flat, knobs_of
from ansible_collections.fedops.flower.plugins.module_utils._config.synonyms import keys_of
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_KEY, BY_NAME, VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, TrainingError
from ansible_collections.fedops.flower.plugins.module_utils._config.variable import Variable
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import App, AppError, read_app
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_config import OWN_KEYS, for_app

NOT_TAKEN = (
    "so that it does not get it. Leave the variable unset; or declare the key in the app's [tool.flwr.app.config] and "
    "read it there; or name the key of the app that means it: training_run_config: {KEY: fl_seed}."
    " It reaches an app that has the kit: app_kit, docs/any-app.md."
)


def app(**config: object) -> App:
    return App(
        "/apps/theirs", "they", "theirs", "1.0.0", {key.replace("_", "-"): value for key, value in config.items()}
    )


def training(**variables: object) -> Training:
    return Training.from_variables(variables)


def test_an_app_that_declares_every_variable_is_given_all_of_them() -> None:
    asked = training(fl_strategy="FedProx")
    given = for_app(App("/ours", "us", "ours", "1", asked.run_config), asked, {})
    assert (given.values, given.problems, given.configuration_hash, given.toml) == (
        asked.run_config,
        (),
        asked.configuration_hash,
        asked.toml,
    )


def test_an_app_of_ones_own_is_given_what_it_declares_and_what_it_alone_knows() -> None:
    asked = training(fl_num_rounds=7)
    given = for_app(app(num_rounds=3, learning_rate=0.5, nested="x"), asked, {"learning-rate": 1, "nested": "y"})
    assert "num-server-rounds" not in given.values
    assert given.values == {"num-rounds": 7, "learning-rate": 1.0, "nested": "y"}
    assert given.problems == ()
    assert tomllib.loads(given.toml) == given.values


def ours(asked: Training, knobs: dict[str, object] | None = None, **own: object) -> App:
    """The collection's app, with keys of its own in pyproject.toml, and knobs."""
    rows = knobs_of(knobs or {})
    declared = {key: row.default for key, row in rows.items()}
    return App("/ours", "us", "ours", "1", {**asked.run_config, **own, **declared}, rows)


def test_a_key_that_is_added_to_ours_tells_trainings_apart_once_it_is_set() -> None:
    asked = training()
    hashes = {
        depth: for_app(ours(asked, depth=2), asked, {"depth": depth} if depth else {}).configuration_hash
        for depth in (None, 2, 3, 4)
    }
    assert hashes[None] == hashes[2] == asked.configuration_hash  # as it was before such a key counted
    assert len(set(hashes.values())) == 3
    given = for_app(ours(asked, depth=2), asked, {"depth": 3})
    assert given.values == {**asked.run_config, "depth": 3}
    assert Training.from_run_config(given.values).identity == {**asked.identity, "extra.depth": 3}


def test_what_the_run_hashes_is_what_the_controller_has_hashed() -> None:
    asked, knobs = training(), {"augment": 0.1, "optimizer.name": "sgd"}
    app = ours(asked, knobs, depth=2, width=5)
    for extra in ({}, {"depth": 3}, {"depth": 2}, {"augment": "0.4"}, {"optimizer": {"name": "adam"}, "width": 6}):
        given = for_app(app, asked, extra)
        context = {**app.config, **given.values}  # as Flower joins them
        run = Training.from_run_config(context, app.knobs, given.values.keys())
        assert run.configuration_hash == given.configuration_hash
        assert run.extra == {key: context[key] for key in ("depth", "width", *knobs)}
        effective = {
            "training": "default",
            "configuration_hash": run.configuration_hash,
            "run_config": run.run_config,
            "strategy": {"name": "FedAvg", "class": "x.FedAvg", "parameters": run.strategy_parameters},
        }
        told = Training.from_run_config(tomllib.loads(given.toml))
        assert differences(told, effective) == differences(told, effective, model_only=True) == []


def test_a_run_that_uses_another_knob_than_asked_is_found_out() -> None:
    asked = training()
    given = for_app(ours(asked, {"augment": 0.1}), asked, {"augment": 0.5})
    told = Training.from_run_config(tomllib.loads(given.toml))
    found = differences(told, {"run_config": {**told.run_config, "augment": 0.1}}, model_only=True)
    assert "Run configuration key augment was to be 0.5 and is 0.1." in found


def test_no_two_values_of_a_knob_share_a_hash() -> None:
    asked = training()
    hashes = [
        for_app(ours(asked, {"knob": default}), asked, {} if value is None else {"knob": value}).configuration_hash
        for default, value in [
            (0, None), (0, 1), (1, 2), (2.0, None), (0.0, 1.0), (True, None), (True, False), ("1", None), ("", "True"),
            ("", "0"), ("0", ""), ("", " "),
        ]
    ]  # fmt: skip
    assert len(set(hashes)) == len(hashes)
    same = [for_app(ours(asked, {"knob": default}), asked, {"knob": 3}).configuration_hash for default in (1, 2)]
    assert same[0] == same[1]  # it is the value that counts, wherever it comes from


def test_everything_that_is_wrong_with_keys_is_told_at_once() -> None:
    asked = training()
    app = ours(asked, {"augment-strength": {"default": 0.1, "minimum": 0, "maximum": 1}, "flip": True, "layers": 2})
    extra = {"augment-strenght": 0.5, "augment-strength": 7, "flip": "maybe", "layers": 2.5, "client-lr": -1}
    assert [problem.message for problem in for_app(app, asked, extra).problems] == [
        "training_run_config['augment-strenght'] is 0.5 but the app us/ours declares no such key in its "
        "[tool.flwr.app.config]. Did you mean augment-strength?",
        "training_run_config['augment-strength'] is 7 but must be from 0 to 1. Correct it, or leave it out for 0.1.",
        "training_run_config['flip'] is 'maybe' but must be true or false. Correct it, or leave it out for true.",
        "training_run_config['layers'] is 2.5 but must be a whole number. Correct it, or leave it out for 2.",
        "client-lr is -1.0 but must be above 0. Correct it, or leave it unset for 0.1.",
    ]


def test_a_survey_may_spell_values_as_text() -> None:
    declared = {"rate": 0.1, "layers": 2, "flip": False, "name": "a", "prompt": "x", "empty": "y", "left": 1}
    extra = {
        "rate": 1, "layers": " 3 ", "flip": "yes", "name": 7, "prompt": " two\nlines ", "empty": "", "left": "",
    }  # fmt: skip
    given = for_app(App("/a", "they", "theirs", "1", declared), training(), extra)
    assert given.problems == ()
    assert given.values == {
        "rate": 1.0, "layers": 3, "flip": True, "name": "7", "prompt": " two\nlines ", "empty": "",
    }  # fmt: skip
    assert tomllib.loads(given.toml) == given.values


def test_its_hash_tells_apps_and_values_apart() -> None:
    asked = training()
    hashes = {
        for_app(declared, asked, extra).configuration_hash
        for declared, extra in [
            (app(num_rounds=3), {}),
            (app(num_rounds=3, lr=0.5), {"lr": 0.1}),
            (app(num_rounds=3, lr=0.5), {"lr": 0.2}),
            (App("/p", "they", "others", "1.0.0", {"num-rounds": 3}), {}),
        ]
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("config", "variables", "extra", "severity", "message"),
    [
        (
            {"num_rounds": 3},
            {"fl_seed": 7},
            {},
            "error",
            f"fl_seed is 7 but the app they/theirs does not declare seed, {NOT_TAKEN}",
        ),
        (
            {"seed": "abc"},
            {"fl_seed": 7},
            {},
            "error",
            f"fl_seed is 7 but the app they/theirs declares seed as text, {NOT_TAKEN}",
        ),
        (
            {"learning_rate": 0.1},
            {},
            {"learning-rat": 0.2},
            "error",
            "training_run_config['learning-rat'] is 0.2 but the app they/theirs declares no such key in its "
            "[tool.flwr.app.config]. Did you mean learning-rate?",
        ),
        (
            {"learning_rate": 0.1},
            {},
            {"learning-rate": "fast"},
            "error",
            "training_run_config['learning-rate'] is 'fast' but must be a number. Correct it, or leave it out for 0.1.",
        ),
        (
            {"verbose": 1},
            {},
            {"verbose": True},
            "error",
            "training_run_config['verbose'] is true but must be a whole number. Correct it, or leave it out for 1.",
        ),
    ],
)
def test_what_does_not_fit_is_told(config: dict, variables: dict, extra: dict, severity: str, message: str) -> None:
    given = for_app(app(**config), training(**variables), extra)
    assert [(problem.severity, problem.message) for problem in given.problems] == [(severity, message)]


def test_a_default_that_the_app_does_not_know_is_not_worth_a_word() -> None:
    assert for_app(app(), training(), {}).problems == ()


def test_an_app_need_not_know_what_its_training_is_called() -> None:
    assert for_app(app(), training(fl_training_name="winter"), {}).problems == ()


def test_an_app_of_the_first_release_is_given_the_keys_that_it_knows_and_keeps_its_hash() -> None:
    asked = training(fl_num_rounds=7)
    config = {BY_KEY[key].first_key: value for key, value in training().run_config.items()}
    given = for_app(App("/ours", "us", "ours", "1", config), asked, {})
    assert (given.values["num-rounds"], given.takes_all, given.problems) == (7, True, asked.problems[:0])
    assert given.configuration_hash == asked.configuration_hash
    assert Training.from_run_config(given.values).values["num_rounds"] == 7


def test_a_default_of_ours_does_not_take_the_place_of_one_of_the_app() -> None:
    given = for_app(app(num_server_rounds=10, lr=0.01, batch_size=64, strategy="trust", seed=42), training(), {})
    assert given.values == {}
    assert [problem.message for problem in given.problems] == [
        f"fl_{name} is {ours} but the app they/theirs has {key} = {theirs} of its own, which stands. "
        f"To change it, set {key} in training_run_config."
        for name, ours, key, theirs in (
            ("strategy", "'FedAvg'", "strategy", "'trust'"),
            ("num_rounds", 3, "num-server-rounds", 10),
            ("client_lr", 0.1, "lr", 0.01),
            ("batch_size", 32, "batch-size", 64),
        )
    ]


def test_a_default_that_somebody_has_set_does() -> None:
    asked = training(fl_num_rounds=3, fl_batch_size="32", fl_strategy="FedAvg", fl_fraction_train="")
    given = for_app(app(num_server_rounds=10, batch_size=64, fraction_train=0.1), asked, {})
    assert given.values == {"num-server-rounds": 3, "batch-size": 32}
    told = {problem.variable: (problem.severity, problem.message) for problem in given.problems}
    assert told.keys() == {"fl_strategy", "fl_fraction_train"}
    assert told["fl_strategy"][0] == told["fl_fraction_train"][0] == "info"
    assert "does not declare strategy, so that it does not get it" in told["fl_strategy"][1]
    assert "has fraction-train = 0.1 of its own, which stands" in told["fl_fraction_train"][1]


def test_what_a_strategy_raises_reaches_an_app_that_knows_it_and_is_no_error_elsewhere() -> None:
    asked = training(fl_strategy="Krum", fl_num_malicious=2)
    declared = {"strategy": "FedAvg", "num_malicious": 0}
    given = for_app(app(**declared, min_available_nodes=2), asked, {})
    assert given.values == {"strategy": "Krum", "num-malicious": 2, "min-available-nodes": 7}
    given = for_app(app(**declared), asked, {})
    assert [(problem.variable, problem.severity) for problem in given.problems] == [
        ("fl_min_available_clients", "warning")
    ]


def test_an_app_whose_defaults_are_ours_is_the_same_training_as_when_it_was_given_them() -> None:
    declared = app(num_rounds=3, batch_size=32, depth=2)
    before = canonical_hash(["they/theirs", {"num-rounds": 3, "batch-size": 32}])
    assert for_app(declared, training(), {}).configuration_hash == before
    assert for_app(declared, training(fl_batch_size=32), {}).configuration_hash == before
    assert for_app(declared, training(fl_batch_size=16), {}).configuration_hash != before
    assert for_app(app(num_rounds=3, batch_size=16), training(), {}).configuration_hash != before


def test_a_variable_may_be_named_for_a_key_of_the_app() -> None:
    given = for_app(app(cycles=1), training(fl_num_rounds=7), {"cycles": "fl_num_rounds"})
    assert (given.values, given.problems) == ({"cycles": 7}, ())


# The tables of public apps, by shape: what they call their keys, and of which type their defaults are.
PUBLIC = {
    "pytorch quickstart": """
        num-server-rounds = 3
        fraction-evaluate = 0.5
        local-epochs = 1
        learning-rate = 0.1
        batch-size = 32
    """,
    "numpy quickstart": "num-server-rounds = 3",
    "older quickstart": """
        num-server-rounds = 3
        fraction-fit = 0.5
        local-epochs = 1
    """,
    "scikit-learn": """
        penalty = "l2"
        num-server-rounds = 3
        min-available-clients = 2
        local-epochs = 1
    """,
    "xgboost": """
        num-server-rounds = 3
        fraction-train = 0.1
        local-epochs = 1
        params.eta = 0.1
        params.max-depth = 8
        params.objective = "binary:logistic"
    """,
    "keras": """
        num-server-rounds = 3
        local-epochs = 1
        batch-size = 32
        learning-rate = 0.005
        verbose = false
    """,
    "language model in tables": """
        num-server-rounds = 100
        [strategy]
        fraction-train = 0.1
        fraction-evaluate = 0.0
        [train]
        learning-rate-max = 5e-5
        seq-length = 512
        [train.training-arguments]
        learning-rate = ""
        num-epochs = 3
    """,
    "snake case": """
        num_rounds = 5
        fraction_fit = 1.0
        min_available_nodes = 2
        lr = 0.01
        epochs = 2
        batch_size = 16
    """,
    "language model, older": """
        num-server-rounds = 200
        model.name = "mistralai/Mistral-7B-v0.3"
        model.quantization = 4
        model.gradient-checkpointing = true
        model.lora.peft-lora-r = 32
        dataset.name = "vicgalle/alpaca-gpt4"
        train.save-every-round = 5
        train.learning-rate-max = 5e-5
        train.seq-length = 512
        train.training-arguments.output-dir = ""
        train.training-arguments.learning-rate = ""
        train.training-arguments.per-device-train-batch-size = 16
        train.training-arguments.num-train-epochs = 3
        train.training-arguments.max-steps = 10
        strategy.fraction-fit = 0.1
        strategy.fraction-evaluate = 0.0
    """,
    "advanced pytorch": """
        num-server-rounds = 3
        fraction-train = 0.25
        fraction-evaluate = 0.5
        local-epochs = 1
        server-device = "cpu"
        use-wandb = true
        learning-rate = 0.1
        batch-size = 32
    """,
    "baseline": """
        algorithm.mu = 1.0
        algorithm.num-server-rounds = 10
        algorithm.fraction-fit = 0.01
        algorithm.min-available-clients = 2
        client.local-epochs = 10
        client.learning-rate = 0.03
        dataset.batch-size = 10
        dataset.seed = 1
        model.seed = 2
    """,
    "opacus": """
        num-server-rounds = 3
        max-grad-norm = 1.0
        target-delta = 1e-5
        batch-size = 32
    """,
    "mlx": """
        num-server-rounds = 3
        local-epochs = 1
        num-layers = 2
        hidden-dim = 32
        batch-size = 256
        lr = 0.1
    """,
    "hugging face": """
        num-server-rounds = 3
        model-name = "prajjwal1/bert-tiny"
        fraction-train = 1.0
        fraction-evaluate = 1.0
    """,
    "aggregation of its own": """
        num-server-rounds = 5
        fraction-evaluate = 0.5
        local-epochs = 1
        learning-rate = 0.1
        batch-size = 32
        strategy = "trust"
        num-malicious = 3
        attack-scale = 1.0
        trust-beta = 5.0
    """,
    "hospitals": """
        num-server-rounds = 30
        fraction-evaluate = 1.0
        strategy = "FedAvg"
        dataset = "small"
        batch-size = 32
        local-epochs = 2
        lr = 0.001
        weight_decay = 0.0005
        seed = 0
    """,
    "features apart": """
        num-server-rounds = 250
        learning-rate = 0.01
        out-feature-dim-clientapp = 64
        feature-splits = "2,3,2"
    """,
    "counting": """
        num-server-rounds = 3
        fraction-sample = 1.0
        min-num-clients = 2
        selected-features = "a,b"
    """,
    "lightning": """
        num-server-rounds = 3
        max-epochs = 1
        save-model = false
    """,
    "privacy in the middle": """
        noise-multiplier = 0.2
        clipping-norm = 10
        num-sampled-clients = 20
        num-shares = 7
        timeout = 120.0
    """,
    "inline": 'strategy = { name = "FedAvg", fraction-fit = 0.5 }',
    "robot policy": """
        num-server-rounds = 50
        proximal-mu = 0.01
        checkpoint = false
        checkpoint_interval = 10
        early_stopping_patience = 10
    """,
    "without a table": "",
}
OTHER = {"bool": True, "int": 7, "float": 0.25, "str": "other"}


def public(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines()).replace("[", "[tool.flwr.app.config.")


def chosen(row: Variable) -> object:
    """A good value that is not the default."""
    if row.choices:
        return next(choice for choice in row.choices if choice != row.default)
    if row.type == "str":
        guesses = ("exponential gamma=0.95",) if row.name.endswith("schedule") else ("other", "/opt/other", "0" * 64)
        return next(text for text in guesses if not row.pattern or re.fullmatch(row.pattern, text))
    if row.type == "bool":
        return not row.default
    # Some rules leave no number below 1.
    return next(value for value in (OTHER[row.type], OTHER[row.type] + 1) if not refused(row, value))


def refused(row: Variable, value: object) -> bool:
    try:
        training(**{row.ansible: value})
    except TrainingError:
        return True
    return False


def public_app(name: str, folder: Path) -> App:
    table = f"[tool.flwr.app.config]\n{public(PUBLIC[name])}" if PUBLIC[name] else ""
    write_app(folder, table)
    return read_app(str(folder))


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)
def test_what_is_set_reaches_a_public_app_or_is_told(row: Variable, name: str, tmp_path: Path) -> None:
    app = public_app(name, tmp_path)
    known = keys_of(row, app.config)
    for value in (chosen(row), row.default):
        given = for_app(app, training(**{row.ansible: value}), {})
        told = [problem.severity for problem in given.problems if problem.variable == row.ansible]
        reached = [key for key in known if key in given.values]
        if reached:
            assert given.values == {reached[0]: value}
            assert type(given.values[reached[0]]) is type(app.config[reached[0]])
            assert told == ([] if reached[0] in row.keys else ["info"])
        elif row.key not in OWN_KEYS and value != "":  # empty is unset
            other = "error" if row.applies_to("FedAvg") else "warning"
            assert told == ["info" if value == row.default else other]
        assert set(given.values) <= set(app.config)
        tomllib.loads(given.toml)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_app_of_which_nothing_is_asked_trains_as_it_does_elsewhere(name: str, tmp_path: Path) -> None:
    given = for_app(public_app(name, tmp_path), training(), {})
    assert (given.values, given.toml) == ({}, "")
    assert {problem.severity for problem in given.problems} <= {"info"}


@pytest.mark.parametrize(
    ("name", "variable", "key"),
    [
        ("pytorch quickstart", "num_rounds", "num-server-rounds"),
        ("pytorch quickstart", "client_lr", "learning-rate"),
        ("older quickstart", "fraction_train", "fraction-fit"),
        ("language model in tables", "fraction_train", "strategy.fraction-train"),
        ("language model in tables", "local_epochs", "train.training-arguments.num-epochs"),
        ("language model, older", "fraction_train", "strategy.fraction-fit"),
        ("language model, older", "checkpoint_interval", "train.save-every-round"),
        ("language model, older", "local_epochs", "train.training-arguments.num-train-epochs"),
        ("language model, older", "batch_size", "train.training-arguments.per-device-train-batch-size"),
        ("baseline", "num_rounds", "algorithm.num-server-rounds"),
        ("baseline", "proximal_mu", "algorithm.mu"),
        ("baseline", "client_lr", "client.learning-rate"),
        ("mlx", "client_lr", "lr"),
        ("inline", "fraction_train", "strategy.fraction-fit"),
        ("snake case", "num_rounds", "num_rounds"),
        ("snake case", "local_epochs", "epochs"),
        ("snake case", "batch_size", "batch_size"),
        ("counting", "fraction_train", "fraction-sample"),
        ("counting", "min_available_clients", "min-num-clients"),
        ("lightning", "local_epochs", "max-epochs"),
        ("aggregation of its own", "num_malicious", "num-malicious"),
        ("robot policy", "checkpoint_enabled", "checkpoint"),
        ("robot policy", "checkpoint_interval", "checkpoint_interval"),
    ],
)
def test_the_names_that_the_world_uses_are_found(name: str, variable: str, key: str, tmp_path: Path) -> None:
    app, value = public_app(name, tmp_path), chosen(BY_NAME[variable])
    assert for_app(app, training(**{f"fl_{variable}": value}), {}).values[key] == value


def test_a_table_that_flower_would_refuse_is_refused(tmp_path: Path) -> None:
    write_app(tmp_path, "[tool.flwr.app.config]\nlayers = [1, 2]\n")
    with pytest.raises(AppError, match=r"\[tool.flwr.app.config\] layers is \[1, 2\] but Flower takes only text"):
        read_app(str(tmp_path))


def write_app(folder: Path, table: str) -> None:
    (folder / "pyproject.toml").write_text(PYPROJECT.format(table=table))


PYPROJECT = """
[project]
name = "public-app"
version = "1.0.0"
[tool.flwr.app]
publisher = "somebody"
fab-include = ["public_app/**/*.py"]
fab-exclude = ["public_app/data/**"]
[tool.flwr.app.components]
serverapp = "public_app.server_app:app"
clientapp = "public_app.client_app:app"
{table}
[tool.flwr.federations]
default = "local-simulation"
[tool.flwr.federations.local-simulation]
options.num-supernodes = 10
"""


def kept(**config: object) -> App:
    """An app that has the kit."""
    its = app(**config)
    return replace(its, config={**its.config, **{kit_key(row): kit_default(row) for row in KIT_ROWS}})


def test_what_the_kit_is_told_reaches_an_app_that_declares_none_of_it() -> None:
    asked = training(
        fl_training_name="theirs", fl_num_rounds=7, fl_checkpoint_enabled=True, fl_checkpoint_interval=1, fl_seed=9
    )
    given = for_app(kept(num_rounds=3), asked, {})
    assert given.problems == ()
    assert given.tells
    own = {key.removeprefix("fedops."): value for key, value in given.values.items() if key.startswith("fedops.")}
    assert given.values["num-rounds"] == 7
    assert "num-server-rounds" not in own  # the app has a key of its own for it
    assert (own["training-name"], own["checkpoint-enabled"], own["checkpoint-interval"]) == ("theirs", True, 1)
    assert (own["seed"], own["checkpoint-path"], own["resume"]) == (9, "/opt/flower/checkpoints", "auto")
    assert "round-timeout" not in own  # as the app has it
    assert dict(flat(tomllib.loads(given.toml))) == given.values


def test_a_number_of_rounds_reaches_an_app_that_has_it_in_its_code() -> None:
    given = for_app(kept(), training(fl_num_rounds=7, fl_round_timeout=60, fl_min_fit_clients=1), {})
    assert {
        key: given.values[f"fedops.{key}"] for key in ("num-server-rounds", "round-timeout", "min-fit-clients")
    } == {
        "num-server-rounds": 7,
        "round-timeout": 60,
        "min-fit-clients": 1,
    }
    assert "fedops.num-server-rounds" not in for_app(kept(), training(), {}).values


@pytest.mark.parametrize(
    ("given", "extra", "rounds"),
    [
        (kept, {}, None),  # in its code alone
        (kept, {"fl_num_rounds": 7}, 7),
        (lambda: kept(num_server_rounds=10), {}, None),  # its own number stands
        (lambda: kept(num_server_rounds=10), {"fl_num_rounds": 7}, 7),
        (lambda: kept(num_server_rounds=10), {"num-server-rounds": 20}, 20),
        (lambda: kept(num_server_rounds=10), {"fedops": {"num-server-rounds": 5}}, 5),  # the kit's counts
        (lambda: app(cycles=1), {"cycles": "fl_num_rounds", "fl_num_rounds": 4}, 4),
        (lambda: app(cycles=1), {"cycles": 4}, None),  # nobody knows what it means
        (lambda: app(num_rounds=1), {}, None),
        (lambda: app(num_rounds=1), {"fl_num_rounds": 3}, 3),  # a default, but asked for
        (lambda: ours(training()), {}, 3),
        (lambda: ours(training()), {"num-server-rounds": 9}, 9),
    ],
)
def test_what_an_app_is_told_to_train_is_known(given: Callable[[], App], extra: dict, rounds: int | None) -> None:
    variables = {name: value for name, value in extra.items() if name.startswith("fl_")}
    keys = {name: value for name, value in extra.items() if name not in variables}
    found = for_app(given(), training(**variables), keys)
    assert found.num_rounds == rounds


def test_a_key_of_our_own_app_is_as_good_as_its_variable() -> None:
    asked = training(fl_strategy="FedProx")
    given = for_app(ours(asked), asked, {"checkpoint-enabled": True, "proximal-mu": 0.5, "num-server-rounds": 9})
    assert given.training is not None
    assert (
        given.training.values
        == training(fl_strategy="FedProx", fl_checkpoint_enabled=True, fl_proximal_mu=0.5, fl_num_rounds=9).values
    )
    assert for_app(app(), training(), {}).training is None


def test_what_neither_the_app_nor_the_kit_takes_is_an_error_still() -> None:
    (problem,) = for_app(kept(), training(fl_local_epochs=2), {}).problems
    assert (problem.severity, problem.variable) == ("error", "fl_local_epochs")


def test_a_kept_app_is_told_apart_by_what_decides_its_bytes() -> None:
    def hashed(extra: dict | None = None, **variables: object) -> str:
        return for_app(kept(num_rounds=3, lr=0.1), training(**variables), extra or {}).configuration_hash

    assert hashed(fl_num_rounds=9, fl_checkpoint_enabled=True, fl_checkpoint_path="/there") == hashed()
    assert len({hashed(), hashed(fl_seed=1), hashed({"lr": 0.2}), hashed(fl_max_update_norm=1.0)}) == 4
