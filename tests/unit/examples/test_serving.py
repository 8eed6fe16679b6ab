# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slots of the server in examples/serving: requests see a switch as one moment, and a bad model never."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

SERVING = Path(__file__).resolve().parents[3] / "examples" / "serving"
FIRST, SECOND = "digits-1-01234567", "digits-2-89abcdef"


def module(name: str):
    spec = importlib.util.spec_from_file_location(f"serving_{name}", SERVING / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # dataclasses look there
    spec.loader.exec_module(found)
    return found


slots = module("slots")


def unpacked(folder: Path, package: str, bias: float) -> str:
    """Write a model that sees a class everywhere."""
    (folder / package).mkdir(parents=True)
    arrays = {
        "hidden.weight": np.zeros((64, 4), np.float32),
        "hidden.bias": np.zeros(4, np.float32),
        "output.weight": np.zeros((4, 10), np.float32),
        "output.bias": np.eye(10, dtype=np.float32)[int(bias)] if np.isfinite(bias) else np.full(10, bias, np.float32),
    }
    np.savez(folder / package / "model.npz", **arrays)
    (folder / package / "manifest.json").write_text(json.dumps({"package": package}))
    return package


@pytest.fixture
def served(tmp_path):
    return slots.Slots(tmp_path, slots.app_of(SERVING / "apps" / "digits.py"))


BODY = {"inputs": [[0.0] * 64, [1.0] * 64]}


def test_a_model_is_served_and_the_next_one_takes_its_place(served, tmp_path) -> None:
    with pytest.raises(LookupError):
        served.predict(BODY)
    served.load(unpacked(tmp_path, FIRST, 3), BODY)
    assert served.predict(BODY) == (FIRST, {"classes": [3, 3]})
    served.load(unpacked(tmp_path, SECOND, 7), BODY)
    assert served.predict(BODY) == (SECOND, {"classes": [7, 7]})


def test_what_is_served_at_the_start_is_what_the_link_names(served, tmp_path) -> None:
    served.load_current()
    assert served.served is None
    (tmp_path / "current").symlink_to(unpacked(tmp_path, FIRST, 3))
    served.load_current()
    assert served.served.package == FIRST


@pytest.mark.parametrize(
    ("package", "message"),
    [("../../etc", "is not the name of a package"), ("digits-9-01234567", "cannot be loaded"), (SECOND, "not finite")],
)
def test_a_model_that_will_not_do_changes_nothing(served, tmp_path, package, message) -> None:
    served.load(unpacked(tmp_path, FIRST, 3))
    unpacked(tmp_path, SECOND, float("nan"))
    with pytest.raises(slots.ModelError, match=message):
        served.load(package)
    assert served.predict(BODY)[0] == FIRST


def test_a_model_that_does_not_answer_the_probe_changes_nothing(served, tmp_path) -> None:
    served.load(unpacked(tmp_path, FIRST, 3))
    with pytest.raises(slots.ModelError, match="is not healthy: ValueError: inputs must be"):
        served.load(unpacked(tmp_path, SECOND, 7), {"inputs": [[1.0]]})
    assert served.predict(BODY)[0] == FIRST


def test_no_request_sees_half_a_switch(served, tmp_path) -> None:
    served.load(unpacked(tmp_path, FIRST, 3))
    unpacked(tmp_path, SECOND, 7)
    answers, failed, end = set(), [], threading.Event()

    def ask() -> None:
        while not end.is_set():
            try:
                package, result = served.predict(BODY)
                answers.add((package, *result["classes"]))
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=ask) for _number in range(4)]
    for thread in threads:
        thread.start()
    for number in range(50):
        served.load((FIRST, SECOND)[number % 2 - 1])
    end.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert answers <= {(FIRST, 3, 3), (SECOND, 7, 7)}


MEASURE = """
import gc, json, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
import slots

def memory(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

folder = Path(sys.argv[2])
served = slots.Slots(folder, slots.app_of(Path(sys.argv[1], "apps", "digits.py")))
served.load("digits-1-01234567")
one = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
served.load("digits-2-89abcdef")
peak = memory("VmHWM")
gc.collect()
print(json.dumps({"more": peak - one, "after": memory("VmRSS") - one}))
"""


def test_a_switch_takes_two_models_of_memory_and_leaves_one(tmp_path) -> None:
    size = 128 << 20
    for package in (FIRST, SECOND):
        unpacked(tmp_path, package, 3)
        np.savez(tmp_path / package / "model.npz", w=np.ones(size // 4, np.float32))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, SERVING, tmp_path], check=True, capture_output=True, text=True
    )
    told = json.loads(done.stdout)
    # Beside the first model: the second, and a fifth of both.
    assert size <= told["more"] <= size + 0.2 * 2 * size
    assert abs(told["after"]) <= 0.2 * size
