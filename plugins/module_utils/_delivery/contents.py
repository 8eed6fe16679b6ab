# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a package holds and says of itself: its files by name, and the manifest that lists them with their hashes.

A package is called NAME-ROUND-HASH8, where the hash is that of all that decides what is in it. So the same checkpoint
with the same files beside it is the same package, and any other is another one.
This module is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t

from .._base.errors import FedopsError
from .._base.jsonable import ONE_RECORD, canonical_hash, harmless, harmless_value, is_whole, loads
from .._checkpoint.checkpoint import Checkpoint

PACKAGE_FORMAT = 1
PACKAGE_ENDING = ".tar.gz"
SIGNATURE_ENDING, CERTIFICATE_ENDING = ".sig", ".crt"  # behind the name of a package
PACKAGE_MANIFEST, CARD, ADAPTER_CONFIG = "manifest.json", "README.md", "adapter_config.json"
NAME_OF_PACKAGE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
LONGEST_MANIFEST = LONGEST_ADAPTER_CONFIG = 1 << 20  # bytes
MOST_PACKED = 256
# What weights are called, without the ending: by the libraries that load them.
WEIGHTS: t.Mapping[str, str] = {"adapter": "adapter_model", "model": "model"}
WEIGHTS_ENDINGS = (".safetensors", ".npz")

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
_LARGEST = 1 << 62
_LONGEST_CELL = 2000  # characters
_OF_CHECKPOINT = (
    "training", "round", "num_rounds", "strategy", "app", "code", "configuration_hash", "run_id", "parent",
)  # fmt: skip
_FIELDS = {
    "format", "package", "identity", "name", "kind", "base_model", "metrics", "saved", "checkpoint_sha256",
    "num_arrays", "files", *_OF_CHECKPOINT,
}  # fmt: skip
_DERIVED = ("package", "identity", "files")


class PackageError(FedopsError):
    """A package cannot be made, or is refused; the message says why."""


def described(
    checkpoint: Checkpoint,
    name: str,
    base_model: t.Mapping[str, str] | None,
    beside: t.Mapping[str, str],
    card: t.Callable[[t.Mapping[str, t.Any]], bytes] | None = None,
) -> tuple[dict[str, t.Any], bytes | None]:
    """Return a manifest without its list of files, and a model card where there is none beside the weights.

    C(beside) maps the files that go with the weights to their hashes, C(base_model) has a C(name) and a C(sha256).
    C(card) writes another card than the usual one, of what the manifest says.
    """
    check_files(beside, kind := "adapter" if ADAPTER_CONFIG in beside else "model")
    if not NAME_OF_PACKAGE.fullmatch(name):
        raise PackageError(
            f"The name of the package is {name!r} but must be 1 to 40 small letters, digits and hyphens, and begin with"
            " a letter or digit."
        )
    base_model = base_model or None
    if base_model and not (base_model.get("name") and _HASH.fullmatch(base_model.get("sha256") or "")):
        raise PackageError("The base model must have a name, and its SHA-256 as 64 small hexadecimal digits.")
    if kind == "adapter" and not base_model:
        raise PackageError(
            f"{ADAPTER_CONFIG} makes this the package of an adapter, which is nothing without its base model. Name the"
            " base model and its SHA-256."
        )
    said = checkpoint.manifest
    value: dict[str, t.Any] = harmless_value(
        {
            "format": PACKAGE_FORMAT,
            "name": name,
            "kind": kind,
            "base_model": dict(base_model) if base_model else None,
            "metrics": {key: said[key] for key in ("loss", "accuracy")},
            "saved": checkpoint.timestamp,
            "checkpoint_sha256": checkpoint.sha256,
            "num_arrays": said["num_arrays"],
            **{key: said.get(key) for key in _OF_CHECKPOINT},
        },
        ONE_RECORD,
    )
    text = None if CARD in beside else (card or _card)(value)
    if text is not None:
        beside = {**beside, CARD: hashlib.sha256(text).hexdigest()}
    return {**value, **_identified(value, beside)}, text


def check_files(names: t.Collection[str], kind: str) -> None:
    """Raise PackageError for a name that no file of a package can have beside its weights."""
    if len(names) > MOST_PACKED:
        raise PackageError(f"{len(names)} files are too many for a package: it holds {MOST_PACKED} beside its weights.")
    for name in names:
        if not _FILE.fullmatch(name):
            raise PackageError(
                f"{ascii(name)[:200]} cannot be in a package: a name has 1 to 64 letters, digits, dots, underscores and"
                " hyphens, and begins with a letter or digit."
            )
        if os.path.splitext(name)[1].lower() in _PICKLES:
            raise PackageError(f"{name} cannot be in a package: such a file can be a pickle, which runs code.")
        if name == PACKAGE_MANIFEST or name in weights_of(kind):
            raise PackageError(f"{name} cannot be in a package beside its weights: it is a name of its own files.")


def weights_of(kind: str) -> list[str]:
    """Return the names of the weights in a package of an adapter or of a model."""
    return [WEIGHTS[kind] + ending for ending in WEIGHTS_ENDINGS]


def listed(manifest: t.Mapping[str, t.Any], files: t.Iterable[tuple[str, int, str]]) -> bytes:
    """Return the text of a manifest that lists these files by name, size and hash."""
    entries = [{"name": name, "bytes": size, "sha256": digest} for name, size, digest in files]
    return (json.dumps({**manifest, "files": entries}, indent=2, sort_keys=True) + "\n").encode("ascii")


