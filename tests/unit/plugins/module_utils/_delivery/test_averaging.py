# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters that others have sent become one, or each that cannot is named with its reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import models, safetensors
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.bfloat16 import from_float32, to_float32
from ansible_collections.fedops.flower.plugins.module_utils._delivery import adapters, averaging_program
from ansible_collections.fedops.flower.plugins.module_utils._delivery.adapters import AdapterError
from ansible_collections.fedops.flower.plugins.module_utils._delivery.averaging import average_adapters
from ansible_collections.fedops.flower.plugins.plugin_utils._program import AGGREGATE_ADAPTERS

CONFIG = {"peft_type": "LORA", "r": 2, "target_modules": ["q", "v"], "base_model_name_or_path": "org/tiny"}
SHAPES = {"q.lora_A.weight": (2, 3), "q.lora_B.weight": (3, 2), "scale": ()}
DTYPES = ("float32", "float64", "float16", "bfloat16")


def adapter(folder: Path, seed: int, dtype: str = "float32", config: dict | None = None, **shapes: tuple) -> Path:
    """Write an adapter as PEFT does."""
    rng = np.random.default_rng(seed)
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in {**SHAPES, **shapes}.items()}
    return written(folder, arrays, dtype, config)


def written(folder: Path, arrays: dict[str, np.ndarray], dtype: str = "float32", config: dict | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**CONFIG, **(config or {})}))
    table = safetensors.write_table([(name, dtype, one.shape) for name, one in arrays.items()], {"format": "pt"})
    with (folder / "adapter_model.safetensors").open("wb") as stream:
        stream.write(table)
        for one in arrays.values():
            kept = from_float32(np.atleast_1d(one)) if dtype == "bfloat16" else np.asarray(one, dtype)
            stream.write(kept.tobytes())
    return folder


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    """Read what was written, wide."""
    path = folder / "adapter_model.safetensors"
    found = {}
    with path.open("rb") as stream:
        for entry in models.entries(stream, str(path), path.stat().st_size):
            stream.seek(entry.begin)
            content = stream.read(entry.size)
            if entry.dtype == "bfloat16":
                values = to_float32(np.frombuffer(content, np.uint16))
            else:
                values = np.frombuffer(content, entry.dtype)
            found[entry.name] = values.astype(np.float64).reshape(entry.shape)
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_array_is_the_mean_weighted_by_examples(tmp_path: Path, dtype: str) -> None:
    given = [(adapter(tmp_path / f"a{number}", number, dtype), 10 * number) for number in (1, 2, 5)]
    told = average_adapters([f"{folder}:{examples}" for folder, examples in given], str(tmp_path / "out"))
    made = arrays_of(tmp_path / "out")
    accuracy = {"float16": 1e-3, "bfloat16": 8e-3, "float32": 1e-6, "float64": 1e-15}[dtype]
    for name in SHAPES:
        expected = sum(arrays_of(folder)[name] * examples for folder, examples in given) / 80
        np.testing.assert_allclose(made[name], expected, rtol=accuracy, atol=accuracy)
    assert list(made) == list(SHAPES)
    assert json.loads((tmp_path / "out/adapter_config.json").read_text()) == CONFIG
    assert json.loads((tmp_path / "out/average.json").read_text()) == told
    assert (told["examples"], told["arrays"], told["numbers"], told["base_model"]) == (80, 3, 13, "org/tiny")
    assert [(one["name"], one["examples"]) for one in told["adapters"]] == [("a1", 10), ("a2", 20), ("a5", 50)]
    assert sorted(os.listdir(tmp_path / "out")) == ["adapter_config.json", "adapter_model.safetensors", "average.json"]


