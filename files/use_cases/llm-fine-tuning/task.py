# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""LLM fine-tuning: sites train LoRA adapters of one base model with PyTorch, and only the adapters travel.

Data: ``train.jsonl``, a JSON object a line with ``text``, or with ``prompt`` and ``completion`` (then only the
completion is learned); ``test.jsonl`` likewise, where there is a test set. The base model is a folder as
``save_pretrained`` of transformers writes it, ``base-model`` beside the data of every site. The server needs its
``config.json`` alone, and all of it where it has a ``test.jsonl``. Nothing is downloaded.

Arrays have the names that PEFT gives them in ``adapter_model.safetensors``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# A resumed training ends with the same bytes only when the same input always gives the same output.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from .measuring import Steps
from .settings import Settings, part

Arrays = dict[str, NDArray]
Metrics = dict[str, float]
Example = tuple[list[int], list[int]]  # tokens, and what is to be learned of them (IGNORED: nothing)

KNOBS = {
    "base-model": "base-model",  # its folder: below the data of a site, or an absolute path
    "base-dtype": {"default": "float32", "choices": ["float32", "bfloat16"]},  # of the frozen weights
    "lora-rank": {"default": 8, "minimum": 1, "maximum": 1024},
    "lora-alpha": {"default": 16, "minimum": 1, "maximum": 4096},
    "lora-targets": "all-linear",  # or names of modules, with commas between them
    "max-length": {"default": 256, "minimum": 2, "maximum": 131072},  # tokens of an example; the rest is cut off
}

LARGEST_STEP = 0.01  # AdamW moves every weight by about the learning rate in each step
AT_ONCE = 16  # examples that are evaluated at a time
IGNORED = -100  # cross_entropy's own word for a token that is not to be learned
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
TOKENIZER = ("tokenizer*.json", "tokenizer.model", "*_tokens*.json", "chat_template.jinja", "vocab.*", "merges.txt")
TEXTS = "text, or prompt and completion"

torch.use_deterministic_algorithms(True)
logging.disable_progress_bar()


def initial_arrays(seed: int, data_directory: Path, extra: Mapping[str, Any]) -> Arrays:
    """Return the untrained adapters: A at random, B zero, so that they change nothing yet."""
    folder = _folder(data_directory, extra)
    with torch.device("meta"):  # shapes alone: the server need not have the weights
        base = AutoModelForCausalLM.from_config(_config(folder))
        shapes = {name: tuple(array.shape) for name, array in _state(_adapted(base, extra)).items()}
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in shapes.items():
        bound = 1 / np.sqrt(np.prod(shape[1:]))  # as PEFT draws A
        drawn = rng.uniform(-bound, bound, shape) if ".lora_A." in name else np.zeros(shape)
        arrays[name] = drawn.astype(np.float32)
    return arrays


def side_files(data_directory: Path, extra: Mapping[str, Any]) -> dict[str, bytes]:
    """Return what PEFT has beside an adapter, and the tokenizer where it is; the base is called as its folder."""
    folder = _folder(data_directory, extra)
    with torch.device("meta"):
        config = _adapted(AutoModelForCausalLM.from_config(_config(folder)), extra).peft_config["default"]
    said = {**config.to_dict(), "inference_mode": True, "base_model_name_or_path": folder.name}
    said = {key: sorted(value) if isinstance(value, set) else value for key, value in said.items()}
    tokenizer = {path.name: path.read_bytes() for pattern in TOKENIZER for path in folder.glob(pattern)}
    return {"adapter_config.json": json.dumps(said, indent=2, sort_keys=True).encode(), **tokenizer}


