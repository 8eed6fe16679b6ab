# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Flower app is given of a training's variables."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import canonical_hash
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences
from ansible_collections.fedops.flower.plugins.module_utils._config.kit import KIT_ROWS, kit_default, kit_key
from ansible_collections.fedops.flower.plugins.module_utils._config.knobs import flat, knobs_of
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_KEY
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import App, AppError, read_app
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_config import for_app

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


def test_a_key_of_any_letters_is_written_so_that_flower_reads_it() -> None:
    declared = {"größe": 1, "my knob": 2, "a.é": 3, '"': 4, "": 5, "plain-key_1": 6, "inf": 1.0}
    given = for_app(App("/apps/theirs", "they", "theirs", "1.0.0", declared), training(), dict.fromkeys(declared, 7))
    assert dict(flat(tomllib.loads(given.toml))) == {**dict.fromkeys(declared, 7), "inf": 7.0} == given.values


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
