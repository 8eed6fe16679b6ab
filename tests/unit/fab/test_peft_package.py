# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package of an adapter is loaded by PEFT, in a Python that sees nothing of ours. Skipped where PEFT is not."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated import Federation
from use_cases import LLM

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))

from module_utils._checkpoint.side_files import SIDE_FILES, decoded
from module_utils._checkpoint.verification import verify
from module_utils._delivery.packing import plan, signer_of

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


def authority(folder: Path) -> list[str]:
    """Make an authority with OpenSSL; return its certificate and its key."""
    certificate, key = str(folder / "ca.crt"), str(folder / "ca.key")
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-nodes",
        "-subj",
        "/CN=ca",
    ]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return [certificate, key]


def test_what_a_training_leaves_is_packed_and_loaded_with_three_lines(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = LLM.put_in_place(monkeypatch)
    sites = LLM.sites(federation)
    LLM.train(sites, task, num_rounds=1)
    checkpoint = verify(str(sites.checkpoints() / "checkpoint_round_1.npz"))
    record = (sites.root / "trainings/default" / SIDE_FILES).read_bytes()
    (tmp_path / "side").mkdir()
    for name, content in (decoded(record, checkpoint.configuration_hash) or {}).items():
        (tmp_path / "side" / name).write_bytes(content)
    base = sites.root / "server/base-model"
    digest = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    beside = {path.name: str(path) for path in (tmp_path / "side").iterdir()}
    package = plan(checkpoint, "chat", {"name": "tiny", "sha256": digest}, beside)
    (tmp_path / "packed").mkdir()
    package.write(str(tmp_path / "packed"), signer_of(*authority(tmp_path)))
    archive = tmp_path / "packed" / package.file
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", tmp_path], check=True)
    folder = tmp_path / package.package
    command = [sys.executable, "-I", "-c", LOADED, str(base), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with np.load(checkpoint.path) as saved:
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
