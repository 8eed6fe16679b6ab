# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plot of a training: the rounds that count, and a picture that opens."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

SOURCE = Path(__file__).parents[3] / "testbed" / "plot.py"
spec = importlib.util.spec_from_file_location("testbed_plot", SOURCE)
plot = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plot)


def _line(number: int, run_id: str = "1", **values) -> str:
    event = {
        "event": "round_finished",
        "training": "digits",
        "run_id": run_id,
        "round": number,
        "num_rounds": 4,
        "loss": 2.0 / number,
        "accuracy": number / 10,
        "replies": 3,
        "seconds": 7.25,
        "checkpoint": f"checkpoint_round_{number}.npz",
    }
    return json.dumps(event | values)


INTERRUPTED = "\n".join(
    [
        _line(1),
        _line(2),
        _line(3, loss=9.0),
        json.dumps({"event": "resumed"}),
        _line(3, "2"),
        _line(4, "2", accuracy=None, checkpoint=None),
        '{"event": "round_fin',
    ]
)


def test_a_round_that_was_run_again_counts_once_and_a_torn_line_not_at_all():
    rounds = plot.read_history(INTERRUPTED)
    assert [(row["round"], row["run_id"], row["loss"]) for row in rounds] == [
        (1, "1", 2.0),
        (2, "1", 1.0),
        (3, "2", 2.0 / 3),
        (4, "2", 0.5),
    ]
    assert plot.resumed_at(rounds) == [3]


def test_the_summary_goes_from_the_first_round_to_the_last():
    assert plot.summary(plot.read_history(INTERRUPTED)) == (
        "4 of 4 rounds, accuracy 10.0% to -, loss 2.000 to 0.500, 29 s in rounds"
    )


def test_the_picture_is_a_png(tmp_path, capsys):
    history = tmp_path / "history.jsonl"
    history.write_text(INTERRUPTED, encoding="utf-8")
    picture = tmp_path / "pictures" / "training.png"
    assert plot.main([str(history), str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "4 of 4 rounds" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["$\\nope{$", "a$b$c" * 5000, "\x1b[2J\n$^$"])
def test_a_name_is_written_as_it_is_and_not_read_as_a_formula(tmp_path, name):
    (tmp_path / "history.jsonl").write_text(_line(1, training=name))
    assert plot.main([str(tmp_path / "history.jsonl"), str(tmp_path / "plot.png")]) == 0
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("content", "message"), [("", "holds no finished round"), (None, "cannot be read: No such file")]
)
def test_a_history_without_rounds_is_refused_by_name(content, message, tmp_path, capsys):
    history = tmp_path / "history.jsonl"
    if content is not None:
        history.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit):
        plot.main([str(history), str(tmp_path / "training.png")])
    assert f"{history} {message}" in capsys.readouterr().err
