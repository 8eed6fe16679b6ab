# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each task that the collection brings, and the example of a robot, really learns, and resumes with the same bytes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from simulated import Federation, Killed
from use_cases import SHIPPED, Shipped, pictures, sensors, settings

from fedops_app.asking import call

ROUNDS = 5


@pytest.fixture
def sites(shipped: Shipped, federation: Federation) -> Federation:
    """Three sites with data of this task, and a server with some of its own."""
    return shipped.sites(federation)


def test_a_federation_learns(shipped: Shipped, task: ModuleType, sites: Federation) -> None:
    shipped.train(sites, task, num_rounds=8)
    history = sites.published("history.jsonl")
    assert history[-1]["loss"] < history[0]["loss"] * 0.8
    with np.load(sites.checkpoints() / "checkpoint_latest.npz") as archive:
        assert archive.files == list(call(task.initial_arrays, 0, extra=shipped.extra(task)))


@pytest.mark.parametrize("strategy", ["FedAvg", "FedProx", "FedAdam"])
def test_an_interrupted_training_ends_with_the_same_bytes(
    shipped: Shipped, task: ModuleType, sites: Federation, strategy: str
) -> None:
    shipped.train(sites, task, "straight", num_rounds=ROUNDS, strategy=strategy)
    with pytest.raises(Killed):
        shipped.train(sites, task, "killed", num_rounds=ROUNDS, strategy=strategy, grid={"killed_in_round": 3})
    shipped.train(sites, task, "killed", num_rounds=ROUNDS, strategy=strategy)
    assert sites.arrays(ROUNDS, "killed") == sites.arrays(ROUNDS, "straight")
    first = sites.arrays(1, "straight")
    assert first != sites.arrays(ROUNDS, "straight")


@pytest.mark.parametrize("mu", [0.0, 0.7])
def test_a_step_goes_down_the_loss_with_the_proximal_term(
    shipped: Shipped, task: ModuleType, tmp_path: Path, mu: float
) -> None:
    """Held against finite differences, at a point away from where the round began."""
    shipped.data(tmp_path, 1)
    extra, rate = shipped.extra(task), 0.05
    begin = {name: array.astype(np.float64) for name, array in call(task.initial_arrays, 3, extra=extra).items()}

    def trained(epochs: int) -> dict[str, np.ndarray]:
        return task.train(begin, tmp_path, settings(extra, learning_rate=rate, proximal_mu=mu, local_epochs=epochs))[0]

    def objective(model: dict[str, np.ndarray]) -> float:
        loss = task.train(model, tmp_path, settings(extra))[1]["train_loss"]
        return loss + mu / 2 * sum(float(np.square(model[name] - begin[name]).sum()) for name in begin)

    here, there = trained(1), trained(2)
    rng = np.random.default_rng(0)
    for name in begin:
        step = 1e-6 * rng.standard_normal(begin[name].shape)
        slope = objective({**here, name: here[name] + step}) - objective({**here, name: here[name] - step})
        assert slope / 2 == pytest.approx(float(((here[name] - there[name]) / rate * step).sum()), rel=1e-4, abs=1e-13)


def test_what_a_site_reports_has_the_same_names_everywhere(
    shipped: Shipped, task: ModuleType, sites: Federation
) -> None:
    extra = shipped.extra(task)
    model = call(task.initial_arrays, 0, extra=extra)
    reported = [call(task.evaluate, model, sites.root / "data" / name, extra=extra) for name in sites.names]
    reported.append(call(task.evaluate_centrally, model, sites.root / "server", extra=extra))
    assert {tuple(metrics) for metrics in reported} == {tuple(reported[0])}
    assert all(np.isfinite(list(metrics.values())).all() for metrics in reported)
    assert {"num-examples", "loss"} <= reported[0].keys()


def test_a_server_without_data_evaluates_nothing(shipped: Shipped, task: ModuleType, tmp_path: Path) -> None:
    extra = shipped.extra(task)
    assert call(task.evaluate_centrally, call(task.initial_arrays, 0, extra=extra), tmp_path, extra=extra) is None