def read_manifest(text: bytes) -> dict[str, t.Any]:
    """Return a manifest that is whole and true to itself; whatever is wrong is a PackageError."""
    try:
        found = loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or set(found) != _FIELDS or found["format"] != PACKAGE_FORMAT:
        raise PackageError(f"its {PACKAGE_MANIFEST} is not that of a package of format {PACKAGE_FORMAT}")
    for field, is_right in _RULES.items():
        if not is_right(found[field]):
            raise PackageError(f"its {PACKAGE_MANIFEST} has no proper {field}")
    files, kind = {entry["name"]: entry["sha256"] for entry in found["files"]}, found["kind"]
    beside = {name: digest for name, digest in files.items() if name not in weights_of(kind)}
    check_files(beside, kind)
    if len(files) != len(found["files"]) or not set(weights_of(kind)) <= set(files):
        raise PackageError(f"its {PACKAGE_MANIFEST} lacks the weights, or names a file twice")
    known = {field: value for field, value in found.items() if field not in _DERIVED}
    if {**known, **_identified(known, beside)} != {field: value for field, value in found.items() if field != "files"}:
        raise PackageError(f"its {PACKAGE_MANIFEST} is not the one that its name stands for")
    if kind == "adapter" and not found["base_model"]:
        raise PackageError("it is an adapter and names no base model")
    return found


def _card(manifest: t.Mapping[str, t.Any]) -> bytes:
    """Return a model card, as the Hugging Face Hub has them, of what a manifest says."""
    base = manifest["base_model"]
    rows = [
        ("Training", f"{manifest['training']}, round {manifest['round']} of {manifest['num_rounds']}"),
        ("Strategy", manifest["strategy"]),
        ("App", manifest["app"]),
        ("Loss", manifest["metrics"]["loss"]),
        ("Accuracy", manifest["metrics"]["accuracy"]),
        ("Base model", f"{base['name']}, SHA-256 {base['sha256']}" if base else None),
        ("Saved", manifest["saved"]),
        ("Checkpoint", f"SHA-256 {manifest['checkpoint_sha256']}"),
        ("Arrays", manifest["num_arrays"]),
    ]
    table = [f"| {key} | {cell_of(value)} |" for key, value in rows if value is not None]
    lines = [
        "---",
        *head_of_card(manifest),
        "---",
        "",
        f"# {manifest['name']}, round {manifest['round']}",
        "",
        "A model that was trained in a federation.",
        "",
    ]
    lines += ["| | |", "|---|---|", *table, "", "```python", *loading_lines(manifest), "```", ""]
    return "\n".join(lines).encode("utf-8")


def head_of_card(manifest: t.Mapping[str, t.Any]) -> list[str]:
    """Return the metadata that every card has."""
    base = manifest["base_model"]
    head = ["tags: [federated-learning, flower]"]
    head += [f"base_model: {json.dumps(base['name'])}"] if base else []
    return head + (["library_name: peft"] if manifest["kind"] == "adapter" else [])


def loading_lines(manifest: t.Mapping[str, t.Any]) -> list[str]:
    """Return the lines of Python that load the weights, in the folder of the card."""
    if manifest["kind"] == "adapter":
        return [
            "from peft import PeftModel",
            "from transformers import AutoModelForCausalLM",
            "",
            f"base = AutoModelForCausalLM.from_pretrained({json.dumps(manifest['base_model']['name'])})",
            'model = PeftModel.from_pretrained(base, ".")  # the folder of this file',
        ]
    name = WEIGHTS[manifest["kind"]] + WEIGHTS_ENDINGS[0]
    return ["from safetensors.numpy import load_file", "", f'arrays = load_file("{name}")']


def cell_of(value: t.Any) -> str:
    """Return a value as a cell of a table, whose text is no Markdown, has one line and becomes no link by itself."""
    text = re.sub(r"([\\|`*_<>\[\]&])", r"\\\1", harmless(str(value), _LONGEST_CELL))
    return re.sub(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=\w)(?=@\w)", r"\\", text)


def _identified(known: t.Mapping[str, t.Any], beside: t.Mapping[str, str]) -> dict[str, str]:
    """Return what a package is called by what decides what is in it."""
    identity = canonical_hash({**known, "beside": dict(beside)})
    return {"identity": identity, "package": f"{known['name']}-{known['round']}-{identity[:8]}"}


def _is_file(entry: t.Any) -> bool:
    return (
        isinstance(entry, dict)
        and set(entry) == {"name", "bytes", "sha256"}
        and isinstance(entry["name"], str)
        and is_whole(entry["bytes"])
        and 0 <= entry["bytes"] < _LARGEST
        and _is_hash(entry["sha256"])
    )


def _is_hash(value: t.Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _is_base(value: t.Any) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and set(value) == {"name", "sha256"} and _is_hash(value["sha256"])


_RULES: t.Mapping[str, t.Callable[[t.Any], bool]] = {
    "name": lambda value: isinstance(value, str) and NAME_OF_PACKAGE.fullmatch(value) is not None,
    "round": lambda value: is_whole(value) and 0 < value < _LARGEST,
    "kind": lambda value: isinstance(value, str) and value in WEIGHTS,
    "base_model": _is_base,
    "files": lambda value: (
        isinstance(value, list) and len(value) <= MOST_PACKED + len(WEIGHTS_ENDINGS) and all(map(_is_file, value))
    ),
}
