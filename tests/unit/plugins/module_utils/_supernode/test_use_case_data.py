# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of data is told by file and rule, and nothing of what is in a file is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode.use_case_data import data_flaw


def write(path: Path, content: bytes | dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        np.savez(path, **content)
    else:
        path.write_bytes(content)


DIGITS = {"x": np.zeros((2, 64), np.float32), "y": np.zeros(2, np.int64)}
PICTURES = {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.array(["a", "b"])}


@pytest.mark.parametrize(
    ("use_case", "name", "content"),
    [
        ("digits", "train.npz", DIGITS),
        ("image-classification", "train.npz", PICTURES),
        ("image-classification", "train/cat/1.png", b"not looked at"),
        ("anomaly-detection", "train.csv", b"a,b,label\n1,2.5,0\n-1e3,2,1\n"),
        ("anomaly-detection", "train.npz", {"x": DIGITS["x"]}),
        ("llm-fine-tuning", "train.jsonl", b'{"text": "a"}\n\n{"prompt": "a", "completion": "b"}\n'),
    ],
)
def test_data_of_the_right_form_are_taken(tmp_path, use_case, name, content) -> None:
    write(tmp_path / name, content)
    assert data_flaw(str(tmp_path), use_case) == ""


@pytest.mark.parametrize(
    ("use_case", "name", "content", "said"),
    [
        ("digits", "train.csv", b"", "holds no train.npz. Put the data there "),
        (
            "digits",
            "train.npz",
            b"text",
            "holds train.npz, which is no archive of NumPy. Write it with numpy.savez",
        ),
        ("digits", "train.npz", {"x": DIGITS["x"]}, "lacks the array y. Write it with numpy.savez, with x and y"),
        ("image-classification", "train.npz", DIGITS, "lacks the array images. Write it with"),
        ("image-classification", "train", b"", "holds train, which is no folder. Make it one, with a folder for each"),
        ("image-classification", "train/1.png", b"", "has no folder of a class. Give each class one"),
        ("image-classification", "test.npz", PICTURES, "holds no train.npz and no train. Put the data there"),
        ("anomaly-detection", "train.csv", b"a,b\n1,2\n1\n", "has 1 value in row 3, and 2 names. Correct it"),
        ("anomaly-detection", "train.csv", b"a,b\n1,secret\n", "has something that is no number in row 2. Correct it"),
        ("anomaly-detection", "train.csv", b"a,b\n", "has no rows. It needs a line of names"),
        ("anomaly-detection", "train.csv", b"\xff\xfe", "is no UTF-8 text. Write it anew"),
        ("anomaly-detection", "train.csv/x", b"", "is no file. Replace it"),
        ("llm-fine-tuning", "train.jsonl", b"", "is empty. Give each line one object"),
        (
            "llm-fine-tuning",
            "train.jsonl",
            b'{"text": "a"}\nsecret\n',
            "has no JSON in line 2. Give each line one object",
        ),
        (
            "llm-fine-tuning",
            "train.jsonl",
            b'{"texts": "a"}\n',
            "has no texts in line 1. Each needs text, or prompt and",
        ),
        ("llm-fine-tuning", "train.jsonl", b"[" * 99999, "has no JSON in line 1"),
    ],
)
def test_data_of_another_form_are_told_by_file_and_rule(tmp_path, use_case, name, content, said) -> None:
    write(tmp_path / name, content)
    flaw = data_flaw(str(tmp_path), use_case)
    assert flaw.startswith("holds ")
    assert said in flaw
    assert "secret" not in flaw
    assert flaw.endswith(f" (docs/use-cases.md, {use_case})")


def test_only_the_beginning_of_a_long_text_is_read(tmp_path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n" + "1,2\n" * 2000 + "wrong\n")
    assert data_flaw(str(tmp_path), "anomaly-detection") == ""


def test_an_empty_directory_is_filled_later(tmp_path) -> None:
    assert data_flaw(str(tmp_path), "digits") == ""