def train(arrays: Arrays, data_directory: Path, settings: Settings) -> tuple[Arrays, Metrics]:
    """Train the adapters on the texts of one site; return them with ``num-examples`` and ``train_loss``.

    The loss is that of the adapters as received, which is what QFedAvg weights a site by.
    """
    if settings.learning_rate > LARGEST_STEP:
        raise ValueError(
            f"fl_client_lr is {settings.learning_rate:g} but must be at most {LARGEST_STEP:g}: AdamW trains the"
            " adapters, and moves every weight so far in each step. Set fl_client_lr to 0.0002, for example."
        )
    tokenizer, model = _loaded(arrays, data_directory, settings.extra)
    examples = _examples(data_directory / "train.jsonl", tokenizer, settings.extra)
    torch.manual_seed(settings.seed)
    some = examples[part(len(examples), settings.most_examples)]
    train_loss = _loss_and_accuracy(model, some, tokenizer)[0]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    steps = Steps(settings.proximal_mu)
    received = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.0)
    model.train()
    for _epoch in range(settings.local_epochs):
        for batch in torch.randperm(len(examples))[: settings.most_examples].split(settings.batch_size):
            scores, wanted = _predicted(model, [examples[number] for number in batch], tokenizer)
            loss = functional.cross_entropy(scores, wanted, ignore_index=IGNORED)
            if settings.proximal_mu:
                # FedProx: mu/2 * ||w - w_global||^2 pulls the adapters back to where the round began.
                pairs = zip(parameters, received, strict=True)
                loss = loss + settings.proximal_mu / 2 * sum((now - then).square().sum() for now, then in pairs)
            optimizer.zero_grad()
            loss.backward()
            steps.taken(each.grad.float().cpu().numpy() for each in parameters if each.grad is not None)
            optimizer.step()
    way = ((now - then).detach().float().cpu().numpy() for now, then in zip(parameters, received, strict=True))
    trained = {name: array.detach().cpu().numpy() for name, array in _state(model).items()}
    return {name: trained[name] for name in arrays}, {
        "num-examples": len(examples),
        "train_loss": train_loss,
        **steps.metrics(way),
    }