def test_data_that_are_missing_are_asked_for(shipped: Shipped, task: ModuleType, tmp_path: Path) -> None:
    extra = shipped.extra(task)
    with pytest.raises(FileNotFoundError, match=f"^{tmp_path}/.* is missing. Put "):
        task.train(call(task.initial_arrays, 0, extra=extra), tmp_path, settings(extra))


def images(**changed: Any) -> dict[str, Any]:
    return {"images": np.zeros((4, 6, 5, 3), np.uint8), "labels": np.array([0, 1, 2, 1]), **changed}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros(3)}, "cannot be read as an .npz file with the arrays images and labels"),
        (images(images=np.zeros((4, 6, 5, 3))), r"has images of float64 \(4, 6, 5, 3\); they must be uint8"),
        (images(images=np.zeros((4, 6, 5, 4), np.uint8)), r"they must be uint8 \(n, height, width\)"),
        (images(images=np.zeros((4, 6), np.uint8)), r"they must be uint8 \(n, height, width\)"),
        (images(labels=np.array([0, 1, 2])), r"has 4 images and labels \(3,\); each image needs one label"),
        (images(images=np.zeros((0, 6, 5, 3), np.uint8), labels=np.zeros(0, int)), "there must be an image"),
        (images(labels=np.array([0, 1, 2, 3])), "from 0 to 3; they must be whole numbers from 0 to 2, as there are 3"),
        (images(labels=np.array([0.0, 1, 2, 1])), "has labels of float64"),
        (images(labels=np.array(["upright", "level", "level", "round"])), "has the class 'round', which is none of"),
        (images(labels=np.array([None] * 4, object)), "cannot be read as an .npz file"),
    ],
)
def test_images_of_another_form_are_refused_by_file_and_rule(tmp_path: Path, arrays: dict, said: str) -> None:
    shipped = SHIPPED["image-classification"]
    task, path = shipped.load(), tmp_path / "train.npz"
    np.savez(path, **arrays)
    extra = shipped.extra(task)
    with pytest.raises(ValueError, match=said) as caught:
        task.train(task.initial_arrays(0, extra), tmp_path, settings(extra))
    assert str(caught.value).startswith(f"{path} ")


@pytest.mark.parametrize("classes", ["one", "", "a,,b", "a,b,a"])
def test_classes_are_two_different_names_at_least(classes: str) -> None:
    task = SHIPPED["image-classification"].load()
    with pytest.raises(ValueError, match="must be at least two different names"):
        task.initial_arrays(0, {"classes": classes, "image-size": 8, "colour": "rgb"})


def test_labels_may_be_names_and_images_of_any_size_and_colour(tmp_path: Path) -> None:
    shipped = SHIPPED["image-classification"]
    task = shipped.load()
    rng = np.random.default_rng(0)
    names = np.array(["level", "upright", "diagonal"])
    for number, shape in enumerate([(3, 40, 9), (3, 8, 8, 1), (3, 5, 7, 3)]):
        for colour in ("rgb", "grey"):
            folder = tmp_path / f"{number}{colour}"
            folder.mkdir()
            np.savez(folder / "train.npz", images=rng.integers(0, 256, shape, dtype=np.uint8), labels=names)
            extra = {**shipped.extra(task), "colour": colour}
            metrics = task.train(task.initial_arrays(0, extra), folder, settings(extra))[1]
            assert metrics["num-examples"] == 3
            assert np.isfinite(metrics["train_loss"])


