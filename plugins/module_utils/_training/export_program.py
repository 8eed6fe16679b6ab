# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a model in a form that others read: a program of its own, run in the environment of the ServerApps.

Its text is handed to Python as it is, so it imports nothing of ours. Only for a form that the app names itself it runs
code of the app, with no more rights than a ServerApp has.
This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

MODEL_NAME = "model"  # of the file to write, to which a form adds its ending


def load_arrays(job: dict) -> dict:
    """Return the arrays of the model, without what an optimizer carries."""
    import numpy as np

    with np.load(job["checkpoint"], allow_pickle=False) as found:
        return {name: found[name] for name in job["names"]}


def write_npz(arrays: dict, path: Path, job: dict) -> Path:
    """Write what numpy.load opens, under the same names."""
    import numpy as np

    path = path.with_suffix(".npz")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return path


def write_safetensors(arrays: dict, path: Path, job: dict) -> Path:
    """Write the table that was made for these arrays, and their numbers."""
    import numpy as np

    path = path.with_suffix(".safetensors")
    with path.open("wb") as stream:
        stream.write(bytes.fromhex(job["table"]))
        for array in arrays.values():
            stream.write(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return path


def write_pt(arrays: dict, path: Path, job: dict) -> Path:
    """Write a dictionary of tensors, and read it back."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise SystemExit("PyTorch is not in the environment of the ServerApps") from None
    path = path.with_suffix(".pt")
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    torch.save(tensors, path)
    found = torch.load(path, map_location="cpu", weights_only=True)
    if list(found) != list(tensors) or not all(torch.equal(found[name], tensors[name]) for name in tensors):
        raise SystemExit("what was written is not what is read back")
    return path


def write_of_app(arrays: dict, path: Path, job: dict) -> Path:
    """Let the app write its own form; a directory that it makes becomes one file."""
    import tomllib

    pyproject = tomllib.loads((Path(job["app"]) / "pyproject.toml").read_text("utf-8"))
    package = pyproject["tool"]["flwr"]["app"]["components"]["serverapp"].partition(":")[0].rpartition(".")[0]
    sys.path.insert(0, job["app"])
    task = importlib.import_module(f"{package}.task" if package else "task")
    export = getattr(task, "export", None)
    if export is None:
        raise SystemExit(f"{task.__name__} of the app has no function export(arrays, path)")
    written = Path(export(arrays, path) or path)
    if written.is_dir():
        packed = written.with_name(written.name + ".tar")
        with tarfile.open(packed, "w") as archive:
            archive.add(written, arcname=written.name)
        return packed
    return written


FORMS = {"npz": write_npz, "safetensors": write_safetensors, "pt": write_pt, "app": write_of_app}


def main() -> None:
    """Do the job of a folder, and say what the file is called."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text("utf-8"))
    out = folder / "out"
    said, sys.stdout = sys.stdout, sys.stderr  # what the app prints is no answer
    path = FORMS[job["format"]](load_arrays(job), out / MODEL_NAME, job).absolute()
    if path.parent != out.absolute() or not path.is_file():
        raise SystemExit(f"the file is to be in {out}, and {path} is not")
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    said.write(json.dumps({"name": path.name}) + "\n")


if __name__ == "__main__":
    main()
