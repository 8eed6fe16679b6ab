#!/usr/bin/env python3
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Make texts that differ from site to site, and a tiny base model to put LoRA adapters on.

Each site writes about its own work and in its own words, as a workshop, a clinic and a kitchen do. The test set has
texts of all of them, none of which is in a training set. The base model is built from a configuration and drawn at
random: nothing is downloaded, and it knows nothing yet.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

# What each kind of site writes: about what, what is wrong with it, and what is done.
WORDS = (
    (
        ("the pump", "the valve", "the motor", "the belt", "the gear box"),
        ("is too warm", "leaks oil", "runs dry", "is worn out", "shakes at full load"),
        ("replace the seal", "fill up oil", "order a new part", "stop the line"),
    ),
    (
        ("the patient", "the child in bed 4", "the new arrival", "the man in room 2", "the lady by the door"),
        ("has a fever", "slept badly", "feels dizzy", "asks for water", "coughs since monday"),
        ("measure again at noon", "call the doctor", "give half a dose", "let her rest"),
    ),
    (
        ("the soup", "a quick sauce", "the dough", "my fish stew", "the apple cake"),
        ("tastes of nothing", "sticks to the pan", "came out flat", "needs more salt", "burns in minutes"),
        ("add some butter", "whisk it twice", "bake it longer", "lower the heat"),
    ),
)
SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
HELD_OUT = 20  # texts of each kind that no site trains on


def texts(kind: int) -> list[str]:
    """Return all texts of a kind, in an order that is the same each time."""
    found = [f"{what} {how}: {todo}." for what, how, todo in itertools.product(*WORDS[kind % len(WORDS)])]
    random.Random(kind).shuffle(found)
    return found


def write(directory: Path, kind: int) -> int:
    """Write the training set of a site, and return how many texts it has; some sites have fewer than others."""
    own = texts(kind)[HELD_OUT:]
    own = own[: len(own) - 15 * (kind % len(WORDS))]
    _write_lines(directory / "train.jsonl", own)
    return len(own)


def write_test(directory: Path) -> None:
    """Write a test set with texts of every kind, by which the server judges."""
    _write_lines(directory / "test.jsonl", [text for kind in range(len(WORDS)) for text in texts(kind)[:HELD_OUT]])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))


def base_model(folder: Path, seed: int = 0, width: int = 64) -> None:
    """Save a language model of two layers that reads letters, as transformers does, with its tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = [*SPECIAL.values(), *map(chr, range(32, 127))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL).save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)


def main(arguments: list[str] | None = None) -> int:
    """Write the base model once, and a folder for each site and for the server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sites", nargs="+", metavar="SITE", help="name of a site")
    parser.add_argument("--output", type=Path, required=True, help="directory to write to")
    parser.add_argument("--seed", type=int, default=0, help="of the base model (default: %(default)s)")
    options = parser.parse_args(arguments)
    base = options.output / "base-model"
    base_model(base, options.seed)
    for kind, site in enumerate(options.sites):
        count = write(options.output / site, kind)
        shutil.copytree(base, options.output / site / base.name, dirs_exist_ok=True)
        print(f"{site}: {count} texts in {options.output / site}")
    write_test(options.output / "server")
    shutil.copytree(base, options.output / "server" / base.name, dirs_exist_ok=True)
    print(f"server: {HELD_OUT * len(WORDS)} texts for tests in {options.output / 'server'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
