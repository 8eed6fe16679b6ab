# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package of an adapter is loaded by PEFT, in a Python that sees nothing of ours. Skipped where PEFT is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from packed import unpacked
from simulated import Federation
from use_cases import LLM

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make test-examples runs this with it")
peft = pytest.importorskip("peft", reason="PEFT is not installed: make test-examples runs this with it")
transformers = pytest.importorskip("transformers")

LOADED = """
import sys
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained(sys.argv[1])
model = PeftModel.from_pretrained(base, sys.argv[2])
with torch.no_grad():
    print(model(torch.tensor([[5, 6, 7]])).logits.double().sum().item())
assert not {"ansible_collections", "fedops_app", "fedops_kit", "module_utils"} & {*sys.modules}
"""


def test_what_a_training_leaves_is_packed_and_loaded_with_three_lines(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = LLM.put_in_place(monkeypatch)
    sites = LLM.sites(federation)
    LLM.train(sites, task, num_rounds=1)
    base = sites.root / "server/base-model"
    folder = unpacked(sites, 1, tmp_path, tmp_path)
    command = [sys.executable, "-I", "-c", LOADED, str(base), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(sites.checkpoints() / "checkpoint_round_1.npz") as saved:
        trained = {name: saved[name] for name in saved.files}
    own = task._loaded(trained, sites.root / "server", LLM.extra(task))[1]
    with torch.no_grad():
        ours, plain = (
            model(torch.tensor([[5, 6, 7]])).logits.double().sum().item()
            for model in (own, transformers.AutoModelForCausalLM.from_pretrained(base))
        )
    assert float(done.stdout) == pytest.approx(ours, rel=1e-5)
    assert abs(ours - plain) > 1e-3 * abs(plain)  # the adapter changes what the base says
    # Whoever gets the package alone has the words as well.
    words = transformers.AutoTokenizer.from_pretrained(folder)("the pump runs")["input_ids"]
    assert words == transformers.AutoTokenizer.from_pretrained(base)("the pump runs")["input_ids"]


def test_the_configuration_of_an_adapter_is_pefts_own_and_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = LLM.put_in_place(monkeypatch)
    LLM.data(tmp_path, 0)
    extra = LLM.extra(task)
    files = task.side_files(tmp_path, extra)
    adapted = task._adapted(transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base-model"), extra)
    adapted.save_pretrained(tmp_path / "adapter")
    pefts = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    ours = json.loads(files["adapter_config.json"])
    different = {key for key in {*pefts, *ours} if pefts.get(key) != ours.get(key)}
    assert different <= {"base_model_name_or_path", "target_modules"}
    assert ours["base_model_name_or_path"] == "base-model"  # as the folder is called, without its path
    assert ours["target_modules"] == sorted(pefts["target_modules"])
    (tmp_path / "base-model/tokenizer.json").unlink()
    assert "tokenizer.json" not in task.side_files(tmp_path, extra)