def test_the_same_adapters_make_the_same_bytes(tmp_path: Path) -> None:
    given = [f"{adapter(tmp_path / str(number), number)}:{number}" for number in (3, 4)]
    first, second = (average_adapters(given, str(tmp_path / one)) for one in ("one", "two"))
    assert first == second
    for name in ("adapter_model.safetensors", "average.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_one_adapter_of_two_alike_stays_what_it_is(tmp_path: Path) -> None:
    one, two = (adapter(tmp_path / name, 1) for name in ("a", "b"))
    average_adapters([f"{one}:5", f"{two}:5"], str(tmp_path / "out"))
    for name, array in arrays_of(tmp_path / "out").items():
        assert np.array_equal(array, arrays_of(one)[name])


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    good = adapter(tmp_path / "good", 1)
    rank = adapter(tmp_path / "rank", 2, config={"r": 4}, **{"q.lora_A.weight": (4, 3)})
    base = adapter(tmp_path / "base", 3, config={"base_model_name_or_path": "org/other"})
    narrow = adapter(tmp_path / "narrow", 4, "float16")
    names = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items() if name != "scale"}
    other = written(tmp_path / "names", {**names, "more": np.zeros(1, np.float32)})
    nan = written(tmp_path / "nan", {name: np.full(shape, np.nan, np.float32) for name, shape in SHAPES.items()})
    with pytest.raises(AdapterError) as caught:
        average_adapters(
            [f"{good}:1", f"{rank}:1", f"{base}:1", f"{narrow}:1", f"{other}:1", f"{nan}:1", f"{tmp_path}/none:1",
             f"{good}:-3", f"{tmp_path}/x:many", "alone", f"{good}/:2"],
            str(tmp_path / "out"),
        )  # fmt: skip
    lines = str(caught.value).split("\n")
    assert lines == [
        f"{tmp_path}/none cannot be read: no such file or directory.",
        f"{good} was trained on '-3' examples, but that must be a whole number from 1 to {1 << 53}.",
        f"{tmp_path}/x was trained on 'many' examples, but that must be a whole number from 1 to {1 << 53}.",
        "alone does not say on how many examples it was trained. Give PATH:EXAMPLES.",
        f"{good}/ is given twice, the first time as {good}. Give each adapter once.",
        f"{rank} is not like {good}: r is 4 instead of 2; 'q.lora_A.weight' float32[4, 3] is float32[2, 3] there.",
        f"{base} is not like {good}: its base model is 'org/other' instead of 'org/tiny'.",
        f"{narrow} is not like {good}: 'q.lora_A.weight' float16[2, 3] is float32[2, 3] there; 'q.lora_B.weight'"
        " float16[3, 2] is float32[3, 2] there; 'scale' float16[] is float32[] there.",
        f"{other} is not like {good}: 'more' float32[1] is one more; 'scale' float32[] is missing.",
        f"{nan} cannot be averaged: 'q.lora_A.weight' float32[2, 3] holds NaN or infinite numbers; 'q.lora_B.weight'"
        " float32[3, 2] holds NaN or infinite numbers; 'scale' float32[] holds NaN or infinite numbers.",
    ]
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_the_order_of_names_and_who_wrote_it_make_no_difference(tmp_path: Path) -> None:
    one = adapter(tmp_path / "a", 1)
    two = adapter(tmp_path / "b", 2, config={"target_modules": ["v", "q"], "inference_mode": True, "peft_version": "1"})
    average_adapters([f"{one}:1", f"{two}:1"], str(tmp_path / "out"))


def spoil_config(folder: Path, text: str) -> None:
    (folder / "adapter_config.json").write_text(text)


def link(folder: Path, name: str) -> None:
    (folder / name).rename(folder / "elsewhere")
    (folder / name).symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: spoil_config(folder, "{"), "is no configuration of an adapter of PEFT"),
        (lambda folder: spoil_config(folder, "[]"), "is no configuration of an adapter of PEFT"),
        (lambda folder: spoil_config(folder, "[" * 100_000), "is no configuration of an adapter of PEFT"),
        (lambda folder: spoil_config(folder, " " * (1 << 21)), "has 2097152 bytes, but at most 1048576 are read"),
        (lambda folder: link(folder, "adapter_config.json"), "is a link, and is not followed"),
        (lambda folder: link(folder, "adapter_model.safetensors"), "is a link, and is not followed"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "no such file or directory"),
        (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"x" * 99), "is no model"),
        (lambda folder: os.truncate(folder / "adapter_model.safetensors", 300), "is no model: its arrays end at"),
        (lambda folder: written(folder, {}), "holds no arrays"),
        (lambda folder: written(folder, {"n": np.zeros(2)}, "int32"), "'n' int32[2] has no numbers with a fraction"),
    ],
)
def test_what_somebody_sends_is_refused_with_its_reason(tmp_path: Path, spoil, said: str) -> None:
    folder = adapter(tmp_path / "a", 1)
    spoil(folder)
    with pytest.raises(AdapterError) as caught:
        average_adapters([f"{folder}:1"], str(tmp_path / "out"))
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)


def test_weights_that_are_too_large_are_not_looked_into(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", 1)
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors cannot be read: has \d+ bytes, but at most 10"):
        average_adapters([f"{folder}:1"], str(tmp_path / "out"), most_bytes=10)


def test_a_pickle_needs_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = adapter(tmp_path / "a", 1)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AdapterError, match=r"adapter_model\.bin can be a pickle, which PyTorch alone reads as weights"):
        average_adapters([f"{folder}:1"], str(tmp_path / "out"))


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", 1)
    (tmp_path / "out").mkdir()
    with pytest.raises(AdapterError, match="out is there already"):
        average_adapters([f"{folder}:1"], str(tmp_path / "out"))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = adapter(tmp_path / "a", 1)

    def full(_self: object, _name: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(adapters, "_unsound", lambda one: iter(()))
    monkeypatch.setattr(adapters.Adapter, "numbers", full)
    with pytest.raises(AdapterError, match="out cannot be written: No space left on device"):
        average_adapters([f"{folder}:1"], str(tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_the_program_runs_by_itself(tmp_path: Path) -> None:
    program = tmp_path / AGGREGATE_ADAPTERS.file_name
    program.write_bytes(AGGREGATE_ADAPTERS.build())
    assert program.name == "fedops-aggregate-adapters.pyz"
    given = [f"{adapter(tmp_path / str(number), number)}:{number}" for number in (3, 4)]
    command = [sys.executable, "-I", program, "--adapters", *given, "--output", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out/average.json").read_text())
    again = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"{tmp_path / 'out'} is there already. Name a folder that is not.\n"


def test_adapters_may_be_named_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [text for number in (3, 4) for text in ("--adapters", f"{adapter(tmp_path / str(number), number)}:1")]
    assert averaging_program.main([*options, "--output", str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 2


def test_without_numpy_the_program_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert averaging_program.main(["--adapters", "a:1", "--output", "out"]) == 1
    assert capsys.readouterr().err == "NumPy is not here: install python3-numpy.\n"
