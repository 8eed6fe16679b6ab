# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fails when it is told to: a wrapper around the file operations below one directory.

Every call is counted, and one of them can fail or be the last of its process. Beside the real files a model is kept of
what a power cut could leave of them, as strict as POSIX allows: only a synced file has its content, and only a synced
directory has its names; of the names that were not synced, any may be there.
"""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

FOLDER = "a directory"


class Died(BaseException):
    """The process is gone: nothing that it would do after this happens."""


@dataclass(frozen=True)
class Fault:
    """What happens at the call of this number: the process dies, or the call fails (and maybe all later ones do)."""

    at: int
    error: int | None = None
    lasting: bool = False

    def strikes(self, number: int) -> bool:
        return number == self.at or (self.lasting and number > self.at)


@dataclass(eq=False)
class File:
    data: bytes = b""
    durable: bytes = b""

    def remains(self) -> set[bytes]:
        """What a power cut may leave of the content."""
        if self.data == self.durable:
            return {self.data}
        return {self.durable, self.data, self.data[: len(self.data) // 2], bytes(len(self.data))}


Node = File | str  # a file, the target of a link, or FOLDER
Tree = dict[str, Node]
Remains = frozenset[tuple[str, bytes | str]]


@dataclass
class Model:
    """What is on the disk, and what would still be there after a power cut."""

    now: Tree = field(default_factory=dict)
    durable: Tree = field(default_factory=dict)
    pending: list[dict[str, Node | None]] = field(default_factory=list)  # changes of names, each atomic

    def change(self, changes: dict[str, Node | None]) -> None:
        """Change names: None takes one away."""
        self.pending.append(changes)
        _apply(self.now, changes)

    def sync(self, name: str) -> None:
        """Make a file's content durable, or the names in a directory."""
        node = self.now.get(name)
        if isinstance(node, File):
            node.durable = node.data
            return
        synced = [changes for changes in self.pending if name in {os.path.dirname(path) for path in changes}]
        self.pending = [changes for changes in self.pending if changes not in synced]
        for changes in synced:
            _apply(self.durable, changes)

    def remains(self) -> Iterator[Remains]:
        """Yield every state that a power cut may leave now."""
        for kept in itertools.product((False, True), repeat=len(self.pending)):
            tree = dict(self.durable)
            for changes in itertools.compress(self.pending, kept):
                _apply(tree, changes)
            reached = {path: node for path, node in tree.items() if _reachable(path, tree)}
            files = [path for path, node in reached.items() if isinstance(node, File)]
            for contents in itertools.product(*(reached[path].remains() for path in files)):
                yield frozenset({**reached, **dict(zip(files, contents, strict=True))}.items())


def _apply(tree: Tree, changes: dict[str, Node | None]) -> None:
    for path, node in changes.items():
        tree.pop(path, None)
        if node is not None:
            tree[path] = node


def _reachable(path: str, tree: Tree) -> bool:
    parent = os.path.dirname(path)
    return not parent or (tree.get(parent) == FOLDER and _reachable(parent, tree))


