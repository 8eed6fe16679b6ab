# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package of an adapter is loaded by PEFT, in a Python that sees nothing of ours. Skipped where PEFT is not."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from use_cases import base_model

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "plugins"))

from module_utils._checkpoint.manifest import sealed
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


def save(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Save a checkpoint of these arrays."""
    path = folder / "checkpoint_round_3.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array)
            archive.writestr(f"{name}.npy", stream.getvalue())
    content = path.read_bytes()
    described = [{"name": name, "shape": list(one.shape), "dtype": str(one.dtype)} for name, one in arrays.items()]
    manifest = {
        "round": 3, "num_rounds": 3, "timestamp": "2026-11-22T10:00:00+00:00", "training": "chat", "run_id": "1",
        "configuration_hash": "a" * 64, "configuration": {}, "strategy": "FedAvg", "num_arrays": len(arrays),
        "arrays": described, "state_prefix": "state/", "state_arrays": [], "bytes": len(content), "parent": None,
        "sha256": hashlib.sha256(content).hexdigest(), "loss": None, "accuracy": None,
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(sealed(manifest)))
    return path


def test_an_adapter_is_loaded_with_three_lines_and_is_what_was_trained(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base_model(base)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    model = peft.get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(base), config).eval()
    model.save_pretrained(tmp_path / "adapter")
    arrays = {name: one.detach().numpy() for name, one in peft.get_peft_model_state_dict(model).items()}
    digest = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    beside = {"adapter_config.json": str(tmp_path / "adapter" / "adapter_config.json")}
    package = plan(verify(str(save(tmp_path, arrays))), "chat", {"name": "tiny", "sha256": digest}, beside)
    (tmp_path / "packed").mkdir()
    package.write(str(tmp_path / "packed"), signer_of(*authority(tmp_path)))
    archive = tmp_path / "packed" / package.file
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", tmp_path], check=True)
    command = [sys.executable, "-I", "-c", LOADED, str(base), str(tmp_path / package.package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        own = model(torch.tensor([[5, 6, 7]])).logits.double().sum().item()
        plain = transformers.AutoModelForCausalLM.from_pretrained(base)(torch.tensor([[5, 6, 7]])).logits.double().sum()
    assert float(done.stdout) == own
    assert own != plain.item()  # the adapter changes what the base says
