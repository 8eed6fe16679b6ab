# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRA adapters of a tiny language model really learn, under the same app. Skipped where PyTorch is not installed."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from simulated import Federation, Killed
from use_cases import LLM, base_model, settings

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make test-examples runs this with it")
peft = pytest.importorskip("peft", reason="PEFT is not installed: make test-examples runs this with it")
transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)  # for batches as small as these, more threads only wait for one another

ROUNDS = 3


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return LLM.put_in_place(monkeypatch)


@pytest.fixture
def sites(federation: Federation) -> Federation:
    return LLM.sites(federation)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    LLM.data(tmp_path / "site", 0)
    return tmp_path / "site"


def begin(task: ModuleType, site: Path, **knobs: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    extra = {**LLM.extra(task), **knobs}
    return extra, task.initial_arrays(0, site, extra)


def test_a_federation_learns_and_only_adapters_travel(task: ModuleType, sites: Federation) -> None:
    LLM.train(sites, task, num_rounds=5)
    losses = [line["loss"] for line in sites.published("history.jsonl")]
    assert losses[-1] < losses[0] - 0.2
    with np.load(sites.checkpoints() / "checkpoint_latest.npz") as archive:
        assert archive.files == list(begin(task, sites.root / "server")[1])
        assert all(".lora_" in name for name in archive.files)
        adapters = sum(archive[name].size for name in archive.files)
    whole = transformers.AutoModelForCausalLM.from_pretrained(sites.root / "server/base-model").num_parameters()
    assert adapters < whole / 2


@pytest.mark.parametrize("strategy", ["FedProx", "FedAdam"])
def test_an_interrupted_training_ends_with_the_same_bytes(task: ModuleType, sites: Federation, strategy: str) -> None:
    LLM.train(sites, task, "straight", num_rounds=ROUNDS, strategy=strategy)
    with pytest.raises(Killed):
        LLM.train(sites, task, "killed", num_rounds=ROUNDS, strategy=strategy, grid={"killed_in_round": 2})
    LLM.train(sites, task, "killed", num_rounds=ROUNDS, strategy=strategy)
    assert sites.arrays(ROUNDS, "killed") == sites.arrays(ROUNDS, "straight")
    assert sites.arrays(1, "straight") != sites.arrays(ROUNDS, "straight")


@pytest.mark.parametrize("mu", [0.0, 30.0])  # a step of 0.01 has the term be a third of the loss' own slope
def test_a_step_goes_down_the_loss_with_the_proximal_term(
    task: ModuleType, site: Path, monkeypatch: pytest.MonkeyPatch, mu: float
) -> None:
    """Held against finite differences, where plain gradient descent takes AdamW's place. Norms are of 32 bits."""
    monkeypatch.setattr(torch.optim, "AdamW", lambda them, lr, weight_decay: torch.optim.SGD(them, lr=lr))
    extra, start = begin(task, site, **{"base-dtype": "float64"})
    rng, rate = np.random.default_rng(0), 0.01
    start = {name: array + 0.1 * rng.standard_normal(array.shape) for name, array in start.items()}  # B is not zero

    def trained(epochs: int) -> dict[str, np.ndarray]:
        given = settings(extra, learning_rate=rate, proximal_mu=mu, local_epochs=epochs, batch_size=1000)
        return task.train(start, site, given)[0]

    def objective(model: dict[str, np.ndarray]) -> float:
        loss = task.train(model, site, settings(extra, learning_rate=0.0))[1]["train_loss"]
        return loss + mu / 2 * sum(float(np.square(model[name] - start[name]).sum()) for name in start)

    here, there = trained(1), trained(2)
    assert here[next(iter(here))].dtype == np.float64
    for name in list(start)[::5]:
        step = 1e-3 * rng.standard_normal(start[name].shape)
        slope = objective({**here, name: here[name] + step}) - objective({**here, name: here[name] - step})
        assert slope / 2 == pytest.approx(float(((here[name] - there[name]) / rate * step).sum()), rel=2e-3)


def test_the_proximal_term_holds_adapters_back(task: ModuleType, site: Path) -> None:
    extra, start = begin(task, site)

    def distance(mu: float) -> float:
        given = settings(extra, learning_rate=0.01, local_epochs=6, batch_size=4, proximal_mu=mu)
        trained = task.train(start, site, given)[0]
        return sum(float(np.square(trained[name] - start[name]).sum()) for name in start)

    assert distance(10.0) < distance(1.0) < distance(0.0)


def test_peft_loads_what_was_trained(task: ModuleType, site: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    extra, start = begin(task, site)
    trained = task.train(start, site, settings(extra, learning_rate=0.01, local_epochs=3, batch_size=4))[0]
    save_file(trained, tmp_path / "adapter_model.safetensors")
    peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM").save_pretrained(tmp_path)
    tokenizer, ours = task._loaded(trained, site, extra)
    tokens = torch.tensor([tokenizer("the pump runs")["input_ids"]])
    base = transformers.AutoModelForCausalLM.from_pretrained(site / "base-model").eval()
    with torch.no_grad():
        plain = base(tokens).logits
        loaded = peft.PeftModel.from_pretrained(base, tmp_path).eval()
        assert torch.allclose(loaded(tokens).logits, ours(input_ids=tokens).logits, atol=1e-5)
        assert not torch.allclose(loaded(tokens).logits, plain, atol=1e-2)


def test_untrained_adapters_change_nothing_and_need_no_weights_on_the_server(task: ModuleType, site: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (site / "base-model" / name).rename(site / name)
    extra, start = begin(task, site)
    assert all(not array.any() for name, array in start.items() if ".lora_B." in name)
    again = task.initial_arrays(0, site, extra)
    assert all((start[name] == again[name]).all() for name in start)
    with pytest.raises(FileNotFoundError, match=r"base-model/model.safetensors is missing. Put the weights"):
        task.evaluate(start, site, extra)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("no JSON", "has no JSON in line 1"),
        ('{"text": "a"}\n[]', "has no texts in line 2"),
        ('{"text": 5}', "has no texts in line 1"),
        ('{"prompt": "a"}', "has no texts in line 1"),
        ("\n\n", "holds nothing to learn"),
        ('{"text": ""}', "holds nothing to learn"),
        (b"\xff\xfe", "cannot be read as UTF-8 text"),
    ],
)
def test_texts_of_another_form_are_refused_by_file_and_rule(
    task: ModuleType, site: Path, lines: str | bytes, said: str
) -> None:
    extra, start = begin(task, site)
    (site / "train.jsonl").write_bytes(lines if isinstance(lines, bytes) else lines.encode())
    with pytest.raises(ValueError, match=said) as caught:
        task.train(start, site, settings(extra, learning_rate=0.001))
    assert str(caught.value).startswith(f"{site}/train.jsonl ")


def test_a_line_may_hold_what_other_programs_take_for_its_end(task: ModuleType, site: Path, tmp_path: Path) -> None:
    extra, start = begin(task, site)
    tokenizer, _model = task._loaded(start, site, extra)
    (tmp_path / "lines").write_bytes('\ufeff{"text": "a\u2028b\x85c"}\r\n{"text": "next"}\r\n'.encode())
    assert len(task._examples(tmp_path / "lines", tokenizer, extra)) == 2


def test_what_is_missing_is_asked_for(task: ModuleType, site: Path, tmp_path: Path) -> None:
    extra, start = begin(task, site)
    with pytest.raises(FileNotFoundError, match=r"base-model/config.json is missing. Put the base model there"):
        task.initial_arrays(0, tmp_path, extra)
    (site / "train.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"train.jsonl is missing. Put the texts there"):
        task.train(start, site, settings(extra, learning_rate=0.001))
    assert task.evaluate_centrally(start, tmp_path, extra) is None


def test_another_base_model_than_the_servers_is_refused(task: ModuleType, site: Path) -> None:
    extra, _start = begin(task, site)
    other = task.initial_arrays(0, site, {**extra, "lora-rank": 2})
    with pytest.raises(ValueError, match="is another model than the server's"):
        task.evaluate(other, site, extra)


def test_layers_that_the_base_model_has_not_are_refused(task: ModuleType, site: Path) -> None:
    with pytest.raises(ValueError, match="lora-targets is 'q_proj_x', which the base model cannot have adapters at"):
        begin(task, site, **{"lora-targets": "q_proj_x"})
    names = begin(task, site, **{"lora-targets": "q_proj, v_proj"})[1]
    assert {name.split(".")[-3] for name in names} == {"q_proj", "v_proj"}


def test_a_learning_rate_for_other_tasks_is_refused(task: ModuleType, site: Path) -> None:
    extra, start = begin(task, site)
    with pytest.raises(ValueError, match=r"fl_client_lr is 0.1 but must be at most 0.01: AdamW"):
        task.train(start, site, settings(extra, learning_rate=0.1))


def test_only_the_completion_is_learned(task: ModuleType, site: Path, tmp_path: Path) -> None:
    extra, start = begin(task, site)
    tokenizer, _model = task._loaded(start, site, extra)
    (tmp_path / "lines").write_text(json.dumps({"prompt": "ab", "completion": "cde"}) + '\n{"text": "abcde"}\n')
    (first, learned), (second, all_of_it) = task._examples(tmp_path / "lines", tokenizer, extra)
    assert first == second
    assert learned == [task.IGNORED] * 2 + first[2:]
    assert all_of_it == second
    short = task._examples(tmp_path / "lines", tokenizer, {**extra, "max-length": 3})
    assert [tokens for tokens, _learned in short] == [first[:3]] * 2


def test_a_broken_base_model_is_told(task: ModuleType, site: Path) -> None:
    extra, start = begin(task, site)
    weights = site / "base-model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read as a model with its tokenizer"):
        task.evaluate(start, site, extra)
    (site / "base-model/config.json").write_text('{"model_type": "no such"}')
    with pytest.raises(ValueError, match="config.json is no configuration of a model"):
        task.initial_arrays(0, site, extra)


def test_the_base_model_of_tests_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        base_model(tmp_path / name)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
