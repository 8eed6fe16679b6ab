# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The dealer of the digits: nothing lost, nothing doubled, uneven on purpose, the same for the same seed."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SOURCE = Path(__file__).parents[3] / "examples" / "digits" / "deal.py"


def _load_deal() -> ModuleType:
    spec = importlib.util.spec_from_file_location("digits_deal", SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


deal = _load_deal()


@pytest.fixture(scope="module")
def digits():
    return deal.load()


def _rows(*parts) -> list[bytes]:
    return sorted(row.tobytes() + bytes([label]) for part in parts for row, label in zip(part.x, part.y, strict=True))


def _skew(shards) -> float:
    """Mean share of a shard's most frequent label: 0.1 when all labels are alike, 1 when there is only one."""
    return float(np.mean([np.bincount(shard.y).max() / len(shard) for shard in shards]))


def _hashes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*.npz"))
    }


def test_the_digits_are_complete_and_scaled(digits):
    assert (digits.x.shape, digits.x.dtype, digits.y.dtype) == ((1797, 64), np.float32, np.int64)
    assert (digits.x.min(), digits.x.max()) == (0.0, 1.0)
    assert np.bincount(digits.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@pytest.mark.parametrize("alpha", [0.3, 0.5, 100.0])
def test_every_digit_goes_to_exactly_one_place(digits, shards, alpha):
    rng = np.random.default_rng(7)
    rest, test = deal.hold_out(digits, 0.2, rng)
    parts = deal.deal(rest, shards, alpha, rng)
    assert len(parts) == shards
    assert min(map(len, parts)) >= deal.SMALLEST_SHARD
    assert _rows(test, *parts) == _rows(digits)


def test_a_smaller_alpha_makes_the_sites_more_different(digits):
    skews = [_skew(deal.deal(digits, 3, alpha, np.random.default_rng(1))) for alpha in (0.1, 1.0, 1000.0)]
    assert skews == sorted(skews, reverse=True)
    assert skews[0] > 0.3
    assert skews[-1] < 0.12


def test_the_same_seed_deals_the_same_bytes_and_another_does_not(tmp_path):
    for directory, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert deal.main(["--output", str(tmp_path / directory), "--seed", seed, "east", "west"]) == 0
    first, again, other = (_hashes(tmp_path / directory) for directory in "abc")
    assert list(first) == ["east/train.npz", "test.npz", "west/train.npz"]
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_the_files_hold_what_the_app_reads(tmp_path):
    assert deal.main(["--output", str(tmp_path), "east", "west"]) == 0
    for path in tmp_path.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as data:
            assert {name: (data[name].dtype, data[name].shape[1:]) for name in data.files} == {
                "x": (np.dtype(np.float32), (64,)),
                "y": (np.dtype(np.int64), ()),
            }


def test_sites_of_one_host_lie_below_it(tmp_path):
    assert deal.main(["--output", str(tmp_path), "box/east", "box/west", "north"]) == 0
    assert list(_hashes(tmp_path)) == ["box/east/train.npz", "box/west/train.npz", "north/train.npz", "test.npz"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alpha", "0", "a"], "argument --alpha: invalid number above 0 value: '0'"),
        (["--alpha", "nan", "a"], "argument --alpha: invalid number above 0 value: 'nan'"),
        (["--test-fraction", "1", "a"], "argument --test-fraction: invalid number between 0 and 1 value: '1'"),
        (["../a"], "argument SITE: invalid site name value: '../a'"),
        (["a/../b"], "argument SITE: invalid site name value: 'a/../b'"),
        (["a", "a"], "a site is named twice: a a"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        deal.main(["--output", str(tmp_path / "out"), *arguments])
    assert exit_.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(message)
    assert not (tmp_path / "out").exists()


def test_an_impossible_deal_says_what_to_change(tmp_path, capsys):
    sites = [f"site{number}" for number in range(100)]
    assert deal.main(["--output", str(tmp_path / "out"), "--alpha", "0.01", *sites]) == 1
    assert capsys.readouterr().err.strip() == (
        "--alpha is 0.01, which leaves one of 100 sites with fewer than 20 of 1438 digits in each of 1000 attempts."
        " Raise --alpha or name fewer sites."
    )
    assert not (tmp_path / "out").exists()