def test_image_files_lie_in_folders_of_their_classes(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    shipped = SHIPPED["image-classification"]
    task = shipped.load()
    pictures(tmp_path / "arrays", 0)
    with np.load(tmp_path / "arrays/train.npz") as data:
        for number, (pixels, label) in enumerate(zip(data["images"], data["labels"], strict=True)):
            folder = tmp_path / "files/train" / ("upright", "level", "diagonal")[label]
            folder.mkdir(parents=True, exist_ok=True)
            image.fromarray(pixels).save(folder / f"{number:03}.png")
    extra = {**shipped.extra(task), "image-size": 10}
    model = task.initial_arrays(0, extra)
    found = [task.train(model, tmp_path / name, settings(extra))[1] for name in ("arrays", "files")]
    assert found[1]["num-examples"] == found[0]["num-examples"]
    assert found[1]["train_loss"] == pytest.approx(found[0]["train_loss"], rel=1e-5)
    (tmp_path / "files/train/level/broken.png").write_text("no image")
    with pytest.raises(ValueError, match="broken.png cannot be read as an image"):
        task.train(model, tmp_path / "files", settings(extra))


def test_image_files_without_pillow_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = SHIPPED["image-classification"]
    task = shipped.load()
    (tmp_path / "train").mkdir()
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    extra = shipped.extra(task)
    with pytest.raises(RuntimeError, match=f"{tmp_path}/train holds image files, and Pillow"):
        task.train(task.initial_arrays(0, extra), tmp_path, settings(extra))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"holds values \(0, 0\); they must be \(n, 4\)"),
        ("a,b,c,d\n", r"holds values \(0, 4\)"),
        ("a,b,c\n1,2,3\n", r"holds values \(1, 3\); they must be \(n, 4\), n at least 1. Correct it, or set sensors"),
        ("a,b,c,d\n1,2,3\n", "has 3 values in a row, and 4 names"),
        ("a,b,c,d\n1,2,3,4\n1,2,3\n", "cannot be read as numbers: .* Its first line is for names"),
        ("a,b,c,d\n1,2,x,4\n", "cannot be read as numbers: could not convert string 'x'"),
        ("a;b;c;d\n1;2;3;4\n", "cannot be read as numbers"),
        ("a,b,c,d\n1,2,3,4\n1,nan,3,4\n", "holds values that are not finite in row 2"),
        ("a,b,c,d,label\n1,2,3,4,2\n", "has labels other than 0"),
        ("a,b,c,d,label\n1,2,3,4,1\n", "has no row with the label 0"),
        (b"a,b,c,d\n\xff,2,3,4\n", "cannot be read as CSV"),
    ],
)
def test_rows_of_another_form_are_refused_by_file_and_rule(tmp_path: Path, text: str | bytes, said: str) -> None:
    shipped = SHIPPED["anomaly-detection"]
    task, path = shipped.load(), tmp_path / "train.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    extra = shipped.extra(task)
    with pytest.raises(ValueError, match=said) as caught:
        task.train(task.initial_arrays(0, extra), tmp_path, settings(extra))
    assert str(caught.value).startswith(f"{path} ")


def test_a_table_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    """With a mark of its encoding, quotes, other ends of lines, and lines that are empty."""
    shipped = SHIPPED["anomaly-detection"]
    task, extra = shipped.load(), shipped.extra(shipped.load())
    model = task.initial_arrays(0, extra)
    found = []
    for text in (
        "label,a,b,c,d\n0,1,2,3,4\n1,5,6,7,9\n0,2,2,1,0\n",
        '\ufeff"label", a,b,c,"d"\r\n"0",1,2,3,4\r\n\r\n1,5,6,7,9\r\n0,2,2,1,0',
    ):
        (tmp_path / "train.csv").write_bytes(text.encode())
        found.append(task.evaluate(model, tmp_path, extra))
    assert found[0] == found[1]


def test_an_archive_of_rows_is_as_good_as_csv(tmp_path: Path) -> None:
    shipped = SHIPPED["anomaly-detection"]
    task = shipped.load()
    sensors(tmp_path / "csv", 1)
    table = np.loadtxt(tmp_path / "csv/test.csv", delimiter=",", skiprows=1)
    (tmp_path / "npz").mkdir()
    np.savez(tmp_path / "npz/test.npz", x=table[:, :-1], y=table[:, -1])
    (tmp_path / "csv/train.csv").unlink()
    extra = shipped.extra(task)
    model = task.initial_arrays(0, extra)
    first, second = (task.evaluate(model, tmp_path / name, extra) for name in ("csv", "npz"))
    assert first == second


