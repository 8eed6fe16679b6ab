# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import side_files
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.side_files import decoded, encoded

FILES = {"adapter_config.json": b"{}", "tokenizer.model": bytes(range(256))}


def record(files: object, of: str = "a" * 64) -> bytes:
    return json.dumps({"training": "chat", "configuration_hash": of, "files": files}).encode()


def test_what_is_written_is_what_is_read() -> None:
    assert decoded(record(encoded(FILES)), "a" * 64) == FILES
    assert list(encoded(dict(reversed(FILES.items())))) == sorted(FILES)
    assert decoded(record({}), "a" * 64) == {}


def test_files_of_another_configuration_are_none_of_this_one() -> None:
    assert decoded(record(encoded(FILES), "b" * 64), "a" * 64) is None


@pytest.mark.parametrize(
    "name", ["../up.json", "a/b.json", ".hidden.json", "", "run.py", "weights.bin", "x.JSON", "a" * 65, "no-ending", 5]
)
def test_names_that_lead_elsewhere_or_are_code_are_refused(name: object) -> None:
    with pytest.raises(ValueError, match="is no name for a file beside a model"):
        encoded({name: b""})
    if isinstance(name, str):
        with pytest.raises(ValueError, match="is no name for a file beside a model"):
            decoded(record({name: ""}), "a" * 64)


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_files, "MOST_SIDE_BYTES", 9)
    encoded({"a.txt": b"123456789"})
    with pytest.raises(ValueError, match="1 files of 10 bytes together are more than"):
        encoded({"a.txt": b"1234567890"})
    with pytest.raises(ValueError, match="65 files of 0 bytes together are more than the 64 files"):
        decoded(record({f"{number}.txt": "" for number in range(65)}), "a" * 64)


def test_a_text_is_no_file() -> None:
    with pytest.raises(ValueError, match=r"'a\.txt' is str, and no bytes"):
        encoded({"a.txt": "text"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "Expecting"),
        (b"[]", "no record of files"),
        (b"{}", "no record of files"),
        (record([]), "no record of files"),
        (record({"a.txt": 5}), "no record of files"),
        (record({"a.txt": "?"}), "no base64"),
        (record({"a.txt": "\u00e9"}), "no base64|ASCII"),
        (b"[" * 100_000, "too deep"),
    ],
)
def test_what_is_no_record_is_told(text: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decoded(text, "a" * 64)
