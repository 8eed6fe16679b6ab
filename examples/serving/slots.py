# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Two slots for a model: one is served, the other takes the next one, and requests see the switch as a single moment.

A request that has begun ends with the model that it began with. The former model goes when the last of them has ended.
"""

from __future__ import annotations

import importlib.util
import json
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}-[1-9][0-9]{0,18}-[0-9a-f]{8}")


class ModelError(Exception):
    """A model cannot be served; the message says why."""


@dataclass(frozen=True)
class Slot:
    """A model in memory, with where it is from."""

    package: str
    manifest: dict[str, Any]
    model: Any
    seconds: float  # that it took to load


@dataclass
class Slots:
    """The models of a directory, of which one is served by the functions of an app."""

    directory: Path
    app: ModuleType
    served: Slot | None = None
    _loading: threading.Lock = field(default_factory=threading.Lock)

    def predict(self, body: Any) -> tuple[str, Any]:
        """Answer a request; return the package that has answered, and what it says."""
        slot = self.served  # one look: the whole request belongs to this model
        if slot is None:
            raise LookupError("There is no model yet.")
        return slot.package, self.app.predict(slot.model, body)

    def load(self, package: str, probe: Any = None) -> Slot:
        """Load a model beside the one that is served, try it, and switch to it."""
        if not PACKAGE.fullmatch(package):
            raise ModelError(f"{package!r} is not the name of a package")
        with self._loading:  # no third model in memory
            if self.served is not None and self.served.package == package:
                return self.served
            slot = self._load(package)
            self._try(slot, probe)
            self.served = slot
            return slot

    def load_current(self) -> None:
        """Load what the worker has found good last, if anything."""
        link = self.directory / "current"
        if link.is_symlink():
            self.load(link.readlink().name)

    def _load(self, package: str) -> Slot:
        folder, began = self.directory / package, time.perf_counter()
        try:
            manifest = json.loads((folder / "manifest.json").read_bytes())
            model = self.app.load(folder, manifest)
        except Exception as error:  # whatever an app or its libraries raise
            raise ModelError(f"{package} cannot be loaded: {type(error).__name__}: {error}") from error
        return Slot(package, manifest, model, time.perf_counter() - began)

    def _try(self, slot: Slot, probe: Any) -> None:
        """Have the app's own check look at a model, and a request be answered by it."""
        try:
            if hasattr(self.app, "check"):
                self.app.check(slot.model)
            if probe is not None:
                json.dumps(self.app.predict(slot.model, probe), allow_nan=False)
        except Exception as error:
            raise ModelError(f"{slot.package} is not healthy: {type(error).__name__}: {error}") from error


def app_of(path: Path) -> ModuleType:
    """Import the file of an app, which has C(load) and C(predict), and may have C(check)."""
    spec = importlib.util.spec_from_file_location("serving_app", path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} is no file of Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
