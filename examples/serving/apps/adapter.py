# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The app of an adapter: a causal language model from a directory on the host, and a LoRA adapter by PEFT.

SERVING_BASE is the directory of the base model, as C(from_pretrained) takes it. Each slot has a base model of its own,
since PEFT writes into the one that it adapts.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

MOST_TOKENS = 256


class Adapted(NamedTuple):
    model: Any
    tokenizer: Any
    lock: threading.Lock  # generation keeps state in the model


def load(folder: Path, manifest: dict[str, Any]) -> Adapted:
    base = os.environ["SERVING_BASE"]
    model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True)
    adapted = PeftModel.from_pretrained(model, str(folder)).eval()
    # A tokenizer is in the package, or beside the base model.
    place = str(folder) if (folder / "tokenizer_config.json").is_file() else base
    return Adapted(adapted, AutoTokenizer.from_pretrained(place, local_files_only=True), threading.Lock())


def predict(adapted: Adapted, body: Any) -> dict[str, Any]:
    tokens = adapted.tokenizer(str(body["prompt"]), return_tensors="pt")
    most = max(1, min(MOST_TOKENS, int(body.get("max_new_tokens", 32))))
    with adapted.lock, torch.inference_mode():
        found = adapted.model.generate(**tokens, max_new_tokens=most, do_sample=False)
    new = found[0, tokens["input_ids"].shape[1] :]
    return {"text": adapted.tokenizer.decode(new, skip_special_tokens=True)}


def check(adapted: Adapted) -> None:
    broken = [name for name, one in adapted.model.named_parameters() if "lora_" in name and not one.isfinite().all()]
    if broken:
        raise ValueError(f"{broken[0]} has numbers that are not finite")