def evaluate(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics:
    """Evaluate the adapters on the texts of one site: its test set, or its training set when it has no other.

    ``loss`` is the mean over tokens, ``perplexity`` its exponential, ``accuracy`` how often the next token was the most
    likely one.
    """
    test = data_directory / "test.jsonl"
    path = test if test.exists() else data_directory / "train.jsonl"
    return _evaluated(arrays, data_directory, path, extra, most_examples)


def evaluate_centrally(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics | None:
    """Evaluate the adapters on the server's own test set; return None when the server has none."""
    test = data_directory / "test.jsonl"
    return _evaluated(arrays, data_directory, test, extra, most_examples) if test.exists() else None


def _evaluated(arrays: Arrays, directory: Path, path: Path, extra: Mapping[str, Any], most: int | None) -> Metrics:
    tokenizer, model = _loaded(arrays, directory, extra)
    examples = _examples(path, tokenizer, extra)
    examples = examples[part(len(examples), most)]
    loss, accuracy = _loss_and_accuracy(model, examples, tokenizer)
    perplexity = float(np.exp(min(loss, 700.0)))  # as large as a number can be
    return {"num-examples": len(examples), "loss": loss, "perplexity": perplexity, "accuracy": accuracy}


def _folder(directory: Path, extra: Mapping[str, Any]) -> Path:
    return directory / extra["base-model"]  # an absolute path replaces the directory


def _config(folder: Path) -> AutoConfig:
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing. Put the base model there, as save_pretrained of transformers writes it (on the"
            " SuperLink host its config.json will do), or set base-model in training_run_config."
        )
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is no configuration of a model that transformers knows: {error}. Replace it."
        ) from None


def _adapted(base: torch.nn.Module, extra: Mapping[str, Any]) -> PeftModel:
    targets: str | list[str] = extra["lora-targets"]
    if targets != "all-linear":
        targets = [name.strip() for name in targets.split(",")]
    wanted = LoraConfig(
        r=extra["lora-rank"], lora_alpha=extra["lora-alpha"], target_modules=targets, task_type="CAUSAL_LM"
    )
    try:
        return get_peft_model(base, wanted)
    except ValueError as error:
        raise ValueError(
            f"lora-targets is {extra['lora-targets']!r}, which the base model cannot have adapters at: {error} Name"
            " modules of it in training_run_config, or leave it at all-linear."
        ) from None


def _state(model: PeftModel) -> dict[str, torch.Tensor]:
    return get_peft_model_state_dict(model, save_embedding_layers=False)


def _loaded(arrays: Arrays, directory: Path, extra: Mapping[str, Any]) -> tuple[PreTrainedTokenizerBase, PeftModel]:
    """Read the base model, and put the adapters in."""
    folder = _folder(directory, extra)
    config = _config(folder)
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise FileNotFoundError(
            f"{folder / WEIGHTS[0]} is missing. Put the weights of the base model there, as safetensors: other files of"
            " weights can run code, and are not read."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        base = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype=getattr(torch, extra["base-dtype"]),
            attn_implementation="eager",  # the others are not exact on every device
        )
    except Exception as error:  # safetensors and tokenizers have their own kinds
        raise ValueError(
            f"{folder} cannot be read as a model with its tokenizer: {error}. Copy it there anew."
        ) from None
    model = _adapted(base, extra)
    here = {name: tuple(array.shape) for name, array in _state(model).items()}
    if here != {name: array.shape for name, array in arrays.items()}:
        raise ValueError(
            f"{folder} is another model than the server's: its adapters have other names or shapes. Put the same base"
            " model at every site, and its config.json on the SuperLink host."
        )
    set_peft_model_state_dict(model, {name: torch.from_numpy(array) for name, array in arrays.items()})
    return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _examples(path: Path, tokenizer: PreTrainedTokenizerBase, extra: Mapping[str, Any]) -> list[Example]:
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing. Put the texts there, a JSON object a line with {TEXTS}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as UTF-8 text: {error}. Write it anew.") from None
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            prompt, text = _texts(path, number, line)
            asked = tokenizer(prompt)["input_ids"] if prompt else []
            tokens = asked + tokenizer(text, add_special_tokens=not prompt)["input_ids"] + end
            tokens = tokens[: extra["max-length"]]
            learned = ([IGNORED] * len(asked) + tokens[len(asked) :])[: len(tokens)]
            if any(token != IGNORED for token in learned[1:]):
                found.append((tokens, learned))
    if not found:
        raise ValueError(f"{path} holds nothing to learn. Each line needs a JSON object with {TEXTS}, of a few words.")
    return found


def _texts(path: Path, number: int, line: str) -> tuple[str, str]:
    """Return the prompt, where there is one, and what is to be learned."""
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"{path} has no JSON in line {number}: {error}. Give each line one object with {TEXTS}."
        ) from None
    entry = entry if isinstance(entry, dict) else {}
    texts = ("", entry.get("text")) if "text" in entry else (entry.get("prompt"), entry.get("completion"))
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{path} has no texts in line {number}: it needs a JSON object with {TEXTS}. Correct it.")
    return texts


def _predicted(
    model: PeftModel, examples: list[Example], tokenizer: PreTrainedTokenizerBase
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scores of each next token (n by words), and which one it was (n)."""
    longest = max(len(tokens) for tokens, _learned in examples)
    blank = tokenizer.pad_token_id or 0
    device = next(model.parameters()).device

    def padded(rows: Iterator[list[int]], value: int) -> torch.Tensor:
        return torch.tensor([row + [value] * (longest - len(row)) for row in rows], device=device)

    tokens = padded((tokens for tokens, _learned in examples), blank)
    seen = padded(([1] * len(tokens) for tokens, _learned in examples), 0)
    learned = padded((learned for _tokens, learned in examples), IGNORED)
    scores = model(input_ids=tokens, attention_mask=seen, use_cache=False).logits
    exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return exact[:, :-1].flatten(0, 1), learned[:, 1:].flatten()


@torch.no_grad()
def _loss_and_accuracy(
    model: PeftModel, examples: list[Example], tokenizer: PreTrainedTokenizerBase
) -> tuple[float, float]:
    loss, hits, count = 0.0, 0, 0
    for start in range(0, len(examples), AT_ONCE):
        scores, wanted = _predicted(model, examples[start : start + AT_ONCE], tokenizer)
        asked = wanted != IGNORED
        loss += functional.cross_entropy(scores[asked], wanted[asked], reduction="sum").item()
        hits += int((scores[asked].argmax(dim=1) == wanted[asked]).sum())
        count += int(asked.sum())
    return loss / count, hits / count
