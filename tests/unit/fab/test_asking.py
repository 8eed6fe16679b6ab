# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A function of a task gets what it asks for by name, so that tasks of before go on."""

from __future__ import annotations

import pytest
from simulated import Federation

from fedops_app import task
from fedops_app.asking import call


def test_what_is_not_asked_for_is_not_handed_over() -> None:
    offered = {"extra": {"a": 1}, "data_directory": "/data"}
    assert call(lambda seed: seed, 5, **offered) == 5
    assert call(lambda seed, extra: (seed, extra), 5, **offered) == (5, {"a": 1})
    assert call(lambda seed, data_directory, extra: data_directory, 5, **offered) == "/data"
    assert call(lambda arrays, data_directory: data_directory, {}, "/of the site", **offered) == "/of the site"
    assert call(lambda arrays, *, extra=None: extra, {}, **offered) == {"a": 1}


def test_every_function_of_a_task_may_ask_for_its_knobs(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    functions = {name: getattr(task, name) for name in ("initial_arrays", "evaluate", "evaluate_centrally")}

    def begun(seed, data_directory, extra):
        asked.append(("initial_arrays", data_directory, extra))
        return functions["initial_arrays"](seed)

    def evaluated(arrays, data_directory, extra):
        asked.append(("evaluate", data_directory, extra))
        return functions["evaluate"](arrays, data_directory)

    def evaluated_centrally(arrays, data_directory, extra):
        asked.append(("evaluate_centrally", data_directory, extra))
        return functions["evaluate_centrally"](arrays, data_directory)

    monkeypatch.setattr(task, "KNOBS", {"depth": 2}, raising=False)
    monkeypatch.setattr(task, "initial_arrays", begun)
    monkeypatch.setattr(task, "evaluate", evaluated)
    monkeypatch.setattr(task, "evaluate_centrally", evaluated_centrally)
    federation.train(num_rounds=1)
    server, site = federation.root / "server", federation.root / "data" / "site00"
    for seen in (("initial_arrays", server), ("evaluate", site), ("evaluate_centrally", server)):
        assert (*seen, {"depth": 2}) in asked
