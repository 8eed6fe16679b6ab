# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of LoRA: what a federation of three unlike sites gains, and what travels. Skipped where PEFT is not."""

from __future__ import annotations

import json
import pickle
import runpy
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from flwr.app import Message
from numpy.typing import NDArray
from simulated import Federation
from use_cases import ROOT, Shipped, settings

sys.path.insert(0, str(ROOT / "plugins"))

from module_utils._delivery.adapters import AdapterError
from module_utils._delivery.averaging import average_adapters

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make test-examples runs this with it")
pytest.importorskip("peft", reason="PEFT is not installed: make test-examples runs this with it")
torch.set_num_threads(1)  # for batches as small as these, more threads only wait for one another

TEXTS = runpy.run_path(str(ROOT / "examples/lora/texts.py"))
ROUNDS = 16
KNOBS = {"lora-rank": 8, "lora-alpha": 16, "max-length": 64}
VARIABLES = {"client_lr": 0.01, "batch_size": 8, "fraction_evaluate": 0.0}
Model = dict[str, NDArray]


@dataclass(frozen=True)
class Example:
    """The federation of the example's README, trained."""

    federation: Federation
    task: ModuleType
    adapter: Model
    sent: list[tuple[str, str, int]]  # direction, site, bytes of arrays, message by message of the last round
    last: list[tuple[Model, float]]  # what each site has sent in the last round, and from how many examples

    @property
    def site(self) -> Path:
        return self.federation.root / "server"

    @property
    def extra(self) -> dict[str, object]:
        return Shipped(LLM, None, KNOBS).extra(self.task)

    def loss(self, model: Model) -> float:
        return float(self.task.evaluate(model, self.site, self.extra)["loss"])

    def trained_alone(self, directory: Path) -> Model:
        """As many passes over the texts of one directory as each site of the federation makes over its own."""
        model = self.task.initial_arrays(42, directory, self.extra)
        for number in range(ROUNDS):
            given = settings(self.extra, learning_rate=0.01, batch_size=8, seed=number)
            model, _metrics = self.task.train(model, directory, given)
        return model