def test_anomalies_are_found_and_left_out_of_training(tmp_path: Path) -> None:
    shipped = SHIPPED["anomaly-detection"]
    task, extra = shipped.load(), shipped.extra(shipped.load())
    sensors(tmp_path, 1)
    model = task.initial_arrays(0, extra)
    before = task.evaluate(model, tmp_path, extra)
    for seed in range(20):
        model, metrics = task.train(model, tmp_path, settings(extra, learning_rate=0.2, batch_size=16, seed=seed))
    after = task.evaluate(model, tmp_path, extra)
    assert metrics["num-examples"] == 140
    assert after["threshold"] < before["threshold"] / 3
    assert after["recall"] > 0.9
    assert after["precision"] > 0.9
    assert after["flagged"] == pytest.approx(0.25, abs=0.05)
    with (tmp_path / "train.csv").open("a") as stream:
        stream.write("1000,1000,1000,1000,1\n" * 50)
    assert task.train(model, tmp_path, settings(extra))[1]["num-examples"] == 140


def test_labels_are_asked_for_where_they_are_promised(tmp_path: Path) -> None:
    shipped = SHIPPED["anomaly-detection"]
    task, extra = shipped.load(), shipped.extra(shipped.load())
    (tmp_path / "test.csv").write_text("a,b,c,d\n1,2,3,4\n")
    model = task.initial_arrays(0, extra)
    with pytest.raises(ValueError, match="test.csv has no labels, and labelled is true"):
        task.evaluate(model, tmp_path, extra)
    assert "accuracy" not in task.evaluate(model, tmp_path, {**extra, "labelled": False})


@pytest.mark.parametrize(
    ("info", "frame", "said"),
    [
        ("{", "", "info.json cannot be read as the description of a data set"),
        ('{"features": {"action": {"shape": [2]}}}', "", "needs features with the shapes of"),
        ('{"features": {"observation.state": {"shape": [5]}, "action": {"shape": [2]}}}', "", "state-size is 4"),
        (None, '{"episode_index": 0}', "has a frame that does not fit"),
        (None, '{"episode_index": 0, "observation.state": [1, 2], "action": [1, 2]}', "has a frame that does not fit"),
        (None, "no JSON", "cannot be read as JSON, a frame a line"),
        (None, '{"episode_index": 7, "observation.state": [1, 2, 3, 4], "action": [1, 2]}', "has no frame of the"),
        (None, '{"episode_index": 0, "observation.state": [1, 2, 3, NaN], "action": [1, 2]}', "not finite"),
    ],
)
def test_episodes_of_another_form_are_refused_by_file_and_rule(
    tmp_path: Path, info: str | None, frame: str, said: str
) -> None:
    shipped = SHIPPED["robot"]
    task, extra = shipped.load(), shipped.extra(shipped.load())
    sound = '{"features": {"observation.state": {"shape": [4]}, "action": {"shape": [2]}}, "splits": {"train": "0:3"}}'
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(info or sound)
    (tmp_path / "data/chunk-000").mkdir(parents=True)
    (tmp_path / "data/chunk-000/episode_000000.jsonl").write_text(frame + "\n")
    with pytest.raises(ValueError, match=said) as caught:
        task.train(task.initial_arrays(0, extra), tmp_path, settings(extra))
    assert str(caught.value).startswith(str(tmp_path))


def test_episodes_may_be_parquet(tmp_path: Path) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    shipped = SHIPPED["robot"]
    task, extra = shipped.load(), shipped.extra(shipped.load())
    shipped.data(tmp_path, 0)
    model = task.initial_arrays(0, extra)
    before = task.evaluate(model, tmp_path, extra)
    for path in sorted(tmp_path.glob("data/chunk-000/*.jsonl")):
        frames = [__import__("json").loads(line) for line in path.read_text().splitlines()]
        parquet.write_table(arrow.Table.from_pylist(frames), path.with_suffix(".parquet"))
        path.unlink()
    assert task.evaluate(model, tmp_path, extra) == before