class Disk:
    """Use as a context: file operations below ``root`` are counted, modelled, and fail as told."""

    def __init__(self, root: Path, fault: Fault | None = None, after: Callable[[Disk], None] | None = None) -> None:
        self.root = str(root)
        self.calls: list[str] = []
        self.model = Model()
        self._fault = fault
        self._after = after or (lambda disk: None)  # sees the model after every call
        self._dead = False
        self._lock = threading.RLock()
        for path in sorted(Path(root).rglob("*")):
            self.model.durable[self._name(path)] = _read(path)
        self.model.now.update(self.model.durable)

    def __enter__(self) -> Disk:
        self._patch = pytest.MonkeyPatch()
        self._real = {name: getattr(os, name) for name in _OPERATIONS} | {"builtin": builtins.open}
        for name in _OPERATIONS:
            self._patch.setattr(os, name, getattr(self, f"_{name}", None) or self._looking(name))
        self._patch.setattr(builtins, "open", self._builtin)
        return self

    def __exit__(self, *dummy: object) -> None:
        self._patch.undo()

    def below(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and (os.fspath(path) + "/").startswith(self.root + "/")

    def call(self, name: str, path: object, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Count a call; here it fails, if it is to fail."""
        if self._dead:
            raise Died
        number = len(self.calls)
        self.calls.append(f"{name} {self._name(path)}")
        if self._fault and self._fault.strikes(number):
            if self._fault.error is None:
                self._dead = True
                raise Died
            if _possible(name, self._fault.error):
                meanwhile()
                raise OSError(self._fault.error, os.strerror(self._fault.error), os.fspath(path))

    def done(self) -> None:
        self._after(self)

    def _name(self, path: object) -> str:
        name = os.path.relpath(os.fspath(path), self.root)
        return "" if name == "." else name

    def _looking(self, name: str) -> Callable[..., object]:
        def look(path: object = ".", *args: object, **kwargs: object) -> object:
            if self.below(path):
                self.call(name, path)
            return self._real[name](path, *args, **kwargs)

        return look

    def _builtin(self, path: object, mode: str = "r", *args: object, **kwargs: object) -> object:
        if not self.below(path):
            return self._real["builtin"](path, mode, *args, **kwargs)
        if "w" not in mode:
            self.call("read", path)
            return self._real["builtin"](path, mode, *args, **kwargs)
        self.call("create", path)
        return _Written(self, os.fspath(path))

    def _open(self, path: object, *args: object, **kwargs: object) -> int:
        if self.below(path):
            self.call("open", path)
        return self._real["open"](path, *args, **kwargs)

    def _fsync(self, descriptor: int) -> None:
        path = self._real["readlink"](f"/proc/self/fd/{descriptor}")
        if self.below(path):
            self.call("fsync", path)
            self.model.sync(self._name(path))
            self.done()  # the files are real and need no real disk

    def _rename(self, source: object, target: object) -> None:
        self.call("rename", target)
        self._real["rename"](source, target)
        node = self.model.now[self._name(source)]
        self.model.change({self._name(source): None, self._name(target): node})
        self.done()

    def _link(self, source: object, target: object, **kwargs: object) -> None:
        self.call("link", target)
        self._real["link"](source, target, **kwargs)
        self.model.change({self._name(target): self.model.now[self._name(source)]})
        self.done()

    def _symlink(self, source: str, target: object) -> None:
        self.call("symlink", target)
        self._real["symlink"](source, target)
        self.model.change({self._name(target): source})
        self.done()

    def _unlink(self, path: object) -> None:
        if not self.below(path):
            return self._real["unlink"](path)
        self.call("unlink", path)
        self._real["unlink"](path)
        self.model.change({self._name(path): None})
        return self.done()

    def _mkdir(self, path: object, *args: object) -> None:
        if not self.below(path):
            return self._real["mkdir"](path, *args)
        self.call("mkdir", path)
        self._real["mkdir"](path, *args)
        self.model.change({self._name(path): FOLDER})
        return self.done()


_OPERATIONS = ("open", "fsync", "rename", "link", "symlink", "unlink", "mkdir", "listdir", "stat", "lstat", "readlink")
_CHANGING = {"create", "write", "fsync", "rename", "link", "symlink", "unlink", "mkdir"}


def _possible(name: str, error: int) -> bool:
    """A full or read-only disk can still be read; nothing is certain of one with errors."""
    if error == errno.ENOSPC:
        return name in _CHANGING - {"unlink"}
    return name in _CHANGING if error == errno.EROFS else True


class _Written(io.FileIO):
    """A file that is being written."""

    def __init__(self, disk: Disk, path: str) -> None:
        super().__init__(path, "w")
        self._disk, self._path = disk, path
        known = disk.model.now.get(disk._name(path))
        if isinstance(known, File):
            self._file = known
            known.data = b""
        else:
            self._file = File()
            disk.model.change({disk._name(path): self._file})
        disk.done()

    def write(self, data: bytes) -> int:
        # A disk that runs full takes a part first.
        self._disk.call("write", self._path, lambda: self._put(bytes(data)[: len(data) // 2]))
        return self._put(bytes(data))

    def close(self) -> None:
        was_open = not self.closed
        super().close()
        if was_open and not self._disk._dead:
            self._disk.call("close", self._path)

    def _put(self, data: bytes) -> int:
        self._file.data += data
        written = super().write(data)
        self._disk.done()
        return written


def _read(path: Path) -> Node:
    if path.is_symlink():
        return os.readlink(path)
    return FOLDER if path.is_dir() else File(path.read_bytes(), path.read_bytes())


def lay_out(remains: Remains, root: Path) -> None:
    """Write what a power cut has left."""
    for name, content in sorted(remains, key=lambda item: item[0]):
        path = root / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content == FOLDER:
            path.mkdir()
        else:
            path.symlink_to(content)