LLM = "files/use_cases/llm-fine-tuning/task.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    root = tmp_path_factory.mktemp("lora")
    sent: list[tuple[str, str, int]] = []
    last: dict[str, tuple[Model, float]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDOPS_TRAININGS_DIR", str(root / "trainings"))
        patch.setenv("FEDOPS_DATA_DIR", str(root / "server"))
        federation = Federation(root, sites=3)
        shipped = Shipped(LLM, None, KNOBS, VARIABLES)
        task = shipped.put_in_place(patch)
        assert TEXTS["main"](["--output", str(root / "data"), *federation.names]) == 0
        shutil.move(root / "data/server", root / "server")

        def on_the_wire(site: str, message: Message) -> None:
            way = "back" if message.metadata.reply_to_message_id else "there"
            size = sum(
                len(array.data) for record in message.content.array_records.values() for array in record.values()
            )
            sent.append((way, site, size))

        def on_the_way(site: str, message: Message) -> None:
            if message.metadata.reply_to_message_id and message.content.array_records:
                (record,) = message.content.array_records.values()
                (metrics,) = (one for one in message.content.metric_records.values() if "num-examples" in one)
                arrays = {name: array.numpy().copy() for name, array in record.items()}
                last[site] = arrays, float(metrics["num-examples"])

        grid = {"on_the_wire": on_the_wire, "on_the_way": on_the_way}
        shipped.train(federation, task, num_rounds=ROUNDS, grid=grid)
        with np.load(federation.checkpoints() / "checkpoint_latest.npz") as archive:
            adapter = {name: archive[name] for name in archive.files}
        yield Example(federation, task, adapter, sent[-6:], [last[site] for site in federation.names])


def test_the_federated_adapter_beats_each_sites_own_and_is_near_the_pooled_one(trained: Example) -> None:
    root = trained.federation.root
    alone = {name: trained.loss(trained.trained_alone(root / "data" / name)) for name in trained.federation.names}
    shutil.copytree(root / "server", root / "pooled")
    texts = ((root / "data" / name / "train.jsonl").read_text() for name in trained.federation.names)
    (root / "pooled/train.jsonl").write_text("".join(texts))
    pooled, untrained = (
        trained.loss(trained.trained_alone(root / "pooled")),
        trained.loss(trained.task.initial_arrays(42, trained.site, trained.extra)),
    )
    federated = trained.loss(trained.adapter)
    print("\nuntrained", untrained, "alone", alone, "pooled", pooled, "federated", federated)
    assert max(alone.values()) < untrained
    assert federated < min(alone.values()) / 1.5
    assert federated - pooled < (min(alone.values()) - pooled) / 4
    last = trained.federation.published("history.jsonl")[-1]
    assert last["loss"] == pytest.approx(federated, rel=1e-6)  # what the operator sees of it


def test_frozen_weights_never_travel(trained: Example) -> None:
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(trained.site / "base-model")
    whole = sum(tensor.numel() * tensor.element_size() for tensor in base.parameters())
    adapter = sum(array.nbytes for array in trained.adapter.values())
    print("\nadapter", adapter, "whole model", whole, "a round", sum(size for *_way, size in trained.sent))
    assert sorted((way, site) for way, site, _size in trained.sent) == sorted(
        (way, site) for way in ("there", "back") for site in trained.federation.names
    )
    for _way, _site, size in trained.sent:
        assert adapter <= size < adapter + 20_000  # beside the numbers, a table of names and shapes
    assert 5 * adapter < whole
    assert all(".lora_" in name for name in trained.adapter)


def test_its_files_go_with_it(trained: Example) -> None:
    record = trained.federation.published("side_files.json")
    manifest = json.loads((trained.federation.checkpoints() / "checkpoint_latest.json").read_text())
    assert record["configuration_hash"] == manifest["configuration_hash"]
    assert set(record["files"]) >= {"adapter_config.json", "tokenizer.json", "tokenizer_config.json"}


def test_a_round_is_the_average_of_folders_that_came_by_other_ways(trained: Example, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    files = trained.task.side_files(trained.site, trained.extra)
    given = []
    for number, (arrays, examples) in enumerate(trained.last):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "adapter_config.json").write_bytes(files["adapter_config.json"])
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if number == 1:
            torch.save(tensors, folder / "adapter_model.bin")
        else:
            save_file(tensors, folder / "adapter_model.safetensors")
        given.append(f"{folder}:{examples:.0f}")
    told = average_adapters(given, str(tmp_path / "out"))
    assert [one["examples"] for one in told["adapters"]] == [80, 65, 50]
    assert told["adapters"][1]["file"] == "adapter_model.bin"
    from peft import PeftModel
    from safetensors.numpy import load_file
    from transformers import AutoModelForCausalLM

    made = load_file(tmp_path / "out/adapter_model.safetensors")
    assert {name: array.tobytes() for name, array in made.items()} == {
        name: array.tobytes() for name, array in trained.adapter.items()
    }
    model = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(trained.site / "base-model"), tmp_path / "out"
    )
    assert model.peft_config["default"].r == 8


def test_a_pickle_among_them_runs_nothing(trained: Example, tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple:
            return (Path(tmp_path / "ran").touch, ())

    (tmp_path / "a").mkdir()
    files = trained.task.side_files(trained.site, trained.extra)
    (tmp_path / "a/adapter_config.json").write_bytes(files["adapter_config.json"])
    (tmp_path / "a/adapter_model.bin").write_bytes(pickle.dumps({"q": Runs()}))
    with pytest.raises(AdapterError, match="is no file of weights alone"):
        average_adapters([f"{tmp_path}/a:1"], str(tmp_path / "out"))
    torch.save({"q": Runs()}, tmp_path / "a/adapter_model.bin")
    with pytest.raises(AdapterError, match="is no file of weights alone"):
        average_adapters([f"{tmp_path}/a:1"], str(tmp_path / "out"))
    assert not (tmp_path / "ran").exists()
